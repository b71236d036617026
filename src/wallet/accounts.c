/* Accounts of the ledger, for admins. */
#include "wallet/accounts.h"

#include "base/check.h"
#include "http/query.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/account_limits.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

#define ACCOUNT_BYTES   1024u
#define PHONE_TYPED_MAX 64
/* Accounts that one page may look at: a filter that matches little ends its page early and gives a cursor to go on. */
#define SCAN_MAX INT64_C(2000)

struct account_row {
    struct account account;
    struct text username, fund_reference; /* empty: none */
    struct phone phone;
    bool is_released;
};

/* ---- the document ---- */

static enum account_state state_of(const struct account_row *row) {
    if (row->account.is_closed) return ACCOUNT_CLOSED;
    if (row->account.is_frozen) return ACCOUNT_FROZEN;
    return row->is_released ? ACCOUNT_RELEASED : ACCOUNT_OPEN;
}

static const char *const state_names[] = {
    [ACCOUNT_ANY] = "", [ACCOUNT_OPEN] = "open", [ACCOUNT_FROZEN] = "frozen", [ACCOUNT_RELEASED] = "released", [ACCOUNT_CLOSED] = "closed"};
static const char *state_name(const struct account_row *row) { return state_names[state_of(row)]; }

static void write_account(struct json_writer *writer, const struct account_row *row) {
    const struct account *account = &row->account;
    json_begin_object(writer);
    json_id_member(writer, "id", account->id);
    json_text_member(writer, "kind", text_of(account_kind_name(account->kind)));
    json_text_member(writer, "state", text_of(state_name(row)));
    json_text_member(writer, "currency", text_of(currency_code(account->currency)));
    json_integer_member(writer, "balance", account_balance(account).amount_minor);
    json_integer_member(writer, "held", account->debits_pending);
    json_integer_member(writer, "available", account_available(account).amount_minor);
    json_integer_member(writer, "sequence", account->sequence);
    if (account->kind == ACCOUNT_USER) {
        json_id_member(writer, "user_id", account->user_id);
    } else {
        json_null_member(writer, "user_id");
    }
    write_text_or_null(writer, "username", row->username);
    write_text_or_null(writer, "phone", phone_text(&row->phone));
    write_text_or_null(writer, "reference", row->fund_reference);
    json_key(writer, "limits");
    json_begin_object(writer);
    account_limits_write(writer, account);
    json_end_object(writer);
    json_time_member(writer, "created_at", account->created_at_us);
    json_time_member(writer, "updated_at", account->updated_at_us);
    json_end_object(writer);
}

static struct result read_row(struct arena *arena, const struct row *row, struct account_row *ret_row) {
    *ret_row = (struct account_row){.username = arena_copy(arena, row_text_or_empty(row, ACCOUNT_COLUMN_COUNT)),
                                    .phone = row_phone_or_empty(row, ACCOUNT_COLUMN_COUNT + 1),
                                    .fund_reference = arena_copy(arena, row_text_or_empty(row, ACCOUNT_COLUMN_COUNT + 2)),
                                    .is_released = row_integer_or_zero(row, ACCOUNT_COLUMN_COUNT + 3) != 0};
    TRY(row_account(row, 0, &ret_row->account));
    return ret_row->username.data == NULL || ret_row->fund_reference.data == NULL ? result_error(RESULT_FULL) : result_ok();
}

/* ---- the list ---- */

struct accounts_reading {
    struct reading reading; /* first */
    int64_t after_number;
    struct text username; /* folded; empty: any */
    struct phone phone;
    bool is_nobody; /* no user can have such a name */
    enum account_kind kind;
    enum account_state state;
    enum currency currency; /* none: any */
    size_t limit;
    int64_t last_number; /* that there is */
    size_t count;        /* one more than the limit: there is a next page */
    struct account_row *rows;
};

static enum account_kind kind_of(struct text name) {
    static const enum account_kind kinds[] = {ACCOUNT_USER, ACCOUNT_FUND, ACCOUNT_ISSUANCE, ACCOUNT_MERCHANT};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (text_equal(name, text_of(account_kind_name(kinds[i])))) return kinds[i];
    }
    return (enum account_kind)0;
}

static enum account_state state_named(struct text name) {
    for (size_t i = ACCOUNT_OPEN; i < ARRAY_COUNT(state_names); i++) {
        if (text_equal(name, text_of(state_names[i]))) return (enum account_state)i;
    }
    return ACCOUNT_ANY;
}

static struct result row_found(void *context, const struct row *row) {
    struct accounts_reading *read = context;
    CHECK(read->count <= read->limit);
    return read_row(&read->reading.exchange->arena, row, &read->rows[read->count++]);
}

