#include "discount/code_board.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "auth/aes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/pages.h"
#include "discount/foreign_codes.h"

#define LANES 4u

/* A permutation with a cipher of its own, in lines of the processor's cache that no other one has. */
struct lane {
    _Alignas(64) pthread_mutex_t lock; /* of aes */
    struct aes *aes;
    struct ff1 ff1;
};

/* All batches of one shape and one key: their numbers are ranges of one permutation, so that no two of them share a code and one look finds any. */
struct code_series {
    struct code shape;
    uint8_t key_check[CODE_CHECK_BYTES];
    struct lane *lanes;    /* [LANES]: two threads rarely meet in one; NULL: the key is not there */
    _Atomic uint32_t last; /* the newest batch; 0: none is shown yet */
};

struct code_board {
    const struct code_keys *keys;
    struct code_slot *slots;    /* [LIMIT_CODE_BATCHES] */
    struct code_series *series; /* [CODE_PATTERNS_MAX] */
    struct foreign_codes foreign;
    struct foreign_key {
        uint8_t check[CODE_CHECK_BYTES];
        struct hash hash;
    } foreign_keys[CODE_KEYS_MAX]; /* one for each master key, from the start on */
    atomic_bool has_foreign, lacks_foreign_key;
    atomic_size_t count, series_count;
    size_t reserved_count; /* the publishing thread's own; at least count */
    atomic_size_t unreadable;
};

const char *code_state_name(enum code_state state) {
    switch (state) {
    case CODE_ACTIVE: return "active";
    case CODE_USED: return "used";
    case CODE_EXPIRED: return "expired";
    case CODE_REVOKED: return "revoked";
    }
    return NULL;
}

int code_state_named(struct text name) {
    for (int state = CODE_ACTIVE; state <= CODE_REVOKED; state++) {
        if (text_equal(name, text_of(code_state_name((enum code_state)state)))) return state;
    }
    return -1;
}

/* ---- life ---- */

struct result code_board_create(const struct code_keys *keys, struct code_board **ret_board) {
    struct code_board *board = calloc(1, sizeof *board);
    if (board == NULL) return result_error(RESULT_FULL);
    board->keys = keys;
    board->slots = pages_take(LIMIT_CODE_BATCHES, sizeof *board->slots);
    board->series = calloc(CODE_PATTERNS_MAX, sizeof *board->series);
    if (board->slots == NULL || board->series == NULL) {
        code_board_free(board);
        return result_error(RESULT_FULL);
    }
    for (size_t i = 0; i < keys->count; i++) {
        memcpy(board->foreign_keys[i].check, keys->keys[i].check, CODE_CHECK_BYTES);
        board->foreign_keys[i].hash = code_key_derive(&keys->keys[i], "foreign codes", TEXT(""));
    }
    *ret_board = board;
    return result_ok();
}

static void free_bits(struct code_slot *slot) {
    pages_free((void *)slot->revoked, slot->word_count, sizeof *slot->revoked);
    pages_free((void *)slot->used_up, slot->word_count, sizeof *slot->used_up);
}

static void free_lanes(struct lane *lanes) {
    for (size_t i = 0; lanes != NULL && i < LANES; i++) {
        aes_free(lanes[i].aes);
        CHECK(pthread_mutex_destroy(&lanes[i].lock) == 0);
        crypto_wipe(&lanes[i].ff1, sizeof lanes[i].ff1);
    }
    free(lanes);
}

void code_board_free(struct code_board *board) {
    if (board == NULL) return;
    for (size_t i = 0; i < board->reserved_count; i++) {
        free_bits(&board->slots[i]);
        free(board->slots[i].tails);
    }
    foreign_codes_clear(&board->foreign);
    crypto_wipe(board->foreign_keys, sizeof board->foreign_keys);
    for (size_t i = 0; i < board->series_count; i++) free_lanes(board->series[i].lanes);
    pages_free(board->slots, LIMIT_CODE_BATCHES, sizeof *board->slots);
    free(board->series);
    free(board);
}

/* ---- series ---- */

