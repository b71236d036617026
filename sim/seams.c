#include "sim/seams.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/file.h"
#include "auth/keys.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "sim/link.h"
#include "sim/process.h"
#include "sim/signatures.h"
#include "sim/world.h"

#define THREADS_MAX 4096u
#define WAKERS_MAX  4096
#define LOCK_FD     -2 /* nothing that close() would take for a descriptor */

static bool is_inside(void) { return fiber_current() != NULL; }

/* ---- clocks ---- */

static int64_t inside_now_us(void *context) {
    (void)context;
    return is_inside() ? process_wall_us(fiber_process(fiber_current())) : PROCESS_EPOCH_US + world.now_us;
}

static int64_t inside_monotonic_us(void *context) {
    (void)context;
    return is_inside() ? process_monotonic_us(fiber_process(fiber_current())) : world.now_us;
}

extern const struct clock __wrap_clock_system;
const struct clock __wrap_clock_system = {.now_us = inside_now_us, .monotonic_us = inside_monotonic_us};

/* A moment of the process's monotonic clock as true time; drift is small, so that one correction is enough. */
static int64_t true_time_us(int64_t delay_us) {
    const struct process *process = fiber_process(fiber_current());
    return world.now_us + delay_us - delay_us * process->drift_ppm / 1000000;
}

/* ---- wakers: the descriptor is a number of ours ---- */

static struct {
    bool is_woken;
    struct fiber *waiting;
} wakers[WAKERS_MAX];
static int waker_count;

struct condition_waiter {
    const pthread_cond_t *condition;
    struct fiber *fiber;
};
static struct condition_waiter condition_waiters[64];

void seams_begin_world(void) {
    memset(condition_waiters, 0, sizeof condition_waiters);
    waker_count = 0;
    memset(wakers, 0, sizeof wakers);
}

struct result __wrap_waker_init(struct waker *waker);
struct result __wrap_waker_init(struct waker *waker) {
    CHECK(waker_count < WAKERS_MAX);
    waker->fd = waker_count++;
    return result_ok();
}

void __wrap_waker_close(struct waker *waker);
void __wrap_waker_close(struct waker *waker) { waker->fd = -1; }

void __wrap_waker_wake(struct waker *waker);
void __wrap_waker_wake(struct waker *waker) {
    process_turn();
    wakers[waker->fd].is_woken = true;
    if (wakers[waker->fd].waiting != NULL) fiber_unpark(wakers[waker->fd].waiting);
    process_turn();
}

void __wrap_waker_clear(struct waker *waker);
void __wrap_waker_clear(struct waker *waker) { wakers[waker->fd].is_woken = false; }

bool seams_wait_for(struct waker *waker, int64_t until_us) {
    wakers[waker->fd].waiting = fiber_current();
    if (!wakers[waker->fd].is_woken) (void)fiber_park(until_us);
    wakers[waker->fd].waiting = NULL;
    return wakers[waker->fd].is_woken;
}

bool __wrap_waker_wait(struct waker *waker, int64_t timeout_us);
bool __wrap_waker_wait(struct waker *waker, int64_t timeout_us) {
    if (!is_inside()) return false;
    process_turn();
    int64_t until_us = timeout_us < 0 ? FIBER_FOR_EVER : true_time_us(timeout_us);
    while (!wakers[waker->fd].is_woken && world.now_us < until_us) (void)seams_wait_for(waker, until_us);
    return wakers[waker->fd].is_woken;
}

/* ---- threads ---- */

static struct fiber *threads[THREADS_MAX];

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context) {
    (void)attributes;
    static size_t count;
    CHECK(is_inside());
    threads[count % THREADS_MAX] = fiber_spawn(fiber_process(fiber_current()), "thread", run, context);
    *thread = (pthread_t)(count++ % THREADS_MAX);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **ret_value);
int __wrap_pthread_join(pthread_t thread, void **ret_value) {
    (void)ret_value;
    fiber_join(threads[(size_t)thread]);
    return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name) {
    (void)thread;
    (void)name;
    return 0;
}

int __wrap_pthread_sigmask(int how, const void *set, void *before);
int __wrap_pthread_sigmask(int how, const void *set, void *before) {
    (void)how;
    (void)set;
    (void)before;
    return 0;
}

int __wrap_setpriority(int which, unsigned who, int priority);
int __wrap_setpriority(int which, unsigned who, int priority) {
    (void)which;
    (void)who;
    (void)priority;
    return 0;
}

