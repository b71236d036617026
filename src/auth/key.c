#include "auth/key.h"

#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "base/check.h"
#include "base/clock.h"

#define RSA_BYTES_LEAST    256u                            /* 2048 bits: RFC 7518, section 3.3 */
#define RSA_BYTES_MOST     PRIVATE_KEY_SIGNATURE_BYTES_MAX /* 4096 bits: what one verification may cost */
#define P256_BYTES         32u                             /* of a coordinate; a signature is two of them (RFC 7518, section 3.4) */
#define JSON_BYTES         8192u
#define SIGNATURE_TEXT_MAX (RSA_BYTES_MOST / 3 * 4 + 3)

static const char *const algorithm_names[] = {[KEY_RS256] = "RS256", [KEY_ES256] = "ES256"};
static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

static void free_private(struct private_key **key) { private_key_free(*key); }
static void free_checker(struct signature_checker **checker) { signature_checker_free(*checker); }
static void close_json(struct json_document **document) { json_close(*document); }

#define AT_END(function) __attribute__((cleanup(function)))

const char *key_algorithm_name(enum key_algorithm algorithm) { return algorithm_names[algorithm]; }

bool key_algorithm_parse(struct text name, enum key_algorithm *ret_algorithm) {
    for (size_t i = 0; i < ARRAY_COUNT(algorithm_names); i++) {
        if (!text_equal(name, text_of(algorithm_names[i]))) continue;
        *ret_algorithm = (enum key_algorithm)i;
        return true;
    }
    return false;
}

/* The members of a public JWK, as written. */
struct members {
    enum key_algorithm algorithm;
    struct text kid;
    struct text n, e; /* RSA */
    struct text x, y; /* EC */
};

static bool is_rsa_modulus(struct text text, size_t *ret_size) {
    uint8_t n[RSA_BYTES_MOST];
    size_t size;
    if (!result_is_ok(crypto_base64url_decode(text, n, sizeof n, &size)) || size < RSA_BYTES_LEAST) return false;
    if (n[0] == 0 || (size == RSA_BYTES_LEAST && n[0] < 0x80)) return false;
    *ret_size = size;
    return (n[size - 1] & 1) != 0;
}

/* Odd and at least 3: with 1 a message would be its own signature. */
static bool is_rsa_exponent(struct text text) {
    uint8_t e[4];
    size_t size;
    if (!result_is_ok(crypto_base64url_decode(text, e, sizeof e, &size)) || size == 0 || e[0] == 0) return false;
    return (e[size - 1] & 1) != 0 && (size > 1 || e[0] >= 3);
}

static bool is_coordinate(struct text text) {
    uint8_t bytes[P256_BYTES];
    size_t size;
    return result_is_ok(crypto_base64url_decode(text, bytes, sizeof bytes, &size)) && size == P256_BYTES;
}

/* RFC 7517, sections 4.2 and 4.3: both may be absent; a key made for anything but signatures is none of ours. */
static bool is_for_signatures(const struct json_value *jwk) {
    if (json_get(jwk, "use") != NULL && !text_equal(json_get_text(jwk, "use"), TEXT("sig"))) return false;
    const struct json_value *operations = json_get(jwk, "key_ops");
    if (operations == NULL) return true;
    for (size_t i = 0; i < json_array_count(operations) && i < 8; i++) {
        if (text_equal(json_text(json_array_item(operations, i)), TEXT("verify"))) return true;
    }
    return false;
}

