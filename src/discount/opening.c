#include "discount/opening.h"

/* Days since 1970-01-01, a Thursday; Saturday's bit is the first. */
static bool is_day_of(const struct schedule *schedule, int64_t day) {
    int64_t weekday = ((day + 5) % 7 + 7) % 7;
    return (schedule->days >> weekday & 1) != 0;
}

static bool is_over_midnight(const struct schedule *schedule) { return schedule->to_minute <= schedule->from_minute; }

static bool is_open(const struct schedule *schedule, int64_t day, int64_t minute) {
    if (!is_over_midnight(schedule)) return is_day_of(schedule, day) && minute >= schedule->from_minute && minute < schedule->to_minute;
    return (is_day_of(schedule, day) && minute >= schedule->from_minute) || (is_day_of(schedule, day - 1) && minute < schedule->to_minute);
}

int64_t schedule_opens_at(const struct schedule *schedule, const struct zone *zone, int64_t now_us) {
    int64_t day, minute;
    if (schedule->days == 0) return 0;
    zone_local(zone, now_us, &day, &minute);
    if (is_open(schedule, day, minute)) return 0;
    /* Within a week; the same weekday again when its hours of today are over. */
    for (int64_t next = day; next <= day + 7; next++) {
        int64_t opens_at_us = zone_moment(zone, next, schedule->from_minute);
        if (is_day_of(schedule, next) && opens_at_us > now_us) return opens_at_us;
    }
    return zone_moment(zone, day + 8, 0); /* hours that its clocks leave out */
}

struct day_window day_of(const struct zone *zone, int64_t now_us) {
    struct day_window day;
    zone_day(zone, now_us, &day.starts_at_us, &day.ends_at_us);
    return day;
}
