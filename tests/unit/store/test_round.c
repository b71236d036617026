/* Reading in rounds: one transaction for many reads, and never an old state. */
#include <pthread.h>

#include "folder.h"

struct pair {
    struct folder folder;
    struct batch_commits commits;
    struct database *writer, *reader;
};

static int open_pair(void **state) {
    struct pair *pair = calloc(1, sizeof *pair);
    assert_non_null(pair);
    folder_make(&pair->folder, folder_home());
    pair->writer = folder_open(&pair->folder, DATABASE_CREATE);
    database_count_commits(pair->writer, &pair->commits);
    pair->reader = folder_open(&pair->folder, DATABASE_READ);
    database_follow(pair->reader, &pair->commits);
    *state = pair;
    return 0;
}

static int close_pair(void **state) {
    struct pair *pair = *state;
    database_close(pair->reader);
    database_close(pair->writer);
    folder_drop(&pair->folder);
    free(pair);
    return 0;
}

static int64_t read_fresh(struct pair *pair) {
    assert_int_equal(database_refresh(pair->reader).code, RESULT_OK);
    return count_things(pair->reader);
}

static void each_read_sees_what_was_committed_before_it(void **state) {
    struct pair *pair = *state;
    for (int64_t i = 0; i < 20; i++) {
        assert_int_equal(read_fresh(pair), i);
        assert_int_equal(read_fresh(pair), i);
        assert_int_equal(insert_things(pair->writer, i + 1, 1, 10).code, RESULT_OK);
        if (i % 3 == 0) database_end_round(pair->reader);
    }
    assert_int_equal(read_fresh(pair), 20);
}

static void what_follows_a_refresh_is_one_state(void **state) {
    struct pair *pair = *state;
    assert_int_equal(read_fresh(pair), 0);
    assert_int_equal(insert_things(pair->writer, 1, 1, 10).code, RESULT_OK);
    assert_int_equal(count_things(pair->reader), 0); /* the second statement of the same question */
    assert_int_equal(read_fresh(pair), 1);
}

/* A state that was taken between a commit and its counting is looked at twice, and both are right. */
static void a_commit_that_is_not_counted_yet_may_be_seen(void **state) {
    struct pair *pair = *state;
    assert_int_equal(database_refresh(pair->reader).code, RESULT_OK); /* the count is taken, the state is not */
    assert_int_equal(insert_things(pair->writer, 1, 1, 10).code, RESULT_OK);
    assert_int_equal(count_things(pair->reader), 1);
    assert_int_equal(read_fresh(pair), 1);
}

static void a_rollback_shows_nothing(void **state) {
    struct pair *pair = *state;
    assert_int_equal(insert_things(pair->writer, 1, 1, 10).code, RESULT_OK);
    assert_int_equal(read_fresh(pair), 1);
    assert_int_equal(insert_things(pair->writer, 1, 1, 10).code, RESULT_CONFLICT);
    assert_int_equal(read_fresh(pair), 1);
}

static void the_end_of_a_round_lets_the_wal_begin_anew(void **state) {
    struct pair *pair = *state;
    assert_int_equal(insert_things(pair->writer, 1, 100, 2000).code, RESULT_OK);
    assert_int_equal(read_fresh(pair), 100);
    database_end_round(pair->reader);
    database_end_round(pair->reader); /* nothing was read since */
    int64_t before = folder_file_size(&pair->folder, "-wal");
    for (int64_t i = 1; i <= 10; i++) {
        database_checkpoint(pair->writer, 0);
        assert_int_equal(insert_things(pair->writer, 100 * i + 1, 20, 2000).code, RESULT_OK);
        assert_int_equal(read_fresh(pair), 100 + 20 * i);
        database_end_round(pair->reader);
    }
    assert_true(folder_file_size(&pair->folder, "-wal") <= before);
}

static void a_reader_that_follows_nobody_reads_as_ever(void **state) {
    struct pair *pair = *state;
    database_follow(pair->reader, NULL);
    assert_int_equal(read_fresh(pair), 0);
    assert_int_equal(insert_things(pair->writer, 1, 1, 10).code, RESULT_OK);
    assert_int_equal(count_things(pair->reader), 1); /* each statement is a transaction of its own */
    database_end_round(pair->reader);
}

/* ---- two loops and the writer's thread ---- */

#define COMMITS 300

struct told {
    const struct pair *pair;
    _Atomic int64_t answered; /* things that a client may know of */
    _Atomic int faults;
};

static void *read_in_rounds(void *context) {
    struct told *told = context;
    struct database *reader = NULL;
    struct statement count;
    bool opened = result_is_ok(database_open(told->pair->folder.database, DATABASE_READ, &folder_schema, &reader)) &&
                  result_is_ok(statement_prepare(reader, "SELECT count(*) FROM things", &count));
    if (!opened) {
        atomic_fetch_add(&told->faults, 1);
        return NULL;
    }
    database_follow(reader, &told->pair->commits);
    int64_t known = 0;
    for (unsigned turn = 1; known < COMMITS; turn++) {
        bool is_row = false;
        known = atomic_load(&told->answered);
        bool is_read = result_is_ok(database_refresh(reader)) && result_is_ok(statement_step(&count, &is_row)) && is_row;
        if (!is_read || statement_integer(&count, 0) < known) atomic_fetch_add(&told->faults, 1);
        statement_reset(&count);
        if (turn % 7 == 0) database_end_round(reader);
    }
    database_close(reader);
    return NULL;
}

static void what_a_client_knows_of_is_there_in_every_loop(void **state) {
    struct pair *pair = *state;
    struct told told = {.pair = pair};
    pthread_t loops[2];
    for (size_t i = 0; i < ARRAY_COUNT(loops); i++) assert_int_equal(pthread_create(&loops[i], NULL, read_in_rounds, &told), 0);
    enum result_code worst = RESULT_OK;
    for (int64_t i = 1; i <= COMMITS; i++) {
        struct result inserted = insert_things(pair->writer, i, 1, 10);
        if (!result_is_ok(inserted)) worst = inserted.code;
        atomic_store(&told.answered, i);
        if (i % 50 == 0) database_checkpoint(pair->writer, 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(loops); i++) assert_int_equal(pthread_join(loops[i], NULL), 0);
    assert_int_equal(worst, RESULT_OK);
    assert_int_equal(atomic_load(&told.faults), 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_pair, close_pair)
    const struct CMUnitTest tests[] = {
        TEST(each_read_sees_what_was_committed_before_it),   TEST(what_follows_a_refresh_is_one_state),
        TEST(a_commit_that_is_not_counted_yet_may_be_seen),  TEST(a_rollback_shows_nothing),
        TEST(the_end_of_a_round_lets_the_wal_begin_anew),    TEST(a_reader_that_follows_nobody_reads_as_ever),
        TEST(what_a_client_knows_of_is_there_in_every_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