/* A username or a phone number names one user at most: the other filters are for his accounts alone, which are no more than there are currencies. */
static struct result named_found(void *context, const struct row *row) {
    struct accounts_reading *read = context;
    if (read->count > read->limit) return result_ok();
    TRY(row_found(context, row));
    const struct account_row *found = &read->rows[read->count - 1];
    bool matches = (read->kind == 0 || found->account.kind == read->kind) &&
                   (read->currency == CURRENCY_NONE || found->account.currency == read->currency) &&
                   (read->state == ACCOUNT_ANY || read->state == state_of(found)) &&
                   (read->phone.size == 0 || phone_equal(&found->phone, &read->phone)) &&
                   (read->username.size == 0 || text_equal(found->username, read->username));
    if (!matches) read->count--;
    return result_ok();
}

static struct result last_found(void *context, const struct row *row) {
    ((struct accounts_reading *)context)->last_number = row_integer(row, 0);
    return result_ok();
}

static int64_t scanned_to(const struct accounts_reading *read) {
    return read->after_number > INT64_MAX - SCAN_MAX ? INT64_MAX : read->after_number + SCAN_MAX;
}

static bool list_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct accounts_reading *read = (struct accounts_reading *)reading;
    (void)round;
    read->count = 0;
    read->last_number = 0;
    if (read->is_nobody) return false;
    if (read->username.size > 0) {
        ask_accounts_by_name(batch, read->username, read->after_number, CURRENCY_LAST, named_found, read);
    } else if (read->phone.size > 0) {
        ask_accounts_by_phone(batch, &read->phone, read->after_number, CURRENCY_LAST, named_found, read);
    } else {
        ask_last_account(batch, last_found, read);
        ask_accounts(batch, read->after_number, scanned_to(read), read->kind, read->state, read->currency, (int64_t)read->limit + 1,
                     row_found, read);
    }
    return false;
}

/* The number that the next page's are above; 0: there is none. */
static int64_t next_of(const struct accounts_reading *read) {
    if (read->count > read->limit) return read->rows[read->limit - 1].account.number;
    return scanned_to(read) < read->last_number ? scanned_to(read) : 0;
}

static void list_answer(struct reading *reading) {
    const struct accounts_reading *read = (const struct accounts_reading *)reading;
    struct exchange *exchange = reading->exchange;
    size_t count = read->count > read->limit ? read->limit : read->count;
    const int64_t words[PAGE_CURSOR_WORDS] = {next_of(read)};
    struct buffer buffer;
    struct json_writer writer;
    reply_page_begin(exchange, &writer, &buffer, (count + 1) * ACCOUNT_BYTES);
    for (size_t i = 0; i < count; i++) write_account(&writer, &read->rows[i]);
    reply_page(exchange, &writer, LIST_ACCOUNTS, words[0] != 0, words);
    exchange_finish(exchange);
}

