/* The order of the checks, each before the next one can be reached by a stranger's input:
 *   size → remembered? → three base64url parts, strictly → header → unverified iss → issuer → kid → key → alg is the key's → signature → claims.
 * What stands before the signature only chooses the key; nothing is believed until it is verified (RFC 8725, sections 3.1 to 3.12). */
#include "auth/token.h"

#include <stdlib.h>

#include "auth/token_cache.h"
#include "auth/trust.h"
#include "base/check.h"
#include "base/clock.h"

#define WORK_BYTES           (64u * 1024)
#define SECONDS_MAX          INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define TOKEN_ID_BYTES_MAX   128u
#define SUBJECT_BYTES_MAX    255u
#define SIGNATURE_BYTES_MOST 512u

struct token_verifier {
    const struct trust *trust;
    struct token_cache *cache;
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
    struct text token;
    struct json_document *header_document, *claims_document;
    const struct json_value *header, *claims;
    size_t signature_bytes;
    enum key_algorithm algorithm; /* as the header says */
    struct text key_id;
    size_t issuer_index;
};

static void end_reading(struct reading *reading) {
    json_close(reading->header_document);
    json_close(reading->claims_document);
    arena_release(&reading->arena);
}

/* Exactly two dots (RFC 7515, section 7.1). */
static bool split(struct text token, struct text parts[3]) {
    size_t part = 0, start = 0;
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] != '.') continue;
        if (part == 2) return false;
        parts[part++] = (struct text){token.data + start, i - start};
        start = i + 1;
    }
    if (part != 2) return false;
    parts[2] = (struct text){token.data + start, token.size - start};
    return true;
}

/* A part that is a JSON object with no member twice (RFC 7519, section 4: a strict reader may refuse duplicates). */
static const struct json_value *open_part(struct reading *reading, struct text part, struct json_document **ret_document) {
    size_t size = 0;
    char *json = arena_take(&reading->arena, part.size + 1);
    if (json == NULL || !result_is_ok(crypto_base64url_decode(part, json, part.size, &size))) return NULL;
    struct faults faults;
    faults_init(&faults, &reading->arena);
    if (!result_is_ok(json_open(&reading->arena, (struct text){json, size}, &faults, ret_document))) return NULL;
    const struct json_value *root = json_root(*ret_document);
    return json_is_object(root) ? root : NULL;
}

static bool open_parts(struct reading *reading) {
    struct text parts[3];
    if (!split(reading->token, parts)) return false;
    reading->header = open_part(reading, parts[0], &reading->header_document);
    if (reading->header == NULL) return false;
    reading->claims = open_part(reading, parts[1], &reading->claims_document);
    if (reading->claims == NULL) return false;
    /* Decoded here only to refuse what decodes in more than one way: a changed last letter must not give the same signature. */
    uint8_t signature[SIGNATURE_BYTES_MOST];
    return result_is_ok(crypto_base64url_decode(parts[2], signature, sizeof signature, &reading->signature_bytes));
}

static bool read_header(struct reading *reading) {
    /* Extensions that we would have to understand (RFC 7515, section 4.1.11), and keys that the sender brings along. */
    static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c"};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        if (json_get(reading->header, refused[i]) != NULL) return false;
    }
    const struct json_value *header = reading->header;
    if (json_get(header, "typ") != NULL && !text_equal_ignoring_case(json_get_text(header, "typ"), TEXT("JWT"))) return false;
    reading->key_id = json_get_text(header, "kid");
    if (reading->key_id.size == 0 || reading->key_id.size > KEY_ID_BYTES_MAX) return false;
    return key_algorithm_parse(json_get_text(header, "alg"), &reading->algorithm);
}

/* False when it is there and no text, or not there and required, or longer than max_bytes. */
static bool read_text(const struct json_value *claims, const char *name, bool is_required, size_t max_bytes, struct text *ret_text) {
    *ret_text = json_get_text(claims, name);
    if (ret_text->size > max_bytes) return false;
    if (ret_text->size > 0) return true;
    if (json_get(claims, name) == NULL) return !is_required;
    return false;
}

