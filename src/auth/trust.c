#include "auth/trust.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/file.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#define ISSUERS_MAX    16u
#define TEXTS_BYTES    (64u * 1024) /* names and paths of all issuers */
#define JWKS_BYTES_MAX LIMIT_BODY_BYTES
#define WORK_BYTES     (1024u * 1024)

struct key_set {
    size_t count;
    struct key keys[LIMIT_KEYS];
    /* Of one that was replaced. */
    struct key_set *older;
    uint64_t replaced_at; /* the generation that came with it: who began to read then or later does not see this set */
};

struct issuer {
    struct trusted_issuer description;
    struct key_set *_Atomic keys; /* NULL: none known yet */
    _Atomic size_t count;         /* of its keys, for those who do not read them */
    struct key_set *replaced;     /* somebody may still read them */
};

struct trust {
    struct arena texts;
    struct text audience;
    _Atomic uint64_t generation;
    pthread_mutex_t mutex; /* of the list of readers */
    struct trust_reader *readers;
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

/* ---- readers ---- */

void trust_add_reader(struct trust *trust, struct trust_reader *reader) {
    atomic_init(&reader->since, 0);
    CHECK(pthread_mutex_lock(&trust->mutex) == 0);
    reader->next = trust->readers;
    trust->readers = reader;
    CHECK(pthread_mutex_unlock(&trust->mutex) == 0);
}

void trust_remove_reader(struct trust *trust, struct trust_reader *reader) {
    CHECK(pthread_mutex_lock(&trust->mutex) == 0);
    struct trust_reader **place = &trust->readers;
    while (*place != NULL && *place != reader) place = &(*place)->next;
    CHECK(*place == reader && atomic_load(&reader->since) == 0);
    *place = reader->next;
    CHECK(pthread_mutex_unlock(&trust->mutex) == 0);
}

/* The order of all threads' steps decides (memory_order_seq_cst): if whoever frees did not see the mark, the mark was set after the pointer was
 * replaced, and the reader that loads the pointer after its mark finds the new set. */
uint64_t trust_begin_reading(const struct trust *trust, struct trust_reader *reader) {
    uint64_t generation = atomic_load(&trust->generation);
    CHECK(atomic_load_explicit(&reader->since, memory_order_relaxed) == 0);
    atomic_store(&reader->since, generation);
    return generation;
}

void trust_end_reading(struct trust_reader *reader) { atomic_store_explicit(&reader->since, 0, memory_order_release); }

/* The least generation at which somebody reads. */
static uint64_t oldest_reading(struct trust *trust) {
    uint64_t oldest = UINT64_MAX;
    CHECK(pthread_mutex_lock(&trust->mutex) == 0);
    for (const struct trust_reader *reader = trust->readers; reader != NULL; reader = reader->next) {
        uint64_t since = atomic_load(&reader->since);
        if (since != 0 && since < oldest) oldest = since;
    }
    CHECK(pthread_mutex_unlock(&trust->mutex) == 0);
    return oldest;
}

static void free_replaced(struct trust *trust, struct issuer *issuer) {
    uint64_t oldest = oldest_reading(trust);
    struct key_set **place = &issuer->replaced;
    while (*place != NULL) {
        struct key_set *set = *place;
        if (set->replaced_at > oldest) {
            place = &set->older;
        } else {
            *place = set->older;
            free_set(set);
        }
    }
}

/* NULL: none is known any more. */
static void publish(struct trust *trust, struct issuer *issuer, struct key_set *fresh) {
    struct key_set *before = atomic_exchange(&issuer->keys, fresh);
    atomic_store(&issuer->count, fresh == NULL ? 0 : fresh->count);
    /* After the keys: who sees the new number sees the new keys. */
    uint64_t generation = atomic_fetch_add(&trust->generation, 1) + 1;
    if (before != NULL) {
        before->replaced_at = generation;
        before->older = issuer->replaced;
        issuer->replaced = before;
    }
    free_replaced(trust, issuer);
}

/* ---- issuers ---- */

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
    atomic_init(&added->count, 0);
    trust->count++;
    return result_ok();
}

