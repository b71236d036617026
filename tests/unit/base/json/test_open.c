#include "../assertions.h"

#include <stdlib.h>

#include "base/json/json.h"

/* Opens one text; the arena and faults are as fresh as a request's. */
struct opening {
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    struct result result;
};

static void open_text(struct opening *opening, struct text text) {
    arena_init(&opening->arena, LIMIT_ARENA_BYTES);
    faults_init(&opening->faults, &opening->arena);
    opening->result = json_open(&opening->arena, text, &opening->faults, &opening->document);
}

static void close_text(struct opening *opening) {
    json_close(opening->document);
    arena_release(&opening->arena);
}

static void assert_malformed(struct text text) {
    struct opening opening;
    open_text(&opening, text);
    assert_result(opening.result, RESULT_INVALID);
    assert_int_equal(opening.faults.count, 0);
    assert_null(opening.document);
    close_text(&opening);
}

static void assert_faulty(struct text text, const char *field, const char *code) {
    struct opening opening;
    open_text(&opening, text);
    assert_result(opening.result, RESULT_INVALID);
    assert_int_equal(opening.faults.count, 1);
    assert_string_equal(opening.faults.items[0].field, field);
    assert_string_equal(opening.faults.items[0].code, code);
    close_text(&opening);
}

static void what_is_no_json_has_no_fault(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "{\"a\":1,}",
        "[1,]",
        "{a:1}",
        "{'a':1}",
        "nul",
        "[01]",
        "[+1]",
        "[.5]",
        "[1.]",
        "[NaN]",
        "\"\\ud800\"",
        "\"\\x\"",
        "\"\xFF\"",
        "\"a\nb\"",
        "{} {}",
        "{}x",
        "\xEF\xBB\xBF{}",
        "{\"a\" 1}",
        "/**/{}",
        "{\"a\":1,\"a\":2",
        "[1e]",
        "\"\xED\xA0\x80\"",
        "{\"a\":99999999999999999999",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) assert_malformed(text_of(bad[i]));
    assert_malformed(TEXT("{}\0"));
    assert_malformed((struct text){NULL, 0});
}

static void a_duplicate_is_named_with_its_way(void **state) {
    (void)state;
    assert_faulty(TEXT("{\"a\":1,\"a\":2}"), "a", "duplicate_field");
    assert_faulty(TEXT("{\"b\":{\"x\":[1,2]},\"a\":1 , \"b\" : 2}"), "b", "duplicate_field");
    assert_faulty(TEXT("{\"credit\":{\"amount\":1,\"currency\":\"IRT\",\"amount\":1}}"), "credit.amount", "duplicate_field");
    assert_faulty(TEXT("{\"items\":[{\"a\":1},{\"n\":\"}],{\\\"\",\"a\":1,\"a\":2}]}"), "items[1].a", "duplicate_field");
    assert_faulty(TEXT("[[],[[1,{\"\u0633\":1,\"\u0633\":2}]]]"), "[1][0][1].\u0633", "duplicate_field");
    assert_faulty(TEXT("{\"a name of more than twenty bytes\":1,\"a name of more than twenty bytes\":2}"),
                  "a name of more than twenty bytes", "duplicate_field");
    assert_faulty(TEXT("{\"a\":1,\"\\u0061\":2}"), "a", "duplicate_field");
}

static void a_number_beyond_reading_is_named(void **state) {
    (void)state;
    assert_faulty(TEXT("{\"credit\":{\"currency\":\"IRT\",\"amount\":9223372036854775808}}"), "credit.amount", "out_of_range");
    assert_faulty(TEXT("{\"items\":[{\"amount\":1},{\"amount\":-9223372036854775809,\"x\":1}]}"), "items[1].amount", "out_of_range");
    assert_faulty(TEXT("{\"a\":1e999,\"b\":2}"), "a", "out_of_range");
    assert_faulty(TEXT("99999999999999999999"), "", "out_of_range");
    assert_faulty(TEXT("[1,2,99999999999999999999]"), "[2]", "out_of_range");
}

static void a_nul_in_a_name_is_a_fault(void **state) {
    (void)state;
    assert_faulty(TEXT("{\"a\\u0000b\":1}"), "a\\u0000b", "invalid_format");
}

