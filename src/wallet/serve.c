/* walletd serve: puts the parts together in order, waits for the signal, and takes them apart in the opposite order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "http/client.h"
#include "service/keys.h"
#include "service/listeners.h"
#include "service/reading.h"
#include "wallet/books.h"
#include "wallet/calendar.h"
#include "wallet/command.h"
#include "wallet/currencies.h"
#include "wallet/data.h"
#include "wallet/notices.h"
#include "wallet/problems.h"
#include "wallet/self_audit.h"
#include "wallet/tables.h"
#include "wallet/user_acts.h"
#include "wallet/wallet.h"

#define TRUSTED_MAX      (1u + PARAM_LIST_MAX) /* ourselves and the services */
#define CACHE_PATH_BYTES 4096u

/* Everything that serve makes; what is NULL was not made. */
struct serving {
    const struct serve_settings *settings;
    struct wallet *wallet;
    struct data data;
    struct batch *batch;  /* the writer */
    struct id_source ids; /* the store thread's */
    struct books *books;
    struct trust *trust;
    struct trusted_issuer issuers[TRUSTED_MAX];
    char names[TRUSTED_MAX][LIMIT_USERNAME_BYTES + 1];
    char cache_paths[TRUSTED_MAX][CACHE_PATH_BYTES];
    size_t issuer_count;
    struct listeners *listeners;
    struct user_acts user_acts;
    struct control *control;
    struct arena arena; /* of the JWKS document */
    char instance[ID_TEXT_BYTES];
};

/* ---- sessions that ended ---- */

static int64_t now_us_of(const struct wallet *wallet) { return clock_now_us(wallet->service.clock); }

static void session_ended(void *context, const struct session *session) {
    struct wallet *wallet = context;
    revocations_add_session(wallet->revocations, session->id, session->ended_at_us, now_us_of(wallet));
}

static void user_sessions_ended(void *context, const struct user *user) {
    struct wallet *wallet = context;
    revocations_add_user(wallet->revocations, user->id, user->sessions_cutoff, user->kept_session, user->sessions_ended_at_us,
                         now_us_of(wallet));
}

static bool is_revoked(void *self, const struct identity *identity) {
    const struct wallet *wallet = self;
    return revocations_contain(wallet->revocations, identity->user_id, identity->session_id);
}

static struct result ended_session_found(void *wallet, const struct row *row) {
    struct session session;
    TRY(row_session(row, 0, &session));
    session_ended(wallet, &session);
    return result_ok();
}

static struct result user_with_ended_sessions_found(void *wallet, const struct row *row) {
    struct user user;
    TRY(row_user(row, 0, &user));
    user_sessions_ended(wallet, &user);
    return result_ok();
}

static struct result load_ended_sessions(struct serving *serving, int64_t since_us) {
    ask_ended_sessions(serving->batch, since_us, ended_session_found, serving->wallet);
    ask_users_with_ended_sessions(serving->batch, since_us, user_with_ended_sessions_found, serving->wallet);
    return batch_run(serving->batch);
}

/* ---- what services have credited ---- */

static void transferred(void *context, const struct transfer *transfer) {
    struct wallet *wallet = context;
    if (transfer->kind == TRANSFER_CREDIT) callers_add(wallet->callers, transfer->caller, 1, transfer->reference);
    if (transfer->caller.size > 0) notices_transfer(wallet, NULL, transfer); /* a user's own is told with its request */
}

static struct result caller_found(void *wallet, const struct row *row) {
    callers_add(((struct wallet *)wallet)->callers, row_text(row, 0), row_integer(row, 1), row_text(row, 2));
    return result_ok();
}

static struct result load_callers(struct serving *serving) {
    TRY(callers_create(&serving->wallet->callers));
    ask_callers(serving->batch, caller_found, serving->wallet);
    return batch_run(serving->batch);
}

/* ---- loops ---- */

