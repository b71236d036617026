#include "discount/core/codes.h"

#include <string.h>

#include "base/check.h"
#include "base/pages.h"

#define NUMBERS_MAX (UINT64_C(1) << 61) /* so many numbers of a pattern are given out at most: the id's random bits, and what a row takes */

/* ---- the set ---- */

struct result code_set_init(struct code_set *set, size_t batch_capacity, size_t entry_capacity) {
    *set = (struct code_set){.batch_capacity = batch_capacity, .entry_capacity = entry_capacity};
    set->batches = pages_take(batch_capacity, sizeof *set->batches);
    set->entries = pages_take(entry_capacity, sizeof *set->entries);
    if (set->batches == NULL || set->entries == NULL || !result_is_ok(map_init(&set->by_id, batch_capacity)) ||
        !result_is_ok(map_init(&set->by_code, entry_capacity))) {
        code_set_free(set);
        return result_error(RESULT_FULL);
    }
    return result_ok();
}

void code_set_free(struct code_set *set) {
    pages_free(set->batches, set->batch_capacity, sizeof *set->batches);
    pages_free(set->entries, set->entry_capacity, sizeof *set->entries);
    map_free(&set->by_id);
    map_free(&set->by_code);
    *set = (struct code_set){0};
}

void code_set_begin(struct code_set *set) {
    for (size_t i = 0; i < set->batch_count; i++) set->batches[i].is_new = set->batches[i].is_changed = false;
    if (set->entry_count == 0) return;
    set->entry_count = 0;
    map_clear(&set->by_code);
}

void code_set_clear(struct code_set *set) {
    code_set_begin(set);
    set->batch_count = 0;
    map_clear(&set->by_id);
}

static struct text id_key(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

struct result code_set_load(struct code_set *set, const struct code_batch *batch) {
    if (set->batch_count == set->batch_capacity) return result_error(RESULT_FULL);
    if (batch->number != set->batch_count + 1 || code_batch_fault(batch) != NULL || code_batch_by_id(set, batch->id) != NULL)
        return result_error(RESULT_CORRUPT);
    struct code_batch *kept = &set->batches[set->batch_count];
    *kept = *batch;
    TRY(map_put(&set->by_id, id_key(&kept->id), kept));
    set->batch_count++;
    return result_ok();
}

static struct text entry_key(uint32_t batch, int64_t index, uint8_t key[12]) {
    memcpy(key, &batch, sizeof batch);
    memcpy(key + sizeof batch, &index, sizeof index);
    return (struct text){(const char *)key, 12};
}

struct code_entry *code_entry_of(const struct code_set *set, uint32_t batch, int64_t index) {
    uint8_t key[12];
    return map_get(&set->by_code, entry_key(batch, index, key));
}

struct code_entry *code_set_name(struct code_set *set, uint32_t batch, int64_t index) {
    struct code_entry *entry = code_entry_of(set, batch, index);
    if (entry != NULL || set->entry_count == set->entry_capacity) return entry;
    entry = &set->entries[set->entry_count];
    *entry = (struct code_entry){.batch = batch, .index = index};
    if (!result_is_ok(map_put(&set->by_code, entry_key(batch, index, entry->key), entry))) return NULL;
    set->entry_count++;
    return entry;
}

struct code_batch *code_batch_by_id(const struct code_set *set, struct id id) {
    return map_get(&set->by_id, id_key(&id));
}

struct code_batch *code_batch_by_number(const struct code_set *set, uint32_t number) {
    return number == 0 || number > set->batch_count ? NULL : &set->batches[number - 1];
}

/* ---- foreign codes ---- */

void imported_code_set_last(struct imported_code *imported, const struct code *code) {
    struct text text = code_text(code);
    size_t starts[LIMIT_CODE_BYTES], count = 0;
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] & 0xC0) != 0x80) starts[count++] = i; /* where a character of UTF-8 begins */
    }
    size_t start = count > 4 ? starts[count - 4] : 0;
    imported->last_size = (uint8_t)(text.size - start);
    memcpy(imported->last, text.data + start, imported->last_size);
}

