/* The batch runner. */
#include "world.h"

/* ---- without a thread ---- */

static void runs_the_steps_in_order(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    assert_false(store_run_batch(world->store));
    submit(world, 0, 3);
    assert_true(store_run_batch(world->store));
    assert_string_equal(world->diary, "bldscpDDD");
    assert_false(store_run_batch(world->store));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world->operations[i].done_position, i);
        assert_int_equal(world->operations[i].outcome.code, RESULT_OK);
        assert_true(world->operations[i].was_published);
    }
    free_world(world);
}

static void bounds_a_batch_and_keeps_the_order(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    submit(world, 0, 2 * LIMIT_STORE_BATCH + 52);
    assert_true(store_run_batch(world->store));
    submit(world, 2 * LIMIT_STORE_BATCH + 52, 10); /* behind the rest of the first take, and in the same batch as its end */
    while (store_run_batch(world->store)) {
    }
    assert_int_equal(world->batches, 3);
    assert_int_equal(world->batch_sizes[0], LIMIT_STORE_BATCH);
    assert_int_equal(world->batch_sizes[1], LIMIT_STORE_BATCH);
    assert_int_equal(world->batch_sizes[2], 62);
    for (size_t i = 0; i < 2 * LIMIT_STORE_BATCH + 62; i++) {
        assert_int_equal(world->decided[i], i);
        assert_int_equal(world->operations[i].done_position, i);
        assert_int_equal(world->operations[i].done_count, 1);
    }
    free_world(world);
}

static void bounds_a_batch_by_weight(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    static const uint32_t weights[] = {LIMIT_STORE_BATCH_WEIGHT - 1, 0, 1, LIMIT_STORE_BATCH_WEIGHT + 5, 1};
    for (size_t i = 0; i < ARRAY_COUNT(weights); i++) world->operations[i].base.weight = weights[i];
    submit(world, 0, ARRAY_COUNT(weights));
    while (store_run_batch(world->store)) {
    }
    assert_int_equal(world->batches, 4);
    assert_int_equal(world->batch_sizes[0], 2); /* 0 counts as 1, and the limit itself fits */
    assert_int_equal(world->batch_sizes[1], 1);
    assert_int_equal(world->batch_sizes[2], 1); /* heavier than the limit: alone, and not never */
    assert_int_equal(world->batch_sizes[3], 1);
    assert_int_equal(world->decided_count, ARRAY_COUNT(weights));
    free_world(world);
}

/* It is decided, rolled back and told; it never makes another's batch smaller, and waits behind one at most for each that came before it. */
static void a_rehearsal_is_alone_and_leaves_nothing(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    for (size_t i = 1; i < 6; i += 2) world->operations[i].base.is_rehearsal = true;
    submit(world, 0, 7);
    assert_true(store_run_batch(world->store));
    assert_string_equal(world->diary, "bldscpDDDDbldrD");
    assert_int_equal(world->batch_sizes[0], 4);
    assert_int_equal(world->batch_sizes[1], 1);
    assert_true(store_run_batch(world->store));
    assert_true(store_run_batch(world->store));
    assert_false(store_run_batch(world->store));
    static const size_t order[] = {0, 2, 4, 6, 1, 3, 5};
    assert_int_equal(world->decided_count, ARRAY_COUNT(order));
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        assert_int_equal(world->decided[i], order[i]);
        assert_int_equal(world->operations[order[i]].done_count, 1);
        assert_int_equal(world->operations[order[i]].outcome.code, RESULT_OK);
        assert_int_equal(world->operations[order[i]].was_published, i < 4);
    }
    assert_int_equal(world->commits, 1);
    assert_int_equal(world->publishes, 1);
    assert_int_equal(world->rollbacks, 3);
    world->failures[STEP_LOAD] = RESULT_CORRUPT;
    world->operations[7].base.is_rehearsal = true;
    submit(world, 7, 1);
    assert_true(store_run_batch(world->store));
    assert_int_equal(world->operations[7].outcome.code, RESULT_CORRUPT);
    free_world(world);
}

