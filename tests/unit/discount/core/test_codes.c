/* Batches and their codes: what is decided of them, and that a refusal changes nothing. */
#include "discount/core/codes.h"

#include "../../base/memory_ends.h"
#include "set.h"

static struct code_batch_create some(int64_t count) {
    struct code_batch_create create = {.id = make_id(5, (uint64_t)count), .campaign_number = 1, .count = count, .max_uses = 2};
    assert_null(pattern_parse(TEXT("GIFT-####-####-####"), &create.pattern));
    return create;
}

/* Its id's random bits say where its numbers begin. */
static struct code_batch_create some_at(int64_t count, uint64_t random) {
    struct code_batch_create create = some(count);
    for (size_t i = sizeof create.id.bytes; i-- > 8; random >>= 8) create.id.bytes[i] = (uint8_t)random;
    return create;
}

static struct code_set *make_set(void) {
    static struct code_set set;
    assert_true(result_is_ok(code_set_init(&set, 3, 4)));
    return &set;
}

static struct code_batch *make(struct code_set *set, int64_t count) {
    struct code_batch *batch;
    struct code_batch_create create = some(count);
    assert_int_equal(code_batch_create(set, &create, NOW, &batch), CODE_DONE);
    return batch;
}

static struct code_batch *make_at(struct code_set *set, int64_t count, uint64_t random) {
    struct code_batch *batch;
    struct code_batch_create create = some_at(count, random);
    assert_int_equal(code_batch_create(set, &create, NOW, &batch), CODE_DONE);
    return batch;
}

static void test_batches_of_one_shape_share_no_number(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch_create create = some_at(7, 100);
    struct code_batch *first = make_at(set, 10, 100), *second = make_at(set, 5, 109), *other;
    assert_int_equal(first->first, 100);
    assert_int_equal(second->first, 110); /* behind whom it would have met */
    create.id.bytes[0] = 6;
    create.key_check[0] = 1; /* another key: numbers of its own */
    assert_int_equal(code_batch_create(set, &create, NOW, &other), CODE_DONE);
    assert_int_equal(other->first, 100);
    create.id = make_id(9, 9);
    assert_int_equal(code_batch_create(set, &create, NOW, &other), CODE_TOO_MANY_BATCHES);
    assert_null(other);
    assert_int_equal(set->batch_count, 3);
    assert_ptr_equal(code_batch_by_id(set, second->id), second);
    assert_null(code_batch_by_number(set, 4));
    code_set_free(set);
}

/* The numbers of a pattern of 12 symbols are 2^50; nothing is put at its end that does not fit there. */
static void test_the_numbers_of_a_pattern_are_a_ring(void **state) {
    (void)state;
    struct code_set *set = make_set();
    const int64_t numbers = INT64_C(1) << 50;
    assert_int_equal(make_at(set, 10, (uint64_t)numbers - 10)->first, numbers - 10);
    assert_int_equal(make_at(set, 10, (uint64_t)numbers - 19)->first, 0);
    assert_int_equal(make_at(set, 5, (uint64_t)numbers - 15)->first, numbers - 15);
    code_set_free(set);
}

static void test_what_a_lost_batch_gave_out_is_not_made_again(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch *batch = make(set, 3);
    const struct code_batch kept = *batch, lost = *make_at(set, 1000, UINT64_C(0xb3c1a7d259e80f46));
    code_set_clear(set); /* an older copy of the database, without it */
    assert_true(result_is_ok(code_set_load(set, &kept)));
    batch = make_at(set, 1000, UINT64_C(0x9f02d4c6718b3ae5));
    assert_true(batch->first >= lost.first + lost.count || lost.first >= batch->first + batch->count);
    code_set_free(set);
}

static void test_an_expiry_must_come(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch *batch;
    struct code_batch_create create = some(3);
    create.expires_at_us = NOW;
    assert_int_equal(code_batch_create(set, &create, NOW, &batch), CODE_EXPIRY_NOT_FUTURE);
    create.expires_at_us = NOW + 1;
    assert_int_equal(code_batch_create(set, &create, NOW, &batch), CODE_DONE);
    struct code_entry *entry = code_set_name(set, 1, 1);
    assert_false(code_is_dead(set, entry, NOW));
    assert_true(code_is_dead(set, entry, NOW + 1));
    assert_int_equal(code_batch_state(batch, NOW), CODE_BATCH_ACTIVE);
    assert_int_equal(code_batch_state(batch, NOW + 1), CODE_BATCH_EXPIRED);
    code_set_free(set);
}