int64_t imported_code_check(uint32_t batch, int64_t index, const struct imported_code *imported) {
    uint8_t bytes[12 + sizeof imported->hash.bytes + CODE_LAST_BYTES];
    size_t size = 0;
    for (int shift = 24; shift >= 0; shift -= 8) bytes[size++] = (uint8_t)(batch >> shift);
    for (int shift = 56; shift >= 0; shift -= 8) bytes[size++] = (uint8_t)((uint64_t)index >> shift);
    memcpy(bytes + size, imported->hash.bytes, sizeof imported->hash.bytes);
    size += sizeof imported->hash.bytes;
    memcpy(bytes + size, imported->last, imported->last_size);
    size += imported->last_size;
    struct hash hash = crypto_hash((struct text){(const char *)bytes, size});
    int64_t check = 1;
    for (size_t i = 0; i < 7; i++) check = check << 8 | hash.bytes[i];
    return check;
}

/* ---- what a batch may be ---- */

const char *code_batch_fault(const struct code_batch *batch) {
    if (batch->number == 0 || id_is_zero(batch->id) || batch->campaign_number == 0) return "it has no number, id or campaign";
    bool is_imported = code_batch_is_imported(batch);
    if (is_imported ? batch->pattern.symbol_count != 0 : batch->pattern.symbol_count < PATTERN_SYMBOLS_MIN) return "it has no pattern";
    if (batch->count < 1 || batch->count > CODE_COUNT_MAX) return "its codes are out of range";
    if (batch->first < 0 || (!is_imported && (unsigned __int128)(batch->first + batch->count) > pattern_numbers(&batch->pattern)))
        return "its numbers are out of range";
    if (batch->max_uses < 1 || batch->max_uses > CODE_USES_MAX) return "the uses of its codes are out of range";
    if (batch->created_at_us <= 0 || batch->expires_at_us < 0 || batch->revoked_at_us < 0) return "one of its times is out of range";
    if (batch->used < 0 || batch->used > batch->count || batch->uses < batch->used || batch->uses > batch->used * batch->max_uses)
        return "its codes were used more often than they may be";
    if (batch->revoked < 0 || batch->revoked > batch->count) return "it has more revoked codes than codes";
    return NULL;
}

enum code_batch_state code_batch_state(const struct code_batch *batch, int64_t now_us) {
    if (batch->revoked_at_us != 0) return CODE_BATCH_REVOKED;
    return batch->expires_at_us != 0 && now_us >= batch->expires_at_us ? CODE_BATCH_EXPIRED : CODE_BATCH_ACTIVE;
}

const char *code_batch_state_name(enum code_batch_state state) {
    switch (state) {
    case CODE_BATCH_ACTIVE: return "active";
    case CODE_BATCH_EXPIRED: return "expired";
    case CODE_BATCH_REVOKED: return "revoked";
    }
    return NULL;
}

static void mark_changed(struct code_batch *batch) {
    batch->is_changed = true;
    CHECK(code_batch_fault(batch) == NULL);
}

/* ---- decisions ---- */

/* One of this shape and key that has one of the numbers from `first` on; NULL: they are free. */
static const struct code_batch *find_in_the_way(const struct code_set *set, const struct code_batch_create *create, int64_t first) {
    for (size_t i = 0; i < set->batch_count; i++) {
        const struct code_batch *batch = &set->batches[i];
        bool is_alike = code_equal(&batch->pattern.shape, &create->pattern.shape) &&
                        memcmp(batch->key_check, create->key_check, sizeof batch->key_check) == 0;
        if (is_alike && batch->first < first + create->count && first < batch->first + batch->count) return batch;
    }
    return NULL;
}

/* Where nobody could have known, by the random bits of its id, or behind whom it would meet there. Not behind the newest of its shape: a database that is
 * replaced by an older copy has lost the batches of since, but people have their codes, and the next batch would make the same again, unused. Of a pattern that is
 * not weak, two batches meet by chance once in 10^11. -1: there is no room. */