static void a_failed_step_rolls_back_and_refuses_all(void **state) {
    (void)state;
    static const struct {
        enum step step;
        const char *diary;
    } cases[] = {{STEP_BEGIN, "brDD"}, {STEP_LOAD, "blrDD"}, {STEP_SAVE, "bldsrDD"}, {STEP_COMMIT, "bldscrDD"}};
    static const enum result_code codes[] = {RESULT_FULL, RESULT_IO, RESULT_UNAVAILABLE, RESULT_TIMEOUT};
    for (size_t i = 0; i < ARRAY_COUNT(cases) * ARRAY_COUNT(codes); i++) {
        struct world *world = make_world(true, 0);
        enum result_code code = codes[i % ARRAY_COUNT(codes)];
        world->failures[cases[i / ARRAY_COUNT(codes)].step] = code;
        bool is_lost = code == RESULT_UNAVAILABLE && cases[i / ARRAY_COUNT(codes)].step != STEP_BEGIN; /* a connection: tried once more */
        const char *reason = "";
        assert_true(store_is_writable(world->store, &reason));
        assert_null(reason);
        submit(world, 0, 2);
        assert_true(store_run_batch(world->store));
        char diary[32] = "";
        size_t steps = strlen(cases[i / ARRAY_COUNT(codes)].diary) - 2; /* all but "DD" */
        snprintf(diary, sizeof diary, "%.*s%s", is_lost ? (int)steps : 0, cases[i / ARRAY_COUNT(codes)].diary,
                 cases[i / ARRAY_COUNT(codes)].diary);
        assert_string_equal(world->diary, diary);
        assert_int_equal(world->operations[0].outcome.code, code);
        assert_int_equal(world->operations[1].outcome.code, code);
        assert_false(store_is_writable(world->store, &reason));
        assert_non_null(reason);
        free_world(world);
    }
}

static void one_bad_row_refuses_one_operation(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    world->operations[1].is_poisoned = true;
    submit(world, 0, 3);
    assert_true(store_run_batch(world->store));
    assert_string_equal(world->diary, "blr"
                                      "bldscpD"
                                      "blrD"
                                      "bldscpD");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world->operations[i].outcome.code, i == 1 ? RESULT_CONFLICT : RESULT_OK);
        assert_int_equal(world->operations[i].done_position, i);
    }
    assert_true(store_is_writable(world->store, NULL));

    clear_diary(world);
    world->operations[3].is_poisoned = true;
    submit(world, 3, 1);
    assert_true(store_run_batch(world->store));
    assert_string_equal(world->diary, "blrD"); /* alone already: not tried twice */
    free_world(world);
}

static void a_disk_that_fails_in_between_ends_the_single_runs(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    world->operations[3].is_poisoned = true;
    world->failures[STEP_COMMIT] = RESULT_IO;
    world->fail_commit_number = 2;
    submit(world, 0, 4);
    assert_true(store_run_batch(world->store));
    assert_string_equal(world->diary, "blr"
                                      "bldscpD"
                                      "bldscrDDD");
    assert_int_equal(world->operations[0].outcome.code, RESULT_OK);
    for (size_t i = 1; i < 4; i++) assert_int_equal(world->operations[i].outcome.code, RESULT_IO);
    assert_false(store_is_writable(world->store, NULL));
    free_world(world);
}

static void probes_with_growing_pauses_until_it_can_write(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    world->failures[STEP_COMMIT] = RESULT_FULL;
    world->failures[STEP_PROBE] = RESULT_FULL;
    submit(world, 0, 1);
    assert_true(store_run_batch(world->store));
    static const int64_t pauses_ms[] = {100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < ARRAY_COUNT(pauses_ms); i++) {
        world->monotonic_us += pauses_ms[i] * 1000 - 1;
        assert_false(store_run_batch(world->store));
        assert_int_equal(world->probes, i);
        world->monotonic_us += 1;
        assert_false(store_run_batch(world->store));
        assert_int_equal(world->probes, i + 1);
        assert_false(store_is_writable(world->store, NULL));
    }
    submit(world, 1, 1); /* tried all the same */
    assert_true(store_run_batch(world->store));
    assert_int_equal(world->operations[1].outcome.code, RESULT_FULL);

    world->failures[STEP_PROBE] = RESULT_OK;
    world->monotonic_us += CLOCK_SECOND_US;
    assert_false(store_run_batch(world->store));
    assert_true(store_is_writable(world->store, NULL));
    world->monotonic_us += 10 * CLOCK_SECOND_US;
    assert_false(store_run_batch(world->store));
    assert_int_equal(world->probes, ARRAY_COUNT(pauses_ms) + 1);
    free_world(world);
}

static void a_batch_that_succeeds_hastens_the_probe(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    world->failures[STEP_COMMIT] = world->failures[STEP_PROBE] = RESULT_IO;
    submit(world, 0, 1);
    assert_true(store_run_batch(world->store));
    for (int i = 0; i < 5; i++) { /* the pause is a second now */
        world->monotonic_us += CLOCK_SECOND_US;
        assert_false(store_run_batch(world->store));
    }
    assert_int_equal(world->probes, 5);
    world->failures[STEP_COMMIT] = RESULT_OK;
    submit(world, 1, 1);
    assert_true(store_run_batch(world->store));
    assert_int_equal(world->operations[1].outcome.code, RESULT_OK);
    assert_false(store_is_writable(world->store, NULL)); /* it may have had nothing to write */
    world->failures[STEP_PROBE] = RESULT_OK;
    world->monotonic_us += CLOCK_SECOND_US / 10;
    assert_false(store_run_batch(world->store));
    assert_true(store_is_writable(world->store, NULL));
    free_world(world);
}

