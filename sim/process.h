/* A service as the operating system sees it: a program with memory, threads, a disk and two clocks, which can crash at any moment and is started
 * again. Inside runs the shipped program from its `main` on, with its real command line.
 *
 * Its memory is a part of ours: the linker has put the program's variables into sections of their own (meson.build), which are given their first
 * values back at each start, and so has its heap (sim/memory.h). */
#pragma once

#include "sim/disk.h"
#include "sim/fiber.h"

enum process_index { PROCESS_WALLET, PROCESS_DISCOUNT, PROCESS_COUNT };
enum process_state { PROCESS_DOWN, PROCESS_STARTING, PROCESS_UP };

#define PROCESS_EPOCH_US INT64_C(1763805598000000) /* when worlds begin: 2025-11-22T09:59:58Z */

struct section {
    char *start, *stop; /* in memory */
    char *first;        /* a copy of what it was; NULL: zeroes */
};
#define PROCESS_SECTIONS 3u

struct unit_server;

struct process {
    enum process_index index;
    const char *name;
    int (*main)(int argc, char **argv);
    char **arguments;
    int argument_count;
    struct section sections[PROCESS_SECTIONS];

    enum process_state state;
    bool is_retired;      /* not started again: its tools run instead */
    bool is_other;        /* its database is another one than that of this world, who knows nobody here */
    uint32_t incarnation; /* how often it was started */
    struct disk disk;
    int64_t wall_offset_us; /* what jumps have added to its wall clock */
    int64_t drift_ppm;
    int64_t drift_from_us;            /* true time from which on the drift counts */
    int64_t drifted_us;               /* its monotonic clock at that time */
    int64_t wall_min_us, wall_max_us; /* what its wall clock has shown in this world */
    struct unit_server *server;       /* NULL until it listens */
};

extern struct process processes[PROCESS_COUNT];

void process_prepare(void);     /* once, before any of their code has run */
void process_begin_world(void); /* both down, disks as after `init` */
/* The content of the disks after `init`, from files of the working directory: once. */
void process_read_first_disks(void);
const struct disk *process_other_wallet(void); /* the disk of one more Wallet after its `init` */
void process_start(struct process *process);
/* Everything in memory and what was not synced is gone; it is started again after a while. Does not return when one of its fibers calls. */
void process_crash(struct process *process, const char *where);
/* Ends it, and runs its program once more with other arguments (without the first, NULL at the end), to its end: verify, reconcile. The exit code. */
int process_run_tool(struct process *process, char *const *arguments);
/* At a turn of a fiber: it may crash here, or let others run first. */
void process_turn(void);

int64_t process_wall_us(struct process *process);
/* How long it takes until its wall clock shows this, as it goes now. */
int64_t process_delay_until(const struct process *process, int64_t wall_us);
int64_t process_monotonic_us(const struct process *process);
void process_jump_clock(struct process *process, int64_t by_us);
void process_set_drift(struct process *process, int64_t ppm);
void process_mend_clock(struct process *process); /* the right time and pace again */
