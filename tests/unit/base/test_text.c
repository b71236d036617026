#include "assertions.h"

#include "base/text.h"

static void comparing(void **state) {
    (void)state;
    assert_true(text_equal(TEXT("abc"), text_of("abc")));
    assert_false(text_equal(TEXT("abc"), TEXT("abd")));
    assert_false(text_equal(TEXT("abc"), TEXT("ab")));
    assert_true(text_equal(text_of(NULL), TEXT("")));
    assert_true(text_equal((struct text){NULL, 0}, TEXT("")));
    assert_true(text_equal_ignoring_case(TEXT("aZ[`9"), TEXT("Az[`9")));
    assert_false(text_equal_ignoring_case(TEXT("@"), TEXT("`"))); /* a case bit apart, but no letters */
    assert_false(text_equal_ignoring_case(TEXT("a"), TEXT("ab")));
    assert_true(text_starts_with(TEXT("Bearer x"), TEXT("Bearer ")));
    assert_false(text_starts_with(TEXT("Bear"), TEXT("Bearer")));
    assert_true(text_starts_with(TEXT(""), TEXT("")));
}

static void printable_ascii(void **state) {
    (void)state;
    assert_true(text_is_printable_ascii(TEXT(" ~")));
    assert_true(text_is_printable_ascii(TEXT("")));
    assert_false(text_is_printable_ascii(TEXT("\x1F")));
    assert_false(text_is_printable_ascii(TEXT("\x7F")));
    assert_false(text_is_printable_ascii(TEXT("\xC3\xA9")));
    assert_false(text_is_printable_ascii(TEXT("a\0b")));
}

static void counting_characters(void **state) {
    (void)state;
    size_t count = 99;
    assert_ok(text_count_characters(TEXT(""), &count));
    assert_int_equal(count, 0);
    assert_ok(text_count_characters(TEXT("a\xD8\xB3\xE2\x82\xAC\xF0\x9F\x8E\x81"), &count));
    assert_int_equal(count, 4);
    assert_ok(text_count_characters(TEXT("\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80"), &count)); /* U+10FFFF, U+D7FF, U+E000 */
    assert_int_equal(count, 3);
}

static void bad_utf8_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x9F\xBF",     "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "\xC3",         "\xE2\x82",         "\xF0\x9F\x8E",     "\xE2\x28\xA1",     "a\xC3(",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        size_t count;
        assert_result(text_count_characters(text_of(bad[i]), &count), RESULT_INVALID);
    }
    size_t count;
    assert_result(text_count_characters((struct text){"\xE2\x82\xAC", 2}, &count),
                  RESULT_INVALID); /* what is behind the end does not help */
}

static void the_offset_stays_at_a_bad_character(void **state) {
    (void)state;
    size_t offset = 0;
    uint32_t character = 0;
    struct text text = TEXT("\xE2\x82\xAC\xFF");
    assert_ok(text_next_character(text, &offset, &character));
    assert_int_equal(character, 0x20AC);
    assert_int_equal(offset, 3);
    assert_result(text_next_character(text, &offset, &character), RESULT_INVALID);
    assert_int_equal(offset, 3);
}

static void cutting_keeps_characters_whole(void **state) {
    (void)state;
    assert_text(text_cut(TEXT("abc"), 5), "abc");
    assert_text(text_cut(TEXT("abc"), 2), "ab");
    assert_text(text_cut(TEXT("a\xE2\x82\xAC"), 3), "a");
    assert_text(text_cut(TEXT("a\xE2\x82\xAC"), 4), "a\xE2\x82\xAC");
    assert_text(text_cut(TEXT("\x80\x80\x80"), 2), "");
}

