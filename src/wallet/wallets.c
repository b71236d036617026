/* A user's own money: balance, transactions, and sending it to another user. */
#include "base/check.h"
#include "http/query.h"
#include "wallet/flow.h"
#include "wallet/problems.h"

#define WALLET_BYTES      512
#define TRANSACTION_BYTES 512

/* Runs `read` of a GET handler: it sets the answer. */
static void answer_with(struct exchange *exchange, void (*read)(struct exchange *exchange, struct reader *reader)) {
    struct reader *reader = flow_reader(exchange);
    if (reader != NULL) read(exchange, reader);
    exchange_finish(exchange);
}

/* ---- the balance ---- */

static void write_wallet(struct json_writer *writer, const struct account *account) {
    json_begin_object(writer);
    json_id_member(writer, "account_id", account->id);
    json_text_member(writer, "currency", text_of(currency_code(account->currency)));
    json_integer_member(writer, "balance", account_balance(account).amount_minor);
    json_integer_member(writer, "held", account->debits_pending);
    json_integer_member(writer, "available", account_available(account).amount_minor);
    json_integer_member(writer, "sequence", account->sequence);
    json_time_member(writer, "updated_at", account->updated_at_us);
    json_end_object(writer);
}

static void get_wallet(struct exchange *exchange, struct reader *reader) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    int64_t at_us = 0;
    bool has_time = false;
    const struct query_member members[] = {{.name = "at", .kind = QUERY_TIME, .target = &at_us, .present = &has_time}};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    if (flow_refuse_faults(exchange, &faults)) return;

    struct account account;
    bool found = false;
    struct id user_id = exchange->caller.user_id;
    struct result read =
        has_time ? reader_account_at(reader, user_id, at_us, &account, &found) : reader_account_of_user(reader, user_id, &account, &found);
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return;
    }
    if (!found) {
        flow_refuse(exchange, &problem_token_invalid, "The user of this token does not exist.");
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, WALLET_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_wallet(&writer, &account);
    flow_answer_json(exchange, &buffer);
}

void wallets_get(struct exchange *exchange) { answer_with(exchange, get_wallet); }

/* ---- transactions ---- */

static enum transfer_kind kind_of(struct text name) {
    static const enum transfer_kind kinds[] = {TRANSFER_CREDIT, TRANSFER_USER, TRANSFER_OPEN, TRANSFER_TOPUP, TRANSFER_RELEASE};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (text_equal(name, text_of(transfer_kind_name(kinds[i])))) return kinds[i];
    }
    return (enum transfer_kind)0;
}

static bool read_filter(struct exchange *exchange, struct transaction_filter *ret_filter) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_TRANSACTIONS);
    struct text kind = {"", 0};
    *ret_filter = (struct transaction_filter){.before_sequence = INT64_MAX, .from_us = INT64_MIN, .to_us = INT64_MAX};
    const struct query_member members[] = {
        PAGE_QUERY_MEMBERS(&query),
        {.name = "from", .kind = QUERY_TIME, .target = &ret_filter->from_us},
        {.name = "to", .kind = QUERY_TIME, .target = &ret_filter->to_us},
        {.name = "kind", .kind = QUERY_CHOICE, .target = &kind, .choices = "credit|transfer|fund_open|fund_topup|fund_release"},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (flow_refuse_faults(exchange, &faults)) return false;
    ret_filter->limit = (size_t)query.page.limit;
    ret_filter->kind = kind_of(kind);
    if (query.page.has_cursor) ret_filter->before_sequence = query.page.cursor[0] < 1 ? 1 : query.page.cursor[0];
    return true;
}

