/* Three panels over one axis of time: claims and credits; rejections, of which there may be a hundred times as many; places left. Each names its unit, and
 * its title is its legend. Lengths are tenths of a pixel. */
#include "discount/plot.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

#define SECONDS_MOST  900  /* by seconds up to here */
#define MINUTES_MOST  1440 /* of the newest minutes */
#define SECONDS_LEAST 30   /* a picture of less would be one bar */
#define MINUTES_LEAST 30
#define TICKS_MOST    6
#define ROW_PIXELS    34 /* between two lines of the grid, at least */
#define LABEL_PIXELS  96 /* between two times */
#define NARROW        560
#define LEFT          58
#define RIGHT         28
#define BOTTOM        40
#define TITLE_PIXELS  32 /* of a panel's title, above it */

struct bucket {
    int64_t claimed, credited, rejected, left;
};

struct plot {
    struct buffer *buffer;
    struct plot_size size;
    int64_t unit_s, first_s; /* a bucket's seconds, and the beginning of the first */
    size_t count;
    struct bucket *buckets;
    int64_t places;
    int64_t x, width; /* of all panels */
};

struct series {
    const char *name, *class;
    size_t offset; /* in a bucket */
    bool is_filled;
};

struct panel {
    const struct series *series;
    size_t series_count;
    const char *none;  /* what is said when there is nothing */
    bool is_of_places; /* values are no rates: of all places */
    int64_t share;     /* of the height */
    int64_t y, height;
    int64_t top; /* value of its upper edge */
};

/* ---- numbers ---- */

static void put_tenths(struct buffer *buffer, int64_t tenths) {
    buffer_append_integer(buffer, tenths / 10);
    if (tenths % 10 == 0) return;
    buffer_append_byte(buffer, '.');
    buffer_append_byte(buffer, (char)('0' + tenths % 10));
}

/* 1,234,567 */
static void put_count(struct buffer *buffer, int64_t value) {
    int64_t scale = 1;
    while (value / scale >= 1000) scale *= 1000;
    buffer_append_integer(buffer, value / scale);
    for (scale /= 1000; scale > 0; scale /= 1000) buffer_print(buffer, ",%03d", (int)(value / scale % 1000));
}

/* For an axis: 950, 1,500, 12k, 2.5M */
static void put_short(struct buffer *buffer, int64_t value) {
    static const struct {
        int64_t scale;
        char sign;
    } scales[] = {{1000000000, 'G'}, {1000000, 'M'}, {1000, 'k'}};
    for (size_t i = 0; i < ARRAY_COUNT(scales); i++) {
        if (value < scales[i].scale || value < 10000 || value % (scales[i].scale / 10) != 0) continue;
        put_tenths(buffer, value / (scales[i].scale / 10));
        buffer_append_byte(buffer, scales[i].sign);
        return;
    }
    put_count(buffer, value);
}

/* Markup in a name is text (XML 1.0, section 2.4). */
static void put_escaped(struct buffer *buffer, struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        switch (text.data[i]) {
        case '<': buffer_append(buffer, TEXT("&lt;")); break;
        case '>': buffer_append(buffer, TEXT("&gt;")); break;
        case '&': buffer_append(buffer, TEXT("&amp;")); break;
        case '"': buffer_append(buffer, TEXT("&quot;")); break;
        default: buffer_append_byte(buffer, text.data[i]);
        }
    }
}

/* The least of 1, 2, 5, 10, 20, … that is not less. */
static int64_t nice_step(int64_t least) {
    int64_t step = 1;
    for (size_t i = 0; step < least; i++) step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    return step;
}

/* ---- time ---- */

static int64_t end_of_data_s(const struct board_minutes *minutes) {
    return (minutes->minutes[minutes->count - 1].minute + 1) * MINUTE_SECONDS;
}