static void test_a_code_is_used_as_often_as_it_may_be(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch *batch = make(set, 3);
    struct code_entry *entry = code_set_name(set, 1, 2), *other = code_set_name(set, 1, 3);
    assert_ptr_equal(code_set_name(set, 1, 2), entry);
    code_use(set, entry);
    assert_false(code_is_dead(set, entry, NOW));
    code_use(set, entry);
    assert_true(code_is_dead(set, entry, NOW));
    assert_false(code_is_dead(set, other, NOW));
    code_use(set, other);
    assert_int_equal(batch->used, 2);
    assert_int_equal(batch->uses, 3);
    code_set_free(set);
}

static void test_what_is_revoked_is_dead(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch *batch = make(set, 3);
    struct code_entry *entry = code_set_name(set, 1, 2), *other = code_set_name(set, 1, 3);
    assert_int_equal(code_revoke(set, entry), CODE_DONE);
    assert_int_equal(code_revoke(set, entry), CODE_UNCHANGED);
    assert_int_equal(batch->revoked, 1);
    assert_true(code_is_dead(set, entry, NOW) && !code_is_dead(set, other, NOW));
    assert_int_equal(code_batch_revoke(batch, NOW + 5), CODE_DONE);
    assert_int_equal(code_batch_revoke(batch, NOW + 6), CODE_UNCHANGED);
    assert_int_equal(batch->revoked_at_us, NOW + 5);
    assert_true(code_is_dead(set, other, NOW));
    assert_int_equal(code_batch_revoke(NULL, NOW), CODE_BATCH_NOT_FOUND);
    code_set_free(set);
}

static void test_a_set_has_its_bounds_and_forgets(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch stored = *make(set, 3);
    for (int64_t index = 1; index <= 4; index++) assert_non_null(code_set_name(set, 1, index));
    assert_null(code_set_name(set, 1, 5));
    code_set_begin(set);
    assert_null(code_entry_of(set, 1, 1));
    assert_false(set->batches[0].is_new || set->batches[0].is_changed);
    code_set_clear(set);
    stored.is_new = stored.is_changed = false;
    assert_int_equal(code_set_load(set, &stored).code, RESULT_OK);
    assert_int_equal(code_set_load(set, &stored).code, RESULT_CORRUPT);
    stored.number = 2;
    assert_int_equal(code_set_load(set, &stored).code, RESULT_CORRUPT); /* its id is there */
    stored.id = make_id(8, 8);
    stored.used = 4;
    assert_int_equal(code_set_load(set, &stored).code, RESULT_CORRUPT);
    code_set_free(set);
}

/* As they come from the disk: one after the other by number, whatever their first code is. */
static struct code_batch stored(uint32_t number, int64_t first, int64_t count) {
    struct code_batch batch = {.number = number,
                               .id = make_id(6, number),
                               .campaign_number = 1,
                               .first = first,
                               .count = count,
                               .max_uses = 1,
                               .created_at_us = NOW};
    assert_null(pattern_parse(TEXT("GIFT-####-####-####"), &batch.pattern));
    return batch;
}

static void load(struct code_set *set, uint32_t number, int64_t first, int64_t count) {
    const struct code_batch batch = stored(number, first, count);
    assert_int_equal(code_set_load(set, &batch).code, RESULT_OK);
}

static int64_t first_at(int64_t count, uint64_t random) {
    struct code_set *set = make_set();
    load(set, 1, 100, 10);
    int64_t first = make_at(set, count, random)->first;
    code_set_free(set);
    return first;
}

/* Numbers of one shape may touch, and never meet. */
static void test_who_would_meet_another_comes_behind_it(void **state) {
    (void)state;
    assert_int_equal(first_at(5, 95), 95);
    assert_int_equal(first_at(5, 96), 110);
    assert_int_equal(first_at(5, 109), 110);
    assert_int_equal(first_at(5, 110), 110);
    assert_int_equal(first_at(1, 99), 99);
    struct code_set *set = make_set();
    load(set, 1, 100, 10);
    struct code_batch_create create = some_at(5, 100);
    struct code_batch *other;
    assert_null(pattern_parse(TEXT("LOVE-####-####-####"), &create.pattern)); /* another shape: numbers of its own */
    assert_int_equal(code_batch_create(set, &create, NOW, &other), CODE_DONE);
    assert_int_equal(other->first, 100);
    code_set_free(set);
}

