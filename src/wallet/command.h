/* The command line of walletd. */
#pragma once

#include "base/param.h"

int wallet_main(int argc, char **argv); /* the exit code */

/* walletd serve (serve.c). */
struct serve_settings {
    const char *data;
    struct param_address listen;
    struct param_list trusted_services; /* NAME=FILE_OR_URL */
    int64_t loop_count, connections_max;
    const char *password_cost;
    int64_t password_thread_count;
    const char *region;
    int64_t access_lifetime_s, refresh_lifetime_s;
    int64_t drain_deadline_ms, head_timeout_ms, body_timeout_ms, idle_timeout_ms;
    const char *allowed_origins;
    const char *log_level;
};
int serve_run(const struct serve_settings *settings);
