#include "wallet/books.h"

#include <stdlib.h>

#include "base/log.h"
#include "wallet/calendar.h"
#include "wallet/tables.h"

/* So long an expired session is still known, so that its refresh token is answered as expired and not as unknown. */
#define EXPIRE_HOLDS     INT64_C(200) /* at a time */
#define SESSION_GRACE_US (INT64_C(7) * 24 * 3600 * CLOCK_SECOND_US)

struct books {
    struct ledger ledger;
    struct books_options options;
    const struct clock *clock;
    struct engine *engine;
    int64_t next_expiry_us;    /* of the holds; 0: not known; INT64_MAX: none is open */
    bool has_other_currencies; /* issuance of another than the main one: only then it costs a batch to look for them */
};

struct ledger *books_ledger(struct engine *engine) {
    return &((struct books *)engine_set(engine))->ledger;
}

int64_t books_now_us(struct engine *engine) { return clock_now_us(((const struct books *)engine_set(engine))->clock); }

/* ---- rows that come: the context of each visitor is the ledger ---- */

static struct result head_loaded(void *ledger, const struct row *row) {
    struct ledger_head *head = &((struct ledger *)ledger)->head;
    head->sequence = row_integer_between(row, 0, 1, INT64_MAX - LEDGER_TRANSFERS_MAX);
    row_bytes_into(row, 1, head->hash.bytes, sizeof head->hash.bytes);
    head->created_at_us = row_time(row, 2);
    return result_ok();
}

static struct result last_account_loaded(void *ledger, const struct row *row) {
    ((struct ledger *)ledger)->last_account_number = row_integer_between(row, 0, 1, INT64_MAX - LEDGER_ROWS_MAX);
    return result_ok();
}

static struct result add_account(struct ledger *ledger, const struct row *row, int first) {
    struct account account;
    TRY(row_account(row, first, &account));
    return ledger_add_account(ledger, &account, NULL);
}

static struct result account_loaded(void *ledger, const struct row *row) { return add_account(ledger, row, 0); }

static struct result user_loaded(void *ledger, const struct row *row) {
    struct user user;
    TRY(row_user(row, 0, &user));
    return ledger_add_user(ledger, &user);
}

static struct result wallet_loaded(void *ledger, const struct row *row) {
    TRY(user_loaded(ledger, row));
    if (!row_is_null(row, USER_COLUMN_COUNT)) return add_account(ledger, row, USER_COLUMN_COUNT);
    row_refuse(row, USER_COLUMN_COUNT, "a user without a wallet");
    return result_ok();
}

static struct result session_loaded(void *ledger, const struct row *row) {
    struct session session;
    struct user user;
    TRY(row_session(row, 0, &session));
    TRY(row_user(row, SESSION_COLUMN_COUNT, &user));
    TRY(ledger_add_user(ledger, &user));
    return ledger_add_session(ledger, &session);
}

static struct result token_loaded(void *ledger, const struct row *row) {
    struct refresh_token token = {.session_id = row_id(row, 0),
                                  .generation = row_integer_between(row, 2, 1, INT64_MAX),
                                  .expires_at_us = row_integer(row, 3),
                                  .is_used = !row_is_null(row, 4),
                                  .reusable_until_us = row_integer_or_zero(row, 4)};
    row_bytes_into(row, 1, token.hash.bytes, sizeof token.hash.bytes);
    return ledger_add_token(ledger, &token);
}

static struct result fund_loaded(void *context, const struct row *row) {
    struct ledger *ledger = context;
    struct account account, *in_ledger = NULL;
    struct fund fund;
    TRY(row_account(row, 0, &account));
    TRY(row_fund(row, ACCOUNT_COLUMN_COUNT, &account, &fund));
    TRY(ledger_add_account(ledger, &account, &in_ledger));
    fund.account = in_ledger;
    return ledger_add_fund(ledger, &fund);
}

static struct result credit_loaded(void *ledger, const struct row *row) {
    struct known_reference known;
    struct ledger_key key;
    TRY(row_reference(row, &known));
    ledger_credit_key(row_text(row, REFERENCE_CALLER_COLUMN), row_text(row, REFERENCE_COLUMN), &key);
    known.key = ledger_key_text(&key);
    return ledger_add_reference(ledger, &known);
}

