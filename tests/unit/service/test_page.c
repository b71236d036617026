#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int begin(void **state) {
    (void)state;
    arena_init(&arena, 64u * 1024);
    return 0;
}

static int end(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static size_t finish(struct page_query *query, struct text cursor) {
    struct faults faults;
    faults_init(&faults, &arena);
    page_begin(query, 'a');
    query->cursor_text = cursor;
    page_finish(query, &faults);
    return faults.count;
}

static void test_first_page_has_no_cursor(void **state) {
    (void)state;
    struct page_query query;
    assert_int_equal(finish(&query, (struct text){0}), 0);
    assert_false(query.page.has_cursor);
    assert_int_equal(query.page.limit, DEFAULT_PAGE_ITEMS);
}

static void test_cursor_comes_back_as_it_was(void **state) {
    (void)state;
    const int64_t words[][PAGE_CURSOR_WORDS] = {{0, 0}, {1, -1}, {INT64_MAX, INT64_MIN}, {0x0102030405060708, 42}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct page_query query;
        assert_int_equal(finish(&query, page_cursor(&arena, 'a', words[i])), 0);
        assert_true(query.page.has_cursor);
        assert_memory_equal(query.page.cursor, words[i], sizeof(words[i]));
    }
}

static void test_changed_cursor_is_refused(void **state) {
    (void)state;
    const int64_t words[PAGE_CURSOR_WORDS] = {7, 9};
    struct text good = page_cursor(&arena, 'a', words);
    char longer[128];
    memcpy(longer, good.data, good.size);
    memcpy(longer + good.size, "AAAA", 4);
    struct text other_list = arena_copy(&arena, good);
    ((char *)(uintptr_t)other_list.data)[0] = 'Q';
    const struct text bad[] = {TEXT("x"),  TEXT("!!!!"),           TEXT("AQ"), {good.data, good.size - 1}, {good.data, good.size - 4},
                               other_list, {longer, good.size + 4}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct page_query query;
        assert_int_equal(finish(&query, bad[i]), 1);
        assert_false(query.page.has_cursor);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_page_has_no_cursor, begin, end),
        cmocka_unit_test_setup_teardown(test_cursor_comes_back_as_it_was, begin, end),
        cmocka_unit_test_setup_teardown(test_changed_cursor_is_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
