#include "service/backup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/file.h"
#include "base/crypto.h"
#include "service/progress.h"
#include "store/open.h"
#include "store/sqlite/backup.h"

#define PATH_BYTES    4200u
#define KEY_BYTES_MAX (64u * 1024)

static void release_arena(struct arena *arena) { arena_release(arena); }
static void close_folder(DIR **folder) {
    if (*folder != NULL) (void)closedir(*folder);
}

static struct result join(char path[PATH_BYTES], const char *before, const char *between, const char *behind) {
    int size = snprintf(path, PATH_BYTES, "%s%s%s", before, between, behind);
    if (size > 0 && (size_t)size < PATH_BYTES) return result_ok();
    fputs("the path is too long\n", stderr);
    return result_error(RESULT_INVALID);
}

static void show_progress(void *context, int percent) {
    if (progress_percent_is_due(context, percent)) fprintf(stderr, "copied %d %%\n", percent);
}

/* ---- backup ---- */

static struct result put_key(const char *copy, const char *folder, const char *name) {
    __attribute__((cleanup(release_arena))) struct arena arena;
    char path[PATH_BYTES];
    struct text content;
    arena_init(&arena, 2 * KEY_BYTES_MAX);
    TRY(join(path, folder, "/", name));
    TRY(file_read(path, KEY_BYTES_MAX, true, &arena, &content));
    struct result put = database_put_file(copy, text_of(name), content);
    crypto_wipe((void *)(uintptr_t)content.data, content.size);
    return put;
}

static struct result put_keys(const char *copy, const char *data) {
    char keys[PATH_BYTES];
    TRY(join(keys, data, "/", "keys"));
    __attribute__((cleanup(close_folder))) DIR *folder = opendir(keys);
    if (folder == NULL) return result_error(RESULT_NOT_FOUND);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        size_t size = strlen(entry->d_name);
        if (size > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + size - 4, ".jwk") == 0) TRY(put_key(copy, keys, entry->d_name));
    }
    return result_ok();
}

static struct result put_secret(const struct backup *backup, const char *copy, const char *data) {
    char path[PATH_BYTES];
    if (backup->secret_name == NULL) return result_ok();
    TRY(join(path, data, "/", backup->secret_name));
    return access(path, F_OK) == 0 ? put_key(copy, data, backup->secret_name) : result_ok();
}

/* Whose file it is, and whether it is as new as this program: with the words of every other command. */
static struct result look_at(const struct backup *backup, const char *database) {
    const struct place place = {.file = database, .schema = backup->schema};
    struct batch *batch;
    TRY(batch_open(&place, BATCH_READ, &batch));
    batch_close(batch);
    return result_ok();
}

static struct result make(const struct backup *backup, const char *data, const char *file, const char *draft) {
    char database[PATH_BYTES];
    int shown = 0;
    TRY(join(database, data, "/", backup->database_name));
    TRY(look_at(backup, database));
    TRY(database_copy(database, draft, show_progress, &shown));
    TRY(put_keys(draft, data));
    TRY(put_secret(backup, draft, data));
    TRY(backup->verify(draft));
    if (rename(draft, file) != 0) {
        fprintf(stderr, "%s: %s\n", file, strerror(errno));
        return result_error(RESULT_IO);
    }
    return file_sync_folder_of(file);
}

int backup_make(const struct backup *backup, const char *data, const char *store_url, const char *file) {
    char draft[PATH_BYTES];
    struct stat status;
    if (store_url != NULL) {
        fprintf(stderr, "%s: with --store the rows are PostgreSQL's: pg_dump or pg_basebackup backs them up; %s/keys is a folder to copy\n",
                backup->program, data);
        return 1;
    }
    if (!result_is_ok(service_check_folder(data, stderr)) || !result_is_ok(join(draft, file, "", ".new"))) return 1;
    if (lstat(file, &status) == 0) {
        fprintf(stderr, "%s: %s exists already\n", backup->program, file);
        return 1;
    }
    struct result made = make(backup, data, file, draft);
    if (!result_is_ok(made)) {
        (void)unlink(draft);
        fprintf(stderr, "%s: no backup was made: %s\n", backup->program, result_name(made));
        return 1;
    }
    if (stat(file, &status) == 0)
        printf("%s is whole and proven: %lld bytes, with the keys: keep it where only you can read it\n", file, (long long)status.st_size);
    return 0;
}

/* ---- restore ---- */

struct restored_folder {
    const struct backup *backup;
    const char *folder, *keys;
};

static struct result take_key(void *context, struct text name, struct text content) {
    const struct restored_folder *to = context;
    char path[PATH_BYTES], file[256];
    const char *folder = to->keys;
    bool is_name = name.size > 4 && name.size < sizeof file && memchr(name.data, '/', name.size) == NULL && name.data[0] != '.';
    if (!is_name) return result_error(RESULT_CORRUPT);
    memcpy(file, name.data, name.size);
    file[name.size] = '\0';
    if (to->backup->secret_name != NULL && strcmp(file, to->backup->secret_name) == 0) folder = to->folder;
    TRY(join(path, folder, "/", file));
    return file_replace(path, content);
}

struct restoring {
    const struct backup *backup;
    const char *file;
};

/* The writer is opened once: a backup of an older version is brought to the schema of this one. */
static struct result migrate(const struct backup *backup, const char *database) {
    const struct place place = {.file = database, .schema = backup->schema};
    struct batch *batch;
    TRY(batch_open(&place, BATCH_WRITE, &batch));
    batch_close(batch);
    return result_ok();
}

static struct result fill_folder(const char *folder, void *context) {
    const struct restoring *restoring = context;
    char database[PATH_BYTES], keys[PATH_BYTES];
    int shown = 0;
    TRY(join(database, folder, "/", restoring->backup->database_name));
    TRY(join(keys, folder, "/", "keys"));
    if (mkdir(keys, 0700) != 0) return result_error(RESULT_IO);
    TRY(database_copy(restoring->file, database, show_progress, &shown));
    struct restored_folder to = {restoring->backup, folder, keys};
    TRY(database_take_files(database, take_key, &to));
    TRY(migrate(restoring->backup, database));
    TRY(file_sync_folder_of(database));
    return restoring->backup->verify(database);
}

int backup_restore(const struct backup *backup, const char *file, const char *data) {
    struct restoring restoring = {.backup = backup, .file = file};
    struct result restored = service_create_folder(data, fill_folder, &restoring, stderr);
    if (!result_is_ok(restored)) {
        fprintf(stderr, "%s: %s was not restored: %s\n", backup->program, data, result_name(restored));
        return 1;
    }
    printf("%s is restored and proven: serve it with --data %s\n", file, data);
    return 0;
}
