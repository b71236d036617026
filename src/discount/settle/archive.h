/* Which campaigns may leave memory: those that are over, and for which nothing is under way. The store archives them (own.h, board.h), if nobody holds one. And
 * which of them must come back: those whose books turn out to differ from Wallet's.
 *
 *   LOOKING ─ some have been over for long enough ─▶ ASKED (one request at a time, through the store) ─▶ LOOKING for more of them
 *
 * | it stays while                                     | because                                                       |
 * | it has not ended, or not for long enough           | it is used: so does one whose report was wanted a moment ago  |
 * | a place is not settled, or its fund not released   | the settler's other rooms look after live ones only           |
 * | its books were not compared, or do not agree       | the same                                                      |
 * | it is walked, made anew, or something is sent again | the same                                                      |
 * | somebody holds it                                  | the store would not let it go, and those behind it would wait |
 *
 * Invariants: one operation is on its way at most. Where more than ARCHIVE_CROWD are live, none waits for its time. Owns its operation; all else is lent.
 * The settler's thread. */
#pragma once

#include "discount/settle/comparison.h"

#define ARCHIVE_CROWD (2 * LIMIT_CAMPAIGNS)

struct archive {
    const struct board *board;
    const struct clock *clock;
    struct claims *claims;
    struct funds *funds;
    struct comparison *comparison;
    struct messages *messages;
    bool is_on;       /* false: nothing is archived */
    int64_t after_us; /* since the end of a campaign */
    struct own_operation own;
    uint32_t numbers[ARCHIVE_AT_ONCE];
    bool is_asking;
    bool must_recall;   /* some that are archived: until a look finds none */
    int64_t look_at_us; /* monotonic */
};

void archive_init(struct archive *archive);
void archive_run(struct archive *archive, int64_t now_us);
int64_t archive_next_us(const struct archive *archive); /* INT64_MAX: not before something comes back */
