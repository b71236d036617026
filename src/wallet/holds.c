/* Holds: a service reserves money of a user, and later captures it for a merchant or sets it free. */
#include "wallet/holds.h"

#include "base/check.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/merchants.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/tables.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

#define HOLD_BYTES (1024u + 2u * LIMIT_REFERENCE_BYTES) /* the reference as JSON may escape it */

static struct text caller_of(const struct exchange *exchange) { return (struct text){exchange->caller.name, exchange->caller.name_size}; }

/* ---- the document ---- */

static void write_id_or_null(struct json_writer *writer, const char *name, struct id id) {
    if (id_is_zero(id))
        json_null_member(writer, name);
    else
        json_id_member(writer, name, id);
}

/* `transaction_id`: of a capture; zero: it is none. */
static void write_hold(struct json_writer *writer, const struct hold *hold, struct id transaction_id) {
    json_begin_object(writer);
    json_id_member(writer, "id", hold->id);
    json_text_member(writer, "state", text_of(hold_state_name(hold->state)));
    json_text_member(writer, "reference", hold->reference);
    json_id_member(writer, "user_id", hold->account->user_id);
    write_id_or_null(writer, "merchant", hold->merchant_id);
    json_integer_member(writer, "amount", hold->amount.amount_minor);
    json_integer_member(writer, "captured", hold->captured_minor);
    json_integer_member(writer, "remaining", hold->remaining_minor);
    json_text_member(writer, "currency", text_of(currency_code(hold->amount.currency)));
    json_time_member(writer, "created_at", hold->created_at_us);
    json_time_member(writer, "expires_at", hold->expires_at_us);
    json_time_member(writer, "updated_at", hold->updated_at_us);
    if (!id_is_zero(transaction_id)) json_id_member(writer, "transaction_id", transaction_id);
    json_end_object(writer);
}

/* ---- the actions ---- */

struct hold_change {
    struct operation operation; /* first */
    struct hold_command hold;
    struct capture_command capture; /* and of a release caller and hold_id alone */
    enum ledger_outcome outcome;
    struct limit_reached reached; /* of a refusal by a limit */
    struct hold seen;             /* as the answer shows it */
    struct account account;
    struct id transaction_id;
};

/* The working set is gone by the time of the answer. */
static void take(struct hold_change *change, const struct hold *hold) {
    if (hold == NULL || outcome_is_refusal(change->outcome)) return;
    change->account = *hold->account;
    change->seen = *hold;
    change->seen.account = &change->account;
    change->seen.reference = arena_copy(change->operation.arena, hold->reference);
    if (change->seen.reference.data == NULL) change->seen.reference = TEXT("");
}

static void load_new(struct engine *engine, struct operation *operation) {
    const struct hold_command *command = &((const struct hold_change *)operation)->hold;
    books_load_hold_by_reference(engine, command->caller, command->reference);
    books_load_wallet(engine, command->user_id, command->amount.currency);
    books_load_merchant(engine, &command->merchant, command->amount.currency);
}

static void load_known(struct engine *engine, struct operation *operation) {
    const struct capture_command *command = &((const struct hold_change *)operation)->capture;
    books_load_hold(engine, command->hold_id);
    books_load_payee(engine, &command->merchant, command->hold_id);
}

static void hold_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct hold_change *change = (struct hold_change *)operation;
    struct hold *hold = NULL;
    change->outcome = ledger_hold(books_ledger(engine), &change->hold, now_us, &hold);
    change->reached = books_ledger(engine)->reached;
    take(change, hold);
}

static void capture_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct hold_change *change = (struct hold_change *)operation;
    struct hold *hold = NULL;
    const struct transfer *transfer = NULL;
    change->outcome = ledger_capture(books_ledger(engine), &change->capture, now_us, &hold, &transfer);
    change->reached = books_ledger(engine)->reached;
    change->transaction_id = transfer == NULL ? (struct id){{0}} : transfer->id;
    take(change, hold);
}

static void release_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct hold_change *change = (struct hold_change *)operation;
    struct hold *hold = NULL;
    change->outcome = ledger_release_hold(books_ledger(engine), change->capture.caller, change->capture.hold_id, now_us, &hold);
    take(change, hold);
}

