#include "auth/keys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/file.h"
#include "auth/key.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#define FILE_BYTES_MAX  16384u
#define ARENA_BYTES_MAX (256u * 1024)

/* Newest first; never empty once loaded. */
struct key_ring {
    size_t count;
    struct key keys[LIMIT_KEYS];
    int64_t created_at_us[LIMIT_KEYS];
};

static void release_arena(struct arena *arena) { arena_release(arena); }
static void close_folder(DIR **folder) {
    if (*folder != NULL) (void)closedir(*folder);
}

#define AT_END(function) __attribute__((cleanup(function)))

struct result key_generate(const char *directory, enum key_algorithm algorithm, int64_t now_us) {
    AT_END(release_arena) struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    struct text id, json;
    if (!result_is_ok(key_make(algorithm, now_us, &arena, &id, &json))) return result_error(RESULT_IO);
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/%.*s.jwk", directory, (int)id.size, id.data);
    bool fits = size > 0 && (size_t)size < sizeof path;
    struct result written = fits ? file_replace(path, json) : result_error(RESULT_IO);
    crypto_wipe((void *)(uintptr_t)json.data, json.size);
    return written;
}

/* Puts the key in its place by age; the oldest falls out of a full ring. Takes the key over. */
static void insert(struct key_ring *ring, struct key key, int64_t created_at_us) {
    size_t at = ring->count;
    while (at > 0 && (ring->created_at_us[at - 1] < created_at_us)) at--;
    if (ring->count == LIMIT_KEYS) {
        struct key *loser = at == LIMIT_KEYS ? &key : &ring->keys[LIMIT_KEYS - 1];
        LOG(LOG_WARN, "key_ignored", LOG_STRING("reason", "too many keys in the folder"), LOG_TEXT("kid", key_id(loser)));
        key_free(loser);
        if (at == LIMIT_KEYS) return;
        ring->count--;
    }
    memmove(&ring->keys[at + 1], &ring->keys[at], (ring->count - at) * sizeof ring->keys[0]);
    memmove(&ring->created_at_us[at + 1], &ring->created_at_us[at], (ring->count - at) * sizeof ring->created_at_us[0]);
    ring->keys[at] = key;
    ring->created_at_us[at] = created_at_us;
    ring->count++;
}

static struct result load_file(struct key_ring *ring, const char *path) {
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
    insert(ring, key, created_at_us);
    return result_ok();
}

static bool is_key_file(const char *name) {
    size_t size = strlen(name);
    return name[0] != '.' && size > strlen(".jwk") && strcmp(name + size - strlen(".jwk"), ".jwk") == 0;
}

static struct result load_folder(struct key_ring *ring, const char *directory) {
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
        struct result loaded = load_file(ring, path);
        if (result_is_ok(loaded)) continue;
        bool is_denied = loaded.code == RESULT_DENIED;
        LOG(LOG_ERROR, "key_unusable", LOG_STRING("file", path), LOG_STRING("reason", result_name(loaded)),
            LOG_STRING("help", is_denied ? "nobody but the service's own user may read it: chown it to that user and chmod 600 it" : ""));
        return loaded;
    }
}

struct result key_ring_load(const char *directory, struct key_ring **ret_ring) {
    struct key_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) return result_error(RESULT_FULL);
    struct result loaded = load_folder(ring, directory);
    if (result_is_ok(loaded) && ring->count == 0) loaded = result_error(RESULT_NOT_FOUND);
    if (!result_is_ok(loaded)) {
        key_ring_free(ring);
        return loaded;
    }
    *ret_ring = ring;
    return result_ok();
}

void key_ring_free(struct key_ring *ring) {
    if (ring == NULL) return;
    for (size_t i = 0; i < ring->count; i++) key_free(&ring->keys[i]);
    free(ring);
}

const struct key *key_ring_signer(const struct key_ring *ring) {
    CHECK(ring->count > 0);
    return &ring->keys[0];
}

void key_ring_write_jwks(const struct key_ring *ring, struct buffer *buffer) {
    struct json_writer writer = {.buffer = buffer};
    json_begin_object(&writer);
    json_key(&writer, "keys");
    json_begin_array(&writer);
    for (size_t i = 0; i < ring->count; i++) json_put_raw(&writer, ring->keys[i].public_json);
    json_end_array(&writer);
    json_end_object(&writer);
}
