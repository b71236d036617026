/* What the loops know of unique codes, without a lock on what is asked often and without a look-up: every pattern with its permutation, every batch, and of each
 * code whether it was revoked or is used up. The store's thread publishes after the commit that it shows; any thread reads.
 *
 * A code is found by arithmetic: it has a pattern's shape, its check symbols fit, and its number is one of a batch's. Only the last needs the key, so that
 * what was mistyped is known before. AES has a state, which a lock guards, for some half a microsecond: there are some
 * of them, among which the threads are spread. */
#pragma once

#include "discount/code_key.h"

#define CODE_PATTERNS_MAX 256u /* different ones, by shape and key */

enum code_finding {
    CODE_UNKNOWN,
    CODE_FOUND,
    CODE_UNREADABLE, /* it may be one, and the key that would tell is not there */
};
enum code_state { CODE_ACTIVE, CODE_USED, CODE_EXPIRED, CODE_REVOKED };
const char *code_state_name(enum code_state state);
/* -1: nothing is called so. */
int code_state_named(struct text name);

/* A batch as it was made; what changes stands behind it. */
struct code_slot {
    uint32_t number, campaign_number;
    struct id id;
    struct code_pattern pattern;
    int64_t first, count, max_uses, expires_at_us;
    bool is_imported;                                         /* foreign codes: without a pattern and a series */
    struct code_tail *tails;                                  /* [count], of those */
    uint32_t series;                                          /* index */
    uint32_t previous;                                        /* batch of the same series; 0: none */
    _Atomic int64_t revoked_at_us, used, uses, revoked_count; /* as in its row */
    _Atomic uint64_t *revoked, *used_up; /* a bit for each code, from index 1 on; pages come when they are first touched */
    size_t word_count;                   /* of each */
};

/* What is known of a foreign code's text. */
struct code_tail {
    uint8_t size;
    char text[CODE_LAST_BYTES];
};

struct code_board;
/* `keys` outlive it. RESULT_FULL: no memory. */
struct result code_board_create(const struct code_keys *keys, struct code_board **ret_board) MUST_CHECK;
void code_board_free(struct code_board *board);

/* ---- the store's thread (or before the threads start) ---- */

/* Room for what a commit will show, which nobody finds yet; an old batch is left as it is. RESULT_FULL: no memory, or more patterns than there may be. */
struct result code_board_reserve(struct code_board *board, const struct code_batch *batch) MUST_CHECK;
bool code_board_has_room(const struct code_board *board, const struct code_batch *batch); /* for its pattern */
void code_board_publish(struct code_board *board, const struct code_batch *batch);
/* Foreign codes, from index 1 on, in their order: room for as many as their batch has, before the commit that shows them, and then each. RESULT_FULL. */
struct result code_board_reserve_imported(struct code_board *board, const struct code_batch *batch) MUST_CHECK;
/* Room for so many of all batches together: at a start, before any is added. RESULT_FULL. */
struct result code_board_make_room(struct code_board *board, size_t imported_count) MUST_CHECK;
void code_board_add_imported(struct code_board *board, uint32_t batch, int64_t index, const struct imported_code *imported);
/* Each batch was published. */
void code_board_revoke(struct code_board *board, uint32_t batch, int64_t index);
void code_board_use_up(struct code_board *board, uint32_t batch, int64_t index);
void code_board_give_back(struct code_board *board, uint32_t batch, int64_t index); /* it may be used again */

/* ---- any thread ---- */

const struct code_key *code_board_key(const struct code_board *board); /* of new batches; NULL: there is none */
size_t code_board_unreadable(const struct code_board *board);          /* batches whose key is not there */
size_t code_board_count(const struct code_board *board);
const struct code_slot *code_board_slot(const struct code_board *board, uint32_t batch); /* NULL: unknown */
const struct code_slot *code_board_find_id(const struct code_board *board, struct id id);
/* By the newest key, or false: there is none. */
bool code_board_hash_imported(const struct code_board *board, const struct code *code, struct hash *ret_hash);
bool code_board_is_imported(const struct code_board *board, const struct hash *hash); /* a foreign code has this one */
bool code_slot_is_readable(const struct code_board *board, const struct code_slot *slot);
bool code_board_is_mistyped(const struct code_board *board,
                            const struct code *code); /* it has a pattern's shape, and other check symbols */
enum code_finding code_board_find(const struct code_board *board, const struct code *code, struct code_found *ret_found);
bool code_slot_is_used_up(const struct code_slot *slot, int64_t index);
bool code_slot_is_revoked(const struct code_slot *slot, int64_t index); /* this one alone, whatever its batch is */
enum code_state code_slot_state(const struct code_slot *slot, int64_t index, int64_t now_us);
/* The first index behind `after` with this state (-1: any); 0: there is none. */
int64_t code_slot_next(const struct code_slot *slot, int64_t after, int state, int64_t now_us);
/* The code, or of a foreign one its last characters behind an ellipsis; its batch is readable. */
size_t code_slot_write(const struct code_board *board, const struct code_slot *slot, int64_t index, char into[PATTERN_BYTES]);
