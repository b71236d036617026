#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/world.h"

/* ---- bytes ---- */

/* What is new is not set yet. */
static void reserve(struct bytes *bytes, size_t size) {
    if (size <= bytes->capacity) return;
    size_t capacity = bytes->capacity * 2 > size ? bytes->capacity * 2 : size + 4096;
    bytes->data = realloc(bytes->data, capacity);
    CHECK(bytes->data != NULL);
    bytes->capacity = capacity;
}

static void grow(struct bytes *bytes, size_t size) {
    if (size <= bytes->size) return;
    reserve(bytes, size);
    memset(bytes->data + bytes->size, 0, size - bytes->size);
    bytes->size = size;
}

static void put(struct bytes *bytes, size_t offset, const uint8_t *data, size_t size) {
    if (size == 0) return;
    grow(bytes, offset);
    reserve(bytes, offset + size);
    memcpy(bytes->data + offset, data, size);
    if (offset + size > bytes->size) bytes->size = offset + size;
}

static void apply(struct bytes *bytes, const struct pending_piece *piece) {
    if (piece->data != NULL) {
        put(bytes, piece->offset, piece->data, piece->size);
    } else if (piece->offset < bytes->size) {
        bytes->size = piece->offset;
    } else {
        grow(bytes, piece->offset);
    }
}

static void forget_pending(struct disk_file *file) {
    while (file->oldest != NULL) {
        struct pending_piece *piece = file->oldest;
        file->oldest = piece->next;
        free(piece->data);
        free(piece);
    }
    file->newest = NULL;
}

static void note_difference(struct disk_file *file, size_t from, size_t to) {
    bool is_first = file->differs_from == file->differs_to;
    if (is_first || from < file->differs_from) file->differs_from = from;
    if (is_first || to > file->differs_to) file->differs_to = to;
}

static void add_pending(struct disk_file *file, size_t offset, const void *data, size_t size) {
    size_t end = offset + size;
    note_difference(file, offset < file->visible.size ? offset : file->visible.size, end > file->visible.size ? end : file->visible.size);
    struct pending_piece *piece = calloc(1, sizeof *piece);
    CHECK(piece != NULL);
    piece->offset = offset;
    piece->size = size;
    if (data != NULL) {
        piece->data = malloc(size + 1);
        CHECK(piece->data != NULL);
        memcpy(piece->data, data, size);
    }
    if (file->newest != NULL) {
        file->newest->next = piece;
    } else {
        file->oldest = piece;
    }
    file->newest = piece;
    apply(&file->visible, piece);
}

/* ---- files ---- */

struct disk_file *disk_find(struct disk *disk, const char *name) {
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        if (disk->files[i].is_visible && strcmp(disk->files[i].name, name) == 0) return &disk->files[i];
    }
    return NULL;
}

/* A deleted file that may still come back keeps its place, so that the new one of that name takes it over. */
static struct disk_file *place_for(struct disk *disk, const char *name) {
    struct disk_file *free_place = NULL;
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        if (strcmp(disk->files[i].name, name) == 0) return &disk->files[i];
        if (disk->files[i].name[0] == '\0' && free_place == NULL) free_place = &disk->files[i];
    }
    CHECK(free_place != NULL && strlen(name) < sizeof free_place->name);
    memcpy(free_place->name, name, strlen(name) + 1);
    return free_place;
}

struct disk_file *disk_make(struct disk *disk, const char *name) {
    struct disk_file *file = place_for(disk, name);
    file->is_visible = true;
    add_pending(file, 0, NULL, 0);
    return file;
}

void disk_delete(struct disk *disk, struct disk_file *file, bool is_synced) {
    (void)disk;
    note_difference(file, 0, SIZE_MAX);
    file->is_visible = false;
    file->visible.size = 0;
    forget_pending(file);
    if (is_synced) file->is_on_platter = false;
}

