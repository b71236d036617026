#include "auth/keys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/file.h"
#include "auth/key.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#define FILE_BYTES_MAX  16384u
#define ARENA_BYTES_MAX (256u * 1024)

/* What was in the folder at one time: newest first, never empty, immutable. */
struct key_set {
    size_t count;
    struct key keys[LIMIT_KEYS];
    int64_t created_at_us[LIMIT_KEYS];
    struct arena arena; /* of the document */
    struct text jwks;
    struct key_set *older;
};

/* Sets that were replaced stay as long as the ring, for somebody may read them: an operator replaces one a few times a year. */
struct key_ring {
    struct key_set *_Atomic current;
};

static void release_arena(struct arena *arena) { arena_release(arena); }
static void close_folder(DIR **folder) {
    if (*folder != NULL) (void)closedir(*folder);
}

#define AT_END(function) __attribute__((cleanup(function)))

/* Made by root for a service that is somebody else: it must be able to read its own key. */
static bool give_to_owner_of(const char *directory, const char *path) {
    struct stat status;
    return geteuid() != 0 || (stat(directory, &status) == 0 && lchown(path, status.st_uid, status.st_gid) == 0);
}

static struct result write_key(const char *directory, struct text id, struct text json) {
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/%.*s.jwk", directory, (int)id.size, id.data);
    bool fits = size > 0 && (size_t)size < sizeof path;
    struct result written = fits ? file_replace(path, json) : result_error(RESULT_IO);
    if (result_is_ok(written) && !give_to_owner_of(directory, path)) written = result_error(RESULT_IO);
    return written;
}

struct result key_generate(const char *directory, enum key_algorithm algorithm, int64_t now_us) {
    for (;;) {
        AT_END(release_arena) struct arena arena;
        arena_init(&arena, ARENA_BYTES_MAX);
        struct text id, json;
        if (!result_is_ok(key_make(algorithm, now_us, &arena, &id, &json))) return result_error(RESULT_IO);
        bool is_like_a_flag = id.data[0] == '-'; /* one of 64: what is typed of it at a prompt would not reach us */
        struct result written = is_like_a_flag ? result_ok() : write_key(directory, id, json);
        crypto_wipe((void *)(uintptr_t)json.data, json.size);
        if (!is_like_a_flag) return written;
    }
}

struct result key_remove(const char *directory, struct text id) {
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/%.*s.jwk", directory, (int)id.size, id.data);
    if (id.size == 0 || memchr(id.data, '/', id.size) != NULL || size < 0 || (size_t)size >= sizeof path)
        return result_error(RESULT_NOT_FOUND);
    if (unlink(path) != 0) return result_error(errno == ENOENT ? RESULT_NOT_FOUND : RESULT_IO);
    return file_sync_folder_of(path);
}

/* Puts the key in its place by age; the oldest falls out of a full set. Takes the key over. */
static void insert(struct key_set *set, struct key key, int64_t created_at_us) {
    size_t at = set->count;
    while (at > 0 && (set->created_at_us[at - 1] < created_at_us)) at--;
    if (set->count == LIMIT_KEYS) {
        struct key *loser = at == LIMIT_KEYS ? &key : &set->keys[LIMIT_KEYS - 1];
        LOG(LOG_WARN, "key_ignored", LOG_STRING("reason", "too many keys in the folder"), LOG_TEXT("kid", key_id(loser)));
        key_free(loser);
        if (at == LIMIT_KEYS) return;
        set->count--;
    }
    memmove(&set->keys[at + 1], &set->keys[at], (set->count - at) * sizeof set->keys[0]);
    memmove(&set->created_at_us[at + 1], &set->created_at_us[at], (set->count - at) * sizeof set->created_at_us[0]);
    set->keys[at] = key;
    set->created_at_us[at] = created_at_us;
    set->count++;
}

static struct result load_file(struct key_set *set, const char *path) {
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    struct text json;
    struct result read = file_read(path, FILE_BYTES_MAX, true, &arena, &json);
    if (read.code == RESULT_DENIED || read.code == RESULT_NOT_FOUND) return read;
    if (!result_is_ok(read)) return result_error(RESULT_CORRUPT);
    struct key key;
    int64_t created_at_us;
    struct result imported = key_import_private(json, &arena, &key, &created_at_us);
    crypto_wipe((void *)(uintptr_t)json.data, json.size);
    TRY(imported);
    insert(set, key, created_at_us);
    return result_ok();
}

