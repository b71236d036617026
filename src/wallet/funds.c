/* Funds: money set aside by a service, out of which its credits are paid. */
#include "base/check.h"
#include "http/query.h"
#include "wallet/flow.h"
#include "wallet/problems.h"
#include "wallet/reference.h"

#define FUND_BYTES        768
#define TRANSACTION_BYTES 384

static struct text caller_of(struct exchange *exchange) { return (struct text){exchange->caller.name, exchange->caller.name_size}; }

static struct wallet_operation *begin(struct exchange *exchange, enum wallet_command kind, const struct fund_command *command) {
    struct wallet_operation *operation = flow_begin(exchange, kind);
    if (operation == NULL) return NULL;
    operation->store.weight = 4;
    operation->command.fund = *command;
    operation->command.fund.caller = caller_of(exchange);
    return operation;
}

/* The reference in the path; false: no fund can have it. */
static bool read_path(struct exchange *exchange, struct fund_command *command) {
    command->reference = exchange->parameters[0];
    if (reference_is_valid(command->reference, REFERENCE_FUND)) return true;
    flow_refuse(exchange, &problem_fund_not_found, problem_detail_of_outcome(LEDGER_FUND_NOT_FOUND));
    return false;
}

static void submit_or_finish(struct exchange *exchange, struct wallet_operation *operation) {
    if (operation == NULL) {
        exchange_finish(exchange);
        return;
    }
    flow_submit(operation);
}

static struct wallet_operation *read_opening(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct fund_command command = {0};
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &command.reference, .required = true},
        {.name = "amount",
         .kind = JSON_INTEGER,
         .target = &command.amount.amount_minor,
         .required = true,
         .min = 1,
         .max = MONEY_AMOUNT_MAX},
        {.name = "currency", .kind = JSON_CURRENCY, .target = &command.amount.currency, .required = true},
        {.name = "description", .kind = JSON_TEXT, .target = &command.description, .max = LIMIT_DESCRIPTION_CHARACTERS},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (command.reference.data != NULL) reference_check(command.reference, REFERENCE_FUND, "", "reference", &faults);
    if (flow_refuse_faults(exchange, &faults)) return NULL;
    command.reference = flow_keep_text(exchange, command.reference);
    command.description = flow_keep_text(exchange, command.description);
    struct wallet_operation *operation = begin(exchange, COMMAND_OPEN_FUND, &command);
    if (operation != NULL) flow_read_idempotency(operation, body);
    return operation;
}

void funds_create(struct exchange *exchange) { submit_or_finish(exchange, read_opening(exchange)); }

static struct wallet_operation *read_topup(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct fund_command command = {0};
    const struct json_member members[] = {
        {.name = "amount",
         .kind = JSON_INTEGER,
         .target = &command.amount.amount_minor,
         .required = true,
         .min = 1,
         .max = MONEY_AMOUNT_MAX},
        {.name = "currency", .kind = JSON_CURRENCY, .target = &command.amount.currency, .required = true},
        {.name = "reference", .kind = JSON_TEXT, .target = &command.topup_reference},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (command.topup_reference.data != NULL) reference_check(command.topup_reference, REFERENCE_ANY, "", "reference", &faults);
    if (flow_refuse_faults(exchange, &faults) || !read_path(exchange, &command)) return NULL;
    command.topup_reference = flow_keep_text(exchange, command.topup_reference);
    struct wallet_operation *operation = begin(exchange, COMMAND_TOPUP_FUND, &command);
    if (operation != NULL) flow_read_idempotency(operation, body);
    return operation;
}

void funds_top_up(struct exchange *exchange) { submit_or_finish(exchange, read_topup(exchange)); }

void funds_release(struct exchange *exchange) {
    struct fund_command command = {0};
    struct wallet_operation *operation = read_path(exchange, &command) ? begin(exchange, COMMAND_RELEASE_FUND, &command) : NULL;
    if (operation != NULL) flow_read_idempotency(operation, NULL);
    submit_or_finish(exchange, operation);
}

/* ---- reading ---- */

static bool read_fund(struct exchange *exchange, struct reader *reader, struct fund *ret_fund, struct account *ret_account) {
    struct fund_command command = {0};
    bool found = false;
    if (!read_path(exchange, &command)) return false;
    struct result read = reader_fund(reader, caller_of(exchange), command.reference, &exchange->arena, ret_fund, ret_account, &found);
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return false;
    }
    if (!found) flow_refuse(exchange, &problem_fund_not_found, problem_detail_of_outcome(LEDGER_FUND_NOT_FOUND));
    return found;
}

void funds_get(struct exchange *exchange) {
    struct reader *reader = flow_reader(exchange);
    struct fund fund;
    struct account account;
    if (reader != NULL && read_fund(exchange, reader, &fund, &account)) {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, FUND_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        answer_write_fund(&writer, &fund);
        flow_answer_json(exchange, &buffer);
    }
    exchange_finish(exchange);
}

static void write_transaction(struct json_writer *writer, const struct fund_transaction *row) {
    json_begin_object(writer);
    json_text_member(writer, "reference", row->reference);
    json_id_member(writer, "user_id", row->user_id);
    json_id_member(writer, "transaction_id", row->transaction_id);
    json_integer_member(writer, "amount", row->amount.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(row->amount.currency)));
    json_time_member(writer, "created_at", row->created_at_us);
    json_end_object(writer);
}

static void list_transactions(struct exchange *exchange, struct reader *reader) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_FUND_TRANSACTIONS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    struct fund fund;
    struct account account;
    if (flow_refuse_faults(exchange, &faults) || !read_fund(exchange, reader, &fund, &account)) return;

    size_t limit = (size_t)query.page.limit, count = 0;
    int64_t next = 0;
    struct fund_transaction *rows = ARENA_NEW_ARRAY(&exchange->arena, struct fund_transaction, limit);
    struct result read = rows == NULL ? result_error(RESULT_FULL)
                                      : reader_fund_transactions(reader, account.number, query.page.has_cursor ? query.page.cursor[0] : 0,
                                                                 limit, &exchange->arena, rows, &count, &next);
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, (count + 1) * TRANSACTION_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "data");
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++) write_transaction(&writer, &rows[i]);
    json_end_array(&writer);
    flow_write_next(&writer, &exchange->arena, LIST_FUND_TRANSACTIONS, next);
    json_end_object(&writer);
    flow_answer_json(exchange, &buffer);
}

void funds_list_transactions(struct exchange *exchange) {
    struct reader *reader = flow_reader(exchange);
    if (reader != NULL) list_transactions(exchange, reader);
    exchange_finish(exchange);
}