static void faults_are_told_together_and_the_rest_can_be_read(void **state) {
    (void)state;
    struct opening opening;
    open_text(&opening, TEXT("{\"a\":1,\"b\":[1e999,{\"x\":1,\"x\":2,\"x\":3}],\"c\\u0000\":4,\"a\":5}"));
    assert_result(opening.result, RESULT_INVALID);
    static const char *const expected[][2] = {{"b[0]", "out_of_range"},
                                              {"b[1].x", "duplicate_field"},
                                              {"b[1].x", "duplicate_field"},
                                              {"c\\u0000", "invalid_format"},
                                              {"a", "duplicate_field"}};
    assert_int_equal(opening.faults.count, ARRAY_COUNT(expected));
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_string_equal(opening.faults.items[i].field, expected[i][0]);
        assert_string_equal(opening.faults.items[i].code, expected[i][1]);
    }
    close_text(&opening);

    arena_init(&opening.arena, LIMIT_ARENA_BYTES);
    faults_init(&opening.faults, &opening.arena);
    assert_ok(json_open_faulty(&opening.arena, TEXT("{\"n\":1e999,\"a\":1,\"a\":2}"), &opening.faults, &opening.document, &(size_t){0}));
    int64_t a = 0, n = 7;
    const struct json_member members[] = {{.name = "a", .kind = JSON_INTEGER, .target = &a},
                                          {.name = "n", .kind = JSON_INTEGER, .target = &n}};
    json_read(json_root(opening.document), "", members, ARRAY_COUNT(members), &opening.faults);
    assert_int_equal(opening.faults.count, 2); /* not told again */
    assert_int_equal(a, 1);
    assert_int_equal(n, 7);
    close_text(&opening);
}

static void any_value_may_be_the_root(void **state) {
    (void)state;
    static const char *const good[] = {"1",           "\"x\"", "null", "[]", " {} ", "[9223372036854775807,-9223372036854775808]",
                                       "\"\\u0000\"", "-0"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct opening opening;
        open_text(&opening, text_of(good[i]));
        assert_ok(opening.result);
        assert_non_null(json_root(opening.document));
        close_text(&opening);
    }
    json_close(NULL);
}

static void bombs_are_refused_or_read_but_never_hurt(void **state) {
    (void)state;
    const size_t size = 1024 * 1024;
    char *bomb = malloc(size);
    assert_non_null(bomb);
    memset(bomb, '[', size);
    assert_malformed((struct text){bomb, size});
    for (size_t i = 0; i + 5 <= size; i += 5) memcpy(bomb + i, "{\"a\":", 5);
    assert_malformed((struct text){bomb, size});
    for (size_t i = 0; i < size; i++) bomb[i] = i == 0 ? '[' : i == size - 1 ? ']' : i % 2 == 1 ? '1' : ',';
    bomb[size - 2] = ' ';
    bomb[size - 3] = '1';
    struct opening opening;
    open_text(&opening, (struct text){bomb, size});
    assert_ok(opening.result);
    assert_int_equal(json_array_count(json_root(opening.document)), (size - 2) / 2);
    close_text(&opening);
    memset(bomb, '1', size); /* one number of a million digits */
    assert_faulty((struct text){bomb, size}, "", "out_of_range");
    free(bomb);
}

static void a_full_arena_is_said(void **state) {
    (void)state;
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    arena_init(&arena, 0);
    faults_init(&faults, &arena);
    assert_result(json_open(&arena, TEXT("{}"), &faults, &document), RESULT_FULL);
    assert_null(document);
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json_has_no_fault),
        cmocka_unit_test(a_duplicate_is_named_with_its_way),
        cmocka_unit_test(a_number_beyond_reading_is_named),
        cmocka_unit_test(a_nul_in_a_name_is_a_fault),
        cmocka_unit_test(faults_are_told_together_and_the_rest_can_be_read),
        cmocka_unit_test(any_value_may_be_the_root),
        cmocka_unit_test(bombs_are_refused_or_read_but_never_hurt),
        cmocka_unit_test(a_full_arena_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
