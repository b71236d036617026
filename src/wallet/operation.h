/* One command on its way: from the handler (or a password thread) to the store, and back to the loop with its outcome.
 *
 *   handler ─▶ [password pool] ─▶ store: decide ─▶ commit ─▶ done ─▶ loop: render, answer
 *
 * It lives in its exchange's arena and changes hands with the exchange. When the request carries an Idempotency-Key, the answer is rendered
 * inside decide and kept in the transaction of its effect; else the loop renders it, so that the store thread does not. */
#pragma once

#include <stddef.h>

#include "base/check.h"
#include "service/idempotency.h"
#include "store/store.h"
#include "wallet/core/credits.h"
#include "wallet/core/funds.h"
#include "wallet/core/sessions.h"
#include "wallet/core/users.h"

enum wallet_command {
    COMMAND_REGISTER = 1,
    COMMAND_START_SESSION,
    COMMAND_REFRESH_SESSION,
    COMMAND_END_SESSION,
    COMMAND_CHANGE_PASSWORD,
    COMMAND_CREDIT,
    COMMAND_OPEN_FUND,
    COMMAND_TOPUP_FUND,
    COMMAND_RELEASE_FUND,
    COMMAND_TRANSFER,
};

struct answer {
    int status; /* 0: not rendered yet */
    const char *content_type;
    struct text location; /* empty: none */
    struct text body;
};

struct refresh_secret; /* sessions.c */

struct credit_batch {
    struct text caller;
    const struct credit_item *items;
    struct credit_outcome *outcomes;
    size_t count;
};

enum operation_replay { REPLAY_NONE = 0, REPLAY_KEPT, REPLAY_REFUSED };

struct wallet_operation {
    struct store_operation store; /* kind: enum wallet_command */
    struct arena *arena;          /* of the exchange, or of the command line */
    struct exchange *exchange;    /* NULL: from the command line or a test */
    struct idempotency_request idempotency;
    union {
        struct register_command register_user;
        struct session_command start_session;
        struct refresh_command refresh_session;
        struct id end_session;
        struct password_command change_password;
        struct credit_batch credit;
        struct fund_command fund;
        struct transfer_command transfer;
    } command;

    /* what came of it; copies, because the working set is gone by the time of the answer */
    enum ledger_outcome outcome;
    struct user user;       /* register; sessions: whose */
    struct session session; /* sessions */
    struct fund fund;       /* funds; its texts are in `arena`, its account is `fund_account` */
    struct account fund_account;
    struct transfer transfer; /* transfers; its texts are those of the command */
    struct id counterparty_account;
    struct user counterparty;
    struct answer answer;
    enum operation_replay replay;
    struct idempotency_record kept; /* REPLAY_*: in `arena` */
    struct result failure;          /* of a replay that found no room */
    struct refresh_secret *secret;  /* sessions: of the next refresh token; in `arena`, wiped with the answer */
};

static inline struct wallet_operation *operation_of(struct store_operation *store) {
    return CONTAINER_OF(store, struct wallet_operation, store);
}

/* Applies the command to the working set and takes copies of what the answer needs. Pure but for the operation itself. */
void operation_decide(struct ledger *ledger, struct wallet_operation *operation, int64_t now_us);

/* Renders `operation->answer` from the outcome. Not for sessions, whose tokens are signed on the loop and never kept. The document of a
 * problem carries `request_id`. An answer that does not fit into the arena becomes 503 overloaded. */
void answer_render(struct wallet_operation *operation, struct text request_id);
