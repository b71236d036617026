#include "wallet/operation.h"

#include "base/check.h"

static void take_fund(struct wallet_operation *operation, const struct fund *fund) {
    operation->fund = *fund;
    operation->fund_account = *fund->account;
    operation->fund.account = &operation->fund_account;
    operation->fund.caller = operation->command.fund.caller;
    operation->fund.reference = operation->command.fund.reference;
    operation->fund.description = arena_copy(operation->arena, fund->description);
}

static void decide_fund(struct ledger *ledger, struct wallet_operation *operation, int64_t now_us) {
    const struct fund_command *command = &operation->command.fund;
    struct fund *fund = NULL;
    if (operation->store.kind == COMMAND_OPEN_FUND) operation->outcome = ledger_open_fund(ledger, command, now_us, &fund);
    if (operation->store.kind == COMMAND_TOPUP_FUND) operation->outcome = ledger_topup_fund(ledger, command, now_us, &fund);
    if (operation->store.kind == COMMAND_RELEASE_FUND) operation->outcome = ledger_release_fund(ledger, command, now_us, &fund);
    if (fund != NULL) take_fund(operation, fund);
}

static void take_session(struct ledger *ledger, struct wallet_operation *operation, const struct session *session) {
    const struct user *user = ledger_find_user(ledger, session->user_id);
    CHECK(user != NULL);
    operation->session = *session;
    operation->user = *user;
}

static void decide_session(struct ledger *ledger, struct wallet_operation *operation, int64_t now_us) {
    struct session *session = NULL;
    if (operation->store.kind == COMMAND_START_SESSION) {
        operation->outcome = ledger_start_session(ledger, &operation->command.start_session, now_us, &session);
    } else {
        operation->outcome = ledger_refresh_session(ledger, &operation->command.refresh_session, now_us, &session);
    }
    if (session != NULL) take_session(ledger, operation, session);
}

static void decide_transfer(struct ledger *ledger, struct wallet_operation *operation, int64_t now_us) {
    const struct transfer *transfer = NULL;
    operation->outcome = ledger_transfer(ledger, &operation->command.transfer, now_us, &transfer);
    if (transfer == NULL) return;
    operation->transfer = *transfer;
    const struct account *recipient = ledger_find_account_by_number(ledger, transfer->credit_account);
    CHECK(recipient != NULL);
    const struct user *user = ledger_find_user(ledger, recipient->user_id);
    CHECK(user != NULL);
    operation->counterparty_account = recipient->id;
    operation->counterparty = *user;
}

static void decide_registration(struct ledger *ledger, struct wallet_operation *operation, int64_t now_us) {
    struct user *user = NULL;
    operation->outcome = ledger_register_user(ledger, &operation->command.register_user, now_us, &user);
    if (user != NULL) operation->user = *user;
}

void operation_decide(struct ledger *ledger, struct wallet_operation *operation, int64_t now_us) {
    switch ((enum wallet_command)operation->store.kind) {
    case COMMAND_REGISTER: decide_registration(ledger, operation, now_us); return;
    case COMMAND_START_SESSION:
    case COMMAND_REFRESH_SESSION: decide_session(ledger, operation, now_us); return;
    case COMMAND_END_SESSION: operation->outcome = ledger_end_session(ledger, operation->command.end_session, now_us); return;
    case COMMAND_CHANGE_PASSWORD: operation->outcome = ledger_change_password(ledger, &operation->command.change_password, now_us); return;
    case COMMAND_CREDIT: {
        const struct credit_batch *batch = &operation->command.credit;
        for (size_t i = 0; i < batch->count; i++) batch->outcomes[i] = ledger_credit(ledger, batch->caller, &batch->items[i], now_us);
        operation->outcome = LEDGER_APPLIED;
        return;
    }
    case COMMAND_OPEN_FUND:
    case COMMAND_TOPUP_FUND:
    case COMMAND_RELEASE_FUND: decide_fund(ledger, operation, now_us); return;
    case COMMAND_TRANSFER: decide_transfer(ledger, operation, now_us); return;
    }
    CHECK(operation->store.kind == COMMAND_TRANSFER);
}
