/* POST /v1/transactions/{id}/reversal: what a transaction moved goes back, in whole or in part. */
#include "wallet/reversals.h"

#include "base/check.h"
#include "service/audit.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

#define REVERSAL_BYTES (1024u + 6u * LIMIT_DESCRIPTION_CHARACTERS) /* the longest reason as JSON may escape it */

struct reversal {
    struct operation operation; /* first */
    struct reversal_command command;
    struct reversal_outcome outcome;
    struct limit_reached reached; /* of a refusal by a limit */
};

/* ---- the action ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct reversal_command *command = &((const struct reversal *)operation)->command;
    books_load_original(engine, command->transaction_id);
    books_load_reversal(engine, command->caller, command->reference);
}

static void write_reversal(struct json_writer *writer, const struct reversal_command *command, const struct reversal_outcome *outcome) {
    json_begin_object(writer);
    json_id_member(writer, "id", outcome->transaction_id);
    json_text_member(writer, "kind", text_of(transfer_kind_name(TRANSFER_REVERSAL)));
    json_id_member(writer, "transaction_id", command->transaction_id);
    json_integer_member(writer, "amount", outcome->amount.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(outcome->amount.currency)));
    json_text_member(writer, "reason", command->reason);
    write_text_or_null(writer, "reference", command->reference);
    json_time_member(writer, "created_at", outcome->created_at_us);
    json_end_object(writer);
}

static struct buffer document_of(struct operation *operation) {
    const struct reversal *reversal = (const struct reversal *)operation;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, REVERSAL_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_reversal(&writer, &reversal->command, &reversal->outcome);
    return buffer;
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct reversal *reversal = (struct reversal *)operation;
    reversal->outcome = ledger_reverse(books_ledger(engine), &reversal->command, now_us);
    reversal->reached = books_ledger(engine)->reached;
    if (reversal->outcome.outcome != LEDGER_APPLIED || !reversal->command.is_admin) return;
    struct buffer document = document_of(operation);
    audit_note(engine, operation, "transaction.reverse", reversal->command.transaction_id, (struct text){0}, buffer_text(&document),
               now_us);
}

static void render(struct operation *operation) {
    const struct reversal *reversal = (const struct reversal *)operation;
    if (outcome_is_refusal(reversal->outcome.outcome)) {
        outcome_render_limit(operation, reversal->outcome.outcome, &reversal->reached);
        return;
    }
    char id[ID_TEXT_BYTES];
    struct buffer buffer = document_of(operation);
    id_format(reversal->outcome.transaction_id, id);
    operation->answer.location = arena_print(operation->arena, "/v1/transactions/%.*s", (int)sizeof id, id);
    operation_answer(operation, reversal->outcome.outcome == LEDGER_APPLIED ? 201 : 200, "application/json", &buffer);
}

static const struct action reversal_action = {
    .name = "reversal", .weight = 6, .answer_bytes = 2 * REVERSAL_BYTES, .load = load, .decide = decide, .render = render};

/* ---- the request ---- */

/* True: an answer is set. */
static bool refuse(struct exchange *exchange, const struct reversal_command *command, struct id *ret_id) {
    if (command->may_overdraw && !command->is_admin) {
        problem_reply(exchange, &problem_forbidden, "Only an administrator may let a balance go below its floor (allow_negative).");
        return true;
    }
    if (result_is_ok(id_parse(exchange->parameters[0], ret_id))) return false;
    problem_reply(exchange, &problem_transaction_not_found, "%s", problem_detail_of_outcome(LEDGER_TRANSACTION_NOT_FOUND));
    return true;
}

static struct reversal *read_reversal(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct reversal_command command = {.reference = TEXT(""), .is_admin = exchange->caller.kind == IDENTITY_USER};
    struct text reference = {NULL, 0};
    const struct json_member members[] = {
        {.name = "amount", .kind = JSON_INTEGER, .target = &command.amount_minor, .min = 1, .max = MONEY_AMOUNT_MAX},
        {.name = "reason", .kind = JSON_TEXT, .target = &command.reason, .required = true, .min = 1, .max = LIMIT_DESCRIPTION_CHARACTERS},
        {.name = "reference", .kind = JSON_TEXT, .target = &reference},
        {.name = "allow_negative", .kind = JSON_BOOLEAN, .target = &command.may_overdraw},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (reference.data != NULL) reference_check(reference, REFERENCE_ANY, "", "reference", &faults);
    if (request_refuse_faults(exchange, &faults) || refuse(exchange, &command, &command.transaction_id)) return NULL;
    if (reference.data != NULL) command.reference = arena_copy(&exchange->arena, reference);
    command.reason = arena_copy(&exchange->arena, command.reason);
    command.caller = reference_caller(exchange);
    if (command.reference.data == NULL || command.reason.data == NULL || command.caller.data == NULL) {
        request_refuse_memory(exchange);
        return NULL;
    }
    struct reversal *reversal = operation_begin(exchange, &reversal_action, sizeof *reversal);
    if (reversal == NULL) return NULL;
    reversal->command = command;
    operation_read_key(&reversal->operation, body);
    return reversal;
}

void reversals_create(struct exchange *exchange) {
    struct reversal *reversal = read_reversal(exchange);
    if (reversal == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&reversal->operation);
}
