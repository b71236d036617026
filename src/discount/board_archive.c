/* What is behind a slot: the memory of its rings, and how a campaign is archived and recalled. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "discount/board_inside.h"

/* ---- memory ---- */

void *board_map_pages(size_t size_bytes) {
    void *pages = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

/* Each campaign's rings have pages of their own, which can be given back. */
static size_t ring_bytes(void) {
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE),
           bytes = BOARD_SECONDS * sizeof(struct board_second) + BOARD_MINUTES * sizeof(struct board_minute);
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

struct result board_make_room(struct board *board, size_t count) {
    if (count > board->capacity) return result_error(RESULT_FULL);
    for (size_t i = 0; i * BOARD_CHUNK < count; i++) {
        if (board->chunks[i] == NULL) board->chunks[i] = board_map_pages(BOARD_CHUNK * ring_bytes());
        if (board->chunks[i] == NULL) return result_error(RESULT_FULL);
    }
    return result_ok();
}

void board_unmap_chunks(struct board *board) {
    for (size_t i = 0; board->chunks != NULL && i <= board->capacity / BOARD_CHUNK; i++) {
        if (board->chunks[i] != NULL) CHECK(munmap(board->chunks[i], BOARD_CHUNK * ring_bytes()) == 0);
    }
}

void board_set_rings(struct board_slot *slot) {
    char *rings = slot->board->chunks[(slot->number - 1) / BOARD_CHUNK] + (slot->number - 1) % BOARD_CHUNK * ring_bytes();
    slot->seconds = (struct board_second *)(void *)rings;
    slot->minutes = (struct board_minute *)(void *)(slot->seconds + BOARD_SECONDS);
}

/* ---- which are not archived ---- */

void board_set_awake(struct board_slot *slot, bool is_awake) {
    atomic_fetch_add_explicit(&slot->board->awake_count, is_awake ? 1 : SIZE_MAX, memory_order_relaxed);
    _Atomic uint64_t *word = &slot->board->awake[(slot->number - 1) / 64];
    uint64_t bit = UINT64_C(1) << (slot->number - 1) % 64;
    if (is_awake)
        atomic_fetch_or_explicit(word, bit, memory_order_release);
    else
        atomic_fetch_and_explicit(word, ~bit, memory_order_release);
}

size_t board_next(const struct board *board, size_t index) {
    size_t count = board_count(board);
    while (index < count) {
        uint64_t rest = atomic_load_explicit(&board->awake[index / 64], memory_order_acquire) >> index % 64;
        if (rest != 0) return index + (size_t)__builtin_ctzll(rest);
        index = (index / 64 + 1) * 64;
    }
    return count;
}

bool board_is_archived(const struct board_slot *slot) { return atomic_load_explicit(&slot->is_archived, memory_order_acquire) != 0; }

/* Each of the two, a holder and the store's thread, says first what it is about and looks at the other then: one at least sees the other. */
bool board_hold(struct board_slot *slot) {
    atomic_fetch_add_explicit(&slot->holders, 1, memory_order_seq_cst);
    return atomic_load_explicit(&slot->is_archived, memory_order_seq_cst) == 0;
}

void board_let_go(struct board_slot *slot) { atomic_fetch_sub_explicit(&slot->holders, 1, memory_order_release); }

bool board_is_held(const struct board_slot *slot) { return atomic_load_explicit(&slot->holders, memory_order_relaxed) != 0; }

size_t board_awake_count(const struct board *board) { return atomic_load_explicit(&board->awake_count, memory_order_relaxed); }

bool board_has_news(const struct board *board) { return atomic_load_explicit(&board->has_news, memory_order_relaxed) != 0; }

bool board_take_news(struct board *board) { return atomic_exchange_explicit(&board->has_news, 0, memory_order_acquire) != 0; }

/* ---- what was counted while it was archived, or is not saved ---- */

/* Within a turn. The sums stay. */
static void empty_rings(struct board_slot *slot) {
    uint64_t count = atomic_load_explicit(&slot->second_count, memory_order_relaxed);
    for (uint64_t at = 0; at < count && at < BOARD_SECONDS; at++) {
        for (size_t i = 0; i < REFUSAL_COUNT; i++) {
            int64_t before = atomic_load_explicit(&slot->rejected_before[i], memory_order_relaxed);
            uint32_t rejected = atomic_load_explicit(&slot->seconds[at].rejected[i], memory_order_acquire);
            atomic_store_explicit(&slot->rejected_before[i], before + rejected, memory_order_release);
        }
    }
    atomic_store_explicit(&slot->second_count, 0, memory_order_release);
    atomic_store_explicit(&slot->minute_count, 0, memory_order_release);
    CHECK(madvise(slot->seconds, ring_bytes(), MADV_DONTNEED) == 0);
}

/* Refusals of a second, and so many of them are in the database. */
struct late_second {
    int64_t second;
    uint32_t rejected, saved;
};

/* Within a turn, while nobody counts. */
static size_t copy_late(const struct board_slot *slot, struct late_second late[BOARD_SECONDS]) {
    uint64_t count = atomic_load_explicit(&slot->second_count, memory_order_relaxed);
    uint64_t oldest = count > BOARD_SECONDS ? count - BOARD_SECONDS : 0;
    for (uint64_t i = oldest; i < count; i++) {
        const struct board_second *from = &slot->seconds[i % BOARD_SECONDS];
        struct late_second *to = &late[i - oldest];
        *to = (struct late_second){.second = atomic_load_explicit(&from->second, memory_order_relaxed),
                                   .rejected = atomic_load_explicit(&from->rejected_before, memory_order_relaxed),
                                   .saved = atomic_load_explicit(&from->rejected_saved, memory_order_relaxed)};
        for (size_t k = 0; k < REFUSAL_COUNT; k++) to->rejected += atomic_load_explicit(&from->rejected[k], memory_order_relaxed);
    }
    return (size_t)(count - oldest);
}

static void put_second(struct board_slot *slot, const struct second_counts *counts, uint32_t unsaved) {
    struct board_second *second = board_add_second(slot, counts->second);
    atomic_store_explicit(&second->claimed, counts->claimed, memory_order_release);
    atomic_store_explicit(&second->credited, counts->credited, memory_order_release);
    atomic_store_explicit(&second->rejected_before, counts->rejected + unsaved, memory_order_release);
    atomic_store_explicit(&second->rejected_saved, counts->rejected, memory_order_release);
    atomic_store_explicit(&second->rejected_saving, counts->rejected, memory_order_release);
}

/* ---- archiving ---- */

/* Within a turn. Of the rings nothing stays but what the database does not have. */
static void keep_unsaved(struct board_slot *slot) {
    struct late_second late[BOARD_SECONDS];
    size_t count = copy_late(slot, late);
    empty_rings(slot);
    for (size_t i = 0; i < count; i++) {
        const struct second_counts counts = {.second = late[i].second};
        if (late[i].rejected > late[i].saved) put_second(slot, &counts, late[i].rejected - late[i].saved);
    }
}

bool board_archive(struct board_slot *slot) {
    board_begin_turn(slot);
    uint32_t was_archived = atomic_exchange_explicit(&slot->is_archived, 1, memory_order_seq_cst);
    bool is_held = atomic_load_explicit(&slot->holders, memory_order_seq_cst) != 0;
    if (is_held) {
        atomic_store_explicit(&slot->is_archived, was_archived, memory_order_seq_cst);
    } else {
        keep_unsaved(slot);
        board_drop_filter(slot);
    }
    board_end_turn(slot);
    if (is_held) return false;
    if (was_archived == 0) board_set_awake(slot, false);
    if (atomic_load_explicit(&slot->is_dirty, memory_order_acquire)) atomic_store_explicit(&slot->board->has_news, 1, memory_order_release);
    return true;
}

/* ---- recalling ---- */

/* What is saved of the late ones is in the database already. */
static void put_seconds(struct board_slot *slot, const struct board_history *history, const struct late_second *late, size_t late_count) {
    size_t next = 0;
    for (size_t i = 0; i < history->second_count || next < late_count;) {
        bool is_late = next < late_count && (i == history->second_count || late[next].second <= history->seconds[i].second);
        struct second_counts counts = {.second = is_late ? late[next].second : history->seconds[i].second};
        if (i < history->second_count && history->seconds[i].second == counts.second) counts = history->seconds[i++];
        put_second(slot, &counts, is_late ? late[next].rejected - late[next].saved : 0);
        next += is_late;
    }
}

void board_recall(struct board_slot *slot, const struct board_history *history) {
    struct late_second late[BOARD_SECONDS];
    if (!board_is_archived(slot)) return;
    board_begin_turn(slot);
    size_t late_count = copy_late(slot, late);
    empty_rings(slot);
    for (size_t i = 0; i < history->minute_count; i++) board_add_to_minute(slot, &history->minutes[i]);
    put_seconds(slot, history, late, late_count);
    atomic_store_explicit(&slot->is_archived, 0, memory_order_seq_cst);
    board_end_turn(slot);
    board_set_awake(slot, true);
}