static int64_t find_first(const struct code_set *set, const struct code_batch_create *create) {
    unsigned __int128 numbers = create->pattern.typed_size == 0 ? NUMBERS_MAX : pattern_numbers(&create->pattern);
    uint64_t last = (numbers < NUMBERS_MAX ? (uint64_t)numbers : NUMBERS_MAX) - (uint64_t)create->count, random = 0;
    bool has_turned = false;
    for (size_t i = 8; i < sizeof create->id.bytes; i++) random = random << 8 | create->id.bytes[i];
    int64_t first = (int64_t)(random % NUMBERS_MAX % (last + 1));
    for (;;) {
        const struct code_batch *other = find_in_the_way(set, create, first);
        if (other == NULL) return first;
        first = other->first + other->count;
        if ((uint64_t)first <= last) continue;
        if (has_turned) return -1;
        has_turned = true;
        first = 0;
    }
}

enum code_verdict code_batch_create(struct code_set *set, const struct code_batch_create *create, int64_t now_us,
                                    struct code_batch **ret_batch) {
    bool is_imported = create->pattern.typed_size == 0;
    CHECK(is_imported || !pattern_strength(create->pattern.symbol_count, create->count).is_weak);
    CHECK(create->note.size <= CODE_NOTE_BYTES);
    *ret_batch = NULL;
    if (create->expires_at_us != 0 && create->expires_at_us <= now_us) return CODE_EXPIRY_NOT_FUTURE;
    int64_t first = set->batch_count < set->batch_capacity ? find_first(set, create) : -1;
    if (first < 0) return CODE_TOO_MANY_BATCHES;
    struct code_batch *batch = &set->batches[set->batch_count];
    *batch = (struct code_batch){.number = (uint32_t)set->batch_count + 1,
                                 .id = create->id,
                                 .campaign_number = create->campaign_number,
                                 .pattern = create->pattern,
                                 .first = first,
                                 .count = create->count,
                                 .max_uses = create->max_uses,
                                 .created_at_us = now_us,
                                 .expires_at_us = create->expires_at_us,
                                 .note_size = (uint16_t)create->note.size,
                                 .is_new = true};
    memcpy(batch->key_check, create->key_check, sizeof batch->key_check);
    if (create->note.size > 0) memcpy(batch->note, create->note.data, create->note.size);
    CHECK(code_batch_by_id(set, batch->id) == NULL && result_is_ok(map_put(&set->by_id, id_key(&batch->id), batch)));
    set->batch_count++;
    mark_changed(batch);
    *ret_batch = batch;
    return CODE_DONE;
}

enum code_verdict code_batch_revoke(struct code_batch *batch, int64_t now_us) {
    if (batch == NULL) return CODE_BATCH_NOT_FOUND;
    if (batch->revoked_at_us != 0) return CODE_UNCHANGED;
    batch->revoked_at_us = now_us;
    mark_changed(batch);
    return CODE_DONE;
}

enum code_verdict code_revoke(struct code_set *set, struct code_entry *entry) {
    struct code_batch *batch = code_batch_by_number(set, entry->batch);
    CHECK(batch != NULL && entry->index >= 1 && entry->index <= batch->count);
    if (entry->is_revoked) return CODE_UNCHANGED;
    entry->is_revoked = entry->is_newly_revoked = true;
    batch->revoked++;
    mark_changed(batch);
    return CODE_DONE;
}

bool code_is_dead(const struct code_set *set, const struct code_entry *entry, int64_t now_us) {
    const struct code_batch *batch = code_batch_by_number(set, entry->batch);
    CHECK(batch != NULL);
    return entry->is_revoked || entry->uses >= batch->max_uses || code_batch_state(batch, now_us) != CODE_BATCH_ACTIVE;
}

void code_use(struct code_set *set, struct code_entry *entry) {
    struct code_batch *batch = code_batch_by_number(set, entry->batch);
    CHECK(batch != NULL && entry->uses < batch->max_uses && !entry->is_revoked);
    batch->used += entry->uses == 0;
    batch->uses++;
    entry->uses++;
    entry->is_newly_used = true;
    mark_changed(batch);
}

void code_give_back(struct code_set *set, struct code_entry *entry) {
    CHECK(set != NULL && entry != NULL && entry->uses > 0); /* it was loaded */
    struct code_batch *batch = code_batch_by_number(set, entry->batch);
    CHECK(batch != NULL && batch->uses > 0 && batch->used > 0);
    entry->uses--;
    batch->uses--;
    batch->used -= entry->uses == 0;
    entry->is_given_back = true;
    mark_changed(batch);
}
