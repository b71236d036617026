/* The order of the checks, each before the next one can be reached by a stranger's input:
 *   size → remembered? → three base64url parts, strictly → header → unverified iss → issuer → kid → key → alg is the key's → signature → claims.
 * What stands before the signature only chooses the key; nothing is believed until it is verified (RFC 8725, sections 3.1 to 3.12).
 *
 * All tokens of one signing key have the same header, byte for byte. What a header says is remembered by its bytes, and only of tokens that proved
 * good; which key that is, and whether it still is one, is asked for each token. */
#include "auth/token.h"

#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "auth/claims.h"
#include "auth/signature.h"
#include "auth/token_cache.h"
#include "auth/trust.h"
#include "base/check.h"
#include "base/clock.h"

#define WORK_BYTES           (64u * 1024)
#define SIGNATURE_BYTES_MOST 512u
#define SIGNATURE_TEXT_MOST  ((SIGNATURE_BYTES_MOST * 4 + 2) / 3)
#define HEADERS_MAX          4u   /* remembered: one per key that signs tokens of ours at a time */
#define HEADER_TEXT_MOST     256u /* remembered; ours have 112 */

/* What a JOSE header says; it follows from its text alone. */
struct token_header {
    enum key_algorithm algorithm;
    uint8_t key_id_size;
    char key_id[KEY_ID_BYTES_MAX];
};

struct known_header {
    uint16_t text_size; /* 0: free */
    char text[HEADER_TEXT_MOST];
    struct token_header header;
};

struct token_verifier {
    struct trust *trust;
    struct trust_reader reader;
    struct token_cache *cache;
    struct signature_checker *checker;
    int64_t leeway_us;
    struct known_header headers[HEADERS_MAX];
    size_t next_header; /* whose place the next new one takes */
};

/* ---- signing ---- */

static void put_text_claim(struct json_writer *writer, const char *name, struct text value) {
    if (value.size == 0) return;
    json_key(writer, name);
    json_put_text(writer, value);
}

static void put_time_claim(struct json_writer *writer, const char *name, int64_t time_us) {
    json_key(writer, name);
    json_put_integer(writer, time_us / CLOCK_SECOND_US);
}

static void put_audience(struct json_writer *writer, const struct token_claims *claims) {
    json_key(writer, "aud");
    if (claims->audience_count > 1) json_begin_array(writer);
    for (size_t i = 0; i < claims->audience_count; i++) json_put_text(writer, text_of(claims->audiences[i]));
    if (claims->audience_count > 1) json_end_array(writer);
}

struct result token_sign(const struct key_ring *ring, const struct token_claims *claims, struct arena *arena, struct text *ret_token) {
    CHECK(claims->audience_count >= 1 && claims->audience_count <= TOKEN_AUDIENCES_MAX);
    struct buffer payload;
    buffer_init(&payload, arena, 768);
    struct json_writer writer = {.buffer = &payload};
    json_begin_object(&writer);
    put_text_claim(&writer, "iss", text_of(claims->issuer));
    put_audience(&writer, claims);
    put_text_claim(&writer, "sub", claims->subject);
    put_text_claim(&writer, "scope", claims->scope);
    put_text_claim(&writer, "preferred_username", claims->preferred_username);
    put_text_claim(&writer, "phone_number", claims->phone_number);
    if (claims->phone_number.size > 0) json_boolean_member(&writer, "phone_number_verified", claims->is_phone_verified);
    put_text_claim(&writer, "sid", claims->session_id);
    json_key(&writer, "jti");
    json_put_id(&writer, claims->token_id);
    put_time_claim(&writer, "iat", claims->issued_at_us);
    put_time_claim(&writer, "nbf", claims->issued_at_us);
    put_time_claim(&writer, "exp", claims->expires_at_us);
    json_end_object(&writer);
    if (payload.failed) return result_error(RESULT_FULL);
    TRY(key_sign(key_ring_signer(ring), buffer_text(&payload), arena, ret_token));
    return ret_token->size <= LIMIT_TOKEN_BYTES ? result_ok() : result_error(RESULT_FULL);
}

/* ---- verifying ---- */

/* One token on its way through the checks. */
struct reading {
    struct arena arena;
    struct text parts[3];
    struct text message; /* that is signed: the first two parts with their dot */
    struct json_document *header_document, *claims_document;
    const struct json_value *claims;
    struct token_header header;
    bool is_header_known;
    uint8_t signature[BASE64URL_ROOM_BYTES(SIGNATURE_TEXT_MOST)];
    size_t signature_bytes;
    size_t issuer_index;
};

