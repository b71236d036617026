#include "folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static int make_folder(void **state) {
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    folder_make(folder, folder_home());
    *state = folder;
    return 0;
}

static int remove_folder(void **state) {
    folder_drop(*state);
    free(*state);
    return 0;
}

static enum result_code try_open(const struct folder *folder, enum database_mode mode, const struct schema *schema) {
    struct database *database = NULL;
    enum result_code code = database_open(folder->database, mode, schema, &database).code;
    if (code == RESULT_OK) database_close(database);
    return code;
}

static mode_t mode_of(const struct folder *folder, const char *ending) {
    char path[FOLDER_PATH_BYTES + 32];
    struct stat file;
    folder_file(folder, ending, path);
    assert_int_equal(stat(path, &file), 0);
    return file.st_mode & 0777;
}

/* Ends the process of a child with the code of what it found. */
static enum result_code wait_for_code(pid_t child) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (enum result_code)WEXITSTATUS(status);
}

static enum result_code try_open_elsewhere(const struct folder *folder, enum database_mode mode) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit((int)try_open(folder, mode, &folder_schema));
    return wait_for_code(child);
}

/* ---- opening ---- */

static void creates_once_and_for_its_owner_only(void **state) {
    struct folder *folder = *state;
    mode_t before = umask(0);
    struct database *database = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(database, 1, 1, 10).code, RESULT_OK);
    assert_int_equal(mode_of(folder, ""), 0600);
    assert_int_equal(mode_of(folder, "-wal"), 0600);
    assert_int_equal(mode_of(folder, "-shm"), 0600);
    assert_int_equal(mode_of(folder, ".lock"), 0600);
    assert_int_equal(query_integer(database, "PRAGMA application_id"), folder_schema.application_id);
    assert_int_equal(query_integer(database, "PRAGMA user_version"), 1);
    assert_int_equal(query_integer(database, "PRAGMA synchronous"), 2);
    assert_int_equal(query_integer(database, "PRAGMA foreign_keys"), 1);
    database_close(database);
    umask(before);
    assert_int_equal(folder_file_size(folder, "-wal"), -1); /* a clean end leaves one file */
    assert_int_equal(folder_file_size(folder, ".new"), -1);
    assert_int_equal(try_open(folder, DATABASE_CREATE, &folder_schema), RESULT_CONFLICT);
    database = folder_open(folder, DATABASE_WRITE);
    assert_int_equal(count_things(database), 1);
    database_close(database);
}

static void a_crashed_creation_is_begun_anew(void **state) {
    struct folder *folder = *state;
    char draft[FOLDER_PATH_BYTES + 32];
    folder_file(folder, ".new", draft);
    FILE *file = fopen(draft, "w");
    assert_non_null(file);
    fputs("half of a database", file);
    fclose(file);
    assert_int_equal(try_open(folder, DATABASE_WRITE, &folder_schema), RESULT_NOT_FOUND);
    database_close(folder_open(folder, DATABASE_CREATE));
    assert_int_equal(folder_file_size(folder, ".new"), -1);
}

