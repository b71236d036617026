/* The board: what the loops may know of each campaign without a lock and without the store.
 *
 * A fixed array of slots, one per campaign, and two insert-only tables that find a slot by code and by id. What stands at a code changes when the code
 * of a campaign that has ended is taken by another one, or an administrator changes it. The store's thread publishes a
 * slot after the commit that it shows; any thread reads.
 *
 * Slot: a seqlock over 64-bit words. The writer makes `turn` odd, writes the words, makes it even. A reader takes `turn`, the words, and
 * `turn` again, and starts over when it was odd or has moved. All accesses are atomic: words are stored with release (so none is seen before
 * the odd turn) and loaded with acquire (so the second look at `turn` comes after them); no fences, which thread sanitizers do not know.
 *
 * What happened in which second is a ring of the newest seconds in which something did. The store's thread counts what a commit claimed and
 * credited in the same turn that shows the campaign, so that a report's seconds add up to its places. Refused attempts are counted by the
 * loops, without a turn, each in one cell by second and reason; a report reads every cell once, and makes both its sums of them. When a second
 * leaves the ring, its cells are added to the counts of `rejected_before` in one turn, and its sums to its minute, in a ring of the newest minutes:
 * so a report's minutes are those of that ring and those of the seconds. The latency is in no turn.
 *
 * A campaign that is over is *archived* by the store's thread: its slot stays where it is, with its last view and its sums, but the memory behind it goes:
 * its rings are emptied, and its filter is no more. Everything but its seconds and minutes is read of it as before, and refusals are counted as before, in a
 * ring that is empty. Who needs its seconds or minutes has it recalled, which puts what the database has in front of what was counted meanwhile. Nobody who
 * holds it sees it archived: a holder counts himself first and looks then, the store's thread says that it is archived first and looks for holders then. */
#pragma once

#include <pthread.h>

#include "base/crypto.h"
#include "base/metrics.h"
#include "base/phone.h"
#include "base/zone.h"
#include "discount/code_index.h"
#include "discount/core/line.h"
#include "discount/core/refusal.h"
#include "discount/filter.h"

#define BOARD_SECONDS       900u                 /* newest seconds with events: a quarter of an hour of them at least */
#define BOARD_MINUTES       1440u                /* newest minutes with events: a day of them at least */
#define BOARD_FILTER_BYTES  (8u * 1024 * 1024)   /* of one campaign; above it the filter only gets less sharp */
#define BOARD_FILTERS_BYTES (128u * 1024 * 1024) /* of all; a campaign without filter is answered by the database */

/* How a campaign's credits here and those of its fund in Wallet stand to each other, as far as was compared since this process began.
 *
 *   NOT_COMPARED ─▶ AGREE (the counts do) ◀─────────────────────────┐
 *        │            │ they differ                                  │ what Wallet lacks is sent again; it knew nothing of its own
 *        └────────────┴──▶ WALKING (each credit is looked at) ───────┤
 *                              │ Wallet knows credits that we do not │ they are all here
 *                              └──▶ RECOVERING ──────────────────────┘
 *                                      ▲ │ some of them can't be here
 *                     it is walked again └─▼ CONFLICTED
 *
 * Whatever the database held at the start is NOT_COMPARED: it may be an older copy. Nothing new of a campaign is sent to Wallet unless they AGREE, or what they
 * differ in is known and concerns others (CONFLICTED); no place of it is given out while it is RECOVERING or CONFLICTED. */
enum books { BOOKS_AGREE, BOOKS_NOT_COMPARED, BOOKS_WALKING, BOOKS_RECOVERING, BOOKS_CONFLICTED };
static inline bool books_are_recovering(enum books books) { return books == BOOKS_RECOVERING || books == BOOKS_CONFLICTED; }