static void begin_reading(struct reading *reading) {
    arena_init(&reading->arena, WORK_BYTES);
    reading->header_document = reading->claims_document = NULL;
    reading->is_header_known = false;
}

static void end_reading(struct reading *reading) {
    json_close(reading->header_document);
    json_close(reading->claims_document);
    arena_release(&reading->arena);
}

/* Two dots (RFC 7515, section 7.1); a third one would be no digit of the last part. */
static bool split(struct text token, struct reading *reading) {
    const char *end = token.data + token.size;
    const char *first = memchr(token.data, '.', token.size);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL) return false;
    reading->parts[0] = (struct text){token.data, (size_t)(first - token.data)};
    reading->parts[1] = (struct text){first + 1, (size_t)(second - first - 1)};
    reading->parts[2] = (struct text){second + 1, (size_t)(end - second - 1)};
    reading->message = (struct text){token.data, (size_t)(second - token.data)};
    return true;
}

/* A part that is a JSON object with no member twice (RFC 7519, section 4: a strict reader may refuse duplicates). */
static const struct json_value *open_part(struct reading *reading, struct text part, struct json_document **ret_document) {
    size_t size = 0;
    uint8_t *json = arena_take(&reading->arena, BASE64URL_ROOM_BYTES(part.size));
    if (json == NULL || !result_is_ok(base64url_decode(part, json, &size))) return NULL;
    struct faults faults;
    faults_init(&faults, &reading->arena);
    if (!result_is_ok(json_open(&reading->arena, (struct text){(const char *)json, size}, &faults, ret_document))) return NULL;
    const struct json_value *root = json_root(*ret_document);
    return json_is_object(root) ? root : NULL;
}

static bool read_header(const struct json_value *header, struct token_header *ret_header) {
    /* Extensions that we would have to understand (RFC 7515, section 4.1.11), and keys that the sender brings along. */
    static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c"};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        if (json_get(header, refused[i]) != NULL) return false;
    }
    if (json_get(header, "typ") != NULL && !text_equal_ignoring_case(json_get_text(header, "typ"), TEXT("JWT"))) return false;
    struct text key_id = json_get_text(header, "kid");
    if (key_id.size == 0 || key_id.size > sizeof ret_header->key_id) return false;
    memcpy(ret_header->key_id, key_id.data, key_id.size);
    ret_header->key_id_size = (uint8_t)key_id.size;
    return key_algorithm_parse(json_get_text(header, "alg"), &ret_header->algorithm);
}

static bool open_header(const struct token_verifier *verifier, struct reading *reading) {
    struct text part = reading->parts[0];
    for (size_t i = 0; i < HEADERS_MAX && part.size > 0; i++) {
        const struct known_header *known = &verifier->headers[i];
        if (!text_equal((struct text){known->text, known->text_size}, part)) continue;
        reading->header = known->header;
        reading->is_header_known = true;
        return true;
    }
    const struct json_value *header = open_part(reading, part, &reading->header_document);
    return header != NULL && read_header(header, &reading->header);
}

static void remember_header(struct token_verifier *verifier, const struct reading *reading) {
    struct text part = reading->parts[0];
    if (reading->is_header_known || part.size > HEADER_TEXT_MOST) return;
    struct known_header *known = &verifier->headers[verifier->next_header];
    *known = (struct known_header){.text_size = (uint16_t)part.size, .header = reading->header};
    memcpy(known->text, part.data, part.size);
    verifier->next_header = (verifier->next_header + 1) % HEADERS_MAX;
}

/* All that its sender wrote, read; nothing of it believed. */
static bool open_token(const struct token_verifier *verifier, struct text token, struct reading *reading) {
    if (!split(token, reading) || !open_header(verifier, reading)) return false;
    reading->claims = open_part(reading, reading->parts[1], &reading->claims_document);
    if (reading->claims == NULL || reading->parts[2].size > SIGNATURE_TEXT_MOST) return false;
    return result_is_ok(base64url_decode(reading->parts[2], reading->signature, &reading->signature_bytes));
}

