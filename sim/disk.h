/* A disk in memory that knows what was synced. Files have two contents: the one that reads see, and the one that is on the platter. They share the
 * pages that are the same in both (sim/pages.h).
 *
 *   write ──▶ visible, and a pending piece ──sync──▶ platter
 *                         └──crash──▶ each pending sector is on the platter, or not, or in part, in any combination
 *                         └──a failed sync──▶ each pending sector is synced, or forgotten: visible, but never to be written by a later sync
 *
 * As Linux does it: a file's new size belongs to the data that is synced; a file that was made or deleted without a sync may be back or gone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/pages.h"

#define DISK_FILES_MAX    16u
#define DISK_SECTOR_BYTES 512u

struct pending_piece {
    size_t offset, size;
    bool is_cut;            /* the file was cut, or lengthened, at `offset` */
    struct content content; /* as it was written; begins where the page of `offset` begins */
    struct pending_piece *next;
};

struct disk_file {
    char name[64]; /* empty: free */
    bool is_visible, is_on_platter;
    struct content visible, platter;
    struct pending_piece *oldest, *newest;
    size_t differs_from, differs_to; /* both contents are the same outside of this; none when from is to */
    bool has_forgotten;              /* pieces that no later sync will write */
    void *locks;                     /* of the VFS: gone after a crash */
};

struct disk {
    struct disk_file files[DISK_FILES_MAX];
    bool is_full;
    /* Of which a sync has failed, until it is written anew and synced: what is visible of it may be a transaction that was given up. NULL: of none. */
    const struct disk_file *failed;
    bool is_written_anew;
    uint64_t calls;    /* so far, of this incarnation */
    uint64_t crash_at; /* the call in which the process dies; 0: none */
};

struct disk_file *disk_find(struct disk *disk, const char *name); /* NULL: no such visible file */
struct disk_file *disk_make(struct disk *disk, const char *name);
void disk_delete(struct disk *disk, struct disk_file *file, bool is_synced);
size_t disk_read(const struct disk_file *file, void *buffer, size_t size, size_t offset); /* bytes read; the rest is zeroed */
void disk_write(struct disk_file *file, const void *data, size_t size, size_t offset);
void disk_truncate(struct disk_file *file, size_t size);
void disk_sync(struct disk_file *file);
void disk_fail_sync(struct disk_file *file);
void disk_crash(struct disk *disk);
void disk_copy(struct disk *to, const struct disk *from);
/* What a snapshot of the file system has: everything that is visible. */
void disk_snapshot(struct disk *to, const struct disk *from);
/* For the first content of a file: visible and synced. */
void disk_put(struct disk *disk, const char *name, const void *data, size_t size);
