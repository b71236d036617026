/* Lists: each entry once, counted by what it is, and a check that any change of a row breaks. */
#include "discount/core/eligible.h"

#include "set.h"

static struct eligible user(uint64_t number) { return (struct eligible){.user_id = make_id(2, number)}; }
static struct eligible phone(unsigned number) { return (struct eligible){.phone = make_phone(number)}; }

static void test_each_stands_there_once(void **state) {
    (void)state;
    struct eligible list[] = {phone(2), user(1), phone(1), user(2), user(1), phone(2), phone(2)};
    assert_int_equal(eligible_make_unique(list, 7), 4);
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < i; k++) assert_memory_not_equal(&list[i], &list[k], sizeof list[i]);
    }
    struct eligible_counts counts = eligible_count_new(list, 4);
    assert_int_equal(counts.users, 2);
    assert_int_equal(counts.phones, 2);
    assert_int_equal(eligible_make_unique(list, 0), 0);
    assert_int_equal(eligible_make_unique(list, 1), 1);
}

static void test_a_longer_number_is_another_one(void **state) {
    (void)state;
    struct eligible list[] = {phone(1), phone(1)};
    list[1].phone.size--;
    assert_int_equal(eligible_make_unique(list, 2), 2);
}

static void test_only_new_ones_count(void **state) {
    (void)state;
    struct eligible list[] = {user(1), user(2), phone(1), phone(2), phone(3)};
    list[0].is_listed = list[2].is_listed = list[3].is_listed = true;
    struct eligible_counts counts = eligible_count_new(list, 5);
    assert_int_equal(counts.users, 1);
    assert_int_equal(counts.phones, 1);
}

/* Known: a row that was written by an earlier version must still fit. */
static void test_the_check_is_of_everything(void **state) {
    (void)state;
    const struct eligible one = phone(1), two = user(1);
    int64_t check = eligible_check(1, &one);
    assert_true(check > 0 && eligible_check(1, &two) > 0);
    assert_int_equal(eligible_check(1, &one), check);
    for (uint32_t bit = 0; bit < 32; bit++) assert_int_not_equal(eligible_check(1u ^ 1u << bit, &one), check);
    for (size_t i = 0; i < one.phone.size; i++) {
        struct eligible other = one;
        other.phone.e164[i] ^= 1;
        assert_int_not_equal(eligible_check(1, &other), check);
    }
    for (size_t i = 0; i < sizeof two.user_id.bytes; i++) {
        struct eligible other = two;
        other.user_id.bytes[i] ^= 0x80;
        assert_int_not_equal(eligible_check(1, &other), eligible_check(1, &two));
    }
}

/* Made by another program (the first 7 bytes of BLAKE2b-256, behind a 1): another check would refuse every row that there is. */
static void test_the_check_is_what_databases_hold(void **state) {
    (void)state;
    const struct eligible by_phone = {.phone = make_phone(1)}, by_user = {.user_id = make_id(2, 3)};
    assert_int_equal(eligible_check(0x01020304, &by_phone), INT64_C(0x01224A707DDD3D33));
    assert_int_equal(eligible_check(0x01020304, &by_user), INT64_C(0x01A935FF43213FA1));
}

static void test_it_is_one_or_the_other(void **state) {
    (void)state;
    struct eligible both = phone(1), neither = {.is_listed = false}, one = user(1), other = phone(1);
    both.user_id = make_id(2, 1);
    assert_non_null(eligible_fault(&both));
    assert_non_null(eligible_fault(&neither));
    assert_null(eligible_fault(&one));
    assert_null(eligible_fault(&other));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_stands_there_once),
                                       cmocka_unit_test(test_a_longer_number_is_another_one),
                                       cmocka_unit_test(test_only_new_ones_count),
                                       cmocka_unit_test(test_the_check_is_of_everything),
                                       cmocka_unit_test(test_the_check_is_what_databases_hold),
                                       cmocka_unit_test(test_it_is_one_or_the_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
