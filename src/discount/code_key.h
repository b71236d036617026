/* The master keys of codes: a file beside the database, open to its owner only, one key a line, the newest last. New batches take the newest; each batch
 * says which one it needs. Without it its codes can neither be written nor read (docs/codes.md). */
#pragma once

#include "base/crypto.h"
#include "discount/core/codes.h"

#define CODE_KEY_FILE  "codes.key"
#define CODE_KEYS_MAX  16u
#define CODE_KEY_BYTES CRYPTO_HASH_BYTES

struct code_keys {
    size_t count; /* 0: there are none */
    struct code_key {
        uint8_t bytes[CODE_KEY_BYTES];
        uint8_t check[CODE_CHECK_BYTES]; /* by which it is known, and which tells nothing of it */
    } keys[CODE_KEYS_MAX];
};

/* RESULT_NOT_FOUND: no such file; RESULT_CORRUPT: something else stands in it; RESULT_DENIED: it is open to others; RESULT_IO. */
struct result code_keys_read(const char *path, struct code_keys *ret_keys) MUST_CHECK;
/* Adds a new key, to none if there is no file. RESULT_FULL: there are CODE_KEYS_MAX; or as code_keys_read, file_replace. */
struct result code_keys_add(const char *path, struct code_keys *ret_keys) MUST_CHECK;
void code_keys_wipe(struct code_keys *keys);
/* NULL: it is not there. */
const struct code_key *code_key_find(const struct code_keys *keys, const uint8_t check[CODE_CHECK_BYTES]);
const struct code_key *code_key_newest(const struct code_keys *keys);
/* A key of its own for each purpose: what is said in `purpose` and in `what`. */
struct hash code_key_derive(const struct code_key *key, const char *purpose, struct text what);
