/* The self-audit: while the service runs, one account after the other is derived anew from its entries, and held against what it says of itself; then it
 * begins again. A thread of its own with a reader of its own reads a bounded number of rows and rests, so that it costs at most some hundredths of a processor.
 * What does not add up is a divergence: the account is frozen through the store, as by an administrator (in the audit log: "self-audit"), /readyz says so, and
 * it stays said until a restart has found it right. */
#pragma once

#include "http/exchange.h"
#include "service/readiness.h"
#include "store/store.h"

#define SELF_AUDIT_DIVERGENCES_MAX 16u /* that are told; the accounts behind them are frozen as well */

struct self_audit_divergence {
    int64_t account_number, entry, found_at_us; /* entry: where its sum stops being right; 0: the account's own row */
    struct id account_id;
    const char *what; /* a constant phrase */
};

struct self_audit_state {
    int64_t account_number, entry; /* where it stands; 0: before the first account */
    int64_t passes, entries, divergence_count;
    int64_t pass_began_us, pass_ended_us; /* the last that has ended; 0: none has */
    struct self_audit_divergence divergences[SELF_AUDIT_DIVERGENCES_MAX];
};

struct self_audit;
struct self_audit_options {
    const struct place *place; /* outlives it, as the others do */
    const struct clock *clock;
    struct store *store;
    struct readiness *readiness;
};
/* RESULT_FULL: no memory, no thread; or what batch_open says. */
struct result self_audit_start(const struct self_audit_options *options, struct self_audit **ret_audit) MUST_CHECK;
void self_audit_stop(struct self_audit *audit);                                     /* before the store stops; NULL is fine */
void self_audit_read(struct self_audit *audit, struct self_audit_state *ret_state); /* any thread; NULL: it does not run, and all is zero */
void self_audit_get(struct exchange *exchange);                                     /* GET /v1/ledger/audit */
