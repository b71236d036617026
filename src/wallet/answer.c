#include "wallet/answer.h"

#include "base/check.h"
#include "wallet/operation.h"
#include "wallet/problems.h"

#define ANSWER_BYTES      512u
#define CREDIT_ITEM_BYTES 256u

void answer_text_or_null(struct json_writer *writer, const char *name, struct text value) {
    if (value.size == 0) {
        json_null_member(writer, name);
    } else {
        json_text_member(writer, name, value);
    }
}

void answer_write_transaction(struct json_writer *writer, const struct transaction_view *view) {
    json_begin_object(writer);
    json_id_member(writer, "id", view->id);
    json_text_member(writer, "kind", text_of(transfer_kind_name(view->kind)));
    json_text_member(writer, "direction", view->is_credit ? TEXT("credit") : TEXT("debit"));
    json_integer_member(writer, "amount", view->amount.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(view->amount.currency)));
    json_integer_member(writer, "balance_after", view->balance_after);
    answer_text_or_null(writer, "reference", view->reference);
    answer_text_or_null(writer, "description", view->description);
    if (!id_is_zero(view->counterparty_account)) {
        json_key(writer, "counterparty");
        json_begin_object(writer);
        json_id_member(writer, "account_id", view->counterparty_account);
        json_text_member(writer, "username", view->counterparty_name);
        json_end_object(writer);
    }
    json_time_member(writer, "created_at", view->created_at_us);
    json_end_object(writer);
}

void answer_write_user(struct json_writer *writer, const struct user *user) {
    json_begin_object(writer);
    json_id_member(writer, "id", user->id);
    json_text_member(writer, "username", user_name(user));
    answer_text_or_null(writer, "phone", phone_text(&user->phone));
    json_time_member(writer, "created_at", user->created_at_us);
    json_end_object(writer);
}

void answer_write_fund(struct json_writer *writer, const struct fund *fund) {
    json_begin_object(writer);
    json_text_member(writer, "reference", fund->reference);
    json_id_member(writer, "account_id", fund->account->id);
    json_text_member(writer, "currency", text_of(currency_code(fund->account->currency)));
    json_integer_member(writer, "funded", fund->funded_minor);
    json_integer_member(writer, "credited", fund->credited_minor);
    json_integer_member(writer, "remaining", account_balance(fund->account).amount_minor);
    json_integer_member(writer, "released", fund->released_minor);
    json_text_member(writer, "state", fund->is_released ? TEXT("released") : TEXT("open"));
    answer_text_or_null(writer, "description", fund->description);
    json_time_member(writer, "created_at", fund->created_at_us);
    json_end_object(writer);
}

static const char *credit_status(enum ledger_outcome outcome) {
    return outcome == LEDGER_APPLIED ? "applied" : outcome == LEDGER_REPLAYED ? "replayed" : "rejected";
}

static void write_credits(struct json_writer *writer, const struct credit_batch *batch) {
    json_begin_object(writer);
    json_key(writer, "items");
    json_begin_array(writer);
    for (size_t i = 0; i < batch->count; i++) {
        const struct credit_outcome *outcome = &batch->outcomes[i];
        json_begin_object(writer);
        json_text_member(writer, "reference", batch->items[i].reference);
        json_text_member(writer, "status", text_of(credit_status(outcome->outcome)));
        if (id_is_zero(outcome->transaction_id)) {
            json_text_member(writer, "code", text_of(ledger_outcome_code(outcome->outcome)));
        } else {
            json_id_member(writer, "transaction_id", outcome->transaction_id);
            json_integer_member(writer, "balance_after", outcome->balance_after);
            json_time_member(writer, "created_at", outcome->created_at_us);
        }
        json_end_object(writer);
    }
    json_end_array(writer);
    json_end_object(writer);
}

static void write_transfer(struct json_writer *writer, const struct wallet_operation *operation) {
    const struct transfer *transfer = &operation->transfer;
    struct transaction_view view = {.id = transfer->id,
                                    .kind = transfer->kind,
                                    .is_credit = false,
                                    .amount = transfer->amount,
                                    .balance_after = transfer->debit_balance_after,
                                    .reference = transfer->reference,
                                    .description = transfer->description,
                                    .counterparty_account = operation->counterparty_account,
                                    .counterparty_name = user_name(&operation->counterparty),
                                    .created_at_us = transfer->created_at_us};
    answer_write_transaction(writer, &view);
}

static struct text id_path(struct arena *arena, const char *prefix, struct id id) {
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    return arena_print(arena, "%s%.*s", prefix, (int)sizeof text, text);
}

/* Writes the body of a success and sets the rest of the answer. */
static void write_success(struct json_writer *writer, struct wallet_operation *operation) {
    struct answer *answer = &operation->answer;
    switch ((enum wallet_command)operation->store.kind) {
    case COMMAND_REGISTER:
        answer->status = 201;
        answer->location = TEXT("/v1/users/me");
        answer_write_user(writer, &operation->user);
        return;
    case COMMAND_CREDIT:
        answer->status = 200;
        write_credits(writer, &operation->command.credit);
        return;
    case COMMAND_OPEN_FUND:
        answer->status = operation->outcome == LEDGER_APPLIED ? 201 : 200;
        answer->location =
            arena_print(operation->arena, "/v1/funds/%.*s", (int)operation->fund.reference.size, operation->fund.reference.data);
        answer_write_fund(writer, &operation->fund);
        return;
    case COMMAND_TOPUP_FUND:
    case COMMAND_RELEASE_FUND:
        answer->status = 200;
        answer_write_fund(writer, &operation->fund);
        return;
    case COMMAND_TRANSFER:
        answer->status = 201;
        answer->location = id_path(operation->arena, "/v1/transactions/", operation->transfer.id);
        write_transfer(writer, operation);
        return;
    case COMMAND_END_SESSION:
    case COMMAND_CHANGE_PASSWORD: answer->status = 204; return;
    case COMMAND_START_SESSION:
    case COMMAND_REFRESH_SESSION: break; /* tokens are signed where the answer is sent */
    }
    CHECK(answer->status != 0);
}

void answer_render(struct wallet_operation *operation, struct text request_id) {
    struct answer *answer = &operation->answer;
    *answer = (struct answer){.content_type = "application/json"};
    if (operation->outcome != LEDGER_APPLIED && operation->outcome != LEDGER_REPLAYED) {
        const struct problem *problem = problem_of_outcome(operation->outcome);
        answer->status = problem->status;
        answer->content_type = "application/problem+json";
        answer->body =
            problem_document(operation->arena, problem, request_id, (struct text){0}, NULL, problem_detail_of_outcome(operation->outcome));
        return;
    }
    struct buffer buffer;
    size_t room = ANSWER_BYTES;
    if (operation->store.kind == COMMAND_CREDIT) room += operation->command.credit.count * CREDIT_ITEM_BYTES;
    buffer_init(&buffer, operation->arena, room);
    struct json_writer writer = {.buffer = &buffer};
    write_success(&writer, operation);
    answer->body = buffer_text(&buffer);
    if (buffer.failed) *answer = (struct answer){.status = 503}; /* the handler has checked for room: see submit in flow.c */
}
