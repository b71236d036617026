/* What is special about PostgreSQL behind the seam: who may write, and what became of a commit whose answer was lost. */
#include "store/open.h"

#include "../folder.h"
#include "proxy.h"

static const struct question insert_thing = {.name = "a new thing",
                                             .sql = "INSERT INTO things (number, name) VALUES ($1, $2)",
                                             .parameters = {COLUMN_INTEGER, COLUMN_TEXT}};
static const struct question count_things_question = {.name = "things", .sql = "SELECT count(*) FROM things"};

static struct cluster cluster;
static struct proxy proxy;

static int make_cluster(void **state) {
    (void)state;
    cluster_make(&cluster);
    proxy_start(&proxy, &cluster);
    return 0;
}

static int remove_cluster(void **state) {
    (void)state;
    proxy_end(&proxy);
    cluster_remove(&cluster);
    return 0;
}

static struct batch *open_batch(enum batch_mode mode) {
    const struct place place = {.url = proxy.url, .schema = &folder_schema};
    struct batch *batch = NULL;
    assert_int_equal(batch_open(&place, mode, &batch).code, RESULT_OK);
    return batch;
}

static enum result_code open_code(const char *url, enum batch_mode mode) {
    const struct place place = {.url = url, .schema = &folder_schema};
    struct batch *batch = NULL;
    enum result_code code = batch_open(&place, mode, &batch).code;
    batch_close(batch);
    return code;
}

static int create(void **state) {
    atomic_store(proxy.trick, PASS);
    *state = open_batch(BATCH_CREATE);
    return 0;
}

static int drop(void **state) {
    batch_close(*state);
    cluster_sql(&cluster, "DROP SCHEMA things CASCADE");
    return 0;
}

static enum commit_end try_to_insert(struct batch *writer, int64_t number, const char *name) {
    struct result reason = result_ok();
    assert_int_equal(batch_begin(writer).code, RESULT_OK);
    batch_do(writer, &insert_thing, (struct value[]){value_integer(number), value_text(text_of(name))}, 1);
    return batch_commit(writer, &reason);
}

static struct result take_count(void *context, const struct row *row) {
    *(int64_t *)context = row_integer(row, 0);
    return result_ok();
}

static int64_t count_of_things(void) {
    int64_t count = -1;
    struct batch *reader = open_batch(BATCH_READ);
    batch_ask(reader, &count_things_question, NULL, take_count, &count);
    assert_int_equal(batch_run(reader).code, RESULT_OK);
    batch_close(reader);
    return count;
}

static void end_lease(void) { cluster_sql(&cluster, "UPDATE things.fence SET expires_at = '-infinity'"); }

/* ---- who may write ---- */

static void a_url_with_a_password_is_refused(void **state) {
    (void)state;
    assert_int_equal(open_code("postgres://hamyan:secret@localhost/postgres", BATCH_READ), RESULT_INVALID);
    assert_int_equal(open_code("host=localhost password=secret", BATCH_READ), RESULT_INVALID);
    assert_int_equal(open_code("postgres://hamyan@localhost/postgres?colour=green", BATCH_READ), RESULT_INVALID);
}

static void a_schema_is_made_once_and_must_be_there(void **state) {
    (void)state;
    assert_int_equal(open_code(cluster.url, BATCH_CREATE), RESULT_CONFLICT);
    cluster_sql(&cluster, "ALTER SCHEMA things RENAME TO other");
    assert_int_equal(open_code(cluster.url, BATCH_WRITE), RESULT_NOT_FOUND);
    assert_int_equal(open_code(cluster.url, BATCH_READ), RESULT_NOT_FOUND);
    cluster_sql(&cluster, "ALTER SCHEMA other RENAME TO things");
    cluster_sql(&cluster, "UPDATE things.migrations SET application_id = 1");
    assert_int_equal(open_code(cluster.url, BATCH_READ), RESULT_INVALID);
}

static void a_lease_is_given_back_at_the_end(void **state) {
    batch_close(*state);
    *state = open_batch(BATCH_WRITE);
}

