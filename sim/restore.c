#include "sim/restore.h"

#include "sim/actors.h"
#include "sim/oracle.h"
#include "sim/process.h"
#include "sim/world.h"

#define BACKUP_MOST_US    INT64_C(20000000)
#define RESTORE_STEPS     10000
#define COPY_MOST_US      2000000 /* between two */
#define LAST_COPY_CHANCE  8
#define AWAY_US           INT64_C(10000000)
#define CRASHES_MOST      2
#define CRASH_LATE_US     3000000
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

struct restore_transfers restore_transfers(void) {
    return (struct restore_transfers){
        .count =
            oracle_integer(PROCESS_WALLET, "SELECT count(*) FROM transfers WHERE caller = 'discount' AND (kind <= 5 OR kind = 12)", -1),
        .times = oracle_integer(PROCESS_WALLET,
                                "SELECT coalesce(sum(created_at), 0) FROM transfers WHERE caller = 'discount' AND (kind <= 5 OR kind = 12)",
                                -1)};
}

/* Others than there were, but no fewer, may pay for the same: then reconcile may say what it finds. */
static void judge_last(const struct restore_transfers *before, const struct restore_transfers *after, int code) {
    bool is_same = after->count == before->count && after->times == before->times;
    world_reach(after->count < before->count ? "an older backup lacks transfers" : "an older backup lacks nothing");
    if (after->count < before->count ? code != 0 : code == 0 || !is_same) return;
    world_fail("reconcile finds what a backup lacks", "exit code %d, %lld of %lld transfers", code, (long long)after->count,
               (long long)before->count);
}

void restore_last(const struct restore_transfers *before) {
    if (!has_backup) return;
    struct process *wallet = &processes[PROCESS_WALLET];
    wallet->is_retired = true;
    if (wallet->state != PROCESS_DOWN) process_crash(wallet, "to be restored");
    disk_snapshot(&wallet->disk, &backup);
    wallet->is_retired = false;
    process_start(wallet);
    for (int i = 0; i < RESTORE_STEPS && wallet->state != PROCESS_UP && world_step(); i++) {
    }
    struct restore_transfers after = restore_transfers();
    if (after.count < 0) {
        world_fail("Wallet starts from a backup", "it does not");
        return;
    }
    judge_last(before, &after, process_run_tool(&processes[PROCESS_DISCOUNT], restore_reconcile));
}

/* ---- an older copy, in the middle ---- */

static struct disk copies[PROCESS_COUNT];
static bool has_copy[PROCESS_COUNT];

/* Some are old when they come back, some are of a moment ago. */
static void make_copy(void *context) {
    struct process *process = context;
    if (!world.has_faults) return;
    if (process->disk.failed == NULL) {
        disk_snapshot(&copies[process->index], process->is_other ? &ours : &process->disk);
        has_copy[process->index] = true;
        world_note("%s: a copy is made", process->name);
    }
    if (random_below(&world.fate, LAST_COPY_CHANCE) == 0) return;
    world_after(random_between(&world.fate, 0, COPY_MOST_US), make_copy, process);
}

static bool step(void) {
    if (!world_step()) return false;
    (void)oracle_after_step();
    return !world.has_failed;
}

static void crash_again(void *context) {
    struct process *process = context;
    if (process->state != PROCESS_DOWN && world.is_apart) process_crash(process, "after a restore");
}

/* ---- what people expect of a restored database ---- */

/* Zero: there is none of this name. */
static struct id user_named(const char *name) {
    struct statement *statement = oracle_query(PROCESS_WALLET, "SELECT id FROM users WHERE name = ?1");
    struct id id = {{0}};
    bool is_there = false;
    if (statement == NULL) return id;
    statement_bind_text(statement, 1, text_of(name));
    struct result stepped = statement_step(statement, &is_there);
    if (result_is_ok(stepped) && is_there) id = statement_id(statement, 0);
    statement_reset(statement);
    return id;
}

/* Whoever is not there, or is another one by that name: of a registration, say, that was lost again after the copy was made. */
static void find_again(struct actor *actor) {
    struct id id = user_named(actor->name);
    if (!id_is_zero(id) && (id_is_zero(actor->user_id) || id_equal(id, actor->user_id))) return;
    actor->is_lost = actor->is_registered || actor->is_lost;
    actor->is_registered = !id_is_zero(id);
    actor->user_id = id;
    actor->token_size = 0;
}

static void forget_in_wallet(struct intent *intent) {
    intent->made = (struct id){{0}}; /* a transfer, or a user */
    intent->rows_before = -1;
}

