/* The world of one seed: its time, its chance, its events and their hash, and the faults that are allowed in it. One per process.
 *
 * A step is one turn of one fiber or one event. Everything that happens is noted as a line of text: the hash over all lines is what two runs of
 * one seed must agree on, and the last lines are what a failure shows. */
#pragma once

#include "base/crypto.h"
#include "sim/random.h"

/* Each has a probability that the seed chooses, and is left out of some worlds altogether. The last ones, from FAULT_FATES on, strike once in a world
 * or not at all, which is chosen at its beginning. */
enum sim_fault {
    FAULT_CRASH,         /* of a service at a turn of one of its fibers */
    FAULT_CRASH_DISK,    /* of a service in the middle of a disk call */
    FAULT_LOSE_WRITE,    /* a crash loses a sector that was not synced */
    FAULT_TEAR_WRITE,    /* a crash leaves a part of a sector */
    FAULT_WRITE_ERROR,   /* EIO; a part may have been written */
    FAULT_SYNC_ERROR,    /* EIO, and what was to be synced may never reach the disk */
    FAULT_READ_ERROR,    /* EIO */
    FAULT_DISK_FULL,     /* for a while */
    FAULT_DISK_SLOW,     /* one call takes long */
    FAULT_TURN,          /* a disk call or a message gives another fiber its turn */
    FAULT_LINK_REFUSED,  /* no connection */
    FAULT_LINK_DROPPED,  /* the request is lost */
    FAULT_LINK_CUT,      /* the request took effect, the answer is lost */
    FAULT_LINK_DELAYED,  /* either takes long, and so comes after later ones */
    FAULT_LINK_REPEATED, /* the request comes twice */
    FAULT_CLOCK_FORWARD, /* a wall clock jumps */
    FAULT_CLOCK_BACK,
    FAULT_CLOCK_DRIFT,    /* a clock runs too fast or too slow */
    FAULT_CLIENT_TIMEOUT, /* a client stops waiting and sends the same again */
    FAULT_CLIENT_LEAVES,  /* it stops waiting and forgets */
    FAULT_CLIENT_REPEATS, /* it sends the same again though it was answered */
    FAULT_CLIENT_KEY,     /* it sends another body with a used Idempotency-Key */
    FAULT_BACKUP,         /* at the very end Wallet comes back from an older backup */
    FAULT_QUEUE_FULL,     /* the store's queue is short */
    FAULT_CLAIMS_FULL,    /* the settler has room for few claims */
    FAULT_OTHER_WALLET,   /* for a while another Wallet, with a database of its own, answers at the address */
    FAULT_OLD_WALLET,     /* Wallet's database comes back from an older copy, */
    FAULT_OLD_DISCOUNT,   /* or Discount's, and both must agree again */
    FAULT_COUNT
};

#define FAULT_FATES FAULT_OTHER_WALLET

struct fault_kind {
    const char *name;
    uint32_t per_million_max;
};
extern const struct fault_kind fault_kinds[FAULT_COUNT];

/* By turns, worlds lean to one kind of trouble: some faults strike more often, and people do more of what meets them. So that what breaks is found
 * by the first seeds, and not when chance has put all that it needs into one world. */
enum world_leaning {
    LEANS_NOWHERE,
    LEANS_TO_CAMPAIGNS, /* many places, others' phones, pauses, raised limits, lost answers, long rounds of the loops */
    LEANS_TO_KEYS,      /* the same again, also much later, and another body under the same key */
    LEANS_TO_DISKS,     /* commits that fail, crashes, clocks that go back */
    LEANS_TO_TIMES,     /* campaigns that end soon; clocks go right */
    LEANING_COUNT
};

/* What a shrinking run takes away from a world, and what else the command line says. */
struct world_limits {
    uint32_t users_max, actions_max; /* 0: as the seed says */
    uint32_t faults_off;             /* a bit for each fault that is left out */
    uint64_t steps_max;              /* a world that has not ended by then never will; 0: WORLD_STEPS_MAX */
    bool is_quiet;                   /* nothing is printed while it runs */
    bool prints_events;              /* all lines, not only the last */
};

#define WORLD_STEPS_MAX UINT64_C(12000000) /* more than run.c's own bounds allow in all */
#define EVENT_BYTES     240
#define EVENTS_KEPT     64u
#define UNHASHED_BYTES  2048u

struct world {
    uint64_t seed;
    enum world_leaning leaning;
    struct world_limits limits;
    struct random random;
    struct random fate; /* of its own: one more kind that strikes once leaves all worlds as they are that it spares */
    int64_t now_us;     /* true time, since the world began; nobody in the world knows it */
    uint64_t step;
    bool has_faults; /* false at the end: the world is left in peace */
    uint32_t fault_per_million[FAULT_COUNT];
    uint64_t fault_counts[FAULT_COUNT];
    struct hash hash;                                  /* of the events, but for the last lines: world_hash */
    char unhashed[CRYPTO_HASH_BYTES + UNHASHED_BYTES]; /* the lines, behind the room for the hash that they are chained to */
    size_t unhashed_size;
    uint64_t event_count;
    char events[EVENTS_KEPT][EVENT_BYTES]; /* a ring */
    bool is_apart;                         /* one database was restored, and both do not agree yet */
    int64_t restored_us[2];                /* when the database of each service was (enum process_index); 0: it was not */
    bool has_failed;
    char failure[EVENT_BYTES * 2];
};

extern struct world world;

void world_begin(uint64_t seed, const struct world_limits *limits);
/* Whether it happens now; counted. */
bool world_fault(enum sim_fault fault);
/* Of FAULT_FATES and later: whether this world has it; counted. */
bool world_is_fated(enum sim_fault fault);
struct hash world_hash(void); /* over all events so far */
void world_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A broken invariant: the first one is kept, and the world ends after this step. */
void world_fail(const char *invariant, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_print_events(int fd); /* the last ones; only calls that a signal handler may make */

/* ---- what happens later ---- */
void world_after(int64_t delay_us, void (*act)(void *context), void *context);
/* Takes one step; false when nothing is left to do, or the world has failed. */
bool world_step(void);

/* Named states that worlds have been in, for the coverage. `name` is a constant. */
void world_reach(const char *name);
#define REACHED_MAX 256u
struct reached {
    const char *name;
    uint64_t count;
};
extern struct reached reached[REACHED_MAX];
