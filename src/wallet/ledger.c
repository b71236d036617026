#include "wallet/ledger.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define FLOOR_NONE (-MONEY_AMOUNT_MAX)

/* ---- tables ---- */

static struct text id_key(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }
static struct text number_key(const int64_t *number) { return (struct text){(const char *)number, sizeof *number}; }

/* session_id and hash stand side by side: one key. */
static struct text token_key(const struct refresh_token *token) {
    return (struct text){(const char *)&token->session_id, sizeof token->session_id + sizeof token->hash};
}
_Static_assert(offsetof(struct refresh_token, hash) == offsetof(struct refresh_token, session_id) + sizeof(struct id), "one key");

/* caller, NUL and reference stand side by side in a fund of the working set. */
static struct text fund_key(const struct fund *fund) {
    return (struct text){fund->caller.data, fund->caller.size + 1 + fund->reference.size};
}

#define KEYS_MAX 3

/* The keys of a row, in the order of its table's maps; an absent key has no data. */
static void account_keys(const void *row, struct text keys[KEYS_MAX]) {
    const struct account *account = row;
    keys[0] = number_key(&account->number);
    keys[1] = id_key(&account->id);
    if (account->kind == ACCOUNT_USER) keys[2] = id_key(&account->user_id);
}
static void user_keys(const void *row, struct text keys[KEYS_MAX]) {
    const struct user *user = row;
    keys[0] = id_key(&user->id);
    keys[1] = user_name(user);
    if (user->phone.size > 0) keys[2] = phone_text(&user->phone);
}
static void session_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = id_key(&((const struct session *)row)->id); }
static void token_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = token_key(row); }
static void fund_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = fund_key(row); }
static void reference_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = ((const struct known_reference *)row)->key; }
static void transfer_keys(const void *row, struct text keys[KEYS_MAX]) {
    (void)row; /* transfers of a batch are never looked up */
    (void)keys;
}

struct table_spec {
    struct ledger_table *table;
    struct map *maps[KEYS_MAX];
    void (*keys)(const void *row, struct text keys[KEYS_MAX]);
};

enum { TABLE_ACCOUNTS, TABLE_USERS, TABLE_SESSIONS, TABLE_TOKENS, TABLE_FUNDS, TABLE_REFERENCES, TABLE_TRANSFERS, TABLE_COUNT };

static void list_tables(struct ledger *ledger, struct table_spec specs[TABLE_COUNT]) {
    specs[TABLE_ACCOUNTS] = (struct table_spec){&ledger->accounts,
                                                {&ledger->accounts_by_number, &ledger->accounts_by_id, &ledger->accounts_by_user},
                                                account_keys};
    specs[TABLE_USERS] =
        (struct table_spec){&ledger->users, {&ledger->users_by_id, &ledger->users_by_name, &ledger->users_by_phone}, user_keys};
    specs[TABLE_SESSIONS] = (struct table_spec){&ledger->sessions, {&ledger->sessions_by_id}, session_keys};
    specs[TABLE_TOKENS] = (struct table_spec){&ledger->tokens, {&ledger->tokens_by_key}, token_keys};
    specs[TABLE_FUNDS] = (struct table_spec){&ledger->funds, {&ledger->funds_by_key}, fund_keys};
    specs[TABLE_REFERENCES] = (struct table_spec){&ledger->references, {&ledger->references_by_key}, reference_keys};
    specs[TABLE_TRANSFERS] = (struct table_spec){&ledger->transfers, {NULL}, transfer_keys};
}

struct result ledger_init(struct ledger *ledger, enum currency currency, struct id_source *ids) {
    *ledger = (struct ledger){.currency = currency, .ids = ids};
    arena_init(&ledger->arena, LEDGER_ARENA_BYTES);
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        specs[i].table->rows = calloc(LEDGER_ROWS_MAX, sizeof(void *));
        if (specs[i].table->rows == NULL) return result_error(RESULT_FULL);
        for (size_t map = 0; map < KEYS_MAX && specs[i].maps[map] != NULL; map++) TRY(map_init(specs[i].maps[map], LEDGER_ROWS_MAX));
    }
    return result_ok();
}

void ledger_free(struct ledger *ledger) {
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        free(specs[i].table->rows);
        for (size_t map = 0; map < KEYS_MAX && specs[i].maps[map] != NULL; map++) map_free(specs[i].maps[map]);
    }
    arena_release(&ledger->arena);
    *ledger = (struct ledger){0};
}

static void clear_table(const struct table_spec *spec) {
    for (size_t map = 0; map < KEYS_MAX && spec->maps[map] != NULL; map++) map_clear(spec->maps[map]);
    spec->table->count = 0;
}

