#include "auth/opaque.h"

#include "base/unicode.h"

struct result opaque_prepare(struct text typed, char buffer[OPAQUE_BYTES_MAX], struct text *ret_prepared) {
    size_t size;
    TRY(unicode_normalize(typed, UNICODE_OPAQUE, buffer, OPAQUE_BYTES_MAX, &size));
    *ret_prepared = (struct text){buffer, size};
    return result_ok();
}

struct result opaque_hash(struct text typed, enum crypto_cost cost, char ret_hash[CRYPTO_PASSWORD_HASH_BYTES]) {
    char buffer[OPAQUE_BYTES_MAX];
    struct text prepared;
    TRY(opaque_prepare(typed, buffer, &prepared));
    struct result hashed = crypto_password_hash(prepared, cost, ret_hash);
    crypto_wipe(buffer, sizeof buffer);
    return hashed;
}

bool opaque_matches(struct text typed, const char *hash) {
    char buffer[OPAQUE_BYTES_MAX];
    struct text prepared;
    if (!result_is_ok(opaque_prepare(typed, buffer, &prepared))) return crypto_password_matches(typed, hash);
    bool matches = crypto_password_matches(prepared, hash) || (!text_equal(prepared, typed) && crypto_password_matches(typed, hash));
    crypto_wipe(buffer, sizeof buffer);
    return matches;
}
