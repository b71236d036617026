#include "assertions.h"

#include "base/code.h"

static void every_way_of_typing_is_one_code(void **state) {
    (void)state;
    static const char *const typed[] = {
        "NOWRUZ1404",
        "nowruz1404",
        " NowRuz-1404 ",
        "n.o.w.r.u.z (1404)",
        "nowruz\u06F1\u06F4\u06F0\u06F4",
        "nowruz\u0661\u0664\u0660\u0664",
        "NOW\u200CRUZ\u20131404\u200F",
        "NOWRUZ\uFE0F1404",
        "\uFF2E\uFF2F\uFF37\uFF32\uFF35\uFF3A\uFF11\uFF14\uFF10\uFF14",
        "nowruz\u0967\u096A\u0966\u096A",
    };
    struct code first = {0};
    assert_ok(code_parse(text_of(typed[0]), &first));
    for (size_t i = 0; i < ARRAY_COUNT(typed); i++) {
        struct code code = {0};
        assert_ok(code_parse(text_of(typed[i]), &code));
        assert_text(code_text(&code), "NOWRUZ1404");
        assert_true(code_equal(&code, &first));
    }
    struct code other = {0};
    assert_ok(code_parse(TEXT("NOWRUZ1405"), &other));
    assert_false(code_equal(&first, &other));
}

static void what_is_no_code_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"", " - ", "a_b", "a+b", "a/b", "\u2728", "a\u00A9", "a\xFF", "\u200B", "a:b", "`", "@A"};
    struct code code = {.size = 1, .canonical = "X"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) assert_result(code_parse(text_of(bad[i]), &code), RESULT_INVALID);
    assert_result(code_parse(TEXT("a\0b"), &code), RESULT_INVALID);
    assert_text(code_text(&code), "X");
}

static void codes_of_other_scripts(void **state) {
    (void)state;
    static const struct {
        const char *typed, *canonical;
    } cases[] = {{"\u0639\u06CC\u062F\u06F1\u06F4\u06F0\u06F4", "\u0639\u06CC\u062F1404"},
                 {"\u0639\u200C\u06CC\u062F-1404", "\u0639\u06CC\u062F1404"},
                 {"cafe\u0301", "CAF\u00C9"},
                 {"CAF\u00C9", "CAF\u00C9"},
                 {"\u0915\u094D\u0937", "\u0915\u094D\u0937"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct code code = {0}, again = {0};
        assert_ok(code_parse(text_of(cases[i].typed), &code));
        assert_text(code_text(&code), cases[i].canonical);
        assert_ok(code_parse(code_text(&code), &again));
        assert_true(code_equal(&code, &again));
    }
}

static void the_length_is_bounded_after_folding(void **state) {
    (void)state;
    char typed[LIMIT_CODE_BYTES * 2 + 1];
    for (size_t i = 0; i < sizeof typed; i++) typed[i] = i % 2 == 0 ? 'a' : '-';
    struct code code;
    assert_ok(code_parse((struct text){typed, LIMIT_CODE_BYTES * 2}, &code));
    assert_int_equal(code.size, LIMIT_CODE_BYTES);
    assert_result(code_parse((struct text){typed, sizeof typed}, &code), RESULT_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_typing_is_one_code),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(codes_of_other_scripts),
        cmocka_unit_test(the_length_is_bounded_after_folding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
