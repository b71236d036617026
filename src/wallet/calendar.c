#include "wallet/calendar.h"

#include "base/log.h"
#include "wallet/tables.h"

static void find_periods(const void *zone, int64_t moment_us, struct period *ret_day, struct period *ret_month) {
    zone_day(zone, moment_us, &ret_day->from_us, &ret_day->until_us);
    zone_month(zone, moment_us, &ret_month->from_us, &ret_month->until_us);
}

struct calendar calendar_of(const struct zone *zone) {
    return (struct calendar){find_periods, zone};
}

static struct result newest_found(void *newest_us, const struct row *row) {
    *(int64_t *)newest_us = row_time(row, 2);
    return result_ok();
}

static struct result count_anew(struct batch *batch, const struct zone *zone, int64_t now_us) {
    struct period day, month;
    find_periods(zone, now_us, &day, &month);
    TRY(batch_begin(batch));
    save_time_zone(batch, text_of(zone_name(zone)));
    save_spent_anew(batch, day.from_us, month.from_us);
    struct result reason;
    enum commit_end end = batch_commit(batch, &reason);
    if (end == COMMIT_DOUBTFUL) end = batch_settle(batch);
    if (end == COMMITTED) return result_ok();
    return result_is_ok(reason) ? result_error(RESULT_UNAVAILABLE) : reason;
}

struct result calendar_review(struct batch *batch, struct text stored, const struct zone *zone, int64_t now_us) {
    if (text_equal(stored, text_of(zone_name(zone)))) return result_ok();
    int64_t newest_us = 0; /* time never goes back along the chain */
    ask_head(batch, newest_found, &newest_us);
    TRY(batch_run(batch));
    batch_end_round(batch);
    LOG(LOG_INFO, "time_zone_changed", LOG_TEXT("before", stored), LOG_STRING("now", zone_name(zone)));
    return count_anew(batch, zone, newest_us > now_us ? newest_us : now_us);
}
