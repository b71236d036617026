#include "../assertions.h"

#include "base/json/json.h"

#define OPEN_MAX 4

static struct arena arena;
static struct faults faults;
static struct json_document *documents[OPEN_MAX];
static size_t document_count;

static int begin(void **state) {
    (void)state;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    faults_init(&faults, &arena);
    document_count = 0;
    return 0;
}

static void close_all(void) {
    while (document_count > 0) json_close(documents[--document_count]);
}

static int end(void **state) {
    (void)state;
    close_all();
    arena_release(&arena);
    return 0;
}

static const struct json_value *open_root(const char *json) {
    if (document_count == OPEN_MAX) close_all();
    assert_ok(json_open(&arena, text_of(json), &faults, &documents[document_count]));
    return json_root(documents[document_count++]);
}

static void looking_up_without_rules(void **state) {
    (void)state;
    const struct json_value *root = open_root("{\"t\":\"x\",\"yes\":true,\"no\":false,\"i\":7,\"a\":[1,{\"b\":2}],\"r\":1.5}");
    assert_false(json_get_flag(root, "t") || json_get_flag(root, "i") || json_get_flag(root, "none") || json_get_flag(root, "no"));
    assert_true(json_get_flag(root, "yes"));
    assert_text(json_get_text(root, "t"), "x");
    assert_text(json_get_text(root, "i"), "");
    assert_text(json_get_text(root, "none"), "");
    assert_text(json_text(json_get(root, "t")), "x");
    assert_null(json_text(json_get(root, "i")).data);
    assert_null(json_text(NULL).data);
    assert_int_equal(json_get_integer(root, "i", -1), 7);
    assert_int_equal(json_get_integer(root, "t", -1), -1);
    assert_int_equal(json_get_integer(root, "r", -1), -1);
    assert_int_equal(json_get_integer(root, "none", -1), -1);
    int64_t scaled = -1;
    assert_true(json_get_scaled(root, "i", 1000, &scaled) && scaled == 7000);
    assert_true(json_get_scaled(root, "r", 1000, &scaled) && scaled == 1500);
    assert_false(json_get_scaled(root, "t", 1000, &scaled) || json_get_scaled(root, "none", 1000, &scaled));
    const struct json_value *numbers = open_root("{\"z\":0,\"s\":0.00049,\"n\":-1,\"m\":-0.5,\"b\":1e30,\"w\":9223372036854775807}");
    assert_true(json_get_scaled(numbers, "z", 1000, &scaled) && scaled == 0);
    assert_true(json_get_scaled(numbers, "s", 1000, &scaled) && scaled == 0);
    assert_true(json_get_scaled(numbers, "w", 1, &scaled) && scaled == INT64_MAX);
    static const char *const beyond[] = {"n", "m", "b", "w"};
    for (size_t i = 0; i < ARRAY_COUNT(beyond); i++) assert_false(json_get_scaled(numbers, beyond[i], 1000, &scaled));
    assert_null(json_get(root, "none"));
    assert_null(json_get(json_get(root, "t"), "x"));
    assert_null(json_get(NULL, "x"));
    const struct json_value *array = json_get(root, "a");
    assert_int_equal(json_array_count(array), 2);
    assert_int_equal(json_get_integer(json_array_item(array, 1), "b", 0), 2);
    assert_null(json_array_item(array, 2));
    assert_null(json_array_item(root, 0));
    assert_int_equal(json_array_count(root), 0);
    assert_int_equal(json_array_count(NULL), 0);
    assert_false(json_is_object(array));
    assert_false(json_is_object(NULL));
    assert_true(json_is_object(root));
}

static void dumping_is_canonical(void **state) {
    (void)state;
    const char *canonical = "{\"a\":{\"x\":[1,null,true],\"y\":\"\u0633\\n\"},\"b\":-2}";
    assert_text(json_dump(&arena, open_root(" { \"b\" : -2, \"a\" : {\"y\":\"\\u0633\\u000a\", \"x\":[ 1, null, true ]}}")), canonical);
    assert_text(json_dump(&arena, open_root(canonical)), canonical);
    assert_text(json_dump(&arena, open_root("\"x\"")), "\"x\"");
    struct arena small;
    arena_init(&small, 256);
    struct text dumped =
        json_dump(&small, open_root("[[1111111111,2222222222,3333333333,4444444444,5555555555,6666666666,7777777777,8888888888],"
                                    "[1111111111,2222222222,3333333333,4444444444,5555555555,6666666666,7777777777,8888888888],"
                                    "[1111111111,2222222222,3333333333,4444444444,5555555555,6666666666,7777777777,8888888888]]"));
    assert_null(dumped.data);
    arena_release(&small);
}

static void numbers_keep_their_value(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"1.0", "1.0"},
        {"1.10", "1.1"},
        {"1e5", "100000.0"},
        {"-0", "0"},
        {"-0.0", "-0.0"},
        {"0.1", "0.1"},
        {"1e300", "1e+300"},
        {"5e-324", "4.94065645841247e-324"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_text(json_dump(&arena, open_root(texts[i][0])), texts[i][1]);
        assert_text(json_dump(&arena, open_root(texts[i][1])), texts[i][1]);
    }
}

static void deep_and_wide_values_are_dumped(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, &arena, 32768);
    for (int i = 0; i < 2000; i++) buffer_append(&text, i % 2 == 0 ? TEXT("[{\"b\":1,\"a\":2},") : TEXT("[[],"));
    for (int i = 0; i < 2000; i++) buffer_append(&text, i == 0 ? TEXT("3]") : TEXT("]"));
    buffer_append_byte(&text, '\0');
    assert_false(text.failed);
    struct text once = json_dump(&arena, open_root(text.data));
    assert_int_equal(once.size, text.size - 1);
    assert_non_null(strstr(once.data, "[{\"a\":2,\"b\":1},[[],[{"));
    assert_text(json_dump(&arena, open_root(once.data)), once.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_keep_their_value, begin, end),
        cmocka_unit_test_setup_teardown(deep_and_wide_values_are_dumped, begin, end),
        cmocka_unit_test_setup_teardown(looking_up_without_rules, begin, end),
        cmocka_unit_test_setup_teardown(dumping_is_canonical, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