struct result trust_create(const char *audience, const struct trusted_issuer *issuers, size_t count, struct trust **ret_trust) {
    if (count > ISSUERS_MAX || audience == NULL || audience[0] == '\0') return result_error(RESULT_INVALID);
    struct trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL) return result_error(RESULT_FULL);
    arena_init(&trust->texts, TEXTS_BYTES);
    atomic_init(&trust->generation, 1);
    CHECK(pthread_mutex_init(&trust->mutex, NULL) == 0);
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
    CHECK(trust->readers == NULL);
    for (size_t i = 0; i < trust->count; i++) {
        free_replaced(trust, &trust->issuers[i]);
        CHECK(trust->issuers[i].replaced == NULL);
        struct key_set *set = atomic_load(&trust->issuers[i].keys);
        if (set != NULL) free_set(set);
    }
    CHECK(pthread_mutex_destroy(&trust->mutex) == 0);
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

static struct result open_set(struct text jwks, struct arena *arena, struct json_document **ret_document) {
    struct faults faults;
    faults_init(&faults, arena);
    if (jwks.size > JWKS_BYTES_MAX || !result_is_ok(json_open(arena, jwks, &faults, ret_document))) return result_error(RESULT_INVALID);
    return json_is_array(json_get(json_root(*ret_document), "keys")) ? result_ok() : result_error(RESULT_INVALID);
}

/* {"fetched_at", "source", "keys"} */
static struct text write_kept(const struct trusted_issuer *issuer, const struct key_set *set, int64_t now_us, struct arena *arena) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 4096);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "fetched_at");
    json_put_time(&writer, now_us);
    json_key(&writer, "source");
    json_put_text(&writer, text_of(issuer->source));
    json_key(&writer, "keys");
    json_begin_array(&writer);
    for (size_t i = 0; i < set->count; i++) json_put_raw(&writer, set->keys[i].public_json);
    json_end_array(&writer);
    json_end_object(&writer);
    return buffer.failed ? (struct text){NULL, 0} : buffer_text(&buffer);
}

/* One that cannot be written is removed: it might hold a key that was withdrawn. It only costs the next start without the issuer. */
static void keep(const struct trusted_issuer *issuer, const struct key_set *set, int64_t fetched_at_us) {
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, WORK_BYTES);
    struct text kept = write_kept(issuer, set, fetched_at_us, &arena);
    if (kept.data != NULL && result_is_ok(file_replace(issuer->cache_path, kept))) return;
    LOG(LOG_WARN, "keys_not_kept", LOG_STRING("issuer", issuer->name), LOG_STRING("file", issuer->cache_path));
    (void)unlink(issuer->cache_path);
}

#define NOT_KEPT_US INT64_MIN

/* Kept before it is believed: who has seen it work finds it after a crash. */
static struct result replace_set(struct trust *trust, struct issuer *issuer, const struct json_value *keys, struct arena *arena,
                                 int64_t fetched_at_us) {
    struct key_set *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL) return result_error(RESULT_FULL);
    read_keys(keys, issuer->description.name, arena, fresh);
    if (fetched_at_us != NOT_KEPT_US && issuer->description.cache_path != NULL) keep(&issuer->description, fresh, fetched_at_us);
    if (has_same_keys(atomic_load(&issuer->keys), fresh)) {
        free_set(fresh);
        return result_ok();
    }
    LOG(fresh->count == 0 ? LOG_WARN : LOG_INFO, "keys_accepted", LOG_STRING("issuer", issuer->description.name),
        LOG_INTEGER("count", fresh->count));
    publish(trust, issuer, fresh);
    return result_ok();
}

static struct result accept(struct trust *trust, size_t issuer_index, struct text jwks, int64_t fetched_at_us) {
    CHECK(issuer_index < trust->count);
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, WORK_BYTES);
    AT_END(close_json) struct json_document *document = NULL;
    TRY(open_set(jwks, &arena, &document));
    return replace_set(trust, &trust->issuers[issuer_index], json_get(json_root(document), "keys"), &arena, fetched_at_us);
}