static struct code_series *find_series(const struct code_board *board, const struct code_batch *batch) {
    for (size_t i = 0; i < board->series_count; i++) {
        struct code_series *series = &board->series[i];
        bool has_key = memcmp(series->key_check, batch->key_check, sizeof series->key_check) == 0;
        if (has_key && code_equal(&series->shape, &batch->pattern.shape)) return series;
    }
    return NULL;
}

bool code_board_has_room(const struct code_board *board, const struct code_batch *batch) {
    if (code_batch_is_imported(batch)) return true;
    return find_series(board, batch) != NULL || board->series_count < CODE_PATTERNS_MAX;
}

static struct result open_lanes(const struct hash *key, const struct code_pattern *pattern, struct lane *lanes) {
    for (size_t i = 0; i < LANES; i++) {
        TRY(aes_create(key->bytes, sizeof key->bytes, &lanes[i].aes));
        CHECK(result_is_ok(pattern_permutation(pattern, aes_encrypt_block, lanes[i].aes, &lanes[i].ff1)));
    }
    return result_ok();
}

static struct result give_lanes(struct code_series *series, const struct code_key *key, const struct code_pattern *pattern) {
    struct lane *lanes = aligned_alloc(alignof(struct lane), LANES * sizeof *lanes);
    if (lanes == NULL) return result_error(RESULT_FULL);
    memset(lanes, 0, LANES * sizeof *lanes);
    for (size_t i = 0; i < LANES; i++) CHECK(pthread_mutex_init(&lanes[i].lock, NULL) == 0);
    struct hash derived = code_key_derive(key, "codes", code_text(&pattern->shape));
    struct result outcome = open_lanes(&derived, pattern, lanes);
    crypto_wipe(&derived, sizeof derived);
    if (!result_is_ok(outcome)) {
        free_lanes(lanes);
        return outcome;
    }
    series->lanes = lanes;
    return result_ok();
}

static struct result add_series(struct code_board *board, const struct code_batch *batch, struct code_series **ret_series) {
    size_t count = atomic_load_explicit(&board->series_count, memory_order_relaxed);
    const struct code_key *key = code_key_find(board->keys, batch->key_check);
    if (count == CODE_PATTERNS_MAX) return result_error(RESULT_FULL);
    struct code_series *series = &board->series[count];
    if (key != NULL) TRY(give_lanes(series, key, &batch->pattern));
    series->shape = batch->pattern.shape;
    memcpy(series->key_check, batch->key_check, sizeof series->key_check);
    atomic_store_explicit(&board->series_count, count + 1, memory_order_release);
    *ret_series = series;
    return result_ok();
}

/* Each thread has one in every series, together with others where there are more threads than lanes. */
static struct lane *enter_lane(const struct code_series *series) {
    static atomic_uint threads;
    static _Thread_local unsigned own; /* from 1 on; 0: not known yet */
    if (own == 0) own = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % LANES;
    struct lane *lane = &series->lanes[own - 1];
    CHECK(pthread_mutex_lock(&lane->lock) == 0);
    return lane;
}

static void leave_lane(struct lane *lane) { CHECK(pthread_mutex_unlock(&lane->lock) == 0); }

/* ---- publishing ---- */

struct result code_board_reserve(struct code_board *board, const struct code_batch *batch) {
    CHECK(batch->number >= 1 && batch->number <= board->reserved_count + 1 && batch->number <= LIMIT_CODE_BATCHES);
    struct code_slot *slot = &board->slots[batch->number - 1];
    struct code_series *series = code_batch_is_imported(batch) ? NULL : find_series(board, batch);
    /* Reserved for a commit that failed: another batch may have the number now. */
    bool is_shown = batch->number <= atomic_load_explicit(&board->count, memory_order_relaxed);
    if (is_shown) return result_ok();
    if (series == NULL && !code_batch_is_imported(batch)) TRY(add_series(board, batch, &series));
    free(slot->tails);
    free_bits(slot);
    if (batch->number > board->reserved_count) board->reserved_count = batch->number;
    *slot = (struct code_slot){.number = batch->number,
                               .campaign_number = batch->campaign_number,
                               .id = batch->id,
                               .pattern = batch->pattern,
                               .first = batch->first,
                               .count = batch->count,
                               .max_uses = batch->max_uses,
                               .expires_at_us = batch->expires_at_us,
                               .is_imported = code_batch_is_imported(batch),
                               .series = series == NULL ? 0 : (uint32_t)(series - board->series),
                               .word_count = (size_t)(batch->count / 64 + 1)};
    slot->revoked = pages_take(slot->word_count, sizeof *slot->revoked);
    slot->used_up = pages_take(slot->word_count, sizeof *slot->used_up);
    if (slot->is_imported) TRY(code_board_reserve_imported(board, batch));
    return slot->revoked == NULL || slot->used_up == NULL ? result_error(RESULT_FULL) : result_ok();
}

