/* Who may have won, and which answers may be kept: what the loops ask before they ask the database. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "discount/board_inside.h"

/* ---- memory ---- */

/* Of one that has just this size. */
static void *take_spare(struct board *board, size_t size_bytes) {
    for (struct spare_filter **link = &board->spare_filters; *link != NULL; link = &(*link)->next) {
        struct spare_filter *spare = *link;
        if (spare->size_bytes != size_bytes) continue;
        void *memory = spare->memory;
        *link = spare->next;
        free(spare);
        return memory;
    }
    return NULL;
}

void board_give_filter(struct board_slot *slot, int64_t places) {
    struct board *board = slot->board;
    size_t bytes = filter_bytes((uint64_t)places * 2); /* a user and a phone for each place */
    if (bytes > BOARD_FILTER_BYTES) bytes = BOARD_FILTER_BYTES;
    if (bytes > BOARD_FILTERS_BYTES - board->filters_bytes) return;
    void *memory = take_spare(board, bytes);
    if (memory == NULL) memory = board_map_pages(bytes);
    if (memory == NULL) return;
    board->filters_bytes += bytes;
    filter_init(&slot->filter, memory, bytes);
    atomic_store_explicit(&slot->has_filter, 1, memory_order_release);
}

static size_t size_of(const struct filter *filter) { return (filter->bit_mask + 1) / 8; }

/* Who asks it meanwhile finds bits that are no more its own, and sees then that it has none. */
void board_drop_filter(struct board_slot *slot) {
    struct board *board = slot->board;
    if (atomic_load_explicit(&slot->has_filter, memory_order_relaxed) == 0) return;
    atomic_store_explicit(&slot->has_filter, 0, memory_order_seq_cst);
    void *memory = (void *)slot->filter.words;
    size_t bytes = size_of(&slot->filter);
    CHECK(madvise(memory, bytes, MADV_DONTNEED) == 0);
    board->filters_bytes -= bytes;
    struct spare_filter *spare = malloc(sizeof *spare);
    if (spare == NULL) return; /* addresses without memory behind them */
    *spare = (struct spare_filter){memory, bytes, board->spare_filters};
    board->spare_filters = spare;
}

void board_free_filters(struct board *board) {
    for (size_t i = 0; i < board->reserved_count; i++) {
        struct board_slot *slot = &board->slots[i];
        if (slot->has_filter != 0) CHECK(munmap((void *)slot->filter.words, size_of(&slot->filter)) == 0);
    }
    while (board->spare_filters != NULL) {
        struct spare_filter *spare = board->spare_filters;
        board->spare_filters = spare->next;
        CHECK(munmap(spare->memory, spare->size_bytes) == 0);
        free(spare);
    }
}

/* ---- winners ---- */

/* One multiplication, folded, instead of SipHash: Wallet makes the ids, nobody chooses one, and a wrong yes costs one look into the database. */
static uint64_t hash_user(const struct board *board, struct id user_id) {
    uint64_t words[2], secret[2];
    memcpy(words, user_id.bytes, sizeof words);
    memcpy(secret, board->secret, sizeof secret);
    __extension__ unsigned __int128 product = (unsigned __int128)(words[0] ^ secret[0]) * (words[1] ^ secret[1]);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_phone(const struct board *board, const struct phone *phone) { return board_hash(board, phone->e164, phone->size); }

static bool has_filter(const struct board_slot *slot) { return atomic_load_explicit(&slot->has_filter, memory_order_acquire) != 0; }

void board_add_winner(struct board *board, uint32_t campaign_number, struct id user_id, const struct phone *phone) {
    CHECK(campaign_number >= 1 && campaign_number <= board->reserved_count);
    struct board_slot *slot = &board->slots[campaign_number - 1];
    if (!has_filter(slot)) return;
    filter_add(&slot->filter, hash_user(board, user_id));
    filter_add(&slot->filter, hash_phone(board, phone));
}

/* "Certainly not" is true only if the filter was there all the while. */
static bool may_hold(const struct board_slot *slot, uint64_t hash) {
    return !has_filter(slot) || filter_may_hold(&slot->filter, hash) || !has_filter(slot);
}

bool board_may_be_user(const struct board *board, const struct board_slot *slot, struct id user_id) {
    return may_hold(slot, hash_user(board, user_id));
}

bool board_may_be_phone(const struct board *board, const struct board_slot *slot, const struct phone *phone) {
    return may_hold(slot, hash_phone(board, phone));
}

/* ---- kept answers ---- */

void board_add_kept(struct board *board, const struct hash *lookup, int64_t now_us) { kept_keys_add(&board->kept, lookup, now_us); }

bool board_may_be_kept(const struct board *board, const struct hash *lookup) { return kept_keys_may_hold(&board->kept, lookup); }