static struct result topup_loaded(void *ledger, const struct row *row) {
    struct known_reference known;
    struct ledger_key key;
    TRY(row_reference(row, &known));
    ledger_topup_key(known.credit_account, row_text(row, REFERENCE_COLUMN), &key);
    known.key = ledger_key_text(&key);
    return ledger_add_reference(ledger, &known);
}

static struct result merchant_loaded(void *context, const struct row *row) {
    struct ledger *ledger = context;
    struct account account, *in_ledger = NULL;
    TRY(row_account(row, 0, &account));
    TRY(ledger_add_account(ledger, &account, &in_ledger));
    const struct merchant merchant = {.name = row_text(row, ACCOUNT_COLUMN_COUNT),
                                      .account = in_ledger,
                                      .number = row_integer(row, ACCOUNT_COLUMN_COUNT + 1),
                                      .currency = row_currency(row, ACCOUNT_COLUMN_COUNT + 2)};
    return ledger_add_merchant(ledger, &merchant);
}

static struct result named_loaded(struct ledger *ledger, const struct row *row, enum transfer_kind kind) {
    struct known_reference known;
    struct ledger_key key;
    TRY(row_reference(row, &known));
    ledger_named_key(kind, row_text(row, REFERENCE_CALLER_COLUMN), row_text(row, REFERENCE_COLUMN), &key);
    known.key = ledger_key_text(&key);
    known.description = row_text(row, REFERENCE_DESCRIPTION_COLUMN);
    known.metadata = row_text(row, REFERENCE_METADATA_COLUMN);
    known.origin = row_integer(row, REFERENCE_ORIGIN_COLUMN);
    return ledger_add_reference(ledger, &known);
}

static struct result payment_loaded(void *ledger, const struct row *row) { return named_loaded(ledger, row, TRANSFER_PAYMENT); }
static struct result reversal_loaded(void *ledger, const struct row *row) { return named_loaded(ledger, row, TRANSFER_REVERSAL); }

static struct result adjustment_loaded(void *ledger, const struct row *row) { return named_loaded(ledger, row, TRANSFER_ADJUSTMENT); }

static struct result hold_loaded(void *context, const struct row *row) {
    struct ledger *ledger = context;
    struct account account, *in_ledger = NULL;
    struct hold hold;
    TRY(row_account(row, 0, &account));
    TRY(row_hold(row, ACCOUNT_COLUMN_COUNT, &account, &hold));
    TRY(ledger_add_account(ledger, &account, &in_ledger));
    hold.account = in_ledger;
    return ledger_add_hold(ledger, &hold);
}

static struct result original_loaded(void *ledger, const struct row *row) {
    struct original original;
    TRY(row_original(row, &original));
    return ledger_add_original(ledger, &original);
}

/* ---- asking: not again for what has come already ---- */

void books_load_user(struct engine *engine, struct id id) {
    struct ledger *ledger = books_ledger(engine);
    if (ledger_find_user(ledger, id) == NULL) ask_user(engine_batch(engine), id, user_loaded, ledger);
}

void books_load_user_by_name(struct engine *engine, struct text name, enum currency currency) {
    ask_wallet_by_name(engine_batch(engine), name, currency, wallet_loaded, books_ledger(engine));
}

void books_load_user_by_phone(struct engine *engine, const struct phone *phone, enum currency currency) {
    if (phone->size > 0) ask_wallet_by_phone(engine_batch(engine), phone, currency, wallet_loaded, books_ledger(engine));
}

void books_load_user_of_account(struct engine *engine, struct id account_id) {
    ask_wallet_by_account(engine_batch(engine), account_id, wallet_loaded, books_ledger(engine));
}

static void load_wallet(struct engine *engine, struct id user_id, enum currency currency) {
    struct ledger *ledger = books_ledger(engine);
    if (ledger_find_wallet(ledger, user_id, currency) == NULL)
        ask_account_of_user(engine_batch(engine), user_id, currency, account_loaded, ledger);
}

void books_load_account_of_user(struct engine *engine, struct id user_id) { load_wallet(engine, user_id, books_ledger(engine)->currency); }

void books_load_wallet(struct engine *engine, struct id user_id, enum currency currency) {
    enum currency main = books_ledger(engine)->currency;
    load_wallet(engine, user_id, main);
    if (currency != main) load_wallet(engine, user_id, currency);
}

void books_load_account(struct engine *engine, struct id account_id) {
    struct ledger *ledger = books_ledger(engine);
    if (ledger_find_account(ledger, account_id) == NULL) ask_account(engine_batch(engine), account_id, account_loaded, ledger);
}