static void refuses_what_is_not_its_own(void **state) {
    struct folder *folder = *state;
    assert_int_equal(try_open(folder, DATABASE_WRITE, &folder_schema), RESULT_NOT_FOUND);
    assert_int_equal(try_open(folder, DATABASE_READ, &folder_schema), RESULT_NOT_FOUND);
    assert_int_equal(folder_file_size(folder, ".lock"), -1);

    int fd = open(folder->database, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(try_open(folder, DATABASE_WRITE, &folder_schema), RESULT_INVALID); /* empty */
    char garbage[4096];
    memset(garbage, 'g', sizeof garbage);
    assert_int_equal(write(fd, garbage, sizeof garbage), sizeof garbage);
    close(fd);
    assert_int_equal(try_open(folder, DATABASE_WRITE, &folder_schema), RESULT_CORRUPT);
    assert_int_equal(try_open(folder, DATABASE_READ, &folder_schema), RESULT_CORRUPT);
    assert_int_equal(unlink(folder->database), 0);

    database_close(folder_open(folder, DATABASE_CREATE));
    struct schema other = folder_schema;
    other.application_id++;
    assert_int_equal(try_open(folder, DATABASE_WRITE, &other), RESULT_INVALID);
    assert_int_equal(try_open(folder, DATABASE_READ, &other), RESULT_INVALID);
    other = folder_schema;
    other.count = 0; /* of a version that does not know migration 1 */
    assert_int_equal(try_open(folder, DATABASE_WRITE, &other), RESULT_INVALID);
    assert_int_equal(try_open(folder, DATABASE_READ, &other), RESULT_INVALID);
    assert_int_equal(try_open(folder, DATABASE_WRITE, &folder_schema), RESULT_OK);
}

static void odd_characters_in_a_path_are_only_characters(void **state) {
    struct folder *folder = *state;
    struct folder odd = *folder;
    snprintf(odd.database, sizeof odd.database, "/%s/a?b#%%41 c", folder->path); /* a double slash at its head */
    database_close(folder_open(&odd, DATABASE_CREATE));
    database_close(folder_open(&odd, DATABASE_READ));
    assert_true(folder_file_size(&odd, "") > 0);
}

static void one_writer_per_folder(void **state) {
    struct folder *folder = *state;
    struct database *database = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(try_open_elsewhere(folder, DATABASE_WRITE), RESULT_CONFLICT);
    assert_int_equal(try_open_elsewhere(folder, DATABASE_CREATE), RESULT_CONFLICT);
    assert_int_equal(try_open(folder, DATABASE_WRITE, &folder_schema), RESULT_CONFLICT); /* nor a second one of ours */
    assert_int_equal(try_open_elsewhere(folder, DATABASE_READ), RESULT_OK);
    assert_int_equal(try_open_elsewhere(folder, DATABASE_WRITE), RESULT_CONFLICT); /* no reader's close gave the lock away */

    char path[FOLDER_PATH_BYTES + 32];
    folder_file(folder, ".lock", path);
    FILE *lock = fopen(path, "r");
    long pid = 0;
    assert_non_null(lock);
    assert_int_equal(fscanf(lock, "%ld", &pid), 1);
    fclose(lock);
    assert_int_equal(pid, getpid());

    database_close(database);
    assert_int_equal(try_open_elsewhere(folder, DATABASE_WRITE), RESULT_OK);
}

/* ---- migrations ---- */

static void migrates_each_step_or_not_at_all(void **state) {
    struct folder *folder = *state;
    database_close(folder_open(folder, DATABASE_CREATE));
    struct migration steps[] = {folder_migrations[0],
                                {.name = "0002_second.sql",
                                 .sql = "ALTER TABLE things ADD COLUMN colour TEXT; UPDATE things SET colour = 'red';"},
                                {.name = "0003_broken.sql",
                                 .sql = "CREATE TABLE made (id INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"}};
    struct schema schema = {.application_id = folder_schema.application_id, .migrations = steps, .count = 3};
    assert_int_equal(try_open(folder, DATABASE_WRITE, &schema), RESULT_INVALID);

    schema.count = 2; /* the second was done and stays */
    struct database *database = NULL;
    assert_int_equal(database_open(folder->database, DATABASE_READ, &schema, &database).code, RESULT_OK);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'made'"), 0);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM pragma_table_info('things') WHERE name = 'colour'"), 1);
    database_close(database);

    schema.count = 3;
    static const char *const wrong[] = {"CREATE TABLE made (id INTEGER) STRICT; COMMIT;",
                                        "INSERT INTO things (number, owner) VALUES (1, 99);"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        steps[2].sql = wrong[i];
        assert_int_not_equal(try_open(folder, DATABASE_WRITE, &schema), RESULT_OK);
    }
    steps[2].sql = "CREATE TABLE IF NOT EXISTS made (id INTEGER) STRICT;";
    assert_int_equal(try_open(folder, DATABASE_READ, &schema), RESULT_INVALID); /* older than the reader */
    assert_int_equal(database_open(folder->database, DATABASE_WRITE, &schema, &database).code, RESULT_OK);
    assert_int_equal(query_integer(database, "PRAGMA user_version"), 3);
    assert_int_equal(query_integer(database, "PRAGMA foreign_keys"), 1);
    assert_verified(database);
    database_close(database);
}

/* ---- statements ---- */

