#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "sim/fiber.h"

#define PENDING_MAX    32768u
#define TURN_MOST_US   20      /* of true time for one turn of a fiber */
#define NOT_TILL_FIRST 400000u /* of a million worlds that have the fault at all: the share that leaves it out */

const struct fault_kind fault_kinds[FAULT_COUNT] = {
    [FAULT_CRASH] = {"crash", 6000},
    [FAULT_CRASH_DISK] = {"crash in a disk call", 8000},
    [FAULT_LOSE_WRITE] = {"lost write", 1000000},
    [FAULT_TEAR_WRITE] = {"torn write", 300000},
    [FAULT_WRITE_ERROR] = {"write error", 20000},
    [FAULT_SYNC_ERROR] = {"sync error", 50000},
    [FAULT_READ_ERROR] = {"read error", 3000},
    [FAULT_DISK_FULL] = {"disk full", 10000},
    [FAULT_DISK_SLOW] = {"slow disk", 50000},
    [FAULT_TURN] = {"turn given up", 500000},
    [FAULT_LINK_REFUSED] = {"connection refused", 100000},
    [FAULT_LINK_DROPPED] = {"request lost", 100000},
    [FAULT_LINK_CUT] = {"answer lost", 150000},
    [FAULT_LINK_DELAYED] = {"message delayed", 200000},
    [FAULT_LINK_REPEATED] = {"request repeated", 150000},
    [FAULT_CLOCK_FORWARD] = {"clock jumps forward", 20000},
    [FAULT_CLOCK_BACK] = {"clock jumps back", 20000},
    [FAULT_CLOCK_DRIFT] = {"clock drifts", 1000000},
    [FAULT_CLIENT_TIMEOUT] = {"client times out", 100000},
    [FAULT_CLIENT_LEAVES] = {"client leaves", 100000},
    [FAULT_CLIENT_REPEATS] = {"client repeats", 150000},
    [FAULT_CLIENT_KEY] = {"key with another body", 100000},
    [FAULT_BACKUP] = {"older backup", 1000000},
    [FAULT_QUEUE_FULL] = {"queue full", 1000000},
    [FAULT_CLAIMS_FULL] = {"few claims in memory", 1000000},
};

struct pending {
    int64_t at_us;
    uint64_t order;
    void (*act)(void *context);
    void *context;
};

struct world world;
struct reached reached[REACHED_MAX];

static struct pending pending[PENDING_MAX]; /* a heap: the earliest first */
static size_t pending_count;
static uint64_t pending_order;

void world_begin(uint64_t seed, const struct world_limits *limits) {
    memset(&world, 0, sizeof world);
    memset(reached, 0, sizeof reached);
    world.seed = seed;
    world.limits = *limits;
    random_init(&world.random, seed);
    world.has_faults = true;
    pending_count = 0;
    pending_order = 0;
    fiber_reset();
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        /* Between a thousandth of the most and the most, evenly in the exponent; the draws are made even for what is left out. */
        bool is_left_out = random_chance(&world.random, NOT_TILL_FIRST);
        uint64_t shift = random_below(&world.random, 8);
        bool is_off = is_left_out || (limits->faults_off >> i & 1) != 0;
        world.fault_per_million[i] = is_off ? 0 : fault_kinds[i].per_million_max >> shift;
    }
}

bool world_fault(enum sim_fault fault) {
    if (!world.has_faults || !random_chance(&world.random, world.fault_per_million[fault])) return false;
    world.fault_counts[fault]++;
    return true;
}

void world_note(const char *format, ...) {
    char *line = world.events[world.event_count % EVENTS_KEPT];
    int prefix = snprintf(line, EVENT_BYTES, "%8.3f ms ", (double)world.now_us / 1000);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + prefix, EVENT_BYTES - (size_t)prefix, format, arguments);
    va_end(arguments);
    char chained[CRYPTO_HASH_BYTES + EVENT_BYTES];
    size_t size = strlen(line);
    memcpy(chained, world.hash.bytes, CRYPTO_HASH_BYTES);
    memcpy(chained + CRYPTO_HASH_BYTES, line, size);
    world.hash = crypto_hash((struct text){chained, CRYPTO_HASH_BYTES + size});
    world.event_count++;
    if (world.limits.prints_events) printf("%s\n", line);
}

void world_fail(const char *invariant, const char *format, ...) {
    if (world.has_failed) return;
    world.has_failed = true;
    char detail[EVENT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    (void)snprintf(world.failure, sizeof world.failure, "%s: %s", invariant, detail);
    world_note("FAILED %s", world.failure);
}

void world_print_events(int fd) {
    uint64_t first = world.event_count > EVENTS_KEPT ? world.event_count - EVENTS_KEPT : 0;
    for (uint64_t i = first; i < world.event_count; i++) {
        const char *line = world.events[i % EVENTS_KEPT];
        ssize_t written = write(fd, "  ", 2);
        written += write(fd, line, strlen(line));
        written += write(fd, "\n", 1);
        if (written < 0) return;
    }
}

/* ---- what happens later ---- */

static bool is_before(const struct pending *a, const struct pending *b) {
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void swap(size_t a, size_t b) {
    struct pending kept = pending[a];
    pending[a] = pending[b];
    pending[b] = kept;
}

void world_after(int64_t delay_us, void (*act)(void *context), void *context) {
    CHECK(pending_count < PENDING_MAX && delay_us >= 0);
    size_t at = pending_count++;
    pending[at] = (struct pending){world.now_us + delay_us, pending_order++, act, context};
    for (; at > 0 && is_before(&pending[at], &pending[(at - 1) / 2]); at = (at - 1) / 2) swap(at, (at - 1) / 2);
}

static struct pending take_first(void) {
    struct pending first = pending[0];
    pending[0] = pending[--pending_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < pending_count; child++) {
            if (is_before(&pending[child], &pending[least])) least = child;
        }
        if (least == at) return first;
        swap(at, least);
        at = least;
    }
}

bool world_step(void) {
    if (world.has_failed) return false;
    size_t runnable = fiber_runnable_count(world.now_us);
    bool has_due = pending_count > 0 && pending[0].at_us <= world.now_us;
    if (runnable == 0 && !has_due) {
        int64_t next_us = fiber_next_wake_us();
        if (pending_count > 0 && pending[0].at_us < next_us) next_us = pending[0].at_us;
        if (next_us == FIBER_FOR_EVER) return false;
        if (next_us > world.now_us) world.now_us = next_us;
        return true;
    }
    uint64_t steps_max = world.limits.steps_max == 0 ? WORLD_STEPS_MAX : world.limits.steps_max;
    if (++world.step > steps_max) {
        world_fail("a world ends", "not within %llu steps", (unsigned long long)steps_max);
        return false;
    }
    uint64_t turn = random_below(&world.random, runnable + has_due);
    world.now_us += random_between(&world.random, 0, TURN_MOST_US);
    if (turn < runnable) {
        fiber_run(turn, world.now_us);
        return !world.has_failed;
    }
    struct pending due = take_first();
    due.act(due.context);
    return !world.has_failed;
}

void world_reach(const char *name) {
    for (size_t i = 0; i < REACHED_MAX; i++) {
        if (reached[i].name == NULL) reached[i].name = name;
        if (reached[i].name == name || strcmp(reached[i].name, name) == 0) {
            reached[i].count++;
            return;
        }
    }
}