void books_load_session(struct engine *engine, struct id session_id) {
    struct ledger *ledger = books_ledger(engine);
    if (ledger_find_session(ledger, session_id) == NULL) ask_session(engine_batch(engine), session_id, session_loaded, ledger);
}

void books_load_token(struct engine *engine, struct id session_id, const struct hash *hash) {
    ask_token(engine_batch(engine), session_id, hash, token_loaded, books_ledger(engine));
}

void books_load_fund(struct engine *engine, struct text caller, struct text reference) {
    struct ledger *ledger = books_ledger(engine);
    if (ledger_find_fund(ledger, caller, reference) == NULL) ask_fund(engine_batch(engine), caller, reference, fund_loaded, ledger);
}

void books_load_credit(struct engine *engine, struct text caller, struct text reference) {
    ask_credit(engine_batch(engine), caller, reference, credit_loaded, books_ledger(engine));
}

void books_load_original_credit(struct engine *engine, struct text caller, struct text reference) {
    struct batch *batch = engine_batch(engine);
    struct ledger *ledger = books_ledger(engine);
    ask_original_credit(batch, caller, reference, original_loaded, ledger);
    ask_wallet_of_credit(batch, caller, reference, account_loaded, ledger);
    ask_fund_of_credit(batch, caller, reference, fund_loaded, ledger);
}

void books_load_merchant(struct engine *engine, const struct merchant_named *named, enum currency currency) {
    struct batch *batch = engine_batch(engine);
    struct ledger *ledger = books_ledger(engine);
    if (!id_is_zero(named->id))
        ask_merchant(batch, named->id, currency, merchant_loaded, ledger);
    else if (named->name.size > 0)
        ask_merchant_by_name(batch, named->name, currency, merchant_loaded, ledger);
}

void books_load_payee(struct engine *engine, const struct merchant_named *named, struct id hold_id) {
    struct batch *batch = engine_batch(engine);
    struct ledger *ledger = books_ledger(engine);
    if (!id_is_zero(named->id))
        ask_payee(batch, named->id, hold_id, merchant_loaded, ledger);
    else if (named->name.size > 0)
        ask_payee_by_name(batch, named->name, hold_id, merchant_loaded, ledger);
}

void books_load_payment(struct engine *engine, struct text caller, struct text reference) {
    ask_named(engine_batch(engine), TRANSFER_PAYMENT, caller, reference, payment_loaded, books_ledger(engine));
}

void books_load_hold(struct engine *engine, struct id id) {
    struct ledger *ledger = books_ledger(engine);
    if (ledger_find_hold(ledger, id) == NULL) ask_hold(engine_batch(engine), id, hold_loaded, ledger);
    ask_merchant_of_hold(engine_batch(engine), id, merchant_loaded, ledger);
}

void books_load_hold_by_reference(struct engine *engine, struct text caller, struct text reference) {
    ask_hold_by_reference(engine_batch(engine), caller, reference, hold_loaded, books_ledger(engine));
}

void books_load_original(struct engine *engine, struct id transaction_id) {
    struct batch *batch = engine_batch(engine);
    struct ledger *ledger = books_ledger(engine);
    ask_original(batch, transaction_id, original_loaded, ledger);
    ask_giver(batch, transaction_id, account_loaded, ledger);
    ask_taker(batch, transaction_id, account_loaded, ledger);
    ask_fund_of_transfer(batch, transaction_id, fund_loaded, ledger);
}

void books_load_reversal(struct engine *engine, struct text caller, struct text reference) {
    if (reference.size > 0) ask_named(engine_batch(engine), TRANSFER_REVERSAL, caller, reference, reversal_loaded, books_ledger(engine));
}

void books_load_adjustment(struct engine *engine, struct text caller, struct text reference) {
    if (reference.size > 0)
        ask_named(engine_batch(engine), TRANSFER_ADJUSTMENT, caller, reference, adjustment_loaded, books_ledger(engine));
}

void books_load_topup(struct engine *engine, struct text caller, struct text fund_reference, struct text reference) {
    if (reference.size > 0) ask_topup(engine_batch(engine), caller, fund_reference, reference, topup_loaded, books_ledger(engine));
}

/* ---- the engine's hooks ---- */

static void forget(void *set) { ledger_clear(&((struct books *)set)->ledger); }

