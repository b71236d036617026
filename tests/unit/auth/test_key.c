#include "forge.h"

static struct arena arena;

static int open_all(void **state) {
    (void)state;
    crypto_init();
    arena_init(&arena, 16u * 1024 * 1024);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct json_document *parse(struct text json) {
    struct faults faults;
    struct json_document *document;
    faults_init(&faults, &arena);
    assert_ok(json_open(&arena, json, &faults, &document));
    return document;
}

static struct result import(struct text json) {
    struct json_document *document = parse(json);
    struct key key = {0};
    struct result result = key_import_public(json_root(document), &arena, &key);
    if (result_is_ok(result)) key_free(&key);
    json_close(document);
    return result;
}

/* The example key of RFC 7638, section 3.1. */
#define RFC_N                                                                                                                              \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4"  \
    "Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI" \
    "4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
/* An odd number of 1024 bits: the same number's upper half, about. */
#define SHORT_N                                                                                                                     \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-" \
    "5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5-v-6AAE"
/* The example key of RFC 7515, appendix A.3. */
#define RFC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static void which_public_keys_are_taken(void **state) {
    (void)state;
    static const struct {
        const char *json;
        bool is_taken;
    } cases[] = {
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", true},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"RS256\",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}",
         true},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"Aw\",\"more\":1}", true},
        {"{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y "\"}", true},
        {"{\"kty\":\"EC\",\"kid\":\"a\",\"alg\":\"ES256\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y "\"}", true},
        /* kid */
        {"{\"kty\":\"RSA\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":7,\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\\nb\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"\\u0000\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        /* purpose */
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"use\":\"enc\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"use\":7,\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"key_ops\":[\"encrypt\"],\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"key_ops\":[],\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"RS512\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"ES256\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"HS256\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"EC\",\"kid\":\"a\",\"alg\":\"RS256\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y "\"}", false},
        /* type */
        {"{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAAA\"}", false},
        {"{\"kty\":\"OKP\",\"kid\":\"a\",\"crv\":\"Ed25519\",\"x\":\"" RFC_X "\"}", false},
        {"{\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-384\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y "\"}", false},
        {"[]", false},
        {"null", false},
        /* private */
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\",\"d\":\"AA\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\",\"k\":\"AA\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\",\"oth\":[]}", false},
        /* numbers */
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQ\"}", false}, /* 1: every message signs itself */
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQAA\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "\",\"e\":\"AQAAAAAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N "=\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" SHORT_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" RFC_N RFC_N RFC_N "\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_X "\"}", false}, /* off the curve */
        {"{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\",\"y\":\"AA\"}", false},
        {"{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\"}", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct result result = import(text_of(cases[i].json));
        if (result.code != (cases[i].is_taken ? RESULT_OK : RESULT_INVALID)) fail_msg("%s: %s", cases[i].json, result_name(result));
    }
}

/* RFC 7638, section 3: SHA-256 over the required members in order. Written out here again, by hand. */
static struct text thumbprint_of(const struct json_value *jwk, enum key_algorithm algorithm) {
    const char *names[] = {algorithm == KEY_RS256 ? "e" : "x", algorithm == KEY_RS256 ? "n" : "y"};
    struct text first = json_get_text(jwk, names[0]), second = json_get_text(jwk, names[1]);
    struct text canonical = algorithm == KEY_RS256 ? arena_print(&arena, "{\"e\":\"%.*s\",\"kty\":\"RSA\",\"n\":\"%.*s\"}", (int)first.size,
                                                                 first.data, (int)second.size, second.data)
                                                   : arena_print(&arena, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                                                                 (int)first.size, first.data, (int)second.size, second.data);
    struct hash hash = crypto_sha256(canonical);
    return encode(&arena, (struct text){(const char *)hash.bytes, sizeof hash.bytes});
}

static void the_rfcs_example_has_the_rfcs_thumbprint(void **state) {
    (void)state;
    struct json_document *document = parse(TEXT("{\"kty\":\"RSA\",\"n\":\"" RFC_N "\",\"e\":\"AQAB\"}"));
    assert_text(thumbprint_of(json_root(document), KEY_RS256), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    json_close(document);
}

static void made_keys_sign_and_are_named_by_their_thumbprint(void **state) {
    (void)state;
    static const enum key_algorithm algorithms[] = {KEY_RS256, KEY_ES256};
    for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++) {
        struct text id, json, token;
        assert_ok(key_make(algorithms[i], NOW_US, &arena, &id, &json));
        struct json_document *document = parse(json);
        assert_true(text_equal(id, thumbprint_of(json_root(document), algorithms[i])));
        json_close(document);
        struct key key, public;
        int64_t created_at_us;
        assert_ok(key_import_private(json, &arena, &key, &created_at_us));
        assert_int_equal(created_at_us, NOW_US);
        assert_int_equal(key.algorithm, algorithms[i]);
        assert_true(text_equal(key_id(&key), id));
        assert_ok(key_sign(&key, TEXT("{}"), &arena, &token));
        document = parse(key.public_json);
        assert_ok(key_import_public(json_root(document), &arena, &public));
        json_close(document);
        assert_true(key_verify(&public, token));
        assert_memory_equal(&public.digest, &key.digest, sizeof key.digest);
        assert_false(key_verify(&public, (struct text){token.data, token.size - 1}));
        key_free(&key);
        key_free(&public);
    }
}

/* The text with the first `from` replaced. */
static struct text replace(struct text json, const char *from, const char *to) {
    const char *whole = arena_print(&arena, "%.*s", (int)json.size, json.data).data;
    const char *at = strstr(whole, from);
    assert_non_null(at);
    return arena_print(&arena, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
}

static void damaged_private_keys_are_corrupt(void **state) {
    (void)state;
    struct text id, json, id_other, json_other;
    assert_ok(key_make(KEY_ES256, NOW_US, &arena, &id, &json));
    assert_ok(key_make(KEY_ES256, NOW_US, &arena, &id_other, &json_other));
    struct json_document *document = parse(json), *other = parse(json_other);
    struct text d = json_get_text(json_root(document), "d"), d_other = json_get_text(json_root(other), "d");
    const struct text damaged[] = {
        TEXT(""),
        TEXT("{}"),
        {json.data, json.size / 2},
        replace(json, "\"d\"", "\"dd\""),
        replace(json, "\"created_at\"", "\"made_at\""),
        replace(json, "\"P-256\"", "\"P-384\""),
        replace(json, "\"kid\":\"", "\"kid\":\"x"),
        replace(json, d.data, d_other.data), /* each half well formed, but of two keys */
    };
    for (size_t i = 0; i < ARRAY_COUNT(damaged); i++) {
        struct key key;
        int64_t created_at_us;
        assert_result(key_import_private(damaged[i], &arena, &key, &created_at_us), RESULT_CORRUPT);
    }
    json_close(document);
    json_close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_public_keys_are_taken),
        cmocka_unit_test(the_rfcs_example_has_the_rfcs_thumbprint),
        cmocka_unit_test(made_keys_sign_and_are_named_by_their_thumbprint),
        cmocka_unit_test(damaged_private_keys_are_corrupt),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
