/* A log that keeps the newest line only, in the place of base/log.c. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"

static enum log_level fake_log_level;
static size_t fake_log_count;   /* ever */
static char fake_log_event[64]; /* empty: nothing since it was looked at */
static size_t fake_log_lines;   /* ever */

bool log_wants(enum log_level level) { return level >= LOG_INFO; }

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count) {
    (void)fields;
    (void)count;
    fake_log_count++;
    fake_log_level = level;
    fake_log_lines++;
    snprintf(fake_log_event, sizeof fake_log_event, "%s", event);
}

bool log_burst_admits(struct log_burst *burst, int64_t *ret_left_out) {
    (void)burst;
    *ret_left_out = 0;
    return true;
}

static inline void expect_nothing_logged(void) { assert_string_equal(fake_log_event, ""); }

static inline void expect_logged(enum log_level level, const char *event) {
    assert_string_equal(fake_log_event, event);
    assert_int_equal(fake_log_level, level);
    fake_log_event[0] = '\0';
}
