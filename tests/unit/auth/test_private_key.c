/* The examples of RFC 7515, appendices A.2 and A.3: keys that everybody knows. */
#include "forge.h"

#include "auth/base64url.h"

#define RSA_N                                                                                                                              \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b" \
    "32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5" \
    "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RSA_D                                                                                                                              \
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCg" \
    "u-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8" \
    "bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"
#define RSA_P                                                                                                                              \
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHd" \
    "wW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"
#define RSA_Q                                                                                                                              \
    "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnD" \
    "zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"
#define RSA_DP                                                                                                                             \
    "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7" \
    "tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0"
#define RSA_DQ                                                                                                                             \
    "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5" \
    "iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU"
#define RSA_QI                                                                                                                             \
    "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9Sb" \
    "sxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"
#define RSA_NUMBERS                                                                                                                   \
    "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_N "\",\"d\":\"" RSA_D "\",\"p\":\"" RSA_P "\",\"q\":\"" RSA_Q "\",\"dp\":\"" RSA_DP \
    "\",\"dq\":\"" RSA_DQ "\",\"qi\":\"" RSA_QI "\"}"
#define EC_PUBLIC                                                                                                            \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LN" \
    "pXW6pCyStikYjKIWI5a0\""
#define EC_NUMBERS EC_PUBLIC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"
#define PAYLOAD    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RSA_TOKEN                                                                                                                         \
    "eyJhbGciOiJSUzI1NiJ9." PAYLOAD                                                                                                       \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4B"  \
    "AynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1p" \
    "hCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define EC_TOKEN "eyJhbGciOiJFUzI1NiJ9." PAYLOAD ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

/* What stands before the numbers in a key file. The names are RFC 7638's thumbprints, computed by another implementation. */
#define FILE_HEAD(kid, alg) "{\"kid\":\"" kid "\",\"alg\":\"" alg "\",\"use\":\"sig\",\"created_at\":\"2026-11-22T10:00:00.000000Z\","
#define RSA_KID             "IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8"
#define EC_KID              "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"

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

static struct json_document *parse(const char *json) {
    struct faults faults;
    struct json_document *document;
    faults_init(&faults, &arena);
    assert_ok(json_open(&arena, text_of(json), &faults, &document));
    return document;
}

static struct private_key *read_key(enum key_algorithm algorithm, const char *json) {
    struct json_document *document = parse(json);
    struct private_key *key = private_key_read(algorithm, json_root(document));
    json_close(document);
    return key;
}

static struct text sign_input(const struct private_key *key, struct text input) {
    uint8_t signature[PRIVATE_KEY_SIGNATURE_BYTES_MAX];
    size_t size;
    assert_ok(private_key_sign(key, input, signature, &size));
    return with_signature(input, signature, size, &arena);
}

static struct text input_of(const char *token) { return (struct text){token, (size_t)(strrchr(token, '.') - token)}; }

/* RS256 leaves nothing to chance: the RFC's signature, to the last byte. */
static void the_rfcs_rsa_key_makes_the_rfcs_signature(void **state) {
    (void)state;
    struct private_key *key = read_key(KEY_RS256, "{" RSA_NUMBERS);
    assert_non_null(key);
    assert_text(sign_input(key, input_of(RSA_TOKEN)), RSA_TOKEN);
    private_key_free(key);
}

/* ES256 has another signature each time; the RFC's public key knows them all, and the RFC's own. */
static void the_rfcs_public_key_knows_our_signatures(void **state) {
    (void)state;
    enum { ROUNDS = 600 }; /* one number in 256 begins with a zero: it must be padded */
    struct json_document *document = parse("{\"kid\":\"a\"," EC_PUBLIC "}");
    struct key public;
    assert_ok(key_import_public(json_root(document), &arena, &public));
    json_close(document);
    assert_true(key_verify(&public, TEXT(EC_TOKEN)));
    struct private_key *key = read_key(KEY_ES256, "{" EC_NUMBERS);
    assert_non_null(key);
    for (size_t i = 0; i < ROUNDS; i++) {
        struct text token = sign_input(key, input_of(EC_TOKEN));
        assert_int_equal(token.size, strlen(EC_TOKEN));
        assert_true(key_verify(&public, token));
    }
    private_key_free(key);
    key_free(&public);
}