static void list_transactions(struct exchange *exchange, struct reader *reader) {
    struct transaction_filter filter;
    if (!read_filter(exchange, &filter)) return;
    struct transaction_row *rows = ARENA_NEW_ARRAY(&exchange->arena, struct transaction_row, filter.limit);
    size_t count = 0;
    int64_t next = 0;
    if (rows == NULL) {
        flow_refuse(exchange, &problem_overloaded, NULL);
        return;
    }
    struct result read = reader_transactions(reader, exchange->caller.user_id, &filter, &exchange->arena, rows, &count, &next);
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
    for (size_t i = 0; i < count; i++) answer_write_transaction(&writer, &rows[i].view);
    json_end_array(&writer);
    flow_write_next(&writer, &exchange->arena, LIST_TRANSACTIONS, next);
    json_end_object(&writer);
    flow_answer_json(exchange, &buffer);
}

void transactions_list(struct exchange *exchange) { answer_with(exchange, list_transactions); }

static void get_transaction(struct exchange *exchange, struct reader *reader) {
    struct id id;
    struct transaction_view view;
    bool found = false, is_admin = (exchange->caller.scopes & SCOPE_ADMIN) != 0;
    struct result read = result_ok();
    if (result_is_ok(id_parse(exchange->parameters[0], &id))) {
        read = reader_transaction(reader, id, exchange->caller.user_id, is_admin, &exchange->arena, &view, &found);
    }
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return;
    }
    if (!found) {
        flow_refuse(exchange, &problem_transaction_not_found, "There is no such transaction, or it is not yours.");
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, TRANSACTION_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_transaction(&writer, &view);
    flow_answer_json(exchange, &buffer);
}

void transactions_get(struct exchange *exchange) { answer_with(exchange, get_transaction); }

/* ---- transfers ---- */

static void read_recipient(struct exchange *exchange, const struct json_value *to, struct transfer_command *command,
                           struct faults *faults) {
    struct text username = {NULL, 0}, phone = {NULL, 0};
    bool has_username = false, has_phone = false, has_account = false;
    const struct json_member members[] = {
        {.name = "username", .kind = JSON_TEXT, .target = &username, .present = &has_username},
        {.name = "phone", .kind = JSON_TEXT, .target = &phone, .present = &has_phone},
        {.name = "account_id", .kind = JSON_ID, .target = &command->recipient_account, .present = &has_account},
    };
    size_t faults_before = faults->count;
    json_read(to, "to.", members, ARRAY_COUNT(members), faults);
    int named = (int)has_username + (int)has_phone + (int)has_account;
    if (named == 0 && faults->count == faults_before) faults_add(faults, "to", "required", "needs one of username, phone, account_id");
    if (named > 1) faults_add(faults, "to", "invalid_format", "must have only one of username, phone, account_id");
    if (has_username) {
        command->recipient = RECIPIENT_USERNAME;
        if (username.data != NULL) command->recipient_name = flow_read_username(exchange, username, "to.username", faults);
    } else if (has_phone) {
        command->recipient = RECIPIENT_PHONE;
        if (phone.data == NULL || result_is_ok(phone_parse(phone, wallet_of(exchange)->region, &command->recipient_phone))) return;
        faults_add(faults, "to.phone", "invalid_format", "must be a phone number, like 09121234567 or +989121234567");
    } else {
        command->recipient = RECIPIENT_ACCOUNT;
    }
}

static struct wallet_operation *read_transfer(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct transfer_command command = {.user_id = exchange->caller.user_id};
    const struct json_value *to = NULL;
    const struct json_member members[] = {
        {.name = "to", .kind = JSON_OBJECT, .target = &to, .required = true},
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
    if (to != NULL) read_recipient(exchange, to, &command, &faults);
    if (flow_refuse_faults(exchange, &faults)) return NULL;
    command.description = flow_keep_text(exchange, command.description);
    struct wallet_operation *operation = flow_begin(exchange, COMMAND_TRANSFER);
    if (operation == NULL) return NULL;
    operation->store.weight = 4;
    operation->command.transfer = command;
    flow_read_idempotency(operation, body);
    return operation;
}

void transfers_create(struct exchange *exchange) {
    struct wallet_operation *operation = read_transfer(exchange);
    if (operation == NULL) {
        exchange_finish(exchange);
        return;
    }
    flow_submit(operation);
}
