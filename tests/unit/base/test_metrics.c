/* Metrics: buckets, quantiles and the text format. Metrics live as long as the process, so each test registers its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics.h"

static char page[256 * 1024];

static const char *write_page(void) {
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 4096);
    metrics_write(&buffer);
    assert_false(buffer.failed);
    assert_true(buffer.size < sizeof(page));
    memcpy(page, buffer.data, buffer.size);
    page[buffer.size] = '\0';
    arena_release(&arena);
    return page;
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) count++;
    return count;
}

static void assert_line(const char *text, const char *line) {
    char whole[512];
    snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (strstr(text, whole) == NULL) fail_msg("no line: %s", line);
}

static void groups_by_name(void **state) {
    (void)state;
    static struct metric ok = {.name = "t_requests_total", .help = "Requests.", .labels = "status=\"200\"", .kind = METRIC_COUNTER};
    static struct metric depth = {.name = "t_depth", .help = "Waiting.", .labels = "", .kind = METRIC_GAUGE};
    static struct metric bad = {.name = "t_requests_total", .help = "Requests.", .labels = "status=\"500\"", .kind = METRIC_COUNTER};
    metrics_register(&ok);
    metrics_register(&depth);
    metrics_register(&bad);
    metric_add(&ok, 2);
    metric_add(&ok, 3);
    metric_set(&depth, 7);
    metric_set(&depth, -4);
    assert_string_equal(write_page(),
                        "# HELP t_requests_total Requests.\n# TYPE t_requests_total counter\nt_requests_total{status=\"200\"} 5\n"
                        "t_requests_total{status=\"500\"} 0\n# HELP t_depth Waiting.\n# TYPE t_depth gauge\nt_depth -4\n");
}

static void one_by_one_they_are_the_same(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    struct buffer all, one;
    buffer_init(&all, &arena, 4096);
    buffer_init(&one, &arena, 4096);
    metrics_write(&all);
    const struct metric *place = NULL;
    size_t at = 0, count = 0;
    while (metrics_write_next(&one, &place)) {
        assert_true(one.size > 0 && at + one.size <= all.size);
        assert_memory_equal(all.data + at, one.data, one.size);
        at += one.size;
        one.size = 0;
        count++;
    }
    assert_int_equal(at, all.size);
    assert_true(count >= 3); /* of the test before */
    assert_false(metrics_write_next(&one, &place));
    arena_release(&arena);
}

/* One of a name may be hidden before or behind one that is shown: the head stands once, before the first. */
static void what_has_not_happened_is_hidden(void **state) {
    (void)state;
    static struct metric first = {.name = "t_quiet_total", .help = "Quiet.", .labels = "n=\"1\"", .kind = METRIC_COUNTER, .is_quiet = true};
    static struct metric second = {
        .name = "t_quiet_total", .help = "Quiet.", .labels = "n=\"2\"", .kind = METRIC_COUNTER, .is_quiet = true};
    static struct metric time = {
        .name = "t_quiet_seconds", .help = "Quiet.", .labels = "", .kind = METRIC_HISTOGRAM, .is_duration = true, .is_quiet = true};
    metrics_register(&first);
    metrics_register(&second);
    metrics_register(&time);
    assert_int_equal(count_of(write_page(), "t_quiet"), 0);
    metric_add(&second, 1);
    assert_line(write_page(), "# HELP t_quiet_total Quiet.\n# TYPE t_quiet_total counter\nt_quiet_total{n=\"2\"} 1");
    metric_add(&first, 1);
    assert_line(write_page(), "# TYPE t_quiet_total counter\nt_quiet_total{n=\"1\"} 1\nt_quiet_total{n=\"2\"} 1");
    metric_observe(&time, 0);
    assert_line(write_page(), "t_quiet_seconds_count 1");
}

static void shows_durations_in_seconds(void **state) {
    (void)state;
    static struct metric latency = {
        .name = "t_latency_seconds", .help = "Latency.", .labels = "route=\"GET /\"", .kind = METRIC_HISTOGRAM, .is_duration = true};
    metrics_register(&latency);
    metric_observe(&latency, 16);       /* the bound belongs to the bucket */
    metric_observe(&latency, 17);       /* one more does not */
    metric_observe(&latency, 90000000); /* beyond the largest bound */
    const char *text = write_page();
    assert_line(text, "# TYPE t_latency_seconds histogram");
    assert_line(text, "t_latency_seconds_bucket{route=\"GET /\",le=\"0.000016\"} 1");
    assert_line(text, "t_latency_seconds_bucket{route=\"GET /\",le=\"0.000032\"} 2");
    assert_line(text, "t_latency_seconds_bucket{route=\"GET /\",le=\"67.108864\"} 2");
    assert_line(text, "t_latency_seconds_bucket{route=\"GET /\",le=\"+Inf\"} 3");
    assert_line(text, "t_latency_seconds_sum{route=\"GET /\"} 90.000033");
    assert_line(text, "t_latency_seconds_count{route=\"GET /\"} 3");
    assert_int_equal(count_of(text, "t_latency_seconds_bucket"), 24);
}

