/* The service's days and months, which its limits count by: those of --time-zone. */
#pragma once

#include "base/zone.h"
#include "store/batch.h"
#include "wallet/core/ledger.h"

struct calendar calendar_of(const struct zone *zone);
/* Before the store runs: when what is in the database was counted in another time zone (`stored`), it is counted anew in this one. */
struct result calendar_review(struct batch *batch, struct text stored, const struct zone *zone, int64_t now_us) MUST_CHECK;
