#include "wallet/data.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "service/service.h"
#include "store/open.h"
#include "wallet/currencies.h"
#include "wallet/tables.h"
#include "wallet_schema.h"

struct result data_at(const char *directory, const char *store_url, struct batch_commits *commits, struct data *ret_data) {
    int database = snprintf(ret_data->database, sizeof ret_data->database, "%s/wallet.db", directory);
    int keys = snprintf(ret_data->keys, sizeof ret_data->keys, "%s/keys", directory);
    ret_data->place = (struct place){.schema = &wallet_schema, .commits = commits};
    if (store_url == NULL) ret_data->place.file = ret_data->database;
    if (store_url != NULL) ret_data->place.url = store_url;
    bool fits = database > 0 && (size_t)database < sizeof ret_data->database && keys > 0 && (size_t)keys < sizeof ret_data->keys;
    return fits ? result_ok() : result_error(RESULT_INVALID);
}

/* ---- making one ---- */

static struct result fill(struct batch *batch, enum currency currency, int64_t now_us) {
    struct id_source ids;
    uint8_t secret[CRYPTO_HASH_BYTES];
    id_source_init_system(&ids);
    crypto_random(secret, sizeof secret);
    TRY(batch_begin(batch));
    const struct text code = text_of(currency_code(currency));
    const struct hash hash = currency_hash(code, currency_exponent(currency));
    if (currency >= CURRENCY_FIRST_ADDED) save_currency(batch, code, currency_exponent(currency), &hash);
    save_meta(batch, id_make(&ids, now_us), currency, (struct text){(const char *)secret, sizeof secret}, now_us);
    struct account issuance = account_new(1, id_make(&ids, now_us), ACCOUNT_ISSUANCE, (struct id){{0}}, currency, now_us);
    save_account(batch, &issuance);
    struct result reason;
    enum commit_end end = batch_commit(batch, &reason);
    if (end == COMMIT_DOUBTFUL) end = batch_settle(batch);
    crypto_wipe(secret, sizeof secret);
    if (end == COMMITTED) return result_ok();
    return result_is_ok(reason) ? result_error(RESULT_UNAVAILABLE) : reason;
}

static struct result fill_database(const struct place *place, enum currency currency, int64_t now_us) {
    struct batch *batch = NULL;
    TRY(batch_open(place, BATCH_CREATE, &batch));
    struct result outcome = fill(batch, currency, now_us);
    batch_close(batch);
    return outcome;
}

struct creation {
    const char *store_url;
    enum currency currency;
    enum key_algorithm algorithm;
    int64_t now_us;
};

static struct result fill_folder(const char *folder, void *context) {
    const struct creation *creation = context;
    struct data data;
    TRY(data_at(folder, creation->store_url, NULL, &data));
    if (mkdir(data.keys, 0700) != 0) {
        fprintf(service_errors(), "%s cannot be made: %s\n", data.keys, strerror(errno));
        return result_error(RESULT_IO);
    }
    struct result outcome = key_generate(data.keys, creation->algorithm, creation->now_us);
    if (result_is_ok(outcome)) outcome = fill_database(&data.place, creation->currency, creation->now_us);
    if (!result_is_ok(outcome)) fprintf(service_errors(), "%s cannot be initialised: %s\n", folder, result_name(outcome));
    return outcome;
}

struct result data_create(const char *directory, const char *store_url, enum currency currency, enum key_algorithm algorithm,
                          int64_t now_us) {
    struct creation creation = {.store_url = store_url, .currency = currency, .algorithm = algorithm, .now_us = now_us};
    return service_create_folder(directory, fill_folder, &creation, service_errors());
}

/* ---- opening it ---- */

static void say_why_not(const char *directory, const struct data *data, struct result opened) {
    if (opened.code == RESULT_NOT_FOUND) {
        fprintf(service_errors(), "%s was not initialised: run walletd init --data %s first\n", directory, directory);
    } else if (opened.code == RESULT_CONFLICT) {
        fprintf(service_errors(), "%s is in use by another process\n", directory);
    } else {
        fprintf(service_errors(), "%s cannot be opened: %s\n", data->place.file != NULL ? data->database : "the database of --store",
                result_name(opened));
    }
}

struct result data_open_unless_taken(const char *directory, const struct data *data, struct batch **ret_batch) {
    struct result opened = batch_open(&data->place, BATCH_WRITE, ret_batch);
    if (!result_is_ok(opened) && opened.code != RESULT_CONFLICT) say_why_not(directory, data, opened);
    return opened;
}

struct result data_open(const char *directory, const struct data *data, enum batch_mode mode, struct batch **ret_batch) {
    TRY(service_check_folder(directory, service_errors()));
    struct result opened = batch_open(&data->place, mode, ret_batch);
    if (!result_is_ok(opened)) say_why_not(directory, data, opened);
    return opened;
}

struct found_meta {
    bool is_found;
    struct data_meta *meta;
};

static struct result meta_found(void *context, const struct row *row) {
    struct found_meta *found = context;
    found->is_found = true;
    found->meta->instance_id = row_id(row, 0);
    found->meta->currency = row_currency(row, 1);
    row_bytes_into(row, 2, found->meta->idempotency_secret, sizeof found->meta->idempotency_secret);
    found->meta->created_at_us = row_time(row, 3);
    struct text zone = row_text(row, 4);
    if (zone.size > ZONE_NAME_BYTES) row_refuse(row, 4, "no time zone");
    snprintf(found->meta->time_zone, sizeof found->meta->time_zone, "%.*s", (int)zone.size, zone.data);
    return result_ok();
}

struct result data_read_meta(struct batch *batch, struct data_meta *ret_meta) {
    struct found_meta found = {.meta = ret_meta};
    TRY(currencies_learn(batch));
    ask_meta(batch, meta_found, &found);
    TRY(batch_run(batch));
    batch_end_round(batch);
    return found.is_found ? result_ok() : result_error(RESULT_CORRUPT);
}
