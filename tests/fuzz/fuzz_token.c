/* token_verify: never reads past the text, never lets a stranger in, and says the same of the same text again.
 *
 * The trusted keys are those of RFC 7515's examples (appendices A.2 and A.3), whose private halves are no secret, but the fuzzer does not know
 * them. Half of the inputs are taken as they are; the other half as a header and claims, to reach what stands behind base64url. */
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "base/check.h"
#include "base/crypto.h"

#define NOW_US INT64_C(1795341600000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char keys[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
    "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
    "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4"
    "FRWyuXpoQ\"},{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static struct trust *trust;
static struct token_verifier *verifier;

static void start(void) {
    static const struct trusted_issuer issuers[] = {
        {.name = "wallet", .kind = IDENTITY_USER, .scopes = SCOPE_USER | SCOPE_ADMIN, .source = "http://127.0.0.1:1/"},
        {.name = "discount", .kind = IDENTITY_SERVICE, .scopes = SCOPE_CREDITS_WRITE, .source = "http://127.0.0.1:1/"},
    };
    crypto_init();
    CHECK(result_is_ok(trust_create("wallet", issuers, ARRAY_COUNT(issuers), &trust)));
    CHECK(result_is_ok(trust_accept_jwks(trust, 0, (struct text){keys, sizeof keys - 1})));
    CHECK(result_is_ok(token_verifier_create(trust, 16, 0, &verifier)));
}

static void verify(struct text token) {
    struct identity identity;
    size_t issuer_index = SIZE_MAX;
    enum token_verdict verdict = token_verify(verifier, token, NOW_US, &identity, &issuer_index);
    CHECK(verdict == TOKEN_INVALID || verdict == TOKEN_UNKNOWN_KEY);
    if (verdict == TOKEN_UNKNOWN_KEY) CHECK(issuer_index < trust_issuer_count(trust));
    CHECK(token_verify(verifier, token, NOW_US, &identity, &issuer_index) == verdict);
}

/* The first line is the header, the next the claims, the rest the signature. */
static size_t encode_lines(struct text lines, char *token) {
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        const char *end = part == 2 || lines.size == 0 ? NULL : memchr(lines.data, '\n', lines.size);
        size_t size = end == NULL ? lines.size : (size_t)(end - lines.data);
        if (size > 0) crypto_base64url(lines.data, size, token + at);
        at += crypto_base64url_size(size);
        if (part < 2) token[at++] = '.';
        size_t step = end == NULL ? size : size + 1;
        lines = (struct text){lines.data + step, lines.size - step};
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (trust == NULL) start();
    if (size == 0) return 0;
    struct text rest = {(const char *)data + 1, size - 1};
    if ((data[0] & 1) == 0) {
        verify(rest);
        return 0;
    }
    char *made = malloc(2 * size + 16);
    CHECK(made != NULL);
    size_t token_size = encode_lines(rest, made);
    char *token = malloc(token_size); /* exact, so that the sanitizer sees a byte too many */
    CHECK(token != NULL);
    memcpy(token, made, token_size);
    verify((struct text){token, token_size});
    free(token);
    free(made);
    return 0;
}
