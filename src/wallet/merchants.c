/* Merchants: who is paid. An administrator makes them, and sees what they have. */
#include "wallet/merchants.h"

#include "base/check.h"
#include "base/unicode.h"
#include "http/query.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

#define NAME_BYTES     (4u * MERCHANT_NAME_CHARACTERS)
#define MERCHANT_BYTES (256u + 6u * NAME_BYTES) /* as JSON may escape it */

/* ---- how one is named ---- */

/* In its normal form, in the arena: how a name was typed does not make it another one. Empty: there is a fault. */
static struct text read_name(struct exchange *exchange, struct text typed, const char *field, struct faults *faults) {
    char normal[NAME_BYTES];
    size_t size = 0;
    struct result normalized = unicode_normalize(typed, UNICODE_PLAIN, normal, sizeof normal, &size);
    struct text name = {normal, size};
    size_t characters = 0;
    struct result counted = result_is_ok(normalized) ? text_count_characters(name, &characters) : normalized;
    if (normalized.code == RESULT_FULL || characters > MERCHANT_NAME_CHARACTERS) {
        faults_add(faults, field, "too_long", "must be at most %u characters", MERCHANT_NAME_CHARACTERS);
    } else if (!result_is_ok(counted) || size == 0 || !unicode_is_name(name)) {
        faults_add(faults, field, "invalid_format", "must have a visible character and no control characters");
    } else {
        return arena_copy(&exchange->arena, name);
    }
    return TEXT("");
}

void merchant_read(struct exchange *exchange, struct text typed, struct merchant_named *ret_named, struct faults *faults) {
    *ret_named = (struct merchant_named){.name = TEXT("")};
    if (typed.data == NULL || result_is_ok(id_parse(typed, &ret_named->id))) return;
    ret_named->name = read_name(exchange, typed, "merchant", faults);
}

/* ---- the document ---- */

static void write_members(struct json_writer *writer, struct text name, const struct account *account) {
    json_id_member(writer, "id", account->id);
    json_text_member(writer, "name", name);
    json_text_member(writer, "currency", text_of(currency_code(account->currency)));
    json_integer_member(writer, "balance", account_balance(account).amount_minor);
    json_time_member(writer, "created_at", account->created_at_us);
}

/* ---- making one ---- */

struct merchant_opening {
    struct operation operation; /* first */
    struct text name;
    enum ledger_outcome outcome;
    struct account account; /* as the answer shows it */
};

static void load(struct engine *engine, struct operation *operation) {
    const struct merchant_named named = {.name = ((const struct merchant_opening *)operation)->name};
    books_load_merchant(engine, &named, books_ledger(engine)->currency);
}

static struct text document_of(struct operation *operation) {
    const struct merchant_opening *opening = (const struct merchant_opening *)operation;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, MERCHANT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    write_members(&writer, opening->name, &opening->account);
    json_end_object(&writer);
    return buffer_text(&buffer);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct merchant_opening *opening = (struct merchant_opening *)operation;
    struct merchant *merchant = NULL;
    opening->outcome = ledger_open_merchant(books_ledger(engine), opening->name, now_us, &merchant);
    opening->account = *merchant->account;
    if (opening->outcome == LEDGER_APPLIED)
        audit_note(engine, operation, "merchant.create", merchant->account->id, (struct text){0}, document_of(operation), now_us);
}

static void render(struct operation *operation) {
    const struct merchant_opening *opening = (const struct merchant_opening *)operation;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, MERCHANT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    write_members(&writer, opening->name, &opening->account);
    json_end_object(&writer);
    operation_answer(operation, opening->outcome == LEDGER_APPLIED ? 201 : 200, "application/json", &buffer);
}

static const struct action open_action = {
    .name = "open merchant", .weight = 4, .answer_bytes = MERCHANT_BYTES, .load = load, .decide = decide, .render = render};

static struct merchant_opening *read_opening(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text typed = {NULL, 0}, name = TEXT("");
    struct id id;
    const struct json_member members[] = {
        {.name = "name", .kind = JSON_TEXT, .target = &typed, .required = true, .min = 1, .max = MERCHANT_NAME_CHARACTERS}};
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (typed.data != NULL && typed.size > 0) name = read_name(exchange, typed, "name", &faults);
    if (result_is_ok(id_parse(name, &id))) faults_add(&faults, "name", "invalid_format", "must not read like an id");
    if (request_refuse_faults(exchange, &faults)) return NULL;
    if (name.data == NULL) {
        request_refuse_memory(exchange);
        return NULL;
    }
    struct merchant_opening *opening = operation_begin(exchange, &open_action, sizeof *opening);
    if (opening == NULL) return NULL;
    opening->name = name;
    operation_read_key(&opening->operation, body);
    return opening;
}