void code_board_publish(struct code_board *board, const struct code_batch *batch) {
    size_t count = atomic_load_explicit(&board->count, memory_order_relaxed);
    CHECK(batch->number >= 1 && batch->number <= count + 1 && batch->number <= board->reserved_count);
    struct code_slot *slot = &board->slots[batch->number - 1];
    CHECK(id_equal(slot->id, batch->id));
    atomic_store_explicit(&slot->revoked_at_us, batch->revoked_at_us, memory_order_release);
    atomic_store_explicit(&slot->used, batch->used, memory_order_relaxed);
    atomic_store_explicit(&slot->uses, batch->uses, memory_order_relaxed);
    atomic_store_explicit(&slot->revoked_count, batch->revoked, memory_order_relaxed);
    if (batch->number <= count) return;
    if (slot->is_imported) {
        bool has_key = code_key_find(board->keys, batch->key_check) != NULL;
        if (!has_key) atomic_fetch_add_explicit(&board->unreadable, 1, memory_order_relaxed);
        if (!has_key) atomic_store_explicit(&board->lacks_foreign_key, true, memory_order_relaxed);
        atomic_store_explicit(&board->has_foreign, true, memory_order_relaxed);
        atomic_store_explicit(&board->count, batch->number, memory_order_release);
        return;
    }
    struct code_series *series = &board->series[slot->series];
    slot->previous = atomic_load_explicit(&series->last, memory_order_relaxed);
    if (series->lanes == NULL) atomic_fetch_add_explicit(&board->unreadable, 1, memory_order_relaxed);
    atomic_store_explicit(&series->last, slot->number, memory_order_release);
    atomic_store_explicit(&board->count, batch->number, memory_order_release);
}

struct result code_board_reserve_imported(struct code_board *board, const struct code_batch *batch) {
    struct code_slot *slot = &board->slots[batch->number - 1];
    slot->tails = calloc((size_t)batch->count, sizeof *slot->tails);
    return slot->tails == NULL ? result_error(RESULT_FULL) : foreign_codes_reserve(&board->foreign, (size_t)batch->count);
}

struct result code_board_make_room(struct code_board *board, size_t imported_count) {
    return foreign_codes_reserve(&board->foreign, imported_count);
}

void code_board_add_imported(struct code_board *board, uint32_t batch, int64_t index, const struct imported_code *imported) {
    const struct code_slot *slot = code_board_slot(board, batch);
    CHECK(slot != NULL && slot->is_imported && index >= 1 && index <= slot->count);
    struct code_tail *tail = &slot->tails[index - 1];
    tail->size = imported->last_size;
    memcpy(tail->text, imported->last, imported->last_size);
    foreign_codes_add(&board->foreign, &imported->hash, batch, (uint32_t)index);
}

static void set_bit(_Atomic uint64_t *bits, int64_t index) {
    atomic_fetch_or_explicit(&bits[index / 64], UINT64_C(1) << index % 64, memory_order_release);
}

static bool has_bit(const _Atomic uint64_t *bits, int64_t index) {
    return (atomic_load_explicit(&bits[index / 64], memory_order_acquire) & UINT64_C(1) << index % 64) != 0;
}

static const struct code_slot *slot_of(const struct code_board *board, uint32_t batch, int64_t index) {
    const struct code_slot *slot = code_board_slot(board, batch);
    CHECK(slot != NULL && index >= 1 && index <= slot->count);
    return slot;
}

