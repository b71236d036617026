#include "sim/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/link.h"
#include "sim/memory.h"
#include "sim/promotions.h"
#include "sim/tables.h"
#include "sim/world.h"

#define RESTART_LEAST_US   500
#define RESTART_MOST_US    2000000
#define SET_BACK_MOST_US   6000000
#define CRASH_CALLS_BITS   13
#define PLANNED_CRASH_RATE 2 /* one of so many incarnations dies in a disk call that was chosen at its start */

extern int wallet_main(int argc, char **argv);
extern int discount_main(int argc, char **argv);
/* Made by the linker for sections with such names; a program without variables of a kind has none. */
#define SECTION(name) extern char __start_##name[] __attribute__((weak)), __stop_##name[] __attribute__((weak))
SECTION(wallet_data);
SECTION(wallet_moved);
SECTION(wallet_zero);
SECTION(discount_data);
SECTION(discount_moved);
SECTION(discount_zero);

static char loops[] = "1"; /* of each, in this world */
static char *wallet_arguments[] = {"walletd",
                                   "serve",
                                   "--data",
                                   "0",
                                   "--listen",
                                   "127.0.0.1:8080",
                                   "--trust-service",
                                   "discount=http://discount/.well-known/jwks.json,credits:write,funds:write,holds:write,reversals:write",
                                   "--password-cost",
                                   "low",
                                   "--loops",
                                   loops,
                                   NULL};
static char zone[] = PROMOTION_ZONE;
static char archive_after[] = "604800";
static char *discount_arguments[] = {"discountd",       "serve",       "--data", "1",           "--wallet",
                                     "http://wallet",   "--loops",     loops,    "--time-zone", zone,
                                     "--archive-after", archive_after, NULL};

struct process processes[PROCESS_COUNT] = {
    [PROCESS_WALLET] = {.index = PROCESS_WALLET,
                        .name = "wallet",
                        .main = wallet_main,
                        .arguments = wallet_arguments,
                        .argument_count = ARRAY_COUNT(wallet_arguments) - 1,
                        .sections = {{.start = __start_wallet_data, .stop = __stop_wallet_data},
                                     {.start = __start_wallet_moved, .stop = __stop_wallet_moved},
                                     {.start = __start_wallet_zero, .stop = __stop_wallet_zero}}},
    [PROCESS_DISCOUNT] = {.index = PROCESS_DISCOUNT,
                          .name = "discount",
                          .main = discount_main,
                          .arguments = discount_arguments,
                          .argument_count = ARRAY_COUNT(discount_arguments) - 1,
                          .sections = {{.start = __start_discount_data, .stop = __stop_discount_data},
                                       {.start = __start_discount_moved, .stop = __stop_discount_moved},
                                       {.start = __start_discount_zero, .stop = __stop_discount_zero}}},
};

static struct disk first_disks[PROCESS_COUNT], other_wallet;

/* ---- memory ---- */

#ifdef __SANITIZE_ADDRESS__
/* Byte by byte, and unseen by the address sanitizer: between a program's variables lie its marks. */
__attribute__((no_sanitize("address"))) static void copy_raw(volatile char *to, const volatile char *from, size_t size) {
    for (size_t i = 0; i < size; i++) to[i] = from == NULL ? 0 : from[i];
}
#else
static void copy_raw(char *to, const char *from, size_t size) {
    if (from == NULL) {
        memset(to, 0, size);
    } else {
        memcpy(to, from, size);
    }
}
#endif

static void keep_first(struct section *section, bool is_zero) {
    size_t size = (size_t)(section->stop - section->start);
    section->first = is_zero ? NULL : malloc(size + 1);
    if (section->first != NULL) copy_raw(section->first, section->start, size);
}

void process_prepare(void) {
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        for (size_t k = 0; k < PROCESS_SECTIONS; k++) keep_first(&processes[i].sections[k], k == PROCESS_SECTIONS - 1);
    }
}

static void restore_memory(struct process *process) {
    memory_reset(process);
    tables_reset(process);
    for (size_t k = 0; k < PROCESS_SECTIONS; k++) {
        const struct section *section = &process->sections[k];
        copy_raw(section->start, section->first, (size_t)(section->stop - section->start));
    }
}

/* ---- the first disks ---- */

static void read_file(struct disk *disk, const char *folder, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    CHECK(size > 0 && fseek(file, 0, SEEK_SET) == 0);
    char *data = malloc((size_t)size);
    CHECK(data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size);
    disk_put(disk, name, data, (size_t)size);
    free(data);
    fclose(file);
}

void process_read_first_disks(void) {
    read_file(&first_disks[PROCESS_WALLET], "0", "wallet.db");
    read_file(&first_disks[PROCESS_DISCOUNT], "1", "discount.db");
    read_file(&other_wallet, "2", "wallet.db");
}

const struct disk *process_other_wallet(void) { return &other_wallet; }

/* ---- life ---- */

void process_begin_world(void) {
    loops[0] = (char)('1' + random_below(&world.random, 2));
    static const char *const afters[] = {"604800", "0", "2"}; /* in two of three worlds what has ended is archived soon */
    snprintf(archive_after, sizeof archive_after, "%s", afters[world.seed % ARRAY_COUNT(afters)]);
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        struct process *process = &processes[i];
        process->state = PROCESS_DOWN;
        process->incarnation = 0;
        process->is_retired = process->is_other = false;
        disk_copy(&process->disk, &first_disks[i]);
        process->wall_offset_us = process->drift_ppm = process->drift_from_us = process->drifted_us = 0;
        process->server = NULL;
        process->wall_min_us = INT64_MAX;
        process->wall_max_us = 0;
        if (world_fault(FAULT_CLOCK_DRIFT)) process_set_drift(process, random_between(&world.random, -2000, 2000));
    }
}

