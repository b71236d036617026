/* What stands in a token's claims, once its signature is known to be good; and from when to when it is. */
#include "auth/claims.h"

#include "base/check.h"

#define SECONDS_MAX        INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define ABSENT_US          INT64_C(-1)
#define TOKEN_ID_BYTES_MAX 128u
#define SUBJECT_BYTES_MAX  255u

/* False when it is there and no text or empty, or not there and required, or longer than max_bytes. */
static bool read_text(const struct json_value *claims, const char *name, bool is_required, size_t max_bytes, struct text *ret_text) {
    const struct json_value *claim = json_get(claims, name);
    *ret_text = json_text(claim);
    return claim == NULL ? !is_required : ret_text->size > 0 && ret_text->size <= max_bytes;
}

/* NumericDate (RFC 7519, section 2): seconds, with a fraction or without. Absent: left as it is. */
static bool read_time(const struct json_value *claims, const char *name, int64_t *ret_time_us) {
    if (json_get(claims, name) == NULL) return true;
    int64_t time_us;
    if (!json_get_scaled(claims, name, CLOCK_SECOND_US, &time_us) || time_us > SECONDS_MAX * CLOCK_SECOND_US) return false;
    *ret_time_us = time_us;
    return true;
}

/* From when to when a token is good. A user's has all it needs, because Wallet signs it; a service's lives no longer than was agreed on. */
static enum token_verdict read_times(const struct json_value *claims, enum identity_kind kind, struct token_proof *proof) {
    int64_t issued_at_us = ABSENT_US, not_before_us = ABSENT_US, expires_at_us = ABSENT_US;
    if (!read_time(claims, "iat", &issued_at_us) || !read_time(claims, "nbf", &not_before_us) ||
        !read_time(claims, "exp", &expires_at_us)) {
        return TOKEN_INVALID;
    }
    bool is_service = kind == IDENTITY_SERVICE;
    if (issued_at_us == ABSENT_US || expires_at_us == ABSENT_US) return is_service ? TOKEN_WITHOUT_END : TOKEN_INVALID;
    if (issued_at_us >= expires_at_us) return TOKEN_INVALID;
    if (is_service && expires_at_us - issued_at_us > TOKEN_SERVICE_LIFETIME_US) return TOKEN_WITHOUT_END;
    /* A token from the future is as little valid as one that says so. */
    proof->not_before_us = not_before_us > issued_at_us ? not_before_us : issued_at_us;
    proof->expires_at_us = expires_at_us;
    return TOKEN_VALID;
}

/* A text, or an array of texts (RFC 7519, section 4.1.3), in which ours must stand. */
static bool is_for_us(const struct json_value *claims, struct text audience) {
    const struct json_value *claim = json_get(claims, "aud");
    if (text_equal(json_text(claim), audience)) return true;
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
    identity->is_phone_verified = json_get_flag(claims, "phone_number_verified");
    return phone_of_e164(phone, &identity->phone);
}

static bool read_service(const struct json_value *claims, const struct trusted_issuer *issuer, struct identity *identity) {
    struct text subject, name = text_of(issuer->name);
    if (!read_text(claims, "sub", false, SUBJECT_BYTES_MAX, &subject)) return false;
    identity->name_size = (uint8_t)name.size; /* trust_create bounds it */
    for (size_t i = 0; i < name.size; i++) identity->name[i] = name.data[i];
    return true;
}

/* Absent or empty: a good token that may do nothing. False when it is no text. */
static bool read_scope(const struct json_value *claims, struct text *ret_scope) {
    const struct json_value *scope = json_get(claims, "scope");
    *ret_scope = json_text(scope);
    return scope == NULL || ret_scope->data != NULL;
}

enum token_verdict claims_read(const struct json_value *claims, struct text audience, const struct trusted_issuer *issuer,
                               struct token_proof *proof) {
    bool is_user = issuer->kind == IDENTITY_USER;
    struct text scope, token_id;
    if (!is_for_us(claims, audience)) return TOKEN_INVALID;
    if (!read_text(claims, "jti", is_user, TOKEN_ID_BYTES_MAX, &token_id)) return TOKEN_INVALID;
    if (!read_scope(claims, &scope)) return TOKEN_INVALID;
    enum token_verdict times = read_times(claims, issuer->kind, proof);
    if (times != TOKEN_VALID) return times;
    struct identity *identity = &proof->identity;
    identity->kind = issuer->kind;
    identity->scopes = scopes_parse(scope) & issuer->scopes;
    identity->expires_at_us = proof->expires_at_us;
    bool is_read = is_user ? read_user(claims, identity) : read_service(claims, issuer, identity);
    return is_read ? TOKEN_VALID : TOKEN_INVALID;
}

enum token_verdict claims_judge_time(const struct token_proof *proof, int64_t now_us, int64_t leeway_us) {
    if (now_us - leeway_us >= proof->expires_at_us) return TOKEN_EXPIRED;
    if (now_us + leeway_us < proof->not_before_us) return TOKEN_NOT_YET_VALID;
    return TOKEN_VALID;
}
