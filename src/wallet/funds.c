/* Funds: money set aside by a service, out of which its credits are paid. */
#include "wallet/funds.h"

#include "base/check.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/tables.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

#define FUND_BYTES        2048u /* the longest description has four bytes for each character */
#define TRANSACTION_BYTES 640u

static struct text caller_of(struct exchange *exchange) { return (struct text){exchange->caller.name, exchange->caller.name_size}; }

/* ---- the document ---- */

static void write_fund(struct json_writer *writer, const struct fund *fund) {
    json_begin_object(writer);
    json_text_member(writer, "reference", fund->reference);
    json_id_member(writer, "account_id", fund->account->id);
    json_text_member(writer, "currency", text_of(currency_code(fund->account->currency)));
    json_integer_member(writer, "funded", fund->funded_minor);
    json_integer_member(writer, "credited", fund->credited_minor);
    json_integer_member(writer, "remaining", account_balance(fund->account).amount_minor);
    json_integer_member(writer, "released", fund->released_minor);
    json_integer_member(writer, "reversed", fund->reversed_minor);
    json_text_member(writer, "state", fund->is_released ? TEXT("released") : TEXT("open"));
    write_text_or_null(writer, "description", fund->description);
    json_time_member(writer, "created_at", fund->created_at_us);
    json_end_object(writer);
}

/* ---- the actions ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct fund_command *command = &((const struct fund_change *)operation)->command;
    books_load_fund(engine, command->caller, command->reference);
    books_load_topup(engine, command->caller, command->reference, command->topup_reference);
}

/* What the answer shows, because the working set is gone by then. */
static void take(struct fund_change *change, const struct fund *fund) {
    if (fund == NULL) return;
    change->account = *fund->account;
    change->fund = *fund;
    change->fund.account = &change->account;
    change->fund.caller = change->command.caller;
    change->fund.reference = change->command.reference;
    change->fund.description = arena_copy(change->operation.arena, fund->description);
}

static void open_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct fund_change *change = (struct fund_change *)operation;
    struct fund *fund = NULL;
    change->outcome = ledger_open_fund(books_ledger(engine), &change->command, now_us, &fund);
    take(change, fund);
}

static void topup_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct fund_change *change = (struct fund_change *)operation;
    struct fund *fund = NULL;
    change->outcome = ledger_topup_fund(books_ledger(engine), &change->command, now_us, &fund);
    take(change, fund);
}

static void release_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct fund_change *change = (struct fund_change *)operation;
    struct fund *fund = NULL;
    change->outcome = ledger_release_fund(books_ledger(engine), &change->command, now_us, &fund);
    take(change, fund);
}

