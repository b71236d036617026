#include "sim/disk_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/memory.h"
#include "sim/process.h"
#include "sim/world.h"

#define SHM_REGIONS_MAX 64
#define SHM_SLOTS       8
#define REGION_BYTES    32768 /* wal.c, WALINDEX_PGSZ */
#define SLOW_MOST_US    400000
#define FULL_MOST_US    3000000
#define PATH_PREFIX     "/sim/"

/* Of one database file, shared by its connections; there is one in each process. After a crash all of it is as new, but its memory stays where it is: the oracle's
 * connections live on, and remember where that was. */
struct locks {
    unsigned generation;
    unsigned shared_count;
    void *reserved, *pending, *exclusive; /* the handle that has it */
    struct {
        unsigned shared_count;
        void *exclusive;
    } slots[SHM_SLOTS];
    void *regions[SHM_REGIONS_MAX];
    unsigned region_count; /* that there are; behind them is memory of before the crash */
};

struct handle {
    sqlite3_file base;
    struct process *process;
    struct disk_file *file;
    struct disk_file scratch; /* without a name: it dies with the handle */
    char name[64];            /* of the oracle's, which outlive the files: looked up at each call; empty: `file` */
    unsigned generation;      /* of the locks that it has */
    int lock;                 /* SQLITE_LOCK_* */
    uint8_t shm_shared[SHM_SLOTS];
    bool deletes_on_close;
};

static int last_errno;

static struct locks all_locks[PROCESS_COUNT];

static struct disk_file *file_of(struct handle *handle) {
    static struct disk_file nothing;
    if (handle->name[0] == '\0') return handle->file;
    struct disk_file *file = disk_find(&handle->process->disk, handle->name);
    return file != NULL ? file : &nothing;
}

static void clear_regions(struct locks *locks) {
    for (unsigned i = 0; i < locks->region_count; i++) memset(locks->regions[i], 0, REGION_BYTES);
    locks->region_count = 0;
}

static struct locks *renew(struct locks *locks) {
    unsigned generation = locks->generation + 1;
    void *regions[SHM_REGIONS_MAX];
    clear_regions(locks);
    memcpy(regions, locks->regions, sizeof regions);
    *locks = (struct locks){.generation = generation};
    memcpy(locks->regions, regions, sizeof regions);
    return locks;
}

/* Whoever had locks before a crash, and lives on, has the one again that a connection always has. */
static struct locks *locks_of(struct handle *handle) {
    struct disk_file *file = file_of(handle);
    if (file->locks == NULL) {
        CHECK(strstr(file->name, ".db-") == NULL); /* nobody locks a WAL */
        file->locks = renew(&all_locks[handle->process->index]);
    }
    struct locks *locks = file->locks;
    if (handle->generation == locks->generation) return locks;
    handle->generation = locks->generation;
    memset(handle->shm_shared, 0, sizeof handle->shm_shared);
    if (handle->lock >= SQLITE_LOCK_SHARED) locks->shared_count++;
    return locks;
}

/* ---- what may go wrong in a call ---- */

static void end_full(void *context) {
    struct process *process = context;
    process->disk.is_full = false;
    world_note("%s: the disk has room again", process->index == PROCESS_WALLET ? "wallet" : "discount");
}

static const char *short_name(const struct handle *handle) { return handle->file->name[0] == '\0' ? "scratch" : handle->file->name; }

/* Before and after the effect of a call. */
static void pass(struct handle *handle, const char *doing) {
    if (fiber_current() == NULL) return;
    struct process *process = handle->process;
    process->disk.calls++;
    bool dies = process->disk.crash_at != 0 && process->disk.calls >= process->disk.crash_at;
    if (dies || world_fault(FAULT_CRASH_DISK)) {
        world_note("crash at disk call %llu: %s %s", (unsigned long long)process->disk.calls, doing, short_name(handle));
        process_crash(process, doing);
    }
    if (world_fault(FAULT_DISK_SLOW)) (void)fiber_park(world.now_us + random_between(&world.random, 100, SLOW_MOST_US));
    if (world_fault(FAULT_TURN)) process_turn();
}

static bool fails(struct handle *handle, enum sim_fault fault, const char *doing) {
    if (fiber_current() == NULL || !world_fault(fault)) return false;
    world_note("%s: %s %s", fault_kinds[fault].name, doing, short_name(handle));
    last_errno = EIO;
    return true;
}