/* A moment of a campaign; copied out as a whole. */
struct campaign_view {
    int64_t max_redemptions, redeemed, credited, failed;
    int64_t reversing, reversed, returned, day_returned;
    int64_t taken; /* as campaign_taken */
    int64_t waiting, lined_up, called;
    int64_t starts_at_us, ends_at_us, ended_at_us;
    int64_t is_paused;
    int64_t version, sequence;
    int64_t first_redeemed_at_us, last_redeemed_at_us, exhausted_at_us;
    int64_t fund_confirmed_minor, fund_step_minor, fund_step_version;
    int64_t fund_is_released, fund_is_refused;
    int64_t funded_places, credit_minor;
    int64_t over_at, spent_minor, ordered_minor;
    int64_t day_ends_at_us, day_before;
    int64_t phone_rule; /* of enum phone_rule */
    int64_t is_unapproved;
    struct campaign_rules rules;
};
static inline struct gate_times view_times(const struct campaign_view *view) {
    return (struct gate_times){view->starts_at_us, view->ends_at_us, view->ended_at_us, view->is_paused != 0};
}
static inline int64_t view_taken(const struct campaign_view *view) { return view->taken; }
static inline int64_t view_living(const struct campaign_view *view) { return view->redeemed - view->reversed; }
static inline enum campaign_state view_state(const struct campaign_view *view, int64_t now_us) {
    switch (campaign_gate(view_times(view), now_us)) {
    case GATE_ENDED: return CAMPAIGN_ENDED;
    case GATE_NOT_STARTED: return CAMPAIGN_SCHEDULED;
    case GATE_PAUSED: return CAMPAIGN_PAUSED;
    case GATE_OPEN: break;
    }
    return view_taken(view) >= view->max_redemptions ? CAMPAIGN_EXHAUSTED : CAMPAIGN_ACTIVE;
}
/* Who waits, and may still be promoted; and who has waited until its end. */
static inline bool view_has_ended(const struct campaign_view *view, int64_t now_us) {
    return campaign_gate(view_times(view), now_us) == GATE_ENDED;
}
static inline int64_t view_waiting(const struct campaign_view *view, int64_t now_us) {
    return view_has_ended(view, now_us) ? 0 : view->waiting;
}
static inline int64_t view_lapsed(const struct campaign_view *view, int64_t now_us) {
    return view_has_ended(view, now_us) ? view->waiting : 0;
}
/* Claims that Wallet owes yet. */
static inline int64_t view_unsettled(const struct campaign_view *view) {
    return gift_is_of_order(view->rules.kind) ? 0 : view_living(view) - view->credited - view->failed;
}
/* As campaign_is_over. */
static inline bool view_is_over(const struct campaign_view *view) {
    if (view->ended_at_us == 0 || view_unsettled(view) != 0 || view->reversing != 0 || view->fund_step_minor != 0) return false;
    return gift_is_of_order(view->rules.kind) || view->fund_is_released != 0;
}
#define VIEW_WORDS (sizeof(struct campaign_view) / sizeof(uint64_t))

struct refusal_counts {
    int64_t counts[REFUSAL_COUNT];
};

struct second_counts {
    int64_t second; /* since 1970 */
    uint32_t claimed, credited, rejected;
};

#define MINUTE_SECONDS 60
struct minute_counts {
    int64_t minute; /* since 1970 */
    uint32_t claimed, credited, rejected;
};

/* A moment of a campaign with its counters. The sums of `seconds` are redeemed, credited and all of `rejected`, until there have been more than
 * BOARD_SECONDS of them; what was taken back stays in the second in which it was credited. */
struct board_snapshot {
    struct campaign_view view;
    struct refusal_counts rejected;
    struct second_counts seconds[BOARD_SECONDS]; /* in their order; those in which something happened */
    size_t second_count;
};

/* The same by minutes, those of the seconds among them: their sums are the campaign's until there have been more than BOARD_MINUTES. */
struct board_minutes {
    struct minute_counts minutes[BOARD_MINUTES + BOARD_SECONDS]; /* in their order */
    size_t count;
};

/* What the database has of a campaign's seconds, and of its minutes what is in none of those; each in their order. */
struct board_history {
    struct minute_counts minutes[BOARD_MINUTES + BOARD_SECONDS];
    struct second_counts seconds[2 * BOARD_SECONDS]; /* the newest: so many may be kept there, and some more */
    size_t minute_count, second_count;
};

