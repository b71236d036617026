/* The board of codes: what is found of them, by arithmetic, and what state they are in. */
#include "discount/code_board.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000000000)

static struct code_keys keys = {.count = 1, .keys = {{.bytes = {1}, .check = {1}}}};

static struct code_batch batch_of(uint32_t number, const char *pattern, int64_t first, int64_t count) {
    struct code_batch batch = {.number = number, .id.bytes[0] = (uint8_t)number, .campaign_number = number, .first = first, .count = count};
    batch.max_uses = 1;
    batch.created_at_us = NOW;
    batch.key_check[0] = 1;
    assert_null(pattern_parse(text_of(pattern), &batch.pattern));
    return batch;
}

static void show(struct code_board *board, const struct code_batch *batch) {
    assert_true(result_is_ok(code_board_reserve(board, batch)));
    code_board_publish(board, batch);
}

static struct code written(const struct code_board *board, uint32_t batch, int64_t index) {
    char text[PATTERN_BYTES];
    struct code code;
    size_t size = code_slot_write(board, code_board_slot(board, batch), index, text);
    assert_true(result_is_ok(code_parse((struct text){text, size}, &code)));
    return code;
}

static void test_each_code_is_found_in_its_batch(void **state) {
    (void)state;
    struct code_board *board;
    struct code_found found;
    assert_true(result_is_ok(code_board_create(&keys, &board)));
    const struct code_batch batches[] = {batch_of(1, "GIFT-####-####-##", 0, 70), batch_of(2, "GIFT-####-######", 70, 200),
                                         batch_of(3, "####-####-####", 0, 5)};
    for (size_t i = 0; i < 3; i++) show(board, &batches[i]);
    for (uint32_t number = 1; number <= 3; number++) {
        for (int64_t index = 1; index <= batches[number - 1].count; index++) {
            struct code code = written(board, number, index);
            assert_int_equal(code_board_find(board, &code, &found), CODE_FOUND);
            assert_true(found.batch == number && found.index == index && found.campaign_number == number);
        }
    }
    struct code code = written(board, 1, 1);
    code.canonical[6] = code.canonical[6] == '7' ? '8' : '7';
    assert_int_equal(code_board_find(board, &code, &found), CODE_UNKNOWN);
    assert_true(code_board_is_mistyped(board, &code));
    assert_int_equal(found.batch, 0);
    assert_null(code_board_slot(board, 0));
    assert_null(code_board_slot(board, 4));
    assert_ptr_equal(code_board_find_id(board, batches[1].id), code_board_slot(board, 2));
    code_board_free(board);
}

static void test_states_and_their_search(void **state) {
    (void)state;
    struct code_board *board;
    assert_true(result_is_ok(code_board_create(&keys, &board)));
    struct code_batch batch = batch_of(1, "GIFT-####-####-####", 0, 1000);
    batch.expires_at_us = NOW + 10;
    show(board, &batch);
    code_board_revoke(board, 1, 1);
    code_board_revoke(board, 1, 700);
    code_board_use_up(board, 1, 64);
    code_board_use_up(board, 1, 1000);
    const struct code_slot *slot = code_board_slot(board, 1);
    assert_int_equal(code_slot_state(slot, 1, NOW), CODE_REVOKED);
    assert_int_equal(code_slot_state(slot, 64, NOW), CODE_USED);
    assert_int_equal(code_slot_state(slot, 2, NOW), CODE_ACTIVE);
    assert_int_equal(code_slot_state(slot, 2, NOW + 10), CODE_EXPIRED);
    assert_int_equal(code_slot_next(slot, 0, CODE_REVOKED, NOW), 1);
    assert_int_equal(code_slot_next(slot, 1, CODE_REVOKED, NOW), 700);
    assert_int_equal(code_slot_next(slot, 700, CODE_REVOKED, NOW), 0);
    assert_int_equal(code_slot_next(slot, 64, CODE_USED, NOW), 1000);
    assert_int_equal(code_slot_next(slot, 1000, -1, NOW), 0);
    assert_int_equal(code_slot_next(slot, 0, CODE_ACTIVE, NOW), 2);
    assert_int_equal(code_slot_next(slot, 0, CODE_EXPIRED, NOW), 0);
    int64_t active = 0;
    for (int64_t index = 0; (index = code_slot_next(slot, index, CODE_ACTIVE, NOW)) != 0;) active++;
    assert_int_equal(active, 996);
    batch.revoked_at_us = NOW;
    code_board_publish(board, &batch);
    assert_int_equal(code_slot_state(slot, 64, NOW), CODE_REVOKED);
    assert_int_equal(code_slot_next(slot, 63, CODE_REVOKED, NOW), 64);
    code_board_free(board);
}