static void written_numbers_are_the_ones_that_were_read(void **state) {
    (void)state;
    static const struct {
        enum key_algorithm algorithm;
        const char *whole, *public;
    } cases[] = {
        {KEY_RS256, "{" RSA_NUMBERS, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_N "\"}"},
        {KEY_ES256, "{" EC_NUMBERS, "{" EC_PUBLIC "}"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct private_key *key = read_key(cases[i].algorithm, cases[i].whole);
        for (int with_secrets = 0; with_secrets < 2; with_secrets++) {
            struct buffer buffer;
            buffer_init(&buffer, &arena, 4096);
            struct json_writer writer = {.buffer = &buffer};
            json_begin_object(&writer);
            assert_true(private_key_write(key, with_secrets == 1, &writer));
            json_end_object(&writer);
            assert_text(buffer_text(&buffer), with_secrets == 1 ? cases[i].whole : cases[i].public);
        }
        private_key_free(key);
    }
}

/* A number that is absent, empty, no base64url or too large. */
static void bad_numbers_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"{\"d\":1}", "{\"d\":\"\"}", "{\"d\":\"A\"}", "{\"d\":\"AA==\"}",
                                      "{\"d\":\"" RSA_N RSA_N RSA_N "\"}"};
    assert_null(read_key(KEY_RS256, "{}"));
    assert_null(read_key(KEY_ES256, "{" EC_PUBLIC "}"));
    assert_null(read_key(KEY_RS256, "{" EC_NUMBERS));
    assert_null(read_key(KEY_ES256, "{" RSA_NUMBERS));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        const char *d = bad[i] + 1;
        const char *json = arena_print(&arena, "{" EC_PUBLIC ",%s", d).data;
        assert_null(read_key(KEY_ES256, json));
    }
    private_key_free(NULL);
}

/* Key files as they have always been written: the members in this order. */
static void key_files_stay_readable(void **state) {
    (void)state;
    static const struct {
        enum key_algorithm algorithm;
        const char *file, *kid, *token;
    } cases[] = {
        {KEY_RS256, FILE_HEAD(RSA_KID, "RS256") RSA_NUMBERS "\n", RSA_KID, RSA_TOKEN},
        {KEY_ES256, FILE_HEAD(EC_KID, "ES256") EC_NUMBERS "\n", EC_KID, EC_TOKEN},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct key key;
        int64_t created_at_us;
        assert_ok(key_import_private(text_of(cases[i].file), &arena, &key, &created_at_us));
        assert_int_equal(created_at_us, NOW_US);
        assert_int_equal(key.algorithm, cases[i].algorithm);
        assert_text(key_id(&key), cases[i].kid);
        assert_true(key_verify(&key, text_of(cases[i].token)));
        key_free(&key);
    }
}

/* And a new one looks the same, but for its numbers. */
static void made_files_have_the_same_members(void **state) {
    (void)state;
    static const char *const orders[][13] = {
        [KEY_RS256] = {"kid", "alg", "use", "created_at", "kty", "e", "n", "d", "p", "q", "dp", "dq", "qi"},
        [KEY_ES256] = {"kid", "alg", "use", "created_at", "kty", "crv", "x", "y", "d", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(orders); i++) {
        struct text id, json;
        assert_ok(key_make((enum key_algorithm)i, NOW_US, &arena, &id, &json));
        const char *rest = arena_print(&arena, "%.*s", (int)json.size, json.data).data;
        for (size_t k = 0; k < ARRAY_COUNT(orders[i]) && orders[i][k] != NULL; k++) {
            const char *before = arena_print(&arena, "%s\"%s\":\"", k == 0 ? "{" : ",", orders[i][k]).data;
            assert_memory_equal(rest, before, strlen(before));
            rest += strlen(before);
            rest += strcspn(rest, "\"") + 1;
        }
        assert_string_equal(rest, "}\n");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_rsa_key_makes_the_rfcs_signature),
        cmocka_unit_test(the_rfcs_public_key_knows_our_signatures),
        cmocka_unit_test(written_numbers_are_the_ones_that_were_read),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(key_files_stay_readable),
        cmocka_unit_test(made_files_have_the_same_members),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
