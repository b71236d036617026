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
    [FAULT_OTHER_WALLET] = {"another Wallet", 150000},
    [FAULT_OLD_WALLET] = {"Wallet restored", 120000},
    [FAULT_OLD_DISCOUNT] = {"Discount restored", 120000},
};

/* What is left out of worlds that lean. Where little fails there is no excuse for a 503, and much gets done. */
#define BIT(fault)   (UINT32_C(1) << (fault))
#define CLOCK_FAULTS (BIT(FAULT_CLOCK_FORWARD) | BIT(FAULT_CLOCK_BACK))
#define LITTLE_FAILS                                                                                                                    \
    (CLOCK_FAULTS | BIT(FAULT_CRASH) | BIT(FAULT_CRASH_DISK) | BIT(FAULT_WRITE_ERROR) | BIT(FAULT_SYNC_ERROR) | BIT(FAULT_READ_ERROR) | \
     BIT(FAULT_DISK_FULL) | BIT(FAULT_LINK_REFUSED) | BIT(FAULT_LINK_DROPPED) | BIT(FAULT_LINK_DELAYED) | BIT(FAULT_QUEUE_FULL) |       \
     BIT(FAULT_CLAIMS_FULL) | BIT(FAULT_OTHER_WALLET))
static const uint32_t left_out[LEANING_COUNT] = {[LEANS_TO_CAMPAIGNS] = LITTLE_FAILS,
                                                 [LEANS_TO_KEYS] = LITTLE_FAILS,
                                                 [LEANS_TO_TIMES] = CLOCK_FAULTS | BIT(FAULT_CRASH) | BIT(FAULT_CRASH_DISK)};

/* What strikes more often in them: of a million, whatever else their seeds would choose. */
static const struct {
    enum world_leaning leaning;
    enum sim_fault fault;
    uint32_t per_million;
} leanings[] = {
    {LEANS_TO_CAMPAIGNS, FAULT_LINK_CUT, 200000},
    {LEANS_TO_KEYS, FAULT_LINK_REPEATED, 300000},
    {LEANS_TO_KEYS, FAULT_CLIENT_REPEATS, 300000},
    {LEANS_TO_KEYS, FAULT_CLIENT_KEY, 200000},
    {LEANS_TO_TIMES, FAULT_SYNC_ERROR, 60000},
    {LEANS_TO_DISKS, FAULT_SYNC_ERROR, 100000},
    {LEANS_TO_DISKS, FAULT_DISK_FULL, 20000},
    {LEANS_TO_DISKS, FAULT_CLOCK_BACK, 20000},
    {LEANS_TO_DISKS, FAULT_CRASH, 1500},
    {LEANS_TO_DISKS, FAULT_LINK_DROPPED, 150000},
    {LEANS_TO_KEYS, FAULT_CRASH, 800},
    {LEANS_TO_KEYS, FAULT_LOSE_WRITE, 500000},
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
    world.leaning = (enum world_leaning)(seed % LEANING_COUNT);
    world.limits = *limits;
    random_init(&world.random, seed);
    world.has_faults = true;
    pending_count = 0;
    pending_order = 0;
    fiber_reset();
    for (size_t i = 0; i < FAULT_FATES; i++) {
        /* Between a thousandth of the most and the most, evenly in the exponent; the draws are made even for what is left out. */
        bool is_left_out = random_chance(&world.random, NOT_TILL_FIRST);
        uint64_t shift = random_below(&world.random, 8);
        bool is_off = is_left_out || ((limits->faults_off | left_out[world.leaning]) >> i & 1) != 0;
        world.fault_per_million[i] = is_off ? 0 : fault_kinds[i].per_million_max >> shift;
    }
    random_init(&world.fate, ~seed);
    for (size_t i = FAULT_FATES; i < FAULT_COUNT; i++) {
        bool strikes = random_chance(&world.fate, fault_kinds[i].per_million_max);
        bool is_off = ((limits->faults_off | left_out[world.leaning]) >> i & 1) != 0;
        world.fault_per_million[i] = strikes && !is_off ? RANDOM_MILLION : 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(leanings); i++) {
        bool is_off = (limits->faults_off >> leanings[i].fault & 1) != 0;
        if (leanings[i].leaning == world.leaning && !is_off) world.fault_per_million[leanings[i].fault] = leanings[i].per_million;
    }
}

bool world_fault(enum sim_fault fault) {
    if (!world.has_faults || !random_chance(&world.random, world.fault_per_million[fault])) return false;
    world.fault_counts[fault]++;
    return true;
}

bool world_is_fated(enum sim_fault fault) {
    bool is_fated = world.fault_per_million[fault] > 0;
    world.fault_counts[fault] += is_fated;
    return is_fated;
}

/* As "%4lld.%03lld ms " does, and sooner: a world has a thousand events. Returns its end. */
static char *print_time(char *at, int64_t now_us) {
    char digits[24];
    size_t size = 0;
    int64_t rest = now_us / 1000;
    for (; rest > 0 || size == 0; rest /= 10) digits[size++] = (char)('0' + rest % 10);
    for (; size < 4; size++) digits[size] = ' ';
    while (size > 0) *at++ = digits[--size];
    int64_t part = now_us % 1000;
    const char tail[] = {'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10), (char)('0' + part % 10), ' ', 'm', 's', ' '};
    memcpy(at, tail, sizeof tail);
    return at + sizeof tail;
}

static void hash_lines(void) {
    memcpy(world.unhashed, world.hash.bytes, CRYPTO_HASH_BYTES);
    world.hash = crypto_hash((struct text){world.unhashed, CRYPTO_HASH_BYTES + world.unhashed_size});
    world.unhashed_size = 0;
}

struct hash world_hash(void) {
    if (world.unhashed_size > 0) hash_lines();
    return world.hash;
}

void world_note(const char *format, ...) {
    char *line = world.events[world.event_count % EVENTS_KEPT], *text = print_time(line, world.now_us);
    size_t room = EVENT_BYTES - (size_t)(text - line);
    va_list arguments;
    va_start(arguments, format);
    int printed = vsnprintf(text, room, format, arguments);
    va_end(arguments);
    CHECK(printed >= 0);
    size_t size = (size_t)(text - line) + ((size_t)printed < room ? (size_t)printed : room - 1);
    if (world.unhashed_size + size + 1 > UNHASHED_BYTES) hash_lines();
    char *hashed = world.unhashed + CRYPTO_HASH_BYTES + world.unhashed_size;
    memcpy(hashed, line, size);
    hashed[size] = '\n';
    world.unhashed_size += size + 1;
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
