/* The store's database on a disk that fails: starts itself again with faultdisk.so (its one argument) loaded. */
#include "folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define CONTROL_BYTES 4096

/* As tests/crash/faultdisk.c lays it out. */
struct control {
    _Atomic char mode;
    char rest_of_word[7];
    _Atomic uint64_t failed_calls;
    char path_end[64];
};

static struct control *control;

static void let_disk(const char *mode) { control->mode = mode[0]; }

static int make_folder(void **state) {
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    folder_make(folder, getenv("FAULTDISK_PREFIX"));
    memset(control->path_end, 0, sizeof control->path_end);
    control->failed_calls = 0;
    *state = folder;
    return 0;
}

static int remove_folder(void **state) {
    let_disk("none");
    folder_drop(*state);
    free(*state);
    return 0;
}

static void commits_refuse_and_recover(struct folder *folder, const char *mode, enum result_code expected) {
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    struct database *reader = folder_open(folder, DATABASE_READ);
    assert_int_equal(insert_things(writer, 1, 5, 1000).code, RESULT_OK);
    struct statement unfinished; /* a failure in the middle of a load leaves one like this */
    bool is_row = false;
    assert_int_equal(statement_prepare(writer, "SELECT number FROM things", &unfinished).code, RESULT_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(statement_step(&unfinished, &is_row).code, RESULT_OK);
        let_disk(mode);
        assert_int_equal(insert_things(writer, 6 + round, 20, 1000).code, expected);
        assert_int_equal(statement_step(&unfinished, &is_row).code, RESULT_OK);
        assert_int_equal(statement_integer(&unfinished, 0), 1); /* begun anew: it holds no old state */
        assert_int_equal(insert_things(writer, 6 + round, 1, 1000).code, expected);
        assert_int_equal(database_probe(writer).code, expected);
        assert_true(control->failed_calls > 0);
        assert_int_equal(count_things(writer), 5 + round); /* reads go on, and nothing of it is seen */
        assert_int_equal(count_things(reader), 5 + round);
        let_disk("none");
        assert_int_equal(database_probe(writer).code, RESULT_OK);
        assert_int_equal(insert_things(writer, 6 + round, 1, 1000).code, RESULT_OK);
        assert_int_equal(count_things(reader), 6 + round);
    }
    assert_verified(reader);
    database_close(reader);
    database_close(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), -1);
    writer = folder_open(folder, DATABASE_WRITE);
    assert_int_equal(count_things(writer), 8);
    assert_verified(writer);
    database_close(writer);
}

static void a_full_disk(void **state) { commits_refuse_and_recover(*state, "quota", RESULT_FULL); }
static void a_disk_that_cannot_write(void **state) { commits_refuse_and_recover(*state, "write", RESULT_IO); }
static void a_disk_that_cannot_sync(void **state) { commits_refuse_and_recover(*state, "sync", RESULT_IO); }

static void a_disk_without_room_to_grow(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(writer, 1, 50, 3000).code, RESULT_OK);
    assert_int_equal(run_sql(writer, "DELETE FROM things WHERE number > 5").code, RESULT_OK);
    database_checkpoint(writer, 0); /* the file has room inside now, and so has the WAL, from its start */
    let_disk("full");
    int64_t number = 6;
    struct result outcome;
    while (result_is_ok(outcome = insert_things(writer, number, 1, 1500))) number++;
    assert_int_equal(outcome.code, RESULT_FULL);
    assert_true(number > 10);
    assert_int_equal(count_things(writer), number - 1);
    assert_int_equal(database_probe(writer).code, RESULT_OK); /* by beginning the WAL anew */
    assert_int_equal(insert_things(writer, number, 1, 1500).code, RESULT_OK);
    assert_int_equal(count_things(writer), number);
    while (result_is_ok(outcome = insert_things(writer, ++number, 30, 3000))) number += 29;
    assert_int_equal(outcome.code, RESULT_FULL);
    int64_t kept = count_things(writer);
    let_disk("none");
    assert_int_equal(database_probe(writer).code, RESULT_OK);
    assert_int_equal(insert_things(writer, number, 30, 3000).code, RESULT_OK);
    assert_int_equal(count_things(writer), kept + 30);
    assert_verified(writer);
    database_close(writer);
}

