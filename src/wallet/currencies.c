#include "wallet/currencies.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/request.h"
#include "service/service.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

struct stored {
    struct hash hashes[PARAM_LIST_MAX]; /* of what is written, until it is committed */
    size_t count;
    struct {
        struct currency_option option;
        bool is_used;
    } currencies[CURRENCY_COUNT];
};

static struct result stored_found(void *context, const struct row *row) {
    struct stored *stored = context;
    struct text code = row_text(row, 0);
    if (!currency_is_code(code) || stored->count == CURRENCY_COUNT) row_refuse(row, 0, "no code of a currency, or one too many");
    int64_t exponent = row_integer_between(row, 1, 0, CURRENCY_EXPONENT_MAX);
    TRY(row_verdict(row));
    struct currency_option option = {.exponent = exponent};
    memcpy(option.code, code.data, CURRENCY_CODE_BYTES);
    stored->currencies[stored->count].option = option;
    stored->currencies[stored->count++].is_used = row_integer(row, 3) != 0;
    return result_ok();
}

static struct result read_stored(struct batch *batch, struct stored *ret_stored) {
    ret_stored->count = 0;
    ask_currencies(batch, stored_found, ret_stored);
    struct result outcome = batch_run(batch);
    batch_end_round(batch);
    return outcome;
}

struct result currencies_learn(struct batch *batch) {
    struct stored stored;
    TRY(read_stored(batch, &stored));
    for (size_t i = 0; i < stored.count; i++) {
        const struct currency_option *option = &stored.currencies[i].option;
        enum currency currency;
        TRY(currency_add(text_of(option->code), option->exponent, &currency));
    }
    return result_ok();
}

static const struct currency_option *find(const struct currency_options *given, const char *code) {
    for (size_t i = 0; i < given->count; i++) {
        if (strcmp(given->added[i].code, code) == 0) return &given->added[i];
    }
    return NULL;
}

static bool is_stored(const struct stored *stored, const struct currency_option *option) {
    for (size_t i = 0; i < stored->count; i++) {
        const struct currency_option *other = &stored->currencies[i].option;
        if (strcmp(other->code, option->code) == 0) return other->exponent == option->exponent;
    }
    return false;
}

static struct result check_used(const struct stored *stored, const struct currency_options *given) {
    for (size_t i = 0; i < stored->count; i++) {
        const struct currency_option *kept = &stored->currencies[i].option, *wanted = find(given, kept->code);
        if (!stored->currencies[i].is_used || wanted == NULL || wanted->exponent == kept->exponent) continue;
        fprintf(service_errors(),
                "walletd: --currency %s:%lld: the books have amounts of %s with the exponent %lld, and it can't be changed\n", wanted->code,
                (long long)wanted->exponent, kept->code, (long long)kept->exponent);
        return result_error(RESULT_INVALID);
    }
    return result_ok();
}

/* How many rows it writes. */
static size_t write_changes(struct batch *batch, struct stored *stored, const struct currency_options *given) {
    size_t count = 0;
    for (size_t i = 0; i < stored->count; i++) {
        const struct currency_option *kept = &stored->currencies[i].option;
        if (stored->currencies[i].is_used || find(given, kept->code) != NULL) continue;
        drop_unused_currency(batch, text_of(kept->code));
        LOG(LOG_INFO, "currency_dropped", LOG_STRING("currency", kept->code));
        count++;
    }
    for (size_t i = 0; i < given->count; i++) {
        const struct currency_option *option = &given->added[i];
        enum currency known = CURRENCY_NONE;
        bool is_always_known = result_is_ok(currency_parse(text_of(option->code), &known)) && known < CURRENCY_FIRST_ADDED;
        if (is_always_known || is_stored(stored, option)) continue;
        stored->hashes[i] = currency_hash(text_of(option->code), option->exponent);
        save_currency(batch, text_of(option->code), option->exponent, &stored->hashes[i]);
        LOG(LOG_INFO, "currency_added", LOG_STRING("currency", option->code), LOG_INTEGER("exponent", option->exponent));
        count++;
    }
    return count;
}

struct result currencies_review(struct batch *batch, const struct currency_options *given) {
    struct stored stored;
    TRY(read_stored(batch, &stored));
    TRY(check_used(&stored, given));
    TRY(batch_begin(batch));
    if (write_changes(batch, &stored, given) == 0) {
        batch_rollback(batch);
        return currencies_learn(batch);
    }
    struct result reason;
    enum commit_end end = batch_commit(batch, &reason);
    if (end == COMMIT_DOUBTFUL) end = batch_settle(batch);
    if (end == COMMITTED) return currencies_learn(batch);
    return result_is_ok(reason) ? result_error(RESULT_UNAVAILABLE) : reason;
}

/* ---- which there are, for whoever shows amounts ---- */

#define CURRENCY_BYTES 64u

void currencies_list(struct exchange *exchange) {
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, CURRENCY_COUNT * CURRENCY_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "main", text_of(currency_code(wallet_of(exchange)->currency)));
    json_key(&writer, "data");
    json_begin_array(&writer);
    for (unsigned i = CURRENCY_IRT; i < CURRENCY_COUNT && currency_code((enum currency)i)[0] != '\0'; i++) {
        json_begin_object(&writer);
        json_text_member(&writer, "currency", text_of(currency_code((enum currency)i)));
        json_integer_member(&writer, "exponent", currency_exponent((enum currency)i));
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}
