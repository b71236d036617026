/* The board's inside, for its own files: board.c, board_archive.c, board_winners.c. */
#pragma once

#include "discount/board.h"
#include "discount/kept.h"

#define BOARD_CHUNK 64u /* campaigns whose rings are one piece of memory */

/* Bits of a filter that nobody asks any more, all of them 0. */
struct spare_filter {
    void *memory;
    size_t size_bytes;
    struct spare_filter *next;
};

struct board {
    struct board_slot *slots; /* [capacity] */
    size_t capacity;
    atomic_size_t count;
    size_t reserved_count; /* the publishing thread's own; at least count */
    struct code_index by_code;
    _Atomic uint32_t *by_id; /* [table_size], linear probing; number of the campaign, 0: empty */
    size_t table_size;       /* a power of two, at least 2 × capacity */
    _Atomic uint64_t *awake; /* a bit for each campaign that is not archived */
    char **chunks; /* the rings of BOARD_CHUNK campaigns each; NULL: not there yet. The kernel gives pages when they are first touched */
    _Atomic uint32_t has_news; /* of those that are archived */
    atomic_size_t awake_count;
    size_t filters_bytes; /* given out now */
    struct spare_filter *spare_filters;
    struct kept_keys kept;
    uint8_t secret[16];
};

/* ---- board.c ---- */

uint64_t board_hash(const struct board *board, const void *data, size_t size);
void board_begin_turn(struct board_slot *slot);
void board_end_turn(struct board_slot *slot);
/* Within a turn. */
struct board_second *board_add_second(struct board_slot *slot, int64_t now);
struct board_second *board_second_of(struct board_slot *slot, int64_t now);
void board_add_to_minute(struct board_slot *slot, const struct minute_counts *more);

/* ---- board_archive.c ---- */

/* Whether there is memory for it, and where. */
struct result board_map_chunk(struct board *board, size_t index) MUST_CHECK;
void board_set_rings(struct board_slot *slot);
void board_unmap_chunks(struct board *board);
void board_set_awake(struct board_slot *slot, bool is_awake);
void *board_map_pages(size_t size_bytes); /* NULL: no memory */

/* ---- board_winners.c ---- */

void board_give_filter(struct board_slot *slot, int64_t places);
void board_drop_filter(struct board_slot *slot); /* nobody asks it any more, or finds that it was dropped */
void board_free_filters(struct board *board);