/* What the lengthening needs is not there: the WAL is as it was, commits go on, and it is not tried again. */
static void no_room_for_the_crowd(struct folder *folder, const char *mode) {
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(writer, 1, 5, 1000).code, RESULT_OK);
    off_t before = folder_file_size(folder, "-wal");
    let_disk(mode);
    for (int i = 0; i < 11; i++) database_make_room(writer);
    assert_true(control->failed_calls > 0);
    let_disk("none");
    for (int i = 0; i < 11; i++) database_make_room(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), before);
    assert_int_equal(insert_things(writer, 6, 1, 1000).code, RESULT_OK);
    assert_int_equal(count_things(writer), 6);
    assert_verified(writer);
    database_close(writer);
}

static void no_room_on_a_full_disk(void **state) { no_room_for_the_crowd(*state, "full"); }
static void no_room_on_a_disk_that_cannot_write(void **state) { no_room_for_the_crowd(*state, "write"); }
static void no_room_on_a_disk_that_cannot_sync(void **state) { no_room_for_the_crowd(*state, "sync"); }

/* What a process leaves that dies after a failed commit, and before the next when `then` is 0. */
static int64_t count_after_death(const struct folder *folder, int64_t failing, int64_t then) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct database *writer = NULL;
        if (!result_is_ok(database_open(folder->database, DATABASE_WRITE, &folder_schema, &writer))) _exit(1);
        let_disk("sync");
        if (insert_things(writer, 1000, failing, 1000).code != RESULT_IO) _exit(2);
        let_disk("none");
        if (then > 0 && !result_is_ok(insert_things(writer, 2000, then, 1000))) _exit(3);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    struct database *writer = folder_open(folder, DATABASE_WRITE);
    assert_verified(writer);
    int64_t count = count_things(writer);
    database_close(writer);
    return count;
}

static void a_failed_commit_never_comes_back_behind_a_later_one(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    assert_int_equal(insert_things(writer, 1, 5, 1000).code, RESULT_OK);
    database_close(writer);
    assert_int_equal(count_after_death(folder, 30, 2), 7);
    int64_t count = count_after_death(folder, 30, 0); /* nothing came later: whole, or not there */
    assert_true(count == 7 || count == 37);
}

static void death_at_the_sync_loses_nothing_that_was_acknowledged(void **state) {
    struct folder *folder = *state;
    database_close(folder_open(folder, DATABASE_CREATE));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct database *writer = NULL;
        if (!result_is_ok(database_open(folder->database, DATABASE_WRITE, &folder_schema, &writer))) _exit(1);
        if (!result_is_ok(insert_things(writer, 1, 9, 1000))) _exit(2);
        let_disk("kill");
        (void)!insert_things(writer, 10, 9, 1000).code;
        _exit(3);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    let_disk("none");
    struct database *writer = folder_open(folder, DATABASE_WRITE);
    int64_t count = count_things(writer);
    assert_true(count == 9 || count == 18);
    assert_verified(writer);
    database_close(writer);
}