struct board_second {
    _Atomic int64_t second;
    _Atomic uint32_t claimed, credited;
    _Atomic uint32_t rejected_before; /* this start; their reasons are among the slot's own */
    _Atomic uint32_t rejected[REFUSAL_COUNT];
    _Atomic uint32_t rejected_saved;  /* of all of them: committed, */
    _Atomic uint32_t rejected_saving; /* and with the transaction that is under way */
};

/* What its seconds held that have left their ring. */
struct board_minute {
    _Atomic int64_t minute;
    _Atomic uint32_t claimed, credited, rejected;
};

struct board_slot {
    /* Set before the slot is found, then constant. */
    uint32_t number;
    struct id id;
    enum currency currency;
    bool is_of_orders;    /* has no fund */
    struct filter filter; /* while it has one */
    struct board *board;

    _Atomic uint32_t has_filter;       /* 0: ask the database; for good, once it is archived */
    _Atomic uint32_t is_archived;      /* its rings hold only what came since; changed by the turn's lock */
    _Atomic uint32_t holders;          /* who need its rings as they are, now */
    _Atomic int64_t wanted_at_us;      /* when somebody wanted to see them last; 0: never */
    _Atomic uint32_t books;            /* of enum books */
    _Atomic int64_t waiting;           /* as the newest view has it: for who looks at all campaigns */
    _Atomic(const struct zone *) zone; /* NULL: the service's */

    struct code_name code; /* by which it is found, or was found last */

    uint16_t name_size; /* by the turn's lock */
    char name[CAMPAIGN_NAME_BYTES];

    _Atomic uint64_t turn;
    _Atomic uint64_t words[VIEW_WORDS];
    struct board_second *seconds;                   /* [BOARD_SECONDS], a ring */
    _Atomic uint64_t second_count;                  /* ever begun: the newest is the one before */
    struct board_minute *minutes;                   /* [BOARD_MINUTES], a ring */
    _Atomic uint64_t minute_count;                  /* ever begun */
    _Atomic int64_t rejected_before[REFUSAL_COUNT]; /* this start, or in seconds that have left the ring */
    struct refusal_counts rejected_saved,
        rejected_saving;       /* the store thread's own: committed, and with the transaction that is under way */
    pthread_mutex_t turn_lock; /* who holds it may make a turn: the store's thread, and a loop when a second begins */

    atomic_bool is_dirty; /* refusals were counted since they were last saved */
    struct metric latency;
};

struct board;
struct result board_create(size_t capacity, struct board **ret_board) MUST_CHECK; /* RESULT_FULL */
void board_free(struct board *board);

/* ---- the store's thread (or before the threads start) ---- */
/* Room for this many; what is there stays. RESULT_FULL: no memory. */
struct result board_make_room(struct board *board, size_t count) MUST_CHECK;
/* Makes the slot of a new campaign, which nobody finds yet; an old one is left as it is. In the order of their numbers; there is room for it, or memory. */
void board_reserve(struct board *board, const struct campaign *campaign);
/* One that is archived from the start. */
void board_reserve_archived(struct board *board, const struct campaign *campaign);
/* The second in which events of this time are counted: the newest one when a loop's clock is ahead. */
int64_t board_begin_second(struct board_slot *slot, int64_t now_us);
/* Shows the campaign as it is, in a slot that was reserved, and counts in the second what has changed since it was last shown; 0: nothing. Credits that were
 * taken back leave the newest seconds that have some. */