static int64_t first_of_two(int64_t taken, int64_t taken_count, uint64_t random) {
    struct code_set *set = make_set();
    load(set, 1, taken, taken_count);
    int64_t first = make_at(set, 2, random)->first;
    code_set_free(set);
    return first;
}

/* By all of the id's random bits, to the last place where it fits, and from there to the first. */
static void test_where_the_numbers_of_two_begin(void **state) {
    (void)state;
    const int64_t numbers = INT64_C(1) << 50;
    assert_int_equal(first_of_two(100, 10, (UINT64_C(1) << 56) + 5), 69); /* 2^56 is 64 more than a multiple of 2^50 - 1 */
    assert_int_equal(first_of_two(100, 10, (uint64_t)numbers - 2), numbers - 2);
    assert_int_equal(first_of_two(100, 10, (uint64_t)numbers - 1), 0);
    assert_int_equal(first_of_two(numbers - 12, 10, (uint64_t)numbers - 12), numbers - 2);
    assert_int_equal(first_of_two(numbers - 11, 10, (uint64_t)numbers - 11), 0);
}

static void test_a_batch_is_kept_as_it_was_asked_for(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch *batch;
    struct code_batch_create create = some(3);
    create.note = TEXT("n");
    memset(create.key_check, 7, sizeof create.key_check);
    assert_int_equal(code_batch_create(set, &create, NOW, &batch), CODE_DONE);
    assert_true(text_equal(code_batch_note(batch), TEXT("n")));
    assert_memory_equal(batch->key_check, create.key_check, sizeof batch->key_check);
    assert_true(batch->is_new && batch->is_changed && batch->created_at_us == NOW);
    code_set_free(set);
}

/* And so it is saved; the next batch of the store begins with nothing to save. */
static void test_whatever_changes_a_batch_marks_it(void **state) {
    (void)state;
    struct code_set *set = make_set();
    for (int64_t count = 3; count < 6; count++) make(set, count);
    struct code_batch *batch = &set->batches[0];
    code_set_begin(set);
    for (size_t i = 0; i < 3; i++) assert_false(set->batches[i].is_new || set->batches[i].is_changed);
    struct code_entry *entry = code_set_name(set, 1, 1);
    code_use(set, entry);
    assert_true(batch->is_changed && entry->is_newly_used && !entry->is_newly_revoked);
    code_set_begin(set);
    entry = code_set_name(set, 1, 1);
    assert_int_equal(code_revoke(set, entry), CODE_DONE);
    assert_true(batch->is_changed && entry->is_newly_revoked && !entry->is_newly_used);
    code_set_begin(set);
    assert_int_equal(code_batch_revoke(batch, NOW), CODE_DONE);
    assert_true(batch->is_changed);
    code_set_free(set);
}

static void test_codes_are_forgotten_with_the_batch_of_the_store(void **state) {
    (void)state;
    struct code_set *set = make_set();
    make(set, 3);
    for (unsigned turn = 0; turn < 2; turn++) {
        assert_non_null(code_set_name(set, 1, 1));
        code_set_begin(set);
        assert_null(code_entry_of(set, 1, 1)); /* it was alone */
        for (int64_t index = 1; index <= 4; index++) assert_non_null(code_set_name(set, 1, index));
        assert_null(code_set_name(set, 1, 5));
        code_set_clear(set);
        assert_null(code_entry_of(set, 1, 1));
    }
    code_set_free(set);
}

static void test_batches_are_loaded_in_their_order_as_many_as_fit(void **state) {
    (void)state;
    struct code_set *set = make_set();
    struct code_batch batch = stored(2, 0, 1);
    assert_int_equal(code_set_load(set, &batch).code, RESULT_CORRUPT);
    assert_null(code_batch_by_number(set, 0));
    assert_null(code_batch_by_number(set, 1));
    for (uint32_t number = 1; number <= 3; number++) {
        load(set, number, 10 * number, number);
        assert_int_equal(set->batch_count, number);
        assert_int_equal(code_batch_by_number(set, number)->count, number);
        assert_ptr_equal(code_batch_by_id(set, make_id(6, number)), code_batch_by_number(set, number));
    }
    assert_null(code_batch_by_number(set, 0));
    batch = stored(4, 0, 1);
    assert_int_equal(code_set_load(set, &batch).code, RESULT_FULL);
    code_set_free(set);
}

