/* When a campaign is open by its schedule, and which day it is for it: by its time zone, outside of the core, which is handed what comes out. */
#pragma once

#include "base/zone.h"
#include "discount/core/campaign.h"

/* 0: it is open now; else when it opens next. */
int64_t schedule_opens_at(const struct schedule *schedule, const struct zone *zone, int64_t now_us);
struct day_window day_of(const struct zone *zone, int64_t now_us);
