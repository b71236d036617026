/* The command line of walletd. */
#pragma once

#include "service/serve.h"
#include "wallet/first_start.h"

int wallet_main(int argc, char **argv); /* the exit code */

/* walletd serve (serve.c). */
struct serve_settings {
    const char *data;
    const char *store_url; /* NULL: in the data folder */
    struct serve_options common;
    struct first_start first;           /* of --init; data, store_url and region are those above */
    struct param_list trusted_services; /* NAME=FILE_OR_URL */
    const char *trust_ca;               /* a path; NULL: the system's authorities */
    const char *time_zone;
    const char *password_cost;
    int64_t password_thread_count;
    int64_t access_lifetime_s, refresh_lifetime_s, reuse_interval_s;
    int64_t transfer_told_minor;
};
int serve_run(const struct serve_settings *settings);
