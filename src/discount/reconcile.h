/* The proof across both services (ARCHITECTURE.md, 6 and 7): what Discount says it has credited is what Wallet has paid out of each
 * campaign's fund.
 *
 * Wallet is asked over HTTP, with a service token: the fund, and each transaction out of it. Both may be live: a claim that is being settled
 * may be on either side, so a difference counts only when it is still there after Discount's row was read again. */
#pragma once

#include <stdio.h>

#include "auth/keys.h"
#include "store/batch.h"

/* RESULT_OK: all agree. RESULT_CONFLICT: the differences are written to `out`, all of them. RESULT_IO and others: Wallet or the database can't be
 * read (said on `out`). */
struct result reconcile_services(const struct place *place, const char *wallet_url, const struct key_ring *keys, FILE *out) MUST_CHECK;