static void values_come_back_as_they_went(void **state) {
    struct folder *folder = *state;
    struct database *database = folder_open(folder, DATABASE_CREATE);
    struct statement statement;
    struct id id = {{1, 2, 3, 0, 255}};
    bool is_row = false;
    assert_int_equal(statement_prepare(database, "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 ;\n ", &statement).code, RESULT_OK);
    for (int round = 0; round < 2; round++) {
        statement_bind_integer(&statement, 1, INT64_MIN);
        statement_bind_text(&statement, 2, TEXT("سلام"));
        statement_bind_blob(&statement, 3, "\0\1", 2);
        statement_bind_id(&statement, 4, id);
        statement_bind_null(&statement, 5);
        statement_bind_text(&statement, 6, (struct text){NULL, 0});
        statement_bind_blob(&statement, 7, NULL, 0);
        assert_int_equal(statement_step(&statement, &is_row).code, RESULT_OK);
        assert_true(is_row);
        assert_int_equal(statement_integer(&statement, 0), INT64_MIN);
        assert_true(text_equal(statement_text(&statement, 1), TEXT("سلام")));
        assert_true(text_equal(statement_blob(&statement, 2), TEXT("\0\1")));
        assert_true(id_equal(statement_id(&statement, 3), id));
        assert_true(statement_is_null(&statement, 4));
        assert_true(id_is_zero(statement_id(&statement, 4)));
        assert_int_equal(statement_text(&statement, 4).size, 0);
        assert_false(statement_is_null(&statement, 5));
        assert_false(statement_is_null(&statement, 6));
        assert_true(statement_is_null(&statement, 7)); /* never bound */
        assert_int_equal(statement_step(&statement, &is_row).code, RESULT_OK);
        assert_false(is_row);
        statement_reset(&statement);
    }
    assert_int_equal(statement_step(&statement, &is_row).code, RESULT_OK);
    assert_true(statement_is_null(&statement, 0)); /* a reset unbinds */
    statement_reset(&statement);

    assert_int_equal(statement_prepare(database, "SELEKT 1", &statement).code, RESULT_INVALID);
    assert_int_equal(statement_prepare(database, "SELECT \"no such column\"", &statement).code, RESULT_INVALID);
    assert_int_equal(statement_prepare(database, "SELECT 1; SELECT 2", &statement).code, RESULT_INVALID);
    assert_int_equal(statement_prepare(database, "  ", &statement).code, RESULT_INVALID);
    database_close(database);
}

/* More than a statement keeps, and some of them bound twice. */
static void any_number_of_ids_can_be_bound(void **state) {
    struct folder *folder = *state;
    struct database *database = folder_open(folder, DATABASE_CREATE);
    struct statement statement;
    assert_int_equal(statement_prepare(database, "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7", &statement).code, RESULT_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; round == 1 && i < 7; i++) statement_bind_id(&statement, i + 1, (struct id){.bytes = {99}});
        for (int i = 0; i < 7; i++) statement_bind_id(&statement, i + 1, (struct id){.bytes = {(uint8_t)(10 * round + i)}});
        bool is_row = false;
        assert_int_equal(statement_step(&statement, &is_row).code, RESULT_OK);
        for (int i = 0; i < 7; i++) assert_int_equal(statement_id(&statement, i).bytes[0], 10 * round + i);
        statement_reset(&statement);
    }
    database_close(database);
}

static void a_broken_constraint_is_a_conflict(void **state) {
    struct folder *folder = *state;
    struct database *database = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(database, 1, 3, 10).code, RESULT_OK);
    assert_int_equal(insert_things(database, 3, 2, 10).code, RESULT_CONFLICT); /* primary key; 4 must not stay */
    assert_int_equal(run_sql(database, "INSERT INTO things (number, name) VALUES (9, 'thing 1')").code, RESULT_CONFLICT);
    assert_int_equal(run_sql(database, "INSERT INTO things (number, owner) VALUES (9, 77)").code, RESULT_CONFLICT);
    assert_int_equal(run_sql(database, "INSERT INTO things (number, name) VALUES (9, x'00')").code, RESULT_CONFLICT);
    assert_int_equal(count_things(database), 3);
    assert_int_equal(insert_things(database, 4, 1, 10).code, RESULT_OK);
    database_close(database);
}

