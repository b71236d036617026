/* The data folder: DIR/wallet.db, DIR/keys/<kid>.jwk, and DIR/trusted-<name>.jwks, copies of fetched keys. */
#pragma once

#include "auth/keys.h"
#include "base/money.h"
#include "store/sqlite/database.h"

struct data_paths {
    char database[4096];
    char keys[4096];
};
struct result data_paths_of(const char *directory, struct data_paths *ret_paths) MUST_CHECK; /* RESULT_INVALID: the path is too long */

struct data_meta {
    struct id instance_id;
    enum currency currency;
    uint8_t idempotency_secret[CRYPTO_HASH_BYTES];
    int64_t created_at_us;
};

/* Makes the folder, a signing key, the database, its meta row and the issuance account. Says on standard error why not. */
struct result data_create(const char *directory, enum currency currency, enum key_algorithm algorithm, int64_t now_us) MUST_CHECK;
/* Opens the database of an initialised folder. Says on standard error why not. */
struct result data_open(const char *directory, enum database_mode mode, struct database **ret_database) MUST_CHECK;
struct result data_read_meta(struct database *database, struct data_meta *ret_meta) MUST_CHECK;
