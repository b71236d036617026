/* Commits whose end is not known at once, and those of a writer that is none any more. */
#include "world.h"

static void nobody_is_answered_before_a_doubt_is_settled(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    world->commit_ends_as = COMMIT_DOUBTFUL;
    world->settled[0] = world->settled[1] = COMMIT_DOUBTFUL;
    world->settled[2] = COMMITTED;
    submit(world, 0, 2);
    assert_true(store_run_batch(world->store));
    assert_string_equal(world->diary, "bldsc???pDD");
    assert_int_equal(world->operations[1].outcome.code, RESULT_OK);
    assert_true(store_is_writable(world->store, NULL));
    free_world(world);
}

static void a_doubt_that_was_no_commit_is_tried_once_more(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    world->commit_ends_as = COMMIT_DOUBTFUL;
    world->settled[0] = NOT_COMMITTED;
    submit(world, 0, 1);
    assert_true(store_run_batch(world->store));
    assert_string_equal(world->diary, "bldsc?r"
                                      "bldscpD");
    assert_int_equal(world->operations[0].outcome.code, RESULT_OK);
    free_world(world);
}

static void a_doubt_at_the_end_is_told_as_what_it_is(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    world->commit_ends_as = COMMIT_DOUBTFUL;
    for (size_t i = 0; i < ARRAY_COUNT(world->settled); i++) world->settled[i] = COMMIT_DOUBTFUL;
    submit(world, 0, 1);
    store_stop(world->store); /* its clock goes on by a second with each question */
    assert_int_equal(world->operations[0].done_count, 1);
    assert_int_equal(world->operations[0].outcome.code, RESULT_TIMEOUT);
    assert_int_equal(world->publishes, 0);
    free_world(world);
}

static void who_is_fenced_writes_nothing_more(void **state) {
    (void)state;
    for (int in_idle = 0; in_idle <= 1; in_idle++) {
        struct world *world = make_world(true, 0);
        const char *reason = NULL;
        if (in_idle) {
            world->idle_ends_as = COMMIT_FENCED;
            world->monotonic_us += 2 * CLOCK_SECOND_US;
            assert_false(store_run_batch(world->store));
        } else {
            world->commit_ends_as = COMMIT_FENCED;
            submit(world, 0, 1);
            assert_true(store_run_batch(world->store));
            assert_int_equal(world->operations[0].outcome.code, RESULT_UNAVAILABLE);
        }
        assert_int_equal(world->fences, 1);
        assert_false(store_is_writable(world->store, &reason));
        assert_non_null(reason);
        clear_diary(world);
        world->monotonic_us += 5 * CLOCK_SECOND_US;
        submit(world, 1, 2);
        assert_true(store_run_batch(world->store));
        assert_string_equal(world->diary, "rDD"); /* not even begun */
        assert_int_equal(world->operations[1].outcome.code, RESULT_UNAVAILABLE);
        assert_int_equal(world->fences, 1);
        assert_int_equal(world->probes, 0);
        free_world(world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_answered_before_a_doubt_is_settled),
        cmocka_unit_test(a_doubt_that_was_no_commit_is_tried_once_more),
        cmocka_unit_test(a_doubt_at_the_end_is_told_as_what_it_is),
        cmocka_unit_test(who_is_fenced_writes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