void ledger_clear(struct ledger *ledger) {
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    for (size_t i = 0; i < TABLE_COUNT; i++) clear_table(&specs[i]);
    arena_release(&ledger->arena);
    ledger->head = (struct ledger_head){0};
    ledger->last_account_number = 0;
    ledger->issuance = NULL;
}

/* The bounds follow from the weight of a batch: reaching one is our own mistake. */
static void append_row(struct ledger *ledger, size_t table, void *row) {
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    struct table_spec *spec = &specs[table];
    CHECK(spec->table->count < LEDGER_ROWS_MAX);
    spec->table->rows[spec->table->count++] = row;
    struct text keys[KEYS_MAX] = {{0}};
    spec->keys(row, keys);
    for (size_t map = 0; map < KEYS_MAX && spec->maps[map] != NULL; map++) {
        if (keys[map].data == NULL) continue;
        struct result put = map_put(spec->maps[map], keys[map], row);
        CHECK(result_is_ok(put));
    }
}

struct result ledger_add_account(struct ledger *ledger, const struct account *row, struct account **ret_account) {
    struct account *account = map_get(&ledger->accounts_by_number, number_key(&row->number));
    if (account == NULL) {
        account = arena_take(&ledger->arena, sizeof *account);
        if (account == NULL) return result_error(RESULT_FULL);
        *account = *row;
        append_row(ledger, TABLE_ACCOUNTS, account);
        if (account->kind == ACCOUNT_ISSUANCE && account->currency == ledger->currency) ledger->issuance = account;
    }
    if (ret_account != NULL) *ret_account = account;
    return result_ok();
}

struct result ledger_add_user(struct ledger *ledger, const struct user *row) {
    if (map_get(&ledger->users_by_id, id_key(&row->id)) != NULL) return result_ok();
    struct user *user = arena_take(&ledger->arena, sizeof *user);
    if (user == NULL) return result_error(RESULT_FULL);
    *user = *row;
    append_row(ledger, TABLE_USERS, user);
    return result_ok();
}

struct result ledger_add_session(struct ledger *ledger, const struct session *row) {
    if (map_get(&ledger->sessions_by_id, id_key(&row->id)) != NULL) return result_ok();
    struct session *session = arena_take(&ledger->arena, sizeof *session);
    if (session == NULL) return result_error(RESULT_FULL);
    *session = *row;
    append_row(ledger, TABLE_SESSIONS, session);
    return result_ok();
}

struct result ledger_add_token(struct ledger *ledger, const struct refresh_token *row) {
    if (map_get(&ledger->tokens_by_key, token_key(row)) != NULL) return result_ok();
    struct refresh_token *token = arena_take(&ledger->arena, sizeof *token);
    if (token == NULL) return result_error(RESULT_FULL);
    *token = *row;
    append_row(ledger, TABLE_TOKENS, token);
    return result_ok();
}

static struct result copy_text(struct arena *arena, struct text *text) {
    struct text copy = arena_copy(arena, *text);
    if (copy.data == NULL) return result_error(RESULT_FULL);
    *text = copy;
    return result_ok();
}

/* Neither a caller nor a reference contains a NUL: they are printable ASCII. */
static size_t join_key(struct text caller, struct text reference, char *buffer, size_t capacity) {
    CHECK(caller.size + 1 + reference.size <= capacity);
    if (caller.size > 0) memcpy(buffer, caller.data, caller.size);
    buffer[caller.size] = '\0';
    if (reference.size > 0) memcpy(buffer + caller.size + 1, reference.data, reference.size);
    return caller.size + 1 + reference.size;
}

struct result ledger_add_fund(struct ledger *ledger, const struct fund *row) {
    if (ledger_find_fund(ledger, row->caller, row->reference) != NULL) return result_ok();
    struct fund *fund = arena_take(&ledger->arena, sizeof *fund);
    struct ledger_key joined;
    joined.size = join_key(row->caller, row->reference, joined.bytes, sizeof joined.bytes);
    struct text key = arena_copy(&ledger->arena, ledger_key_text(&joined));
    if (fund == NULL || key.data == NULL) return result_error(RESULT_FULL);
    *fund = *row;
    fund->caller = (struct text){key.data, row->caller.size};
    fund->reference = (struct text){key.data + row->caller.size + 1, row->reference.size};
    TRY(copy_text(&ledger->arena, &fund->description));
    append_row(ledger, TABLE_FUNDS, fund);
    return result_ok();
}

struct result ledger_add_reference(struct ledger *ledger, const struct known_reference *row) {
    if (map_get(&ledger->references_by_key, row->key) != NULL) return result_ok();
    struct known_reference *reference = arena_take(&ledger->arena, sizeof *reference);
    if (reference == NULL) return result_error(RESULT_FULL);
    *reference = *row;
    TRY(copy_text(&ledger->arena, &reference->key));
    append_row(ledger, TABLE_REFERENCES, reference);
    return result_ok();
}

