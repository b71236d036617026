#include "fixture.h"
#include "http/media.h"

static int quality(const char *accept, const char *type) { return media_quality(text_of(accept), text_of(type)); }

static void test_the_most_specific_range_decides(void **state) {
    (void)state;
    assert_int_equal(quality("", "text/csv"), 1000);
    assert_int_equal(quality("text/csv", "text/csv"), 1000);
    assert_int_equal(quality("TEXT/CSV", "text/csv"), 1000);
    assert_int_equal(quality("text/csv", "application/json"), 0);
    assert_int_equal(quality("*/*", "application/json"), 1000);
    assert_int_equal(quality("application/*;q=0.3", "application/json"), 300);
    assert_int_equal(quality("*/*;q=0.1, application/*;q=0.2, application/json;q=0.3", "application/json"), 300);
    assert_int_equal(quality("application/json;q=0.3, application/*;q=0.2, */*", "application/json"), 300);
    assert_int_equal(quality("application/json;q=0, */*", "application/json"), 0);
    assert_int_equal(quality("appl/*", "application/json"), 0);
}

static void test_ill_formed_ranges_are_passed_over(void **state) {
    (void)state;
    assert_int_equal(quality("application/json;q=2", "application/json"), 0);
    assert_int_equal(quality("application/json;q=1.001", "application/json"), 0);
    assert_int_equal(quality("application/json;q=0.1234", "application/json"), 0);
    assert_int_equal(quality("application/json;q=, */*;q=0.5", "application/json"), 500);
    assert_int_equal(quality(",,;,*/*", "application/json"), 1000);
    assert_int_equal(quality("x/y;a=\"application/json, */*\"", "application/json"), 0);
    assert_int_equal(quality("x/y;a=\"\\", "application/json"), 0);
    assert_int_equal(quality("text/csv ; charset=utf-8 ; q=0.5", "text/csv"), 500);
}

static void test_json_in_utf8_only(void **state) {
    (void)state;
    assert_true(media_is_json(TEXT("application/json")));
    assert_true(media_is_json(TEXT("Application/JSON ; Charset=\"UTF-8\"")));
    assert_true(media_is_json(TEXT("application/json; charset=utf-8; profile=x")));
    assert_false(media_is_json(TEXT("application/json; charset=latin1")));
    assert_false(media_is_json(TEXT("application/jsonp")));
    assert_false(media_is_json(TEXT("text/plain")));
    assert_false(media_is_json(TEXT("")));
    assert_false(media_is_json((struct text){NULL, 0}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_most_specific_range_decides),
        cmocka_unit_test(test_ill_formed_ranges_are_passed_over),
        cmocka_unit_test(test_json_in_utf8_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
