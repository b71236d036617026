/* POST /v1/accounts/{id}/adjustments: an administrator gives or takes, and says why. */
#include "wallet/adjustments.h"

#include "base/check.h"
#include "service/audit.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/core/adjustments.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

#define ADJUSTMENT_BYTES (1024u + 6u * LIMIT_DESCRIPTION_CHARACTERS) /* the longest reason as JSON may escape it */

struct adjustment {
    struct operation operation; /* first */
    struct adjustment_command command;
    struct adjustment_outcome outcome;
    struct limit_reached reached; /* of a refusal by a limit */
};

/* ---- the action ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct adjustment_command *command = &((const struct adjustment *)operation)->command;
    books_load_account(engine, command->account_id);
    books_load_adjustment(engine, command->caller, command->reference);
}

static void write_adjustment(struct json_writer *writer, const struct adjustment_command *command,
                             const struct adjustment_outcome *outcome) {
    json_begin_object(writer);
    json_id_member(writer, "id", outcome->transaction_id);
    json_text_member(writer, "kind", text_of(transfer_kind_name(TRANSFER_ADJUSTMENT)));
    json_id_member(writer, "account_id", command->account_id);
    json_text_member(writer, "direction", command->is_credit ? TEXT("credit") : TEXT("debit"));
    json_integer_member(writer, "amount", command->amount.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(command->amount.currency)));
    json_text_member(writer, "reason", command->reason);
    write_text_or_null(writer, "reference", command->reference);
    json_time_member(writer, "created_at", outcome->created_at_us);
    json_end_object(writer);
}

static struct buffer document_of(struct operation *operation) {
    const struct adjustment *adjustment = (const struct adjustment *)operation;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, ADJUSTMENT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_adjustment(&writer, &adjustment->command, &adjustment->outcome);
    return buffer;
}

/* {"balance":5} */
static struct text balance_of(struct operation *operation, const struct account *account) {
    return arena_print(operation->arena, "{\"balance\":%lld}", (long long)account_balance(account).amount_minor);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct adjustment *adjustment = (struct adjustment *)operation;
    const struct account *account = ledger_find_account(books_ledger(engine), adjustment->command.account_id);
    struct text before = account == NULL ? (struct text){0} : balance_of(operation, account);
    adjustment->outcome = ledger_adjust(books_ledger(engine), &adjustment->command, now_us);
    adjustment->reached = books_ledger(engine)->reached;
    if (adjustment->outcome.outcome != LEDGER_APPLIED) return;
    struct buffer document = document_of(operation);
    audit_note(engine, operation, "account.adjust", adjustment->command.account_id, before, buffer_text(&document), now_us);
}

static void render(struct operation *operation) {
    const struct adjustment *adjustment = (const struct adjustment *)operation;
    if (outcome_is_refusal(adjustment->outcome.outcome)) {
        outcome_render_limit(operation, adjustment->outcome.outcome, &adjustment->reached);
        return;
    }
    char id[ID_TEXT_BYTES];
    struct buffer buffer = document_of(operation);
    id_format(adjustment->outcome.transaction_id, id);
    operation->answer.location = arena_print(operation->arena, "/v1/transactions/%.*s", (int)sizeof id, id);
    operation_answer(operation, adjustment->outcome.outcome == LEDGER_APPLIED ? 201 : 200, "application/json", &buffer);
}

static const struct action adjustment_action = {
    .name = "adjustment", .weight = 4, .answer_bytes = 2 * ADJUSTMENT_BYTES, .load = load, .decide = decide, .render = render};

/* ---- the request ---- */

static bool read_members(const struct json_value *body, struct adjustment_command *command, struct faults *faults) {
    struct text direction = {NULL, 0}, reference = {NULL, 0};
    const struct json_member members[] = {
        {.name = "direction", .kind = JSON_TEXT, .target = &direction, .required = true},
        JSON_MONEY_MEMBERS(&command->amount),
        {.name = "reason", .kind = JSON_TEXT, .target = &command->reason, .required = true, .min = 1, .max = LIMIT_DESCRIPTION_CHARACTERS},
        {.name = "reference", .kind = JSON_TEXT, .target = &reference},
    };
    json_read(body, "", members, ARRAY_COUNT(members), faults);
    command->is_credit = text_equal(direction, TEXT("credit"));
    if (direction.data != NULL && !command->is_credit && !text_equal(direction, TEXT("debit")))
        faults_add(faults, "direction", "invalid_value", "must be credit or debit");
    if (reference.data != NULL) reference_check(reference, REFERENCE_ANY, "", "reference", faults);
    command->reference = reference.data == NULL ? TEXT("") : reference;
    return faults->count == 0;
}

static struct adjustment *read_adjustment(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct adjustment_command command = {.caller = reference_caller(exchange)};
    if (!read_members(body, &command, &faults) && request_refuse_faults(exchange, &faults)) return NULL;
    if (!result_is_ok(id_parse(exchange->parameters[0], &command.account_id))) {
        problem_reply(exchange, &problem_account_not_found, "%s", problem_detail_of_outcome(LEDGER_ACCOUNT_NOT_FOUND));
        return NULL;
    }
    command.reference = arena_copy(&exchange->arena, command.reference);
    command.reason = arena_copy(&exchange->arena, command.reason);
    if (command.reference.data == NULL || command.reason.data == NULL || command.caller.data == NULL) {
        request_refuse_memory(exchange);
        return NULL;
    }
    struct adjustment *adjustment = operation_begin(exchange, &adjustment_action, sizeof *adjustment);
    if (adjustment == NULL) return NULL;
    adjustment->command = command;
    operation_read_key(&adjustment->operation, body);
    return adjustment;
}

void adjustments_create(struct exchange *exchange) {
    struct adjustment *adjustment = read_adjustment(exchange);
    if (adjustment == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&adjustment->operation);
}