static void parsing_numbers(void **state) {
    (void)state;
    uint64_t value = 7;
    assert_ok(text_parse_unsigned(TEXT("0042"), 42, &value));
    assert_int_equal(value, 42);
    assert_ok(text_parse_unsigned(TEXT("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    static const char *const bad[] = {
        "", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "43", "18446744073709551616", "99999999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        uint64_t max = strlen(bad[i]) > 10 ? UINT64_MAX : 42;
        assert_result(text_parse_unsigned(text_of(bad[i]), max, &value), RESULT_INVALID);
    }
    assert_true(value == UINT64_MAX); /* untouched by failures */
}

static void assert_folds(const char *typed, struct text_folding folding, const char *expected) {
    char buffer[64];
    size_t size = 0;
    assert_ok(text_fold(text_of(typed), folding, buffer, sizeof buffer, &size));
    assert_text(((struct text){buffer, size}), expected);
}

static void folding_digits_and_separators(void **state) {
    (void)state;
    const struct text_folding plain = {0}, separators = {.drop_separators = true}, all = {.drop_separators = true, .upper = true};
    assert_folds("\u06F0\u06F1\u06F9\u0660\u0665\u0669", plain, "019059");
    assert_folds("a-b c", plain, "a-b c");
    assert_folds("a-b c", separators, "abc");
    assert_folds("now-ruz \u06F1\u06F4\u06F0\u06F4", all, "NOWRUZ1404");
    assert_folds("now\u200Cruz\u06D4a-\u2013b\u06F1c", all, "NOWRUZAB1C");
    assert_folds("\t\n\u00A0\u200B\u200C\u200D\u200E\u200F\u2010\u2013\u2014\u2212\u202A\u202C\u2060\u2066\u2069\uFEFF\u061C.()[]{}\u3000",
                 separators, "");
    assert_folds("+98 (912) 123-45.67", separators, "+989121234567");
    assert_folds("\u0633\u06F5_/,", all, "\u06335_/,"); /* other characters stay */
    assert_folds("\uFF11\uFF12\u200B3\uFE0F", plain, "123");
    assert_folds("\uFF0B\uFF19\uFF18\uFF0D\uFF08\uFF10\uFF09\u0967", separators,
                 "+98"
                 "01");
    assert_folds("stra\u00DFe \u00E9", all, "STRASSE\u00C9");
}

static void folding_respects_its_bounds(void **state) {
    (void)state;
    char buffer[4] = {'x', 'x', 'x', 'x'};
    size_t size = 9;
    assert_ok(text_fold(TEXT("a - b - c"), (struct text_folding){.drop_separators = true}, buffer, 3, &size));
    assert_int_equal(size, 3);
    assert_int_equal(buffer[3], 'x');
    assert_result(text_fold(TEXT("abcd"), (struct text_folding){0}, buffer, 3, &size), RESULT_FULL);
    assert_result(text_fold(TEXT("ab\u0633"), (struct text_folding){0}, buffer, 3, &size), RESULT_FULL);
    assert_int_equal(buffer[3], 'x');
    assert_result(text_fold(TEXT("a\xFF"), (struct text_folding){0}, buffer, 3, &size), RESULT_INVALID);
    assert_int_equal(size, 3);
}

/* Nothing is added to NULL, not even zero: clang's sanitizer sees it. */
static void an_empty_text_may_have_no_data(void **state) {
    (void)state;
    const struct text empty = {NULL, 0};
    char buffer[4];
    size_t count = 1, offset = 0;
    uint32_t character;
    uint64_t value;
    assert_true(text_starts_with(TEXT("a"), empty) && text_starts_with(empty, empty));
    assert_true(text_equal_ignoring_case(empty, TEXT("")));
    assert_true(text_is_printable_ascii(empty));
    assert_ok(text_count_characters(empty, &count));
    assert_int_equal(count, 0);
    assert_result(text_next_character(empty, &offset, &character), RESULT_INVALID);
    assert_int_equal(text_cut(empty, 8).size, 0);
    assert_result(text_parse_unsigned(empty, 9, &value), RESULT_INVALID);
    assert_ok(text_fold(empty, (struct text_folding){.upper = true}, buffer, sizeof buffer, &count));
    assert_int_equal(count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(an_empty_text_may_have_no_data),
        cmocka_unit_test(printable_ascii),
        cmocka_unit_test(counting_characters),
        cmocka_unit_test(bad_utf8_is_refused),
        cmocka_unit_test(the_offset_stays_at_a_bad_character),
        cmocka_unit_test(cutting_keeps_characters_whole),
        cmocka_unit_test(parsing_numbers),
        cmocka_unit_test(folding_digits_and_separators),
        cmocka_unit_test(folding_respects_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