static void a_failed_checkpoint_is_repeated(void **state) {
    struct folder *folder = *state;
    static const char *const modes[] = {"sync", "write", "quota", "full"};
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    int64_t number = 1;
    /* Only the database file fails: commits go on. */
    memcpy(control->path_end, "test.db", sizeof "test.db");
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++, number += 20) {
        assert_int_equal(insert_things(writer, number, 20, 3000).code, RESULT_OK);
        uint64_t failed = control->failed_calls;
        let_disk(modes[i]);
        database_checkpoint(writer, 0);
        assert_true(control->failed_calls > failed);
        assert_true(result_is_ok(insert_things(writer, 10000 + number, 1, 10)));
        let_disk("none");
        database_checkpoint(writer, 0);
        assert_true(folder_file_size(folder, "") >= number * 4096); /* it is in the file now */
    }
    int64_t count = count_things(writer);
    database_close(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), -1);
    writer = folder_open(folder, DATABASE_WRITE);
    assert_int_equal(count_things(writer), count);
    assert_verified(writer);
    database_close(writer);
}

static void a_part_that_could_not_be_synced_stops_checkpoints(void **state) {
    struct folder *folder = *state;
    struct database *writer = folder_open(folder, DATABASE_CREATE);
    struct database *reader = folder_open(folder, DATABASE_READ);
    assert_int_equal(insert_things(writer, 1, 20, 3000).code, RESULT_OK);
    assert_int_equal(database_begin_read(reader).code, RESULT_OK);
    assert_int_equal(count_things(reader), 20);
    assert_int_equal(insert_things(writer, 21, 20, 3000).code, RESULT_OK);
    memcpy(control->path_end, "test.db", sizeof "test.db");
    let_disk("sync");
    database_checkpoint(writer, 0); /* copies what the reader does not need any more, and cannot sync it */
    assert_int_equal(control->failed_calls, 1);
    let_disk("none");
    database_end_read(reader);
    database_close(reader);
    off_t size = folder_file_size(folder, "");
    assert_int_equal(insert_things(writer, 41, 20, 3000).code, RESULT_OK);
    database_checkpoint(writer, 0);
    assert_int_equal(folder_file_size(folder, ""), size);
    assert_int_equal(database_probe(writer).code, RESULT_OK);
    database_close(writer);
    assert_true(folder_file_size(folder, "-wal") > 60 * 4096); /* all of it */
    writer = folder_open(folder, DATABASE_WRITE);
    assert_int_equal(count_things(writer), 60);
    database_close(writer);
    assert_int_equal(folder_file_size(folder, "-wal"), -1);
    assert_true(folder_file_size(folder, "") > size);
    writer = folder_open(folder, DATABASE_WRITE);
    assert_int_equal(count_things(writer), 60);
    assert_verified(writer);
    database_close(writer);
}

static void a_creation_that_fails_leaves_nothing(void **state) {
    struct folder *folder = *state;
    static const struct {
        const char *mode;
        enum result_code code;
    } cases[] = {{"full", RESULT_FULL}, {"quota", RESULT_FULL}, {"write", RESULT_IO}, {"sync", RESULT_IO}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct database *database = NULL;
        let_disk(cases[i].mode);
        assert_int_equal(database_open(folder->database, DATABASE_CREATE, &folder_schema, &database).code, cases[i].code);
        let_disk("none");
        assert_int_equal(folder_file_size(folder, ""), -1);
        assert_int_equal(folder_file_size(folder, ".new"), -1);
    }
    database_close(folder_open(folder, DATABASE_CREATE));
}

/* ---- what is said of it ---- */

/* Runs this with standard error in a file; how often `words` came there. */
static size_t count_said(const char *words, void (*run)(struct database *writer), struct database *writer) {
    static char said[64 * 1024];
    int file = memfd_create("said", MFD_CLOEXEC);
    int before = dup(STDERR_FILENO);
    assert_true(file >= 0 && before >= 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    run(writer);
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    ssize_t size = pread(file, said, sizeof said - 1, 0);
    assert_true(size >= 0);
    said[size] = '\0';
    close(before);
    close(file);
    size_t count = 0;
    for (const char *at = said; (at = strstr(at, words)) != NULL; at++) count++;
    return count;
}

/* Batches that write nothing come between, as they do in a service: they say nothing about the disk. */
static void writes_in_vain(struct database *writer) {
    for (int i = 0; i < 5; i++) {
        assert_false(result_is_ok(insert_things(writer, 100, 2000, 1000)));
        assert_int_equal(database_begin(writer).code, RESULT_OK);
        assert_int_equal(database_commit(writer).code, RESULT_OK);
    }
}

static void what_fails_is_said_once(void **state) {
    struct database *writer = folder_open(*state, DATABASE_CREATE);
    static const char *const modes[] = {"quota", "full", "write", "sync"};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        let_disk(modes[i]);
        assert_int_equal(count_said("database_failed", writes_in_vain, writer), 1);
        let_disk("none");
        assert_int_equal(database_probe(writer).code, RESULT_OK); /* so that the next one is said again */
    }
    database_close(writer);
}

