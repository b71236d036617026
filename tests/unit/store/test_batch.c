/* The seam: what is asked, in which state, and what becomes of a failure. */
#include "store/open.h"

#include "folder.h"

static const struct question insert_thing = {.name = "a new thing",
                                             .sql = "INSERT INTO things (number, name, body) VALUES ($1, $2, $3)",
                                             .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_BYTES}};
static const struct question rename_thing = {.name = "another name",
                                             .sql = "UPDATE things SET name = $2 WHERE number = $1",
                                             .parameters = {COLUMN_INTEGER, COLUMN_TEXT}};
static const struct question thing_by_number = {.name = "a thing",
                                                .sql = "SELECT number, name, body FROM things WHERE number = $1 LIMIT 1",
                                                .parameters = {COLUMN_INTEGER}};
static const struct question all_things = {.name = "all things", .sql = "SELECT number, name, body FROM things ORDER BY number"};

struct pair {
    struct folder folder;
    struct batch_commits commits;
    char schema_name[32];
    struct schema schema;
    struct place place;
    struct batch *writer, *reader;
};

/* HAMYAN_POSTGRES=URL: the same on PostgreSQL, each test in a schema of its own. */
static int open_pair(void **state) {
    static int count;
    const char *url = getenv("HAMYAN_POSTGRES");
    struct pair *pair = calloc(1, sizeof *pair);
    assert_non_null(pair);
    folder_make(&pair->folder, folder_home());
    snprintf(pair->schema_name, sizeof pair->schema_name, "things_%d_%d", (int)getpid(), ++count);
    pair->schema = folder_schema;
    pair->schema.name = pair->schema_name;
    pair->place = (struct place){.schema = &pair->schema, .commits = &pair->commits};
    if (url == NULL) pair->place.file = pair->folder.database;
    if (url != NULL) pair->place.url = url;
    assert_int_equal(batch_open(&pair->place, BATCH_CREATE, &pair->writer).code, RESULT_OK);
    assert_int_equal(batch_open(&pair->place, BATCH_READ, &pair->reader).code, RESULT_OK);
    *state = pair;
    return 0;
}

static int close_pair(void **state) {
    struct pair *pair = *state;
    batch_close(pair->reader);
    batch_close(pair->writer);
    folder_drop(&pair->folder);
    free(pair);
    return 0;
}

struct seen {
    int64_t count, last;
    char names[256];
    enum result_code refusal; /* what the visitor says of each row */
};

static struct result see(void *context, const struct row *row) {
    struct seen *seen = context;
    seen->count++;
    seen->last = row_integer(row, 0);
    struct text name = row_text_or_empty(row, 1);
    size_t used = strlen(seen->names);
    snprintf(seen->names + used, sizeof seen->names - used, "%.*s;", (int)name.size, name.data);
    return result_error(seen->refusal);
}

static struct result count_rows(void *context, const struct row *row) {
    (void)row;
    ((struct seen *)context)->count++;
    return result_ok();
}

static struct result see_values(void *context, const struct row *row) {
    struct seen *seen = context;
    bool is_first = seen->count++ == 0;
    assert_int_equal(row_integer(row, 0), is_first ? INT64_MIN : INT64_MAX);
    assert_true(text_equal(row_text(row, 1), is_first ? TEXT("هدیه") : TEXT("")));
    assert_true(text_equal(row_bytes(row, 2), is_first ? ((struct text){"\0\1\377\0", 4}) : TEXT("")));
    return result_ok();
}

static void insert(struct batch *writer, int64_t number, const char *name) {
    const struct value values[] = {value_integer(number), value_text(text_of(name)), value_null(COLUMN_BYTES)};
    batch_do(writer, &insert_thing, values, 1);
}

static void commit(struct batch *writer) {
    struct result reason;
    assert_int_equal(batch_commit(writer, &reason), COMMITTED);
}

static void write_things(struct batch *writer, int64_t first, int64_t count) {
    assert_int_equal(batch_begin(writer).code, RESULT_OK);
    for (int64_t i = 0; i < count; i++) {
        static char names[512][32]; /* they are unique, and live until the commit */
        snprintf(names[i], sizeof names[i], "thing %lld", (long long)(first + i));
        insert(writer, first + i, names[i]);
    }
    commit(writer);
}

static struct seen read_all(struct batch *reader) {
    struct seen seen = {0};
    batch_ask(reader, &all_things, NULL, see, &seen);
    assert_int_equal(batch_run(reader).code, RESULT_OK);
    return seen;
}

static void what_is_committed_is_read_by_the_next_run(void **state) {
    struct pair *pair = *state;
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(read_all(pair->reader).count, 2 * i);
        write_things(pair->writer, 10 * i, 2);
        if (i % 2 == 0) batch_end_round(pair->reader);
    }
}

