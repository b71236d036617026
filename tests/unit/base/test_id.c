#include "assertions.h"

#include "base/crypto.h"
#include "base/id.h"

static void fill_with_ones(void *context, void *buffer, uint64_t size) {
    (void)context;
    memset(buffer, 0xFF, (size_t)size);
}

static void the_layout_is_version_7(void **state) {
    (void)state;
    struct id_source source;
    id_source_init(&source, fill_with_ones, NULL);
    /* 2022-02-22T19:22:22.000Z, the example of RFC 9562, appendix A.6 */
    struct id id = id_make(&source, INT64_C(1645557742000999));
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    assert_text(((struct text){text, sizeof text}), "017f22e2-79b0-7000-bfff-ffffffffffff");
    id_format(id_make(&source, INT64_C(1645557742000999)), text);
    assert_text(((struct text){text, sizeof text}), "017f22e2-79b0-7001-bfff-ffffffffffff");
}

static void the_time_comes_out_again(void **state) {
    (void)state;
    struct id_source source;
    id_source_init(&source, fill_with_ones, NULL);
    struct id id = id_make(&source, INT64_C(1645557742000999));
    assert_int_equal(id_time_us(id), INT64_C(1645557742000000));
    id.bytes[6] = 0x40; /* version 4 has none */
    assert_int_equal(id_time_us(id), 0);
}

static void no_randomness_is_used_twice(void **state) {
    (void)state;
    enum { IDS = 100 };
    struct id_source source;
    struct id ids[IDS];
    id_source_init_system(&source);
    for (size_t i = 0; i < IDS; i++) {
        ids[i] = id_make(&source, INT64_C(1000000000));
        for (size_t earlier = 0; earlier < i; earlier++) assert_memory_not_equal(ids[earlier].bytes + 8, ids[i].bytes + 8, 8);
    }
}

static void order_survives_a_clock_that_stands_or_goes_back(void **state) {
    (void)state;
    struct id_source source;
    id_source_init_system(&source);
    struct id last = id_make(&source, INT64_C(1000000000));
    for (int i = 0; i < 20000; i++) {
        struct id id = id_make(&source, INT64_C(1000000000) - i);
        assert_true(id_compare(last, id) < 0);
        last = id;
    }
    /* 20001 ids fill four milliseconds of 4096 and begin a fifth. */
    assert_int_equal(source.last_ms, 1000004);
    struct id later = id_make(&source, INT64_C(1000005000));
    assert_true(id_compare(last, later) < 0);
    assert_int_equal(source.counter, 0);
}

static void text_and_back(void **state) {
    (void)state;
    struct id id;
    assert_ok(id_parse(TEXT("01234567-89AB-CDEF-fedc-ba9876543210"), &id));
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    assert_text(((struct text){text, sizeof text}), "01234567-89ab-cdef-fedc-ba9876543210");
    struct id again;
    assert_ok(id_parse((struct text){text, sizeof text}, &again));
    assert_true(id_equal(id, again));
    assert_false(id_is_zero(id));
    assert_ok(id_parse(TEXT("00000000-0000-0000-0000-000000000000"), &id));
    assert_true(id_is_zero(id));
    assert_false(id_equal(id, again));
    assert_true(id_compare(id, again) < 0 && id_compare(again, id) > 0 && id_compare(id, id) == 0);
}

static void other_shapes_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "0123456789abcdeffedcba9876543210",
        "01234567-89ab-cdef-fedc-ba987654321",
        "01234567-89ab-cdef-fedc-ba98765432100",
        "0123456-789ab-cdef-fedc-ba9876543210",
        "01234567-89ab-cdef-fedc-ba987654321g",
        "01234567-89ab-cdef-fedc-ba987654321 ",
        "{1234567-89ab-cdef-fedc-ba987654321}",
        "01234567_89ab_cdef_fedc_ba9876543210",
    };
    struct id id = {{9}};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) assert_result(id_parse(text_of(bad[i]), &id), RESULT_INVALID);
    assert_int_equal(id.bytes[0], 9);
}

static int start(void **state) {
    (void)state;
    crypto_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_version_7),
        cmocka_unit_test(the_time_comes_out_again),
        cmocka_unit_test(no_randomness_is_used_twice),
        cmocka_unit_test(order_survives_a_clock_that_stands_or_goes_back),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(other_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