static void small_writes_on_a_full_disk(struct database *writer) {
    for (int i = 0; i < 5; i++) {
        assert_int_equal(insert_things(writer, 6 + i, 1, 10).code, RESULT_OK);
        assert_int_equal(insert_things(writer, 100, 800, 1000).code, RESULT_FULL);
    }
}

/* A write that still fits between two that don't is no room yet. */
static void a_full_disk_is_said_once_though_little_fits(void **state) {
    struct database *writer = folder_open(*state, DATABASE_CREATE);
    assert_int_equal(insert_things(writer, 1, 50, 3000).code, RESULT_OK);
    assert_int_equal(run_sql(writer, "DELETE FROM things WHERE number > 5").code, RESULT_OK);
    database_checkpoint(writer, 0);
    let_disk("full");
    assert_int_equal(count_said("database_failed", small_writes_on_a_full_disk, writer), 1);
    let_disk("none");
    assert_int_equal(database_probe(writer).code, RESULT_OK);
    assert_int_equal(count_things(writer), 10);
    database_close(writer);
}

/* ---- the start with the library ---- */

static void run_again_with(const char *program, const char *library) {
    char folder[FOLDER_BYTES], control_path[FOLDER_BYTES + 16];
    folder_create(folder, "store-faults");
    snprintf(control_path, sizeof control_path, "%s.control", folder);
    int fd = open(control_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, CONTROL_BYTES) == 0);
    close(fd);
    char sanitizer[512];
    const char *given = getenv("ASAN_OPTIONS");
    snprintf(sanitizer, sizeof sanitizer, "%s%sverify_asan_link_order=0", given == NULL ? "" : given, given == NULL ? "" : ":");
    setenv("ASAN_OPTIONS", sanitizer, 1);
    setenv("LD_PRELOAD", library, 1);
    setenv("FAULTDISK_PREFIX", folder, 1);
    setenv("FAULTDISK_CONTROL", control_path, 1);
    execl(program, program, library, (char *)NULL);
    CHECK(false);
}

static void map_control(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    void *mapped = mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(mapped != MAP_FAILED);
    close(fd);
    control = mapped;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const char *control_path = getenv("FAULTDISK_CONTROL");
    if (control_path == NULL) run_again_with("/proc/self/exe", argv[1]);
    map_control(control_path);
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_full_disk),
        TEST(a_disk_that_cannot_write),
        TEST(a_disk_that_cannot_sync),
        TEST(a_disk_without_room_to_grow),
        TEST(no_room_on_a_full_disk),
        TEST(no_room_on_a_disk_that_cannot_write),
        TEST(no_room_on_a_disk_that_cannot_sync),
        TEST(a_failed_commit_never_comes_back_behind_a_later_one),
        TEST(death_at_the_sync_loses_nothing_that_was_acknowledged),
        TEST(a_failed_checkpoint_is_repeated),
        TEST(a_part_that_could_not_be_synced_stops_checkpoints),
        TEST(a_creation_that_fails_leaves_nothing),
        TEST(what_fails_is_said_once),
        TEST(a_full_disk_is_said_once_though_little_fits),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(control_path);
    rmdir(getenv("FAULTDISK_PREFIX"));
    return failed;
}