/* What is shown: all seconds, if they are all that there is; else the newest minutes. Up to now, while it goes on. */
static void choose_span(struct plot *plot, const struct board_snapshot *snapshot, const struct board_minutes *minutes, int64_t now_s) {
    int64_t first_s = now_s, end_s = now_s + 1;
    size_t seconds = snapshot->second_count;
    if (seconds > 0) {
        first_s = snapshot->seconds[0].second;
        end_s = snapshot->seconds[seconds - 1].second + 1;
    }
    bool is_all = minutes->count == 0 || (seconds > 0 && minutes->minutes[0].minute * MINUTE_SECONDS > first_s - MINUTE_SECONDS);
    if (now_s - end_s >= 0 && now_s - end_s < MINUTE_SECONDS) end_s = now_s + 1;
    plot->unit_s = is_all && end_s - first_s <= SECONDS_MOST ? 1 : MINUTE_SECONDS;
    if (plot->unit_s > 1) {
        int64_t now_end_s = (now_s / MINUTE_SECONDS + 1) * MINUTE_SECONDS;
        first_s = minutes->minutes[0].minute * MINUTE_SECONDS;
        end_s = end_of_data_s(minutes);
        if (now_end_s > end_s && now_end_s - end_s <= 15 * MINUTE_SECONDS) end_s = now_end_s;
        if (end_s - first_s > MINUTES_MOST * MINUTE_SECONDS) first_s = end_s - MINUTES_MOST * MINUTE_SECONDS;
    }
    if (end_s - first_s < SECONDS_MOST * plot->unit_s) first_s -= plot->unit_s; /* as it was before */
    int64_t least = plot->unit_s == 1 ? SECONDS_LEAST : MINUTES_LEAST * MINUTE_SECONDS;
    if (end_s - first_s < least) first_s = end_s - least;
    plot->first_s = first_s;
    plot->count = (size_t)((end_s - first_s) / plot->unit_s);
}

static void fill_buckets(struct plot *plot, const struct board_snapshot *snapshot, const struct board_minutes *minutes) {
    size_t rows = plot->unit_s == 1 ? snapshot->second_count : minutes->count;
    for (size_t i = 0; i < rows; i++) {
        const struct second_counts *second = &snapshot->seconds[i];
        const struct minute_counts *minute = &minutes->minutes[i];
        int64_t at_s = plot->unit_s == 1 ? second->second : minute->minute * MINUTE_SECONDS;
        if (at_s < plot->first_s) continue;
        size_t index = (size_t)((at_s - plot->first_s) / plot->unit_s);
        if (index >= plot->count) continue;
        struct bucket *bucket = &plot->buckets[index];
        bucket->claimed += plot->unit_s == 1 ? second->claimed : minute->claimed;
        bucket->credited += plot->unit_s == 1 ? second->credited : minute->credited;
        bucket->rejected += plot->unit_s == 1 ? second->rejected : minute->rejected;
    }
    /* At the end of each bucket, of the places that there are now. */
    int64_t left = snapshot->view.max_redemptions - view_taken(&snapshot->view);
    for (size_t i = plot->count; i > 0; i--) {
        plot->buckets[i - 1].left = left > 0 ? left : 0;
        left += plot->buckets[i - 1].claimed;
    }
}

static int64_t time_step_s(int64_t span_s, int64_t labels_most) {
    static const int64_t steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200};
    size_t i = 0;
    while (i + 1 < ARRAY_COUNT(steps) && span_s / steps[i] > labels_most) i++;
    return steps[i];
}

/* ---- the axes ---- */

static int64_t value_of(const struct plot *plot, const struct series *series, size_t bucket) {
    return *(const int64_t *)((const char *)&plot->buckets[bucket] + series->offset);
}

static int64_t x_of(const struct plot *plot, int64_t after_s) {
    return plot->x * 10 + after_s * plot->width * 10 / ((int64_t)plot->count * plot->unit_s);
}

static int64_t y_of(const struct panel *panel, int64_t value) {
    __extension__ typedef __int128 wide;
    return (panel->y + panel->height) * 10 - (int64_t)((wide)value * panel->height * 10 / panel->top);
}

/* At each time that has a label. */
struct times {
    int64_t step_s, first_s, end_s;
};

static struct times times_of(const struct plot *plot) {
    int64_t span_s = (int64_t)plot->count * plot->unit_s, step_s = time_step_s(span_s, plot->width / LABEL_PIXELS);
    return (struct times){step_s, (plot->first_s + step_s - 1) / step_s * step_s, plot->first_s + span_s};
}

