/* The commands of discountd and the settings that they read. */
#pragma once

#include "discount/code_files.h"
#include "discount/discount.h"
#include "service/serve.h"

#define PATH_BYTES 1024u

struct settings {
    int64_t archive_after_s;
    const char *store_url; /* NULL: in the data folder */
    const char *data;      /* the folder */
    const char *wallet_url;
    const char *wallet_ca, *wallet_certificate, *wallet_key; /* paths; NULL: the system's authorities, no certificate of our own */
    struct serve_options common;
    bool is_init_wanted;
    bool is_repair_wanted;
    int64_t settle_wait_ms;
    struct param_list currencies;
    const char *time_zone;
    struct code_files codes;
};
extern struct settings settings;

/* Where the rows are: in the file, or where --store says. */
struct place program_place(const char *file, struct batch_commits *commits);
/* FOLDER/name; RESULT_INVALID when it is too long (said on standard error). */
struct result program_path(const char *folder, const char *name, char path[PATH_BYTES]) MUST_CHECK;
/* The wallet's URL without a slash at its end, in static memory, after what its TLS needs was set up; NULL when anything of it is wrong (said on
 * standard error). Before threads. */
const char *program_wallet_url(void);

/* Does by hand what a running service does by itself: compares the books with Wallet's, reads back who has won, sends what is owed. RESULT_CONFLICT: one
 * runs (said on standard error). */
struct result program_repair(const char *wallet_url) MUST_CHECK;

int command_init(const char **positional, size_t count);
int command_serve(const char **positional, size_t count);
int command_verify(const char **positional, size_t count);
int command_reconcile(const char **positional, size_t count);
int command_health(const char **positional, size_t count);
int command_trust_wallet(const char **positional, size_t count);
int command_backup(const char **positional, size_t count);
int command_restore(const char **positional, size_t count);
int command_codes_import(const char **positional, size_t count);
int command_codes_export(const char **positional, size_t count);
int command_codes_rotate_key(const char **positional, size_t count);
int command_keys(const char **positional, size_t count);
int command_keys_list(const char **positional, size_t count);
int command_keys_rotate(const char **positional, size_t count);
int command_keys_retire(const char **positional, size_t count);

int discount_main(int argc, char **argv);