static void loop_started(void *self, size_t loop_index) {
    struct wallet *wallet = self;
    id_source_init_system(&wallet->loops[loop_index].ids);
    readers_open_loop(wallet->service.readers, loop_index);
}

static void loop_stopped(void *self, size_t loop_index) {
    struct wallet *wallet = self;
    readers_close_loop(wallet->service.readers, loop_index);
}

static void round_ended(void *self, size_t loop_index) {
    struct wallet *wallet = self;
    readers_end_round(wallet->service.readers, loop_index);
}

/* ---- trust ---- */

#define GRANTABLE                                                                                                                       \
    (SCOPE_CREDITS_WRITE | SCOPE_CREDITS_ISSUE | SCOPE_FUNDS_WRITE | SCOPE_HOLDS_WRITE | SCOPE_PAYMENTS_WRITE | SCOPE_REVERSALS_WRITE | \
     SCOPE_USERS_WRITE)

static struct result refuse_trusted(struct text piece) {
    fprintf(service_errors(),
            "--trust-service %.*s: must be NAME=FILE_OR_URL[,SCOPE...], with a NAME of a-z 0-9 - that is not wallet, and scopes out of "
            "credits:write, credits:issue, funds:write, holds:write, payments:write, reversals:write and users:write\n",
            (int)piece.size, piece.data);
    return result_error(RESULT_INVALID);
}

/* NAME=FILE_OR_URL. The name stands in `iss` and in a file's name: small letters, digits and hyphens only. */
static struct result add_trusted_service(struct serving *serving, struct text piece) {
    const char *equals = piece.size == 0 ? NULL : memchr(piece.data, '=', piece.size);
    size_t size = equals == NULL ? 0 : (size_t)(equals - piece.data);
    bool is_valid = size > 0 && size <= LIMIT_USERNAME_BYTES && size + 1 < piece.size && serving->issuer_count < TRUSTED_MAX;
    for (size_t i = 0; is_valid && i < size; i++) is_valid = strchr("abcdefghijklmnopqrstuvwxyz0123456789-", piece.data[i]) != NULL;
    if (!is_valid || text_equal((struct text){piece.data, size}, TEXT("wallet"))) return refuse_trusted(piece);
    struct text source = arena_copy(&serving->arena, (struct text){equals + 1, piece.size - size - 1});
    if (source.data == NULL) return result_error(RESULT_FULL);
    size_t index = serving->issuer_count++;
    memcpy(serving->names[index], piece.data, size);
    int printed =
        snprintf(serving->cache_paths[index], CACHE_PATH_BYTES, "%s/trusted-%.*s.jwks", serving->settings->data, (int)size, piece.data);
    if (printed < 0 || (size_t)printed >= CACHE_PATH_BYTES) return result_error(RESULT_INVALID);
    struct trusted_issuer *issuer = &serving->issuers[index];
    *issuer = (struct trusted_issuer){.name = serving->names[index], .kind = IDENTITY_SERVICE, .source = source.data};
    if (trust_source_is_url(issuer)) issuer->cache_path = serving->cache_paths[index];
    return result_ok();
}

/* A service, and behind commas the scopes that its tokens may grant. In the environment and in a configuration file commas part the services as well
 * (base/param.h), so that a scope may come as an item of its own: it belongs to the service before it. */
static struct result add_trusted(struct serving *serving, struct text item) {
    for (size_t start = 0; start <= item.size;) {
        const char *comma = start == item.size ? NULL : memchr(item.data + start, ',', item.size - start);
        size_t end = comma == NULL ? item.size : (size_t)(comma - item.data);
        struct text piece = {item.data + start, end - start};
        bool is_word = piece.size > 0 && memchr(piece.data, ' ', piece.size) == NULL;
        uint32_t scope = is_word ? scopes_parse(piece) & GRANTABLE : 0;
        if (scope == 0) {
            TRY(add_trusted_service(serving, piece));
        } else if (serving->issuer_count == 1) {
            return refuse_trusted(piece); /* before it stands nobody but ourselves */
        } else {
            serving->issuers[serving->issuer_count - 1].scopes |= scope;
        }
        start = end + 1;
    }
    return result_ok();
}

