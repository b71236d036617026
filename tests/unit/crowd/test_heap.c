#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "crowd/crowd.h"

#define USERS 257u /* a full tree and one more */

static void test_users_come_out_in_order_of_time_then_of_index(void **state) {
    (void)state;
    static struct user users[USERS];
    struct heap heap;
    assert_true(result_is_ok(heap_init(&heap, USERS)));
    uint32_t random = 12345;
    for (size_t i = 0; i < USERS; i++) {
        random = random * 1664525u + 1013904223u;
        users[i] = (struct user){.index = i, .due_us = (int64_t)(random >> 28)}; /* many with the same time */
        heap_push_user(&heap, &users[i]);
    }
    assert_int_equal(heap.count, USERS);
    const struct user *before = heap_pop_user(&heap);
    for (size_t i = 1; i < USERS; i++) {
        const struct user *user = heap_pop_user(&heap);
        bool is_later = before->due_us < user->due_us || (before->due_us == user->due_us && before->index < user->index);
        assert_true(is_later);
        before = user;
    }
    assert_int_equal(heap.count, 0);
    heap_free(&heap);
}

static void test_a_user_that_comes_back_is_put_in_its_place(void **state) {
    (void)state;
    struct user users[3] = {{.index = 0, .due_us = 10}, {.index = 1, .due_us = 20}, {.index = 2, .due_us = 30}};
    struct heap heap;
    assert_true(result_is_ok(heap_init(&heap, 3)));
    for (size_t i = 0; i < 3; i++) heap_push_user(&heap, &users[2 - i]);
    struct user *first = heap_pop_user(&heap);
    assert_ptr_equal(first, &users[0]);
    first->due_us = 25;
    heap_push_user(&heap, first);
    assert_ptr_equal(heap_pop_user(&heap), &users[1]);
    assert_ptr_equal(heap_pop_user(&heap), &users[0]);
    assert_ptr_equal(heap_pop_user(&heap), &users[2]);
    heap_free(&heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_come_out_in_order_of_time_then_of_index),
        cmocka_unit_test(test_a_user_that_comes_back_is_put_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
