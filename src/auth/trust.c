#include "auth/trust.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "auth/file.h"
#include "base/check.h"
#include "base/log.h"

#define ISSUERS_MAX    16u
#define TEXTS_BYTES    (64u * 1024) /* names and paths of all issuers */
#define JWKS_BYTES_MAX LIMIT_BODY_BYTES
#define WORK_BYTES     (1024u * 1024)

struct key_set {
    size_t count;
    struct key keys[LIMIT_KEYS];
    struct key_set *older;
};

struct issuer {
    struct trusted_issuer description;
    struct key_set *_Atomic keys; /* NULL: none known yet */
};

struct trust {
    struct arena texts;
    struct text audience;
    _Atomic uint64_t generation;
    size_t count;
    struct issuer issuers[ISSUERS_MAX];
};

static void release_arena(struct arena *arena) { arena_release(arena); }
static void close_json(struct json_document **document) { json_close(*document); }

#define AT_END(function) __attribute__((cleanup(function)))

static void free_set(struct key_set *set) {
    for (size_t i = 0; i < set->count; i++) key_free(&set->keys[i]);
    free(set);
}

/* NULL stays NULL; false when there is no room. */
static bool keep_text(struct trust *trust, const char **text) {
    if (*text == NULL) return true;
    *text = arena_copy(&trust->texts, text_of(*text)).data;
    return *text != NULL;
}

static struct result add_issuer(struct trust *trust, const struct trusted_issuer *issuer) {
    size_t same;
    struct text name = text_of(issuer->name);
    if (name.size == 0 || name.size > LIMIT_USERNAME_BYTES || trust_find_issuer(trust, name, &same)) return result_error(RESULT_INVALID);
    if (issuer->kind == IDENTITY_NOBODY || (issuer->source == NULL) == (issuer->ring == NULL)) return result_error(RESULT_INVALID);
    struct issuer *added = &trust->issuers[trust->count];
    added->description = *issuer;
    struct trusted_issuer *description = &added->description;
    if (!keep_text(trust, &description->name) || !keep_text(trust, &description->source) || !keep_text(trust, &description->cache_path)) {
        return result_error(RESULT_FULL);
    }
    atomic_init(&added->keys, NULL);
    trust->count++;
    return result_ok();
}

struct result trust_create(const char *audience, const struct trusted_issuer *issuers, size_t count, struct trust **ret_trust) {
    if (count > ISSUERS_MAX || audience == NULL || audience[0] == '\0') return result_error(RESULT_INVALID);
    struct trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL) return result_error(RESULT_FULL);
    arena_init(&trust->texts, TEXTS_BYTES);
    atomic_init(&trust->generation, 1);
    trust->audience = arena_copy(&trust->texts, text_of(audience));
    struct result added = trust->audience.data == NULL ? result_error(RESULT_FULL) : result_ok();
    for (size_t i = 0; i < count && result_is_ok(added); i++) added = add_issuer(trust, &issuers[i]);
    if (!result_is_ok(added)) {
        trust_free(trust);
        return added;
    }
    *ret_trust = trust;
    return result_ok();
}

void trust_free(struct trust *trust) {
    if (trust == NULL) return;
    for (size_t i = 0; i < trust->count; i++) {
        struct key_set *set = atomic_load(&trust->issuers[i].keys);
        while (set != NULL) {
            struct key_set *older = set->older;
            free_set(set);
            set = older;
        }
    }
    arena_release(&trust->texts);
    free(trust);
}

static const struct key *find_key(const struct key_set *set, struct text id) {
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (text_equal(key_id(&set->keys[i]), id)) return &set->keys[i];
    }
    return NULL;
}

static bool has_same_keys(const struct key_set *a, const struct key_set *b) {
    if (a == NULL || a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct key *other = find_key(b, key_id(&a->keys[i]));
        if (other == NULL || memcmp(&other->digest, &a->keys[i].digest, sizeof other->digest) != 0) return false;
    }
    return true;
}

static void read_keys(const struct json_value *keys, const char *issuer, struct arena *arena, struct key_set *set) {
    size_t ignored = 0;
    for (size_t i = 0; i < json_array_count(keys); i++) {
        struct key key;
        if (set->count == LIMIT_KEYS || !result_is_ok(key_import_public(json_array_item(keys, i), arena, &key))) {
            ignored++;
        } else if (find_key(set, key_id(&key)) != NULL) {
            key_free(&key);
            ignored++;
        } else {
            set->keys[set->count++] = key;
        }
    }
    if (ignored > 0) LOG(LOG_WARN, "keys_ignored", LOG_STRING("issuer", issuer), LOG_INTEGER("count", ignored));
}

static struct result parse_set(const char *issuer, struct text jwks, struct key_set *set) {
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, WORK_BYTES);
    AT_END(close_json) struct json_document *document = NULL;
    struct faults faults;
    faults_init(&faults, &arena);
    if (jwks.size > JWKS_BYTES_MAX || !result_is_ok(json_open(&arena, jwks, &faults, &document))) return result_error(RESULT_INVALID);
    read_keys(json_get(json_root(document), "keys"), issuer, &arena, set);
    return set->count == 0 ? result_error(RESULT_INVALID) : result_ok();
}

