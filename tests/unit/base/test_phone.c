#include "assertions.h"

#include "base/phone.h"

static void assert_phone(const char *typed, const char *region, const char *expected) {
    struct phone phone = {0};
    if (!result_is_ok(phone_parse(text_of(typed), region, &phone))) fail_msg("refused: %s", typed);
    assert_text(phone_text(&phone), expected);
}

static void every_way_of_typing_is_one_number(void **state) {
    (void)state;
    static const char *const typed[] = {
        "09121234567",
        "0912 123 4567",
        "0912-123-45-67",
        "(0912) 123.4567",
        "+989121234567",
        "+98 912 123 4567",
        "00989121234567",
        "0098 912 123 4567",
        "\u06F0\u06F9\u06F1\u06F2\u06F1\u06F2\u06F3\u06F4\u06F5\u06F6\u06F7",
        "\u0660\u0669\u0661\u0662\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
        "\u202A+98 912 123 4567\u202C",
        "+\u06F9\u06F8 \u06F9\u06F1\u06F2\u200C\u06F1\u06F2\u06F3 4567",
        "9121234567",
        "989121234567",
        "98 0912 123 4567",
        "+98 (0) 912 123 4567",
        "0098 0912 123 4567",
        "0098 912 123 4567",
        "\uFF10\uFF19\uFF11\uFF12\uFF11\uFF12\uFF13\uFF14\uFF15\uFF16\uFF17",
        "\uFF0B989121234567",
        "0912\uFE0F1234567\u200B",
        "\u0966\u096F\u0967\u0968\u0967\u0968\u0969\u096A\u096B\u096C\u096D",
    };
    for (size_t i = 0; i < ARRAY_COUNT(typed); i++) assert_phone(typed[i], "IR", "+989121234567");
}

static void other_countries(void **state) {
    (void)state;
    assert_phone("+49 30 901820", "IR", "+4930901820");
    assert_phone("0049 30 901820", NULL, "+4930901820");
    assert_phone("030 901820", "DE", "+4930901820");
    assert_phone("1 212 555 0100", "US", "+12125550100");
    assert_phone("9900 1234", "KW", "+96599001234");
    assert_phone("+49 (0)170 1234567", "IR", "+491701234567");
    assert_phone("+49170 1234567", "IR", "+491701234567");
    assert_phone("0170 1234567", "DE", "+491701234567");
    assert_phone("+39 06 1234 5678", "IR", "+390612345678"); /* its zero is part of the number */
    assert_phone("+7 (8) 912 123-45-67", "IR", "+79121234567");
}

static void what_is_no_number_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "+",
        "0",
        "00",
        "91212345678",
        "0912123456",
        "091212345678",
        "+98912123456",
        "+9891212345678",
        "02188776655",
        "+982188776655",
        "+98009121234567",
        "+99900000000",
        "+12345678",
        "+123456789012345",
        "+491",
        "+1234567",
        "+1234567890123456",
        "++989121234567",
        "+00989121234567",
        "0912123456a",
        "09+121234567",
        "+0123456789",
        "phone",
        "\xFF",
        "0912\xC3",
        "+98912123456\u0633",
        "000989121234567",
        "0912_1234567",
    };
    struct phone phone = {.size = 1, .e164 = "+"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (result_is_ok(phone_parse(text_of(bad[i]), "IR", &phone))) fail_msg("accepted: %s", bad[i]);
    }
    assert_result(phone_parse(TEXT("09121234567"), "XX", &phone), RESULT_INVALID);
    assert_result(phone_parse(TEXT("09121234567"), NULL, &phone), RESULT_INVALID);
    assert_result(phone_parse(TEXT("0912123456\0007"), "IR", &phone), RESULT_INVALID);
    assert_result(phone_parse(TEXT("12345678901234"), "KW", &phone), RESULT_INVALID);
    char endless[10000];
    memset(endless, '9', sizeof endless);
    assert_result(phone_parse((struct text){endless, sizeof endless}, "IR", &phone), RESULT_INVALID);
    assert_int_equal(phone.size, 1);
}

static void equality_and_regions(void **state) {
    (void)state;
    struct phone a, b, c;
    assert_ok(phone_parse(TEXT("09121234567"), "IR", &a));
    assert_ok(phone_parse(TEXT("+989121234567"), "DE", &b));
    assert_ok(phone_parse(TEXT("+989121234568"), "IR", &c));
    assert_true(phone_equal(&a, &b));
    assert_false(phone_equal(&a, &c));
    assert_true(phone_region_is_known("IR"));
    assert_false(phone_region_is_known("ir"));
    assert_false(phone_region_is_known(""));
    assert_false(phone_region_is_known(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_typing_is_one_number),
        cmocka_unit_test(other_countries),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(equality_and_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