void code_board_revoke(struct code_board *board, uint32_t batch, int64_t index) { set_bit(slot_of(board, batch, index)->revoked, index); }
void code_board_use_up(struct code_board *board, uint32_t batch, int64_t index) { set_bit(slot_of(board, batch, index)->used_up, index); }

void code_board_give_back(struct code_board *board, uint32_t batch, int64_t index) {
    atomic_fetch_and_explicit(&slot_of(board, batch, index)->used_up[index / 64], ~(UINT64_C(1) << index % 64), memory_order_release);
}

/* ---- reading ---- */

const struct code_key *code_board_key(const struct code_board *board) { return code_key_newest(board->keys); }
size_t code_board_unreadable(const struct code_board *board) { return atomic_load_explicit(&board->unreadable, memory_order_relaxed); }

size_t code_board_count(const struct code_board *board) { return atomic_load_explicit(&board->count, memory_order_acquire); }

const struct code_slot *code_board_slot(const struct code_board *board, uint32_t batch) {
    return batch == 0 || batch > atomic_load_explicit(&board->count, memory_order_acquire) ? NULL : &board->slots[batch - 1];
}

const struct code_slot *code_board_find_id(const struct code_board *board, struct id id) {
    size_t count = atomic_load_explicit(&board->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (id_equal(board->slots[i].id, id)) return &board->slots[i];
    }
    return NULL;
}

bool code_slot_is_readable(const struct code_board *board, const struct code_slot *slot) {
    return slot->is_imported || board->series[slot->series].lanes != NULL;
}

bool code_board_hash_imported(const struct code_board *board, const struct code *code, struct hash *ret_hash) {
    if (board->keys->count == 0) return false;
    *ret_hash = crypto_hash_keyed(code_text(code), board->foreign_keys[board->keys->count - 1].hash.bytes);
    return true;
}

bool code_board_is_imported(const struct code_board *board, const struct hash *hash) {
    uint32_t batch, index;
    return foreign_codes_find(&board->foreign, hash, &batch, &index);
}

/* By each master key that there is: one that was imported before the newest has its hash by another one. */
static bool find_imported(const struct code_board *board, const struct code *code, struct code_found *ret_found) {
    uint32_t batch = 0, index = 0;
    if (!atomic_load_explicit(&board->has_foreign, memory_order_relaxed)) return false;
    for (size_t i = 0; i < board->keys->count; i++) {
        struct hash hash = crypto_hash_keyed(code_text(code), board->foreign_keys[i].hash.bytes);
        if (!foreign_codes_find(&board->foreign, &hash, &batch, &index)) continue;
        const struct code_slot *slot = code_board_slot(board, batch);
        if (slot == NULL) return false; /* it is shown in a moment */
        *ret_found = (struct code_found){batch, slot->campaign_number, index};
        return true;
    }
    return false;
}

static bool find_number(const struct code_board *board, const struct code_series *series, uint64_t number, struct code_found *ret_found) {
    uint32_t next = atomic_load_explicit(&series->last, memory_order_acquire);
    while (next != 0) {
        const struct code_slot *slot = &board->slots[next - 1];
        if (number >= (uint64_t)slot->first && number - (uint64_t)slot->first < (uint64_t)slot->count) {
            *ret_found = (struct code_found){slot->number, slot->campaign_number, (int64_t)(number - (uint64_t)slot->first) + 1};
            return true;
        }
        next = slot->previous;
    }
    return false;
}

enum code_finding code_board_find(const struct code_board *board, const struct code *code, struct code_found *ret_found) {
    size_t count = atomic_load_explicit(&board->series_count, memory_order_acquire);
    enum code_finding finding = CODE_UNKNOWN;
    *ret_found = (struct code_found){0};
    for (size_t i = 0; i < count; i++) {
        const struct code_series *series = &board->series[i];
        uint8_t symbols[PATTERN_SYMBOLS_MAX];
        uint32_t symbol_count;
        if (!pattern_fits(&series->shape, code, symbols, &symbol_count)) continue;
        if (series->lanes == NULL) {
            finding = CODE_UNREADABLE;
            continue;
        }
        struct lane *lane = enter_lane(series);
        uint64_t number = pattern_read(&lane->ff1, symbols, symbol_count);
        leave_lane(lane);
        if (find_number(board, series, number, ret_found)) return CODE_FOUND;
    }
    if (find_imported(board, code, ret_found)) return CODE_FOUND;
    return atomic_load_explicit(&board->lacks_foreign_key, memory_order_relaxed) ? CODE_UNREADABLE : finding;
}

