#include "sim/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "sim/actors.h"
#include "sim/disk_vfs.h"
#include "sim/judge.h"
#include "sim/link.h"
#include "sim/oracle.h"
#include "sim/process.h"
#include "sim/seams.h"

#define CLOCK_TICK_US    50000
#define JUMP_MOST_US     INT64_C(7200000000)
#define STEPS_MOST       2000000u
#define BUSY_MOST_US     INT64_C(120000000) /* of faults, then the world is left in peace */
#define QUIET_MOST_US    INT64_C(90000000)
#define QUIET_STEPS_MOST 1000000u
#define REST_US          INT64_C(15000000)

/* From a millisecond to two hours, each order of magnitude as often. */
static int64_t jump_us(void) {
    int64_t most_us = 2000;
    for (uint64_t doublings = random_below(&world.random, 22); doublings > 0; doublings--) most_us *= 2;
    return random_between(&world.random, 1000, most_us > JUMP_MOST_US ? JUMP_MOST_US : most_us);
}

static void move_clocks(void *context) {
    (void)context;
    if (!world.has_faults) return;
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        if (world_fault(FAULT_CLOCK_FORWARD)) process_jump_clock(&processes[i], jump_us());
        if (world_fault(FAULT_CLOCK_BACK)) process_jump_clock(&processes[i], -jump_us());
    }
    world_after(CLOCK_TICK_US, move_clocks, NULL);
}

static bool step(void) {
    if (!world_step()) return false;
    oracle_after_step();
    return !world.has_failed;
}

/* The world is at rest: nobody wants anything, and Discount owes nothing. */
static bool is_settled(void) {
    if (!actors_are_quiet()) return false;
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        if (processes[i].state != PROCESS_UP) return false;
    }
    return oracle_integer(PROCESS_DISCOUNT, "SELECT count(*) FROM redemptions WHERE status = 0", 1) == 0 &&
           oracle_integer(PROCESS_DISCOUNT,
                          "SELECT count(*) FROM campaigns WHERE fund_step <> 0 OR (ended_at <> 0 AND fund_is_released = 0)", 1) == 0;
}

static void run_busy(void) {
    int64_t until_us = BUSY_MOST_US;
    while (world.now_us < until_us && world.step < STEPS_MOST && !actors_are_quiet() && step()) {
    }
}

static bool run_quiet(const char *what) {
    int64_t until_us = world.now_us + QUIET_MOST_US;
    uint64_t last_step = world.step + QUIET_STEPS_MOST;
    while (!is_settled()) {
        if (world.has_failed) return false;
        if (world.now_us >= until_us || world.step >= last_step) {
            world_fail("the world becomes quiet", "%s: %lld ms and %llu steps were not enough", what, (long long)(QUIET_MOST_US / 1000),
                       (unsigned long long)(world.step + QUIET_STEPS_MOST - last_step));
            return false;
        }
        for (int i = 0; i < 64 && step(); i++) {
        }
    }
    return true;
}

static void leave_in_peace(void) {
    world_note("faults end");
    world.has_faults = false;
    people.is_over = true;
    for (size_t i = 0; i < ACTORS_MAX; i++) people.actors[i].actions_left = 0;
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        process_mend_clock(&processes[i]);
        processes[i].disk.crash_at = 0;
    }
}

void run_world(uint64_t seed, const struct world_limits *limits) {
    world_begin(seed, limits);
    disk_vfs_begin();
    seams_begin_world();
    link_begin_world();
    oracle_begin_world();
    process_begin_world();
    actors_begin_world();
    for (size_t i = 0; i < PROCESS_COUNT; i++) process_start(&processes[i]);
    world_after(CLOCK_TICK_US, move_clocks, NULL);
    run_busy();
    if (world.has_failed) return;
    leave_in_peace();
    if (!run_quiet("after the faults")) return;
    /* Long enough for every loop that sleeps to go to sleep, and for back-offs to pass. */
    int64_t rested_us = world.now_us + REST_US;
    while (world.now_us < rested_us && step()) {
    }
    if (!run_quiet("after a rest")) return; /* a late copy may have made something */
    void (*const last[])(void) = {actors_end_with_login, actors_end_with_campaign, actors_end_with_users};
    for (size_t i = 0; i < ARRAY_COUNT(last) && !world.has_failed; i++) {
        last[i]();
        if (!run_quiet("last wishes")) return;
    }
    if (!world.has_failed) judge_end();
}