static struct result add_all_trusted(struct serving *serving) {
    const struct param_list *given = &serving->settings->trusted_services;
    for (size_t i = 0; i < given->count; i++) TRY(add_trusted(serving, text_of(given->items[i])));
    for (size_t i = 1; i < serving->issuer_count; i++) {
        if (serving->issuers[i].scopes == 0) serving->issuers[i].scopes = SCOPE_CREDITS_WRITE | SCOPE_FUNDS_WRITE;
    }
    return result_ok();
}

static struct result make_trust(struct serving *serving) {
    struct wallet *wallet = serving->wallet;
    serving->issuers[serving->issuer_count++] =
        (struct trusted_issuer){.name = "wallet", .kind = IDENTITY_USER, .scopes = SCOPE_USER | SCOPE_ADMIN, .ring = wallet->service.keys};
    TRY(add_all_trusted(serving));
    TRY(trust_create("wallet", serving->issuers, serving->issuer_count, &serving->trust));
    trust_load(serving->trust);
    struct access_options options = {.service_name = wallet->service.name,
                                     .trust = serving->trust,
                                     .clock = wallet->service.clock,
                                     .loop_count = (size_t)serving->settings->common.loop_count,
                                     .readiness = &wallet->service.readiness,
                                     .keys_max_age_us = serving->settings->common.keys_max_age_s * CLOCK_SECOND_US,
                                     .keys_stale_max_us = serving->settings->common.keys_stale_max_s * CLOCK_SECOND_US,
                                     .clock_leeway_us = serving->settings->common.clock_leeway_s * CLOCK_SECOND_US,
                                     .is_revoked = is_revoked,
                                     .self = wallet,
                                     .instance = {serving->instance, sizeof serving->instance},
                                     .fetch = serve_fetch_jwks};
    return access_create(&options, &wallet->service.access);
}

/* ---- making and taking apart ---- */

static struct result make_store(struct serving *serving) {
    struct wallet *wallet = serving->wallet;
    TRY(phones_review(serving->batch, &table_phones));
    struct store_engine engine;
    id_source_init_system(&serving->ids);
    struct books_options options = {.currency = wallet->currency,
                                    .ids = &serving->ids,
                                    .zone = wallet->zone,
                                    .session_ended = session_ended,
                                    .user_sessions_ended = user_sessions_ended,
                                    .transferred = transferred,
                                    .context = wallet};
    TRY(books_create(&options, serving->batch, wallet->service.clock, &serving->books));
    books_bind(serving->books, &engine);
    struct store_options store_options = {.name = wallet->service.name, .clock = wallet->service.clock, .fenced = service_fenced};
    TRY(store_create(&engine, &store_options, &wallet->service.store));
    TRY(audit_begin(&wallet->service, serving->batch));
    return readers_create(&serving->data.place, wallet->service.clock, &wallet->service.readers);
}

static struct result find_zone(struct serving *serving, const struct data_meta *meta) {
    struct wallet *wallet = serving->wallet;
    if (!result_is_ok(zone_find(text_of(serving->settings->time_zone), &wallet->zone))) {
        fprintf(service_errors(), "walletd: --time-zone %s: the system knows no such time zone\n", serving->settings->time_zone);
        return result_error(RESULT_INVALID);
    }
    return calendar_review(serving->batch, text_of(meta->time_zone), wallet->zone, now_us_of(wallet));
}

