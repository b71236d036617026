/* Beside libsodium's decoder, which is another one and as strict: for each text both must say the same. */
#include "../base/assertions.h"

#include <stdlib.h>

#include "auth/base64url.h"
#include "base/crypto.h"

enum { TEXT_MOST = 200 };

static void compare(const char *data, size_t size) {
    char *text = malloc(size + 1); /* exact, so that a sanitizer sees a byte too many */
    uint8_t *bytes = malloc(BASE64URL_ROOM_BYTES(size) + 1);
    uint8_t expected[BASE64URL_ROOM_BYTES(TEXT_MOST)];
    size_t bytes_size = 0, expected_size = 0;
    memcpy(text, data, size);
    text = realloc(text, size == 0 ? 1 : size);
    bytes = realloc(bytes, BASE64URL_ROOM_BYTES(size) == 0 ? 1 : BASE64URL_ROOM_BYTES(size));
    struct result oracle = crypto_base64url_decode((struct text){text, size}, expected, sizeof expected, &expected_size);
    struct result result = base64url_decode((struct text){text, size}, bytes, &bytes_size);
    if (result.code != oracle.code) fail_msg("%.*s: %s", (int)size, data, result_name(result));
    if (result_is_ok(result)) {
        assert_int_equal(bytes_size, expected_size);
        assert_memory_equal(bytes, expected, bytes_size);
    }
    free(text);
    free(bytes);
}

static void the_rfcs_examples(void **state) {
    (void)state;
    static const char *const examples[][2] = {{"", ""},           {"Zg", "f"},          {"Zm8", "fo"},          {"Zm9v", "foo"},
                                              {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}, {"-_-_", "\xfb\xff\xbf"}};
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        uint8_t bytes[16];
        size_t size = SIZE_MAX;
        assert_ok(base64url_decode(text_of(examples[i][0]), bytes, &size));
        assert_text(((struct text){(const char *)bytes, size}), examples[i][1]);
    }
}

static void each_end_has_one_text(void **state) {
    (void)state;
    crypto_init();
    char text[3];
    for (int a = 0; a < 256; a++) {
        text[0] = (char)a;
        compare(text, 1);
        for (int b = 0; b < 256; b++) {
            text[1] = (char)b;
            compare(text, 2);
            text[2] = 'A'; /* and of three letters those that differ in the last */
            if (a == 'Q') {
                for (int c = 0; c < 256; c++) {
                    text[2] = (char)c;
                    compare(text, 3);
                }
            }
        }
    }
}

static void each_byte_in_each_place(void **state) {
    (void)state;
    uint8_t bytes[TEXT_MOST];
    char text[TEXT_MOST];
    crypto_random(bytes, sizeof bytes);
    for (size_t size = 1; size < 100; size++) {
        size_t text_size = crypto_base64url_size(size);
        crypto_base64url(bytes, size, text);
        compare(text, text_size);
        compare(text, text_size - 1);
        for (size_t i = 0; i < text_size; i++) {
            char kept = text[i];
            for (int byte = 0; byte < 256 && (size < 40 || i > text_size - 4); byte++) {
                text[i] = (char)byte;
                compare(text, text_size);
            }
            text[i] = kept;
        }
    }
}

static void nothing_longer_than_a_token(void **state) {
    (void)state;
    char *text = malloc(LIMIT_TOKEN_BYTES + 4);
    uint8_t *bytes = malloc(BASE64URL_ROOM_BYTES(LIMIT_TOKEN_BYTES));
    size_t size;
    memset(text, 'A', LIMIT_TOKEN_BYTES + 4);
    assert_ok(base64url_decode((struct text){text, LIMIT_TOKEN_BYTES}, bytes, &size));
    assert_int_equal(size, BASE64URL_ROOM_BYTES(LIMIT_TOKEN_BYTES));
    assert_result(base64url_decode((struct text){text, LIMIT_TOKEN_BYTES + 4}, bytes, &size), RESULT_INVALID);
    assert_ok(base64url_decode((struct text){NULL, 0}, bytes, &size));
    assert_int_equal(size, 0);
    free(text);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_examples),
        cmocka_unit_test(each_end_has_one_text),
        cmocka_unit_test(each_byte_in_each_place),
        cmocka_unit_test(nothing_longer_than_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
