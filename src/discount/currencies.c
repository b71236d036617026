#include "discount/currencies.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "discount/tables.h"
#include "service/service.h"

/* Of each its code and its exponent as a digit. */
#define STORED_BYTES (CURRENCY_CODE_BYTES + 1u)
static const struct text setting_name = {"currencies", 10};

struct stored {
    size_t count;
    struct currency_option currencies[CURRENCY_COUNT];
    bool is_used[CURRENCY_COUNT];
};

static struct result stored_found(void *context, const struct row *row) {
    struct stored *stored = context;
    struct text value = row_bytes(row, 0);
    bool is_valid = value.size % STORED_BYTES == 0 && value.size <= CURRENCY_COUNT * STORED_BYTES;
    for (size_t at = 0; is_valid && at < value.size; at += STORED_BYTES) {
        struct currency_option *option = &stored->currencies[stored->count++];
        *option = (struct currency_option){.exponent = value.data[at + CURRENCY_CODE_BYTES] - '0'};
        memcpy(option->code, value.data + at, CURRENCY_CODE_BYTES);
        is_valid = currency_is_code(text_of(option->code)) && option->exponent >= 0 && option->exponent <= CURRENCY_EXPONENT_MAX;
    }
    if (!is_valid) row_refuse(row, 0, "no list of currencies");
    return row_verdict(row);
}

static struct result used_found(void *context, const struct row *row) {
    struct stored *stored = context;
    for (size_t i = 0; i < stored->count; i++)
        stored->is_used[i] = stored->is_used[i] || text_equal(row_text(row, 0), text_of(stored->currencies[i].code));
    return result_ok();
}

static struct result read_stored(struct batch *batch, struct stored *ret_stored) {
    *ret_stored = (struct stored){.count = 0};
    ask_setting(batch, setting_name, stored_found, ret_stored);
    struct result outcome = batch_run(batch);
    if (result_is_ok(outcome) && ret_stored->count > 0) {
        ask_campaign_currencies(batch, used_found, ret_stored);
        outcome = batch_run(batch);
    }
    batch_end_round(batch);
    return outcome;
}

static struct result make_known(const struct stored *stored) {
    for (size_t i = 0; i < stored->count; i++) {
        enum currency currency;
        TRY(currency_add(text_of(stored->currencies[i].code), stored->currencies[i].exponent, &currency));
    }
    return result_ok();
}

struct result currencies_learn(struct batch *batch) {
    struct stored stored;
    TRY(read_stored(batch, &stored));
    return make_known(&stored);
}

/* ---- at a start ---- */

static const struct currency_option *find(const struct currency_options *given, const char *code) {
    for (size_t i = 0; i < given->count; i++) {
        if (strcmp(given->added[i].code, code) == 0) return &given->added[i];
    }
    return NULL;
}

static struct result refuse(const struct currency_option *wanted, const struct currency_option *kept) {
    fprintf(service_errors(), "discountd: --currency %s:%lld: there are campaigns in %s with the exponent %lld, and it can't be changed\n",
            wanted->code, (long long)wanted->exponent, kept->code, (long long)kept->exponent);
    return result_error(RESULT_INVALID);
}

/* What is given, and behind it what is used. RESULT_INVALID: it was said why. */
static struct result merge(const struct stored *stored, const struct currency_options *given, struct stored *ret_merged) {
    *ret_merged = (struct stored){.count = given->count};
    memcpy(ret_merged->currencies, given->added, given->count * sizeof *given->added);
    for (size_t i = 0; i < stored->count; i++) {
        const struct currency_option *kept = &stored->currencies[i], *wanted = find(given, kept->code);
        if (!stored->is_used[i]) continue;
        if (wanted != NULL && wanted->exponent != kept->exponent) return refuse(wanted, kept);
        if (wanted != NULL) continue;
        if (ret_merged->count == CURRENCY_COUNT) return result_error(RESULT_FULL);
        ret_merged->currencies[ret_merged->count++] = *kept;
    }
    return result_ok();
}

static bool is_same(const struct stored *a, const struct stored *b) {
    return a->count == b->count && memcmp(a->currencies, b->currencies, a->count * sizeof *a->currencies) == 0;
}

static struct result keep(struct batch *batch, const struct stored *merged) {
    char value[CURRENCY_COUNT * STORED_BYTES];
    for (size_t i = 0; i < merged->count; i++) {
        memcpy(value + i * STORED_BYTES, merged->currencies[i].code, CURRENCY_CODE_BYTES);
        value[i * STORED_BYTES + CURRENCY_CODE_BYTES] = (char)('0' + merged->currencies[i].exponent);
        LOG(LOG_INFO, "currency_known", LOG_STRING("currency", merged->currencies[i].code),
            LOG_INTEGER("exponent", merged->currencies[i].exponent));
    }
    TRY(batch_begin(batch));
    save_setting(batch, setting_name, value, merged->count * STORED_BYTES);
    struct result reason;
    enum commit_end end = batch_commit(batch, &reason);
    if (end == COMMIT_DOUBTFUL) end = batch_settle(batch);
    if (end == COMMITTED) return result_ok();
    return result_is_ok(reason) ? result_error(RESULT_UNAVAILABLE) : reason;
}

struct result currencies_review(struct batch *batch, const struct currency_options *given) {
    struct stored stored, merged;
    TRY(read_stored(batch, &stored));
    TRY(merge(&stored, given, &merged));
    if (!is_same(&stored, &merged)) TRY(keep(batch, &merged));
    return make_known(&merged);
}