static bool read_public(const struct json_value *jwk, struct members *ret_members, size_t *ret_signature_bytes) {
    if (!json_is_object(jwk) || !is_for_signatures(jwk)) return false;
    struct members members = {
        .kid = json_get_text(jwk, "kid"),
        .n = json_get_text(jwk, "n"),
        .e = json_get_text(jwk, "e"),
        .x = json_get_text(jwk, "x"),
        .y = json_get_text(jwk, "y"),
    };
    struct text type = json_get_text(jwk, "kty");
    if (text_equal(type, TEXT("RSA"))) {
        members.algorithm = KEY_RS256;
        if (!is_rsa_modulus(members.n, ret_signature_bytes) || !is_rsa_exponent(members.e)) return false;
    } else if (text_equal(type, TEXT("EC")) && text_equal(json_get_text(jwk, "crv"), TEXT("P-256"))) {
        members.algorithm = KEY_ES256;
        *ret_signature_bytes = (size_t)2 * P256_BYTES;
        if (!is_coordinate(members.x) || !is_coordinate(members.y)) return false;
    } else {
        return false;
    }
    /* A key has one algorithm; where it does not say which, it is the one that we know for its type. */
    if (json_get(jwk, "alg") != NULL && !text_equal(json_get_text(jwk, "alg"), text_of(algorithm_names[members.algorithm]))) return false;
    *ret_members = members;
    return true;
}

/* RFC 7638, section 3: the required members only, in lexicographic order, without blanks. They are base64url: nothing needs escaping. */
static struct text thumbprint(const struct members *members, struct arena *arena) {
    struct text canonical;
    switch (members->algorithm) {
    case KEY_RS256:
        canonical = arena_print(arena, "{\"e\":\"%.*s\",\"kty\":\"RSA\",\"n\":\"%.*s\"}", (int)members->e.size, members->e.data,
                                (int)members->n.size, members->n.data);
        break;
    case KEY_ES256:
        canonical = arena_print(arena, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%.*s\",\"y\":\"%.*s\"}", (int)members->x.size,
                                members->x.data, (int)members->y.size, members->y.data);
        break;
    }
    size_t size = crypto_base64url_size(CRYPTO_HASH_BYTES);
    char *text = canonical.data == NULL ? NULL : arena_take(arena, size);
    if (text == NULL) return (struct text){NULL, 0};
    struct hash hash = crypto_sha256(canonical);
    crypto_base64url(hash.bytes, sizeof hash.bytes, text);
    return (struct text){text, size};
}

static struct text write_public(const struct members *members, struct arena *arena) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 1024);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "kty");
    json_put_text(&writer, members->algorithm == KEY_RS256 ? TEXT("RSA") : TEXT("EC"));
    json_key(&writer, "kid");
    json_put_text(&writer, members->kid);
    json_key(&writer, "alg");
    json_put_text(&writer, text_of(algorithm_names[members->algorithm]));
    json_key(&writer, "use");
    json_put_text(&writer, TEXT("sig"));
    if (members->algorithm == KEY_ES256) {
        json_key(&writer, "crv");
        json_put_text(&writer, TEXT("P-256"));
    }
    json_key(&writer, members->algorithm == KEY_RS256 ? "n" : "x");
    json_put_text(&writer, members->algorithm == KEY_RS256 ? members->n : members->x);
    json_key(&writer, members->algorithm == KEY_RS256 ? "e" : "y");
    json_put_text(&writer, members->algorithm == KEY_RS256 ? members->e : members->y);
    json_end_object(&writer);
    return buffer.failed ? (struct text){NULL, 0} : buffer_text(&buffer);
}

/* The members have been looked at: what the library still refuses is a point off the curve. */
static struct public_key *make_public(const struct members *members) {
    bool is_rsa = members->algorithm == KEY_RS256;
    const struct text encoded[] = {is_rsa ? members->n : members->x, is_rsa ? members->e : members->y};
    uint8_t bytes[ARRAY_COUNT(encoded)][RSA_BYTES_MOST + 2];
    struct text numbers[ARRAY_COUNT(encoded)];
    for (size_t i = 0; i < ARRAY_COUNT(encoded); i++) {
        CHECK(BASE64URL_ROOM_BYTES(encoded[i].size) <= sizeof bytes[i]);
        numbers[i].data = (const char *)bytes[i];
        if (!result_is_ok(base64url_decode(encoded[i], bytes[i], &numbers[i].size))) return NULL;
    }
    return is_rsa ? public_key_make_rsa(numbers[0], numbers[1]) : public_key_make_p256(numbers[0], numbers[1]);
}