static void time_never_goes_back(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    assert_int_equal(store_now_us(world->store), world->now_us);
    int64_t highest_us = world->now_us += 5;
    submit(world, 0, 1);
    assert_true(store_run_batch(world->store));
    assert_int_equal(world->decided_at_us, highest_us);
    world->now_us -= 3 * CLOCK_SECOND_US;
    submit(world, 1, 1);
    assert_true(store_run_batch(world->store));
    assert_int_equal(world->decided_at_us, highest_us);
    assert_int_equal(store_now_us(world->store), highest_us);
    world->now_us = highest_us + 1;
    submit(world, 2, 1);
    assert_true(store_run_batch(world->store));
    assert_int_equal(world->decided_at_us, highest_us + 1);
    free_world(world);
}

static void the_queue_is_bounded_but_not_for_our_own(void **state) {
    (void)state;
    struct world *world = make_world(true, 4);
    assert_int_equal(store_submit_internal(world->store, &world->operations[10].base).code, RESULT_OK);
    submit(world, 0, 4);
    assert_int_equal(store_submit(world->store, &world->operations[4].base).code, RESULT_FULL);
    assert_int_equal(store_submit_internal(world->store, &world->operations[11].base).code, RESULT_OK);
    assert_true(store_run_batch(world->store));
    assert_int_equal(world->batch_sizes[0], 6);
    assert_int_equal(world->operations[4].done_count, 0);
    submit(world, 4, 4);
    assert_int_equal(store_submit(world->store, &world->operations[8].base).code, RESULT_FULL);
    store_stop(world->store);
    assert_int_equal(world->done_count, 10);
    assert_int_equal(store_submit(world->store, &world->operations[8].base).code, RESULT_UNAVAILABLE);
    assert_int_equal(store_submit_internal(world->store, &world->operations[8].base).code, RESULT_UNAVAILABLE);
    free_world(world);
}

static void calls_idle_at_its_interval_under_load_too(void **state) {
    (void)state;
    struct world *world = make_world(true, 0);
    assert_false(store_run_batch(world->store));
    assert_int_equal(world->idles, 0);
    world->monotonic_us += CLOCK_SECOND_US;
    assert_false(store_run_batch(world->store));
    assert_false(store_run_batch(world->store));
    assert_int_equal(world->idles, 1);
    assert_int_equal(world->busy_idles, 0);
    submit(world, 0, 2000);
    assert_true(store_run_batch(world->store));
    world->monotonic_us += CLOCK_SECOND_US;
    assert_true(store_run_batch(world->store)); /* of what was taken from the queue before */
    assert_int_equal(world->idles, 2);
    assert_int_equal(world->busy_idles, 1);
    submit(world, 2000, 1);
    world->monotonic_us += CLOCK_SECOND_US;
    assert_true(store_run_batch(world->store)); /* of what is in it */
    assert_int_equal(world->busy_idles, 2);
    free_world(world);
}

/* ---- with the thread ---- */

static void what_comes_during_a_commit_is_the_next_batch(void **state) {
    (void)state;
    struct world *world = make_world(false, 0);
    sem_t entered, may_go;
    sem_init(&entered, 0, 0);
    sem_init(&may_go, 0, 0);
    world->commit_entered = &entered;
    world->commit_may_go = &may_go;
    assert_true(result_is_ok(store_start(world->store)));
    submit(world, 0, 1);
    sem_wait(&entered); /* a lone operation did not wait for company */
    submit(world, 1, 7);
    sem_post(&may_go);
    sem_wait(&entered);
    sem_post(&may_go);
    store_stop(world->store);
    assert_int_equal(world->batches, 2);
    assert_int_equal(world->batch_sizes[0], 1);
    assert_int_equal(world->batch_sizes[1], 7);
    assert_int_equal(world->done_count, 8);
    free_world(world);
    sem_destroy(&entered);
    sem_destroy(&may_go);
}

static void *stop_in_thread(void *store) {
    store_stop(store);
    return NULL;
}

