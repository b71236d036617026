/* Tokens as an honest issuer makes them, and as nobody should. The one place in tests that makes HMACs (RS256's key as HS256's secret). */
#pragma once

#include "../base/assertions.h"
#include "../base/folder.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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

static inline void make_folder(char folder[FOLDER_BYTES]) { folder_create(folder, "auth-test"); }

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

static inline struct text jwks_of(const struct key_ring *ring, struct arena *arena) { return arena_copy(arena, key_ring_jwks(ring)); }

static inline struct text encode(struct arena *arena, struct text bytes) {
    size_t size = crypto_base64url_size(bytes.size);
    char *text = arena_take(arena, size + 1);
    crypto_base64url(bytes.data, bytes.size, text);
    return (struct text){text, size};
}

/* What is signed: any header over any payload; header members as JSON, of two with one name the later one. */
static inline struct text signing_input(const char *const (*members)[2], struct text payload, struct arena *arena) {
    struct buffer header;
    buffer_init(&header, arena, 256);
    for (; (*members)[0] != NULL; members++) {
        const char *const(*later)[2] = members + 1;
        while ((*later)[0] != NULL && strcmp((*later)[0], (*members)[0]) != 0) later++;
        if ((*later)[0] == NULL) buffer_print(&header, "%c\"%s\":%s", header.size == 0 ? '{' : ',', (*members)[0], (*members)[1]);
    }
    buffer_append_byte(&header, '}');
    struct text head = encode(arena, buffer_text(&header)), body = encode(arena, payload);
    return arena_print(arena, "%.*s.%.*s", (int)head.size, head.data, (int)body.size, body.data);
}

static inline struct text with_signature(struct text input, const void *signature, size_t size, struct arena *arena) {
    struct text tail = encode(arena, (struct text){signature, size});
    return arena_print(arena, "%.*s.%.*s", (int)input.size, input.data, (int)tail.size, tail.data);
}

static inline struct text sign_with(const struct key *key, const char *const (*members)[2], struct text payload, struct arena *arena) {
    struct text input = signing_input(members, payload, arena);
    uint8_t signature[PRIVATE_KEY_SIGNATURE_BYTES_MAX];
    size_t size;
    assert_ok(private_key_sign(key->private_key, input, signature, &size));
    return with_signature(input, signature, size, arena);
}

/* As HS256 (RFC 7518, section 3.2) would. */
static inline struct text sign_with_secret(struct text secret, const char *const (*members)[2], struct text payload, struct arena *arena) {
    struct text input = signing_input(members, payload, arena);
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    assert_non_null(HMAC(EVP_sha256(), secret.data, (int)secret.size, (const uint8_t *)input.data, input.size, mac, &size));
    assert_int_equal(size, 32);
    return with_signature(input, mac, size, arena);
}

static inline struct text sign_payload(const struct key_ring *ring, const char *payload, struct arena *arena) {
    struct text token;
    assert_ok(key_sign(key_ring_signer(ring), text_of(payload), arena, &token));
    return token;
}

/* header.payload.signature out of raw parts. */
static inline struct text join(struct arena *arena, const char *header, const char *payload, const char *signature) {
    struct text head = encode(arena, text_of(header)), body = encode(arena, text_of(payload)), tail = encode(arena, text_of(signature));
    return arena_print(arena, "%.*s.%.*s.%.*s", (int)head.size, head.data, (int)body.size, body.data, (int)tail.size, tail.data);
}