/* Fills everything but the private half. */
static struct result fill(struct key *key, const struct members *members, size_t signature_bytes, struct arena *arena) {
    struct text json = write_public(members, arena);
    char *copy = json.data == NULL ? NULL : malloc(json.size);
    if (copy == NULL) return result_error(RESULT_FULL);
    memcpy(copy, json.data, json.size);
    *key = (struct key){
        .id_size = (uint8_t)members->kid.size,
        .algorithm = members->algorithm,
        .signature_bytes = signature_bytes,
        .public_json = {copy, json.size},
        .digest = crypto_hash(json),
        .public_key = make_public(members),
    };
    memcpy(key->id, members->kid.data, members->kid.size);
    if (key->public_key != NULL) return result_ok();
    key_free(key);
    return result_error(RESULT_INVALID);
}

static struct result parse(struct text json, struct arena *arena, struct json_document **ret_document) {
    struct faults faults;
    faults_init(&faults, arena);
    return json_open(arena, json, &faults, ret_document);
}

struct result key_import_public(const struct json_value *jwk, struct arena *arena, struct key *ret_key) {
    struct members members;
    size_t signature_bytes = 0;
    for (size_t i = 0; i < ARRAY_COUNT(private_members); i++) {
        if (json_get(jwk, private_members[i]) != NULL) return result_error(RESULT_INVALID);
    }
    if (!read_public(jwk, &members, &signature_bytes)) return result_error(RESULT_INVALID);
    if (members.kid.size == 0 || members.kid.size > KEY_ID_BYTES_MAX || !text_is_printable_ascii(members.kid))
        return result_error(RESULT_INVALID);
    return fill(ret_key, &members, signature_bytes, arena);
}

/* The two halves fit together when the published one verifies what the other signed. The library does not ask: it takes numbers of two keys for
 * one, and signs with what the private half makes of them. */
static bool is_pair(const struct key *key, struct arena *arena) {
    struct text token;
    return result_is_ok(key_sign(key, TEXT("{}"), arena, &token)) && key_verify(key, token);
}

struct result key_import_private(struct text json, struct arena *arena, struct key *ret_key, int64_t *ret_created_at_us) {
    AT_END(close_json) struct json_document *document = NULL;
    struct members members;
    size_t signature_bytes = 0;
    if (!result_is_ok(parse(json, arena, &document))) return result_error(RESULT_CORRUPT);
    const struct json_value *jwk = json_root(document);
    if (!read_public(jwk, &members, &signature_bytes) || json_get(jwk, "d") == NULL) return result_error(RESULT_CORRUPT);
    if (!text_equal(members.kid, thumbprint(&members, arena))) return result_error(RESULT_CORRUPT);
    if (!result_is_ok(clock_parse(json_get_text(jwk, "created_at"), ret_created_at_us))) return result_error(RESULT_CORRUPT);
    struct result filled = fill(ret_key, &members, signature_bytes, arena);
    if (!result_is_ok(filled)) return result_error(filled.code == RESULT_INVALID ? RESULT_CORRUPT : filled.code);
    ret_key->private_key = private_key_read(members.algorithm, jwk);
    if (ret_key->private_key != NULL && is_pair(ret_key, arena)) return result_ok();
    key_free(ret_key);
    return result_error(RESULT_CORRUPT);
}

void key_free(struct key *key) {
    private_key_free(key->private_key);
    public_key_free(key->public_key);
    free((void *)(uintptr_t)key->public_json.data);
    *key = (struct key){0};
}

/* The thumbprint of a key that was just made; its public half is read as anybody would. */
static struct result name_key(const struct private_key *made, struct arena *arena, struct text *ret_id) {
    struct buffer buffer;
    buffer_init(&buffer, arena, JSON_BYTES / 2);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    bool is_written = private_key_write(made, false, &writer);
    json_end_object(&writer);
    if (!is_written || buffer.failed) return result_error(RESULT_FULL);
    AT_END(close_json) struct json_document *document = NULL;
    TRY(parse(buffer_text(&buffer), arena, &document));
    struct members members;
    size_t signature_bytes = 0;
    if (!read_public(json_root(document), &members, &signature_bytes)) return result_error(RESULT_IO);
    *ret_id = thumbprint(&members, arena);
    return ret_id->data == NULL ? result_error(RESULT_FULL) : result_ok();
}

