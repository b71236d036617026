/* Signatures of a world are hashes over the public key and what is signed: whoever changes a byte or takes another key is found out as before, at
 * a hundredth of the cost. Keys are the same in every world, and read by the library once for each process of ours, not anew at each start of a
 * program. What only the library can tell (a forged signature) is asked in tests/unit/auth and tests/api. */
#include <string.h>

#include "auth/private_key.h"
#include "auth/signature.h"
#include "base/check.h"
#include "base/crypto.h"
#include "base/json/json.h"
#include "sim/process.h"
#include "sim/signatures.h"

#define KEYS_MAX         64u
#define COORDINATE_BYTES 32u
#define NUMBERS          3u /* x, y, d */
_Static_assert(CRYPTO_HASH_BYTES == COORDINATE_BYTES, "a signature of ES256 is as long as two hashes");

struct point {
    uint8_t bytes[2 * COORDINATE_BYTES];
};

struct kept_private_key {
    struct point point;
    uint8_t secret[COORDINATE_BYTES];
    struct private_key *key;
};

struct kept_public_key {
    struct point point;
    struct public_key *key;
};

static struct kept_private_key private_keys[KEYS_MAX];
static struct kept_public_key public_keys[KEYS_MAX];
static size_t private_count, public_count;

static const struct kept_private_key *find_private(const struct private_key *key) {
    for (size_t i = 0; i < private_count; i++) {
        if (private_keys[i].key == key) return &private_keys[i];
    }
    return NULL;
}

static const struct kept_public_key *find_public(const struct public_key *key) {
    for (size_t i = 0; i < public_count; i++) {
        if (public_keys[i].key == key) return &public_keys[i];
    }
    return NULL;
}

/* ---- keys ---- */

struct private_key *__wrap_private_key_read(enum key_algorithm algorithm, const struct json_value *jwk);
struct private_key *__wrap_private_key_read(enum key_algorithm algorithm, const struct json_value *jwk) {
    static const char *const members[NUMBERS] = {"x", "y", "d"};
    uint8_t numbers[NUMBERS * COORDINATE_BYTES];
    for (size_t i = 0; i < NUMBERS; i++) {
        size_t size = 0;
        struct result decoded =
            crypto_base64url_decode(json_get_text(jwk, members[i]), numbers + i * COORDINATE_BYTES, COORDINATE_BYTES, &size);
        if (!result_is_ok(decoded) || size != COORDINATE_BYTES) return private_key_read(algorithm, jwk);
    }
    struct kept_private_key made;
    memcpy(&made.point, numbers, sizeof made.point);
    memcpy(made.secret, numbers + sizeof made.point, sizeof made.secret);
    for (size_t i = 0; i < private_count; i++) {
        const struct kept_private_key *kept = &private_keys[i];
        bool is_same =
            memcmp(&kept->point, &made.point, sizeof made.point) == 0 && memcmp(kept->secret, made.secret, sizeof made.secret) == 0;
        if (is_same) return kept->key;
    }
    made.key = private_key_read(algorithm, jwk);
    if (made.key == NULL) return NULL;
    CHECK(private_count < KEYS_MAX);
    private_keys[private_count++] = made;
    return made.key;
}

/* A key's name stands in the audit log: were it made by chance, a seed would not say everything about its world. The private numbers are 1 and 2, the
 * points the generator of P-256 and its double. */
static const char *const jwks[PROCESS_COUNT] = {
    "{\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\",\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\",\"d\":"
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
    "{\"x\":\"fPJ7GI0DT36KUjgDBLUaw8CJaeJ38hs1pgtI_EdmmXg\",\"y\":\"B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E\",\"d\":"
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI\"}"};
static enum process_index maker;

void signatures_make_key_of(enum process_index index) { maker = index; }

struct private_key *__wrap_private_key_make(enum key_algorithm algorithm);
struct private_key *__wrap_private_key_make(enum key_algorithm algorithm) {
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    arena_init(&arena, (size_t)64 * 1024);
    faults_init(&faults, &arena);
    CHECK(algorithm == KEY_ES256 && result_is_ok(json_open(&arena, text_of(jwks[maker]), &faults, &document)));
    struct private_key *key = private_key_read(algorithm, json_root(document));
    json_close(document);
    arena_release(&arena);
    return key;
}