static void stopping_runs_what_waits(void **state) {
    (void)state;
    struct world *world = make_world(false, 0);
    sem_t entered, may_go;
    sem_init(&entered, 0, 0);
    sem_init(&may_go, 0, 0);
    world->commit_entered = &entered;
    world->commit_may_go = &may_go;
    assert_true(result_is_ok(store_start(world->store)));
    submit(world, 0, 1);
    sem_wait(&entered);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_in_thread, world->store), 0);
    size_t accepted = 1;
    while (accepted < OPERATIONS_MAX && result_is_ok(store_submit(world->store, &world->operations[accepted].base))) accepted++;
    for (int i = 0; i < 100; i++) sem_post(&may_go);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_int_equal(world->done_count, accepted);
    if (accepted < OPERATIONS_MAX) assert_int_equal(world->operations[accepted].done_count, 0);
    free_world(world);
    sem_destroy(&entered);
    sem_destroy(&may_go);
}

#define PUSHERS           4
#define PUSHES_PER_PUSHER (OPERATIONS_MAX / PUSHERS)

struct pusher {
    struct world *world;
    size_t first;
    size_t accepted;
    size_t full;
};

static void *push_many(void *context) {
    struct pusher *pusher = context;
    for (size_t i = 0; i < PUSHES_PER_PUSHER; i++) {
        struct store_operation *operation = &pusher->world->operations[pusher->first + i].base;
        struct result pushed;
        do {
            pushed = i % 5 == 0 ? store_submit_internal(pusher->world->store, operation) : store_submit(pusher->world->store, operation);
            if (pushed.code == RESULT_FULL) pusher->full++;
        } while (pushed.code == RESULT_FULL);
        if (!result_is_ok(pushed)) return NULL;
        pusher->accepted++;
    }
    return NULL;
}

static void every_accepted_operation_is_done_once_in_its_order(void **state) {
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct world *world = make_world(false, 64);
        struct pusher pushers[PUSHERS];
        pthread_t threads[PUSHERS];
        assert_true(result_is_ok(store_start(world->store)));
        for (size_t i = 0; i < PUSHERS; i++) {
            pushers[i] = (struct pusher){.world = world, .first = i * PUSHES_PER_PUSHER};
            assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
        }
        if (round % 2 == 1) store_stop(world->store); /* in the middle of it */
        for (size_t i = 0; i < PUSHERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (round % 2 == 0) store_stop(world->store);
        size_t accepted = 0;
        for (size_t i = 0; i < PUSHERS; i++) {
            accepted += pushers[i].accepted;
            for (size_t j = 0; j < PUSHES_PER_PUSHER; j++) {
                const struct operation *operation = &world->operations[pushers[i].first + j];
                assert_int_equal(operation->done_count, j < pushers[i].accepted ? 1 : 0);
                if (j > 0 && j < pushers[i].accepted) assert_true(operation->done_position > operation[-1].done_position);
            }
        }
        assert_int_equal(world->done_count, accepted);
        if (round % 2 == 0) assert_int_equal(accepted, OPERATIONS_MAX);
        store_free(world->store);
        free(world);
    }
}

static void recovers_by_itself_without_requests(void **state) {
    (void)state;
    struct world *world = make_world(false, 0);
    world->failures[STEP_COMMIT] = RESULT_FULL;
    world->fail_commit_number = 1;
    assert_true(result_is_ok(store_start(world->store)));
    submit(world, 0, 1);
    struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 5000 && store_is_writable(world->store, NULL); i++) nanosleep(&pause, NULL);
    assert_false(store_is_writable(world->store, NULL));
    for (int i = 0; i < 5000 && !store_is_writable(world->store, NULL); i++) nanosleep(&pause, NULL);
    assert_true(store_is_writable(world->store, NULL));
    free_world(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_the_steps_in_order),
        cmocka_unit_test(bounds_a_batch_and_keeps_the_order),
        cmocka_unit_test(bounds_a_batch_by_weight),
        cmocka_unit_test(a_rehearsal_is_alone_and_leaves_nothing),
        cmocka_unit_test(a_failed_step_rolls_back_and_refuses_all),
        cmocka_unit_test(one_bad_row_refuses_one_operation),
        cmocka_unit_test(a_disk_that_fails_in_between_ends_the_single_runs),
        cmocka_unit_test(probes_with_growing_pauses_until_it_can_write),
        cmocka_unit_test(a_batch_that_succeeds_hastens_the_probe),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(the_queue_is_bounded_but_not_for_our_own),
        cmocka_unit_test(calls_idle_at_its_interval_under_load_too),
        cmocka_unit_test(what_comes_during_a_commit_is_the_next_batch),
        cmocka_unit_test(stopping_runs_what_waits),
        cmocka_unit_test(every_accepted_operation_is_done_once_in_its_order),
        cmocka_unit_test(recovers_by_itself_without_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
