/* Where the seam meets its two drivers: opens a connection of either kind. */
#pragma once

#include "store/batch.h"

/* RESULT_CONFLICT: exists already (CREATE), or another process is the writer (WRITE); RESULT_NOT_FOUND, RESULT_CORRUPT, RESULT_INVALID (another
 * application's, a newer schema, or, for READ, an older one), RESULT_UNAVAILABLE (not now), RESULT_FULL, RESULT_IO. Each is logged once, with its reason. */
struct result batch_open(const struct place *place, enum batch_mode mode, struct batch **ret_batch) MUST_CHECK;
bool place_is_served_on_threads(const struct place *place); /* its readers wait for a network: not on a loop */
