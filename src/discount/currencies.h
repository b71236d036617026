/* Which currencies campaigns may be in beside IRT and IRR: those of --currency, and every one that a campaign is in, so that an option that is left out makes
 * none of them unreadable. Kept as a setting by whoever writes the database; known in each process that has opened it, before it has threads. */
#pragma once

#include "service/currencies.h"
#include "store/batch.h"

/* Makes known what the database has. */
struct result currencies_learn(struct batch *batch) MUST_CHECK;
/* At a start: keeps what is given, lets go of what is neither given nor used, and makes known what is left. Says on standard error what contradicts a
 * campaign: RESULT_INVALID. */
struct result currencies_review(struct batch *batch, const struct currency_options *given) MUST_CHECK;