struct result key_make(enum key_algorithm algorithm, int64_t now_us, struct arena *arena, struct text *ret_id, struct text *ret_json) {
    AT_END(free_private) struct private_key *made = private_key_make(algorithm);
    if (made == NULL) return result_error(RESULT_IO);
    TRY(name_key(made, arena, ret_id));
    struct buffer buffer;
    buffer_init(&buffer, arena, JSON_BYTES); /* enough at once: no half of a secret stays behind in a smaller one */
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "kid", *ret_id);
    json_text_member(&writer, "alg", text_of(algorithm_names[algorithm]));
    json_text_member(&writer, "use", TEXT("sig"));
    json_time_member(&writer, "created_at", now_us);
    bool is_written = private_key_write(made, true, &writer);
    json_end_object(&writer);
    buffer_append_byte(&buffer, '\n');
    if (!is_written || buffer.failed) {
        crypto_wipe(buffer.data, buffer.size);
        return result_error(RESULT_FULL);
    }
    CHECK(buffer.size <= JSON_BYTES);
    *ret_json = buffer_text(&buffer);
    return result_ok();
}

static void append_base64url(struct buffer *buffer, const void *data, size_t size) {
    size_t text_bytes = crypto_base64url_size(size);
    char *at = buffer_reserve(buffer, text_bytes);
    if (at == NULL) return;
    crypto_base64url(data, size, at);
    buffer_end_at(buffer, at + text_bytes);
}

struct result key_sign(const struct key *key, struct text payload, struct arena *arena, struct text *ret_token) {
    CHECK(key->private_key != NULL);
    struct buffer header, token;
    buffer_init(&header, arena, 256);
    struct json_writer writer = {.buffer = &header};
    json_begin_object(&writer);
    json_text_member(&writer, "alg", text_of(algorithm_names[key->algorithm]));
    json_text_member(&writer, "kid", key_id(key));
    json_text_member(&writer, "typ", TEXT("JWT"));
    json_end_object(&writer);
    if (header.failed) return result_error(RESULT_FULL);
    buffer_init(&token, arena, crypto_base64url_size(header.size) + crypto_base64url_size(payload.size) + SIGNATURE_TEXT_MAX + 2);
    append_base64url(&token, header.data, header.size);
    buffer_append_byte(&token, '.');
    append_base64url(&token, payload.data, payload.size);
    if (token.failed) return result_error(RESULT_FULL);
    uint8_t signature[PRIVATE_KEY_SIGNATURE_BYTES_MAX];
    size_t size = 0;
    TRY(private_key_sign(key->private_key, buffer_text(&token), signature, &size));
    CHECK(size == key->signature_bytes);
    buffer_append_byte(&token, '.');
    append_base64url(&token, signature, size);
    *ret_token = buffer_text(&token);
    return token.failed ? result_error(RESULT_FULL) : result_ok();
}

bool key_verify(const struct key *key, struct text token) {
    const char *dot = memrchr(token.data, '.', token.size);
    if (dot == NULL) return false;
    struct text message = {token.data, (size_t)(dot - token.data)}, encoded = {dot + 1, token.size - message.size - 1};
    uint8_t bytes[RSA_BYTES_MOST + 2];
    struct text signature = {.data = (const char *)bytes};
    if (encoded.size != crypto_base64url_size(key->signature_bytes)) return false;
    if (!result_is_ok(base64url_decode(encoded, bytes, &signature.size))) return false;
    AT_END(free_checker) struct signature_checker *checker = NULL;
    return result_is_ok(signature_checker_create(&checker)) && signature_check(checker, key->public_key, message, signature);
}
