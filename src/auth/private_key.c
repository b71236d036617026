#include "auth/private_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "base/check.h"
#include "base/crypto.h"

#define RSA_BITS         2048u
#define COORDINATE_BYTES 32u                                  /* of P-256 */
#define DER_BYTES_MAX    (2 + 2 * (2 + 1 + COORDINATE_BYTES)) /* a sequence of two integers, each with a zero before a set first bit */
#define NUMBER_BYTES_MAX PRIVATE_KEY_SIGNATURE_BYTES_MAX
#define NUMBER_TEXT_MAX  (NUMBER_BYTES_MAX / 3 * 4 + 3)
#define NUMBERS_MAX      8u

struct private_key {
    enum key_algorithm algorithm;
    EVP_PKEY *library_key;
};

/* A member of the JWK and the library's name for it. */
struct number {
    const char *member, *parameter;
    bool is_secret;
};

/* In the order in which our files have them. */
static const struct number rsa_numbers[] = {
    {"e", OSSL_PKEY_PARAM_RSA_E, false},         {"n", OSSL_PKEY_PARAM_RSA_N, false},
    {"d", OSSL_PKEY_PARAM_RSA_D, true},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1, true},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2, true},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, true},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, true}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, true},
};
static const struct number p256_numbers[] = {
    {"x", OSSL_PKEY_PARAM_EC_PUB_X, false},
    {"y", OSSL_PKEY_PARAM_EC_PUB_Y, false},
    {"d", OSSL_PKEY_PARAM_PRIV_KEY, true},
};
_Static_assert(ARRAY_COUNT(rsa_numbers) <= NUMBERS_MAX, "they fit into one array");

struct key_type {
    const char *name;
    const struct number *numbers;
    size_t number_count;
};

static const struct key_type types[] = {
    [KEY_RS256] = {"RSA", rsa_numbers, ARRAY_COUNT(rsa_numbers)},
    [KEY_ES256] = {"EC", p256_numbers, ARRAY_COUNT(p256_numbers)},
};

static void free_builder(OSSL_PARAM_BLD **builder) { OSSL_PARAM_BLD_free(*builder); }
static void free_parameters(OSSL_PARAM **parameters) { OSSL_PARAM_free(*parameters); }
static void free_context(EVP_PKEY_CTX **context) { EVP_PKEY_CTX_free(*context); }
static void free_digest(EVP_MD_CTX **digest) { EVP_MD_CTX_free(*digest); }
static void free_number(BIGNUM **number) { BN_clear_free(*number); }
static void free_numbers(BIGNUM *(*numbers)[NUMBERS_MAX]) {
    for (size_t i = 0; i < NUMBERS_MAX; i++) BN_clear_free((*numbers)[i]);
}
static void free_pair(ECDSA_SIG **pair) { ECDSA_SIG_free(*pair); }

#define AT_END(function) __attribute__((cleanup(function)))

/* Takes the library's key over; NULL for NULL. */
static struct private_key *keep(enum key_algorithm algorithm, EVP_PKEY *library_key) {
    struct private_key *key = library_key == NULL ? NULL : malloc(sizeof *key);
    if (key == NULL) {
        ERR_clear_error();
        EVP_PKEY_free(library_key);
        return NULL;
    }
    *key = (struct private_key){.algorithm = algorithm, .library_key = library_key};
    return key;
}

struct private_key *private_key_make(enum key_algorithm algorithm) {
    EVP_PKEY *library_key = NULL;
    switch (algorithm) {
    case KEY_RS256:
        library_key = EVP_RSA_gen(RSA_BITS); /* its exponent is 65537 */
        break;
    case KEY_ES256: library_key = EVP_EC_gen("P-256"); break;
    }
    return keep(algorithm, library_key);
}

void private_key_free(struct private_key *key) {
    if (key == NULL) return;
    EVP_PKEY_free(key->library_key);
    free(key);
}

/* ---- from a JWK ---- */

/* In the library's secure kind of memory, which is wiped when it is freed, also in the parameters that are made of it. NULL: no number. */
static BIGNUM *read_number(struct text text) {
    uint8_t bytes[BASE64URL_ROOM_BYTES(NUMBER_TEXT_MAX)];
    size_t size;
    if (text.size == 0 || text.size > NUMBER_TEXT_MAX || !result_is_ok(base64url_decode(text, bytes, &size))) return NULL;
    BIGNUM *number = BN_secure_new();
    BIGNUM *read = number == NULL ? NULL : BN_bin2bn(bytes, (int)size, number);
    if (read == NULL) BN_clear_free(number);
    crypto_wipe(bytes, sizeof bytes);
    return read;
}