static void a_reader_sees_commits_only_and_never_writes(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    struct database *reader = folder_open(folder, DATABASE_READ);
    assert_int_equal(database_begin(writer).code, RESULT_OK);
    assert_int_equal(run_sql(writer, "INSERT INTO things (number) VALUES (1)").code, RESULT_OK);
    assert_int_equal(count_things(reader), 0);
    assert_int_equal(database_commit(writer).code, RESULT_OK);
    assert_int_equal(count_things(reader), 1);

    assert_int_equal(database_begin_read(reader).code, RESULT_OK);
    assert_int_equal(count_things(reader), 1);
    assert_int_equal(insert_things(writer, 2, 5, 10).code, RESULT_OK);
    assert_int_equal(count_things(reader), 1); /* one state until the end */
    database_end_read(reader);
    assert_int_equal(count_things(reader), 6);
    assert_int_not_equal(run_sql(reader, "DELETE FROM things").code, RESULT_OK);
    database_close(writer);
    assert_int_equal(count_things(reader), 6);
    database_close(reader);
}

/* ---- checkpoints ---- */

static void the_wal_stays_small_unless_a_reader_holds_it(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    struct database *reader = folder_open(folder, DATABASE_READ);
    int64_t number = 1;
    for (int i = 0; i < 200; i++, number++) {
        assert_int_equal(insert_things(writer, number, 1, 3000).code, RESULT_OK);
        database_checkpoint(writer, 32);
    }
    assert_int_equal(insert_things(writer, number, 20, 3000).code, RESULT_OK);
    number += 20;
    database_checkpoint(writer, 0);
    off_t moved = folder_file_size(folder, "");
    assert_int_equal(insert_things(writer, number++, 1, 9000).code, RESULT_OK); /* begins the WAL anew */
    database_checkpoint(writer, 32);
    assert_int_equal(folder_file_size(folder, ""), moved); /* too little to be worth a checkpoint */
    off_t steady = folder_file_size(folder, "-wal");
    assert_true(steady > 0 && steady < 80 * 4120); /* 32 pages and one transaction's; without checkpoints it is above 400 */

    assert_int_equal(database_begin_read(reader).code, RESULT_OK);
    int64_t seen = count_things(reader);
    for (int i = 0; i < 200; i++, number++) {
        assert_int_equal(insert_things(writer, number, 1, 3000).code, RESULT_OK);
        database_checkpoint(writer, 32);
    }
    assert_int_equal(count_things(reader), seen);
    off_t held = folder_file_size(folder, "-wal");
    assert_true(held > 200 * 4120);
    database_end_read(reader);
    database_checkpoint(writer, 0);
    for (int i = 0; i < 200; i++, number++) {
        assert_int_equal(insert_things(writer, number, 1, 3000).code, RESULT_OK);
        database_checkpoint(writer, 32);
    }
    assert_int_equal(folder_file_size(folder, "-wal"), held); /* used anew from its start */
    assert_int_equal(count_things(reader), number - 1);
    assert_verified(reader);
    database_close(reader);
    database_close(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), -1);
}

/* At the tenth quiet moment after the first commit, once; what is read is the same, also after a crash with the zeros behind the last frame. */
static void the_wal_is_lengthened_for_the_crowd(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    struct database *reader = folder_open(folder, DATABASE_READ);
    database_close(writer);
    writer = folder_open(folder, DATABASE_WRITE);
    for (int i = 0; i < 20; i++) database_make_room(writer);
    assert_true(folder_file_size(folder, "-wal") <= 0); /* nothing was committed yet */
    assert_int_equal(insert_things(writer, 1, 10, 3000).code, RESULT_OK);
    off_t before = folder_file_size(folder, "-wal");
    for (int i = 0; i < 10; i++) database_make_room(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), before);
    database_make_room(writer);
    off_t room = folder_file_size(folder, "-wal");
    assert_true(room >= 8 * 1024 * 1024);
    assert_int_equal(insert_things(writer, 11, 10, 3000).code, RESULT_OK);
    for (int i = 0; i < 20; i++) database_make_room(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), room);
    assert_int_equal(count_things(reader), 20);
    database_checkpoint(writer, 0);
    assert_int_equal(insert_things(writer, 21, 1, 3000).code, RESULT_OK); /* begins the WAL anew, in the same room */
    assert_int_equal(folder_file_size(folder, "-wal"), room);
    assert_int_equal(count_things(reader), 21);
    assert_verified(reader);
    database_close(reader);
    database_close(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), -1);
}