static void put_times(const struct plot *plot, const struct panel *panel) {
    struct times times = times_of(plot);
    for (int64_t at_s = times.first_s; at_s <= times.end_s; at_s += times.step_s) {
        buffer_append(plot->buffer, TEXT("<path class=\"grid\" d=\"M"));
        put_tenths(plot->buffer, x_of(plot, at_s - plot->first_s));
        buffer_print(plot->buffer, " %" PRId64 "v%" PRId64 "\"/>", panel->y, panel->height);
    }
}

static void put_clock(struct buffer *buffer, int64_t at_s, bool has_seconds) {
    char text[CLOCK_TEXT_BYTES];
    clock_format(at_s * CLOCK_SECOND_US, text);
    buffer_append(buffer, (struct text){text + 11, has_seconds ? 8 : 5});
}

/* Below the last panel. */
static void put_clocks(const struct plot *plot, int64_t y) {
    struct buffer *buffer = plot->buffer;
    char first[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES];
    struct times times = times_of(plot);
    for (int64_t at_s = times.first_s; at_s <= times.end_s; at_s += times.step_s) {
        buffer_append(buffer, TEXT("<text class=\"tick mid\" x=\""));
        put_tenths(buffer, x_of(plot, at_s - plot->first_s));
        buffer_print(buffer, "\" y=\"%" PRId64 "\">", y + 17);
        put_clock(buffer, at_s, times.step_s < MINUTE_SECONDS);
        buffer_append(buffer, TEXT("</text>"));
    }
    clock_format(plot->first_s * CLOCK_SECOND_US, first);
    clock_format((times.end_s - 1) * CLOCK_SECOND_US, last);
    bool is_one_day = memcmp(first, last, 10) == 0;
    buffer_print(buffer, "<text class=\"tick end\" x=\"%" PRId64 "\" y=\"%" PRId64 "\">%.10s%s%.10s UTC</text>", plot->x + plot->width,
                 y + 34, first, is_one_day ? "" : " \xe2\x80\x93 ", is_one_day ? "" : last);
}

static void put_grid(const struct plot *plot, struct panel *panel) {
    struct buffer *buffer = plot->buffer;
    int64_t most = 0, rows = panel->height / ROW_PIXELS;
    for (size_t s = 0; s < panel->series_count; s++) {
        for (size_t i = 0; i < plot->count; i++) {
            int64_t value = value_of(plot, &panel->series[s], i);
            if (value > most) most = value;
        }
    }
    bool is_empty = most == 0;
    if (panel->is_of_places) most = plot->places;
    if (most == 0) most = 1;
    rows = rows < 1 ? 1 : rows > TICKS_MOST ? TICKS_MOST : rows;
    int64_t step = nice_step((most + rows - 1) / rows);
    panel->top = (most + step - 1) / step * step;
    put_times(plot, panel);
    for (int64_t value = 0; value <= panel->top; value += step) {
        int64_t y = y_of(panel, value);
        buffer_print(buffer, "<path class=\"%s\" d=\"M%" PRId64 " ", value == 0 ? "base" : "grid", plot->x);
        put_tenths(buffer, y);
        buffer_print(buffer, "h%" PRId64 "\"/><text class=\"tick end\" x=\"%" PRId64 "\" y=\"", plot->width, plot->x - 8);
        put_tenths(buffer, y + 40);
        buffer_append(buffer, TEXT("\">"));
        put_short(buffer, value);
        buffer_append(buffer, TEXT("</text>"));
    }
    if (is_empty && panel->none != NULL)
        buffer_print(buffer, "<text class=\"none mid\" x=\"%" PRId64 "\" y=\"%" PRId64 "\">%s</text>", plot->x + plot->width / 2,
                     panel->y + panel->height / 2 + 5, panel->none);
}

/* ---- what is drawn ---- */

/* The outline of the steps, from the left to the right; points in which nothing changes are left out. */
static void put_steps(const struct plot *plot, const struct panel *panel, const struct series *series) {
    struct buffer *buffer = plot->buffer;
    int64_t before = value_of(plot, series, 0);
    put_tenths(buffer, y_of(panel, before));
    for (size_t i = 1; i < plot->count; i++) {
        int64_t value = value_of(plot, series, i);
        if (value == before) continue;
        buffer_append_byte(buffer, 'H');
        put_tenths(buffer, x_of(plot, (int64_t)i * plot->unit_s));
        buffer_append_byte(buffer, 'V');
        put_tenths(buffer, y_of(panel, value));
        before = value;
    }
    buffer_print(buffer, "H%" PRId64, plot->x + plot->width);
}

