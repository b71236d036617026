/* The VFS that gathers writes, against a model in memory: whatever is asked of a file, and in whatever order, it answers as if each write had
 * reached it at once; and what was synced is in the file itself. */
#include "folder.h"

#include "store/sqlite/connection.h"

#define MODEL_BYTES (1024 * 1024)
#define STEPS       6000

struct gathered {
    struct folder folder;
    char path[FOLDER_PATH_BYTES + 32]; /* of the WAL */
    sqlite3_file *file;
};

static void open_file(struct gathered *gathered) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(gather_register());
    assert_non_null(vfs);
    gathered->file = calloc(1, (size_t)vfs->szOsFile);
    assert_non_null(gathered->file);
    int flags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(vfs->xOpen(vfs, gathered->path, gathered->file, flags, NULL), SQLITE_OK);
}

static void close_file(struct gathered *gathered) {
    assert_int_equal(gathered->file->pMethods->xClose(gathered->file), SQLITE_OK);
    free(gathered->file);
}

static int set_up(void **state) {
    struct gathered *gathered = calloc(1, sizeof *gathered);
    assert_non_null(gathered);
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    folder_make(&gathered->folder, folder_home());
    FILE *database = fopen(gathered->folder.database, "wb"); /* a WAL is opened with the rights of its database */
    assert_non_null(database);
    fclose(database);
    snprintf(gathered->path, sizeof gathered->path, "%s-wal", gathered->folder.database);
    open_file(gathered);
    *state = gathered;
    return 0;
}

static int tear_down(void **state) {
    struct gathered *gathered = *state;
    close_file(gathered);
    folder_drop(&gathered->folder);
    free(gathered);
    return 0;
}

static off_t size_on_disk(const struct gathered *gathered) { return folder_file_size(&gathered->folder, "-wal"); }

static void a_run_is_written_when_it_is_synced(void **state) {
    struct gathered *gathered = *state;
    const struct sqlite3_io_methods *methods = gathered->file->pMethods;
    assert_int_equal(methods->xWrite(gathered->file, "head", 4, 0), SQLITE_OK);
    assert_int_equal(methods->xWrite(gathered->file, "page", 4, 4), SQLITE_OK);
    assert_int_equal(size_on_disk(gathered), 0);
    assert_int_equal(methods->xSync(gathered->file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(size_on_disk(gathered), 8);
    assert_int_equal(methods->xWrite(gathered->file, "next", 4, 8), SQLITE_OK);
    assert_int_equal(methods->xWrite(gathered->file, "HEAD", 4, 0), SQLITE_OK); /* another place: what was kept is written */
    assert_int_equal(size_on_disk(gathered), 12);
    char text[13] = "";
    assert_int_equal(methods->xRead(gathered->file, text, 12, 0), SQLITE_OK);
    assert_string_equal(text, "HEADpagenext");
}

static uint64_t random_state = 7;
static uint64_t next_random(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}

static char model[MODEL_BYTES], bytes[MODEL_BYTES];

static void check_read(sqlite3_file *file, size_t size) {
    size_t offset = next_random() % (size + 1), amount = next_random() % (size - offset + 1);
    if (amount == 0) return;
    assert_int_equal(file->pMethods->xRead(file, bytes, (int)amount, (sqlite3_int64)offset), SQLITE_OK);
    assert_memory_equal(bytes, model + offset, amount);
}

static void check_disk(const struct gathered *gathered, size_t size) {
    FILE *file = fopen(gathered->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, MODEL_BYTES, file), size);
    assert_memory_equal(bytes, model, size);
    fclose(file);
}

/* Mostly one write right behind the other, as SQLite's; among them jumps, large ones, and everything else. */
static void it_is_the_file_that_was_written(void **state) {
    struct gathered *gathered = *state;
    size_t size = 0, at = 0;
    for (int i = 0; i < STEPS; i++) {
        uint64_t dice = next_random() % 100;
        sqlite3_file *file = gathered->file;
        sqlite3_int64 told = 0;
        if (dice < 80) {
            if (dice < 5) at = next_random() % (size + 1);
            size_t amount = dice == 79 ? 60000 + next_random() % 70000 : 1 + next_random() % 5000;
            if (at + amount > MODEL_BYTES) at = 0;
            memset(model + at, (int)next_random(), amount);
            memcpy(bytes, model + at, amount);
            assert_int_equal(file->pMethods->xWrite(file, bytes, (int)amount, (sqlite3_int64)at), SQLITE_OK);
            at += amount;
            if (at > size) size = at;
        } else if (dice < 88) {
            check_read(file, size);
        } else if (dice < 92) {
            assert_int_equal(file->pMethods->xFileSize(file, &told), SQLITE_OK);
            assert_int_equal(told, size);
        } else if (dice < 94) {
            size = at = next_random() % (size + 1);
            assert_int_equal(file->pMethods->xTruncate(file, (sqlite3_int64)size), SQLITE_OK);
        } else if (dice < 99) {
            assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
            check_disk(gathered, size);
        } else {
            close_file(gathered);
            check_disk(gathered, size);
            open_file(gathered);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_is_written_when_it_is_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_the_file_that_was_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