static bool is_key_file(const char *name) {
    size_t size = strlen(name);
    return name[0] != '.' && size > strlen(".jwk") && strcmp(name + size - strlen(".jwk"), ".jwk") == 0;
}

static struct result load_folder(struct key_set *set, const char *directory) {
    AT_END(close_folder) DIR *folder = opendir(directory);
    if (folder == NULL) return result_error(RESULT_NOT_FOUND);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) return errno == 0 ? result_ok() : result_error(RESULT_IO);
        if (!is_key_file(entry->d_name)) continue;
        char path[PATH_MAX];
        int size = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (size < 0 || (size_t)size >= sizeof path) return result_error(RESULT_IO);
        struct result loaded = load_file(set, path);
        if (result_is_ok(loaded)) continue;
        bool is_denied = loaded.code == RESULT_DENIED;
        LOG(LOG_ERROR, "key_unusable", LOG_STRING("file", path), LOG_STRING("reason", result_name(loaded)),
            LOG_STRING("help", is_denied ? "nobody but the service's own user may read it: chown it to that user and chmod 600 it" : ""));
        return loaded;
    }
}

static void free_set(struct key_set *set) {
    for (size_t i = 0; i < set->count; i++) key_free(&set->keys[i]);
    arena_release(&set->arena);
    free(set);
}

static struct result render(struct key_set *set) {
    struct buffer buffer;
    buffer_init(&buffer, &set->arena, ARENA_CHUNK_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "keys");
    json_begin_array(&writer);
    for (size_t i = 0; i < set->count; i++) json_put_raw(&writer, set->keys[i].public_json);
    json_end_array(&writer);
    json_end_object(&writer);
    set->jwks = buffer_text(&buffer);
    return buffer.failed ? result_error(RESULT_FULL) : result_ok();
}

static struct result load_set(const char *directory, struct key_set **ret_set) {
    struct key_set *set = calloc(1, sizeof *set);
    if (set == NULL) return result_error(RESULT_FULL);
    arena_init(&set->arena, ARENA_BYTES_MAX);
    struct result loaded = load_folder(set, directory);
    if (result_is_ok(loaded) && set->count == 0) loaded = result_error(RESULT_NOT_FOUND);
    if (result_is_ok(loaded)) loaded = render(set);
    if (!result_is_ok(loaded)) {
        free_set(set);
        return loaded;
    }
    *ret_set = set;
    return result_ok();
}

struct result key_ring_load(const char *directory, struct key_ring **ret_ring) {
    struct key_set *set = NULL;
    TRY(load_set(directory, &set));
    struct key_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        free_set(set);
        return result_error(RESULT_FULL);
    }
    atomic_init(&ring->current, set);
    *ret_ring = ring;
    return result_ok();
}

void key_ring_replace(struct key_ring *ring, struct key_ring *loaded) {
    struct key_set *set = atomic_load(&loaded->current);
    set->older = atomic_load(&ring->current);
    atomic_store(&ring->current, set);
    free(loaded);
}

void key_ring_free(struct key_ring *ring) {
    if (ring == NULL) return;
    struct key_set *set = atomic_load(&ring->current);
    while (set != NULL) {
        struct key_set *older = set->older;
        free_set(set);
        set = older;
    }
    free(ring);
}

const struct key *key_ring_signer(const struct key_ring *ring) { return &atomic_load(&ring->current)->keys[0]; }

size_t key_ring_describe(const struct key_ring *ring, struct key_description ret_keys[LIMIT_KEYS]) {
    const struct key_set *set = atomic_load(&ring->current);
    for (size_t i = 0; i < set->count; i++)
        ret_keys[i] = (struct key_description){key_id(&set->keys[i]), set->keys[i].algorithm, set->created_at_us[i]};
    return set->count;
}

struct text key_ring_jwks(const struct key_ring *ring) {
    return atomic_load(&ring->current)->jwks;
}
