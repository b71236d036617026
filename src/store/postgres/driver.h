/* PostgreSQL behind the seam, for store/open.c. */
#pragma once

#include "store/batch.h"

/* As batch_open. */
struct result postgres_batch_open(const struct place *place, enum batch_mode mode, struct batch **ret_batch) MUST_CHECK;
