/* Accounts of the ledger, for admins. */
#include "base/check.h"
#include "http/query.h"
#include "wallet/flow.h"
#include "wallet/problems.h"

#define ACCOUNT_BYTES   768
#define PHONE_TYPED_MAX 64

static void write_account(struct json_writer *writer, const struct account_row *row) {
    const struct account *account = &row->account;
    json_begin_object(writer);
    json_id_member(writer, "id", account->id);
    json_text_member(writer, "kind", text_of(account_kind_name(account->kind)));
    json_text_member(writer, "state", text_of(account_state_name(row)));
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
    answer_text_or_null(writer, "username", row->username);
    answer_text_or_null(writer, "phone", phone_text(&row->phone));
    answer_text_or_null(writer, "reference", row->fund_reference);
    json_time_member(writer, "created_at", account->created_at_us);
    json_time_member(writer, "updated_at", account->updated_at_us);
    json_end_object(writer);
}

static enum account_kind kind_of(struct text name) {
    static const enum account_kind kinds[] = {ACCOUNT_USER, ACCOUNT_FUND, ACCOUNT_ISSUANCE};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (text_equal(name, text_of(account_kind_name(kinds[i])))) return kinds[i];
    }
    return (enum account_kind)0;
}

static bool read_filter(struct exchange *exchange, struct account_filter *ret_filter, bool *ret_nobody) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_ACCOUNTS);
    struct text username = {"", 0}, phone = {"", 0}, kind = {"", 0};
    *ret_filter = (struct account_filter){.state = {"", 0}};
    const struct query_member members[] = {
        PAGE_QUERY_MEMBERS(&query),
        {.name = "username", .kind = QUERY_TEXT, .target = &username, .min = 1, .max = LIMIT_URI_BYTES},
        {.name = "phone", .kind = QUERY_TEXT, .target = &phone, .min = 1, .max = PHONE_TYPED_MAX},
        {.name = "kind", .kind = QUERY_CHOICE, .target = &kind, .choices = "wallet|fund|issuance"},
        {.name = "state", .kind = QUERY_CHOICE, .target = &ret_filter->state, .choices = "open|frozen|released"},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (phone.size > 0 && !result_is_ok(phone_parse(phone, wallet_of(exchange)->region, &ret_filter->phone))) {
        faults_add(&faults, "phone", "invalid_format", "must be a phone number, like 09121234567 or +989121234567");
    }
    if (flow_refuse_faults(exchange, &faults)) return false;
    if (username.size > 0) ret_filter->username = flow_fold_username(exchange, username);
    *ret_nobody = username.size > 0 && ret_filter->username.size == 0; /* no user can have such a name */
    ret_filter->kind = kind_of(kind);
    ret_filter->limit = (size_t)query.page.limit;
    if (query.page.has_cursor) ret_filter->after_number = query.page.cursor[0];
    return true;
}

static void list_accounts(struct exchange *exchange, struct reader *reader) {
    struct account_filter filter;
    bool nobody = false;
    if (!read_filter(exchange, &filter, &nobody)) return;
    size_t count = 0;
    int64_t next = 0;
    struct account_row *rows = ARENA_NEW_ARRAY(&exchange->arena, struct account_row, filter.limit);
    struct result read = rows == NULL ? result_error(RESULT_FULL) : result_ok();
    if (result_is_ok(read) && !nobody) read = reader_accounts(reader, &filter, &exchange->arena, rows, &count, &next);
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, (count + 1) * ACCOUNT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "data");
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++) write_account(&writer, &rows[i]);
    json_end_array(&writer);
    flow_write_next(&writer, &exchange->arena, LIST_ACCOUNTS, next);
    json_end_object(&writer);
    flow_answer_json(exchange, &buffer);
}

void accounts_list(struct exchange *exchange) {
    struct reader *reader = flow_reader(exchange);
    if (reader != NULL) list_accounts(exchange, reader);
    exchange_finish(exchange);
}

static void get_account(struct exchange *exchange, struct reader *reader) {
    struct id id;
    struct account_row row;
    bool found = false;
    struct result read = result_ok();
    if (result_is_ok(id_parse(exchange->parameters[0], &id))) read = reader_account(reader, id, &exchange->arena, &row, &found);
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return;
    }
    if (!found) {
        flow_refuse(exchange, &problem_account_not_found, "There is no such account.");
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, ACCOUNT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_account(&writer, &row);
    flow_answer_json(exchange, &buffer);
}

void accounts_get(struct exchange *exchange) {
    struct reader *reader = flow_reader(exchange);
    if (reader != NULL) get_account(exchange, reader);
    exchange_finish(exchange);
}