static void put_series(const struct plot *plot, const struct panel *panel, const struct series *series) {
    struct buffer *buffer = plot->buffer;
    if (series->is_filled) {
        int64_t base = panel->y + panel->height;
        buffer_print(buffer, "<path class=\"area %s\" d=\"M%" PRId64 " %" PRId64 "V", series->class, plot->x, base);
        put_steps(plot, panel, series);
        buffer_print(buffer, "V%" PRId64 "Z\"/>", base);
    }
    bool is_dense = (int64_t)plot->count * 3 > plot->width;
    buffer_print(buffer, "<path class=\"line%s %s\" d=\"M%" PRId64 " ", is_dense ? " dense" : "", series->class, plot->x);
    put_steps(plot, panel, series);
    buffer_append(buffer, TEXT("\"/>"));
}

/* A swatch and a name for each series, and the unit. */
static void put_legend(const struct plot *plot, const struct panel *panel) {
    struct buffer *buffer = plot->buffer;
    int64_t y = panel->y - 10;
    buffer_print(buffer, "<text class=\"legend\" x=\"%" PRId64 "\" y=\"%" PRId64 "\">", plot->x, y);
    for (size_t s = 0; s < panel->series_count; s++) {
        const struct series *series = &panel->series[s];
        buffer_print(buffer, "<tspan class=\"swatch %s\"%s>\xe2\x96\xa0</tspan> %s", series->class, s > 0 ? " dx=\"10\"" : "",
                     series->name);
    }
    buffer_print(buffer, "<tspan class=\"muted\" dx=\"6\">%s %s</tspan></text>", panel->is_of_places ? "at the end of each" : "per",
                 plot->unit_s == 1 ? "second" : "minute");
}

static const char style[] =
    "<style>svg{--back:#fff;--text:#1b2733;--muted:#5b6b7b;--grid:#e6ebf0;--base:#9aa8b5;--claims:#1d6fd8;--credits:#0a8f5b;--rejections:#"
    "d9480f;"
    "--left:#7048e8;font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){svg{--back:#12181f;--text:#e7edf3;--muted:#9aabbb;--grid:#26303a;--base:#566575;--claims:#6cb0ff;"
    "--credits:#4fd69c;--rejections:#ff9a62;--left:#b79dff}}"
    ".back{fill:var(--back)}text{fill:var(--text)}.name{font-size:17px;font-weight:650}.facts,.muted,.tick{fill:var(--muted)}"
    ".tick{font-size:11px}.legend{font-weight:600}.legend .muted{font-weight:400}.end{text-anchor:end}.mid{text-anchor:middle}"
    ".grid,.base{fill:none;stroke:var(--grid);shape-rendering:crispEdges}.base{stroke:var(--base)}"
    ".line{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round}.dense{stroke-width:1;stroke-opacity:.85}.area{fill:"
    "currentColor;fill-opacity:.2}.swatch{fill:"
    "currentColor}"
    ".claims{color:var(--claims)}.credits{color:var(--credits)}.rejections{color:var(--rejections)}.left{color:var(--left)}"
    ".none{font-size:14px;fill:var(--muted)}</style>";

static void put_fact(struct buffer *buffer, const char *before, int64_t count, const char *behind) {
    buffer_append(buffer, text_of(before));
    put_count(buffer, count);
    buffer_append(buffer, text_of(behind));
}

static void put_facts(struct buffer *buffer, const struct board_snapshot *snapshot, bool is_narrow) {
    const struct campaign_view *view = &snapshot->view;
    int64_t rejected = 0;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) rejected += snapshot->rejected.counts[i];
    put_fact(buffer, "", view_taken(view), " of ");
    put_fact(buffer, "", view->max_redemptions, is_narrow ? " taken" : " places taken");
    if (!is_narrow || view->max_redemptions < 100000) put_fact(buffer, " \xc2\xb7 ", view->credited, " credited");
    if (view->failed > 0) put_fact(buffer, " \xc2\xb7 ", view->failed, " failed");
    put_fact(buffer, " \xc2\xb7 ", rejected, " rejected");
}

