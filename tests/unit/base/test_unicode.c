#include "base/unicode.h"

#include "assertions.h"

static void assert_normal(const char *typed, enum unicode_form form, const char *expected) {
    char buffer[256], again[256];
    size_t size = 0, again_size = 0;
    if (!result_is_ok(unicode_normalize(text_of(typed), form, buffer, sizeof buffer, &size))) fail_msg("refused: %s", typed);
    assert_text(((struct text){buffer, size}), expected);
    assert_ok(unicode_normalize((struct text){buffer, size}, form, again, sizeof again, &again_size));
    assert_text(((struct text){again, again_size}), expected);
    assert_ok(unicode_normalize(text_of(typed), form, buffer, strlen(expected), &size)); /* exactly enough room */
    if (size > 0) assert_result(unicode_normalize(text_of(typed), form, buffer, strlen(expected) - 1, &size), RESULT_FULL);
}

static void what_looks_the_same_is_the_same(void **state) {
    (void)state;
    assert_normal("", UNICODE_PLAIN, "");
    assert_normal("plain ASCII_1", UNICODE_PLAIN, "plain ASCII_1");
    assert_normal("\uFF21\uFF42\uFF43\uFF11", UNICODE_PLAIN, "Abc1"); /* full width */
    assert_normal("e\u0301", UNICODE_PLAIN, "\u00E9");                /* a letter and its mark */
    assert_normal("\uFB01", UNICODE_PLAIN, "fi");                     /* a ligature */
    assert_normal("\u212A", UNICODE_PLAIN, "K");                      /* KELVIN SIGN */
    assert_normal("a\u00A0b\u3000c", UNICODE_PLAIN, "a b c");         /* blanks */
    assert_normal("\uFE8D\uFEDF", UNICODE_PLAIN, "\u0627\u0644");     /* Arabic presentation forms */
    assert_normal("q\u0307\u0323", UNICODE_PLAIN, "q\u0323\u0307");   /* marks in their order */
    assert_normal("\u06CC\u06A9", UNICODE_PLAIN, "\u06CC\u06A9");     /* Persian letters stay */
}

static void what_shows_nothing_is_dropped(void **state) {
    (void)state;
    assert_normal("a\u200Bb\u200Cc\u200Dd\u2060e\uFE0Ff\u00ADg\uFEFF", UNICODE_PLAIN, "abcdefg");
    assert_normal("a\U000E0041\u034F\u3164\u115F\u180E\u202Eb", UNICODE_PLAIN, "ab");
    assert_normal("e\u200B\u0301", UNICODE_PLAIN, "\u00E9"); /* and nothing stands between a letter and its mark any more */
}

static void digits_of_any_script_are_digits(void **state) {
    (void)state;
    static const uint32_t zeros[] = {0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0E50, 0x1040, 0x17E0, 0x1810, 0xA620, 0xABF0, 0xFF10};
    char typed[64];
    for (size_t i = 0; i < ARRAY_COUNT(zeros); i++) {
        size_t size = 0;
        for (uint32_t digit = 0; digit < 10; digit++) {
            uint32_t character = zeros[i] + digit;
            if (character >= 0x800) typed[size++] = (char)(0xE0 | character >> 12);
            typed[size++] = (char)(character >= 0x800 ? 0x80 | (character >> 6 & 0x3F) : 0xC0 | character >> 6);
            typed[size++] = (char)(0x80 | (character & 0x3F));
        }
        typed[size] = '\0';
        assert_normal(typed, UNICODE_PLAIN, "0123456789");
    }
    assert_normal("\U0001D7CE\U0001D7CF\U0001D7D7\U0001D7D8\U0001D7E1\U0001D7FF", UNICODE_PLAIN, "019099"); /* mathematical ones */
    assert_normal("\U000104A0\U000104A9\U00011066\U0001E950", UNICODE_PLAIN, "0900");
    assert_normal("\u2460\u00B2", UNICODE_PLAIN, "12"); /* in a circle, as a power */
    assert_normal("\u4E00", UNICODE_PLAIN, "\u4E00");   /* a word for one is no digit */
}