/* NumericDate (RFC 7519, section 2) in whole seconds: fractions are allowed there, but no issuer of ours writes them. */
static bool read_time(const struct json_value *claims, const char *name, bool is_required, int64_t *ret_time_us) {
    if (json_get(claims, name) == NULL) return !is_required;
    int64_t seconds = json_get_integer(claims, name, -1);
    if (seconds < 0 || seconds > SECONDS_MAX) return false;
    *ret_time_us = seconds * CLOCK_SECOND_US;
    return true;
}

/* A text, or an array of texts (RFC 7519, section 4.1.3), in which ours must stand. */
static bool is_for_us(struct reading *reading, struct text audience) {
    const struct json_value *claim = json_get(reading->claims, "aud");
    if (claim == NULL) return false;
    if (text_equal(json_get_text(reading->claims, "aud"), audience)) return true;
    bool is_found = false;
    for (size_t i = 0; i < json_array_count(claim); i++) {
        struct text item = json_text(json_array_item(claim, i));
        if (item.data == NULL) return false;
        is_found = is_found || text_equal(item, audience);
    }
    return is_found;
}

static bool read_user(const struct json_value *claims, struct identity *identity) {
    struct text name, phone;
    if (!result_is_ok(id_parse(json_get_text(claims, "sub"), &identity->user_id))) return false;
    if (!result_is_ok(id_parse(json_get_text(claims, "sid"), &identity->session_id))) return false;
    if (!read_text(claims, "preferred_username", false, LIMIT_USERNAME_BYTES, &name)) return false;
    identity->name_size = (uint8_t)name.size;
    for (size_t i = 0; i < name.size; i++) identity->name[i] = name.data[i];
    if (!read_text(claims, "phone_number", false, PHONE_BYTES_MAX, &phone)) return false;
    if (phone.size == 0) return true;
    /* Already E.164: the region only matters for numbers without a country. */
    return result_is_ok(phone_parse(phone, "IR", &identity->phone)) && text_equal(phone_text(&identity->phone), phone);
}

static bool read_service(const struct json_value *claims, const struct trusted_issuer *issuer, struct identity *identity) {
    struct text subject, name = text_of(issuer->name);
    if (!read_text(claims, "sub", false, SUBJECT_BYTES_MAX, &subject)) return false;
    identity->name_size = (uint8_t)name.size; /* trust_create bounds it */
    for (size_t i = 0; i < name.size; i++) identity->name[i] = name.data[i];
    return true;
}

/* Absent or empty: a good token that may do nothing. False when it is no text. */
static bool read_scope(struct reading *reading, struct text *ret_scope) {
    const struct json_value *scope = json_get(reading->claims, "scope");
    *ret_scope = json_get_text(reading->claims, "scope");
    if (scope == NULL || ret_scope->size > 0) return true;
    return text_equal(json_dump(&reading->arena, scope), TEXT("\"\""));
}

/* All that the claims say about who and when; false when something is missing or wrong. Of a service only what API.md names is required. */
static bool read_claims(struct reading *reading, const struct trust *trust, struct token_proof *proof) {
    const struct json_value *claims = reading->claims;
    const struct trusted_issuer *issuer = trust_issuer(trust, reading->issuer_index);
    bool is_user = issuer->kind == IDENTITY_USER;
    struct text scope, token_id;
    int64_t issued_at_us = 0, not_before_us = 0;
    if (!is_for_us(reading, trust_audience(trust))) return false;
    if (!read_time(claims, "exp", true, &proof->expires_at_us)) return false;
    if (!read_time(claims, "iat", is_user, &issued_at_us) || issued_at_us >= proof->expires_at_us) return false;
    if (!read_time(claims, "nbf", false, &not_before_us)) return false;
    if (!read_text(claims, "jti", is_user, TOKEN_ID_BYTES_MAX, &token_id)) return false;
    if (!read_scope(reading, &scope)) return false;
    struct identity *identity = &proof->identity;
    identity->kind = issuer->kind;
    identity->scopes = scopes_parse(scope) & issuer->scopes;
    identity->expires_at_us = proof->expires_at_us;
    /* A token from the future is as little valid as one that says so. */
    proof->not_before_us = not_before_us > issued_at_us ? not_before_us : issued_at_us;
    return is_user ? read_user(claims, identity) : read_service(claims, issuer, identity);
}