/* Whoever holds it gets its turn: nobody waits for something else with a lock in hand, or the world would not become quiet. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex) {
    int error;
    while ((error = pthread_mutex_trylock(mutex)) == EBUSY) {
        CHECK(is_inside());
        fiber_yield();
    }
    return error;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    size_t place = 0;
    while (condition_waiters[place].fiber != NULL && !fiber_has_ended(condition_waiters[place].fiber)) place++;
    CHECK(place < ARRAY_COUNT(condition_waiters));
    condition_waiters[place] = (struct condition_waiter){condition, fiber_current()};
    CHECK(pthread_mutex_unlock(mutex) == 0);
    (void)fiber_park(FIBER_FOR_EVER);
    condition_waiters[place].fiber = NULL;
    return __wrap_pthread_mutex_lock(mutex);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition) {
    for (size_t i = 0; i < ARRAY_COUNT(condition_waiters); i++) {
        if (condition_waiters[i].fiber != NULL && condition_waiters[i].condition == condition) fiber_unpark(condition_waiters[i].fiber);
    }
    return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_signal(pthread_cond_t *condition) { return __wrap_pthread_cond_broadcast(condition); }

/* ---- the life of a program ---- */

void __wrap_service_block_signals(void);
void __wrap_service_block_signals(void) {}

void __wrap_service_wait_for_stop(void (*hung_up)(void *context), void *context);
void __wrap_service_wait_for_stop(void (*hung_up)(void *context), void *context) {
    (void)hung_up;
    (void)context;
    for (;;) (void)fiber_park(FIBER_FOR_EVER);
}

/* Its books are proven by the judge. */
struct result __wrap_self_audit_start(const void *options, void **ret_audit);
struct result __wrap_self_audit_start(const void *options, void **ret_audit) {
    (void)options;
    *ret_audit = NULL;
    return result_ok();
}

/* Nobody is at a command line. */
struct control;
struct control *__wrap_control_start(const char *folder, void *handle, void *self);
struct control *__wrap_control_start(const char *folder, void *handle, void *self) {
    (void)folder;
    (void)handle;
    (void)self;
    return NULL;
}

void __wrap_service_wait_for(int descriptor, int64_t most_ms);
void __wrap_service_wait_for(int descriptor, int64_t most_ms) {
    struct waker waker = {.fd = descriptor};
    (void)__wrap_waker_wait(&waker, most_ms * 1000);
}

/* ---- files ---- */

/* 0/wallet.db is on the disk of process 0. */
static struct disk *disk_of(const char *path, const char **ret_name) {
    bool is_of_process = path[0] >= '0' && path[0] < '0' + PROCESS_COUNT && path[1] == '/';
    if (!is_of_process) return NULL;
    *ret_name = path + 2;
    return &processes[path[0] - '0'].disk;
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode) {
    const char *name;
    struct disk *disk = world.seed == 0 && world.step == 0 ? NULL : disk_of(path, &name);
    if (disk == NULL || mode != F_OK) return __real_access(path, mode);
    if (disk_find(disk, name) != NULL) return 0;
    errno = ENOENT;
    return -1;
}

/* The lock goes with its process, and no two processes have one folder here. */
struct result __wrap_lock_take(const char *database_path, int *ret_fd);
struct result __wrap_lock_take(const char *database_path, int *ret_fd) {
    (void)database_path;
    *ret_fd = LOCK_FD;
    return result_ok();
}

struct result __wrap_lock_share(const char *database_path, int *ret_fd);
struct result __wrap_lock_share(const char *database_path, int *ret_fd) {
    (void)database_path;
    *ret_fd = LOCK_FD;
    return result_ok();
}

/* Kept copies of the other's keys are on the disk; what `init` has made is read from where it was made. */
struct result __wrap_file_replace(const char *path, struct text content);
struct result __wrap_file_replace(const char *path, struct text content) {
    const char *name;
    struct disk *disk = is_inside() ? disk_of(path, &name) : NULL;
    if (disk == NULL) return file_replace(path, content);
    process_turn();
    disk_put(disk, name, content.data, content.size);
    process_turn();
    return result_ok();
}

