#include "../base/assertions.h"

#include "service/under_way.h"

static struct under_way under_way;

static struct under_way_item item_of(uint8_t name, int64_t arrived_us) {
    return (struct under_way_item){.lookup = {.bytes = {1, 2, 3, 4, name}}, .arrived_us = arrived_us};
}

static bool finds(uint8_t name, int64_t arrived_us) {
    const struct under_way_item item = item_of(name, 0);
    int64_t found_us = 0;
    return under_way_find(&under_way, &item.lookup, &found_us) && found_us == arrived_us;
}

/* All of them share a bucket. */
static void one_is_found_while_it_is_there(void **state) {
    (void)state;
    struct under_way_item first = item_of(1, 10), second = item_of(2, 20);
    assert_false(finds(1, 10));
    under_way_add(&under_way, &first);
    under_way_add(&under_way, &second);
    assert_true(finds(1, 10));
    assert_true(finds(2, 20));
    assert_false(finds(3, 0));
    under_way_remove(&first);
    assert_false(finds(1, 10));
    assert_true(finds(2, 20));
    under_way_remove(&second);
    assert_false(finds(2, 20));
}

static void of_two_with_a_key_the_oldest_is_told(void **state) {
    (void)state;
    struct under_way_item items[] = {item_of(1, 30), item_of(1, 10), item_of(1, 20)};
    for (size_t i = 0; i < 3; i++) under_way_add(&under_way, &items[i]);
    assert_true(finds(1, 10));
    under_way_remove(&items[1]);
    assert_true(finds(1, 20));
    under_way_remove(&items[0]);
    under_way_remove(&items[2]);
    assert_false(finds(1, 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_is_found_while_it_is_there),
                                       cmocka_unit_test(of_two_with_a_key_the_oldest_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