/* Before anything is read that names one. */
static struct result find_currencies(struct serving *serving, struct data_meta *ret_meta) {
    struct currency_options options;
    enum currency main = CURRENCY_NONE;
    TRY(currency_options_read("walletd", &serving->settings->first.currencies, &options));
    TRY(currencies_review(serving->batch, &options));
    TRY(data_read_meta(serving->batch, ret_meta));
    TRY(currency_options_main("walletd", &options, ret_meta->currency, &main));
    if (main == ret_meta->currency) return result_ok();
    fprintf(service_errors(), "walletd: --currency %s: the main currency of these books is %s, and it can't be changed\n", options.main,
            currency_code(ret_meta->currency));
    return result_error(RESULT_INVALID);
}

static struct result make_wallet(struct serving *serving) {
    struct wallet *wallet = serving->wallet;
    const struct serve_settings *settings = serving->settings;
    struct data_meta meta;
    TRY(find_currencies(serving, &meta));
    wallet->service.name = "walletd";
    wallet->service.short_name = "wallet";
    wallet->service.clock = &clock_system;
    wallet->service.find_page = wallet_find_page;
    wallet->service.database_path = serving->data.place.file;
    TRY(documents_create(wallet_assets, settings->common.public_url, &wallet->service.documents));
    wallet->service.kept = &table_kept;
    wallet->service.audit = &table_audit;
    wallet->currency = meta.currency;
    wallet->instance_id = meta.instance_id;
    wallet->created_at_us = meta.created_at_us;
    id_format(meta.instance_id, serving->instance);
    wallet->region = settings->common.region;
    TRY(find_zone(serving, &meta));
    wallet->access_lifetime_us = settings->access_lifetime_s * CLOCK_SECOND_US;
    wallet->refresh_lifetime_us = settings->refresh_lifetime_s * CLOCK_SECOND_US;
    wallet->transfer_told_minor = settings->transfer_told_minor;
    wallet->reuse_interval_us = settings->reuse_interval_s * CLOCK_SECOND_US;
    memcpy(wallet->service.idempotency_secret, meta.idempotency_secret, sizeof wallet->service.idempotency_secret);
    wallet_register_metrics(&wallet->metrics);
    enum crypto_cost cost = strcmp(settings->password_cost, "low") == 0 ? CRYPTO_COST_LOW : CRYPTO_COST_STANDARD;
    arena_init(&serving->arena, LIMIT_ARENA_BYTES);
    TRY(keys_load("walletd", serving->data.keys, &wallet->service.keys));
    /* A token is taken for the leeway longer than it lives, and so long its session must be known as ended. */
    int64_t taken_us = wallet->access_lifetime_us + settings->common.clock_leeway_s * CLOCK_SECOND_US;
    TRY(revocations_create(taken_us, &wallet->revocations));
    TRY(load_ended_sessions(serving, now_us_of(wallet) - taken_us));
    TRY(load_callers(serving));
    attempts_register_metrics();
    TRY(attempts_create(cost != CRYPTO_COST_LOW, &wallet->attempts)); /* a crowd of tests has one address, and one password */
    TRY(password_pool_create((size_t)settings->password_thread_count, cost, LIMIT_PASSWORD_QUEUE, &wallet->passwords));
    TRY(make_store(serving));
    return make_trust(serving);
}

static struct result start(struct serving *serving) {
    struct wallet *wallet = serving->wallet;
    const struct serve_settings *settings = serving->settings;
    const struct http_service http = {.name = wallet->service.name,
                                      .self = wallet,
                                      .routes = wallet_routes,
                                      .route_count = wallet_route_count,
                                      .clock = wallet->service.clock,
                                      .authorize = access_authorize,
                                      .answered = audit_answered,
                                      .trusted_proxies = &settings->common.trusted_proxies,
                                      .public_url = settings->common.public_url,
                                      .allowed_origins = settings->common.allowed_origins,
                                      .loop_started = loop_started,
                                      .loop_stopped = loop_stopped,
                                      .round_ended = round_ended};
    TRY(store_start(wallet->service.store));
    TRY(access_start(wallet->service.access));
    TRY(user_acts_begin(&serving->user_acts, wallet->service.store));
    const struct self_audit_options audited = {.place = &serving->data.place,
                                               .clock = wallet->service.clock,
                                               .store = wallet->service.store,
                                               .readiness = &wallet->service.readiness};
    TRY(self_audit_start(&audited, &wallet->self_audit));
    serving->control = control_start(settings->data, user_acts_handle, &serving->user_acts);
    return listeners_start(&http, &settings->common, &serving->listeners);
}