static void put_head(const struct plot *plot, struct text name, const struct board_snapshot *snapshot, int64_t now_us) {
    struct buffer *buffer = plot->buffer;
    char text[CLOCK_TEXT_BYTES];
    clock_format(now_us, text);
    bool is_narrow = plot->size.width < NARROW;
    buffer_print(buffer,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRId64 "\" height=\"%" PRId64 "\" viewBox=\"0 0 %" PRId64 " %" PRId64
                 "\" role=\"img\"><title>",
                 plot->size.width, plot->size.height, plot->size.width, plot->size.height);
    put_escaped(buffer, name);
    buffer_append(buffer, TEXT("</title><desc>"));
    put_facts(buffer, snapshot, false);
    buffer_append(buffer, TEXT("</desc>"));
    buffer_append(buffer, text_of(style));
    buffer_append(buffer,
                  TEXT("<defs><linearGradient id=\"fade\"><stop offset=\".94\" stop-color=\"#fff\"/><stop offset=\"1\"/></linearGradient>"
                       "<mask id=\"head\" maskUnits=\"userSpaceOnUse\">"));
    buffer_print(buffer, "<rect width=\"%" PRId64 "\" height=\"60\" fill=\"url(#fade)\"/></mask></defs>", plot->size.width - RIGHT);
    buffer_append(
        buffer,
        TEXT("<rect class=\"back\" width=\"100%\" height=\"100%\"/><g mask=\"url(#head)\"><text class=\"name\" x=\"16\" y=\"27\">"));
    put_escaped(buffer, name);
    buffer_append(buffer, TEXT("</text><text class=\"facts\" x=\"16\" y=\"46\">"));
    put_facts(buffer, snapshot, is_narrow);
    buffer_append(buffer, TEXT("</text></g>"));
    buffer_print(buffer, "<text class=\"tick\" x=\"16\" y=\"%" PRId64 "\">%s%.8s</text>", plot->size.height - 6, is_narrow ? "" : "as of ",
                 text + 11);
}

static void put_panels(const struct plot *plot) {
    static const struct series rates[] = {{"Claims", "claims", offsetof(struct bucket, claimed), true},
                                          {"Credits", "credits", offsetof(struct bucket, credited), false}};
    static const struct series rejections[] = {{"Rejections", "rejections", offsetof(struct bucket, rejected), true}};
    static const struct series left[] = {{"Places left", "left", offsetof(struct bucket, left), true}};
    struct panel panels[] = {{.series = rates, .series_count = 2, .share = 4, .none = "No claims yet"},
                             {.series = rejections, .series_count = 1, .share = 3, .none = "No rejections"},
                             {.series = left, .series_count = 1, .share = 3, .is_of_places = true}};
    int64_t y = 54, free = plot->size.height - y - BOTTOM - TITLE_PIXELS * (int64_t)ARRAY_COUNT(panels);
    put_clocks(plot, plot->size.height - BOTTOM);
    for (size_t i = 0; i < ARRAY_COUNT(panels); i++) {
        panels[i].y = y + TITLE_PIXELS;
        panels[i].height = free * panels[i].share / 10;
        y = panels[i].y + panels[i].height;
        put_grid(plot, &panels[i]);
        for (size_t s = 0; s < panels[i].series_count; s++) put_series(plot, &panels[i], &panels[i].series[s]);
        put_legend(plot, &panels[i]);
    }
}

void plot_write(struct buffer *buffer, struct plot_size size, struct text name, const struct board_snapshot *snapshot,
                const struct board_minutes *minutes, int64_t now_us) {
    CHECK(size.width >= PLOT_WIDTH_MIN && size.width <= PLOT_WIDTH_MAX && size.height >= PLOT_HEIGHT_MIN && size.height <= PLOT_HEIGHT_MAX);
    struct plot plot = {
        .buffer = buffer, .size = size, .places = snapshot->view.max_redemptions, .x = LEFT, .width = size.width - LEFT - RIGHT};
    choose_span(&plot, snapshot, minutes, now_us / CLOCK_SECOND_US);
    plot.buckets = arena_take_zeroed(buffer->arena, plot.count * sizeof *plot.buckets);
    if (plot.buckets == NULL) {
        buffer->failed = true;
        return;
    }
    fill_buckets(&plot, snapshot, minutes);
    put_head(&plot, name, snapshot, now_us);
    put_panels(&plot);
    buffer_append(buffer, TEXT("</svg>\n"));
}