static void a_living_lease_keeps_others_out_and_a_dead_process_does_not(void **state) {
    assert_int_equal(open_code(cluster.url, BATCH_WRITE), RESULT_CONFLICT);
    batch_close(*state);
    *state = NULL;
    pid_t child = fork();
    if (child == 0) {
        open_batch(BATCH_WRITE);
        _exit(0); /* and its lease lives on */
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    *state = open_batch(BATCH_WRITE);
    cluster_sql(&cluster, "UPDATE things.fence SET holder = 'another-host/boot/pid:[1] 1 1 1'");
    assert_int_equal(open_code(cluster.url, BATCH_WRITE), RESULT_CONFLICT); /* who knows how that one is */
}

static void a_process_that_was_overtaken_writes_nothing_more(void **state) {
    struct batch *first = *state;
    struct result reason;
    assert_int_equal(try_to_insert(first, 1, "first's"), COMMITTED);
    assert_int_equal(batch_begin(first).code, RESULT_OK); /* and here it is stopped for longer than its lease */
    batch_do(first, &insert_thing, (struct value[]){value_integer(2), value_text(TEXT("too late"))}, 1);
    end_lease();
    struct batch *second = open_batch(BATCH_WRITE);
    assert_int_equal(batch_commit(first, &reason), COMMIT_FENCED);
    assert_int_equal(batch_tidy(first, false), COMMIT_FENCED);
    assert_int_equal(batch_begin(first).code, RESULT_UNAVAILABLE);
    assert_int_equal(try_to_insert(second, 3, "second's"), COMMITTED);
    assert_int_equal(count_of_things(), 2);
    batch_close(second);
    *state = NULL;
    batch_close(first);
}

static void a_quiet_process_notices_as_well(void **state) {
    end_lease();
    struct batch *second = open_batch(BATCH_WRITE);
    assert_int_equal(batch_probe(*state).code, RESULT_CONFLICT);
    assert_int_equal(batch_tidy(*state, false), COMMIT_FENCED);
    batch_close(second);
}

static void a_database_that_lost_commits_is_noticed(void **state) {
    assert_int_equal(try_to_insert(*state, 1, "lost"), COMMITTED);
    cluster_sql(&cluster, "UPDATE things.fence SET sequence = sequence - 1");
    assert_int_equal(try_to_insert(*state, 2, "on sand"), COMMIT_FENCED);
    assert_int_equal(count_of_things(), 1);
}

/* ---- doubt ---- */

static void a_commit_that_never_arrived_was_not_made(void **state) {
    atomic_store(proxy.trick, CUT_BEFORE);
    assert_int_equal(try_to_insert(*state, 1, "lost on its way"), COMMIT_DOUBTFUL);
    assert_int_equal(batch_settle(*state), NOT_COMMITTED);
    assert_int_equal(count_of_things(), 0);
    assert_int_equal(try_to_insert(*state, 1, "sent again"), COMMITTED);
    assert_int_equal(count_of_things(), 1);
}

static void a_commit_whose_answer_was_lost_was_made(void **state) {
    atomic_store(proxy.trick, CUT_AFTER);
    assert_int_equal(try_to_insert(*state, 1, "made"), COMMIT_DOUBTFUL);
    assert_int_equal(batch_settle(*state), COMMITTED);
    assert_int_equal(count_of_things(), 1);
    assert_int_equal(try_to_insert(*state, 2, "the next"), COMMITTED);
}

/* Told as not made, and still on its way: it must not be made afterwards. */
static void wait_for_trick(int trick) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; atomic_load(proxy.trick) != trick; i++) {
        assert_true(i < 20000);
        nanosleep(&pause, NULL);
    }
}

static void a_commit_that_arrives_after_it_was_settled_is_not_made(void **state) {
    atomic_store(proxy.trick, HOLD);
    assert_int_equal(try_to_insert(*state, 1, "very slow"), COMMIT_DOUBTFUL);
    wait_for_trick(HELD); /* the proxy says so a moment after it has cut the connection */
    assert_int_equal(batch_settle(*state), NOT_COMMITTED);
    atomic_store(proxy.trick, LET_GO);
    wait_for_trick(PASS);
    assert_int_equal(count_of_things(), 0);
}

/* As at the end of a stopping store: nobody settled it, and the next transaction finds out first. */
static void a_doubt_that_was_given_up_is_settled_by_who_comes_next(void **state) {
    struct batch *writer = *state;
    for (int64_t number = 1; number <= 3; number += 2) {
        atomic_store(proxy.trick, number == 1 ? CUT_AFTER : CUT_BEFORE);
        assert_int_equal(try_to_insert(writer, number, number == 1 ? "made" : "not made"), COMMIT_DOUBTFUL);
        batch_rollback(writer);
        assert_int_equal(batch_tidy(writer, false), COMMITTED);
        assert_int_equal(try_to_insert(writer, number + 1, number == 1 ? "next" : "and the next"), COMMITTED);
    }
    assert_int_equal(count_of_things(), 3);
}