void __wrap_private_key_free(struct private_key *key);
void __wrap_private_key_free(struct private_key *key) {
    if (find_private(key) == NULL) private_key_free(key);
}

struct public_key *__wrap_public_key_make_p256(struct text x, struct text y);
struct public_key *__wrap_public_key_make_p256(struct text x, struct text y) {
    if (x.size != COORDINATE_BYTES || y.size != COORDINATE_BYTES) return public_key_make_p256(x, y);
    struct kept_public_key made;
    memcpy(made.point.bytes, x.data, COORDINATE_BYTES);
    memcpy(made.point.bytes + COORDINATE_BYTES, y.data, COORDINATE_BYTES);
    for (size_t i = 0; i < public_count; i++) {
        if (memcmp(&public_keys[i].point, &made.point, sizeof made.point) == 0) return public_keys[i].key;
    }
    made.key = public_key_make_p256(x, y);
    if (made.key == NULL) return NULL;
    CHECK(public_count < KEYS_MAX);
    public_keys[public_count++] = made;
    return made.key;
}

void __wrap_public_key_free(struct public_key *key);
void __wrap_public_key_free(struct public_key *key) {
    if (find_public(key) == NULL) public_key_free(key);
}

/* ---- signatures ---- */

static void sign(const struct point *point, struct text message, struct point *ret_signature) {
    struct hash digest = crypto_hash(message);
    for (size_t half = 0; half < 2; half++) {
        uint8_t signed_bytes[sizeof *point + CRYPTO_HASH_BYTES + 1];
        memcpy(signed_bytes, point, sizeof *point);
        memcpy(signed_bytes + sizeof *point, digest.bytes, sizeof digest.bytes);
        signed_bytes[sizeof signed_bytes - 1] = (uint8_t)half;
        struct hash hash = crypto_hash((struct text){(const char *)signed_bytes, sizeof signed_bytes});
        memcpy(ret_signature->bytes + half * COORDINATE_BYTES, hash.bytes, sizeof hash.bytes);
    }
}

void signatures_sign_as(enum process_index index, struct text message, uint8_t ret_signature[SIGNATURES_BYTES]) {
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    struct point point, signature;
    arena_init(&arena, (size_t)64 * 1024);
    faults_init(&faults, &arena);
    CHECK(result_is_ok(json_open(&arena, text_of(jwks[index]), &faults, &document)));
    static const char *const members[] = {"x", "y"};
    for (size_t i = 0; i < 2; i++) {
        size_t size = 0;
        struct result decoded = crypto_base64url_decode(json_get_text(json_root(document), members[i]), point.bytes + i * COORDINATE_BYTES,
                                                        COORDINATE_BYTES, &size);
        CHECK(result_is_ok(decoded) && size == COORDINATE_BYTES);
    }
    json_close(document);
    arena_release(&arena);
    sign(&point, message, &signature);
    memcpy(ret_signature, &signature, sizeof signature);
}

struct result __wrap_private_key_sign(const struct private_key *key, struct text message,
                                      uint8_t ret_signature[PRIVATE_KEY_SIGNATURE_BYTES_MAX], size_t *ret_size);
struct result __wrap_private_key_sign(const struct private_key *key, struct text message,
                                      uint8_t ret_signature[PRIVATE_KEY_SIGNATURE_BYTES_MAX], size_t *ret_size) {
    const struct kept_private_key *kept = find_private(key);
    CHECK(kept != NULL);
    struct point signature;
    sign(&kept->point, message, &signature);
    memcpy(ret_signature, &signature, sizeof signature);
    *ret_size = sizeof signature;
    return result_ok();
}

bool __wrap_signature_check(struct signature_checker *checker, const struct public_key *key, struct text message, struct text signature);
bool __wrap_signature_check(struct signature_checker *checker, const struct public_key *key, struct text message, struct text signature) {
    (void)checker;
    const struct kept_public_key *kept = find_public(key);
    CHECK(kept != NULL);
    struct point due;
    sign(&kept->point, message, &due);
    return signature.size == sizeof due && memcmp(&due, signature.data, sizeof due) == 0;
}
