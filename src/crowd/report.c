/* What a person sees: a progress bar while it runs, and the answers at the end. */
#include <inttypes.h>
#include <unistd.h>

#include "crowd/crowd.h"

#define BAR_WIDTH            40
#define PROGRESS_INTERVAL_US INT64_C(100000)

static void draw_bar(const struct crowd *crowd, bool final) {
    size_t total = (size_t)crowd->options->users;
    size_t filled = crowd->done_count * BAR_WIDTH / total;
    char bar[BAR_WIDTH + 1];
    for (size_t i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "%s%-10s [%s] %zu/%zu%s", isatty(STDERR_FILENO) ? "\r" : "", crowd->phase->name, bar, crowd->done_count, total,
            final || !isatty(STDERR_FILENO) ? "\n" : "");
}

void crowd_print_progress(const struct crowd *crowd, bool final) {
    static int64_t last_us; /* one crowd per process */
    int64_t now_us = clock_monotonic_us(crowd->clock);
    if (!final && (!isatty(STDERR_FILENO) || now_us - last_us < PROGRESS_INTERVAL_US)) return;
    last_us = now_us;
    draw_bar(crowd, final);
}

static void print_milliseconds(FILE *out, const char *name, int64_t latency_us) {
    fprintf(out, "  %-4s %6" PRId64 ".%03" PRId64 " ms\n", name, latency_us / 1000, latency_us % 1000);
}

void crowd_print_answers(struct crowd *crowd, FILE *out) {
    struct tally *tally = &crowd->tally;
    fprintf(out, "answers to redemptions and retries\n");
    for (int status = 0; status < TALLY_STATUS_MAX; status++) {
        if (tally->by_status[status] > 0) fprintf(out, "  %d  %8" PRIu64 "\n", status, tally->by_status[status]);
    }
    if (tally->broken > 0) fprintf(out, "  no answer %" PRIu64 "\n", tally->broken);
    if (tally->latency_count == 0) return;
    tally_sort_latencies(tally);
    fprintf(out, "latency of %zu answers\n", tally->latency_count);
    print_milliseconds(out, "p50", tally_percentile_us(tally, 50));
    print_milliseconds(out, "p90", tally_percentile_us(tally, 90));
    print_milliseconds(out, "p99", tally_percentile_us(tally, 99));
    print_milliseconds(out, "max", tally_percentile_us(tally, 100));
    int64_t took_us = crowd->finished_us - crowd->fired_us;
    fprintf(out, "all answered in %" PRId64 ".%03" PRId64 " s\n", took_us / CLOCK_SECOND_US, took_us % CLOCK_SECOND_US / 1000);
}