static bool read_filter(struct exchange *exchange, struct accounts_reading *read) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_ACCOUNTS);
    struct text username = {"", 0}, phone = {"", 0}, kind = {"", 0}, state = {"", 0};
    const struct query_member members[] = {
        PAGE_QUERY_MEMBERS(&query),
        {.name = "username", .kind = QUERY_TEXT, .target = &username, .min = 1, .max = LIMIT_URI_BYTES},
        {.name = "phone", .kind = QUERY_TEXT, .target = &phone, .min = 1, .max = PHONE_TYPED_MAX},
        {.name = "kind", .kind = QUERY_CHOICE, .target = &kind, .choices = "wallet|fund|issuance|merchant"},
        {.name = "state", .kind = QUERY_CHOICE, .target = &state, .choices = "open|frozen|released|closed"},
        {.name = "currency", .kind = QUERY_CURRENCY, .target = &read->currency},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (phone.size > 0) phone_read(phone, wallet_of(exchange)->region, &read->phone, "phone", &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    if (username.size > 0) read->username = username_fold(&exchange->arena, username);
    read->is_nobody = username.size > 0 && read->username.size == 0;
    read->kind = kind_of(kind);
    read->state = state_named(state);
    read->limit = (size_t)query.page.limit;
    if (query.page.has_cursor) read->after_number = query.page.cursor[0];
    read->rows = ARENA_NEW_ARRAY(&exchange->arena, struct account_row, read->limit + 1);
    if (read->rows != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

void accounts_list(struct exchange *exchange) {
    struct accounts_reading *read = reading_begin(exchange, list_ask, list_answer, sizeof *read);
    if (read == NULL || !read_filter(exchange, read)) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}

/* ---- one ---- */

struct account_reading {
    struct reading reading; /* first */
    struct id id;           /* zero: what was asked for is no id */
    bool is_found;
    struct account_row row;
};

static struct result account_row_found(void *context, const struct row *row) {
    struct account_reading *read = context;
    read->is_found = true;
    return read_row(&read->reading.exchange->arena, row, &read->row);
}

static bool get_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct account_reading *read = (struct account_reading *)reading;
    (void)round;
    read->is_found = false;
    if (!id_is_zero(read->id)) ask_account(batch, read->id, account_row_found, read);
    return false;
}

static void get_answer(struct reading *reading) {
    const struct account_reading *read = (const struct account_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (read->is_found) {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, ACCOUNT_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        write_account(&writer, &read->row);
        reply_buffer(exchange, 200, "application/json", &buffer);
    } else {
        problem_reply(exchange, &problem_account_not_found, "There is no such account.");
    }
    exchange_finish(exchange);
}

void accounts_get(struct exchange *exchange) {
    struct account_reading *read = reading_begin(exchange, get_ask, get_answer, sizeof *read);
    if (read == NULL) {
        exchange_finish(exchange);
        return;
    }
    if (!result_is_ok(id_parse(exchange->parameters[0], &read->id))) read->id = (struct id){{0}};
    reading_start(&read->reading);
}

/* ---- what is done to one ---- */

enum treatment_kind { ACCOUNT_FREEZE, ACCOUNT_UNFREEZE, ACCOUNT_CLOSE };
static const char *const treatment_acts[] = {
    [ACCOUNT_FREEZE] = "account.freeze", [ACCOUNT_UNFREEZE] = "account.unfreeze", [ACCOUNT_CLOSE] = "account.close"};

struct treatment {
    struct operation operation; /* first */
    enum treatment_kind kind;
    struct id id;
    struct account_row row; /* when there is one: as it is then */
    enum ledger_outcome outcome;
};

/* The account for the ledger, and whose it is for the answer. */
static struct result treated_found(void *context, const struct row *row) {
    struct treatment *treatment = context;
    return read_row(treatment->operation.arena, row, &treatment->row);
}

static void treatment_load(struct engine *engine, struct operation *operation) {
    struct treatment *treatment = (struct treatment *)operation;
    ask_account(engine_batch(engine), treatment->id, treated_found, treatment);
    books_load_account(engine, treatment->id);
}

/* {"state":"frozen"}: `walletd verify` holds the newest such word against the account. */
static struct text state_document(struct operation *operation, const struct account_row *row) {
    return arena_print(operation->arena, "{\"state\":\"%s\"}",
                       row->account.is_closed ? "closed" : (row->account.is_frozen ? "frozen" : "open"));
}

static void treatment_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct treatment *treatment = (struct treatment *)operation;
    struct account *account = ledger_find_account(books_ledger(engine), treatment->id);
    treatment->outcome = LEDGER_ACCOUNT_NOT_FOUND;
    if (account == NULL) return;
    bool is_changed = false;
    treatment->row.account = *account;
    struct text before = state_document(operation, &treatment->row);
    treatment->outcome = treatment->kind == ACCOUNT_CLOSE
                             ? account_close(account, now_us, &is_changed)
                             : account_set_frozen(account, treatment->kind == ACCOUNT_FREEZE, now_us, &is_changed);
    treatment->row.account = *account;
    if (is_changed)
        audit_note(engine, operation, treatment_acts[treatment->kind], account->id, before, state_document(operation, &treatment->row),
                   now_us);
}

static void treatment_render(struct operation *operation) {
    const struct treatment *treatment = (const struct treatment *)operation;
    if (outcome_is_refusal(treatment->outcome)) {
        outcome_render(operation, treatment->outcome);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, ACCOUNT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_account(&writer, &treatment->row);
    operation_answer(operation, 200, "application/json", &buffer);
}

static const struct action treatment_action = {.name = "account act",
                                               .weight = 1,
                                               .answer_bytes = 2 * ACCOUNT_BYTES,
                                               .load = treatment_load,
                                               .decide = treatment_decide,
                                               .render = treatment_render};

static struct treatment *begin_treatment(struct exchange *exchange, enum treatment_kind kind) {
    struct id id;
    if (!result_is_ok(id_parse(exchange->parameters[0], &id))) {
        problem_reply(exchange, &problem_account_not_found, "There is no such account.");
        return NULL;
    }
    struct treatment *treatment = operation_begin(exchange, &treatment_action, sizeof *treatment);
    if (treatment == NULL) return NULL;
    treatment->kind = kind;
    treatment->id = id;
    return treatment;
}

static void treat(struct exchange *exchange, enum treatment_kind kind) {
    struct treatment *treatment = begin_treatment(exchange, kind);
    if (treatment == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&treatment->operation);
}

void accounts_freeze(struct exchange *exchange) { treat(exchange, ACCOUNT_FREEZE); }
void accounts_unfreeze(struct exchange *exchange) { treat(exchange, ACCOUNT_UNFREEZE); }
void accounts_close(struct exchange *exchange) { treat(exchange, ACCOUNT_CLOSE); }
