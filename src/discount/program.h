/* The commands of discountd and the settings that they read. */
#pragma once

#include "base/param.h"
#include "discount/discount.h"

#define PATH_BYTES 1024u

struct settings {
    const char *data; /* the folder */
    const char *wallet_url;
    struct param_address listen;
    int64_t loop_count;
    int64_t connections_max; /* per loop */
    int64_t settle_wait_ms;
    int64_t drain_ms;
    const char *region;
    const char *log_level;
    const char *allowed_origins;
};
extern struct settings settings;

/* DIR/name; RESULT_INVALID when it is too long (said on standard error). */
struct result program_path(const char *name, char path[PATH_BYTES]) MUST_CHECK;
/* The wallet's URL without a slash at its end, in static memory; NULL when it is none (said on standard error). */
const char *program_wallet_url(void);

int command_init(const char **positional, size_t count);
int command_serve(const char **positional, size_t count);
int command_verify(const char **positional, size_t count);
int command_reconcile(const char **positional, size_t count);
int command_keys(const char **positional, size_t count);

int discount_main(int argc, char **argv);
