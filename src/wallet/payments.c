/* POST /v1/payments: a service moves a user's money to a merchant. */
#include "wallet/payments.h"

#include "base/check.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/core/payments.h"
#include "wallet/merchants.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

/* The longest description as JSON may escape it, and the metadata. */
#define PAYMENT_BYTES (1024u + 6u * LIMIT_DESCRIPTION_CHARACTERS + LIMIT_METADATA_BYTES)

struct payment {
    struct operation operation; /* first */
    struct payment_command command;
    struct payment_outcome outcome;
    struct limit_reached reached; /* of a refusal by a limit */
};

/* ---- the action ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct payment_command *command = &((const struct payment *)operation)->command;
    books_load_payment(engine, command->caller, command->reference);
    books_load_wallet(engine, command->user_id, command->amount.currency);
    books_load_merchant(engine, &command->merchant, command->amount.currency);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct payment *payment = (struct payment *)operation;
    payment->outcome = ledger_pay(books_ledger(engine), &payment->command, now_us);
    payment->reached = books_ledger(engine)->reached;
}

static void write_payment(struct json_writer *writer, const struct payment_command *command, const struct payment_outcome *outcome) {
    json_begin_object(writer);
    json_id_member(writer, "id", outcome->transaction_id);
    json_text_member(writer, "kind", text_of(transfer_kind_name(TRANSFER_PAYMENT)));
    json_text_member(writer, "reference", command->reference);
    json_id_member(writer, "user_id", command->user_id);
    json_id_member(writer, "merchant", outcome->merchant_id);
    json_integer_member(writer, "amount", command->amount.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(command->amount.currency)));
    write_text_or_null(writer, "description", command->description);
    json_key(writer, "metadata");
    if (command->metadata.size == 0)
        json_put_null(writer);
    else
        json_put_raw(writer, command->metadata);
    json_time_member(writer, "created_at", outcome->created_at_us);
    json_end_object(writer);
}

static void render(struct operation *operation) {
    const struct payment *payment = (const struct payment *)operation;
    const struct payment_outcome *outcome = &payment->outcome;
    if (outcome_is_refusal(outcome->outcome)) {
        outcome_render_limit(operation, outcome->outcome, &payment->reached);
        return;
    }
    char id[ID_TEXT_BYTES];
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, PAYMENT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_payment(&writer, &payment->command, outcome);
    id_format(outcome->transaction_id, id);
    operation->answer.location = arena_print(operation->arena, "/v1/transactions/%.*s", (int)sizeof id, id);
    operation_answer(operation, outcome->outcome == LEDGER_APPLIED ? 201 : 200, "application/json", &buffer);
}

static void send(struct operation *operation) {
    bool is_applied = operation->fate == FATE_DECIDED && ((const struct payment *)operation)->outcome.outcome == LEDGER_APPLIED;
    if (is_applied) metric_add(&wallet_of(operation->exchange)->metrics.payments, 1);
    operation_send(operation);
}

static const struct action payment_action = {
    .name = "payment", .weight = 4, .answer_bytes = PAYMENT_BYTES, .load = load, .decide = decide, .render = render, .send = send};

/* ---- the request ---- */

/* The parser's texts go with the document: what the store needs is copied. */
static bool keep(struct exchange *exchange, struct payment_command *command, const struct json_value *metadata) {
    command->reference = arena_copy(&exchange->arena, command->reference);
    command->description = arena_copy(&exchange->arena, command->description);
    if (metadata != NULL) command->metadata = json_dump(&exchange->arena, metadata);
    if (command->reference.data != NULL && command->description.data != NULL && command->metadata.data != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

static bool read_command(struct exchange *exchange, const struct json_value *body, struct faults *faults, struct payment_command *command) {
    const struct json_value *metadata = NULL;
    struct text merchant = {NULL, 0};
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &command->reference, .required = true},
        {.name = "user_id", .kind = JSON_ID, .target = &command->user_id, .required = true},
        {.name = "merchant", .kind = JSON_TEXT, .target = &merchant, .required = true},
        JSON_MONEY_MEMBERS(&command->amount),
        {.name = "description", .kind = JSON_TEXT, .target = &command->description, .max = LIMIT_DESCRIPTION_CHARACTERS},
        {.name = "metadata", .kind = JSON_OBJECT, .target = &metadata},
    };
    json_read(body, "", members, ARRAY_COUNT(members), faults);
    if (command->reference.data != NULL) reference_check(command->reference, REFERENCE_ANY, "", "reference", faults);
    merchant_read(exchange, merchant, &command->merchant, faults);
    if (!keep(exchange, command, metadata)) return false;
    if (command->metadata.size > LIMIT_METADATA_BYTES)
        faults_add(faults, "metadata", "too_long", "must be at most %u bytes as compact JSON", LIMIT_METADATA_BYTES);
    return !request_refuse_faults(exchange, faults);
}

static struct payment *read_payment(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct payment_command command = {.caller = {exchange->caller.name, exchange->caller.name_size}, .metadata = TEXT("")};
    if (!read_command(exchange, body, &faults, &command)) return NULL;
    struct payment *payment = operation_begin(exchange, &payment_action, sizeof *payment);
    if (payment == NULL) return NULL;
    payment->command = command;
    payment->command.caller = (struct text){exchange->caller.name, exchange->caller.name_size};
    operation_read_key(&payment->operation, body);
    return payment;
}

void payments_create(struct exchange *exchange) {
    struct payment *payment = read_payment(exchange);
    if (payment == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&payment->operation);
}
