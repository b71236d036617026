/* The proof of the invariants that Discount alone can prove (ARCHITECTURE.md, 1 to 3), on a live or a stopped database: one read transaction. */
#pragma once

#include <stdio.h>

#include "base/result.h"
#include "service/progress.h"
#include "store/batch.h"

/* Tells of the redemptions how far it is. Writes what it found to `out`: one line for each campaign and a closing one, or the first row that breaks a rule. RESULT_CORRUPT: a rule is
 * broken; other errors: it could not be read. */
struct result verify_database(const struct place *place, struct progress *progress, FILE *out) MUST_CHECK;