static bool is_full_for(struct handle *handle, size_t end) {
    struct process *process = handle->process;
    if (fiber_current() == NULL || end <= handle->file->visible.size) return false;
    if (!process->disk.is_full && world_fault(FAULT_DISK_FULL)) {
        process->disk.is_full = true;
        world_note("disk full: %s", short_name(handle));
        world_after(random_between(&world.random, 1000, FULL_MOST_US), end_full, process);
    }
    last_errno = ENOSPC;
    return process->disk.is_full;
}

/* ---- files ---- */

static struct handle *handle_of(sqlite3_file *file) { return (struct handle *)(void *)file; }

static int vfs_read(sqlite3_file *file, void *buffer, int size, sqlite3_int64 offset) {
    struct handle *handle = handle_of(file);
    pass(handle, "read");
    if (fails(handle, FAULT_READ_ERROR, "read")) return SQLITE_IOERR_READ;
    size_t read = disk_read(file_of(handle), buffer, (size_t)size, (size_t)offset);
    return read == (size_t)size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset) {
    struct handle *handle = handle_of(file);
    pass(handle, "before write");
    if (is_full_for(handle, (size_t)offset + (size_t)size)) return SQLITE_FULL;
    if (fails(handle, FAULT_WRITE_ERROR, "write")) {
        disk_write(handle->file, data, random_below(&world.random, (uint64_t)size), (size_t)offset);
        return SQLITE_IOERR_WRITE;
    }
    disk_write(handle->file, data, (size_t)size, (size_t)offset);
    if (handle->process->disk.failed == handle->file) handle->process->disk.is_written_anew = true;
    pass(handle, "after write");
    return SQLITE_OK;
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct handle *handle = handle_of(file);
    pass(handle, "before truncate");
    if (fails(handle, FAULT_WRITE_ERROR, "truncate")) return SQLITE_IOERR_TRUNCATE;
    disk_truncate(handle->file, (size_t)size);
    pass(handle, "after truncate");
    return SQLITE_OK;
}

static int vfs_sync(sqlite3_file *file, int flags) {
    struct handle *handle = handle_of(file);
    (void)flags;
    pass(handle, "before sync");
    if (fails(handle, FAULT_SYNC_ERROR, "sync")) {
        disk_fail_sync(handle->file);
        handle->process->disk.failed = handle->file;
        handle->process->disk.is_written_anew = false;
        return SQLITE_IOERR_FSYNC;
    }
    disk_sync(handle->file);
    if (handle->process->disk.failed == handle->file && handle->process->disk.is_written_anew) handle->process->disk.failed = NULL;
    pass(handle, "after sync");
    return SQLITE_OK;
}

static int vfs_file_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
    *ret_size = (sqlite3_int64)file_of(handle_of(file))->visible.size;
    return SQLITE_OK;
}

/* ---- locks of a file (sqlite.org/lockingv3.html) ---- */

static int vfs_lock(sqlite3_file *file, int wanted) {
    struct handle *handle = handle_of(file);
    if (handle->lock >= wanted) return SQLITE_OK;
    struct locks *locks = locks_of(handle);
    bool is_foreign = (locks->exclusive != NULL && locks->exclusive != handle) || (locks->pending != NULL && locks->pending != handle);
    if (wanted == SQLITE_LOCK_SHARED) {
        if (is_foreign) return SQLITE_BUSY;
        locks->shared_count++;
    } else if (wanted == SQLITE_LOCK_RESERVED) {
        if (locks->reserved != NULL && locks->reserved != handle) return SQLITE_BUSY;
        locks->reserved = handle;
    } else {
        if (is_foreign || (locks->reserved != NULL && locks->reserved != handle)) return SQLITE_BUSY;
        locks->pending = handle;
        if (locks->shared_count > 1) return SQLITE_BUSY;
        locks->exclusive = handle;
    }
    handle->lock = wanted;
    return SQLITE_OK;
}

static int vfs_unlock(sqlite3_file *file, int wanted) {
    struct handle *handle = handle_of(file);
    if (handle->lock <= wanted) return SQLITE_OK;
    struct locks *locks = locks_of(handle);
    if (locks->exclusive == handle) locks->exclusive = NULL;
    if (locks->pending == handle) locks->pending = NULL;
    if (locks->reserved == handle) locks->reserved = NULL;
    if (wanted == SQLITE_LOCK_NONE && handle->lock >= SQLITE_LOCK_SHARED) locks->shared_count--;
    handle->lock = wanted;
    return SQLITE_OK;
}

