/* What a store counts. Metrics live as long as the process, so a meter is made once per name and never freed. */
#pragma once

#include "base/metrics.h"

#define STORE_RESULT_CODES (RESULT_TIMEOUT + 1)

struct store_meter {
    struct store_meter *next;
    struct metric queue_depth;
    struct metric queue_wait;
    struct metric batch_size;
    struct metric commit_time;
    struct metric writable;
    struct metric failures[STORE_RESULT_CODES]; /* RESULT_OK's is not registered */
    char names[6][64];
    char labels[STORE_RESULT_CODES][32];
};

/* The meter of this name, made and registered at the first call: before the threads start. NULL: no memory, or the name is too long. */
struct store_meter *store_meter_of(const char *name);
