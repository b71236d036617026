/* Batches of unique codes, and what the operations of one batch of the store do with single codes: the store's truth, and the decisions over it. A code is
 * its batch and its index, 1 to the batch's count; what it looks like is of no concern here (pattern.h). */
#pragma once

#include "base/crypto.h"
#include "base/id.h"
#include "base/map.h"
#include "discount/core/pattern.h"

#define CODE_NOTE_CHARACTERS 255u
#define CODE_NOTE_BYTES      (CODE_NOTE_CHARACTERS * 4u)
#define CODE_COUNT_MAX       10000000 /* of one batch */
#define CODE_USES_MAX        1000000  /* of one code */
#define CODE_CHECK_BYTES     16       /* by which the master key of a batch is known */

/* Derived ones, which a pattern makes out of numbers, or foreign ones, which were imported and of which only a keyed hash is kept. */
struct code_batch {
    uint32_t number; /* 1..: the order of creation; its place in the set is number - 1 */
    struct id id;
    uint32_t campaign_number;
    struct code_pattern pattern; /* size 0: foreign codes */
    uint8_t key_check[CODE_CHECK_BYTES];
    int64_t first; /* its codes are the numbers first to first + count - 1 of its pattern and key: no two batches share one */
    int64_t count, max_uses;
    int64_t created_at_us, expires_at_us, revoked_at_us; /* 0: never */
    int64_t used, uses;                                  /* codes that were used, and how often they were */
    int64_t revoked;                                     /* codes that were revoked one by one */
    uint16_t note_size;
    char note[CODE_NOTE_BYTES];
    bool is_new, is_changed; /* in this batch of the store */
};

static inline bool code_batch_is_imported(const struct code_batch *batch) { return batch->pattern.typed_size == 0; }
static inline struct text code_batch_note(const struct code_batch *batch) { return (struct text){batch->note, batch->note_size}; }
/* The first rule that it breaks by itself, as a constant phrase; NULL: none. */
const char *code_batch_fault(const struct code_batch *batch);
/* Whether it gives codes to redeem with. */
enum code_batch_state { CODE_BATCH_ACTIVE, CODE_BATCH_EXPIRED, CODE_BATCH_REVOKED };
enum code_batch_state code_batch_state(const struct code_batch *batch, int64_t now_us);
const char *code_batch_state_name(enum code_batch_state state);

/* A typed code that is one of a batch's. */
struct code_found {
    uint32_t batch; /* its number; 0: it is none */
    uint32_t campaign_number;
    int64_t index;
};

#define CODE_LAST_BYTES 16u /* four characters */
/* A foreign code: what is kept of it. */
struct imported_code {
    struct hash hash; /* of its canonical form, by a key made of the master key */
    uint8_t last_size;
    char last[CODE_LAST_BYTES]; /* its last four characters */
};
void imported_code_set_last(struct imported_code *imported, const struct code *code);
/* Over everything that its row says: a changed one is found when it is read. Never 0. */
int64_t imported_code_check(uint32_t batch, int64_t index, const struct imported_code *imported);

/* A code that operations of this batch name. */
struct code_entry {
    uint8_t key[12]; /* the set's own */
    uint32_t batch;
    int64_t index;
    int64_t uses;
    bool is_revoked;
    bool is_newly_revoked, is_newly_used, is_given_back; /* in this batch */
};

struct code_set {
    struct code_batch *batches; /* [batch_capacity] */
    size_t batch_count, batch_capacity;
    struct code_entry *entries; /* [entry_capacity] */
    size_t entry_count, entry_capacity;
    struct map by_id, by_code;
};

/* RESULT_FULL: no memory. */
struct result code_set_init(struct code_set *set, size_t batch_capacity, size_t entry_capacity) MUST_CHECK;
void code_set_free(struct code_set *set);
void code_set_begin(struct code_set *set); /* the next batch of the store: forgets the entries and the marks */
void code_set_clear(struct code_set *set); /* before the batches are loaded anew */
/* Loading, in the order of their numbers. RESULT_CORRUPT: a number is missing, an id stands there twice, or it breaks a rule of its own. */
struct result code_set_load(struct code_set *set, const struct code_batch *batch) MUST_CHECK;
/* The entry of a code that is named: there, or new (uses 0, not revoked), for whoever loads what is on disk. NULL: there are more than one batch may name. */
struct code_entry *code_set_name(struct code_set *set, uint32_t batch, int64_t index);
struct code_entry *code_entry_of(const struct code_set *set, uint32_t batch, int64_t index); /* NULL: not named */
struct code_batch *code_batch_by_id(const struct code_set *set, struct id id);
struct code_batch *code_batch_by_number(const struct code_set *set, uint32_t number);

/* ---- decisions: a refusal changes nothing ---- */

enum code_verdict {
    CODE_DONE,
    CODE_UNCHANGED, /* it was so already */
    CODE_BATCH_NOT_FOUND,
    CODE_TOO_MANY_BATCHES,
    CODE_EXPIRY_NOT_FUTURE,
};

struct code_batch_create {
    struct id id;
    uint32_t campaign_number;
    struct code_pattern pattern;
    uint8_t key_check[CODE_CHECK_BYTES];
    int64_t count, max_uses, expires_at_us;
    struct text note;
};
/* Of a pattern that is not weak. */
enum code_verdict code_batch_create(struct code_set *set, const struct code_batch_create *create, int64_t now_us,
                                    struct code_batch **ret_batch);
enum code_verdict code_batch_revoke(struct code_batch *batch, int64_t now_us); /* NULL: CODE_BATCH_NOT_FOUND */
/* Of an entry that was loaded. */
enum code_verdict code_revoke(struct code_set *set, struct code_entry *entry);
/* Whether it can't be redeemed with: revoked, expired, or used as often as it may be. */
bool code_is_dead(const struct code_set *set, const struct code_entry *entry, int64_t now_us);
/* Somebody redeems with it, in the decision that gives the place; it is not dead. */
void code_use(struct code_set *set, struct code_entry *entry);
/* A redemption with it was taken back: once more may be redeemed with it. */
void code_give_back(struct code_set *set, struct code_entry *entry);
