/* Days and hours as people count them, by the system's own time zones (tzdata, read by GLib). Any thread. */
#pragma once

#include <stdint.h>

#include "base/text.h"

#define ZONE_NAME_BYTES 48u

struct zone; /* lives as long as the process */

/* "Asia/Tehran" and the like; "UTC" is there without any tzdata. RESULT_NOT_FOUND: the system knows no zone of that name, or as many are in use as there can be. */
struct result zone_find(struct text name, const struct zone **ret_zone) MUST_CHECK;

/* The day that it is there: from *ret_start_us on, before *ret_end_us. A day may have 23 or 25 hours. */
void zone_day(const struct zone *zone, int64_t now_us, int64_t *ret_start_us, int64_t *ret_end_us);
/* The same of its month, as the Gregorian calendar has them. */
void zone_month(const struct zone *zone, int64_t now_us, int64_t *ret_start_us, int64_t *ret_end_us);
const char *zone_name(const struct zone *zone);
/* Days since 1970-01-01, and the minute of the day, as clocks show them there. */
void zone_local(const struct zone *zone, int64_t now_us, int64_t *ret_day, int64_t *ret_minute);
/* When clocks there show this minute of this day; 0..1440. One that is left out is the first moment behind it, of one that comes twice it is the first. */
int64_t zone_moment(const struct zone *zone, int64_t day, int64_t minute);
