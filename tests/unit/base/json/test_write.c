#include "../assertions.h"

#include "base/json/json.h"

static struct arena arena;
static struct buffer buffer;
static struct json_writer writer;

static int begin(void **state) {
    (void)state;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    buffer_init(&buffer, &arena, 16);
    writer = (struct json_writer){.buffer = &buffer};
    return 0;
}

static int end(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static void commas_stand_where_they_must(void **state) {
    (void)state;
    json_begin_object(&writer);
    json_key(&writer, "empty");
    json_begin_object(&writer);
    json_end_object(&writer);
    json_key(&writer, "list");
    json_begin_array(&writer);
    json_put_integer(&writer, -1);
    json_begin_array(&writer);
    json_end_array(&writer);
    json_begin_object(&writer);
    json_integer_member(&writer, "a", 1);
    json_end_object(&writer);
    json_put_null(&writer);
    json_end_array(&writer);
    json_boolean_member(&writer, "yes", true);
    json_boolean_member(&writer, "no", false);
    json_null_member(&writer, "none");
    json_key(&writer, "raw");
    json_put_raw(&writer, TEXT("{\"x\":1}"));
    json_text_member(&writer, "t", TEXT(""));
    json_end_object(&writer);
    assert_text(buffer_text(&buffer),
                "{\"empty\":{},\"list\":[-1,[],{\"a\":1},null],\"yes\":true,\"no\":false,\"none\":null,\"raw\":{\"x\":1},\"t\":\"\"}");
}

static void our_own_types(void **state) {
    (void)state;
    struct id id;
    assert_ok(id_parse(TEXT("017F22E2-79B0-7000-BFFF-FFFFFFFFFFFF"), &id));
    json_begin_object(&writer);
    json_id_member(&writer, "id", id);
    json_time_member(&writer, "at", 1);
    json_key(&writer, "credit");
    json_put_money(&writer, (struct money){1000000, CURRENCY_IRT});
    json_end_object(&writer);
    assert_text(buffer_text(&buffer), "{\"id\":\"017f22e2-79b0-7000-bfff-ffffffffffff\",\"at\":\"1970-01-01T00:00:00.000001Z\","
                                      "\"credit\":{\"amount\":1000000,\"currency\":\"IRT\"}}");
}

static void decimals_without_floating_point(void **state) {
    (void)state;
    json_begin_array(&writer);
    json_put_decimal(&writer, 12345, 1000);
    json_put_decimal(&writer, 5, 1000);
    json_put_decimal(&writer, -500, 1000);
    json_put_decimal(&writer, -1500, 1000);
    json_put_decimal(&writer, 7, 1);
    json_put_decimal(&writer, INT64_MIN, 10);
    json_end_array(&writer);
    assert_text(buffer_text(&buffer), "[12.345,0.005,-0.500,-1.500,7,-922337203685477580.8]");
}

static void texts_are_escaped(void **state) {
    (void)state;
    json_put_text(&writer, TEXT("\"\\/\b\f\n\r\t\0\x1F\x7F\u0633\U0001F381"));
    assert_text(buffer_text(&buffer), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7F\u0633\U0001F381\"");
}

static void bad_utf8_becomes_a_replacement_character(void **state) {
    (void)state;
    json_put_text(&writer, TEXT("a\xFFz\xC3"));
    assert_text(buffer_text(&buffer), "\"a\uFFFDz\uFFFD\"");
}

static void an_empty_text_may_have_no_data(void **state) {
    (void)state;
    json_put_text(&writer, (struct text){NULL, 0});
    assert_text(buffer_text(&buffer), "\"\"");
}

/* Whatever bytes there are: what is written can be read, and valid text comes back as it was. */
static void what_is_written_can_be_read(void **state) {
    (void)state;
    char all[128];
    for (size_t i = 0; i < sizeof all; i++) all[i] = (char)(i == 0 ? 1 : i);
    json_begin_object(&writer);
    json_text_member(&writer, "t", (struct text){all, sizeof all});
    json_end_object(&writer);
    struct faults faults;
    struct json_document *document;
    faults_init(&faults, &arena);
    assert_ok(json_open(&arena, buffer_text(&buffer), &faults, &document));
    struct text back = json_get_text(json_root(document), "t");
    assert_int_equal(back.size, sizeof all);
    assert_memory_equal(back.data, all, sizeof all);
    json_close(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commas_stand_where_they_must, begin, end),
        cmocka_unit_test_setup_teardown(our_own_types, begin, end),
        cmocka_unit_test_setup_teardown(decimals_without_floating_point, begin, end),
        cmocka_unit_test_setup_teardown(texts_are_escaped, begin, end),
        cmocka_unit_test_setup_teardown(bad_utf8_becomes_a_replacement_character, begin, end),
        cmocka_unit_test_setup_teardown(an_empty_text_may_have_no_data, begin, end),
        cmocka_unit_test_setup_teardown(what_is_written_can_be_read, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
