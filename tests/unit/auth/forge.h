/* Tokens as an honest issuer makes them, and as nobody should. The one place in tests that signs with cjose itself. */
#pragma once

#include "../base/assertions.h"

#include <cjose/cjose.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/key.h"
#include "auth/token.h"
#include "base/clock.h"

#define NOW_S       INT64_C(1795341600) /* 2026-11-22T10:00:00Z */
#define NOW_US      (NOW_S * CLOCK_SECOND_US)
#define USER_ID     "0193a5b0-0000-7000-8000-000000000001"
#define SESSION_ID  "0193a5b0-0000-7000-8000-000000000002"
#define TOKEN_ID    "0193a5b0-0000-7000-8000-000000000003"
#define USER_CLAIMS "\"sub\":\"" USER_ID "\",\"sid\":\"" SESSION_ID "\",\"jti\":\"" TOKEN_ID "\",\"scope\":\"user\""

static inline void make_folder(char folder[64]) {
    snprintf(folder, 64, "/tmp/hamyan_auth_XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static inline void remove_folder(const char *folder) {
    DIR *open = opendir(folder);
    assert_non_null(open);
    const struct dirent *entry;
    char path[512];
    while ((entry = readdir(open)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(closedir(open), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* A ring of one new key. */
static inline struct key_ring *make_ring(enum key_algorithm algorithm) {
    char folder[64];
    struct key_ring *ring;
    make_folder(folder);
    assert_ok(key_generate(folder, algorithm, NOW_US));
    assert_ok(key_ring_load(folder, &ring));
    remove_folder(folder);
    return ring;
}

static inline struct text jwks_of(const struct key_ring *ring, struct arena *arena) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 1024);
    key_ring_write_jwks(ring, &buffer);
    assert_false(buffer.failed);
    return buffer_text(&buffer);
}

static inline void set_member(cjose_header_t *header, const char *name, const char *value, struct arena *arena) {
    cjose_err error;
    if (value[0] == '"') {
        struct text text = arena_print(arena, "%.*s", (int)strlen(value) - 2, value + 1);
        assert_true(cjose_header_set(header, name, text.data, &error));
    } else {
        assert_true(cjose_header_set_raw(header, name, value, &error));
    }
}

/* Any header over any payload, by any key; header members as JSON: a text, an array or an object. */
static inline struct text sign_with(cjose_jwk_t *jwk, const char *const (*members)[2], struct text payload, struct arena *arena) {
    cjose_err error;
    cjose_header_t *header = cjose_header_new(&error);
    for (; (*members)[0] != NULL; members++) set_member(header, (*members)[0], (*members)[1], arena);
    cjose_jws_t *jws = cjose_jws_sign(jwk, header, (const uint8_t *)payload.data, payload.size, &error);
    assert_non_null(jws);
    const char *token;
    assert_true(cjose_jws_export(jws, &token, &error));
    struct text copy = arena_copy(arena, text_of(token));
    cjose_jws_release(jws);
    cjose_header_release(header);
    return copy;
}

static inline struct text sign_payload(const struct key_ring *ring, const char *payload, struct arena *arena) {
    struct text token;
    assert_ok(key_sign(key_ring_signer(ring), text_of(payload), arena, &token));
    return token;
}

static inline struct text encode(struct arena *arena, struct text bytes) {
    size_t size = crypto_base64url_size(bytes.size);
    char *text = arena_take(arena, size + 1);
    crypto_base64url(bytes.data, bytes.size, text);
    return (struct text){text, size};
}

/* header.payload.signature out of raw parts. */
static inline struct text join(struct arena *arena, const char *header, const char *payload, const char *signature) {
    struct text head = encode(arena, text_of(header)), body = encode(arena, text_of(payload)), tail = encode(arena, text_of(signature));
    return arena_print(arena, "%.*s.%.*s.%.*s", (int)head.size, head.data, (int)body.size, body.data, (int)tail.size, tail.data);
}