static enum token_verdict judge_time(const struct token_proof *proof, int64_t now_us) {
    if (now_us - TOKEN_CLOCK_SKEW_US >= proof->expires_at_us) return TOKEN_EXPIRED;
    if (now_us + TOKEN_CLOCK_SKEW_US < proof->not_before_us) return TOKEN_NOT_YET_VALID;
    return TOKEN_VALID;
}

/* TOKEN_VALID: proven, whatever the time is. */
static enum token_verdict prove(const struct trust *trust, struct text token, struct token_proof *ret_proof, size_t *ret_issuer_index) {
    __attribute__((cleanup(end_reading))) struct reading reading = {.token = token};
    arena_init(&reading.arena, WORK_BYTES);
    if (!open_parts(&reading) || !read_header(&reading)) return TOKEN_INVALID;
    if (!trust_find_issuer(trust, json_get_text(reading.claims, "iss"), &reading.issuer_index)) return TOKEN_INVALID;
    const struct key *key = trust_find_key(trust, reading.issuer_index, reading.key_id);
    if (key == NULL) {
        *ret_issuer_index = reading.issuer_index;
        return TOKEN_UNKNOWN_KEY;
    }
    if (reading.algorithm != key->algorithm || reading.signature_bytes != key->signature_bytes) return TOKEN_INVALID;
    if (!key_verify(key, token)) return TOKEN_INVALID;
    *ret_proof = (struct token_proof){.issuer_index = reading.issuer_index, .key_id = key_id(key), .key_digest = key->digest};
    return read_claims(&reading, trust, ret_proof) ? TOKEN_VALID : TOKEN_INVALID;
}

/* Whether the key that proved it is still its issuer's. */
static bool is_still_proven(const struct trust *trust, struct token_proof *proof, uint64_t generation) {
    if (proof->generation == generation) return true;
    const struct key *key = trust_find_key(trust, proof->issuer_index, proof->key_id);
    if (key == NULL || !crypto_equal(&key->digest, &proof->key_digest, sizeof key->digest)) return false;
    proof->generation = generation;
    return true;
}

enum token_verdict token_verify(struct token_verifier *verifier, struct text token, int64_t now_us, struct identity *ret_identity,
                                size_t *ret_issuer_index) {
    if (token.size == 0 || token.size > LIMIT_TOKEN_BYTES) return TOKEN_INVALID;
    uint64_t generation = trust_generation(verifier->trust); /* before the keys are looked at */
    struct hash digest = crypto_hash(token);
    struct token_proof fresh;
    struct token_proof *proof = token_cache_get(verifier->cache, &digest);
    if (proof != NULL && !is_still_proven(verifier->trust, proof, generation)) {
        token_cache_remove(verifier->cache, &digest);
        proof = NULL;
    }
    if (proof == NULL) {
        enum token_verdict verdict = prove(verifier->trust, token, &fresh, ret_issuer_index);
        if (verdict != TOKEN_VALID) return verdict;
        fresh.generation = generation;
        proof = &fresh;
        /* An expired one would only push out one that is still of use. */
        if (judge_time(proof, now_us) != TOKEN_EXPIRED) token_cache_put(verifier->cache, &digest, proof);
    }
    enum token_verdict verdict = judge_time(proof, now_us);
    if (verdict == TOKEN_VALID) *ret_identity = proof->identity;
    return verdict;
}

struct result token_verifier_create(const struct trust *trust, size_t cache_capacity, struct token_verifier **ret_verifier) {
    struct token_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) return result_error(RESULT_FULL);
    verifier->trust = trust;
    struct result created = token_cache_create(cache_capacity, &verifier->cache);
    if (!result_is_ok(created)) {
        free(verifier);
        return created;
    }
    *ret_verifier = verifier;
    return result_ok();
}

void token_verifier_free(struct token_verifier *verifier) {
    if (verifier == NULL) return;
    token_cache_free(verifier->cache);
    free(verifier);
}