static void test_without_its_key_a_batch_is_there_and_not_readable(void **state) {
    (void)state;
    struct code_board *board = NULL, *reader = NULL;
    struct code_found found;
    static struct code_keys none;
    assert_true(result_is_ok(code_board_create(&keys, &board)) && result_is_ok(code_board_create(&none, &reader)));
    const struct code_batch batch = batch_of(1, "GIFT-####-####-####", 0, 10);
    show(board, &batch);
    show(reader, &batch);
    struct code code = written(board, 1, 3);
    assert_int_equal(code_board_find(reader, &code, &found), CODE_UNREADABLE);
    assert_int_equal(code_board_unreadable(reader), 1);
    assert_false(code_slot_is_readable(reader, code_board_slot(reader, 1)));
    assert_null(code_board_key(reader));
    code.canonical[6] = code.canonical[6] == '7' ? '8' : '7';
    assert_int_equal(code_board_find(reader, &code, &found), CODE_UNKNOWN);
    code_board_free(board);
    code_board_free(reader);
}

static void test_what_was_reserved_for_a_commit_that_failed_is_taken_again(void **state) {
    (void)state;
    struct code_board *board;
    struct code_found found;
    assert_true(result_is_ok(code_board_create(&keys, &board)));
    const struct code_batch lost = batch_of(1, "GIFT-####-####-####", 0, 10), made = batch_of(1, "OTHER-####-####-####", 0, 20);
    assert_true(result_is_ok(code_board_reserve(board, &lost)));
    show(board, &made);
    struct code code = written(board, 1, 20);
    assert_int_equal(code_board_find(board, &code, &found), CODE_FOUND);
    assert_int_equal(found.index, 20);
    code_board_free(board);
}

#define READERS 9 /* more than there are ciphers, so that some must share one */

/* No assertion of a thread's own: cmocka knows the one that runs the test. NULL: each was right. */
static void *write_and_find(void *argument) {
    struct code_board *board = argument;
    for (int64_t index = 1; index <= 500; index++) {
        char text[PATTERN_BYTES];
        struct code code;
        struct code_found found;
        size_t size = code_slot_write(board, code_board_slot(board, 1), index, text);
        if (!result_is_ok(code_parse((struct text){text, size}, &code))) return board;
        if (code_board_find(board, &code, &found) != CODE_FOUND || found.index != index) return board;
    }
    return NULL;
}

static void test_many_threads_read_codes_side_by_side(void **state) {
    (void)state;
    struct code_board *board;
    pthread_t readers[READERS];
    assert_true(result_is_ok(code_board_create(&keys, &board)));
    const struct code_batch batch = batch_of(1, "GIFT-####-####-####", 0, 500);
    show(board, &batch);
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_create(&readers[i], NULL, write_and_find, board), 0);
    for (size_t i = 0; i < READERS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(readers[i], &wrong), 0);
        assert_null(wrong);
    }
    code_board_free(board);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code_is_found_in_its_batch),
        cmocka_unit_test(test_states_and_their_search),
        cmocka_unit_test(test_without_its_key_a_batch_is_there_and_not_readable),
        cmocka_unit_test(test_what_was_reserved_for_a_commit_that_failed_is_taken_again),
        cmocka_unit_test(test_many_threads_read_codes_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
