#include "discount/board.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"

_Static_assert(sizeof(struct campaign_view) % sizeof(uint64_t) == 0, "the view is copied by words");

struct board {
    struct board_slot *slots; /* [capacity] */
    size_t capacity;
    atomic_size_t count;
    size_t reserved_count;             /* the publishing thread's own; at least count */
    _Atomic uint32_t *by_code, *by_id; /* [table_size], linear probing; number of the campaign, 0: empty */
    size_t table_size;                 /* a power of two, at least 2 × capacity */
    struct board_second *seconds;      /* [capacity × BOARD_SECONDS]: the kernel gives pages when they are first touched */
    size_t seconds_bytes;
    size_t filters_bytes; /* given out so far */
    uint8_t secret[16];
};

static void *map_pages(size_t size_bytes) {
    void *pages = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

struct result board_create(size_t capacity, struct board **ret_board) {
    struct board *board = calloc(1, sizeof *board);
    if (board == NULL) return result_error(RESULT_FULL);
    board->capacity = capacity;
    board->table_size = 16;
    while (board->table_size < 2 * capacity) board->table_size *= 2;
    board->slots = calloc(capacity, sizeof *board->slots);
    board->by_code = calloc(board->table_size, sizeof *board->by_code);
    board->by_id = calloc(board->table_size, sizeof *board->by_id);
    board->seconds_bytes = capacity * BOARD_SECONDS * sizeof *board->seconds;
    board->seconds = map_pages(board->seconds_bytes);
    crypto_random(board->secret, sizeof board->secret);
    if (board->slots == NULL || board->by_code == NULL || board->by_id == NULL || board->seconds == NULL) {
        board_free(board);
        return result_error(RESULT_FULL);
    }
    *ret_board = board;
    return result_ok();
}

void board_free(struct board *board) {
    if (board == NULL) return;
    for (size_t i = 0; i < board->reserved_count; i++) {
        struct filter *filter = &board->slots[i].filter;
        if (filter->words != NULL) CHECK(munmap((void *)filter->words, (filter->bit_mask + 1) / 8) == 0);
        pthread_mutex_destroy(&board->slots[i].seconds_lock);
    }
    if (board->seconds != NULL) CHECK(munmap(board->seconds, board->seconds_bytes) == 0);
    free(board->slots);
    free((void *)board->by_code);
    free((void *)board->by_id);
    free(board);
}

/* ---- tables ---- */

static uint64_t hash_bytes(const struct board *board, const void *data, size_t size) {
    return crypto_short_hash((struct text){data, size}, board->secret);
}

static void table_insert(_Atomic uint32_t *table, size_t table_size, uint64_t hash, uint32_t number) {
    size_t at = hash & (table_size - 1);
    while (atomic_load_explicit(&table[at], memory_order_relaxed) != 0) at = (at + 1) & (table_size - 1);
    atomic_store_explicit(&table[at], number, memory_order_release);
}

struct board_slot *board_find_code(const struct board *board, const struct code *code) {
    if (code->size == 0) return NULL;
    size_t at = hash_bytes(board, code->canonical, code->size) & (board->table_size - 1);
    for (;; at = (at + 1) & (board->table_size - 1)) {
        uint32_t number = atomic_load_explicit(&board->by_code[at], memory_order_acquire);
        if (number == 0) return NULL;
        struct board_slot *slot = &board->slots[number - 1];
        if (code_equal(&slot->code, code)) return slot;
    }
}

struct board_slot *board_find_id(const struct board *board, struct id id) {
    size_t at = hash_bytes(board, id.bytes, sizeof id.bytes) & (board->table_size - 1);
    for (;; at = (at + 1) & (board->table_size - 1)) {
        uint32_t number = atomic_load_explicit(&board->by_id[at], memory_order_acquire);
        if (number == 0) return NULL;
        struct board_slot *slot = &board->slots[number - 1];
        if (id_equal(slot->id, id)) return slot;
    }
}

size_t board_count(const struct board *board) { return atomic_load_explicit(&board->count, memory_order_acquire); }

struct board_slot *board_slot(const struct board *board, size_t index) {
    CHECK(index < board_count(board));
    return &board->slots[index];
}

/* ---- publishing ---- */

static void write_view(struct board_slot *slot, const struct campaign *campaign) {
    struct campaign_view view = {
        .max_redemptions = campaign->max_redemptions,
        .redeemed = campaign->redeemed,
        .credited = campaign->credited,
        .failed = campaign->failed,
        .starts_at_us = campaign->starts_at_us,
        .ends_at_us = campaign->ends_at_us,
        .ended_at_us = campaign->ended_at_us,
        .is_paused = campaign->is_paused,
        .version = campaign->version,
        .sequence = campaign->sequence,
        .first_redeemed_at_us = campaign->first_redeemed_at_us,
        .last_redeemed_at_us = campaign->last_redeemed_at_us,
        .exhausted_at_us = campaign->exhausted_at_us,
        .fund_confirmed_minor = campaign->fund_confirmed_minor,
        .fund_step_minor = campaign->fund_step_minor,
        .fund_step_version = campaign->fund_step_version,
        .fund_is_released = campaign->fund_is_released,
    };
    uint64_t words[VIEW_WORDS];
    memcpy(words, &view, sizeof view);
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    CHECK(turn % 2 == 0);
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_relaxed);
    for (size_t i = 0; i < VIEW_WORDS; i++) atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
    atomic_store_explicit(&slot->turn, turn + 2, memory_order_release);
}