static void a_readers_close_leaves_the_wal_alone(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(writer, 1, 10, 3000).code, RESULT_OK);
    off_t file = folder_file_size(folder, "");
    off_t wal = folder_file_size(folder, "-wal");
    database_close(folder_open(folder, DATABASE_READ));
    assert_int_equal(try_open_elsewhere(folder, DATABASE_READ), RESULT_OK);
    assert_int_equal(folder_file_size(folder, ""), file);
    assert_int_equal(folder_file_size(folder, "-wal"), wal);
    database_close(writer);
}

/* ---- crashes ---- */

static pid_t start_writing(const struct folder *folder, int64_t first, int *ret_pipe) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct database *database = NULL;
        if (!result_is_ok(database_open(folder->database, DATABASE_WRITE, &folder_schema, &database))) _exit(1);
        for (int64_t number = first;; number += 3) {
            if (!result_is_ok(insert_things(database, number, 3, 2000))) _exit(2);
            if (write(ends[1], &number, sizeof number) != sizeof number) _exit(3);
            database_checkpoint(database, 16);
        }
    }
    close(ends[1]);
    *ret_pipe = ends[0];
    return child;
}

static void what_was_committed_survives_kill(void **state) {
    struct folder *folder = *state;
    database_close(folder_open(folder, DATABASE_CREATE));
    int64_t next = 1;
    for (int round = 0; round < 6; round++) {
        int pipe_fd = -1;
        pid_t child = start_writing(folder, next, &pipe_fd);
        int64_t committed = 0;
        for (int i = 0; i < 5 + 9 * round; i++) assert_int_equal(read(pipe_fd, &committed, sizeof committed), sizeof committed);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(pipe_fd, &committed, sizeof committed) == sizeof committed) {
        }
        close(pipe_fd);
        struct database *reader = folder_open(folder, DATABASE_READ); /* before any writer has recovered */
        int64_t count = count_things(reader);
        assert_true(count >= committed + 2);
        assert_int_equal(count % 3, 0); /* whole transactions */
        assert_int_equal(query_integer(reader, "SELECT max(number) FROM things"), count);
        assert_verified(reader);
        off_t wal = folder_file_size(folder, "-wal");
        database_close(reader);
        assert_int_equal(folder_file_size(folder, "-wal"), wal); /* moving it is the writer's, even when a reader is the last to close */
        struct database *writer = folder_open(folder, DATABASE_WRITE);
        assert_int_equal(count_things(writer), count);
        database_close(writer);
        next = count + 1;
    }
}

/* ---- readers beside a stopped writer ---- */

static int be_nobody(void) {
    if (geteuid() != 0) return 0;
    return setgid(65534) == 0 && setuid(65534) == 0 ? 0 : -1;
}

static void give_to_nobody(const struct folder *folder) {
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    if (geteuid() == 0) {
        assert_int_equal(chown(folder->path, 65534, 65534), 0);
        for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
            char path[FOLDER_PATH_BYTES + 32];
            folder_file(folder, endings[i], path);
            if (access(path, F_OK) == 0) assert_int_equal(chown(path, 65534, 65534), 0);
        }
    }
    assert_int_equal(chmod(folder->path, 0500), 0);
}

/* In a process that may not write the folder. */
static enum result_code read_as_nobody(const struct folder *folder, int64_t expected_count) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct database *reader = NULL;
        if (be_nobody() != 0) _exit(100);
        enum result_code code = database_open(folder->database, DATABASE_READ, &folder_schema, &reader).code;
        if (code != RESULT_OK) _exit((int)code);
        if (count_things(reader) != expected_count) _exit(101);
        char finding[256];
        if (!result_is_ok(database_verify(reader, finding, sizeof finding))) _exit(102);
        struct database *writer = NULL;
        if (result_is_ok(database_open(folder->database, DATABASE_WRITE, &folder_schema, &writer))) _exit(103);
        database_close(reader);
        _exit(0);
    }
    return wait_for_code(child);
}

static void a_folder_that_may_not_be_written_can_be_read(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(writer, 1, 7, 100).code, RESULT_OK);
    give_to_nobody(folder);
    assert_int_equal(read_as_nobody(folder, 7), RESULT_OK); /* live, with a WAL */
    database_close(writer);
    assert_int_equal(folder_file_size(folder, "-shm"), -1);
    assert_int_equal(read_as_nobody(folder, 7), RESULT_OK);       /* stopped: the file alone */
    struct database *reader = folder_open(folder, DATABASE_READ); /* who may write makes what is missing */
    assert_int_equal(count_things(reader), 7);
    database_close(reader);
}

