/* Which Wallet may answer: the one in whose database our funds were opened. A database has an id from its making on, and each answer to a service names
 * it (Wallet-Instance). Another Wallet at the address knows neither our funds nor our users: what it refuses, it refuses for good, and would be believed.
 *
 *   nobody met ──▶ OURS (the first that answers well) ──▶ ANOTHER answers ──▶ OURS is back
 *                     ▲                                      │ the operator says that it is the right one
 *                     └──────────────────────────────────────┘
 *
 * Invariants: once one is ours, no other answer is believed, whatever its status; an answer that names nobody is believed only where it can do no harm
 * (a refusal of the whole call, as a proxy makes it), or as long as nobody was met (a Wallet from before it had a name). The settler's thread. */
#pragma once

#include "base/id.h"
#include "base/metrics.h"

#define INSTANCE_HEADER "Wallet-Instance"

struct instance {
    struct id ours;  /* zero: nobody was met */
    struct id other; /* answers instead; zero: nobody does */
    bool must_keep;  /* ours was learnt, and is not on disk yet */
};

/* Whether an answer with this header (empty: without) and status may be believed; learns from it, and says in the log what is new. */
bool instance_may_answer(struct instance *instance, struct text header, int status);
/* The operator's word: this one is ours from now on. */
void instance_trust(struct instance *instance, struct id id);
static inline bool instance_is_another(const struct instance *instance) { return !id_is_zero(instance->other); }

extern struct metric instance_metric_another;
