/* SQLite's way to the disks of the world: a VFS (sqlite.org/vfs.html), registered as the default one before any database is opened.
 *
 * A path is the data folder, which is the process's number, and the file: 0/wallet.db. Calls of fibers can crash, fail, take long, and give others their turn; calls of the scheduler itself, which
 * are the oracle's, never do. Locks and the shared memory of a WAL live with the file and are gone after a crash of its process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DISK_PATH_WALLET   "0/wallet.db"
#define DISK_PATH_DISCOUNT "1/discount.db"

#define DISK_WAL_HEADER_BYTES 48

struct disk;
/* The head of the shared memory of this database's WAL: it changes with each commit. False: there is none yet. */
bool disk_vfs_wal_header(struct disk *disk, const char *name, uint8_t ret_header[DISK_WAL_HEADER_BYTES]);
void disk_vfs_register(void); /* once */
void disk_vfs_begin(void);    /* of a world: SQLite's own randomness comes from its seed */