static void a_crashed_writers_wal_is_never_overlooked(void **state) {
    struct folder *folder = *state;
    database_close(folder_open(folder, DATABASE_CREATE));
    int pipe_fd = -1;
    int64_t committed = 0;
    pid_t child = start_writing(folder, 1, &pipe_fd);
    assert_int_equal(read(pipe_fd, &committed, sizeof committed), sizeof committed);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(pipe_fd);
    char shared_memory[FOLDER_PATH_BYTES + 32];
    folder_file(folder, "-shm", shared_memory);
    assert_true(folder_file_size(folder, "-wal") > 0);
    assert_int_equal(unlink(shared_memory), 0);
    give_to_nobody(folder);
    assert_int_equal(read_as_nobody(folder, 0), RESULT_UNAVAILABLE);
}

/* ---- proof ---- */

static void verify_names_what_is_wrong(void **state) {
    struct folder *folder = *state;
    char finding[256];
    struct database *database = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(database, 1, 500, 200).code, RESULT_OK);
    assert_verified(database);
    assert_int_equal(run_sql(database, "PRAGMA foreign_keys = OFF").code, RESULT_OK);
    assert_int_equal(run_sql(database, "UPDATE things SET owner = 5 WHERE number = 17").code, RESULT_OK);
    assert_int_equal(database_verify(database, finding, sizeof finding).code, RESULT_CORRUPT);
    assert_string_equal(finding, "row 17 of things refers to a row that owners does not have");
    assert_int_equal(run_sql(database, "UPDATE things SET owner = NULL WHERE number = 17").code, RESULT_OK);
    database_close(database);

    int fd = open(folder->database, O_WRONLY);
    char nonsense[4096];
    memset(nonsense, 0xa5, sizeof nonsense);
    off_t size = folder_file_size(folder, "");
    for (off_t at = 6 * 4096; at + 4096 <= size; at += 4096) assert_int_equal(pwrite(fd, nonsense, sizeof nonsense, at), sizeof nonsense);
    close(fd);
    database = folder_open(folder, DATABASE_READ);
    assert_int_equal(database_verify(database, finding, sizeof finding).code, RESULT_CORRUPT);
    assert_true(strlen(finding) > 0);
    database_close(database);
}

/* ---- no room, by SQLite's own bound ---- */

static void a_full_database_refuses_and_recovers(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    struct database *reader = folder_open(folder, DATABASE_READ);
    assert_true(query_integer(writer, "PRAGMA max_page_count = 40") == 40);
    int64_t number = 1;
    struct result outcome;
    while (result_is_ok(outcome = insert_things(writer, number, 2, 3000))) number += 2;
    assert_int_equal(outcome.code, RESULT_FULL);
    assert_true(number > 10);
    assert_int_equal(count_things(writer), number - 1);
    assert_int_equal(count_things(reader), number - 1);
    assert_int_equal(insert_things(writer, number, 2, 3000).code, RESULT_FULL);
    assert_int_equal(database_probe(writer).code, RESULT_OK); /* overwrites, needs no room */
    assert_true(query_integer(writer, "PRAGMA max_page_count = 4000") == 4000);
    assert_int_equal(insert_things(writer, number, 2, 3000).code, RESULT_OK);
    assert_int_equal(count_things(reader), number + 1);
    assert_verified(reader);
    database_close(reader);
    database_close(writer);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(creates_once_and_for_its_owner_only),
        TEST(a_crashed_creation_is_begun_anew),
        TEST(refuses_what_is_not_its_own),
        TEST(odd_characters_in_a_path_are_only_characters),
        TEST(one_writer_per_folder),
        TEST(migrates_each_step_or_not_at_all),
        TEST(values_come_back_as_they_went),
        TEST(any_number_of_ids_can_be_bound),
        TEST(a_broken_constraint_is_a_conflict),
        TEST(a_reader_sees_commits_only_and_never_writes),
        TEST(the_wal_stays_small_unless_a_reader_holds_it),
        TEST(the_wal_is_lengthened_for_the_crowd),
        TEST(a_readers_close_leaves_the_wal_alone),
        TEST(what_was_committed_survives_kill),
        TEST(a_folder_that_may_not_be_written_can_be_read),
        TEST(a_crashed_writers_wal_is_never_overlooked),
        TEST(verify_names_what_is_wrong),
        TEST(a_full_database_refuses_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