size_t disk_read(const struct disk_file *file, void *buffer, size_t size, size_t offset) {
    size_t there = offset < file->visible.size ? file->visible.size - offset : 0;
    if (there > size) there = size;
    if (there > 0) memcpy(buffer, file->visible.data + offset, there);
    memset((uint8_t *)buffer + there, 0, size - there);
    return there;
}

void disk_write(struct disk_file *file, const void *data, size_t size, size_t offset) { add_pending(file, offset, data, size); }

void disk_truncate(struct disk_file *file, size_t size) { add_pending(file, size, NULL, 0); }

void disk_sync(struct disk_file *file) {
    for (const struct pending_piece *piece = file->oldest; piece != NULL; piece = piece->next) apply(&file->platter, piece);
    forget_pending(file);
    file->is_on_platter = true;
    if (!file->has_forgotten) file->differs_from = file->differs_to = 0;
}

void disk_put(struct disk *disk, const char *name, const void *data, size_t size) {
    struct disk_file *file = disk_make(disk, name);
    disk_write(file, data, size, 0);
    disk_sync(file);
}

/* ---- what is lost ---- */

/* Sector by sector, in the order of the writes: there, not there, or the start of it. */
static void apply_in_part(struct disk_file *file, const struct pending_piece *piece) {
    if (piece->data == NULL) {
        if (!world_fault(FAULT_LOSE_WRITE)) apply(&file->platter, piece);
        return;
    }
    for (size_t at = 0; at < piece->size;) {
        size_t left_in_sector = DISK_SECTOR_BYTES - (piece->offset + at) % DISK_SECTOR_BYTES;
        size_t size = piece->size - at < left_in_sector ? piece->size - at : left_in_sector;
        size_t kept = size;
        if (world_fault(FAULT_LOSE_WRITE)) {
            kept = 0;
        } else if (world_fault(FAULT_TEAR_WRITE)) {
            kept = random_below(&world.random, size);
        }
        if (kept > 0) put(&file->platter, piece->offset + at, piece->data + at, kept);
        at += size;
    }
}

void disk_fail_sync(struct disk_file *file) {
    for (const struct pending_piece *piece = file->oldest; piece != NULL; piece = piece->next) apply_in_part(file, piece);
    forget_pending(file);
    file->has_forgotten = true;
}

/* What is on the platter is what reads see. */
static void show_platter(struct disk_file *file) {
    size_t size = file->platter.size, to = file->differs_to < size ? file->differs_to : size;
    reserve(&file->visible, size);
    if (file->differs_from < to)
        memcpy(file->visible.data + file->differs_from, file->platter.data + file->differs_from, to - file->differs_from);
    file->visible.size = size;
    file->differs_from = file->differs_to = 0;
    file->has_forgotten = false;
}

static void crash_file(struct disk_file *file) {
    file->locks = NULL;
    bool had_pending = file->oldest != NULL;
    for (const struct pending_piece *piece = file->oldest; piece != NULL; piece = piece->next) apply_in_part(file, piece);
    forget_pending(file);
    if (file->is_visible && !file->is_on_platter && had_pending) file->is_on_platter = !world_fault(FAULT_LOSE_WRITE);
    file->is_visible = file->is_on_platter;
    if (!file->is_on_platter) {
        file->platter.size = 0;
        show_platter(file);
        file->name[0] = '\0';
        return;
    }
    show_platter(file);
}

void disk_crash(struct disk *disk) {
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        if (disk->files[i].name[0] != '\0') crash_file(&disk->files[i]);
    }
    disk->calls = 0;
    disk->crash_at = 0;
}

void disk_snapshot(struct disk *to, const struct disk *from) {
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        const struct disk_file *file = &from->files[i];
        if (file->name[0] != '\0' && file->is_visible) disk_put(to, file->name, file->visible.data, file->visible.size);
    }
}

void disk_copy(struct disk *to, const struct disk *from) {
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        const struct disk_file *file = &from->files[i];
        if (file->name[0] != '\0' && file->is_on_platter) disk_put(to, file->name, file->platter.data, file->platter.size);
    }
}