static void one_run_sees_one_state(void **state) {
    struct pair *pair = *state;
    struct seen before = {0}, after = {0};
    batch_ask(pair->reader, &all_things, NULL, see, &before);
    write_things(pair->writer, 1, 3);
    batch_ask(pair->reader, &all_things, NULL, see, &after);
    assert_int_equal(batch_run(pair->reader).code, RESULT_OK);
    assert_int_equal(before.count, after.count);
    assert_int_equal(read_all(pair->reader).count, 3);
}

/* A state that is kept is one also for a reader of the process that writes: what is added up in one run is compared in the next. */
static void a_kept_state_lasts_until_the_round_ends(void **state) {
    struct pair *pair = *state;
    struct place place = pair->place;
    struct batch *reader = NULL;
    place.keeps_state = true;
    assert_int_equal(batch_open(&place, BATCH_READ, &reader).code, RESULT_OK);
    assert_int_equal(read_all(reader).count, 0);
    write_things(pair->writer, 1, 3);
    assert_int_equal(read_all(reader).count, 0);
    batch_end_round(reader);
    assert_int_equal(read_all(reader).count, 3);
    batch_close(reader);
}

/* To SQLite a $2 would be a name, numbered by its first place in the text. */
static void parameters_are_counted_by_their_number(void **state) {
    struct pair *pair = *state;
    static const struct question between = {.name = "some things",
                                            .sql =
                                                "SELECT number, name, body FROM things WHERE number <= $2 AND number >= $1 ORDER BY number",
                                            .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
    struct seen seen = {0};
    write_things(pair->writer, 0, 9);
    batch_ask(pair->reader, &between, (struct value[]){value_integer(3), value_integer(6)}, see, &seen);
    assert_int_equal(batch_run(pair->reader).code, RESULT_OK);
    assert_string_equal(seen.names, "thing 3;thing 4;thing 5;thing 6;");
}

static void each_asker_gets_its_own_rows(void **state) {
    struct pair *pair = *state;
    struct seen seen[6] = {0};
    write_things(pair->writer, 0, 5);
    for (int64_t i = 0; i < 6; i++) batch_ask(pair->reader, &thing_by_number, (struct value[]){value_integer(5 - i)}, see, &seen[i]);
    assert_int_equal(batch_run(pair->reader).code, RESULT_OK);
    assert_int_equal(seen[0].count, 0); /* there is no thing 5 */
    for (int64_t i = 1; i < 6; i++) {
        assert_int_equal(seen[i].count, 1);
        assert_int_equal(seen[i].last, 5 - i);
    }
}

static void the_writer_sees_what_it_did(void **state) {
    struct pair *pair = *state;
    struct seen seen = {0};
    assert_int_equal(batch_begin(pair->writer).code, RESULT_OK);
    insert(pair->writer, 1, "mine");
    batch_ask(pair->writer, &all_things, NULL, see, &seen);
    assert_int_equal(batch_run(pair->writer).code, RESULT_OK);
    assert_string_equal(seen.names, "mine;");
    batch_rollback(pair->writer);
    assert_int_equal(read_all(pair->reader).count, 0);
}

static void a_write_that_misses_its_row_ends_the_commit(void **state) {
    struct pair *pair = *state;
    struct result reason;
    write_things(pair->writer, 1, 1);
    assert_int_equal(batch_begin(pair->writer).code, RESULT_OK);
    batch_do(pair->writer, &rename_thing, (struct value[]){value_integer(1), value_text(TEXT("renamed"))}, 1);
    batch_do(pair->writer, &rename_thing, (struct value[]){value_integer(2), value_text(TEXT("nobody"))}, 1);
    assert_int_equal(batch_commit(pair->writer, &reason), NOT_COMMITTED);
    assert_int_equal(reason.code, RESULT_CORRUPT);
    assert_string_equal(read_all(pair->reader).names, "thing 1;");

    assert_int_equal(batch_begin(pair->writer).code, RESULT_OK); /* and the connection is as good as new */
    batch_do(pair->writer, &rename_thing, (struct value[]){value_integer(2), value_text(TEXT("nobody"))}, ROWS_ANY);
    commit(pair->writer);
}

static void a_constraint_ends_the_commit(void **state) {
    struct pair *pair = *state;
    struct result reason;
    assert_int_equal(batch_begin(pair->writer).code, RESULT_OK);
    insert(pair->writer, 1, "a");
    insert(pair->writer, 1, "b");
    insert(pair->writer, 2, "c");
    assert_int_equal(batch_commit(pair->writer, &reason), NOT_COMMITTED);
    assert_int_equal(reason.code, RESULT_CONFLICT);
    assert_int_equal(read_all(pair->reader).count, 0);
}

static void a_visitors_failure_ends_the_run_and_no_more_are_called(void **state) {
    struct pair *pair = *state;
    struct seen seen = {.refusal = RESULT_FULL}, next = {0};
    write_things(pair->writer, 1, 3);
    batch_ask(pair->reader, &all_things, NULL, see, &seen);
    batch_ask(pair->reader, &all_things, NULL, see, &next);
    assert_int_equal(batch_run(pair->reader).code, RESULT_FULL);
    assert_int_equal(seen.count, 1);
    assert_int_equal(next.count, 0);
    assert_int_equal(read_all(pair->reader).count, 3); /* as new */
}

static struct result read_wrongly(void *context, const struct row *row) {
    switch (*(const int *)context) {
    case 0: (void)row_text(row, 0); break;                        /* an integer */
    case 1: (void)row_integer(row, 1); break;                     /* a text */
    case 2: (void)row_bytes(row, 2); break;                       /* NULL */
    case 3: (void)row_integer_between(row, 0, 5, 9); break;       /* 1 */
    case 4: (void)row_id(row, 1); break;                          /* no id */
    case 5: row_refuse(row, 1, "a name nobody has"); break;       /* the visitor's own rule */
    default: (void)row_text_or_empty(row, 1); return result_ok(); /* as it should be */
    }
    return result_ok();
}

static void a_row_that_breaks_a_rule_is_refused(void **state) {
    struct pair *pair = *state;
    write_things(pair->writer, 1, 1);
    for (int way = 0; way <= 6; way++) {
        batch_ask(pair->reader, &all_things, NULL, read_wrongly, &way);
        assert_int_equal(batch_run(pair->reader).code, way == 6 ? RESULT_OK : RESULT_CORRUPT);
    }
}

/* More than one trip's worth of one question, and questions that are asked in turns. */
static void many_askers_of_several_questions_get_their_own(void **state) {
    enum { MANY = 700 };
    static struct seen one[MANY], all[4];
    struct pair *pair = *state;
    memset(one, 0, sizeof one);
    memset(all, 0, sizeof all);
    write_things(pair->writer, 0, 300);
    for (int64_t i = 0; i < MANY; i++) {
        batch_ask(pair->reader, &thing_by_number, (struct value[]){value_integer((i * 7) % 350)}, see, &one[i]);
        if (i % 200 == 0) batch_ask(pair->reader, &all_things, NULL, count_rows, &all[i / 200]);
    }
    assert_int_equal(batch_run(pair->reader).code, RESULT_OK);
    for (int64_t i = 0; i < MANY; i++) {
        assert_int_equal(one[i].count, (i * 7) % 350 < 300);
        if (one[i].count > 0) assert_int_equal(one[i].last, (i * 7) % 350);
    }
    for (size_t i = 0; i < 4; i++) assert_int_equal(all[i].count, 300);
}

static void every_kind_of_value_comes_back_as_it_was(void **state) {
    struct pair *pair = *state;
    static const char bytes[] = {0, 1, (char)0xff, 0};
    struct seen seen = {0};
    assert_int_equal(batch_begin(pair->writer).code, RESULT_OK);
    batch_do(pair->writer, &insert_thing,
             (struct value[]){value_integer(INT64_MIN), value_text(TEXT("هدیه")), value_bytes(bytes, sizeof bytes)}, 1);
    batch_do(pair->writer, &insert_thing,
             (struct value[]){value_integer(INT64_MAX), value_text((struct text){NULL, 0}), value_bytes(NULL, 0)}, 1);
    commit(pair->writer);
    batch_ask(pair->reader, &all_things, NULL, see_values, &seen);
    assert_int_equal(batch_run(pair->reader).code, RESULT_OK);
    assert_int_equal(seen.count, 2);
}

static void a_second_writer_is_refused(void **state) {
    struct pair *pair = *state;
    struct place place = pair->place;
    struct batch_commits commits = {0};
    struct batch *second = NULL;
    place.commits = &commits;
    assert_int_equal(batch_open(&place, BATCH_WRITE, &second).code, RESULT_CONFLICT);
    assert_null(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_committed_is_read_by_the_next_run, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(one_run_sees_one_state, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_kept_state_lasts_until_the_round_ends, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(parameters_are_counted_by_their_number, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(each_asker_gets_its_own_rows, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(the_writer_sees_what_it_did, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_write_that_misses_its_row_ends_the_commit, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_constraint_ends_the_commit, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_visitors_failure_ends_the_run_and_no_more_are_called, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_row_that_breaks_a_rule_is_refused, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(many_askers_of_several_questions_get_their_own, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(every_kind_of_value_comes_back_as_it_was, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_second_writer_is_refused, open_pair, close_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