/* Two arrays and two maps. */
static void test_without_memory_there_is_no_set(void **state) {
    (void)state;
    struct code_set none;
    struct result outcome = result_error(RESULT_FULL);
    size_t objects = 0;
    for (; !result_is_ok(outcome); objects++) {
        objects_left = objects;
        outcome = code_set_init(&none, 1, 1);
        if (!result_is_ok(outcome)) assert_int_equal(outcome.code, RESULT_FULL);
    }
    objects_left = SIZE_MAX;
    assert_true(objects > 2);
    assert_true(none.batches != NULL && none.entries != NULL);
    code_set_free(&none);
}

/* 32^10 numbers, of which this is one batch; each code twice. */
static struct code_batch good_batch(void) {
    struct code_set *set = make_set();
    const struct code_batch good = *make(set, 3);
    code_set_free(set);
    return good;
}

static void test_a_batch_reaches_to_the_bounds(void **state) {
    (void)state;
    struct code_batch good[8];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) good[i] = good_batch();
    good[7].pattern.symbol_count = PATTERN_SYMBOLS_MIN;
    good[1].count = CODE_COUNT_MAX;
    good[2].count = 1;
    good[3].first = (INT64_C(1) << 50) - 3; /* and the last code is the last number */
    good[4].max_uses = CODE_USES_MAX;
    good[5].used = 3;
    good[5].uses = 6;
    good[5].revoked = 3;
    good[6].max_uses = 1;
    good[6].created_at_us = 1;
    good[6].expires_at_us = good[6].revoked_at_us = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (code_batch_fault(&good[i]) != NULL) fail_msg("%zu: %s", i, code_batch_fault(&good[i]));
    }
}

static void test_faults_of_a_batch(void **state) {
    (void)state;
    struct code_batch bad[19];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) bad[i] = good_batch();
    bad[0].number = 0;
    bad[1].id = (struct id){{0}};
    bad[2].campaign_number = 0;
    bad[3].pattern.symbol_count = PATTERN_SYMBOLS_MIN - 1;
    bad[4].count = 0;
    bad[5].count = CODE_COUNT_MAX + 1;
    bad[6].first = -1;
    bad[7].first = (INT64_C(1) << 50) - 2;
    bad[8].max_uses = 0;
    bad[9].max_uses = CODE_USES_MAX + 1;
    bad[10].created_at_us = 0;
    bad[11].expires_at_us = -1;
    bad[12].revoked_at_us = -1;
    bad[13].used = bad[13].uses = -1, bad[13].max_uses = 1;
    bad[14].used = 4, bad[14].uses = 4; /* of three codes */
    bad[15].used = 2, bad[15].uses = 1;
    bad[16].used = 1, bad[16].uses = 3; /* of one that may be used twice */
    bad[17].revoked = -1;
    bad[18].revoked = 4;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (code_batch_fault(&bad[i]) == NULL) fail_msg("taken: %zu", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_of_one_shape_share_no_number),
        cmocka_unit_test(test_the_numbers_of_a_pattern_are_a_ring),
        cmocka_unit_test(test_what_a_lost_batch_gave_out_is_not_made_again),
        cmocka_unit_test(test_an_expiry_must_come),
        cmocka_unit_test(test_a_code_is_used_as_often_as_it_may_be),
        cmocka_unit_test(test_what_is_revoked_is_dead),
        cmocka_unit_test(test_a_set_has_its_bounds_and_forgets),
        cmocka_unit_test(test_who_would_meet_another_comes_behind_it),
        cmocka_unit_test(test_where_the_numbers_of_two_begin),
        cmocka_unit_test(test_a_batch_is_kept_as_it_was_asked_for),
        cmocka_unit_test(test_whatever_changes_a_batch_marks_it),
        cmocka_unit_test(test_codes_are_forgotten_with_the_batch_of_the_store),
        cmocka_unit_test(test_batches_are_loaded_in_their_order_as_many_as_fit),
        cmocka_unit_test(test_without_memory_there_is_no_set),
        cmocka_unit_test(test_a_batch_reaches_to_the_bounds),
        cmocka_unit_test(test_faults_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
