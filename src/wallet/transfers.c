/* POST /v1/wallet/transfers: from one user to another. */
#include "wallet/transfers.h"

#include <inttypes.h>

#include "base/budget.h"
#include "base/check.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/notices.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/transactions.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

/* ---- guesses at recipients: whether a phone number or a name has a wallet is nobody's business ---- */

static const char too_many_guesses[] = "Too many of your recipients did not exist. Try again later.";

static int64_t wait_of(const struct exchange *exchange) {
    if (exchange == NULL) return 0; /* our own */
    const struct wallet *wallet = exchange->self;
    return attempts_recipient_wait_us(wallet->attempts, exchange->caller.user_id, clock_monotonic_us(wallet->service.clock));
}

static void count_guess(const struct exchange *exchange) {
    if (exchange == NULL) return;
    const struct wallet *wallet = exchange->self;
    attempts_count_recipient(wallet->attempts, exchange->caller.user_id, exchange_payer(exchange),
                             clock_monotonic_us(wallet->service.clock));
}

/* ---- the action ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct transfer_command *command = &((const struct user_transfer *)operation)->command;
    books_load_wallet(engine, command->user_id, command->amount.currency);
    switch (command->recipient) {
    case RECIPIENT_USERNAME: books_load_user_by_name(engine, command->recipient_name, command->amount.currency); break;
    case RECIPIENT_PHONE: books_load_user_by_phone(engine, &command->recipient_phone, command->amount.currency); break;
    case RECIPIENT_ACCOUNT: books_load_user_of_account(engine, command->recipient_account); break;
    }
}

/* Guesses are counted where they are decided, one after the other: none slips by beside another. */
static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct user_transfer *own = (struct user_transfer *)operation;
    const struct transfer *transfer = NULL;
    own->wait_us = wait_of(operation->exchange);
    operation->is_passing = own->wait_us > 0;
    own->outcome = LEDGER_RECIPIENT_NOT_FOUND;
    if (own->wait_us > 0) return;
    own->outcome = ledger_transfer(books_ledger(engine), &own->command, now_us, &transfer);
    own->reached = books_ledger(engine)->reached;
    if (own->outcome == LEDGER_RECIPIENT_NOT_FOUND) count_guess(operation->exchange);
    if (transfer != NULL) own->transfer = *transfer;
}

static void refuse_guesses(struct operation *operation, int64_t wait_us) {
    operation_answer_problem(operation, &problem_too_many_attempts, (struct text){0}, NULL, too_many_guesses);
    operation->answer.retry_after = arena_print(operation->arena, "%" PRId64, budget_wait_s(wait_us));
}

static void render(struct operation *operation) {
    const struct user_transfer *own = (const struct user_transfer *)operation;
    const struct transfer *transfer = &own->transfer;
    if (own->wait_us > 0) {
        refuse_guesses(operation, own->wait_us);
        return;
    }
    if (outcome_is_refusal(own->outcome)) {
        if (own->outcome == LEDGER_CEILING_REACHED) /* the recipient's: what he has, and may have, is nobody else's business */
            outcome_render(operation, own->outcome);
        else
            outcome_render_limit(operation, own->outcome, &own->reached);
        return;
    }
    struct transaction_view view = {.id = transfer->id,
                                    .kind = transfer->kind,
                                    .is_credit = false,
                                    .amount = transfer->amount,
                                    .balance_after = transfer->debit_balance_after,
                                    .reference = transfer->reference,
                                    .description = transfer->description,
                                    .typed_recipient = transaction_typed_recipient(transfer->metadata),
                                    .created_at_us = transfer->created_at_us};
    char id[ID_TEXT_BYTES];
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, TRANSACTION_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    transaction_write(&writer, &view);
    id_format(transfer->id, id);
    operation->answer.location = arena_print(operation->arena, "/v1/transactions/%.*s", (int)sizeof id, id);
    operation_answer(operation, 201, "application/json", &buffer);
}

static void send(struct operation *operation) {
    const struct user_transfer *own = (const struct user_transfer *)operation;
    bool is_applied = operation->fate == FATE_DECIDED && own->outcome == LEDGER_APPLIED;
    if (is_applied) {
        metric_add(&wallet_of(operation->exchange)->metrics.transfers, 1);
        notices_transfer(wallet_of(operation->exchange), operation->exchange, &own->transfer);
    }
    outcome_send(operation, own->outcome);
}

const struct action transfer_action = {
    .name = "transfer", .weight = 4, .answer_bytes = 4 * TRANSACTION_BYTES, .load = load, .decide = decide, .render = render, .send = send};

/* ---- the request ---- */

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
        if (username.data != NULL) command->recipient_name = username_read(&exchange->arena, username, "to.username", faults);
    } else if (has_phone) {
        command->recipient = RECIPIENT_PHONE;
        if (phone.data != NULL) phone_read(phone, wallet_of(exchange)->region, &command->recipient_phone, "to.phone", faults);
    } else {
        command->recipient = RECIPIENT_ACCOUNT;
    }
}

/* What was typed, as it is understood; empty: no memory. */
static struct text write_recipient(struct arena *arena, const struct transfer_command *command) {
    char id[ID_TEXT_BYTES];
    switch (command->recipient) {
    case RECIPIENT_USERNAME:
        return arena_print(arena, "{\"to\":{\"username\":\"%.*s\"}}", (int)command->recipient_name.size, command->recipient_name.data);
    case RECIPIENT_PHONE:
        return arena_print(arena, "{\"to\":{\"phone\":\"%.*s\"}}", (int)command->recipient_phone.size, command->recipient_phone.e164);
    case RECIPIENT_ACCOUNT: break;
    }
    id_format(command->recipient_account, id);
    return arena_print(arena, "{\"to\":{\"account_id\":\"%.*s\"}}", (int)sizeof id, id);
}

static struct user_transfer *read_transfer(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct transfer_command command = {.user_id = exchange->caller.user_id};
    const struct json_value *to = NULL;
    const struct json_member members[] = {
        {.name = "to", .kind = JSON_OBJECT, .target = &to, .required = true},
        JSON_MONEY_MEMBERS(&command.amount),
        {.name = "reference", .kind = JSON_TEXT, .target = &command.reference},
        {.name = "description", .kind = JSON_TEXT, .target = &command.description, .max = LIMIT_DESCRIPTION_CHARACTERS},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (to != NULL) read_recipient(exchange, to, &command, &faults);
    if (command.reference.data != NULL) reference_check(command.reference, REFERENCE_ANY, "", "reference", &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    command.reference = arena_copy(&exchange->arena, command.reference);
    command.description = arena_copy(&exchange->arena, command.description);
    command.metadata = write_recipient(&exchange->arena, &command);
    if (command.metadata.data == NULL) {
        request_refuse_memory(exchange);
        return NULL;
    }
    struct user_transfer *transfer = operation_begin(exchange, &transfer_action, sizeof *transfer);
    if (transfer == NULL) return NULL;
    transfer->command = command;
    operation_read_key(&transfer->operation, body);
    return transfer;
}

void transfers_create(struct exchange *exchange) {
    int64_t wait_us = wait_of(exchange);
    if (wait_us > 0) request_refuse_tries(exchange, wait_us, too_many_guesses);
    struct user_transfer *transfer = wait_us > 0 ? NULL : read_transfer(exchange);
    if (transfer == NULL) {
        exchange_finish(exchange);
    } else {
        operation_submit(&transfer->operation);
    }
}