static void load(void *set, struct batch *batch) {
    const struct books *books = set;
    struct ledger *ledger = &((struct books *)set)->ledger;
    ask_head(batch, head_loaded, ledger);
    ask_last_account(batch, last_account_loaded, ledger);
    ask_issuance(batch, account_loaded, ledger);
    if (books->has_other_currencies) ask_other_issuances(batch, account_loaded, ledger);
}

/* What init made must be there. */
static struct result loaded(void *set) {
    const struct books *books = set;
    if (books->ledger.issuances[books->options.currency] != NULL && books->ledger.last_account_number >= 1) return result_ok();
    LOG(LOG_ERROR, "books_without_issuance", LOG_STRING("currency", currency_code(books->options.currency)));
    return result_error(RESULT_CORRUPT);
}

static struct result save(void *set, struct batch *batch, int64_t now_us) {
    const struct ledger *ledger = &((struct books *)set)->ledger;
    for (size_t i = 0; i < ledger->users.count; i++) save_left_phone(batch, ledger->users.rows[i]);
    for (size_t i = 0; i < ledger->users.count; i++) save_user(batch, ledger->users.rows[i]);
    for (size_t i = 0; i < ledger->accounts.count; i++) save_account(batch, ledger->accounts.rows[i]);
    for (size_t i = 0; i < ledger->merchants.count; i++) save_merchant(batch, ledger->merchants.rows[i]);
    for (size_t i = 0; i < ledger->transfers.count; i++) save_transfer(batch, ledger->transfers.rows[i]); /* behind whom they name */
    for (size_t i = 0; i < ledger->holds.count; i++) save_hold(batch, ledger->holds.rows[i]);
    for (size_t i = 0; i < ledger->funds.count; i++) save_fund(batch, ledger->funds.rows[i]);
    for (size_t i = 0; i < ledger->tokens.count; i++) save_token(batch, ledger->tokens.rows[i]);
    for (size_t i = 0; i < ledger->sessions.count; i++) {
        const struct session *session = ledger->sessions.rows[i];
        save_session(batch, session);
        if (session->state == ROW_CHANGED && session->ended_at_us == 0) drop_old_tokens(batch, session->id, now_us); /* it has a new one */
    }
    return result_ok();
}

static void publish_expiries(struct books *books) {
    for (size_t i = 0; i < books->ledger.holds.count; i++) {
        const struct hold *hold = books->ledger.holds.rows[i];
        if (hold->row_state == ROW_NEW && hold->expires_at_us < books->next_expiry_us) books->next_expiry_us = hold->expires_at_us;
    }
}

static void publish_currencies(struct books *books) {
    for (unsigned i = CURRENCY_IRT; i < CURRENCY_COUNT && !books->has_other_currencies; i++)
        books->has_other_currencies = books->ledger.issuances[i] != NULL && i != books->options.currency;
}

static void publish(void *set) {
    const struct books *books = set;
    publish_expiries(set);
    publish_currencies(set);
    const struct books_options *options = &books->options;
    for (size_t i = 0; options->session_ended != NULL && i < books->ledger.sessions.count; i++) {
        const struct session *session = books->ledger.sessions.rows[i];
        if (session->state != ROW_KEPT && session->ended_at_us != 0) options->session_ended(options->context, session);
    }
    for (size_t i = 0; options->transferred != NULL && i < books->ledger.transfers.count; i++)
        options->transferred(options->context, books->ledger.transfers.rows[i]);
    for (size_t i = 0; options->user_sessions_ended != NULL && i < books->ledger.users.count; i++) {
        const struct user *user = books->ledger.users.rows[i];
        if (user->state != ROW_KEPT && user->sessions_ended_at_us != 0) options->user_sessions_ended(options->context, user);
    }
}

static struct result is_there(void *context, const struct row *row) {
    (void)row;
    *(bool *)context = true;
    return result_ok();
}

static struct result drop_tokens(struct engine *engine, int64_t now_us) {
    drop_tokens_of_expired(engine_batch(engine), now_us - SESSION_GRACE_US);
    return result_ok();
}

static struct result drop_sessions(struct engine *engine, int64_t now_us) {
    drop_expired_sessions(engine_batch(engine), now_us - SESSION_GRACE_US);
    return result_ok();
}