bool code_board_is_mistyped(const struct code_board *board, const struct code *code) {
    size_t count = atomic_load_explicit(&board->series_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        uint8_t symbols[PATTERN_SYMBOLS_MAX];
        uint32_t symbol_count = 0;
        if (!pattern_fits(&board->series[i].shape, code, symbols, &symbol_count) && symbol_count > 0) return true;
    }
    return false;
}

bool code_slot_is_used_up(const struct code_slot *slot, int64_t index) { return has_bit(slot->used_up, index); }
bool code_slot_is_revoked(const struct code_slot *slot, int64_t index) { return has_bit(slot->revoked, index); }

enum code_state code_slot_state(const struct code_slot *slot, int64_t index, int64_t now_us) {
    if (atomic_load_explicit(&slot->revoked_at_us, memory_order_acquire) != 0 || has_bit(slot->revoked, index)) return CODE_REVOKED;
    if (has_bit(slot->used_up, index)) return CODE_USED;
    return slot->expires_at_us != 0 && now_us >= slot->expires_at_us ? CODE_EXPIRED : CODE_ACTIVE;
}

static uint64_t word_of(const _Atomic uint64_t *bits, int64_t word) { return atomic_load_explicit(&bits[word], memory_order_acquire); }

/* Whether one of 64 codes may have the state. */
static bool may_have(const struct code_slot *slot, int64_t word, enum code_state state, int64_t now_us) {
    bool is_revoked = atomic_load_explicit(&slot->revoked_at_us, memory_order_acquire) != 0;
    bool has_expired = slot->expires_at_us != 0 && now_us >= slot->expires_at_us;
    uint64_t revoked = word_of(slot->revoked, word), used = word_of(slot->used_up, word);
    switch (state) {
    case CODE_REVOKED: return is_revoked || revoked != 0;
    case CODE_USED: return !is_revoked && used != 0;
    case CODE_EXPIRED: return !is_revoked && has_expired && (revoked | used) != UINT64_MAX;
    case CODE_ACTIVE: return !is_revoked && !has_expired && (revoked | used) != UINT64_MAX;
    }
    return true;
}

int64_t code_slot_next(const struct code_slot *slot, int64_t after, int state, int64_t now_us) {
    if (state < 0) return after < slot->count ? after + 1 : 0;
    for (int64_t index = after + 1; index <= slot->count; index++) {
        if (index % 64 == 0 && !may_have(slot, index / 64, (enum code_state)state, now_us))
            index += 63;
        else if (code_slot_state(slot, index, now_us) == (enum code_state)state)
            return index;
    }
    return 0;
}

static size_t write_tail(const struct code_slot *slot, int64_t index, char into[PATTERN_BYTES]) {
    static const char ellipsis[] = "\xE2\x80\xA6";
    const struct code_tail *tail = &slot->tails[index - 1];
    memcpy(into, ellipsis, sizeof ellipsis - 1);
    memcpy(into + sizeof ellipsis - 1, tail->text, tail->size);
    return sizeof ellipsis - 1 + tail->size;
}

size_t code_slot_write(const struct code_board *board, const struct code_slot *slot, int64_t index, char into[PATTERN_BYTES]) {
    if (slot->is_imported) return write_tail(slot, index, into);
    const struct code_series *series = &board->series[slot->series];
    CHECK(series->lanes != NULL && index >= 1 && index <= slot->count);
    struct lane *lane = enter_lane(series);
    size_t size = pattern_write(&slot->pattern, &lane->ff1, (uint64_t)(slot->first + index - 1), into);
    leave_lane(lane);
    return size;
}
