/* The board: what the loops may know of each campaign without a lock and without the store.
 *
 * A fixed array of slots, one per campaign, and two insert-only tables that find a slot by code and by id. The store's thread publishes a
 * slot after the commit that it shows; any thread reads.
 *
 * Slot: a seqlock over 64-bit words. The writer makes `turn` odd, writes the words, makes it even. A reader takes `turn`, the words, and
 * `turn` again, and starts over when it was odd or has moved. All accesses are atomic: words are stored with release (so none is seen before
 * the odd turn) and loaded with acquire (so the second look at `turn` comes after them); no fences, which thread sanitizers do not know.
 *
 * Counters of refused attempts, the latency and the seconds are not in the seqlock: loops add to them by themselves. */
#pragma once

#include <pthread.h>

#include "base/metrics.h"
#include "discount/campaign.h"
#include "discount/filter.h"

#define BOARD_SECONDS       600u                 /* newest seconds with events that a report shows */
#define BOARD_FILTER_BYTES  (8u * 1024 * 1024)   /* of one campaign; above it the filter only gets less sharp */
#define BOARD_FILTERS_BYTES (128u * 1024 * 1024) /* of all; a campaign without filter is answered by the database */

/* A moment of a campaign; copied out as a whole. */
struct campaign_view {
    int64_t max_redemptions, redeemed, credited, failed;
    int64_t starts_at_us, ends_at_us, ended_at_us;
    int64_t is_paused;
    int64_t version, sequence;
    int64_t first_redeemed_at_us, last_redeemed_at_us, exhausted_at_us;
    int64_t fund_confirmed_minor, fund_step_minor, fund_step_version;
    int64_t fund_is_released;
};
#define VIEW_WORDS (sizeof(struct campaign_view) / sizeof(uint64_t))

struct board_second {
    _Atomic int64_t second; /* since 1970; 0: unused */
    _Atomic uint32_t claimed, credited, rejected;
};

enum board_event { BOARD_CLAIMED, BOARD_CREDITED, BOARD_REJECTED };

struct board_slot {
    /* Set before the slot is found, then constant. */
    uint32_t number;
    struct id id;
    struct code code;
    struct money credit;
    struct filter filter; /* words NULL: no filter */

    _Atomic uint64_t turn;
    _Atomic uint64_t words[VIEW_WORDS];

    _Atomic int64_t rejected[REJECTION_COUNT];
    atomic_bool is_dirty; /* counters or seconds have changed since they were last saved */
    struct metric latency;
    struct board_second *seconds; /* [BOARD_SECONDS], at second % BOARD_SECONDS */
    pthread_mutex_t seconds_lock; /* only when a second begins */
};

struct board;
struct result board_create(size_t capacity, struct board **ret_board) MUST_CHECK; /* RESULT_FULL */
void board_free(struct board *board);

/* ---- the store's thread (or before the threads start) ---- */
/* Makes the slot of a new campaign, which nobody finds yet; an old one is left as it is. In the order of their numbers. */
void board_reserve(struct board *board, const struct campaign *campaign);
/* Shows the campaign as it is, in a slot that was reserved. */
void board_publish(struct board *board, const struct campaign *campaign);
/* After its slot was reserved, before the campaign with this winner is published. */
void board_add_winner(struct board *board, uint32_t campaign_number, struct id user_id, const struct phone *phone);

/* ---- any thread ---- */
size_t board_count(const struct board *board);
struct board_slot *board_slot(const struct board *board, size_t index);                 /* index = number - 1 < board_count */
struct board_slot *board_find_code(const struct board *board, const struct code *code); /* NULL: unknown */
struct board_slot *board_find_id(const struct board *board, struct id id);
struct campaign_view board_view(const struct board_slot *slot);
/* False: certainly no winner. True: ask the database. */
bool board_may_be_user(const struct board *board, const struct board_slot *slot, struct id user_id);
bool board_may_be_phone(const struct board *board, const struct board_slot *slot, const struct phone *phone);
void board_count_rejection(struct board_slot *slot, enum rejection rejection, int64_t now_us);
void board_count_event(struct board_slot *slot, enum board_event event, uint32_t count, int64_t now_us);