struct campaign_view board_view(const struct board_slot *slot) {
    for (;;) {
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        uint64_t words[VIEW_WORDS];
        for (size_t i = 0; i < VIEW_WORDS; i++) words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
        if (turn % 2 == 0 && atomic_load_explicit(&slot->turn, memory_order_relaxed) == turn) {
            struct campaign_view view;
            memcpy(&view, words, sizeof view);
            return view;
        }
    }
}

static void give_filter(struct board *board, struct board_slot *slot, int64_t places) {
    size_t bytes = filter_bytes((uint64_t)places * 2); /* a user and a phone for each place */
    if (bytes > BOARD_FILTER_BYTES) bytes = BOARD_FILTER_BYTES;
    if (bytes > BOARD_FILTERS_BYTES - board->filters_bytes) return;
    void *memory = map_pages(bytes);
    if (memory == NULL) return;
    board->filters_bytes += bytes;
    filter_init(&slot->filter, memory, bytes);
}

void board_reserve(struct board *board, const struct campaign *campaign) {
    CHECK(campaign->number >= 1 && campaign->number <= board->reserved_count + 1 && campaign->number <= board->capacity);
    if (campaign->number <= board->reserved_count) return;
    struct board_slot *slot = &board->slots[campaign->number - 1];
    slot->number = campaign->number;
    slot->id = campaign->id;
    slot->code = campaign->code;
    slot->credit = campaign->credit;
    slot->latency = (struct metric){.name = "latency", .help = "", .labels = "", .kind = METRIC_HISTOGRAM, .is_duration = true};
    slot->seconds = board->seconds + (size_t)(campaign->number - 1) * BOARD_SECONDS;
    CHECK(pthread_mutex_init(&slot->seconds_lock, NULL) == 0);
    give_filter(board, slot, campaign->max_redemptions);
    board->reserved_count = campaign->number;
}

void board_publish(struct board *board, const struct campaign *campaign) {
    size_t count = board_count(board);
    CHECK(campaign->number >= 1 && campaign->number <= count + 1 && campaign->number <= board->reserved_count);
    struct board_slot *slot = &board->slots[campaign->number - 1];
    CHECK(id_equal(slot->id, campaign->id));
    write_view(slot, campaign);
    if (campaign->number <= count) return;
    table_insert(board->by_code, board->table_size, hash_bytes(board, slot->code.canonical, slot->code.size), slot->number);
    table_insert(board->by_id, board->table_size, hash_bytes(board, slot->id.bytes, sizeof slot->id.bytes), slot->number);
    atomic_store_explicit(&board->count, campaign->number, memory_order_release);
}

/* ---- winners ---- */

static uint64_t hash_phone(const struct board *board, const struct phone *phone) { return hash_bytes(board, phone->e164, phone->size); }

void board_add_winner(struct board *board, uint32_t campaign_number, struct id user_id, const struct phone *phone) {
    CHECK(campaign_number >= 1 && campaign_number <= board->reserved_count);
    struct board_slot *slot = &board->slots[campaign_number - 1];
    if (slot->filter.words == NULL) return;
    filter_add(&slot->filter, hash_bytes(board, user_id.bytes, sizeof user_id.bytes));
    filter_add(&slot->filter, hash_phone(board, phone));
}

bool board_may_be_user(const struct board *board, const struct board_slot *slot, struct id user_id) {
    return slot->filter.words == NULL || filter_may_hold(&slot->filter, hash_bytes(board, user_id.bytes, sizeof user_id.bytes));
}

bool board_may_be_phone(const struct board *board, const struct board_slot *slot, const struct phone *phone) {
    return slot->filter.words == NULL || filter_may_hold(&slot->filter, hash_phone(board, phone));
}

/* ---- counters ---- */

/* Always a store, never a look first: it releases the counter to the saver's exchange. */
static void mark_dirty(struct board_slot *slot) { atomic_store_explicit(&slot->is_dirty, true, memory_order_release); }

static struct board_second *second_of(struct board_slot *slot, int64_t now_us) {
    int64_t now = now_us / CLOCK_SECOND_US;
    struct board_second *second = &slot->seconds[now % BOARD_SECONDS];
    if (atomic_load_explicit(&second->second, memory_order_acquire) >= now) return second;
    CHECK(pthread_mutex_lock(&slot->seconds_lock) == 0);
    if (atomic_load_explicit(&second->second, memory_order_relaxed) < now) {
        atomic_store_explicit(&second->claimed, 0, memory_order_relaxed);
        atomic_store_explicit(&second->credited, 0, memory_order_relaxed);
        atomic_store_explicit(&second->rejected, 0, memory_order_relaxed);
        atomic_store_explicit(&second->second, now, memory_order_release);
    }
    CHECK(pthread_mutex_unlock(&slot->seconds_lock) == 0);
    return second;
}

void board_count_event(struct board_slot *slot, enum board_event event, uint32_t count, int64_t now_us) {
    struct board_second *second = second_of(slot, now_us);
    switch (event) {
    case BOARD_CLAIMED: atomic_fetch_add_explicit(&second->claimed, count, memory_order_relaxed); break;
    case BOARD_CREDITED: atomic_fetch_add_explicit(&second->credited, count, memory_order_relaxed); break;
    case BOARD_REJECTED: atomic_fetch_add_explicit(&second->rejected, count, memory_order_relaxed); break;
    }
    mark_dirty(slot);
}

void board_count_rejection(struct board_slot *slot, enum rejection rejection, int64_t now_us) {
    atomic_fetch_add_explicit(&slot->rejected[rejection], 1, memory_order_relaxed);
    board_count_event(slot, BOARD_REJECTED, 1, now_us);
}