static void render(struct operation *operation) {
    const struct fund_change *change = (const struct fund_change *)operation;
    if (outcome_is_refusal(change->outcome)) {
        outcome_render(operation, change->outcome);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, FUND_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_fund(&writer, &change->fund);
    operation_answer(operation, 200, "application/json", &buffer);
}

static void open_render(struct operation *operation) {
    const struct fund_change *change = (const struct fund_change *)operation;
    struct text reference = change->command.reference;
    render(operation);
    if (outcome_is_refusal(change->outcome) || operation->fate != FATE_DECIDED) return;
    if (change->outcome == LEDGER_APPLIED) operation->answer.status = 201;
    operation->answer.location = arena_print(operation->arena, "/v1/funds/%.*s", (int)reference.size, reference.data);
}

#define FUND_ACTION(name_, decide_, render_) \
    { .name = (name_), .weight = 4, .answer_bytes = FUND_BYTES, .load = load, .decide = (decide_), .render = (render_) }
const struct action open_fund_action = FUND_ACTION("open fund", open_decide, open_render);
const struct action topup_fund_action = FUND_ACTION("top up fund", topup_decide, render);
const struct action release_fund_action = FUND_ACTION("release fund", release_decide, render);

/* ---- the requests ---- */

static struct fund_change *begin(struct exchange *exchange, const struct action *action, const struct fund_command *command) {
    struct fund_change *change = operation_begin(exchange, action, sizeof *change);
    if (change == NULL) return NULL;
    change->command = *command;
    change->command.caller = caller_of(exchange);
    return change;
}

/* The reference in the path; false: no fund can have it. */
static bool read_path(struct exchange *exchange, struct fund_command *command) {
    command->reference = exchange->parameters[0];
    if (reference_is_valid(command->reference, REFERENCE_FUND)) return true;
    problem_reply(exchange, &problem_fund_not_found, "%s", problem_detail_of_outcome(LEDGER_FUND_NOT_FOUND));
    return false;
}

static void submit_or_finish(struct exchange *exchange, struct fund_change *change) {
    if (change == NULL) {
        exchange_finish(exchange);
    } else {
        operation_submit(&change->operation);
    }
}

static struct fund_change *read_opening(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct fund_command command = {0};
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &command.reference, .required = true},
        JSON_MONEY_MEMBERS(&command.amount),
        {.name = "description", .kind = JSON_TEXT, .target = &command.description, .max = LIMIT_DESCRIPTION_CHARACTERS},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (command.reference.data != NULL) reference_check(command.reference, REFERENCE_FUND, "", "reference", &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    command.reference = arena_copy(&exchange->arena, command.reference);
    command.description = arena_copy(&exchange->arena, command.description);
    struct fund_change *change = begin(exchange, &open_fund_action, &command);
    if (change != NULL) operation_read_key(&change->operation, body);
    return change;
}

void funds_create(struct exchange *exchange) { submit_or_finish(exchange, read_opening(exchange)); }

static struct fund_change *read_topup(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct fund_command command = {0};
    const struct json_member members[] = {
        JSON_MONEY_MEMBERS(&command.amount),
        {.name = "reference", .kind = JSON_TEXT, .target = &command.topup_reference},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (command.topup_reference.data != NULL) reference_check(command.topup_reference, REFERENCE_ANY, "", "reference", &faults);
    if (request_refuse_faults(exchange, &faults) || !read_path(exchange, &command)) return NULL;
    command.topup_reference = arena_copy(&exchange->arena, command.topup_reference);
    struct fund_change *change = begin(exchange, &topup_fund_action, &command);
    if (change != NULL) operation_read_key(&change->operation, body);
    return change;
}

void funds_top_up(struct exchange *exchange) { submit_or_finish(exchange, read_topup(exchange)); }

void funds_release(struct exchange *exchange) {
    struct fund_command command = {0};
    struct fund_change *change = read_path(exchange, &command) ? begin(exchange, &release_fund_action, &command) : NULL;
    if (change != NULL) operation_read_key(&change->operation, NULL);
    submit_or_finish(exchange, change);
}

/* ---- reading ---- */

struct fund_reading {
    struct reading reading; /* first */
    struct text reference;
    size_t limit;           /* of the list */
    int64_t after_sequence; /* its cursor */
    bool is_found;
    struct fund fund;
    struct account account;
    size_t count; /* one more than the limit: there is a next page */
    struct fund_credit {
        int64_t sequence;
        struct text reference, description, metadata;
        struct id user_id, transaction_id;
        struct money amount;
        int64_t created_at_us, reversed_minor;
    } * credits; /* room for one more than the limit */
};

static struct result copy(struct arena *arena, struct text *text) {
    *text = arena_copy(arena, *text);
    return text->data == NULL ? result_error(RESULT_FULL) : result_ok();
}

static struct result read_fund(struct arena *arena, const struct row *row, struct account *account, struct fund *ret_fund) {
    TRY(row_account(row, 0, account));
    TRY(row_fund(row, ACCOUNT_COLUMN_COUNT, account, ret_fund));
    TRY(copy(arena, &ret_fund->caller));
    TRY(copy(arena, &ret_fund->reference));
    return copy(arena, &ret_fund->description);
}

static struct result fund_found(void *context, const struct row *row) {
    struct fund_reading *read = context;
    read->is_found = true;
    return read_fund(&read->reading.exchange->arena, row, &read->account, &read->fund);
}

static bool get_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct fund_reading *read = (struct fund_reading *)reading;
    (void)round;
    ask_fund(batch, caller_of(reading->exchange), read->reference, fund_found, read);
    return false;
}

/* True: 404 is set. */
static bool refuse_unknown(const struct fund_reading *read) {
    if (read->is_found) return false;
    problem_reply(read->reading.exchange, &problem_fund_not_found, "%s", problem_detail_of_outcome(LEDGER_FUND_NOT_FOUND));
    return true;
}

static void get_answer(struct reading *reading) {
    const struct fund_reading *read = (const struct fund_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (!refuse_unknown(read)) {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, FUND_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        write_fund(&writer, &read->fund);
        reply_buffer(exchange, 200, "application/json", &buffer);
    }
    exchange_finish(exchange);
}

static void start_or_finish(struct exchange *exchange, struct fund_reading *read) {
    if (read == NULL) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}

void funds_get(struct exchange *exchange) {
    struct fund_command command = {0};
    struct fund_reading *read =
        read_path(exchange, &command) ? reading_begin(exchange, get_ask, get_answer, sizeof(struct fund_reading)) : NULL;
    if (read != NULL) read->reference = command.reference;
    start_or_finish(exchange, read);
}

/* ---- all of a service ---- */

struct funds_reading {
    struct reading reading; /* first */
    size_t limit;
    int64_t after_account; /* the cursor: accounts are numbered in the order of their making, and so are funds */
    size_t count;          /* one more than the limit: there is a next page */
    struct listed_fund {
        struct fund fund;
        struct account account;
    } * funds; /* room for one more than the limit */
};

static struct result listed_found(void *context, const struct row *row) {
    struct funds_reading *read = context;
    CHECK(read->count <= read->limit);
    struct listed_fund *listed = &read->funds[read->count++];
    return read_fund(&read->reading.exchange->arena, row, &listed->account, &listed->fund);
}

static bool all_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct funds_reading *read = (struct funds_reading *)reading;
    (void)round;
    read->count = 0;
    ask_funds(batch, caller_of(reading->exchange), read->after_account, (int64_t)read->limit + 1, listed_found, read);
    return false;
}

static void all_answer(struct reading *reading) {
    const struct funds_reading *read = (const struct funds_reading *)reading;
    struct exchange *exchange = reading->exchange;
    bool has_more = read->count > read->limit;
    size_t count = has_more ? read->limit : read->count;
    const int64_t words[PAGE_CURSOR_WORDS] = {has_more ? read->funds[count - 1].account.number : 0};
    struct buffer buffer;
    struct json_writer writer;
    reply_page_begin(exchange, &writer, &buffer, (count + 1) * TRANSACTION_BYTES);
    for (size_t i = 0; i < count; i++) write_fund(&writer, &read->funds[i].fund);
    reply_page(exchange, &writer, LIST_FUNDS, has_more, words);
    exchange_finish(exchange);
}

static struct funds_reading *begin_all(struct exchange *exchange) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_FUNDS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    struct funds_reading *read = reading_begin(exchange, all_ask, all_answer, sizeof *read);
    if (read == NULL) return NULL;
    read->limit = (size_t)query.page.limit;
    read->after_account = query.page.has_cursor ? query.page.cursor[0] : 0;
    read->funds = ARENA_NEW_ARRAY(&exchange->arena, struct listed_fund, read->limit + 1);
    if (read->funds != NULL) return read;
    request_refuse_memory(exchange);
    return NULL;
}