void board_publish(struct board *board, const struct campaign *campaign, int64_t second);
/* Which those are: seconds with how many of `count` leave each; the number of them. */
size_t board_find_credited(const struct board_slot *slot, int64_t count, struct second_counts ret_seconds[BOARD_SECONDS]);
/* And of those that are in none of the seconds any more: minutes, the newest first. */
size_t board_find_credited_before(const struct board_slot *slot, int64_t count, struct minute_counts ret_minutes[BOARD_MINUTES]);
/* A new campaign is found by its code once it is published. Of one that is there: the code is its own from now on, and the one that it had before is nobody's. RESULT_FULL: no memory. */
struct result board_name_code(struct board *board, const struct campaign *campaign) MUST_CHECK;
/* After its slot was reserved, before the campaign with this winner is published. */
void board_add_winner(struct board *board, uint32_t campaign_number, struct id user_id, const struct phone *phone);
/* An answer is kept under this lookup (service/idempotency.h): before anything is published that its commit has changed. */
void board_add_kept(struct board *board, const struct hash *lookup, int64_t now_us);
/* From the database, after the campaign was published; seconds in their order. */
void board_restore_refusals(struct board_slot *slot, const struct refusal_counts *counts);
/* Before the seconds: of each minute what is in none of those, in their order. */
void board_restore_minute(struct board_slot *slot, const struct minute_counts *counts);
void board_restore_second(struct board_slot *slot, const struct second_counts *counts);
/* What of the refusals is not saved yet, as differences: in `rejected`, and in the seconds that have some. Each is followed by board_end_saving, when the
 * transaction that saves them is over: what was not committed is taken again by the next. */
void board_take_unsaved(struct board_slot *slot, struct board_snapshot *ret_unsaved);
void board_end_saving(struct board_slot *slot, bool is_committed);

/* False: somebody holds it. One that is archived gives back what was counted since, and is saved. Not between take_unsaved and end_saving. */
bool board_archive(struct board_slot *slot);
/* What the database has of it is in its rings again, in their order, with what was counted since. Of one that is not archived: nothing. */
void board_recall(struct board_slot *slot, const struct board_history *history);
/* Of those that are archived: whether there may be refusals that are not saved, or were not when they were taken last. */
bool board_has_news(const struct board *board);
bool board_take_news(struct board *board);

/* ---- the settler's thread (or before the threads start) ---- */
void board_set_books(struct board_slot *slot, enum books books);

/* ---- any thread ---- */
enum books board_books(const struct board_slot *slot);
size_t board_count(const struct board *board);
struct board_slot *board_slot(const struct board *board, size_t index); /* index = number - 1 < board_count */
/* The first at this index, or behind it, that is not archived; the count, or more: there is none. For who looks at all campaigns. */
size_t board_next(const struct board *board, size_t index);
size_t board_awake_count(const struct board *board);
bool board_is_archived(const struct board_slot *slot);
/* It is not archived, nor will it be until it is let go. False: it is archived; to be let go as well. */
bool board_hold(struct board_slot *slot) MUST_CHECK;
void board_let_go(struct board_slot *slot);
bool board_is_held(const struct board_slot *slot); /* at this moment: who asks has no use for archiving it yet */
struct board_slot *board_find_code(const struct board *board, const struct code *code); /* NULL: unknown */
struct board_slot *board_find_id(const struct board *board, struct id id);
struct campaign_view board_view(const struct board_slot *slot);
struct text board_code(const struct board_slot *slot); /* empty: it never had one */
/* A redemption of the campaign, as it is told to people (line_show). */
void board_show(const struct board_slot *slot, struct redemption *redemption, int64_t now_us);
/* Of the campaign as it is shown; with a lock, so not for what is asked often. */
struct text board_copy_name(struct board_slot *slot, char into[CAMPAIGN_NAME_BYTES]);
struct money board_credit(const struct board_slot *slot); /* of each place */
void board_read(const struct board_slot *slot, struct board_snapshot *ret_snapshot);
/* And with its minutes, of the same moment. */
void board_read_all(const struct board_slot *slot, struct board_snapshot *ret_snapshot, struct board_minutes *ret_minutes);
/* False: certainly no winner. True: ask the database. */
bool board_may_be_user(const struct board *board, const struct board_slot *slot, struct id user_id);
bool board_may_be_phone(const struct board *board, const struct board_slot *slot, const struct phone *phone);
/* False: certainly nothing is kept under it that this was published with, or before. True: the store knows. */
bool board_may_be_kept(const struct board *board, const struct hash *lookup);
void board_count_refusal(struct board_slot *slot, enum refusal refusal, int64_t now_us);
