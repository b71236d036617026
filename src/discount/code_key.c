#include "discount/code_key.h"

#include <string.h>

#include "auth/file.h"
#include "base/check.h"

#define LINE_BYTES 44u /* base64url of 32 bytes, and its end */
#define FILE_BYTES (CODE_KEYS_MAX * LINE_BYTES)

/* ---- keys out of keys ---- */

struct hash code_key_derive(const struct code_key *key, const char *purpose, struct text what) {
    char message[128];
    struct text name = text_of(purpose);
    CHECK(name.size + 1 + what.size <= sizeof message);
    memcpy(message, name.data, name.size);
    message[name.size] = '\0';
    if (what.size > 0) memcpy(message + name.size + 1, what.data, what.size);
    return crypto_hash_keyed((struct text){message, name.size + 1 + what.size}, key->bytes);
}

static void set_check(struct code_key *key) {
    struct hash check = code_key_derive(key, "check", TEXT(""));
    memcpy(key->check, check.bytes, sizeof key->check);
}

/* ---- the file ---- */

static struct result parse(struct text content, struct code_keys *keys) {
    if (content.size == 0 || content.size % LINE_BYTES != 0 || content.size > FILE_BYTES) return result_error(RESULT_CORRUPT);
    for (size_t at = 0; at < content.size; at += LINE_BYTES) {
        struct code_key *key = &keys->keys[keys->count];
        size_t size = 0;
        struct text line = {content.data + at, LINE_BYTES - 1};
        struct result decoded = crypto_base64url_decode(line, key->bytes, sizeof key->bytes, &size);
        if (content.data[at + LINE_BYTES - 1] != '\n' || !result_is_ok(decoded) || size != sizeof key->bytes)
            return result_error(RESULT_CORRUPT);
        set_check(key);
        keys->count++;
    }
    return result_ok();
}

struct result code_keys_read(const char *path, struct code_keys *ret_keys) {
    struct arena arena;
    struct text content;
    *ret_keys = (struct code_keys){0};
    arena_init(&arena, 2 * FILE_BYTES + 4096);
    struct result outcome = file_read(path, FILE_BYTES, true, &arena, &content);
    if (outcome.code == RESULT_FULL) outcome = result_error(RESULT_CORRUPT);
    if (result_is_ok(outcome)) {
        outcome = parse(content, ret_keys);
        crypto_wipe((void *)(uintptr_t)content.data, content.size);
    }
    arena_release(&arena);
    if (!result_is_ok(outcome)) code_keys_wipe(ret_keys);
    return outcome;
}

struct result code_keys_add(const char *path, struct code_keys *ret_keys) {
    char content[FILE_BYTES];
    struct result outcome = code_keys_read(path, ret_keys);
    if (!result_is_ok(outcome) && outcome.code != RESULT_NOT_FOUND) return outcome;
    if (ret_keys->count == CODE_KEYS_MAX) return result_error(RESULT_FULL);
    struct code_key *key = &ret_keys->keys[ret_keys->count++];
    crypto_random(key->bytes, sizeof key->bytes);
    set_check(key);
    for (size_t i = 0; i < ret_keys->count; i++) {
        crypto_base64url(ret_keys->keys[i].bytes, CODE_KEY_BYTES, content + i * LINE_BYTES);
        content[(i + 1) * LINE_BYTES - 1] = '\n';
    }
    outcome = file_replace(path, (struct text){content, ret_keys->count * LINE_BYTES});
    crypto_wipe(content, sizeof content);
    if (!result_is_ok(outcome)) code_keys_wipe(ret_keys);
    return outcome;
}

void code_keys_wipe(struct code_keys *keys) { crypto_wipe(keys, sizeof *keys); }

const struct code_key *code_key_find(const struct code_keys *keys, const uint8_t check[CODE_CHECK_BYTES]) {
    for (size_t i = 0; i < keys->count; i++) {
        if (memcmp(keys->keys[i].check, check, CODE_CHECK_BYTES) == 0) return &keys->keys[i];
    }
    return NULL;
}

const struct code_key *code_key_newest(const struct code_keys *keys) { return keys->count == 0 ? NULL : &keys->keys[keys->count - 1]; }
