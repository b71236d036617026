#include "base/csv.h"

#include "assertions.h"
#include "base/check.h"

static struct arena arena;
static struct buffer buffer;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena, 65536);
    buffer_init(&buffer, &arena, 64);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static void test_a_document(void **state) {
    (void)state;
    struct csv_writer writer = {.buffer = &buffer};
    csv_begin(&writer, "number,id,text,time");
    csv_put_integer(&writer, -5);
    csv_put_id(&writer, (struct id){.bytes = {1, 0xAB}});
    csv_put_text(&writer, TEXT("a \"quoted\", thing"));
    csv_put_time(&writer, INT64_C(1700000000000001));
    csv_end_line(&writer);
    csv_put_nothing(&writer);
    csv_put_text(&writer, TEXT("+98912"));
    csv_put_text(&writer, TEXT(""));
    csv_put_text(&writer, TEXT("line\nfeed"));
    csv_end_line(&writer);
    assert_text(buffer_text(&buffer), "number,id,text,time\r\n"
                                      "-5,01ab0000-0000-0000-0000-000000000000,\"a \"\"quoted\"\", thing\",2023-11-14T22:13:20.000001Z\r\n"
                                      ",+98912,,\"line\nfeed\"\r\n");
}

/* Each text as a spreadsheet is given it. */
static void test_what_a_spreadsheet_would_take_for_something_else_is_text(void **state) {
    (void)state;
    static const struct {
        const char *text, *cell;
    } cases[] = {{"+989121234567", "'+989121234567"},
                 {"09121234567", "'09121234567"},
                 {"1E5", "'1E5"},
                 {"12/11", "'12/11"},
                 {"1.234,5", "\"'1.234,5\""},
                 {"=cmd|'/C calc'!A1", "'=cmd|'/C calc'!A1"},
                 {"=1,2", "\"'=1,2\""},
                 {"-2+3", "'-2+3"},
                 {"@SUM(A1)", "'@SUM(A1)"},
                 {"\tx", "'\tx"},
                 {"\uFF1D1", "'\uFF1D1"},
                 {"\uFF0B1", "'\uFF0B1"},
                 {"\uFF0D1", "'\uFF0D1"},
                 {"\uFF201", "'\uFF201"},
                 {"\uFF211", "\uFF211"},
                 {"credited", "credited"},
                 {"1 of 2", "1 of 2"},
                 {"a=b", "a=b"},
                 {"", ""}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct csv_writer plain = {.buffer = &buffer}, people = {.buffer = &buffer, .is_for_spreadsheet = true};
        buffer.size = 0;
        csv_put_text(&people, text_of(cases[i].text));
        assert_text(buffer_text(&buffer), cases[i].cell);
        buffer.size = 0;
        csv_put_text(&plain, text_of(cases[i].text));
        bool is_quoted = strchr(cases[i].text, ',') != NULL;
        assert_int_equal(buffer.size, strlen(cases[i].text) + (is_quoted ? 2 : 0));
    }
}

static void test_a_spreadsheet_is_told_the_encoding_and_gets_numbers(void **state) {
    (void)state;
    struct csv_writer writer = {.buffer = &buffer, .is_for_spreadsheet = true};
    csv_begin(&writer, "n,t");
    csv_put_integer(&writer, -12);
    csv_put_time(&writer, 0);
    csv_end_line(&writer);
    assert_text(buffer_text(&buffer), "\xEF\xBB\xBFn,t\r\n-12,1970-01-01T00:00:00.000000Z\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_document, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_spreadsheet_would_take_for_something_else_is_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_spreadsheet_is_told_the_encoding_and_gets_numbers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