static void capitals(void **state) {
    (void)state;
    assert_normal("abcXYZ", UNICODE_PLAIN_CAPITALS, "ABCXYZ");
    assert_normal("stra\u00DFe", UNICODE_PLAIN_CAPITALS, "STRASSE");
    assert_normal("\u00E9\u00C9", UNICODE_PLAIN_CAPITALS, "\u00C9\u00C9");
    assert_normal("\u03C3\u03C2\u03A3", UNICODE_PLAIN_CAPITALS, "\u03A3\u03A3\u03A3");
    assert_normal("\u0131\u017F", UNICODE_PLAIN_CAPITALS, "IS");
    assert_normal("\u0639\u06CC\u062F\u06F1\u06F4\u06F0\u06F4", UNICODE_PLAIN_CAPITALS, "\u0639\u06CC\u062F1404");
}

static void what_can_not_be_normalised_is_refused(void **state) {
    (void)state;
    char buffer[4096], typed[UNICODE_CHARACTERS_MAX * 2 + 3];
    size_t size = 7;
    static const char *const bad[] = {"\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_result(unicode_normalize(text_of(bad[i]), UNICODE_PLAIN, buffer, sizeof buffer, &size), RESULT_INVALID);
    for (size_t i = 0; i + 1 < sizeof typed; i += 2) memcpy(&typed[i], "\u0633", 2);
    struct text most = {typed, UNICODE_CHARACTERS_MAX * 2}, too_many = {typed, UNICODE_CHARACTERS_MAX * 2 + 2};
    assert_ok(unicode_normalize(most, UNICODE_PLAIN, buffer, sizeof buffer, &size));
    assert_result(unicode_normalize(too_many, UNICODE_PLAIN, buffer, sizeof buffer, &size), RESULT_FULL);
    assert_int_equal(size, most.size);
}

static void passwords_are_opaque(void **state) {
    (void)state;
    assert_normal("correct horse", UNICODE_OPAQUE, "correct horse");
    assert_normal("Cafe\u0301", UNICODE_OPAQUE, "Caf\u00E9");
    assert_normal("a\u00A0b\u3000c", UNICODE_OPAQUE, "a b c");                 /* RFC 8265, section 4.2.2: other blanks */
    assert_normal("\uFF21\u06F1\uFB01", UNICODE_OPAQUE, "\uFF21\u06F1\uFB01"); /* width, digits and ligatures are as they are typed */
    assert_normal("\u03C3\u03C2", UNICODE_OPAQUE, "\u03C3\u03C2");
    assert_normal("\u0645\u06CC\u200C\u0634\u0648\u062F", UNICODE_OPAQUE, "\u0645\u06CC\u200C\u0634\u0648\u062F");
    static const char *const forbidden[] = {"",        "a\tb",    "a\x7F",    "a\xC2\x85", "a\u200Bb", "a\u200Cb",
                                            "\u200D",  "a\uFE0F", "a\u00AD",  "a\u2028b",  "a\uFFFEb", "a\u0378b",
                                            "a\uE000", "\u1113",  "a\u202Eb", "\uFEFFab",  "a\xFF",    "\u0633\xC3"};
    char buffer[64];
    size_t size;
    for (size_t i = 0; i < ARRAY_COUNT(forbidden); i++) {
        if (unicode_normalize(text_of(forbidden[i]), UNICODE_OPAQUE, buffer, sizeof buffer, &size).code != RESULT_INVALID)
            fail_msg("accepted: number %zu", i);
    }
}

static void a_name_can_be_seen(void **state) {
    (void)state;
    static const char *const good[] = {" Nowruz 1404 ", "\u0646", "\u2728", "!", "\u0301a", "\u4E2D\u6587", "\U0001F381"};
    static const char *const bad[] = {"",        "   ",    "a\nb",   "a\x7F",  "a\xC2\x85", "\u200B", "\uFE0F", "\u3000",
                                      "\u2028a", "\u00AD", "\u2800", "\u3164", "\uE000",    "\u0378", "a\xFF"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) assert_true(unicode_is_name(text_of(good[i])));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (unicode_is_name(text_of(bad[i]))) fail_msg("accepted: number %zu", i);
    }
    assert_false(unicode_is_name((struct text){NULL, 0}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_looks_the_same_is_the_same),
        cmocka_unit_test(what_shows_nothing_is_dropped),
        cmocka_unit_test(digits_of_any_script_are_digits),
        cmocka_unit_test(capitals),
        cmocka_unit_test(what_can_not_be_normalised_is_refused),
        cmocka_unit_test(passwords_are_opaque),
        cmocka_unit_test(a_name_can_be_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