static int vfs_check_reserved(sqlite3_file *file, int *ret_is_reserved) {
    *ret_is_reserved = locks_of(handle_of(file))->reserved != NULL;
    return SQLITE_OK;
}

static int vfs_close(sqlite3_file *file) {
    struct handle *handle = handle_of(file);
    if (handle->file == &handle->scratch) {
        disk_sync(&handle->scratch);
        content_free(&handle->scratch.visible);
        content_free(&handle->scratch.platter);
        return SQLITE_OK;
    }
    (void)vfs_unlock(file, SQLITE_LOCK_NONE);
    if (handle->deletes_on_close) disk_delete(&handle->process->disk, handle->file, false);
    return SQLITE_OK;
}

/* ---- the shared memory of a WAL ---- */

static int vfs_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret_memory) {
    struct locks *locks = locks_of(handle_of(file));
    CHECK(region < SHM_REGIONS_MAX && size == REGION_BYTES);
    if (locks->regions[region] == NULL && extend) locks->regions[region] = calloc(1, REGION_BYTES);
    if ((unsigned)region >= locks->region_count && extend) locks->region_count = (unsigned)region + 1;
    *ret_memory = (unsigned)region < locks->region_count ? locks->regions[region] : NULL;
    return SQLITE_OK;
}

static bool may_lock_slots(const struct locks *locks, const struct handle *handle, int offset, int count, bool is_exclusive) {
    for (int i = offset; i < offset + count; i++) {
        if (locks->slots[i].exclusive != NULL && locks->slots[i].exclusive != handle) return false;
        if (is_exclusive && locks->slots[i].shared_count > handle->shm_shared[i]) return false;
    }
    return true;
}

static int vfs_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    struct handle *handle = handle_of(file);
    struct locks *locks = locks_of(handle);
    bool is_exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0, is_lock = (flags & SQLITE_SHM_LOCK) != 0;
    if (is_lock && !may_lock_slots(locks, handle, offset, count, is_exclusive)) return SQLITE_BUSY;
    for (int i = offset; i < offset + count; i++) {
        if (is_exclusive) {
            locks->slots[i].exclusive = is_lock ? handle : NULL;
        } else if (is_lock && handle->shm_shared[i] == 0) {
            handle->shm_shared[i] = 1;
            locks->slots[i].shared_count++;
        } else if (!is_lock && handle->shm_shared[i] != 0) {
            handle->shm_shared[i] = 0;
            locks->slots[i].shared_count--;
        }
    }
    return SQLITE_OK;
}

/* The first of its two copies is written last (wal.c, walIndexWriteHdr). */
bool disk_vfs_wal_header(struct disk *disk, const char *name, uint8_t ret_header[DISK_WAL_HEADER_BYTES]) {
    const struct disk_file *file = disk_find(disk, name);
    const struct locks *locks = file == NULL ? NULL : file->locks;
    if (locks == NULL || locks->region_count == 0) return false;
    memcpy(ret_header, locks->regions[0], DISK_WAL_HEADER_BYTES);
    return true;
}

static void vfs_shm_barrier(sqlite3_file *file) { (void)file; }

static int vfs_shm_unmap(sqlite3_file *file, int deletes) {
    struct handle *handle = handle_of(file);
    struct locks *locks = locks_of(handle);
    for (int i = 0; i < SHM_SLOTS; i++) {
        if (locks->slots[i].exclusive == handle) locks->slots[i].exclusive = NULL;
        if (handle->shm_shared[i] != 0) locks->slots[i].shared_count--;
        handle->shm_shared[i] = 0;
    }
    if (deletes) clear_regions(locks);
    return SQLITE_OK;
}

static int vfs_file_control(sqlite3_file *file, int operation, void *argument) {
    (void)file;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *file) {
    (void)file;
    return 4096;
}