void merchants_create(struct exchange *exchange) {
    struct merchant_opening *opening = read_opening(exchange);
    if (opening == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&opening->operation);
}

/* ---- all of them ---- */

struct merchants_reading {
    struct reading reading; /* first */
    size_t limit;
    int64_t after_account; /* the cursor: accounts are numbered in the order of their making */
    size_t count;          /* one more than the limit: there is a next page */
    struct listed_merchant {
        struct text name;
        struct account account;
    } * merchants; /* room for one more than the limit */
    struct till {
        struct till *next;
        int64_t merchant;
        struct account account;
    } * tills, **last_till; /* of the page, by merchant */
};

static struct result listed_found(void *context, const struct row *row) {
    struct merchants_reading *read = context;
    CHECK(read->count <= read->limit);
    struct listed_merchant *listed = &read->merchants[read->count++];
    TRY(row_account(row, 0, &listed->account));
    listed->name = arena_copy(&read->reading.exchange->arena, row_text(row, ACCOUNT_COLUMN_COUNT));
    return listed->name.data == NULL ? result_error(RESULT_FULL) : result_ok();
}

static struct result till_found(void *context, const struct row *row) {
    struct merchants_reading *read = context;
    struct till *till = arena_take(&read->reading.exchange->arena, sizeof *till);
    if (till == NULL) return result_error(RESULT_FULL);
    *till = (struct till){.merchant = row_integer(row, ACCOUNT_COLUMN_COUNT + 1)};
    TRY(row_account(row, 0, &till->account));
    *read->last_till = till;
    read->last_till = &till->next;
    return result_ok();
}

static bool list_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct merchants_reading *read = (struct merchants_reading *)reading;
    if (round == 0) {
        read->count = 0;
        ask_merchants(batch, read->after_account, (int64_t)read->limit + 1, listed_found, read);
        return true;
    }
    read->tills = NULL;
    read->last_till = &read->tills;
    if (read->count > 0)
        ask_tills(batch, read->merchants[0].account.number, read->merchants[read->count - 1].account.number, till_found, read);
    return false;
}

/* One of the list, with what it has in other currencies. `till`: the first that is not another's before it. */
static const struct till *write_listed(struct json_writer *writer, const struct listed_merchant *listed, const struct till *till) {
    while (till != NULL && till->merchant < listed->account.number) till = till->next;
    json_begin_object(writer);
    write_members(writer, listed->name, &listed->account);
    bool has_tills = till != NULL && till->merchant == listed->account.number;
    if (has_tills) json_key(writer, "tills");
    if (has_tills) json_begin_array(writer);
    for (; till != NULL && till->merchant == listed->account.number; till = till->next) {
        json_begin_object(writer);
        json_id_member(writer, "account_id", till->account.id);
        json_text_member(writer, "currency", text_of(currency_code(till->account.currency)));
        json_integer_member(writer, "balance", account_balance(&till->account).amount_minor);
        json_end_object(writer);
    }
    if (has_tills) json_end_array(writer);
    json_end_object(writer);
    return till;
}

static void list_answer(struct reading *reading) {
    const struct merchants_reading *read = (const struct merchants_reading *)reading;
    bool has_more = read->count > read->limit;
    size_t count = has_more ? read->limit : read->count;
    const int64_t words[PAGE_CURSOR_WORDS] = {has_more ? read->merchants[count - 1].account.number : 0};
    struct buffer buffer;
    struct json_writer writer;
    reply_page_begin(reading->exchange, &writer, &buffer, (count + 1) * 512);
    const struct till *till = read->tills;
    for (size_t i = 0; i < count; i++) till = write_listed(&writer, &read->merchants[i], till);
    reply_page(reading->exchange, &writer, LIST_MERCHANTS, has_more, words);
    exchange_finish(reading->exchange);
}

static struct merchants_reading *begin_list(struct exchange *exchange) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_MERCHANTS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    struct merchants_reading *read = reading_begin(exchange, list_ask, list_answer, sizeof *read);
    if (read == NULL) return NULL;
    read->limit = (size_t)query.page.limit;
    read->after_account = query.page.has_cursor ? query.page.cursor[0] : 0;
    read->merchants = ARENA_NEW_ARRAY(&exchange->arena, struct listed_merchant, read->limit + 1);
    if (read->merchants != NULL) return read;
    request_refuse_memory(exchange);
    return NULL;
}

void merchants_list(struct exchange *exchange) {
    struct merchants_reading *read = begin_list(exchange);
    if (read == NULL)
        exchange_finish(exchange);
    else
        reading_start(&read->reading);
}