struct result __wrap_file_read(const char *path, size_t limit_bytes, bool must_be_private, struct arena *arena, struct text *ret_text);
struct result __wrap_file_read(const char *path, size_t limit_bytes, bool must_be_private, struct arena *arena, struct text *ret_text) {
    const char *name;
    struct disk *disk = is_inside() ? disk_of(path, &name) : NULL;
    const struct disk_file *file = disk == NULL ? NULL : disk_find(disk, name);
    if (file == NULL) return file_read(path, limit_bytes, must_be_private, arena, ret_text);
    char *content = arena_take(arena, file->visible.size + 1);
    if (content == NULL) return result_error(RESULT_FULL);
    *ret_text = (struct text){content, disk_read(file, content, file->visible.size, 0)};
    content[ret_text->size] = '\0';
    return result_ok();
}

/* ---- the log: events of the world ---- */

void __wrap_log_init(const char *service, enum log_level least);
void __wrap_log_init(const char *service, enum log_level least) {
    (void)service;
    (void)least;
}

struct result __wrap_log_start(void);
struct result __wrap_log_start(void) {
    return result_ok();
}

void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);
void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count) {
    if (!is_inside() || level == LOG_DEBUG) return;
    char line[200];
    size_t size = 0;
    for (size_t i = 0; i < count && size + 60 < sizeof line; i++) {
        const struct log_field *field = &fields[i];
        if (field->kind == LOG_FIELD_INTEGER) {
            size += (size_t)snprintf(line + size, sizeof line - size, " %s=%lld", field->name, (long long)field->integer);
        } else if (field->kind == LOG_FIELD_TEXT) {
            int width = field->text.size < 48 ? (int)field->text.size : 48;
            size += (size_t)snprintf(line + size, sizeof line - size, " %s=%.*s", field->name, width, field->text.data);
        }
    }
    line[size < sizeof line ? size : sizeof line - 1] = '\0';
    world_note("%s: log %s%s", fiber_process(fiber_current())->name, event, line);
}

/* ---- passwords ---- */

/* What a password costs is not asked here: a hash with a salt, behind the name that the database demands. */
#define PASSWORD_BEGIN "$argon2id$"

static void hash_password(struct text password, uint64_t salt, char ret_hash[CRYPTO_PASSWORD_HASH_BYTES]) {
    char salted[512];
    int size = snprintf(salted, sizeof salted, "%016" PRIx64 "%.*s", salt, (int)password.size, password.data);
    struct hash hash = crypto_hash((struct text){salted, (size_t)size});
    uint64_t half;
    memcpy(&half, hash.bytes, sizeof half);
    snprintf(ret_hash, CRYPTO_PASSWORD_HASH_BYTES, PASSWORD_BEGIN "%016" PRIx64 "$%016" PRIx64, salt, half);
}

struct result __wrap_crypto_password_hash(struct text password, enum crypto_cost cost, char ret_hash[CRYPTO_PASSWORD_HASH_BYTES]);
struct result __wrap_crypto_password_hash(struct text password, enum crypto_cost cost, char ret_hash[CRYPTO_PASSWORD_HASH_BYTES]) {
    (void)cost;
    uint64_t salt;
    crypto_random(&salt, sizeof salt);
    hash_password(password, salt, ret_hash);
    return result_ok();
}

bool __wrap_crypto_password_matches(struct text password, const char *hash);
bool __wrap_crypto_password_matches(struct text password, const char *hash) {
    char again[CRYPTO_PASSWORD_HASH_BYTES];
    hash_password(password, strtoull(hash + sizeof PASSWORD_BEGIN - 1, NULL, 16), again);
    return strcmp(again, hash) == 0;
}

/* ---- keys ---- */

/* To make an RSA key costs a second, and to load one milliseconds at each start of each world; one on a curve does as well. */
struct result __wrap_key_generate(const char *folder, enum key_algorithm algorithm, int64_t now_us);
struct result __wrap_key_generate(const char *folder, enum key_algorithm algorithm, int64_t now_us) {
    (void)algorithm;
    signatures_make_key_of(folder[0] == '1' ? PROCESS_DISCOUNT : PROCESS_WALLET); /* --data, as boot.c names it */
    return key_generate(folder, KEY_ES256, now_us);
}

/* ---- randomness ---- */

static const char *random_name(void) { return "world"; }
static uint32_t random_word(void) { return (uint32_t)random_next(&world.random); }
static void random_buffer(void *const buffer, const size_t size) { random_fill(&world.random, buffer, size); }

void seams_take_over_randomness(void) {
    static randombytes_implementation implementation = {.implementation_name = random_name, .random = random_word, .buf = random_buffer};
    CHECK(randombytes_set_implementation(&implementation) == 0);
}