/* What the unix VFS says of a common disk. */
static int vfs_device(sqlite3_file *file) {
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = vfs_close,
                                           .xRead = vfs_read,
                                           .xWrite = vfs_write,
                                           .xTruncate = vfs_truncate,
                                           .xSync = vfs_sync,
                                           .xFileSize = vfs_file_size,
                                           .xLock = vfs_lock,
                                           .xUnlock = vfs_unlock,
                                           .xCheckReservedLock = vfs_check_reserved,
                                           .xFileControl = vfs_file_control,
                                           .xSectorSize = vfs_sector_size,
                                           .xDeviceCharacteristics = vfs_device,
                                           .xShmMap = vfs_shm_map,
                                           .xShmLock = vfs_shm_lock,
                                           .xShmBarrier = vfs_shm_barrier,
                                           .xShmUnmap = vfs_shm_unmap};

/* ---- the VFS ---- */

static struct process *process_of(const char *path, const char **ret_name) {
    CHECK(path[0] >= '0' && path[0] < '0' + PROCESS_COUNT && path[1] == '/');
    *ret_name = path + 2;
    return &processes[path[0] - '0'];
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags) {
    struct handle *handle = handle_of(file);
    (void)vfs;
    memset(handle, 0, sizeof *handle);
    if (path == NULL) {
        handle->process = fiber_current() != NULL ? fiber_process(fiber_current()) : &processes[0];
        handle->file = &handle->scratch;
    } else {
        const char *name;
        handle->process = process_of(path, &name);
        handle->file = disk_find(&handle->process->disk, name);
        if (handle->file == NULL) {
            last_errno = ENOENT;
            if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
            handle->file = disk_make(&handle->process->disk, name);
        }
        if (fiber_current() == NULL) memcpy(handle->name, handle->file->name, sizeof handle->name);
    }
    handle->deletes_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0 && path != NULL;
    handle->base.pMethods = &methods;
    if (ret_flags != NULL) *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs_folder) {
    const char *name;
    struct process *process = process_of(path, &name);
    struct disk_file *file = disk_find(&process->disk, name);
    (void)vfs;
    if (file == NULL) return SQLITE_IOERR_DELETE_NOENT;
    disk_delete(&process->disk, file, syncs_folder != 0);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_answer) {
    const char *name;
    struct process *process = process_of(path, &name);
    const struct disk_file *file = disk_find(&process->disk, name);
    (void)vfs;
    /* As the unix VFS: an empty file counts as absent when asked whether it exists. */
    *ret_answer = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->visible.size > 0);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int capacity, char *ret_path) {
    (void)vfs;
    size_t size = strlen(path);
    if (size >= (size_t)capacity) return SQLITE_CANTOPEN;
    memcpy(ret_path, path, size + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *buffer) {
    (void)vfs;
    random_fill(&world.random, buffer, (size_t)size);
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int duration_us) {
    (void)vfs;
    if (fiber_current() != NULL) (void)fiber_park(world.now_us + duration_us);
    return duration_us;
}

static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *ret_time_ms) {
    (void)vfs;
    *ret_time_ms = INT64_C(210866760000000) + world.now_us / 1000; /* Julian day 2440587.5 in ms */
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *buffer) {
    (void)vfs;
    (void)size;
    (void)buffer;
    return last_errno;
}

static int begin_memory(void *context) {
    (void)context;
    return SQLITE_OK;
}

static void end_memory(void *context) { (void)context; }

static void take_memory(void) {
#ifndef __SANITIZE_ADDRESS__ /* which watches the heap's blocks */
    static const sqlite3_mem_methods memory = {.xMalloc = memory_take_of_sqlite,
                                               .xFree = memory_give_back,
                                               .xRealloc = memory_resize,
                                               .xSize = memory_size,
                                               .xRoundup = memory_round_up,
                                               .xInit = begin_memory,
                                               .xShutdown = end_memory};
    memory_prepare();
    CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) == SQLITE_OK);
#endif
}

void disk_vfs_register(void) {
    static sqlite3_vfs vfs = {.iVersion = 2,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = 512,
                              .zName = "sim",
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_full_path,
                              .xRandomness = vfs_randomness,
                              .xSleep = vfs_sleep,
                              .xGetLastError = vfs_last_error,
                              .xCurrentTimeInt64 = vfs_time};
    CHECK(sqlite3_shutdown() == SQLITE_OK); /* `init` has used it */
    take_memory();
    CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK); /* as database.c does */
    /* No pages beforehand: a start of a program opens several connections, and touches little of it. */
    CHECK(sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0) == SQLITE_OK);
    CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

void disk_vfs_begin(void) {
    memory_begin_world();
    sqlite3_randomness(0, NULL);
}