static void render(struct operation *operation) {
    const struct hold_change *change = (const struct hold_change *)operation;
    if (outcome_is_refusal(change->outcome)) {
        outcome_render_limit(operation, change->outcome, &change->reached);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, HOLD_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_hold(&writer, &change->seen, change->transaction_id);
    operation_answer(operation, 200, "application/json", &buffer);
}

static void hold_render(struct operation *operation) {
    const struct hold_change *change = (const struct hold_change *)operation;
    char id[ID_TEXT_BYTES];
    render(operation);
    if (outcome_is_refusal(change->outcome) || operation->fate != FATE_DECIDED) return;
    if (change->outcome == LEDGER_APPLIED) operation->answer.status = 201;
    id_format(change->seen.id, id);
    operation->answer.location = arena_print(operation->arena, "/v1/holds/%.*s", (int)sizeof id, id);
}

static const struct action hold_action = {
    .name = "hold", .weight = 4, .answer_bytes = HOLD_BYTES, .load = load_new, .decide = hold_decide, .render = hold_render};
static const struct action capture_action = {
    .name = "capture", .weight = 6, .answer_bytes = HOLD_BYTES, .load = load_known, .decide = capture_decide, .render = render};
static const struct action release_action = {
    .name = "release hold", .weight = 4, .answer_bytes = HOLD_BYTES, .load = load_known, .decide = release_decide, .render = render};

static void submit_or_finish(struct exchange *exchange, struct hold_change *change) {
    if (change == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&change->operation);
}

/* ---- the requests ---- */

static struct hold_change *read_hold(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct hold_command command = {.caller = TEXT("")};
    struct text merchant = {NULL, 0};
    int64_t expires_in_s = 0;
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &command.reference, .required = true},
        {.name = "user_id", .kind = JSON_ID, .target = &command.user_id, .required = true},
        JSON_MONEY_MEMBERS(&command.amount),
        {.name = "expires_in", .kind = JSON_INTEGER, .target = &expires_in_s, .required = true, .min = 1, .max = LIMIT_HOLD_S},
        {.name = "merchant", .kind = JSON_TEXT, .target = &merchant},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (command.reference.data != NULL) reference_check(command.reference, REFERENCE_ANY, "", "reference", &faults);
    merchant_read(exchange, merchant, &command.merchant, &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    command.reference = arena_copy(&exchange->arena, command.reference);
    command.expires_in_us = expires_in_s * CLOCK_SECOND_US;
    struct hold_change *change = operation_begin(exchange, &hold_action, sizeof *change);
    if (change == NULL) return NULL;
    change->hold = command;
    change->hold.caller = caller_of(exchange);
    operation_read_key(&change->operation, body);
    return change;
}

void holds_create(struct exchange *exchange) { submit_or_finish(exchange, read_hold(exchange)); }

/* The id in the path; false: there is no such hold. */
static bool read_path(struct exchange *exchange, struct id *ret_id) {
    if (result_is_ok(id_parse(exchange->parameters[0], ret_id))) return true;
    problem_reply(exchange, &problem_hold_not_found, "%s", problem_detail_of_outcome(LEDGER_HOLD_NOT_FOUND));
    return false;
}

static struct hold_change *begin_known(struct exchange *exchange, const struct action *action, const struct capture_command *command) {
    struct hold_change *change = operation_begin(exchange, action, sizeof *change);
    if (change == NULL) return NULL;
    change->capture = *command;
    change->capture.caller = caller_of(exchange);
    return change;
}

static struct hold_change *read_capture(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct capture_command command = {.is_final = true};
    struct text merchant = {NULL, 0};
    const struct json_member members[] = {
        {.name = "amount", .kind = JSON_INTEGER, .target = &command.amount_minor, .min = 1, .max = MONEY_AMOUNT_MAX},
        {.name = "final", .kind = JSON_BOOLEAN, .target = &command.is_final},
        {.name = "merchant", .kind = JSON_TEXT, .target = &merchant},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    merchant_read(exchange, merchant, &command.merchant, &faults);
    if (request_refuse_faults(exchange, &faults) || !read_path(exchange, &command.hold_id)) return NULL;
    struct hold_change *change = begin_known(exchange, &capture_action, &command);
    if (change != NULL) operation_read_key(&change->operation, body);
    return change;
}

void holds_capture(struct exchange *exchange) { submit_or_finish(exchange, read_capture(exchange)); }

void holds_release(struct exchange *exchange) {
    struct capture_command command = {.merchant = {.name = TEXT("")}};
    struct hold_change *change = read_path(exchange, &command.hold_id) ? begin_known(exchange, &release_action, &command) : NULL;
    if (change != NULL) operation_read_key(&change->operation, NULL);
    submit_or_finish(exchange, change);
}

/* ---- reading ---- */

struct hold_reading {
    struct reading reading; /* first */
    struct id id;
    bool is_found;
    struct hold hold;
    struct account account;
};

static struct result hold_found(void *context, const struct row *row) {
    struct hold_reading *read = context;
    TRY(row_account(row, 0, &read->account));
    TRY(row_hold(row, ACCOUNT_COLUMN_COUNT, &read->account, &read->hold));
    read->is_found = text_equal(read->hold.caller, caller_of(read->reading.exchange));
    read->hold.reference = arena_copy(&read->reading.exchange->arena, read->hold.reference);
    return read->hold.reference.data == NULL ? result_error(RESULT_FULL) : result_ok();
}

static bool get_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct hold_reading *read = (struct hold_reading *)reading;
    (void)round;
    read->is_found = false;
    ask_hold(batch, read->id, hold_found, read);
    return false;
}

/* It has expired at its time, whether or not the store has come to it. */
static void show_expiry(struct hold *hold, int64_t now_us) {
    if (hold->state != HOLD_HELD || now_us < hold->expires_at_us) return;
    hold->state = HOLD_EXPIRED;
    hold->remaining_minor = 0;
    hold->updated_at_us = hold->expires_at_us;
}

static void get_answer(struct reading *reading) {
    struct hold_reading *read = (struct hold_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (read->is_found) {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, HOLD_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        show_expiry(&read->hold, clock_now_us(wallet_of(exchange)->service.clock));
        write_hold(&writer, &read->hold, (struct id){{0}});
        reply_buffer(exchange, 200, "application/json", &buffer);
    } else {
        problem_reply(exchange, &problem_hold_not_found, "%s", problem_detail_of_outcome(LEDGER_HOLD_NOT_FOUND));
    }
    exchange_finish(exchange);
}

void holds_get(struct exchange *exchange) {
    struct id id;
    struct hold_reading *read = read_path(exchange, &id) ? reading_begin(exchange, get_ask, get_answer, sizeof *read) : NULL;
    if (read == NULL) {
        exchange_finish(exchange);
    } else {
        read->id = id;
        reading_start(&read->reading);
    }
}