struct account *ledger_find_account(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->accounts_by_id, id_key(&id));
}

struct account *ledger_find_account_by_number(const struct ledger *ledger, int64_t number) {
    return map_get(&ledger->accounts_by_number, number_key(&number));
}

struct account *ledger_find_account_of_user(const struct ledger *ledger, struct id user_id) {
    return map_get(&ledger->accounts_by_user, id_key(&user_id));
}

struct user *ledger_find_user(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->users_by_id, id_key(&id));
}
struct user *ledger_find_user_by_name(const struct ledger *ledger, struct text name) {
    return map_get(&ledger->users_by_name, name);
}

struct user *ledger_find_user_by_phone(const struct ledger *ledger, const struct phone *phone) {
    return map_get(&ledger->users_by_phone, phone_text(phone));
}

struct session *ledger_find_session(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->sessions_by_id, id_key(&id));
}

struct refresh_token *ledger_find_token(const struct ledger *ledger, struct id session_id, const struct hash *hash) {
    struct refresh_token sought = {.session_id = session_id, .hash = *hash};
    return map_get(&ledger->tokens_by_key, token_key(&sought));
}

struct fund *ledger_find_fund(const struct ledger *ledger, struct text caller, struct text reference) {
    struct ledger_key key;
    key.size = join_key(caller, reference, key.bytes, sizeof key.bytes);
    return map_get(&ledger->funds_by_key, ledger_key_text(&key));
}

struct known_reference *ledger_find_reference(const struct ledger *ledger, struct text key) {
    return map_get(&ledger->references_by_key, key);
}

void ledger_credit_key(struct text caller, struct text reference, struct ledger_key *ret_key) {
    ret_key->bytes[0] = 'c';
    ret_key->size = 1 + join_key(caller, reference, ret_key->bytes + 1, sizeof ret_key->bytes - 1);
}

void ledger_topup_key(int64_t fund_account, struct text reference, struct ledger_key *ret_key) {
    ret_key->bytes[0] = 't';
    ret_key->size = 1 + join_key(number_key(&fund_account), reference, ret_key->bytes + 1, sizeof ret_key->bytes - 1);
}

/* ---- accounts and postings ---- */

struct account account_new(int64_t number, struct id id, enum account_kind kind, struct id user_id, enum currency currency,
                           int64_t now_us) {
    return (struct account){.state = ROW_NEW,
                            .number = number,
                            .id = id,
                            .kind = kind,
                            .user_id = user_id,
                            .currency = currency,
                            .floor_minor = kind == ACCOUNT_ISSUANCE ? FLOOR_NONE : 0,
                            .created_at_us = now_us,
                            .updated_at_us = now_us};
}

struct account *ledger_open_account(struct ledger *ledger, enum account_kind kind, struct id user_id, enum currency currency,
                                    int64_t now_us) {
    struct account row = account_new(++ledger->last_account_number, id_make(ledger->ids, now_us), kind, user_id, currency, now_us);
    struct account *account = NULL;
    struct result added = ledger_add_account(ledger, &row, &account);
    CHECK(result_is_ok(added) && account->state == ROW_NEW);
    return account;
}

static enum ledger_outcome refusal_below_floor(const struct account *account) {
    switch (account->kind) {
    case ACCOUNT_USER: return LEDGER_INSUFFICIENT_FUNDS;
    case ACCOUNT_FUND: return LEDGER_FUND_EXHAUSTED;
    case ACCOUNT_ISSUANCE: return LEDGER_BALANCE_TOO_LARGE;
    }
    return LEDGER_BALANCE_TOO_LARGE;
}

static enum ledger_outcome check_posting(const struct posting *posting) {
    const struct account *debit = posting->debit, *credit = posting->credit;
    int64_t amount = posting->amount.amount_minor;
    CHECK(amount >= 1 && amount <= MONEY_AMOUNT_MAX && debit != credit);
    if (debit->currency != posting->amount.currency || credit->currency != posting->amount.currency) return LEDGER_CURRENCY_MISMATCH;
    if (debit->is_frozen || credit->is_frozen) return LEDGER_ACCOUNT_FROZEN;
    /* What is reserved to leave counts as gone; what is reserved to come counts only against the ceiling. No sum here can overflow: each
     * summand is within ±2^53, but for the totals, which are checked. */
    if (account_available(debit) - amount < debit->floor_minor) return refusal_below_floor(debit);
    if (account_balance(credit) + credit->credits_pending + amount > MONEY_AMOUNT_MAX) return LEDGER_BALANCE_TOO_LARGE;
    int64_t total;
    if (__builtin_add_overflow(debit->debits_posted, amount, &total) || __builtin_add_overflow(credit->credits_posted, amount, &total)) {
        return LEDGER_BALANCE_TOO_LARGE;
    }
    return LEDGER_APPLIED;
}

