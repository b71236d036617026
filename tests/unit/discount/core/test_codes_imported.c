/* Codes that somebody else has made: what is kept of one, and what its row is checked by; and what a code gets back when its redemption is reversed. */
#include "discount/core/codes.h"

#include "set.h"

static void expect_last(const char *code, const char *last) {
    struct code typed = make_code(code);
    struct imported_code imported = {.last_size = 0};
    imported_code_set_last(&imported, &typed);
    if (imported.last_size != strlen(last) || memcmp(imported.last, last, imported.last_size) != 0)
        fail_msg("of %s: %.*s, not %s", code, (int)imported.last_size, imported.last, last);
}

static void test_the_last_four_characters_are_kept(void **state) {
    (void)state;
    expect_last("ABC", "ABC");
    expect_last("ABCD", "ABCD");
    expect_last("ABCDE", "BCDE");
    expect_last("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKL", "IJKL"); /* the longest */
    expect_last("هدیه", "هدیه");                                                             /* two bytes each */
    expect_last("Aهدیه", "هدیه");
    expect_last("نوروزهدیه", "هدیه");
    expect_last("დარბაზი", "ᲑᲐᲖᲘ"); /* three, and capitals */
}

/* Made by another program (the first 7 bytes of BLAKE2b-256, behind a 1): another check would refuse every row that there is. */
static void test_the_check_is_what_databases_hold(void **state) {
    (void)state;
    struct imported_code imported = {.last_size = 8, .last = "ابجد"};
    for (size_t i = 0; i < sizeof imported.hash.bytes; i++) imported.hash.bytes[i] = (uint8_t)i;
    assert_int_equal(imported_code_check(0x01020304, INT64_C(0x0102030405060708), &imported), INT64_C(0x017CEE7478D217DD));
}

static struct code_batch *make(struct code_set *set, bool is_imported, uint64_t random, int64_t count) {
    struct code_batch_create create = {.id = make_id(random, 0), .campaign_number = 1, .count = count, .max_uses = 2};
    for (size_t i = sizeof create.id.bytes; i-- > 8; random >>= 8) create.id.bytes[i] = (uint8_t)random;
    if (!is_imported) assert_null(pattern_parse(TEXT("GIFT-####-####-####"), &create.pattern));
    struct code_batch *batch;
    assert_int_equal(code_batch_create(set, &create, NOW, &batch), CODE_DONE);
    return batch;
}

static void test_foreign_codes_need_no_pattern(void **state) {
    (void)state;
    struct code_set set;
    assert_true(result_is_ok(code_set_init(&set, 3, 4)));
    struct code_batch *batch = make(&set, true, UINT64_C(1) << 60, 3);
    assert_true(code_batch_is_imported(batch) && code_batch_fault(batch) == NULL);
    assert_int_equal(batch->first, INT64_C(1) << 60); /* as many numbers as a row takes, whatever no pattern could write */
    struct code_batch bad = *batch;
    bad.pattern.symbol_count = 1;
    assert_string_equal(code_batch_fault(&bad), "it has no pattern");
    bad = *make(&set, false, 7, 3);
    assert_null(code_batch_fault(&bad));
    bad.pattern.symbol_count = 0;
    assert_string_equal(code_batch_fault(&bad), "it has no pattern");
    code_set_free(&set);
}

static void test_a_use_is_given_back(void **state) {
    (void)state;
    struct code_set set;
    assert_true(result_is_ok(code_set_init(&set, 3, 4)));
    struct code_batch *batch = make(&set, true, 7, 3);
    struct code_entry *entry = code_set_name(&set, 1, 2);
    code_use(&set, entry);
    code_use(&set, entry);
    assert_true(code_is_dead(&set, entry, NOW));
    for (int64_t left = 1; left >= 0; left--) {
        batch->is_changed = entry->is_given_back = false;
        code_give_back(&set, entry);
        assert_true(entry->is_given_back && batch->is_changed && !code_is_dead(&set, entry, NOW));
        assert_true(entry->uses == left && batch->uses == left && batch->used == left);
    }
    code_set_free(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_four_characters_are_kept),
        cmocka_unit_test(test_the_check_is_what_databases_hold),
        cmocka_unit_test(test_foreign_codes_need_no_pattern),
        cmocka_unit_test(test_a_use_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
