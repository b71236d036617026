/* PUT /v1/accounts/{id}/limits: what an account may have, and may let go of. */
#include "wallet/account_limits.h"

#include "base/check.h"
#include "service/audit.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/core/limits.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

#define LIMITS_BYTES 768u

struct limits_change {
    struct operation operation; /* first */
    struct id account_id;
    struct limits limits;
    int64_t floor_minor;
    struct period day, month; /* of the time of the load */
    struct spent journal;     /* what was spent in them by the journal */
    enum ledger_outcome outcome;
    struct account account; /* as it is then */
    struct spent spent;
};

/* ---- the document ---- */

static void write_limit(struct json_writer *writer, const char *name, int64_t minor) {
    if (minor == LIMIT_NONE)
        json_null_member(writer, name);
    else
        json_integer_member(writer, name, minor);
}

void account_limits_write(struct json_writer *writer, const struct account *account) {
    const struct limits none = LIMITS_NONE, *limits = account->is_limited ? &account->limits : &none;
    write_limit(writer, "floor", account->kind == ACCOUNT_ISSUANCE ? LIMIT_NONE : account->floor_minor);
    write_limit(writer, "ceiling", limits->ceiling_minor);
    write_limit(writer, "per_transaction", limits->per_transaction_minor);
    write_limit(writer, "daily", limits->daily_minor);
    write_limit(writer, "monthly", limits->monthly_minor);
}

static bool counts(const struct account *account) {
    return account->is_limited && (account->limits.daily_minor != LIMIT_NONE || account->limits.monthly_minor != LIMIT_NONE);
}

static void write_limits(struct json_writer *writer, const struct limits_change *change, const char *time_zone) {
    json_begin_object(writer);
    json_id_member(writer, "account_id", change->account.id);
    json_text_member(writer, "currency", text_of(currency_code(change->account.currency)));
    account_limits_write(writer, &change->account);
    json_text_member(writer, "time_zone", text_of(time_zone));
    write_limit(writer, "spent_today", counts(&change->account) ? change->spent.day_minor : LIMIT_NONE);
    write_limit(writer, "spent_this_month", counts(&change->account) ? change->spent.month_minor : LIMIT_NONE);
    json_time_member(writer, "updated_at", change->account.updated_at_us);
    json_end_object(writer);
}

/* ---- the action ---- */

static struct result spent_found(void *context, const struct row *row) {
    struct limits_change *change = context;
    change->journal.day_minor = row_integer_between(row, 0, 0, INT64_MAX);
    change->journal.month_minor = row_integer_between(row, 1, 0, INT64_MAX);
    return row_verdict(row);
}

/* It is alone in its batch (its weight): what it counts here is all that was spent. */
static void load(struct engine *engine, struct operation *operation) {
    struct limits_change *change = (struct limits_change *)operation;
    const struct calendar *calendar = &books_ledger(engine)->calendar;
    calendar->find(calendar->zone, books_now_us(engine), &change->day, &change->month);
    change->journal = (struct spent){.day_from_us = change->day.from_us, .month_from_us = change->month.from_us};
    books_load_account(engine, change->account_id);
    ask_spent(engine_batch(engine), change->account_id, change->day.from_us, change->month.from_us, spent_found, change);
}

static struct text document_of(struct operation *operation, const struct account *account) {
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, LIMITS_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    account_limits_write(&writer, account);
    json_end_object(&writer);
    return buffer_text(&buffer);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct limits_change *change = (struct limits_change *)operation;
    struct ledger *ledger = books_ledger(engine);
    struct account *account = ledger_find_account(ledger, change->account_id);
    change->outcome = LEDGER_ACCOUNT_NOT_FOUND;
    if (account == NULL) return;
    bool is_changed = false;
    struct text before = document_of(operation, account);
    change->outcome = account_set_limits(account, &change->limits, change->floor_minor, &change->journal, now_us, &is_changed);
    change->account = *account;
    change->spent = limits_spent(ledger, account, now_us < ledger->head.created_at_us ? ledger->head.created_at_us : now_us);
    if (is_changed) audit_note(engine, operation, "account.limit", account->id, before, document_of(operation, account), now_us);
}

static void render(struct operation *operation) {
    const struct limits_change *change = (const struct limits_change *)operation;
    if (outcome_is_refusal(change->outcome)) {
        outcome_render(operation, change->outcome);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, LIMITS_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_limits(&writer, change, zone_name(wallet_of(operation->exchange)->zone));
    operation_answer(operation, 200, "application/json", &buffer);
}

static const struct action limits_action = {.name = "account limits",
                                            .weight = LIMIT_STORE_BATCH_WEIGHT,
                                            .answer_bytes = 4 * LIMITS_BYTES,
                                            .load = load,
                                            .decide = decide,
                                            .render = render};

/* ---- the request ---- */

static void read_members(const struct json_value *body, struct limits_change *read, struct faults *faults) {
    struct limits *limits = &read->limits;
    const struct json_member members[] = {
        {.name = "floor", .kind = JSON_INTEGER, .target = &read->floor_minor, .nullable = true, .min = 0, .max = MONEY_AMOUNT_MAX},
        {.name = "ceiling", .kind = JSON_INTEGER, .target = &limits->ceiling_minor, .nullable = true, .min = 0, .max = MONEY_AMOUNT_MAX},
        {.name = "per_transaction",
         .kind = JSON_INTEGER,
         .target = &limits->per_transaction_minor,
         .nullable = true,
         .min = 0,
         .max = MONEY_AMOUNT_MAX},
        {.name = "daily", .kind = JSON_INTEGER, .target = &limits->daily_minor, .nullable = true, .min = 0, .max = MONEY_AMOUNT_MAX},
        {.name = "monthly", .kind = JSON_INTEGER, .target = &limits->monthly_minor, .nullable = true, .min = 0, .max = MONEY_AMOUNT_MAX},
    };
    json_read(body, "", members, ARRAY_COUNT(members), faults);
    if (limits->ceiling_minor != LIMIT_NONE && limits->ceiling_minor < read->floor_minor)
        faults_add(faults, "ceiling", "out_of_range", "must not be below the floor");
}

static struct limits_change *read_change(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct limits_change read = {.limits = LIMITS_NONE};
    read_members(body, &read, &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    if (!result_is_ok(id_parse(exchange->parameters[0], &read.account_id))) {
        problem_reply(exchange, &problem_account_not_found, "%s", problem_detail_of_outcome(LEDGER_ACCOUNT_NOT_FOUND));
        return NULL;
    }
    struct limits_change *change = operation_begin(exchange, &limits_action, sizeof *change);
    if (change == NULL) return NULL;
    change->account_id = read.account_id;
    change->limits = read.limits;
    change->floor_minor = read.floor_minor;
    return change;
}

void account_limits_set(struct exchange *exchange) {
    struct limits_change *change = read_change(exchange);
    if (change == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&change->operation);
}