static void a_doubt_ends_as_well_when_another_has_taken_over(void **state) {
    atomic_store(proxy.trick, CUT_AFTER);
    assert_int_equal(try_to_insert(*state, 1, "made"), COMMIT_DOUBTFUL);
    end_lease();
    struct batch *second = open_batch(BATCH_WRITE);
    assert_int_equal(batch_settle(*state), COMMIT_FENCED);
    batch_close(second);
}

static void a_server_that_dies_is_waited_for(void **state) {
    struct batch *writer = *state;
    struct result reason;
    int64_t count = 0;
    assert_int_equal(try_to_insert(writer, 1, "kept"), COMMITTED);
    struct batch *reader = open_batch(BATCH_READ);
    assert_int_equal(batch_begin(writer).code, RESULT_OK);
    batch_ask(writer, &count_things_question, NULL, take_count, &count);
    assert_int_equal(batch_run(writer).code, RESULT_OK);
    batch_do(writer, &insert_thing, (struct value[]){value_integer(2), value_text(TEXT("into the void"))}, 1);
    cluster_kill(&cluster);
    enum commit_end end = batch_commit(writer, &reason);
    assert_true(end == NOT_COMMITTED || end == COMMIT_DOUBTFUL);
    if (end == COMMIT_DOUBTFUL) assert_int_equal(batch_settle(writer), COMMIT_DOUBTFUL); /* nobody answers */
    batch_ask(reader, &count_things_question, NULL, take_count, &count);
    assert_int_equal(batch_run(reader).code, RESULT_UNAVAILABLE);
    cluster_start(&cluster);
    if (end == COMMIT_DOUBTFUL) assert_int_equal(batch_settle(writer), NOT_COMMITTED);
    assert_int_equal(try_to_insert(writer, 3, "after"), COMMITTED);
    batch_ask(reader, &count_things_question, NULL, take_count, &count);
    assert_int_equal(batch_run(reader).code, RESULT_OK);
    assert_int_equal(count, 2);
    batch_close(reader);
}

/* Restarted between two uses: nobody need notice. */
static void a_server_that_was_restarted_costs_nothing(void **state) {
    struct batch *writer = *state, *reader = open_batch(BATCH_READ);
    struct result reason;
    int64_t count = -1;
    cluster_kill(&cluster);
    assert_int_equal(batch_probe(writer).code, RESULT_UNAVAILABLE);
    assert_int_equal(batch_tidy(writer, false), NOT_COMMITTED);
    cluster_start(&cluster);
    assert_int_equal(batch_tidy(writer, false), COMMITTED);
    batch_ask(reader, &count_things_question, NULL, take_count, &count);
    assert_int_equal(batch_run(reader).code, RESULT_OK);
    assert_int_equal(batch_begin(writer).code, RESULT_OK);
    batch_ask(writer, &count_things_question, NULL, take_count, &count);
    assert_int_equal(batch_run(writer).code, RESULT_OK);
    batch_do(writer, &insert_thing, (struct value[]){value_integer(1), value_text(TEXT("a thing"))}, 1);
    assert_int_equal(batch_commit(writer, &reason), COMMITTED);
    batch_close(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_url_with_a_password_is_refused, create, drop),
        cmocka_unit_test_setup_teardown(a_schema_is_made_once_and_must_be_there, create, drop),
        cmocka_unit_test_setup_teardown(a_lease_is_given_back_at_the_end, create, drop),
        cmocka_unit_test_setup_teardown(a_living_lease_keeps_others_out_and_a_dead_process_does_not, create, drop),
        cmocka_unit_test_setup_teardown(a_process_that_was_overtaken_writes_nothing_more, create, drop),
        cmocka_unit_test_setup_teardown(a_quiet_process_notices_as_well, create, drop),
        cmocka_unit_test_setup_teardown(a_database_that_lost_commits_is_noticed, create, drop),
        cmocka_unit_test_setup_teardown(a_commit_that_never_arrived_was_not_made, create, drop),
        cmocka_unit_test_setup_teardown(a_commit_whose_answer_was_lost_was_made, create, drop),
        cmocka_unit_test_setup_teardown(a_commit_that_arrives_after_it_was_settled_is_not_made, create, drop),
        cmocka_unit_test_setup_teardown(a_doubt_that_was_given_up_is_settled_by_who_comes_next, create, drop),
        cmocka_unit_test_setup_teardown(a_doubt_ends_as_well_when_another_has_taken_over, create, drop),
        cmocka_unit_test_setup_teardown(a_server_that_dies_is_waited_for, create, drop),
        cmocka_unit_test_setup_teardown(a_server_that_was_restarted_costs_nothing, create, drop),
    };
    return cmocka_run_group_tests(tests, make_cluster, remove_cluster);
}