/* TOKEN_VALID: proven, whatever the time is. */
static enum token_verdict prove(struct token_verifier *verifier, struct text token, struct token_proof *ret_proof,
                                size_t *ret_issuer_index) {
    const struct trust *trust = verifier->trust;
    __attribute__((cleanup(end_reading))) struct reading reading;
    begin_reading(&reading);
    if (!open_token(verifier, token, &reading)) return TOKEN_INVALID;
    if (!trust_find_issuer(trust, json_get_text(reading.claims, "iss"), &reading.issuer_index)) return TOKEN_INVALID;
    const struct token_header *header = &reading.header;
    const struct key *key = trust_find_key(trust, reading.issuer_index, (struct text){header->key_id, header->key_id_size});
    if (key == NULL) {
        *ret_issuer_index = reading.issuer_index;
        return TOKEN_UNKNOWN_KEY;
    }
    if (header->algorithm != key->algorithm || reading.signature_bytes != key->signature_bytes) return TOKEN_INVALID;
    struct text signature = {(const char *)reading.signature, reading.signature_bytes};
    if (!signature_check(verifier->checker, key->public_key, reading.message, signature)) return TOKEN_INVALID;
    *ret_proof = (struct token_proof){.issuer_index = reading.issuer_index, .key = key->digest};
    enum token_verdict read = claims_read(reading.claims, trust_audience(trust), trust_issuer(trust, reading.issuer_index), ret_proof);
    if (read != TOKEN_VALID) return read;
    remember_header(verifier, &reading);
    return TOKEN_VALID;
}

/* Whether the key that proved it is still its issuer's. */
static bool is_still_proven(const struct trust *trust, struct token_proof *proof, uint64_t generation) {
    if (!trust_has_key(trust, proof->issuer_index, &proof->key)) return false;
    proof->generation = generation;
    return true;
}

/* What is remembered of the token, if its key still is its issuer's. */
static const struct token_proof *find_proof(struct token_verifier *verifier, struct text token) {
    struct token_proof *proof = token_cache_get(verifier->cache, token);
    if (proof == NULL || proof->generation == trust_generation(verifier->trust)) return proof;
    uint64_t generation = trust_begin_reading(verifier->trust, &verifier->reader);
    bool is_good = is_still_proven(verifier->trust, proof, generation);
    trust_end_reading(&verifier->reader);
    if (is_good) return proof;
    token_cache_remove(verifier->cache, token);
    return NULL;
}

enum token_verdict token_verify(struct token_verifier *verifier, struct text token, int64_t now_us, struct identity *ret_identity,
                                size_t *ret_issuer_index) {
    if (token.size == 0 || token.size > LIMIT_TOKEN_BYTES) return TOKEN_INVALID;
    struct token_proof fresh;
    const struct token_proof *proof = find_proof(verifier, token);
    if (proof == NULL) {
        uint64_t generation = trust_begin_reading(verifier->trust, &verifier->reader);
        enum token_verdict verdict = prove(verifier, token, &fresh, ret_issuer_index);
        trust_end_reading(&verifier->reader);
        if (verdict != TOKEN_VALID) return verdict;
        fresh.generation = generation;
        proof = &fresh;
        /* An expired one would only push out one that is still of use. */
        if (claims_judge_time(proof, now_us, verifier->leeway_us) != TOKEN_EXPIRED) token_cache_put(verifier->cache, token, proof);
    }
    enum token_verdict verdict = claims_judge_time(proof, now_us, verifier->leeway_us);
    if (verdict == TOKEN_VALID) *ret_identity = proof->identity;
    return verdict;
}

struct result token_verifier_create(struct trust *trust, size_t cache_capacity, int64_t leeway_us, struct token_verifier **ret_verifier) {
    struct token_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) return result_error(RESULT_FULL);
    verifier->trust = trust;
    trust_add_reader(trust, &verifier->reader);
    verifier->leeway_us = leeway_us;
    struct result created = token_cache_create(cache_capacity, LIMIT_TOKEN_CACHE_BYTES, &verifier->cache);
    if (result_is_ok(created)) created = signature_checker_create(&verifier->checker);
    if (!result_is_ok(created)) {
        token_verifier_free(verifier);
        return created;
    }
    *ret_verifier = verifier;
    return result_ok();
}

void token_verifier_free(struct token_verifier *verifier) {
    if (verifier == NULL) return;
    trust_remove_reader(verifier->trust, &verifier->reader);
    token_cache_free(verifier->cache);
    signature_checker_free(verifier->checker);
    free(verifier);
}