static void start_again(void *context) {
    struct process *process = context;
    if (process->state == PROCESS_DOWN && !process->is_retired) process_start(process);
}

static void bring_down(struct process *process) {
    process->state = PROCESS_DOWN;
    process->server = NULL;
    disk_crash(&process->disk);
    link_break(process);
    /* Who comes up again often has another time at first. */
    bool is_set_back = world.leaning == LEANS_TO_DISKS && world.fault_per_million[FAULT_CLOCK_BACK] > 0 && world.has_faults;
    if (is_set_back) process_jump_clock(process, -random_between(&world.random, 0, SET_BACK_MOST_US));
    int64_t most_us = world.has_faults ? RESTART_MOST_US : 10 * RESTART_LEAST_US;
    world_after(random_between(&world.random, RESTART_LEAST_US, most_us), start_again, process);
    fiber_kill_process(process); /* does not return when it is one of them that calls */
}

static void *run_main(void *context) {
    struct process *process = context;
    int code = process->main(process->argument_count, process->arguments);
    world_note("%s: main returned %d", process->name, code);
    world_reach(code == 0 ? "a service ended" : "a service could not start");
    bring_down(process);
    return NULL;
}

void process_start(struct process *process) {
    CHECK(process->state == PROCESS_DOWN);
    process->state = PROCESS_STARTING;
    process->incarnation++;
    restore_memory(process);
    (void)process_wall_us(process);
    bool is_planned = world.fault_per_million[FAULT_CRASH_DISK] > 0 && random_below(&world.random, PLANNED_CRASH_RATE) == 0;
    /* An early one as often as a late one. */
    uint64_t call = random_below(&world.random, UINT64_C(1) << random_between(&world.random, 5, CRASH_CALLS_BITS)) + 1;
    process->disk.crash_at = world.has_faults && is_planned ? call : 0;
    world_note("%s: starts, incarnation %u", process->name, process->incarnation);
    (void)fiber_spawn(process, "main", run_main, process);
}

void process_crash(struct process *process, const char *where) {
    world_note("%s: crash, %s", process->name, where);
    world_reach(process->state == PROCESS_STARTING ? "crash while starting" : "crash while serving");
    bring_down(process);
}

void process_turn(void) {
    struct fiber *fiber = fiber_current();
    if (fiber == NULL) return;
    struct process *process = fiber_process(fiber);
    if (process != NULL && world_fault(FAULT_CRASH)) process_crash(process, fiber_name(fiber));
    fiber_yield();
}

/* ---- tools ---- */

struct tool {
    struct process *process;
    int argument_count;
    char *arguments[8];
    int code;
};

static void *run_tool(void *context) {
    struct tool *tool = context;
    tool->code = tool->process->main(tool->argument_count, tool->arguments);
    fflush(stdout);
    return NULL;
}

int process_run_tool(struct process *process, char *const *arguments) {
    struct tool tool = {.process = process, .argument_count = 1, .arguments = {process->arguments[0]}, .code = -1};
    for (; *arguments != NULL; arguments++) {
        CHECK(tool.argument_count < (int)ARRAY_COUNT(tool.arguments) - 1);
        tool.arguments[tool.argument_count++] = *arguments;
    }
    process->is_retired = true;
    if (process->state != PROCESS_DOWN) {
        process->state = PROCESS_DOWN;
        process->server = NULL;
        disk_crash(&process->disk);
        link_break(process);
        fiber_kill_process(process);
    }
    restore_memory(process);
    process->incarnation++;
    struct fiber *fiber = fiber_spawn(process, "tool", run_tool, &tool);
    while (!fiber_has_ended(fiber) && world_step()) {
    }
    fiber_kill_process(process);
    world_note("%s: %s returned %d", process->name, tool.arguments[1], tool.code);
    return tool.code;
}

/* ---- clocks ---- */

int64_t process_monotonic_us(const struct process *process) {
    int64_t passed_us = world.now_us - process->drift_from_us;
    return process->drifted_us + passed_us + passed_us * process->drift_ppm / 1000000;
}

int64_t process_delay_until(const struct process *process, int64_t wall_us) {
    int64_t its_delay_us = wall_us - (PROCESS_EPOCH_US + process_monotonic_us(process) + process->wall_offset_us);
    return its_delay_us * 1000000 / (1000000 + process->drift_ppm);
}

int64_t process_wall_us(struct process *process) {
    int64_t wall_us = PROCESS_EPOCH_US + process_monotonic_us(process) + process->wall_offset_us;
    if (wall_us < process->wall_min_us) process->wall_min_us = wall_us;
    if (wall_us > process->wall_max_us) process->wall_max_us = wall_us;
    return wall_us;
}

void process_jump_clock(struct process *process, int64_t by_us) {
    process->wall_offset_us += by_us;
    world_note("%s: its clock jumps by %lld ms", process->name, (long long)by_us / 1000);
    (void)process_wall_us(process);
}

void process_set_drift(struct process *process, int64_t ppm) {
    process->drifted_us = process_monotonic_us(process);
    process->drift_from_us = world.now_us;
    process->drift_ppm = ppm;
}

/* As a daemon that sets the time does it. */
void process_mend_clock(struct process *process) {
    process_set_drift(process, 0);
    process->wall_offset_us = world.now_us - process_monotonic_us(process);
    (void)process_wall_us(process);
}