/* Takers before givers: first nothing new comes in, then what is under way ends, then the rest goes. The loops are first: cut off at the drain's
 * deadline, they would go on handing work to whom we have freed. What comes back to them later finds them abandoned, not gone. */
static void take_apart(struct serving *serving) {
    struct wallet *wallet = serving->wallet;
    if (wallet->service.access != NULL) access_stop(wallet->service.access);
    listeners_stop(serving->listeners);
    control_stop(serving->control);
    self_audit_stop(wallet->self_audit);
    password_pool_free(wallet->passwords);
    if (wallet->service.store != NULL) {
        store_stop(wallet->service.store);
        store_free(wallet->service.store);
    }
    user_acts_end(&serving->user_acts); /* the store wakes who waits for an act, and may be a moment behind */
    listeners_free(serving->listeners);
    if (wallet->service.access != NULL) access_free(wallet->service.access);
    if (serving->trust != NULL) trust_free(serving->trust);
    readers_free(wallet->service.readers);
    books_free(serving->books);
    batch_close(serving->batch);
    revocations_free(wallet->revocations);
    attempts_free(wallet->attempts);
    callers_free(wallet->callers);
    key_ring_free(wallet->service.keys);
    documents_free(wallet->service.documents);
    arena_release(&serving->arena);
    free(wallet);
    free(serving);
}

static void hung_up(void *context) {
    struct serving *serving = context;
    keys_reload(&serving->wallet->service, serving->trust, serving->data.keys);
}

static struct result run(struct serving *serving) {
    TRY(data_at(serving->settings->data, serving->settings->store_url, &serving->wallet->service.commits, &serving->data));
    TRY(data_open(serving->settings->data, &serving->data, BATCH_WRITE, &serving->batch));
    TRY(make_wallet(serving));
    TRY(start(serving));
    service_wait_for_stop(hung_up, serving);
    return listeners_drain(serving->listeners, serving->settings->common.drain_deadline_ms);
}

static struct result make_first(const struct serve_settings *settings) {
    struct first_start first = settings->first;
    first.data = settings->data;
    first.store_url = settings->store_url;
    first.region = settings->common.region;
    return first.is_wanted ? first_start(&first) : result_ok();
}

int serve_run(const struct serve_settings *settings) {
    if (strcmp(settings->password_cost, "low") == 0 && !settings->common.listen.is_loopback) {
        fprintf(service_errors(), "--password-cost low is refused unless --listen is a loopback address\n");
        return 2;
    }
    if (settings->trust_ca != NULL && access(settings->trust_ca, R_OK) != 0) {
        fprintf(service_errors(), "walletd: --trust-ca %s: %s\n", settings->trust_ca, strerror(errno));
        return 2;
    }
    http_client_use_tls(&(struct http_tls){.ca = settings->trust_ca});
    if (!result_is_ok(serve_begin("walletd", &settings->common))) return 2;
    if (!result_is_ok(make_first(settings))) return 1;
    struct serving *serving = calloc(1, sizeof *serving);
    struct wallet *wallet = calloc(1, sizeof *wallet);
    if (serving == NULL || wallet == NULL) {
        fprintf(service_errors(), "there is no memory\n");
        free(serving);
        free(wallet);
        return 1;
    }
    serving->settings = settings;
    serving->wallet = wallet;
    struct result outcome = run(serving);
    take_apart(serving);
    return service_end(outcome);
}
