/* What `serve` of both services has in common: its parameters, its keys, and how it fetches the keys of others. */
#pragma once

#include "base/arena.h"
#include "base/param.h"
#include "http/server.h"

struct serve_options {
    struct param_address listen;
    struct param_address operations_listen; /* no host: none */
    struct address_set trusted_proxies;
    const char *public_url;              /* NULL: paths alone */
    int64_t loop_count, connections_max; /* connections per loop */
    int64_t head_timeout_ms, body_timeout_ms, idle_timeout_ms;
    int64_t drain_deadline_ms;
    int64_t clock_leeway_s, keys_max_age_s, keys_stale_max_s;
    const char *region; /* ISO 3166 */
    const char *allowed_origins;
    const char *log_level;
};

/* Of every command that opens the folder. */
#define DATA_PARAM(target_, default_)                                                                       \
    {                                                                                                       \
        .name = "data", .kind = PARAM_TEXT, .target = (target_), .default_text = (default_), .unit = "DIR", \
        .sentence = "Folder of the database and the keys"                                                   \
    }

/* Of every command that opens the database. */
#define STORE_PARAM(target_)                                                                                                     \
    {                                                                                                                            \
        .name = "store", .kind = PARAM_TEXT, .target = (target_), .optional = true, .unit = "URL",                               \
        .sentence = "PostgreSQL's database instead of the folder's: postgres://… or service=NAME, never with a password in it" \
    }

#define REGION_PARAM(target_)                                                                                       \
    {                                                                                                               \
        .name = "default-region", .kind = PARAM_TEXT, .target = (target_), .default_text = "IR", .unit = "COUNTRY", \
        .sentence = "Country (ISO 3166 alpha-2) of phone numbers typed without one"                                 \
    }

#define TIME_ZONE_PARAM(target_)                                                                                     \
    {                                                                                                                \
        .name = "time-zone", .kind = PARAM_TEXT, .target = (target_), .default_text = "Asia/Tehran", .unit = "ZONE", \
        .sentence = "Where a day begins that nobody has said another time zone for (tzdata: Asia/Tehran)"            \
    }

#define LISTEN_PARAM(target_, default_)                                                           \
    {                                                                                             \
        .name = "listen", .kind = PARAM_ADDRESS, .target = (target_), .default_text = (default_), \
        .sentence = "Address and port to listen on; port 0 lets the system choose"                \
    }

#define OPERATIONS_LISTEN_PARAM(target_)                                                                    \
    {                                                                                                       \
        .name = "operations-listen", .kind = PARAM_ADDRESS, .target = (target_), .optional = true,          \
        .sentence = "Address and port for the operators: health, metrics and API pages are there only then" \
    }

#define SERVE_PARAMS(options, default_listen)                                                                   \
    LISTEN_PARAM(&(options)->listen, (default_listen)), OPERATIONS_LISTEN_PARAM(&(options)->operations_listen), \
        {.name = "trusted-proxies",                                                                             \
         .kind = PARAM_RANGES,                                                                                  \
         .target = &(options)->trusted_proxies,                                                                 \
         .optional = true,                                                                                      \
         .sentence = "Proxies whose Forwarded or X-Forwarded-For says who the client is"},                      \
        {.name = "public-url",                                                                                  \
         .kind = PARAM_URL,                                                                                     \
         .target = &(options)->public_url,                                                                      \
         .optional = true,                                                                                      \
         .sentence = "How the world reaches this service: what links, Location and problem types begin with"},  \
        {.name = "loops",                                                                                       \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->loop_count,                                                                      \
         .default_text = "1",                                                                                   \
         .min = 1,                                                                                              \
         .max = LIMIT_LOOPS,                                                                                    \
         .unit = "threads",                                                                                     \
         .sentence = "Threads that speak HTTP"},                                                                \
        {.name = "connections",                                                                                 \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->connections_max,                                                                 \
         .default_text = "16384",                                                                               \
         .min = 1,                                                                                              \
         .max = LIMIT_CONNECTIONS,                                                                              \
         .unit = "connections",                                                                                 \
         .sentence = "Open connections per loop; beyond, who has most makes room"},                             \
        {.name = "head-timeout",                                                                                \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->head_timeout_ms,                                                                 \
         .default_text = "10000",                                                                               \
         .min = 100,                                                                                            \
         .max = 600000,                                                                                         \
         .unit = "ms",                                                                                          \
         .sentence = "How long the head of a request may take"},                                                \
        {.name = "body-timeout",                                                                                \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->body_timeout_ms,                                                                 \
         .default_text = "20000",                                                                               \
         .min = 100,                                                                                            \
         .max = 600000,                                                                                         \
         .unit = "ms",                                                                                          \
         .sentence = "How long the body of a request may take"},                                                \
        {.name = "idle-timeout",                                                                                \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->idle_timeout_ms,                                                                 \
         .default_text = "75000",                                                                               \
         .min = 100,                                                                                            \
         .max = 3600000,                                                                                        \
         .unit = "ms",                                                                                          \
         .sentence = "How long a connection may stay open without a request"},                                  \
        {.name = "drain-deadline",                                                                              \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->drain_deadline_ms,                                                               \
         .default_text = "30000",                                                                               \
         .min = 0,                                                                                              \
         .max = 600000,                                                                                         \
         .unit = "ms",                                                                                          \
         .sentence = "How long accepted requests may take after SIGTERM"},                                      \
        {.name = "clock-leeway",                                                                                \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->clock_leeway_s,                                                                  \
         .default_text = "30",                                                                                  \
         .min = 0,                                                                                              \
         .max = 300,                                                                                            \
         .unit = "s",                                                                                           \
         .sentence = "How far the clocks of those who sign tokens may be ahead or behind"},                     \
        {.name = "keys-max-age",                                                                                \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->keys_max_age_s,                                                                  \
         .default_text = "300",                                                                                 \
         .min = 1,                                                                                              \
         .max = 86400,                                                                                          \
         .unit = "s",                                                                                           \
         .sentence = "How old the public keys of others may get before they are fetched again"},                \
        {.name = "keys-stale-max",                                                                              \
         .kind = PARAM_INTEGER,                                                                                 \
         .target = &(options)->keys_stale_max_s,                                                                \
         .default_text = "3600",                                                                                \
         .min = 1,                                                                                              \
         .max = 604800,                                                                                         \
         .unit = "s",                                                                                           \
         .sentence = "How long they are good while their issuer is out of reach, also after a restart"},        \
        REGION_PARAM(&(options)->region),                                                                       \
        {.name = "allowed-origins",                                                                             \
         .kind = PARAM_TEXT,                                                                                    \
         .target = &(options)->allowed_origins,                                                                 \
         .optional = true,                                                                                      \
         .unit = "ORIGINS",                                                                                     \
         .sentence = "Origins, separated by commas, that browsers may call from (CORS)"},                       \
    {                                                                                                           \
        .name = "log-level", .kind = PARAM_CHOICE, .target = &(options)->log_level, .default_text = "info",     \
        .choices = "debug|info|warn|error", .sentence = "Least level of the log lines on standard error"        \
    }

/* Checks what the table can't (the region), starts the log and blocks the signals; the first thing that serve does. RESULT_INVALID: said on
 * standard error. */
struct result serve_begin(const char *program, const struct serve_options *options) MUST_CHECK;
/* For struct access_options: GET of a JWKS, within FETCHER_TIMEOUT_MS; the text is in the arena. */
struct result serve_fetch_jwks(const char *url, struct arena *arena, struct text *ret_jwks, int64_t *ret_date_us) MUST_CHECK;