static void touch_account(struct account *account, int64_t now_us) {
    account->sequence++;
    account->updated_at_us = now_us;
    if (account->state == ROW_KEPT) account->state = ROW_CHANGED;
}

enum ledger_outcome ledger_post(struct ledger *ledger, const struct posting *posting, int64_t now_us,
                                const struct transfer **ret_transfer) {
    enum ledger_outcome outcome = check_posting(posting);
    if (outcome != LEDGER_APPLIED) return outcome;
    struct transfer *transfer = arena_take(&ledger->arena, sizeof *transfer);
    CHECK(transfer != NULL && ledger->transfers.count < LEDGER_TRANSFERS_MAX);

    struct account *debit = posting->debit, *credit = posting->credit;
    int64_t before = account_balance(debit) + account_balance(credit);
    /* Time never goes back along the chain, not even when the clock did between two starts. */
    if (now_us < ledger->head.created_at_us) now_us = ledger->head.created_at_us;
    debit->debits_posted += posting->amount.amount_minor;
    credit->credits_posted += posting->amount.amount_minor;
    touch_account(debit, now_us);
    touch_account(credit, now_us);
    CHECK(account_balance(debit) + account_balance(credit) == before && account_available(debit) >= debit->floor_minor);

    *transfer = (struct transfer){
        .sequence = ledger->head.sequence + 1,
        .id = id_make(ledger->ids, now_us),
        .kind = posting->kind,
        .debit_account = debit->number,
        .debit_sequence = debit->sequence,
        .debit_balance_after = account_balance(debit),
        .credit_account = credit->number,
        .credit_sequence = credit->sequence,
        .credit_balance_after = account_balance(credit),
        .amount = posting->amount,
        .caller = posting->caller,
        .reference = posting->reference,
        .description = posting->description,
        .metadata = posting->metadata,
        .created_at_us = now_us,
        .previous_hash = ledger->head.hash,
    };
    transfer->hash = transfer_hash(transfer);
    append_row(ledger, TABLE_TRANSFERS, transfer);
    ledger->head = (struct ledger_head){transfer->sequence, transfer->hash, now_us};
    *ret_transfer = transfer;
    return LEDGER_APPLIED;
}

/* ---- names ---- */

const char *ledger_outcome_code(enum ledger_outcome outcome) {
    switch (outcome) {
    case LEDGER_APPLIED: return "applied";
    case LEDGER_REPLAYED: return "replayed";
    case LEDGER_USERNAME_TAKEN: return "username_taken";
    case LEDGER_PHONE_TAKEN: return "phone_taken";
    case LEDGER_INVALID_CREDENTIALS: return "invalid_credentials";
    case LEDGER_TOKEN_INVALID: return "token_invalid";
    case LEDGER_TOKEN_EXPIRED: return "token_expired";
    case LEDGER_TOKEN_REVOKED: return "token_revoked";
    case LEDGER_USER_NOT_FOUND: return "user_not_found";
    case LEDGER_ACCOUNT_FROZEN: return "account_frozen";
    case LEDGER_CURRENCY_MISMATCH: return "currency_mismatch";
    case LEDGER_BALANCE_TOO_LARGE: return "balance_too_large";
    case LEDGER_INSUFFICIENT_FUNDS: return "insufficient_funds";
    case LEDGER_RECIPIENT_NOT_FOUND: return "recipient_not_found";
    case LEDGER_SAME_ACCOUNT: return "same_account";
    case LEDGER_REFERENCE_CONFLICT: return "reference_conflict";
    case LEDGER_FUND_NOT_FOUND: return "fund_not_found";
    case LEDGER_FUND_EXHAUSTED: return "fund_exhausted";
    case LEDGER_FUND_RELEASED: return "fund_released";
    case LEDGER_FUND_REFERENCE_CONFLICT: return "fund_reference_conflict";
    }
    return "unknown";
}

const char *transfer_kind_name(enum transfer_kind kind) {
    switch (kind) {
    case TRANSFER_CREDIT: return "credit";
    case TRANSFER_USER: return "transfer";
    case TRANSFER_OPEN: return "fund_open";
    case TRANSFER_TOPUP: return "fund_topup";
    case TRANSFER_RELEASE: return "fund_release";
    }
    return "unknown";
}

const char *account_kind_name(enum account_kind kind) {
    switch (kind) {
    case ACCOUNT_USER: return "wallet";
    case ACCOUNT_FUND: return "fund";
    case ACCOUNT_ISSUANCE: return "issuance";
    }
    return "unknown";
}
