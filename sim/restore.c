#include "sim/restore.h"

#include "sim/oracle.h"
#include "sim/process.h"
#include "sim/world.h"

#define BACKUP_MOST_US    INT64_C(20000000)
#define RESTORE_STEPS     10000
#define EXCHANGE_LOOK_US  10000
#define EXCHANGE_CHANCE   20 /* one in so many looks while nothing is owed, one in four while something is */
#define EXCHANGE_LEAST_US 100000
#define EXCHANGE_MOST_US  6000000

char *const restore_reconcile[] = {"reconcile", "--data", "1", "--wallet", "http://wallet", NULL};

static struct disk ours; /* Wallet's, while another one is there */

/* ---- an older backup ---- */

static struct disk backup;
static bool has_backup;

static void make_backup(void *context) {
    (void)context;
    const struct process *wallet = &processes[PROCESS_WALLET];
    disk_snapshot(&backup, wallet->is_other ? &ours : &wallet->disk);
    has_backup = true;
    world_note("wallet: a backup is made");
}

int64_t restore_transfers(void) { return oracle_integer(PROCESS_WALLET, "SELECT count(*) FROM transfers WHERE caller = 'discount'", -1); }

void restore_last(int64_t before) {
    if (!has_backup) return;
    struct process *wallet = &processes[PROCESS_WALLET];
    disk_snapshot(&wallet->disk, &backup);
    wallet->is_retired = false;
    process_start(wallet);
    for (int i = 0; i < RESTORE_STEPS && wallet->state != PROCESS_UP && world_step(); i++) {
    }
    int64_t after = restore_transfers();
    if (after < 0) {
        world_fail("Wallet starts from a backup", "it does not");
        return;
    }
    int code = process_run_tool(&processes[PROCESS_DISCOUNT], restore_reconcile);
    world_reach(after < before ? "an older backup lacks transfers" : "an older backup lacks nothing");
    if ((code == 0) != (after == before)) {
        world_fail("reconcile finds what a backup lacks", "exit code %d, %lld of %lld transfers", code, (long long)after,
                   (long long)before);
    }
}

/* ---- another Wallet ---- */

void restore_end_exchange(void) {
    struct process *wallet = &processes[PROCESS_WALLET];
    if (!wallet->is_other) return;
    if (wallet->state != PROCESS_DOWN) process_crash(wallet, "ours comes back");
    disk_copy(&wallet->disk, &ours);
    wallet->is_other = false;
}

static void end_exchange(void *context) {
    (void)context;
    restore_end_exchange();
}

/* When Discount has met ours, or it would take the other one for its own; best while it owes something. */
static void begin_exchange(void *context) {
    struct process *wallet = &processes[PROCESS_WALLET];
    (void)context;
    if (!world.has_faults) return;
    bool has_met = oracle_integer(PROCESS_DISCOUNT, "SELECT count(*) FROM settings WHERE name = 'wallet_instance'", 0) > 0;
    bool owes = oracle_integer(PROCESS_DISCOUNT, "SELECT count(*) FROM redemptions WHERE status = 0", 0) > 0;
    if (!has_met || wallet->state != PROCESS_UP || random_below(&world.fate, owes ? 4 : EXCHANGE_CHANCE) != 0) {
        world_after(EXCHANGE_LOOK_US, begin_exchange, NULL);
        return;
    }
    process_crash(wallet, "another one takes its address");
    disk_copy(&ours, &wallet->disk);
    disk_copy(&wallet->disk, process_other_wallet());
    wallet->is_other = true;
    world_reach("another Wallet answers");
    world_after(random_between(&world.fate, EXCHANGE_LEAST_US, EXCHANGE_MOST_US), end_exchange, NULL);
}

/* ---- a world ---- */

void restore_begin_world(void) {
    has_backup = false;
    int64_t backup_us = random_between(&world.random, 0, BACKUP_MOST_US);
    if (world_fault(FAULT_BACKUP)) world_after(backup_us, make_backup, NULL);
    if (world_is_fated(FAULT_OTHER_WALLET)) world_after(EXCHANGE_LOOK_US, begin_exchange, NULL);
}