struct result trust_accept_jwks(struct trust *trust, size_t issuer_index, struct text jwks) {
    return accept(trust, issuer_index, jwks, NOT_KEPT_US);
}

struct result trust_accept_fetched(struct trust *trust, size_t issuer_index, struct text jwks, int64_t now_us) {
    return accept(trust, issuer_index, jwks, now_us);
}

void trust_forget_keys(struct trust *trust, size_t issuer_index) {
    CHECK(issuer_index < trust->count);
    publish(trust, &trust->issuers[issuer_index], NULL);
}

/* ---- kept copies ---- */

struct result trust_use_kept(struct trust *trust, size_t issuer_index, int64_t now_us, int64_t age_max_us, int64_t *ret_age_us) {
    CHECK(issuer_index < trust->count);
    struct issuer *issuer = &trust->issuers[issuer_index];
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, WORK_BYTES);
    AT_END(close_json) struct json_document *document = NULL;
    struct text kept;
    int64_t fetched_at_us;
    if (issuer->description.cache_path == NULL) return result_error(RESULT_NOT_FOUND);
    TRY(file_read(issuer->description.cache_path, JWKS_BYTES_MAX, false, &arena, &kept));
    if (!result_is_ok(open_set(kept, &arena, &document))) return result_error(RESULT_CORRUPT);
    const struct json_value *root = json_root(document);
    if (!result_is_ok(clock_parse(json_get_text(root, "fetched_at"), &fetched_at_us))) return result_error(RESULT_CORRUPT);
    if (!text_equal(json_get_text(root, "source"), text_of(issuer->description.source))) return result_error(RESULT_NOT_FOUND);
    if (fetched_at_us > now_us || now_us - fetched_at_us >= age_max_us) return result_error(RESULT_TIMEOUT);
    *ret_age_us = now_us - fetched_at_us;
    return replace_set(trust, issuer, json_get(root, "keys"), &arena, NOT_KEPT_US);
}

bool trust_source_is_url(const struct trusted_issuer *issuer) {
    struct text source = text_of(issuer->source);
    return text_starts_with(source, TEXT("http://")) || text_starts_with(source, TEXT("https://"));
}

static struct result load_path(struct trust *trust, size_t issuer_index, const char *path) {
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, WORK_BYTES);
    struct text jwks;
    TRY(file_read(path, JWKS_BYTES_MAX, false, &arena, &jwks));
    return trust_accept_jwks(trust, issuer_index, jwks);
}

struct result trust_load_file(struct trust *trust, size_t issuer_index) {
    CHECK(issuer_index < trust->count);
    const struct trusted_issuer *issuer = &trust->issuers[issuer_index].description;
    CHECK(issuer->source != NULL && !trust_source_is_url(issuer));
    return load_path(trust, issuer_index, issuer->source);
}

struct result trust_take_ring(struct trust *trust, const struct key_ring *ring) {
    for (size_t i = 0; i < trust->count; i++) {
        if (trust->issuers[i].description.ring != NULL) TRY(trust_accept_jwks(trust, i, key_ring_jwks(ring)));
    }
    return result_ok();
}

void trust_load(struct trust *trust) {
    for (size_t i = 0; i < trust->count; i++) {
        const struct trusted_issuer *issuer = &trust->issuers[i].description;
        if (issuer->ring == NULL && trust_source_is_url(issuer)) continue;
        struct result loaded = issuer->ring != NULL ? trust_accept_jwks(trust, i, key_ring_jwks(issuer->ring)) : trust_load_file(trust, i);
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
    return atomic_load(&trust->issuers[issuer_index].count) > 0;
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
    return find_key(atomic_load(&trust->issuers[issuer_index].keys), id);
}

bool trust_has_key(const struct trust *trust, size_t issuer_index, const struct hash *digest) {
    CHECK(issuer_index < trust->count);
    const struct key_set *set = atomic_load(&trust->issuers[issuer_index].keys);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (crypto_equal(&set->keys[i].digest, digest, sizeof *digest)) return true;
    }
    return false;
}
