/* What the campaign looks like while the crowd is there: its report as one line, four times a second in a terminal, else twice. */
#pragma once

#include "http/client.h"

struct crowd;

#define WATCH_URL_BYTES 256

struct watch_counts {
    int64_t places, left, claimed, credited, refused;
};

struct watch {
    struct http_call call;
    char url[WATCH_URL_BYTES];
    bool is_asked; /* the call is under way */
    bool is_known; /* `counts` are what the last answer said */
    int64_t asked_us;
    struct watch_counts counts;
};

/* Asks when it is time; draws when the answer has come: over the line of before in a terminal, else a line for each change. RESULT_FULL, RESULT_IO. */
struct result watch_look(struct crowd *crowd) MUST_CHECK;
/* Once more, at the end of a phase, waited for; the line stays. */
struct result watch_end(struct crowd *crowd) MUST_CHECK;
/* Terminated, without an end of line. */
#define WATCH_LINE_BYTES 160
void watch_line(const struct watch_counts *counts, char line[WATCH_LINE_BYTES]);
