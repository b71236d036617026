/* Whose turn it is: places that are open while somebody waits for one, looked for on the board. What is found is promoted by the store (own.h), which decides; the
 * claims that come of it are read from the database like any that nobody has brought.
 *
 *   LOOKING ─ a campaign has a line, and a place that may be given ─▶ ASKED (one at a time, through the store) ─▶ LOOKING behind it
 *      │ a whole turn without any success: until the next look
 *
 * Invariants: one operation is on its way at most; while anybody waits, each campaign is looked at once a second and whenever somebody has changed one, so that
 * what opens a place without a commit, an hour or a day, is noticed as well. Owns its operation; all else is lent. The settler's thread. */
#pragma once

#include "discount/settle/claims.h"
#include "discount/settle/messages.h"

struct turns {
    const struct board *board;
    const struct clock *clock;
    struct claims *claims;
    struct messages *messages;
    struct own_operation own;
    bool is_asking, must_look;
    bool has_news, has_line, has_promoted; /* of the turn that is under way */
    size_t next;                           /* index of the campaign to be looked at next */
    int64_t look_at_us;                    /* monotonic */
};

void turns_init(struct turns *turns);
void turns_look(struct turns *turns); /* something has changed: with the next turns_run */
void turns_run(struct turns *turns, int64_t now_us);
int64_t turns_next_us(const struct turns *turns); /* INT64_MAX: nobody waits, or it is asked; 0: at once */
