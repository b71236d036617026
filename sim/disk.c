#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/world.h"

/* ---- pieces ---- */

static size_t start_in_piece(const struct pending_piece *piece) { return piece->offset % PAGE_BYTES; }

static void apply(struct content *content, const struct pending_piece *piece) {
    if (piece->is_cut) {
        content_resize(content, piece->offset);
    } else {
        content_take(content, &piece->content, start_in_piece(piece), piece->size, piece->offset);
    }
}

static void forget_pending(struct disk_file *file) {
    while (file->oldest != NULL) {
        struct pending_piece *piece = file->oldest;
        file->oldest = piece->next;
        content_free(&piece->content);
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
    piece->is_cut = data == NULL;
    if (data == NULL) {
        content_resize(&file->visible, offset);
    } else {
        content_write(&file->visible, offset, data, size);
        content_take(&piece->content, &file->visible, offset, size, start_in_piece(piece));
    }
    if (file->newest != NULL) {
        file->newest->next = piece;
    } else {
        file->oldest = piece;
    }
    file->newest = piece;
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
    content_resize(&file->visible, 0);
    forget_pending(file);
    if (is_synced) file->is_on_platter = false;
}

size_t disk_read(const struct disk_file *file, void *buffer, size_t size, size_t offset) {
    return content_read(&file->visible, buffer, size, offset);
}

void disk_write(struct disk_file *file, const void *data, size_t size, size_t offset) {
    if (size == 0) return; /* a write that failed before its first byte: there is nothing to lose */
    add_pending(file, offset, data, size);
}

void disk_truncate(struct disk_file *file, size_t size) { add_pending(file, size, NULL, 0); }

/* Where both differ, `to` becomes as `from`; no byte is copied. */
static void make_same(struct disk_file *file, struct content *to, const struct content *from) {
    size_t end = file->differs_to < from->size ? file->differs_to : from->size;
    content_resize(to, from->size);
    if (file->differs_from < end) content_share(to, from, file->differs_from, end);
    file->differs_from = file->differs_to = 0;
}

/* Unless some pieces were forgotten, what is pending is all that the two contents differ in. */
void disk_sync(struct disk_file *file) {
    if (file->has_forgotten) {
        for (const struct pending_piece *piece = file->oldest; piece != NULL; piece = piece->next) apply(&file->platter, piece);
    } else {
        make_same(file, &file->platter, &file->visible);
    }
    forget_pending(file);
    file->is_on_platter = true;
}

void disk_put(struct disk *disk, const char *name, const void *data, size_t size) {
    struct disk_file *file = disk_make(disk, name);
    disk_write(file, data, size, 0);
    disk_sync(file);
}

/* ---- what is lost ---- */

/* Sector by sector, in the order of the writes: there, not there, or the start of it. */
static void apply_in_part(struct disk_file *file, const struct pending_piece *piece) {
    if (piece->is_cut) {
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
        if (kept > 0) content_take(&file->platter, &piece->content, start_in_piece(piece) + at, kept, piece->offset + at);
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
    make_same(file, &file->visible, &file->platter);
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
        content_resize(&file->platter, 0);
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

static void clear(struct disk *disk) {
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        forget_pending(&disk->files[i]);
        content_free(&disk->files[i].visible);
        content_free(&disk->files[i].platter);
    }
    memset(disk, 0, sizeof *disk);
}

static void copy_file(struct disk *to, const char *name, const struct content *content) {
    struct disk_file *file = disk_make(to, name);
    content_take(&file->visible, content, 0, content->size, 0);
    note_difference(file, 0, content->size);
    disk_sync(file);
}

void disk_snapshot(struct disk *to, const struct disk *from) {
    clear(to);
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        const struct disk_file *file = &from->files[i];
        if (file->name[0] != '\0' && file->is_visible) copy_file(to, file->name, &file->visible);
    }
}

void disk_copy(struct disk *to, const struct disk *from) {
    clear(to);
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        const struct disk_file *file = &from->files[i];
        if (file->name[0] != '\0' && file->is_on_platter) copy_file(to, file->name, &file->platter);
    }
}