/* Between the two, a session that has expired long ago has no tokens: nobody asks for one any more. */
static void idle(struct engine *engine, int64_t now_us, bool is_busy) {
    (void)is_busy;
    bool has_expired = false;
    ask_expired_session(engine_batch(engine), now_us - SESSION_GRACE_US, is_there, &has_expired);
    struct result outcome = batch_run(engine_batch(engine));
    if (result_is_ok(outcome) && has_expired) outcome = engine_write(engine, drop_tokens, now_us);
    if (result_is_ok(outcome) && has_expired) outcome = engine_write(engine, drop_sessions, now_us);
    if (!result_is_ok(outcome)) LOG(LOG_WARN, "sessions_not_expired", LOG_STRING("reason", result_name(outcome)));
}

/* ---- holds whose time has come ---- */

static int64_t due_in_us(void *set, int64_t now_us) {
    int64_t next_us = ((const struct books *)set)->next_expiry_us;
    return next_us == INT64_MAX ? INT64_MAX : next_us - now_us;
}

static struct result expire_some(struct engine *engine, int64_t now_us) {
    struct books *books = engine_set(engine);
    struct batch *batch = engine_batch(engine);
    struct ledger *ledger = &books->ledger;
    ledger_clear(ledger);
    load(books, batch);
    ask_due_holds(batch, now_us, EXPIRE_HOLDS, hold_loaded, ledger);
    TRY(batch_run(batch));
    TRY(loaded(books));
    for (size_t i = 0; i < ledger->holds.count; i++) ledger_expire_hold(ledger, ledger->holds.rows[i], now_us);
    return save(books, batch, now_us);
}

static struct result expiry_found(void *next_us, const struct row *row) {
    *(int64_t *)next_us = row_time(row, 0);
    return result_ok();
}

/* Some at a time, until none is due: what waits behind the store waits for so many only. Where it fails it is tried again after a while. */
static void expire_holds(struct engine *engine, int64_t now_us) {
    struct books *books = engine_set(engine);
    struct result outcome = result_ok();
    if (books->next_expiry_us != 0) outcome = engine_write(engine, expire_some, now_us);
    int64_t next_us = INT64_MAX;
    if (result_is_ok(outcome)) ask_next_expiry(engine_batch(engine), expiry_found, &next_us);
    if (result_is_ok(outcome)) outcome = batch_run(engine_batch(engine));
    books->next_expiry_us = result_is_ok(outcome) ? next_us : now_us + CLOCK_SECOND_US;
    if (!result_is_ok(outcome)) LOG(LOG_WARN, "holds_not_expired", LOG_STRING("reason", result_name(outcome)));
}

static const struct working_set_hooks hooks = {.forget = forget,
                                               .load = load,
                                               .loaded = loaded,
                                               .save = save,
                                               .publish = publish,
                                               .idle = idle,
                                               .due_in_us = due_in_us,
                                               .timely = expire_holds};

/* ---- life ---- */

static struct result issuance_found(void *context, const struct row *row) {
    (void)row;
    ((struct books *)context)->has_other_currencies = true;
    return result_ok();
}

static struct result look_for_currencies(struct books *books, struct batch *batch) {
    ask_other_issuances(batch, issuance_found, books);
    struct result outcome = batch_run(batch);
    batch_end_round(batch);
    return outcome;
}

struct result books_create(const struct books_options *options, struct batch *batch, const struct clock *clock, struct books **ret_books) {
    struct books *books = calloc(1, sizeof *books);
    if (books == NULL) return result_error(RESULT_FULL);
    books->options = *options;
    books->clock = clock;
    const struct zone *zone = options->zone;
    struct engine_options engine_options = {
        .set = books, .hooks = &hooks, .kept = &table_kept, .audit = &table_audit, .clock = clock, .batch = batch};
    struct result made = zone == NULL ? zone_find(TEXT("UTC"), &zone) : result_ok();
    if (result_is_ok(made)) made = ledger_init(&books->ledger, options->currency, options->ids);
    if (result_is_ok(made)) books->ledger.calendar = calendar_of(zone);
    if (result_is_ok(made)) made = look_for_currencies(books, batch);
    if (result_is_ok(made)) made = engine_create(&engine_options, &books->engine);
    if (!result_is_ok(made)) {
        books_free(books);
        return made;
    }
    *ret_books = books;
    return result_ok();
}

void books_free(struct books *books) {
    if (books == NULL) return;
    engine_free(books->engine);
    ledger_free(&books->ledger);
    free(books);
}

void books_bind(struct books *books, struct store_engine *ret_engine) { engine_bind(books->engine, ret_engine); }
