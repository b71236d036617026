/* The waiting list: who comes when all places are gone waits for one, in one line, as long as the campaign says (`waiting_list`).
 *
 *            all places are gone,         a place is open, and it is       as any other: credited once,
 *            the line has room            the first of the line            or applied to its order
 *   (none) ─────────────────────▶ waiting ───────────────────────▶ claimed ──────────────────────────▶ …
 *                                    │                        or applied
 *                                    └ the campaign has ended: lapsed, which is final and needs no commit
 *
 * | crash                          | found at the start      | then                                                                       |
 * | before `waiting` is committed  | nothing                 | nobody was told that he waits                                              |
 * | while it waits                 | waiting, in its place   | the settler looks whether a place is open (settle/turns.h)            |
 * | after it was promoted          | claimed, not yet paid   | its credit is sent like any other: the reference is the redemption's id    |
 *
 * A place that comes free is taken in the commit in which it does where that is a reversal's end: the first of the line is loaded with it. Whatever else opens
 * places (a limit or a budget that is raised, a fund that grows, an end of a pause, hours or a day that begin) is noticed by the settler, which asks the store
 * to promote, in commits of their own, so many at a time.
 *
 * Owners: the line is the store's thread's alone; that a place is open is seen on the board by the settler, which asks and never decides.
 *
 * Invariants: nobody gets a place while somebody waits, but for the first of the line; so nobody who comes later is served earlier, and a place that is open
 * is his although nobody has given it to him yet. Who waits holds his user's, phone's, code's and order's share of the limits from the moment he came, and takes
 * place, budget, day and fund when he is promoted, by the same decision as anybody who comes then (redeem.h); what he can't have yet, nobody behind him gets.
 * Tickets are 1..lined_up, each given once. Those up to `called` have left the line; of those behind, `strayed` have left it out of turn, because Wallet had
 * paid them before our database was replaced by an older copy; all the others wait: waiting = lined_up - called - strayed. So the rank of a ticket is its distance from
 * `called`, known without a look at the line, and exact but for those who strayed.
 * Nobody is ever put out of the line: a list that is made shorter takes nobody new until there is room again. */
#pragma once

#include "discount/core/set.h"

/* What the core is handed of clocks and other books, when somebody may be promoted. */
struct moment {
    int64_t opens_at_us; /* by the schedule; 0: it is open */
    struct day_window day;
    bool is_recovering;
};

/* The length that the list has now: 0 when there are no more tickets. */
int64_t line_length(int64_t waiting_list, int64_t lined_up);
/* A redemption that is not in the set yet becomes the last of the line. */
void line_join(struct campaign *campaign, struct redemption *redemption);
/* It has the campaign's newest position from now on; in turn or not. */
void line_leave(struct campaign *campaign, struct redemption *redemption, int64_t claimed_at_us);
/* The first places in the line's order to those who wait, as many as there are and as may be given now; so many. The set has been loaded with the first of the line, as many as this
 * batch may promote (campaign_set_load_line): beyond those nobody is promoted. */
int64_t campaign_promote(struct campaign_set *set, struct campaign *campaign, const struct moment *moment, int64_t now_us);
/* As it is told to people: with its rank, or lapsed. */
void line_show(struct redemption *redemption, int64_t called, bool has_ended);
/* Of a campaign's: as campaign_fault. */
const char *line_fault(const struct campaign *campaign);
