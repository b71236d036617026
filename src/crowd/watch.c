#include "crowd/watch.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "crowd/crowd.h"

#define PERIOD_US   INT64_C(250000)
#define LINES_US    INT64_C(500000) /* between two lines that stay */
#define TIMEOUT_MS  5000
#define WAIT_MS     100
#define BAR_WIDTH   24
#define ARENA_BYTES (1024u * 1024)

/* 1,234,567 */
static void format_count(int64_t value, char text[32]) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRId64, value);
    size_t at = 0;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

void watch_line(const struct watch_counts *counts, char line[WATCH_LINE_BYTES]) {
    char bar[BAR_WIDTH + 1], places[32], left[32], claimed[32], credited[32], refused[32];
    int64_t filled = counts->places > 0 ? (counts->places - counts->left) * BAR_WIDTH / counts->places : 0;
    for (int64_t i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    format_count(counts->places, places);
    format_count(counts->left, left);
    format_count(counts->claimed, claimed);
    format_count(counts->credited, credited);
    format_count(counts->refused, refused);
    int size = snprintf(line, WATCH_LINE_BYTES, "places     [%s] %s of %s left   claimed %s   credited %s   refused %s", bar, left, places,
                        claimed, credited, refused);
    CHECK(size > 0 && size < WATCH_LINE_BYTES);
}

static void draw(const struct watch_counts *counts) {
    char line[WATCH_LINE_BYTES];
    watch_line(counts, line);
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    fprintf(stderr, "%s%s%s", is_terminal ? "\r" : "", line, is_terminal ? "\033[K" : "\n");
}

static void read_report(struct watch *watch) {
    struct arena arena;
    struct json_document *document = NULL;
    arena_init(&arena, ARENA_BYTES);
    const struct json_value *root = watch->call.status == 200 ? answer_open(&arena, &watch->call, &document) : NULL;
    struct watch_counts counts = {0};
    if (root != NULL) {
        counts.places = json_get_integer(root, "max_redemptions", 0);
        counts.left = json_get_integer(root, "remaining", 0);
        counts.claimed = json_get_integer(root, "redeemed", 0);
        counts.credited = json_get_integer(root, "credited", 0);
        counts.refused = json_get_integer(root, "attempts", 0) - counts.claimed;
        bool has_changed = !watch->is_known || memcmp(&counts, &watch->counts, sizeof counts) != 0;
        watch->counts = counts;
        watch->is_known = true;
        if (has_changed) draw(&counts);
    }
    json_close(document);
    arena_release(&arena);
}

/* An answer that did not come is none: the next one is asked for in its time. */
static void answered(struct http_call *call) {
    struct crowd *crowd = call->context;
    struct watch *watch = &crowd->watch;
    watch->is_asked = false;
    if (result_is_ok(call->outcome)) read_report(watch);
    http_call_clear(call);
}

static struct result ask(struct crowd *crowd, int64_t now_us) {
    struct watch *watch = &crowd->watch;
    int size = snprintf(watch->url, sizeof watch->url, "%s/v1/campaigns/%s/report", crowd->options->discount_url, crowd->campaign_id);
    CHECK(size > 0 && (size_t)size < sizeof watch->url);
    watch->call = (struct http_call){
        .method = "GET", .url = watch->url, .bearer = crowd->admin_token, .timeout_ms = TIMEOUT_MS, .done = answered, .context = crowd};
    watch->asked_us = now_us;
    TRY(http_client_start(crowd->client, &watch->call));
    watch->is_asked = true;
    return result_ok();
}

struct result watch_look(struct crowd *crowd) {
    int64_t now_us = clock_monotonic_us(crowd->clock);
    int64_t period_us = isatty(STDERR_FILENO) == 1 ? PERIOD_US : LINES_US;
    if (crowd->watch.is_asked || now_us - crowd->watch.asked_us < period_us) return result_ok();
    return ask(crowd, now_us);
}

static struct result wait_for_answer(struct crowd *crowd) {
    while (crowd->watch.is_asked) TRY(http_client_run(crowd->client, NULL, WAIT_MS));
    return result_ok();
}

struct result watch_end(struct crowd *crowd) {
    TRY(wait_for_answer(crowd));
    TRY(ask(crowd, clock_monotonic_us(crowd->clock)));
    TRY(wait_for_answer(crowd));
    if (crowd->watch.is_known && isatty(STDERR_FILENO) == 1) fprintf(stderr, "\n");
    return result_ok();
}
