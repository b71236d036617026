#include "base/zone.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"

#define ZONES_MAX 512u
#define DAY_S     (24 * 60 * 60)
#define DAY_1970  719163 /* as GLib counts days: the first of January of the year 1 is 1 */

struct zone {
    char name[ZONE_NAME_BYTES + 1];
    GTimeZone *known;
};

/* Found once and kept: those before `count` never change. */
static struct zone zones[ZONES_MAX];
static size_t zone_count;
static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;

/* Names of files below the zone folder, and nothing that leads out of it; GLib takes "+03:30" and rules of POSIX as well. */
static bool is_name(struct text name) {
    if (name.size == 0 || name.size > ZONE_NAME_BYTES) return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool is_other = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '/';
        if (!is_letter && (i == 0 || !is_other)) return false;
    }
    return true;
}

static GTimeZone *open_zone(const char *name) {
    return strcmp(name, "UTC") == 0 ? g_time_zone_new_utc() : g_time_zone_new_identifier(name);
}

static const struct zone *find_or_open(struct text name) {
    for (size_t i = 0; i < zone_count; i++) {
        if (text_equal(text_of(zones[i].name), name)) return &zones[i];
    }
    if (zone_count == ZONES_MAX) return NULL;
    struct zone *zone = &zones[zone_count];
    memcpy(zone->name, name.data, name.size);
    zone->name[name.size] = '\0';
    zone->known = open_zone(zone->name);
    if (zone->known == NULL) return NULL;
    zone_count++;
    return zone;
}

struct result zone_find(struct text name, const struct zone **ret_zone) {
    if (!is_name(name)) return result_error(RESULT_NOT_FOUND);
    pthread_mutex_lock(&zones_lock);
    const struct zone *zone = find_or_open(name);
    pthread_mutex_unlock(&zones_lock);
    if (zone == NULL) return result_error(RESULT_NOT_FOUND);
    *ret_zone = zone;
    return result_ok();
}

/* Towards the past, also before 1970. */
static int64_t divide_down(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t local_seconds(const struct zone *zone, int64_t now_us) {
    int64_t utc_s = divide_down(now_us, CLOCK_SECOND_US);
    gint interval = g_time_zone_find_interval(zone->known, G_TIME_TYPE_UNIVERSAL, utc_s);
    return utc_s + g_time_zone_get_offset(zone->known, interval);
}

void zone_local(const struct zone *zone, int64_t now_us, int64_t *ret_day, int64_t *ret_minute) {
    int64_t local_s = local_seconds(zone, now_us);
    *ret_day = divide_down(local_s, DAY_S);
    *ret_minute = (local_s - *ret_day * DAY_S) / 60;
}

int64_t zone_moment(const struct zone *zone, int64_t day, int64_t minute) {
    gint64 local_s = day * DAY_S + minute * 60;
    gint interval = g_time_zone_adjust_time(zone->known, G_TIME_TYPE_DAYLIGHT, &local_s);
    return (local_s - g_time_zone_get_offset(zone->known, interval)) * CLOCK_SECOND_US;
}

void zone_day(const struct zone *zone, int64_t now_us, int64_t *ret_start_us, int64_t *ret_end_us) {
    int64_t day, minute;
    zone_local(zone, now_us, &day, &minute);
    *ret_start_us = zone_moment(zone, day, 0);
    *ret_end_us = zone_moment(zone, day + 1, 0);
}

void zone_month(const struct zone *zone, int64_t now_us, int64_t *ret_start_us, int64_t *ret_end_us) {
    int64_t day, minute;
    zone_local(zone, now_us, &day, &minute);
    GDate date;
    g_date_clear(&date, 1);
    g_date_set_julian(&date, (guint32)(day + DAY_1970));
    g_date_set_day(&date, 1);
    *ret_start_us = zone_moment(zone, (int64_t)g_date_get_julian(&date) - DAY_1970, 0);
    g_date_add_months(&date, 1);
    *ret_end_us = zone_moment(zone, (int64_t)g_date_get_julian(&date) - DAY_1970, 0);
}

const char *zone_name(const struct zone *zone) { return zone->name; }