/* SEC 1, section 2.3.3. The library takes a public point as such bytes only. */
static bool push_point(OSSL_PARAM_BLD *builder, const BIGNUM *x, const BIGNUM *y, uint8_t point[1 + 2 * COORDINATE_BYTES]) {
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    return BN_bn2binpad(x, point + 1, COORDINATE_BYTES) == COORDINATE_BYTES &&
           BN_bn2binpad(y, point + 1 + COORDINATE_BYTES, COORDINATE_BYTES) == COORDINATE_BYTES &&
           OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * COORDINATE_BYTES) == 1;
}

struct private_key *private_key_read(enum key_algorithm algorithm, const struct json_value *jwk) {
    const struct key_type *type = &types[algorithm];
    AT_END(free_builder) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    AT_END(free_numbers) BIGNUM *numbers[NUMBERS_MAX] = {NULL}; /* the builder only points to them, and to the point */
    uint8_t point[1 + 2 * COORDINATE_BYTES];
    for (size_t i = 0; i < type->number_count; i++) {
        numbers[i] = read_number(json_get_text(jwk, type->numbers[i].member));
        if (numbers[i] == NULL || builder == NULL) return NULL;
        if (algorithm == KEY_ES256 && !type->numbers[i].is_secret) continue;
        if (OSSL_PARAM_BLD_push_BN(builder, type->numbers[i].parameter, numbers[i]) != 1) return NULL;
    }
    if (algorithm == KEY_ES256 && !push_point(builder, numbers[0], numbers[1], point)) return NULL;
    AT_END(free_parameters) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    AT_END(free_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type->name, NULL);
    EVP_PKEY *library_key = NULL;
    bool is_made = parameters != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                   EVP_PKEY_fromdata(context, &library_key, EVP_PKEY_KEYPAIR, parameters) == 1;
    return keep(algorithm, is_made ? library_key : NULL);
}

/* ---- to a JWK ---- */

/* RFC 7518: of an RSA key without zeros in front (section 6.3.1.1), of P-256 always 32 bytes (section 6.2.1.2). */
static bool write_number(const struct private_key *key, const struct number *number, struct json_writer *writer) {
    AT_END(free_number) BIGNUM *value = NULL;
    if (EVP_PKEY_get_bn_param(key->library_key, number->parameter, &value) != 1) return false;
    uint8_t bytes[NUMBER_BYTES_MAX];
    char text[NUMBER_TEXT_MAX];
    int size = key->algorithm == KEY_ES256 ? (int)COORDINATE_BYTES : BN_num_bytes(value);
    CHECK(size > 0 && size <= (int)sizeof bytes);
    CHECK(BN_bn2binpad(value, bytes, size) == size);
    crypto_base64url(bytes, (size_t)size, text);
    json_text_member(writer, number->member, (struct text){text, crypto_base64url_size((size_t)size)});
    crypto_wipe(bytes, sizeof bytes);
    crypto_wipe(text, sizeof text);
    return true;
}

bool private_key_write(const struct private_key *key, bool with_secrets, struct json_writer *writer) {
    const struct key_type *type = &types[key->algorithm];
    json_text_member(writer, "kty", text_of(type->name));
    if (key->algorithm == KEY_ES256) json_text_member(writer, "crv", TEXT("P-256"));
    for (size_t i = 0; i < type->number_count; i++) {
        if (type->numbers[i].is_secret && !with_secrets) continue;
        if (!write_number(key, &type->numbers[i], writer)) return false;
    }
    return true;
}

/* ---- signing ---- */

/* OpenSSL writes the two numbers of an ECDSA signature as DER (RFC 3279, section 2.2.3), JWS has them one behind the other, each padded. */
static bool write_pair(const uint8_t *der, size_t size, uint8_t *ret_signature) {
    AT_END(free_pair) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    return pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_signature, COORDINATE_BYTES) == COORDINATE_BYTES &&
           BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_signature + COORDINATE_BYTES, COORDINATE_BYTES) == COORDINATE_BYTES;
}

struct result private_key_sign(const struct private_key *key, struct text message, uint8_t ret_signature[PRIVATE_KEY_SIGNATURE_BYTES_MAX],
                               size_t *ret_size) {
    uint8_t der[DER_BYTES_MAX];
    bool is_pair = key->algorithm == KEY_ES256;
    uint8_t *signature = is_pair ? der : ret_signature;
    size_t size = is_pair ? sizeof der : PRIVATE_KEY_SIGNATURE_BYTES_MAX;
    AT_END(free_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    /* RSA pads by PKCS #1 v1.5 unless told otherwise: that is RS256. */
    bool is_signed = digest != NULL && EVP_DigestSignInit_ex(digest, NULL, "SHA256", NULL, NULL, key->library_key, NULL) == 1 &&
                     EVP_DigestSign(digest, signature, &size, (const unsigned char *)message.data, message.size) == 1 &&
                     (!is_pair || write_pair(der, size, ret_signature));
    if (!is_signed) {
        ERR_clear_error();
        return result_error(RESULT_IO);
    }
    *ret_size = is_pair ? 2 * COORDINATE_BYTES : size;
    return result_ok();
}
