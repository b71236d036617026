/* The data folder: DIR/wallet.db, DIR/keys/<kid>.jwk, DIR/trusted-<name>.jwks, copies of fetched keys, and DIR/control, the socket of a running service. */
#pragma once

#include "auth/keys.h"
#include "base/crypto.h"
#include "base/id.h"
#include "base/money.h"
#include "base/zone.h"
#include "store/batch.h"

/* Where a wallet's rows and keys are. Not moved while a connection is open: the place points into it. */
struct data {
    char database[4096];
    char keys[4096];
    struct place place;
};
/* `store_url`: PostgreSQL's, or NULL: the rows are in the folder. `commits` may be NULL. Each outlives every connection. RESULT_INVALID: the path is too long. */
struct result data_at(const char *directory, const char *store_url, struct batch_commits *commits, struct data *ret_data) MUST_CHECK;

struct data_meta {
    struct id instance_id;
    enum currency currency;
    uint8_t idempotency_secret[CRYPTO_HASH_BYTES];
    int64_t created_at_us;
    char time_zone[ZONE_NAME_BYTES + 1]; /* in which what was spent is counted */
};

/* Makes the folder, a signing key, the database, its meta row and the issuance account. Says on standard error why not. */
struct result data_create(const char *directory, const char *store_url, enum currency currency, enum key_algorithm algorithm,
                          int64_t now_us) MUST_CHECK;
/* Opens the database of an initialised folder. Says on standard error why not. */
struct result data_open(const char *directory, const struct data *data, enum batch_mode mode, struct batch **ret_batch) MUST_CHECK;
/* To write, of a folder that was looked at. RESULT_CONFLICT: another process does, which is not said. */
struct result data_open_unless_taken(const char *directory, const struct data *data, struct batch **ret_batch) MUST_CHECK;
struct result data_read_meta(struct batch *batch, struct data_meta *ret_meta) MUST_CHECK;
