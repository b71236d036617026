/* Requests that wait in the settler: for their claim's credit, or for their campaign's fund. Whoever they wait for keeps them in a list of their
 * own; all of them are in one list of deadlines here.
 *
 *   waiters_add ──▶ WAITING (in a list, with a deadline) ──▶ its time is up, or told to: answered as things stand
 *                      │ waiters_freeze                       ▲ waiters_thaw: it was not committed
 *                      └─────────▶ FROZEN (in the list of one of our own operations, which makes its answer in its transaction)
 *                                     └──▶ committed: answered by the store's thread, gone from here
 *
 * Invariants: a waiting request is in exactly one list and among the deadlines, a frozen one in one list and not among them; its exchange is ours
 * as long as it is in either; once it is answered, or handed back to the store for a NOTE, it is in none. The settler's thread. */
#pragma once

#include "discount/board.h"
#include "discount/operation.h"
#include "store/batch.h"

struct waiters {
    const struct board *board;
    const struct clock *clock;
    struct batch *batch; /* for campaigns as they stand */
    struct store *store; /* for NOTEs */
    int64_t wait_us;     /* how long each waits */
    struct operation_list by_deadline;
};

/* `store` is set when there is one. All of them are lent. */
void waiters_init(struct waiters *waiters, const struct board *board, const struct clock *clock, struct batch *batch, int64_t wait_us);

/* The request is ours from now on: it waits in `list` until its deadline. */
void waiters_add(struct waiters *waiters, struct operation_list *list, struct discount_operation *operation);
/* Answers as things stand, what is in no list; with an Idempotency-Key by way of its record, through the store. The request is gone. */
void waiters_answer_now(struct waiters *waiters, struct discount_operation *operation);
/* A request that waits goes on waiting in another list, as long as it would have; NULL: it waits for nothing any more, and is answered as things stand. */
void waiters_move(struct waiters *waiters, struct discount_operation *operation, struct operation_list *to);
/* Answers those whose time has come; `all`: everybody. */
void waiters_end(struct waiters *waiters, int64_t now_us, bool all);
/* The nearest deadline, monotonic; INT64_MAX: nobody waits. */
int64_t waiters_next_us(const struct waiters *waiters);

/* Moves waiters (at most max) whose answers one of our operations makes; they have no deadline from then on. The number of the moved. */
size_t waiters_freeze(struct waiters *waiters, struct operation_list *from, struct operation_list *to, size_t max);
/* The operation that they were frozen for was not committed, or never got into the store: answered as things stand. (After a commit the store's
 * thread has answered them.) */
void waiters_thaw(struct waiters *waiters, struct operation_list *list);
/* The first one, in no list and without a deadline any more, to be answered by the caller; NULL: nobody is left. */
struct discount_operation *waiters_take(struct waiters *waiters, struct operation_list *list);
