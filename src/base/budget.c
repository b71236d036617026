#include "base/budget.h"

#include <pthread.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/pages.h"

#define ROWS        4096u /* a power of two */
#define ROW_ENTRIES 8u

struct entry {
    int64_t full_at_us;       /* when all tries are back: one number instead of a count and a time (the "generic cell rate algorithm") */
    _Atomic int64_t until_us; /* the wait that is under way, or was */
    _Atomic int64_t last_us;  /* the newest try, also if it was refused */
    int64_t waits;            /* since all were back: how often the last one was used up */
};

/* The keys beside each other, in one line of the processor's cache: nearly everybody is looked for and not found.
 *
 * All is written under the lock. What is atomic is read without it, too: whoever finds the key before its number and behind it has read this key's. An
 * entry changes hands by a key of zero, so that no number is seen under a key that it is none of (`put`). */
struct row {
    _Alignas(64) _Atomic uint64_t keys[ROW_ENTRIES]; /* hashes; 0: unused */
    struct entry entries[ROW_ENTRIES];
};

struct budget {
    pthread_mutex_t lock;
    struct budget_rule rule;
    uint8_t secret[16];
    struct row rows[ROWS];
};

struct result budget_create(const struct budget_rule *rule, struct budget **ret_budget) {
    CHECK(rule->burst >= 1 && rule->regain_us >= 1 && rule->first_wait_us >= 1 && rule->longest_wait_us >= rule->first_wait_us);
    struct budget *budget = pages_take(1, sizeof *budget);
    if (budget == NULL) return result_error(RESULT_FULL);
    CHECK(pthread_mutex_init(&budget->lock, NULL) == 0);
    budget->rule = *rule;
    crypto_random(budget->secret, sizeof budget->secret);
    *ret_budget = budget;
    return result_ok();
}

void budget_free(struct budget *budget) {
    if (budget == NULL) return;
    CHECK(pthread_mutex_destroy(&budget->lock) == 0);
    pages_free(budget, 1, sizeof *budget);
}

/* ---- rows ---- */

uint64_t budget_key(const struct budget *budget, struct text key) {
    uint64_t hash = crypto_short_hash(key, budget->secret);
    return hash == 0 ? 1 : hash;
}

static struct entry *find(struct budget *budget, uint64_t key) {
    struct row *row = &budget->rows[key % ROWS];
    for (size_t i = 0; i < ROW_ENTRIES; i++) {
        if (atomic_load_explicit(&row->keys[i], memory_order_acquire) == key) return &row->entries[i];
    }
    return NULL;
}

/* Who reads it without the lock sees what was written before it. */
static void write_number(_Atomic int64_t *number, int64_t value_us) { atomic_store_explicit(number, value_us, memory_order_release); }

static void put(struct row *row, size_t index, uint64_t key) {
    struct entry *entry = &row->entries[index];
    atomic_store_explicit(&row->keys[index], 0, memory_order_relaxed);
    entry->full_at_us = entry->waits = 0;
    write_number(&entry->until_us, 0);
    write_number(&entry->last_us, 0);
    atomic_store_explicit(&row->keys[index], key, memory_order_release);
}

enum number { UNTIL, LAST };

/* Without the lock. False: the key has no entry; nearly nobody has one, and whoever has taken a try sees it. */
static bool read_number(struct budget *budget, uint64_t key, enum number number, int64_t *ret_us) {
    const struct entry *entry = find(budget, key);
    if (entry == NULL) return false;
    *ret_us = atomic_load_explicit(number == UNTIL ? &entry->until_us : &entry->last_us, memory_order_acquire);
    return find(budget, key) == entry;
}

static struct entry *find_or_make(struct budget *budget, uint64_t key) {
    struct entry *found = find(budget, key);
    if (found != NULL) return found;
    struct row *row = &budget->rows[key % ROWS];
    size_t least = 0;
    for (size_t i = 0; i < ROW_ENTRIES; i++) {
        bool is_unused = atomic_load_explicit(&row->keys[i], memory_order_relaxed) == 0;
        if (is_unused || row->entries[i].full_at_us < row->entries[least].full_at_us) least = i;
        if (is_unused) break;
    }
    put(row, least, key);
    return &row->entries[least];
}

/* ---- tries ---- */

/* Used up, as far as what was regained tells; 0 at hand even so when the wait for it is over. */
static bool is_empty(const struct budget_rule *rule, const struct entry *entry, int64_t now_us) {
    return entry->full_at_us - now_us > (rule->burst - 1) * rule->regain_us;
}