void funds_list(struct exchange *exchange) {
    struct funds_reading *read = begin_all(exchange);
    if (read == NULL)
        exchange_finish(exchange);
    else
        reading_start(&read->reading);
}

/* ---- its credits ---- */

static struct result credit_found(void *context, const struct row *row) {
    struct fund_reading *read = context;
    CHECK(read->count <= read->limit);
    struct fund_credit *credit = &read->credits[read->count++];
    *credit = (struct fund_credit){.sequence = row_integer(row, 0),
                                   .reference = row_text(row, 1),
                                   .user_id = row_id_or_zero(row, 2),
                                   .transaction_id = row_id(row, 3),
                                   .amount = {row_integer(row, 4), row_currency(row, 5)},
                                   .created_at_us = row_time(row, 6),
                                   .description = row_text(row, 7),
                                   .metadata = row_text(row, 8),
                                   .reversed_minor = row_integer_between(row, 9, 0, row_integer(row, 4))};
    struct arena *arena = &read->reading.exchange->arena;
    TRY(copy(arena, &credit->reference));
    TRY(copy(arena, &credit->description));
    return copy(arena, &credit->metadata);
}

static bool list_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct fund_reading *read = (struct fund_reading *)reading;
    read->count = 0;
    ask_credits_of_fund(batch, caller_of(reading->exchange), read->reference, read->after_sequence, (int64_t)read->limit + 1, credit_found,
                        read);
    return get_ask(reading, batch, round);
}

static void write_credit(struct json_writer *writer, const struct fund_credit *credit) {
    json_begin_object(writer);
    json_text_member(writer, "reference", credit->reference);
    json_id_member(writer, "user_id", credit->user_id);
    json_id_member(writer, "transaction_id", credit->transaction_id);
    json_integer_member(writer, "amount", credit->amount.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(credit->amount.currency)));
    json_integer_member(writer, "reversed", credit->reversed_minor);
    json_time_member(writer, "created_at", credit->created_at_us);
    write_text_or_null(writer, "description", credit->description);
    json_key(writer, "metadata");
    if (credit->metadata.size == 0)
        json_put_null(writer);
    else
        json_put_raw(writer, credit->metadata);
    json_end_object(writer);
}

static void list_answer(struct reading *reading) {
    const struct fund_reading *read = (const struct fund_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (!refuse_unknown(read)) {
        bool has_more = read->count > read->limit;
        size_t count = has_more ? read->limit : read->count;
        const int64_t words[PAGE_CURSOR_WORDS] = {has_more ? read->credits[count - 1].sequence : 0};
        struct buffer buffer;
        struct json_writer writer;
        reply_page_begin(exchange, &writer, &buffer, (count + 1) * TRANSACTION_BYTES);
        for (size_t i = 0; i < count; i++) write_credit(&writer, &read->credits[i]);
        reply_page(exchange, &writer, LIST_FUND_TRANSACTIONS, has_more, words);
    }
    exchange_finish(exchange);
}

static struct fund_reading *begin_list(struct exchange *exchange) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_FUND_TRANSACTIONS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    struct fund_command command = {0};
    if (request_refuse_faults(exchange, &faults) || !read_path(exchange, &command)) return NULL;
    struct fund_reading *read = reading_begin(exchange, list_ask, list_answer, sizeof *read);
    if (read == NULL) return NULL;
    read->reference = command.reference;
    read->limit = (size_t)query.page.limit;
    read->after_sequence = query.page.has_cursor ? query.page.cursor[0] : 0;
    read->credits = ARENA_NEW_ARRAY(&exchange->arena, struct fund_credit, read->limit + 1);
    if (read->credits != NULL) return read;
    request_refuse_memory(exchange);
    return NULL;
}

void funds_list_transactions(struct exchange *exchange) { start_or_finish(exchange, begin_list(exchange)); }