static void forget_in_discount(struct intent *intent, bool is_campaign_lost) {
    bool is_lost = is_campaign_lost || intent->is_of_namesake;
    /* What was claimed only is not known to anybody else. */
    if (intent->kind == INTENT_REDEEM && (is_lost || !intent->is_told_paid)) intent->made = (struct id){{0}};
    if (intent->kind == INTENT_REDEEM && !intent->is_told_paid && intent->status < 400) intent->status = 0;
    if (is_lost && intent->state != INTENT_OPEN) intent->is_of_lost_campaign = true;
    intent->rows_before = -1;
    intent->user_reversed_before = intent->phone_reversed_before = 0;
}

/* What those who wait still expect: only that who was paid stays paid. */
static void tell_people(enum process_index index) {
    bool is_lost[CAMPAIGNS_MAX] = {false};
    (void)oracle_after_step(); /* it has just been opened */
    for (uint32_t i = 0; index == PROCESS_DISCOUNT && i < people.campaign_count; i++) {
        struct campaign_plan *campaign = &people.campaigns[i];
        struct id before = campaign->id;
        campaign->number = 0;
        campaign->id = (struct id){{0}};
        (void)oracle_find_campaign(text_of(campaign->code), &campaign->number, &campaign->id);
        is_lost[i] = campaign->number == 0 || (!id_is_zero(before) && !id_equal(before, campaign->id)); /* perhaps made anew already */
    }
    for (uint32_t i = 0; i < people.intent_count; i++) {
        struct intent *intent = people.intents[i];
        if (intent->to->index != index) continue;
        if (index == PROCESS_WALLET) forget_in_wallet(intent);
        if (index == PROCESS_DISCOUNT) forget_in_discount(intent, intent->campaign != NULL && is_lost[intent->campaign - people.campaigns]);
        if (intent->state == INTENT_OPEN) intent->status = 0;
    }
    for (uint32_t i = 0; index == PROCESS_WALLET && i < people.user_count; i++) {
        find_again(&people.actors[i]);
    }
}

/* To restore takes longer than what was sent before can be under way: what a service has sent in its former life does not come into the next one. */
static void stop_for_long(struct process *process) {
    int64_t until_us = world.now_us + AWAY_US;
    if (process->state != PROCESS_DOWN) process_crash(process, "to be restored");
    process->is_retired = true;
    while (world.now_us < until_us && step()) {
    }
    process->is_retired = false;
}

bool restore_copy(enum process_index index) {
    struct process *process = &processes[index];
    bool has_other = world.restored_us[PROCESS_WALLET] != 0; /* one of the two, or their counts may agree by chance */
    if (!has_copy[index] || has_other || !world_is_fated(index == PROCESS_WALLET ? FAULT_OLD_WALLET : FAULT_OLD_DISCOUNT)) return false;
    world.is_apart = true;
    world.restored_us[index] = world.now_us;
    stop_for_long(process);
    disk_snapshot(&process->disk, &copies[index]);
    oracle_forget(index);
    world_note("%s: an older copy", process->name);
    world_reach(index == PROCESS_WALLET ? "Wallet is restored" : "Discount is restored");
    process_start(process);
    for (int i = 0; i < RESTORE_STEPS && process->state != PROCESS_UP && step(); i++) {
    }
    if (process->state != PROCESS_UP) world_fail("a service starts from an older copy", "%s does not", process->name);
    world.restored_us[index] = world.now_us;
    tell_people(index);
    for (uint64_t left = random_below(&world.fate, CRASHES_MOST + 1); left > 0; left--) {
        world_after(random_between(&world.fate, 0, CRASH_LATE_US), crash_again, &processes[random_below(&world.fate, PROCESS_COUNT)]);
    }
    return !world.has_failed;
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
    has_backup = has_copy[PROCESS_WALLET] = has_copy[PROCESS_DISCOUNT] = false;
    int64_t backup_us = random_between(&world.random, 0, BACKUP_MOST_US);
    if (world_fault(FAULT_BACKUP)) world_after(backup_us, make_backup, NULL);
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        bool is_to_come = world.fault_per_million[i == PROCESS_WALLET ? FAULT_OLD_WALLET : FAULT_OLD_DISCOUNT] > 0;
        if (is_to_come) world_after(random_between(&world.fate, 0, COPY_MOST_US), make_copy, &processes[i]);
    }
    if (world_is_fated(FAULT_OTHER_WALLET)) world_after(EXCHANGE_LOOK_US, begin_exchange, NULL);
}