/* Sets *ret_is_new to whether the keys differ from the current ones. */
static struct result replace_set(struct trust *trust, size_t issuer_index, struct text jwks, bool *ret_is_new) {
    struct issuer *issuer = &trust->issuers[issuer_index];
    struct key_set *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL) return result_error(RESULT_FULL);
    struct result parsed = parse_set(issuer->description.name, jwks, fresh);
    struct key_set *current = atomic_load_explicit(&issuer->keys, memory_order_acquire);
    *ret_is_new = result_is_ok(parsed) && !has_same_keys(current, fresh);
    if (!*ret_is_new) {
        free_set(fresh);
        return parsed;
    }
    fresh->older = current;
    LOG(LOG_INFO, "keys_accepted", LOG_STRING("issuer", issuer->description.name), LOG_INTEGER("count", fresh->count));
    atomic_store_explicit(&issuer->keys, fresh, memory_order_release);
    /* After the keys: who sees the new number sees the new keys. */
    atomic_fetch_add_explicit(&trust->generation, 1, memory_order_release);
    return result_ok();
}

struct result trust_accept_jwks(struct trust *trust, size_t issuer_index, struct text jwks) {
    CHECK(issuer_index < trust->count);
    const struct trusted_issuer *issuer = &trust->issuers[issuer_index].description;
    bool is_new = false;
    TRY(replace_set(trust, issuer_index, jwks, &is_new));
    if (!is_new || issuer->cache_path == NULL) return result_ok();
    /* A start without the other service is what the copy is for: without it everything works but that. */
    struct result kept = file_replace(issuer->cache_path, jwks);
    if (!result_is_ok(kept)) LOG(LOG_WARN, "keys_not_kept", LOG_STRING("issuer", issuer->name), LOG_STRING("file", issuer->cache_path));
    return result_ok();
}

bool trust_source_is_url(const struct trusted_issuer *issuer) {
    struct text source = text_of(issuer->source);
    return text_starts_with(source, TEXT("http://")) || text_starts_with(source, TEXT("https://"));
}

static struct result load_path(struct trust *trust, size_t issuer_index, const char *path) {
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, WORK_BYTES);
    struct text jwks;
    bool is_new;
    TRY(file_read(path, JWKS_BYTES_MAX, false, &arena, &jwks));
    return replace_set(trust, issuer_index, jwks, &is_new);
}

struct result trust_load_file(struct trust *trust, size_t issuer_index) {
    CHECK(issuer_index < trust->count);
    const struct trusted_issuer *issuer = &trust->issuers[issuer_index].description;
    CHECK(issuer->source != NULL && !trust_source_is_url(issuer));
    return load_path(trust, issuer_index, issuer->source);
}

static struct result load_ring(struct trust *trust, size_t issuer_index) {
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, WORK_BYTES);
    struct buffer jwks;
    bool is_new;
    buffer_init(&jwks, &arena, 4096);
    key_ring_write_jwks(trust->issuers[issuer_index].description.ring, &jwks);
    return jwks.failed ? result_error(RESULT_FULL) : replace_set(trust, issuer_index, buffer_text(&jwks), &is_new);
}

void trust_load(struct trust *trust) {
    for (size_t i = 0; i < trust->count; i++) {
        const struct trusted_issuer *issuer = &trust->issuers[i].description;
        struct result loaded = result_error(RESULT_NOT_FOUND);
        if (issuer->ring != NULL) {
            loaded = load_ring(trust, i);
        } else if (!trust_source_is_url(issuer)) {
            loaded = trust_load_file(trust, i);
        } else if (issuer->cache_path != NULL) {
            loaded = load_path(trust, i, issuer->cache_path);
        }
        if (result_is_ok(loaded)) continue;
        LOG(LOG_WARN, "keys_not_known_yet", LOG_STRING("issuer", issuer->name), LOG_STRING("reason", result_name(loaded)));
    }
}

size_t trust_issuer_count(const struct trust *trust) { return trust->count; }

const struct trusted_issuer *trust_issuer(const struct trust *trust, size_t index) {
    CHECK(index < trust->count);
    return &trust->issuers[index].description;
}

bool trust_has_keys(const struct trust *trust, size_t issuer_index) {
    CHECK(issuer_index < trust->count);
    return atomic_load_explicit(&trust->issuers[issuer_index].keys, memory_order_acquire) != NULL;
}

struct text trust_audience(const struct trust *trust) {
    return trust->audience;
}

uint64_t trust_generation(const struct trust *trust) { return atomic_load_explicit(&trust->generation, memory_order_acquire); }

bool trust_find_issuer(const struct trust *trust, struct text name, size_t *ret_issuer_index) {
    for (size_t i = 0; i < trust->count; i++) {
        if (!text_equal(text_of(trust->issuers[i].description.name), name)) continue;
        *ret_issuer_index = i;
        return true;
    }
    return false;
}

const struct key *trust_find_key(const struct trust *trust, size_t issuer_index, struct text id) {
    CHECK(issuer_index < trust->count);
    return find_key(atomic_load_explicit(&trust->issuers[issuer_index].keys, memory_order_acquire), id);
}