static void shows_sizes_as_they_are(void **state) {
    (void)state;
    static struct metric batch = {.name = "t_batch_size", .help = "Operations.", .labels = "", .kind = METRIC_HISTOGRAM};
    metrics_register(&batch);
    metric_observe(&batch, 1);
    metric_observe(&batch, 4);
    metric_observe(&batch, 5);
    metric_observe(&batch, -3); /* a clock that went back must not spoil the sum */
    const char *text = write_page();
    assert_line(text, "t_batch_size_bucket{le=\"1\"} 2");
    assert_line(text, "t_batch_size_bucket{le=\"4\"} 3");
    assert_line(text, "t_batch_size_bucket{le=\"16\"} 4");
    assert_line(text, "t_batch_size_sum 10");
    assert_line(text, "t_batch_size_count 4");
}

/* Each bound is the last value of its bucket, and the next value is in the next bucket, which the quantile names by its own bound. */
static void puts_values_into_the_right_buckets(void **state) {
    (void)state;
    for (int is_duration = 0; is_duration < 2; is_duration++) {
        int64_t bound = is_duration ? 16 : 1;
        for (size_t i = 0; i < METRIC_BUCKETS - 2; i++) {
            struct metric at = {.kind = METRIC_HISTOGRAM, .is_duration = is_duration}, behind = at;
            metric_observe(&at, bound);
            assert_int_equal(metric_quantile(&at, 1.0), bound);
            metric_observe(&behind, bound + 1);
            int64_t next = metric_quantile(&behind, 1.0);
            if (!is_duration) assert_int_equal(next, 2 * bound);
            if (is_duration && i % 2 == 1) assert_int_equal(next, INT64_C(16) << (i + 1) / 2);
            assert_true(next > bound);
            bound = next;
        }
        struct metric most = {.kind = METRIC_HISTOGRAM, .is_duration = is_duration};
        metric_observe(&most, INT64_MAX);
        assert_int_equal(atomic_load(&most.buckets[METRIC_BUCKETS - 1]), 1);
    }
}

static void answers_quantiles(void **state) {
    (void)state;
    static struct metric latency = {.name = "t_q_seconds", .help = "Q.", .labels = "", .kind = METRIC_HISTOGRAM, .is_duration = true};
    assert_int_equal(metric_quantile(&latency, 0.5), 0);
    for (int i = 0; i < 98; i++) metric_observe(&latency, 20);
    metric_observe(&latency, 1000);
    metric_observe(&latency, 100000000);
    assert_int_equal(metric_quantile(&latency, 0.0), 22); /* 16 √2, the bucket of 20 */
    assert_int_equal(metric_quantile(&latency, 0.5), 22);
    assert_int_equal(metric_quantile(&latency, 0.98), 22);
    assert_int_equal(metric_quantile(&latency, 0.99), 1024);
    assert_int_equal(metric_quantile(&latency, 1.0), 67108864); /* the largest bound there is */
}

static struct metric shared = {.name = "t_shared", .help = "Shared.", .labels = "", .kind = METRIC_HISTOGRAM};

static void *observe_many(void *context) {
    (void)context;
    for (int i = 0; i < 10000; i++) metric_observe(&shared, 2);
    return NULL;
}

static void counts_from_many_threads(void **state) {
    (void)state;
    metrics_register(&shared);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, observe_many, NULL), 0);
    for (size_t i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    const char *text = write_page();
    assert_line(text, "t_shared_sum 80000");
    assert_line(text, "t_shared_count 40000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_by_name),
        cmocka_unit_test(one_by_one_they_are_the_same),
        cmocka_unit_test(what_has_not_happened_is_hidden),
        cmocka_unit_test(shows_durations_in_seconds),
        cmocka_unit_test(shows_sizes_as_they_are),
        cmocka_unit_test(puts_values_into_the_right_buckets),
        cmocka_unit_test(answers_quantiles),
        cmocka_unit_test(counts_from_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
