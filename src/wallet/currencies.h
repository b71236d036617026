/* Which currencies the books know beside IRT and IRR: those of --currency, and every one that an account was ever opened in.
 *
 *   not known ──start with CODE:EXPONENT──▶ kept ──its first credit──▶ used: stays, with this exponent, whatever is said at a start
 *       ▲                                    │
 *       └──── start without it: it goes ─────┘ or it gets another exponent
 *
 * Kept in the table `currencies` by whoever writes the books; known in each process that has opened them, before it has threads. */
#pragma once

#include "http/exchange.h"
#include "service/currencies.h"
#include "store/batch.h"

/* Makes known what the books have. */
struct result currencies_learn(struct batch *batch) MUST_CHECK;
/* At a start: keeps what is given, lets go of what is neither given nor used, and makes known what is left. Says on standard error what contradicts the
 * books: RESULT_INVALID. */
struct result currencies_review(struct batch *batch, const struct currency_options *given) MUST_CHECK;

/* ---- the routes ---- */

void currencies_list(struct exchange *exchange); /* GET /v1/currencies */
