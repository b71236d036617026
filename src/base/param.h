/* One table of parameters makes the flags, the environment variables, the configuration file, --help and docs/parameters-*.md.
 *
 * Precedence: flag, environment (WALLETD_LISTEN for --listen of walletd; an empty variable counts as absent), configuration file
 * (`listen = …`), default. Every program has `--config FILE` (WALLETD_CONFIG) besides its table. Secrets are never parameters. Unknown flags,
 * unknown keys in the file and values out of range are errors that name the parameter and the rule; a key that only another command of the
 * program knows passes, unread. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/address.h"

enum param_kind {
    PARAM_FLAG,    /* bool: --flag, or yes/no in file and environment */
    PARAM_INTEGER, /* int64_t within min..max */
    PARAM_TEXT,    /* const char * */
    PARAM_CHOICE,  /* const char *: one of `choices`, separated by | */
    PARAM_LIST,    /* struct param_list: may be given several times; comma-separated in file and environment */
    PARAM_ADDRESS, /* struct param_address: ADDR:PORT, [v6]:PORT */
    PARAM_URL,     /* const char *: http:// or https://, without query and fragment; given without the slashes at its end */
    PARAM_RANGES,  /* struct address_set: addresses and ranges of them, separated by commas */
};

#define PARAM_LIST_MAX 16
struct param_list {
    const char *items[PARAM_LIST_MAX];
    size_t count;
};
struct param_address {
    char host[64];
    uint16_t port;
    bool is_loopback; /* 127.0.0.0/8 or ::1 */
};

struct param {
    const char *name; /* "settle-wait" */
    enum param_kind kind;
    void *target;             /* of the kind's type */
    const char *default_text; /* NULL: no default, required unless optional; PARAM_FLAG: no */
    bool optional;
    int64_t min, max;
    const char *unit;    /* "ms", "bytes"; of a text or a list what stands for its value in --help: "DIR", "URL" */
    const char *choices; /* PARAM_CHOICE */
    const char *sentence;
};

/* The parameters of one command. */
struct param_table {
    const struct param *params;
    size_t count;
};

#define PARAM_COUNT_MAX      64u          /* parameters of one program */
#define PARAM_FILE_BYTES_MAX (64u * 1024) /* of a configuration file */

/* `program` is "walletd"; argv[0] is skipped, as in main. Flags are `--name VALUE`, `--name=VALUE`, `--flag`; `--` ends them. Texts that
 * targets point to live until the process ends. Messages go to `errors`, one line per fault. RESULT_INVALID when anything is wrong; targets
 * may then be half set. Positional arguments are put into `positional` (at most `positional_max`, more are a fault).
 * `others`, NULL or ended by a table without params, are those of the program's other commands: one file serves them all. */
struct result param_parse(const char *program, const struct param *params, size_t count, const struct param_table *others, int argc,
                          char **argv, const char **positional, size_t positional_max, size_t *ret_positional_count,
                          FILE *errors) MUST_CHECK;
/* Whether --help or -h stands among the arguments before `--`: to be asked first, as nothing else counts then. */
bool param_wants_help(int argc, char **argv);
void param_help(const char *program, const struct param *params, size_t count, FILE *out); /* the flags; the caller prints the usage line */
void param_document(const char *program, const struct param *params, size_t count, FILE *out); /* Markdown table */