static int64_t wait_of(int64_t until_us, int64_t now_us) { return until_us > now_us ? until_us - now_us : 0; }

static void begin_wait(const struct budget_rule *rule, struct entry *entry, int64_t now_us) {
    int64_t wait_us = rule->first_wait_us;
    for (int64_t i = 0; i < entry->waits && wait_us < rule->longest_wait_us; i++) wait_us *= 2;
    write_number(&entry->until_us, now_us + (wait_us < rule->longest_wait_us ? wait_us : rule->longest_wait_us));
    entry->waits++;
}

static bool take(const struct budget_rule *rule, struct entry *entry, int64_t now_us) {
    int64_t all_us = rule->burst * rule->regain_us;
    if (entry->full_at_us <= now_us) {
        entry->full_at_us = now_us;
        entry->waits = 0;
    }
    entry->full_at_us += rule->regain_us;
    if (entry->full_at_us > now_us + all_us) entry->full_at_us = now_us + all_us; /* the one more behind a wait */
    bool is_last = is_empty(rule, entry, now_us);
    if (is_last) begin_wait(rule, entry, now_us);
    return is_last;
}

int64_t budget_wait_us_of(struct budget *budget, uint64_t hash, int64_t now_us) {
    int64_t until_us;
    return read_number(budget, hash, UNTIL, &until_us) ? wait_of(until_us, now_us) : 0;
}

int64_t budget_wait_us(struct budget *budget, struct text key, int64_t now_us) {
    return budget_wait_us_of(budget, budget_key(budget, key), now_us);
}

int64_t budget_take_of(struct budget *budget, uint64_t hash, int64_t now_us, bool *ret_is_last) {
    CHECK(pthread_mutex_lock(&budget->lock) == 0);
    struct entry *entry = find_or_make(budget, hash);
    int64_t wait_us = wait_of(atomic_load_explicit(&entry->until_us, memory_order_relaxed), now_us);
    bool is_last = wait_us == 0 && take(&budget->rule, entry, now_us);
    write_number(&entry->last_us, now_us);
    CHECK(pthread_mutex_unlock(&budget->lock) == 0);
    if (ret_is_last != NULL) *ret_is_last = is_last;
    return wait_us;
}

int64_t budget_take(struct budget *budget, struct text key, int64_t now_us, bool *ret_is_last) {
    return budget_take_of(budget, budget_key(budget, key), now_us, ret_is_last);
}

void budget_give_back(struct budget *budget, struct text key, int64_t now_us) {
    uint64_t hash = budget_key(budget, key);
    CHECK(pthread_mutex_lock(&budget->lock) == 0);
    struct entry *entry = find(budget, hash);
    if (entry != NULL && entry->full_at_us > now_us) {
        bool was_empty = is_empty(&budget->rule, entry, now_us);
        entry->full_at_us -= budget->rule.regain_us;
        if (was_empty && entry->waits > 0 && !is_empty(&budget->rule, entry, now_us)) { /* then it was what the wait began with */
            write_number(&entry->until_us, now_us);
            entry->waits--;
        }
    }
    CHECK(pthread_mutex_unlock(&budget->lock) == 0);
}

void budget_forget(struct budget *budget, struct text key) {
    uint64_t hash = budget_key(budget, key);
    CHECK(pthread_mutex_lock(&budget->lock) == 0);
    struct row *row = &budget->rows[hash % ROWS];
    const struct entry *entry = find(budget, hash);
    if (entry != NULL) put(row, (size_t)(entry - row->entries), 0);
    CHECK(pthread_mutex_unlock(&budget->lock) == 0);
}

bool budget_is_used_of(struct budget *budget, uint64_t hash, int64_t within_us, int64_t now_us) {
    int64_t last_us;
    return read_number(budget, hash, LAST, &last_us) && now_us - last_us < within_us;
}

bool budget_is_used(struct budget *budget, struct text key, int64_t within_us, int64_t now_us) {
    return budget_is_used_of(budget, budget_key(budget, key), within_us, now_us);
}

void budget_count_refused(const struct budget *budget) {
    if (budget->rule.refused != NULL) metric_add(budget->rule.refused, 1);
}

int64_t budget_wait_s(int64_t wait_us) { return wait_us <= CLOCK_SECOND_US ? 1 : (wait_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US; }
