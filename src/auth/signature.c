#include "auth/signature.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define COORDINATE_BYTES 32u                                  /* of P-256 */
#define DER_BYTES_MAX    (2 + 2 * (2 + 1 + COORDINATE_BYTES)) /* a sequence of two integers, each with a zero before a set first bit */
#define SHA256_BYTES     32u
#define CONTEXTS_MAX     8u /* keys in use at a time; more are served too, each time with a new context */

struct public_key {
    enum key_algorithm algorithm;
    size_t signature_bytes;
    EVP_PKEY *library_key;
};

struct signature_checker {
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    EVP_PKEY_CTX *contexts[CONTEXTS_MAX]; /* each holds its key, so that no other one can come to lie at its address */
    size_t next;                          /* whose place the next new context takes */
};

static void free_builder(OSSL_PARAM_BLD **builder) { OSSL_PARAM_BLD_free(*builder); }
static void free_parameters(OSSL_PARAM **parameters) { OSSL_PARAM_free(*parameters); }
static void free_context(EVP_PKEY_CTX **context) { EVP_PKEY_CTX_free(*context); }
static void free_number(BIGNUM **number) { BN_free(*number); }
static void free_pair(ECDSA_SIG **pair) { ECDSA_SIG_free(*pair); }

#define AT_END(function) __attribute__((cleanup(function)))

static BIGNUM *read_number(struct text bytes) { return BN_bin2bn((const unsigned char *)bytes.data, (int)bytes.size, NULL); }

/* ---- keys ---- */

static struct public_key *make_key(const char *type, enum key_algorithm algorithm, size_t signature_bytes, OSSL_PARAM_BLD *builder) {
    AT_END(free_parameters) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    AT_END(free_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *library_key = NULL;
    struct public_key *key = calloc(1, sizeof *key);
    bool is_made = key != NULL && parameters != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                   EVP_PKEY_fromdata(context, &library_key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    if (!is_made) {
        ERR_clear_error();
        free(key);
        return NULL;
    }
    *key = (struct public_key){.algorithm = algorithm, .signature_bytes = signature_bytes, .library_key = library_key};
    return key;
}

struct public_key *public_key_make_rsa(struct text modulus, struct text exponent) {
    AT_END(free_builder) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    AT_END(free_number) BIGNUM *n = read_number(modulus);
    AT_END(free_number) BIGNUM *e = read_number(exponent);
    bool is_told = builder != NULL && n != NULL && e != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                   OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1;
    return is_told ? make_key("RSA", KEY_RS256, modulus.size, builder) : NULL;
}

struct public_key *public_key_make_p256(struct text x, struct text y) {
    uint8_t point[1 + 2 * COORDINATE_BYTES] = {POINT_CONVERSION_UNCOMPRESSED}; /* SEC 1, section 2.3.3 */
    if (x.size != COORDINATE_BYTES || y.size != COORDINATE_BYTES) return NULL;
    memcpy(point + 1, x.data, COORDINATE_BYTES);
    memcpy(point + 1 + COORDINATE_BYTES, y.data, COORDINATE_BYTES);
    AT_END(free_builder) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool is_told = builder != NULL && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
                   OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1;
    return is_told ? make_key("EC", KEY_ES256, sizeof point - 1, builder) : NULL;
}

void public_key_free(struct public_key *key) {
    if (key == NULL) return;
    EVP_PKEY_free(key->library_key);
    free(key);
}

/* ---- checking ---- */

struct result signature_checker_create(struct signature_checker **ret_checker) {
    struct signature_checker *checker = calloc(1, sizeof *checker);
    if (checker == NULL) return result_error(RESULT_FULL);
    checker->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    checker->digest = EVP_MD_CTX_new();
    if (checker->sha256 == NULL || checker->digest == NULL) {
        signature_checker_free(checker);
        return result_error(RESULT_FULL);
    }
    *ret_checker = checker;
    return result_ok();
}

void signature_checker_free(struct signature_checker *checker) {
    if (checker == NULL) return;
    for (size_t i = 0; i < CONTEXTS_MAX; i++) EVP_PKEY_CTX_free(checker->contexts[i]);
    EVP_MD_CTX_free(checker->digest);
    EVP_MD_free(checker->sha256);
    free(checker);
}

static bool prepare(const struct signature_checker *checker, const struct public_key *key, EVP_PKEY_CTX *context) {
    if (EVP_PKEY_verify_init(context) != 1) return false;
    if (key->algorithm == KEY_RS256 && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) != 1) return false;
    return EVP_PKEY_CTX_set_signature_md(context, checker->sha256) == 1;
}

/* Kept from an earlier check, or made; NULL when the library has no memory. */
static EVP_PKEY_CTX *find_context(struct signature_checker *checker, const struct public_key *key) {
    for (size_t i = 0; i < CONTEXTS_MAX && checker->contexts[i] != NULL; i++) {
        if (EVP_PKEY_CTX_get0_pkey(checker->contexts[i]) == key->library_key) return checker->contexts[i];
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->library_key, NULL);
    if (context == NULL || !prepare(checker, key, context)) {
        EVP_PKEY_CTX_free(context);
        return NULL;
    }
    EVP_PKEY_CTX_free(checker->contexts[checker->next]);
    checker->contexts[checker->next] = context;
    checker->next = (checker->next + 1) % CONTEXTS_MAX;
    return context;
}

static bool digest(struct signature_checker *checker, struct text message, uint8_t ret_digest[SHA256_BYTES]) {
    return EVP_DigestInit_ex2(checker->digest, checker->sha256, NULL) == 1 &&
           EVP_DigestUpdate(checker->digest, message.data, message.size) == 1 && EVP_DigestFinal_ex(checker->digest, ret_digest, NULL) == 1;
}

/* JWS writes the two numbers of an ECDSA signature one behind the other, OpenSSL reads them as DER (RFC 3279, section 2.2.3). That each is at
 * least one and less than the order of the curve it checks itself. 0: no memory. */
static size_t write_der(struct text signature, uint8_t ret_der[DER_BYTES_MAX]) {
    AT_END(free_pair) ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = read_number((struct text){signature.data, COORDINATE_BYTES});
    BIGNUM *s = read_number((struct text){signature.data + COORDINATE_BYTES, COORDINATE_BYTES});
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return 0;
    }
    uint8_t *end = ret_der;
    int size = i2d_ECDSA_SIG(pair, &end);
    CHECK(size <= (int)DER_BYTES_MAX);
    return size < 0 ? 0 : (size_t)size;
}

bool signature_check(struct signature_checker *checker, const struct public_key *key, struct text message, struct text signature) {
    if (signature.size != key->signature_bytes) return false;
    uint8_t hash[SHA256_BYTES], der[DER_BYTES_MAX];
    const uint8_t *bytes = (const uint8_t *)signature.data;
    size_t size = signature.size;
    if (key->algorithm == KEY_ES256) {
        size = write_der(signature, der);
        bytes = der;
    }
    EVP_PKEY_CTX *context = find_context(checker, key);
    bool is_good =
        context != NULL && size > 0 && digest(checker, message, hash) && EVP_PKEY_verify(context, bytes, size, hash, sizeof hash) == 1;
    if (!is_good) ERR_clear_error(); /* what it says of a forged signature nobody asks for */
    return is_good;
}
