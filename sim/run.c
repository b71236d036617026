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
#include "sim/restore.h"
#include "sim/seams.h"

#define CLOCK_TICK_US    50000
#define JUMP_MOST_US     INT64_C(7200000000)
#define CRASHES_DUE      1
#define STEPS_MOST       2000000u
#define BUSY_MOST_US     INT64_C(120000000) /* of faults, then the world is left in peace */
#define QUIET_MOST_US    INT64_C(90000000)
#define QUIET_STEPS_MOST 1000000u
#define REST_US          INT64_C(15000000)

/* From a millisecond to two hours, each order of magnitude as often. To a few seconds where they are many, or no token would be good for long. */
static int64_t jump_us(void) {
    int64_t most_us = 2000;
    for (uint64_t doublings = random_below(&world.random, world.leaning == LEANS_TO_DISKS ? 11 : 22); doublings > 0; doublings--)
        most_us *= 2;
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

/* Just after a claim is committed, and before it is credited: what a restart must find again. */
static unsigned crashes_due;

static void crash_in_between(void) {
    if (!world.has_faults || crashes_due == 0) return;
    bool has_claims = oracle_integer(PROCESS_DISCOUNT, "SELECT count(*) FROM redemptions WHERE status IN (0, 4)", 0) > 0;
    if (!has_claims || random_below(&world.random, 2) == 0) return;
    crashes_due--;
    process_crash(&processes[PROCESS_DISCOUNT], "a claim waits");
}

static bool step(void) {
    if (!world_step()) return false;
    if (oracle_after_step()) crash_in_between();
    return !world.has_failed;
}

/* The world is at rest: nobody wants anything, and Discount owes nothing. */
static bool is_settled(void) {
    if (!actors_are_quiet()) return false;
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        if (processes[i].state != PROCESS_UP) return false;
    }
    return oracle_integer(PROCESS_DISCOUNT, "SELECT count(*) FROM redemptions WHERE status IN (0, 4)", 1) == 0 &&
           oracle_integer(PROCESS_DISCOUNT,
                          "SELECT count(*) FROM campaigns WHERE kind = 1 AND (fund_step <> 0 OR (ended_at <> 0 AND fund_is_released = 0))",
                          1) == 0;
}

static void run_busy(void) {
    int64_t until_us = BUSY_MOST_US;
    while (world.now_us < until_us && world.step < STEPS_MOST && !actors_are_quiet() && step()) {
    }
}

/* The bound of time begins when the last one comes again who was told to wait. */
static bool is_too_late(int64_t begun_us) {
    return world.now_us - (people.told_until_us > begun_us ? people.told_until_us : begun_us) >= QUIET_MOST_US;
}

static bool run_until(bool (*is_done)(void), const char *what) {
    int64_t begun_us = world.now_us;
    uint64_t last_step = world.step + QUIET_STEPS_MOST;
    while (!is_done()) {
        if (world.has_failed) return false;
        if (is_too_late(begun_us) || world.step >= last_step) {
            world_fail("the world becomes quiet", "%s: %lld ms and %llu steps were not enough", what,
                       (long long)((world.now_us - begun_us) / 1000), (unsigned long long)(world.step + QUIET_STEPS_MOST - last_step));
            return false;
        }
        for (int i = 0; i < 64 && step(); i++) {
        }
    }
    return true;
}

static bool run_quiet(const char *what) { return run_until(is_settled, what); }

static bool is_agreed(void) { return is_settled() && (oracle_books_agree() || oracle_books_owe()); }

/* With people who come meanwhile: in the end everybody is paid who was told so, and nobody twice. False: the world is over, failed or for people to settle. */
static bool restore(enum process_index index) {
    if (!restore_copy(index)) return !world.has_failed;
    actors_come_again();
    if (!run_until(is_agreed, "after a restore")) return false;
    if (!oracle_books_agree()) {
        world_reach("what was taken back is paid again, and spent");
        world_note("what was taken back is paid again, and spent: only people can settle that");
        return false;
    }
    world.is_apart = false;
    oracle_check_all();
    return !world.has_failed;
}

static void leave_in_peace(void) {
    world_note("faults end");
    world.has_faults = false;
    restore_end_exchange();
    people.is_over = true;
    for (size_t i = 0; i < ACTORS_MAX; i++) people.actors[i].actions_left = 0;
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        process_mend_clock(&processes[i]);
        processes[i].disk.crash_at = 0;
    }
}

/* The shipped proofs agree: of both databases together while Wallet serves, and of one of them alone, by turns: a program that is started for it costs a world as much
 * as the oracle does in all of it. */
static void prove(void) {
    static char *const discount_verify[] = {"verify", "--data", "1", NULL};
    static char *const wallet_verify[] = {"verify", "--data", "0", NULL};
    static const struct {
        enum process_index index;
        char *const *arguments;
    } proofs[] = {{PROCESS_DISCOUNT, discount_verify}, {PROCESS_DISCOUNT, restore_reconcile}, {PROCESS_WALLET, wallet_verify}};
    int64_t lost_campaigns = oracle_lost_campaigns();
    enum process_index left_out = world.seed % 2 == 0 ? PROCESS_WALLET : PROCESS_DISCOUNT;
    for (size_t i = 0; i < ARRAY_COUNT(proofs) && !world.has_failed; i++) {
        if (proofs[i].arguments != restore_reconcile && proofs[i].index == left_out) continue;
        const struct process *process = &processes[proofs[i].index];
        int64_t lost = proofs[i].arguments == restore_reconcile ? lost_campaigns : 0;
        int code = process_run_tool(&processes[proofs[i].index], proofs[i].arguments);
        if (lost > 0 && code == 0) world_fail("reconcile finds what a restored Discount lacks", "%lld campaigns", (long long)lost);
        if (lost == 0 && code != 0)
            world_fail("the shipped proofs agree", "%s %s: exit code %d", process->name, proofs[i].arguments[0], code);
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
    crashes_due = world.leaning == LEANS_TO_DISKS && world.fault_per_million[FAULT_CRASH] > 0 ? CRASHES_DUE : 0;
    restore_begin_world();
    run_busy();
    if (world.has_failed) return;
    leave_in_peace();
    if (!restore(PROCESS_WALLET) || !restore(PROCESS_DISCOUNT) || !run_quiet("after the faults")) return;
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
    if (world.has_failed) return;
    struct restore_transfers transfers = restore_transfers();
    prove();
    if (!world.has_failed) restore_last(&transfers);
}
