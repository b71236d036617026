/* A walk over the credits that Wallet has paid out of one campaign's fund, each held against its redemption here. It finds what either side has lost.
 *
 *   IDLE ─▶ READING (GET /v1/funds/{reference}/transactions, page by page) ─▶ SENDING (our own rows, some at a time) ─▶ IDLE
 *                 │ no usable answer, or no room for what was found: given up, `ended` says so
 *                 └─▶ IDLE
 *
 * | Wallet has          | here it is               | what becomes of it                                                            |
 * | a credit            | credited, the same       | nothing                                                                       |
 * | a credit            | claimed                  | nothing: it is sent as ever, Wallet says `replayed`                           |
 * | a credit            | credited with another, or failed | sent again: what Wallet answers is written down                       |
 * | a credit            | unknown                  | handed to whoever makes redemptions anew (unknown.h); the campaign is RECOVERING |
 * | a credit            | waiting for a place      | handed over as unknown: it gets the place that it has there                     |
 * | a credit, taken back | credited                | handed over as unknown: it becomes reversed here, its place burned            |
 * | a credit            | reversed                 | its reversal is sent again; what Wallet answers changes nothing here           |
 * | none, or taken back | reversed                 | nothing: it is never credited again                                           |
 * | a credit            | another user's           | said in the log: sending can't put it right                                    |
 * | a credit            | (its reference is no id) | said in the log, and counted: nobody of ours is owed for it                    |
 * | none                | credited                 | sent again                                                                    |
 *
 * Sending again is harmless: the redemption's id is the reference, Wallet pays each once. Two bits for each place is what it costs.
 *
 * Invariants: one walk at a time; what is paid there was either seen by the walk or claimed here after the walk began; a walk that was given up has handed
 * over nothing. The settler's thread. */
#pragma once

#include "discount/settle/backoff.h"
#include "discount/settle/calls.h"
#include "discount/settle/claims.h"
#include "discount/settle/unknown.h"

#define WALK_CURSOR_BYTES 128u

enum walk_state { WALK_IDLE, WALK_READING, WALK_SENDING };

struct walk_counts {
    size_t seen;            /* credits there */
    size_t unknown;         /* of them, here */
    size_t again;           /* rows that are sent again */
    size_t reversals_again; /* reversals that are */
    size_t foreign;         /* credits there whose reference is no redemption's id */
    int64_t foreign_minor;
    size_t of_another; /* credits there whose redemption here is another user's, or of another campaign */
};

struct walk {
    const struct board *board;
    struct batch *batch; /* read-only */
    struct calls *calls;
    struct claims *claims;
    /* Sends the reversal of one that is reversed here once more; false: no room. NULL: nobody does. */
    bool (*reverse_again)(void *reversals, const struct redemption *redemption);
    void *reversals;
    const struct unknown_taker *taker; /* NULL: nobody takes them, they are only counted */
    /* It is over: is_done, or it was given up. */
    void (*ended)(void *context, uint32_t campaign_number, bool is_done);
    /* All pages are read: what the books are from now on may be said. */
    void (*read)(void *context, uint32_t campaign_number);
    void *context;

    enum walk_state state;
    uint32_t campaign_number;
    size_t foreign_told;    /* so many foreign credits of this campaign were said in the log before */
    int64_t place_count;    /* that were given out when it began */
    int64_t credited_count; /* of them */
    uint8_t *paid, *other;  /* bit by position: credited there as here; credited there, and here it is something else */
    bool has_taken;         /* the taker has begun */
    struct walk_counts counts;
    int64_t paid_count, other_count;
    char cursor[WALK_CURSOR_BYTES];
    size_t cursor_size;
    int64_t sent_position; /* all up to it were looked at */
    struct http_call call;
    struct arena arena; /* of the page under way */
    bool is_asking;
    struct backoff backoff; /* of the page that brought nothing */
};

/* False: it could not begin now. IDLE, all that is lent is set. */
bool walk_begin(struct walk *walk, uint32_t campaign_number);
void walk_run(struct walk *walk, int64_t now_us);              /* goes on as far as it can now */
int64_t walk_next_us(const struct walk *walk, int64_t now_us); /* when to go on, monotonic; INT64_MAX: not before something comes back */
void walk_free(struct walk *walk);                             /* after the calls were given up; also of zeros */
static inline bool walk_is_of(const struct walk *walk, uint32_t campaign_number) {
    return walk->state != WALK_IDLE && walk->campaign_number == campaign_number;
}
