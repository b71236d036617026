#include "assertions.h"

#include "base/json.h"

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
    const struct json_value *root = open_root("{\"t\":\"x\",\"i\":7,\"a\":[1,{\"b\":2}],\"r\":1.5}");
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

static void assert_differences(const char *a, const char *b, const char *const *expected, size_t count) {
    faults_init(&faults, &arena);
    json_differences(open_root(a), open_root(b), &faults);
    assert_int_equal(faults.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(faults.items[i].field, expected[i]);
        assert_string_equal(faults.items[i].code, "differs");
    }
}

#define DIFFER(a, b, ...) \
    assert_differences((a), (b), (const char *const[]){__VA_ARGS__}, ARRAY_COUNT(((const char *const[]){__VA_ARGS__})))

static void differences_have_paths(void **state) {
    (void)state;
    assert_differences("{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", NULL, 0);
    DIFFER("{\"a\":1}", "{\"a\":2}", "a");
    DIFFER("{\"a\":1}", "{\"a\":\"1\"}", "a");
    DIFFER("{\"a\":1}", "{\"a\":1.0}", "a");
    DIFFER("{\"a\":1,\"x\":0}", "{\"b\":1,\"x\":0}", "a", "b");
    DIFFER("{\"credit\":{\"amount\":1,\"currency\":\"IRT\"}}", "{\"credit\":{\"amount\":2,\"currency\":\"IRT\"}}", "credit.amount");
    DIFFER("{\"a\":{\"b\":1}}", "{\"a\":[1]}", "a");
    DIFFER("{\"items\":[{\"a\":1},{\"a\":2}]}", "{\"items\":[{\"a\":1},{\"a\":3},{\"a\":4}]}", "items[2]", "items[1].a");
    DIFFER("{\"items\":[1,2]}", "{\"items\":[1]}", "items[1]");
    DIFFER("[1]", "{}", "");
    DIFFER("1", "2", "");
    DIFFER("[[1]]", "[[2]]", "[0][0]");
    DIFFER("{\"a\":null}", "{}", "a");
}

static void deep_differences_are_named_by_their_outer_levels(void **state) {
    (void)state;
    struct buffer texts[2];
    for (int side = 0; side < 2; side++) {
        buffer_init(&texts[side], &arena, 16384);
        for (int i = 0; i < 2000; i++) buffer_append_byte(&texts[side], '[');
        buffer_append_integer(&texts[side], side);
        for (int i = 0; i < 2000; i++) buffer_append_byte(&texts[side], ']');
        buffer_append_byte(&texts[side], '\0');
    }
    DIFFER(texts[0].data, texts[1].data, "[0][0][0][0][0][0][0][0]");
}

static void without_memory_a_difference_still_counts(void **state) {
    (void)state;
    struct arena none;
    struct faults told;
    arena_init(&none, 0);
    faults_init(&told, &none);
    json_differences(open_root("{\"a\":{\"b\":1}}"), open_root("{\"a\":{\"b\":2}}"), &told);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.items[0].code, "differs");
    arena_release(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(looking_up_without_rules, begin, end),
        cmocka_unit_test_setup_teardown(dumping_is_canonical, begin, end),
        cmocka_unit_test_setup_teardown(differences_have_paths, begin, end),
        cmocka_unit_test_setup_teardown(deep_differences_are_named_by_their_outer_levels, begin, end),
        cmocka_unit_test_setup_teardown(without_memory_a_difference_still_counts, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
