/* init and serve: from a folder to a running service and back. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/token.h"
#include "base/log.h"
#include "base/zone.h"
#include "discount/answer.h"
#include "discount/code_key.h"
#include "discount/currencies.h"
#include "discount/events.h"
#include "discount/live.h"
#include "discount/program.h"
#include "discount/redemptions.h"
#include "discount/settle/greeting.h"
#include "discount/settle/settler.h"
#include "discount/tables.h"
#include "discount/working_codes.h"
#include "discount/working_counts.h"
#include "service/keys.h"
#include "service/listeners.h"
#include "service/measures.h"
#include "service/reading.h"
#include "store/open.h"

#define DATABASE_NAME  "discount.db"
#define SECRET_NAME    "idempotency_secret"
#define JWKS_BYTES     (64u * 1024)
#define REPAIR_ASK_MS  5000  /* a Wallet that is away is asked so long for the books */
#define REPAIR_SEND_MS 10000 /* and what is owed is sent for so long at most */
#define REPAIR_LOOK_MS 20
#define COMPARE_MS     2000 /* so long Wallet is waited for before the first place is given out */

/* ---- init ---- */

static struct result write_secret(struct batch *batch) {
    uint8_t secret[CRYPTO_HASH_BYTES];
    struct result reason = batch_begin(batch);
    if (!result_is_ok(reason)) return reason;
    crypto_random(secret, sizeof secret);
    save_setting(batch, TEXT(SECRET_NAME), secret, sizeof secret);
    enum commit_end end = batch_commit(batch, &reason);
    crypto_wipe(secret, sizeof secret);
    return end == COMMITTED || !result_is_ok(reason) ? reason : result_error(RESULT_UNAVAILABLE);
}

static struct result make_database(const char *folder) {
    char path[PATH_BYTES];
    struct batch *batch;
    TRY(program_path(folder, DATABASE_NAME, path));
    const struct place place = program_place(path, NULL);
    TRY(batch_open(&place, BATCH_CREATE, &batch));
    struct result outcome = write_secret(batch);
    batch_close(batch);
    return outcome;
}

static struct result make_keys(const char *folder) {
    char path[PATH_BYTES];
    TRY(program_path(folder, "keys", path));
    if (mkdir(path, 0700) != 0) {
        fprintf(service_errors(), "discountd: %s cannot be made: %s\n", path, strerror(errno));
        return result_error(RESULT_IO);
    }
    return key_generate(path, KEY_RS256, clock_now_us(&clock_system));
}

static struct result make_code_key(const char *folder) {
    char path[PATH_BYTES];
    struct code_keys keys;
    TRY(program_path(folder, CODE_KEY_FILE, path));
    struct result outcome = code_keys_add(path, &keys);
    code_keys_wipe(&keys);
    return outcome;
}

static struct result fill_folder(const char *folder, void *context) {
    (void)context;
    struct result outcome = make_keys(folder);
    if (result_is_ok(outcome)) outcome = make_code_key(folder);
    if (result_is_ok(outcome)) outcome = make_database(folder);
    if (!result_is_ok(outcome)) fprintf(service_errors(), "discountd: %s could not be made: %s\n", folder, result_name(outcome));
    return outcome;
}

static struct result create_folder(void) { return service_create_folder(settings.data, fill_folder, NULL, service_errors()); }

int command_init(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    if (!result_is_ok(create_folder())) return 1;
    printf("%s is ready\n", settings.data);
    return 0;
}

/* ---- serve ---- */

struct program {
    struct discount discount;
    struct arena arena; /* of what lives as long as the process: the JWKS text */
    struct trust *trust;
    struct trusted_issuer wallet;
    struct place place;
    struct batch *batch; /* the writer's */
    struct working_set *set;
    struct engine *engine;
    struct listeners *listeners;
    struct code_keys code_keys;
    struct id wallet_instance; /* the one that has our funds; zero: none was met */
    bool archives;
    char code_key_path[PATH_BYTES], trust_path[PATH_BYTES], database_path[PATH_BYTES], keys_path[PATH_BYTES], jwks_cache_path[PATH_BYTES],
        jwks_url[PATH_BYTES + 32];
};

static struct result visit_secret(void *secret, const struct row *row) {
    row_bytes_into(row, 0, secret, CRYPTO_HASH_BYTES);
    return result_ok();
}

static struct result read_secret(struct program *program) {
    static const uint8_t none[CRYPTO_HASH_BYTES];
    ask_setting(program->batch, TEXT(SECRET_NAME), visit_secret, program->discount.service.idempotency_secret);
    TRY(batch_run(program->batch));
    bool is_there = memcmp(program->discount.service.idempotency_secret, none, sizeof none) != 0;
    return is_there ? result_ok() : result_error(RESULT_CORRUPT);
}

static struct result visit_instance(void *instance, const struct row *row) {
    row_bytes_into(row, 0, ((struct id *)instance)->bytes, sizeof((struct id *)instance)->bytes);
    return result_ok();
}

static struct result read_wallet_instance(struct program *program) {
    ask_setting(program->batch, SETTING_WALLET_INSTANCE, visit_instance, &program->wallet_instance);
    return batch_run(program->batch);
}

static bool is_revoked(void *self, const struct identity *identity) {
    const struct discount *discount = self;
    return revocations_contain(discount->revocations, identity->user_id, identity->session_id);
}

static struct result open_keys(struct program *program, const char *wallet_url) {
    TRY(keys_load("discountd", program->keys_path, &program->discount.service.keys));
    snprintf(program->jwks_url, sizeof program->jwks_url, "%s/.well-known/jwks.json", wallet_url);
    program->wallet = (struct trusted_issuer){.name = "wallet",
                                              .kind = IDENTITY_USER,
                                              .scopes = SCOPE_USER | SCOPE_ADMIN,
                                              .source = program->jwks_url,
                                              .cache_path = program->jwks_cache_path};
    TRY(trust_create("discount", &program->wallet, 1, &program->trust));
    trust_load(program->trust);
    struct access_options options = {.service_name = program->discount.service.name,
                                     .trust = program->trust,
                                     .clock = &clock_system,
                                     .loop_count = (size_t)settings.common.loop_count,
                                     .readiness = &program->discount.service.readiness,
                                     .keys_max_age_us = settings.common.keys_max_age_s * CLOCK_SECOND_US,
                                     .keys_stale_max_us = settings.common.keys_stale_max_s * CLOCK_SECOND_US,
                                     .clock_leeway_us = settings.common.clock_leeway_s * CLOCK_SECOND_US,
                                     .is_revoked = is_revoked,
                                     .self = &program->discount,
                                     .fetch = serve_fetch_jwks};
    TRY(revocations_create(0, &program->discount.revocations)); /* each says itself until when */
    return access_create(&options, &program->discount.service.access);
}

static struct result open_database(struct program *program) {
    program->place = program_place(program->database_path, &program->discount.service.commits);
    struct result opened = batch_open(&program->place, BATCH_WRITE, &program->batch);
    if (opened.code == RESULT_NOT_FOUND) {
        fprintf(service_errors(), "%s was not initialised: run discountd init --data %s first\n", settings.data, settings.data);
    } else if (opened.code == RESULT_CONFLICT) {
        fprintf(service_errors(), "%s is in use by another process\n", settings.data);
    } else if (!result_is_ok(opened)) {
        fprintf(service_errors(), "%s cannot be opened: %s\n",
                settings.store_url == NULL ? program->database_path : "the database of --store", result_name(opened));
    }
    return opened;
}

static struct result find_currencies(struct program *program) {
    struct currency_options options;
    TRY(currency_options_read("discountd", &settings.currencies, &options));
    TRY(currencies_review(program->batch, &options));
    TRY(currency_options_main("discountd", &options, CURRENCY_IRT, &program->discount.currency));
    program->discount.is_offered[program->discount.currency] = true;
    for (size_t i = 0; i < options.count; i++) {
        enum currency currency = CURRENCY_NONE;
        TRY(currency_parse(text_of(options.added[i].code), &currency));
        program->discount.is_offered[currency] = true;
    }
    return result_ok();
}

/* Without their master key the codes of a batch are neither known nor made up: everything else goes on, and this is said. */
static void say_codes(struct program *program) {
    size_t unreadable = code_board_unreadable(program->discount.codes);
    if (unreadable == 0) return;
    readiness_say(&program->discount.service.readiness, CONCERN_CODES, "key missing");
    LOG(LOG_ERROR, "code_key_missing", LOG_STRING("file", CODE_KEY_FILE), LOG_INTEGER("batches", (int64_t)unreadable));
}

static struct result open_codes(struct program *program) {
    TRY(code_board_create(&program->code_keys, &program->discount.codes));
    struct result read = code_keys_read(program->code_key_path, &program->code_keys);
    if (!result_is_ok(read) && read.code != RESULT_NOT_FOUND) {
        fprintf(service_errors(), "%s can't be read: it must be a file of codes' master keys, open to its owner only\n",
                program->code_key_path);
        return read;
    }
    TRY(working_codes_begin(program->set, program->discount.codes));
    /* A folder of before: its first key. Where there are batches already, the one that they were made with is missing. */
    if (program->code_keys.count == 0 && program->set->codes.batch_count == 0)
        TRY(code_keys_add(program->code_key_path, &program->code_keys));
    say_codes(program);
    return result_ok();
}

/* A repair looks at all. */
static int64_t archived_until_us(const struct program *program) {
    return program->archives ? clock_now_us(&clock_system) - settings.archive_after_s * CLOCK_SECOND_US : 0;
}

static struct result open_store(struct program *program) {
    TRY(open_database(program));
    TRY(find_currencies(program));
    TRY(read_secret(program));
    TRY(read_wallet_instance(program));
    TRY(phones_review(program->batch, &table_phones));
    TRY(board_create(LIMIT_CAMPAIGNS_KEPT, &program->discount.board));
    TRY(working_set_create(program->batch, program->discount.board, archived_until_us(program), &program->set));
    program->set->zone = program->discount.zone;
    TRY(open_codes(program));
    const struct engine_options engine_options = {.set = program->set,
                                                  .hooks = &discount_hooks,
                                                  .kept = &table_kept,
                                                  .audit = &table_audit,
                                                  .clock = &clock_system,
                                                  .batch = program->batch};
    TRY(engine_create(&engine_options, &program->engine));
    struct store_engine engine;
    engine_bind(program->engine, &engine);
    struct store_options options = {.name = "discountd", .clock = &clock_system, .fenced = service_fenced};
    return store_create(&engine, &options, &program->discount.service.store);
}

static struct result open_settler(struct program *program, const char *wallet_url) {
    struct discount *discount = &program->discount;
    struct settler_options options = {.board = discount->board,
                                      .clock = &clock_system,
                                      .keys = discount->service.keys,
                                      .wallet_url = wallet_url,
                                      .wallet_instance = program->wallet_instance,
                                      .trust_path = program->trust_path,
                                      .place = &program->place,
                                      .readiness = &discount->service.readiness,
                                      .revocations = discount->revocations,
                                      .clock_leeway_us = settings.common.clock_leeway_s * CLOCK_SECOND_US,
                                      .archives = program->archives,
                                      .archive_after_us = settings.archive_after_s * CLOCK_SECOND_US,
                                      .settle_wait_ms = settings.settle_wait_ms};
    return settler_create(&options, &discount->settler);
}

static struct result open_events(struct program *program) {
    const struct events_options options = {.codes = program->discount.codes,
                                           .board = program->discount.board,
                                           .clock = &clock_system,
                                           .place = &program->place,
                                           .revocations = program->discount.revocations,
                                           .clock_leeway_us = settings.common.clock_leeway_s * CLOCK_SECOND_US};
    return events_create(&options, &program->discount.events);
}

static struct result open_loops(struct program *program, const char *wallet_url) {
    struct discount *discount = &program->discount;
    TRY(limiter_create(&discount->limiter));
    for (size_t i = 0; i < (size_t)settings.common.loop_count; i++) {
        id_source_init_system(&discount->id_sources[i]);
    }
    TRY(readers_create(&program->place, &clock_system, &discount->service.readers));
    TRY(open_events(program));
    return open_settler(program, wallet_url);
}

static struct result name_paths(struct program *program) {
    TRY(program_path(settings.data, DATABASE_NAME, program->database_path));
    TRY(program_path(settings.data, CODE_KEY_FILE, program->code_key_path));
    TRY(program_path(settings.data, "keys", program->keys_path));
    TRY(program_path(settings.data, "wallet-jwks.json", program->jwks_cache_path));
    return program_path(settings.data, TRUST_FILE_NAME, program->trust_path);
}

static struct result open_program(struct program *program) {
    const char *wallet_url = program_wallet_url();
    if (wallet_url == NULL) return result_error(RESULT_INVALID);
    TRY(name_paths(program));
    program->archives = true;
    arena_init(&program->arena, JWKS_BYTES);
    struct discount *discount = &program->discount;
    discount->region = settings.common.region;
    if (!result_is_ok(zone_find(text_of(settings.time_zone), &discount->zone))) {
        fprintf(service_errors(), "discountd: --time-zone %s: the system knows no such time zone\n", settings.time_zone);
        return result_error(RESULT_INVALID);
    }
    discount->service.name = "discountd";
    discount->service.short_name = "discount";
    discount->service.clock = &clock_system;
    discount->service.find_page = discount_find_page;
    discount->service.measure = live_measure;
    discount->service.database_path = settings.store_url == NULL ? program->database_path : NULL;
    TRY(documents_create(discount_assets, settings.common.public_url, &discount->service.documents));
    discount->service.kept = &table_kept;
    discount->service.audit = &table_audit;
    discount->service.inquire = redemptions_inquire;
    TRY(open_store(program));
    TRY(open_keys(program, wallet_url));
    TRY(open_loops(program, wallet_url));
    return audit_begin(&discount->service, program->batch); /* the last: what it may hand to the store needs the store to stop in order */
}

static void close_program(struct program *program) {
    struct discount *discount = &program->discount;
    listeners_stop(program->listeners);
    listeners_free(program->listeners);
    events_free(discount->events);
    settler_free(discount->settler);
    readers_free(discount->service.readers);
    limiter_free(discount->limiter);
    if (discount->service.store != NULL) store_free(discount->service.store);
    engine_free(program->engine);
    working_set_free(program->set);
    code_board_free(discount->codes);
    code_keys_wipe(&program->code_keys);
    board_free(discount->board);
    batch_close(program->batch);
    if (discount->service.access != NULL) access_free(discount->service.access);
    revocations_free(discount->revocations);
    if (program->trust != NULL) trust_free(program->trust);
    key_ring_free(discount->service.keys);
    documents_free(discount->service.documents);
    arena_release(&program->arena);
    crypto_wipe(discount->service.idempotency_secret, sizeof discount->service.idempotency_secret);
}

static void loop_started(void *self, size_t loop_index) { readers_open_loop(((struct discount *)self)->service.readers, loop_index); }
static void loop_stopped(void *self, size_t loop_index) { readers_close_loop(((struct discount *)self)->service.readers, loop_index); }
static void round_ended(void *self, size_t loop_index) { readers_end_round(((struct discount *)self)->service.readers, loop_index); }

/* Our database may be an older copy than Wallet's: before places are given out it is known, if Wallet is there, whether some are taken that we do not know. */
static void wait_for_comparison(const struct discount *discount) {
    if (board_count(discount->board) > 0) service_wait_for(settler_compared(discount->settler), COMPARE_MS);
}

static struct result start(struct program *program) {
    struct discount *discount = &program->discount;
    const struct http_service http = {.name = "discountd",
                                      .self = discount,
                                      .routes = discount_routes,
                                      .route_count = discount_route_count,
                                      .clock = &clock_system,
                                      .authorize = access_authorize,
                                      .answered = audit_answered,
                                      .trusted_proxies = &settings.common.trusted_proxies,
                                      .public_url = settings.common.public_url,
                                      .allowed_origins = settings.common.allowed_origins,
                                      .loop_started = loop_started,
                                      .loop_stopped = loop_stopped,
                                      .round_ended = round_ended};
    TRY(access_start(discount->service.access));
    TRY(store_start(discount->service.store));
    TRY(settler_start(discount->settler, discount->service.store));
    wait_for_comparison(discount);
    TRY(events_start(discount->events));
    return listeners_start(&http, &settings.common, &program->listeners);
}

/* In the order in which work flows, so that nothing is handed to somebody who has left. */
static struct result stop(struct program *program) {
    struct discount *discount = &program->discount;
    struct result drained = result_ok();
    if (program->listeners != NULL) drained = listeners_drain(program->listeners, settings.common.drain_deadline_ms);
    events_stop(discount->events);
    access_stop(discount->service.access);
    settler_stop(discount->settler);
    store_stop(discount->service.store);
    struct result flushed = working_set_flush(program->engine, clock_now_us(&clock_system));
    if (!result_is_ok(flushed)) LOG(LOG_ERROR, "counters_not_saved", LOG_STRING("reason", result_name(flushed)));
    return drained;
}

static void hung_up(void *context) {
    struct program *program = context;
    keys_reload(&program->discount.service, program->trust, program->keys_path);
}

int command_serve(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    static struct program program;
    if (!result_is_ok(serve_begin("discountd", &settings.common))) return 2;
    struct stat status;
    bool is_first = settings.is_init_wanted && stat(settings.data, &status) != 0;
    if (!result_is_ok(is_first ? create_folder() : service_check_folder(settings.data, service_errors()))) return 1;
    struct result outcome = open_program(&program);
    bool is_open = result_is_ok(outcome);
    if (is_open) {
        discount_register_metrics();
        working_counts_register_metrics();
        measures_register_part("wallet");
        if (code_board_unreadable(program.discount.codes) > 0) measures_register_part("codes");
        outcome = start(&program);
    }
    if (result_is_ok(outcome)) service_wait_for_stop(hung_up, &program);
    if (is_open) {
        struct result drained = stop(&program);
        if (result_is_ok(outcome)) outcome = drained;
    }
    close_program(&program);
    return service_end(outcome);
}

/* ---- repair: as it is served, without anybody to serve ---- */

static struct result open_for_repair(struct program *program, const char *wallet_url) {
    TRY(name_paths(program));
    program->discount.service.name = "discountd";
    program->discount.service.clock = &clock_system;
    TRY(open_store(program));
    TRY(keys_load("discountd", program->keys_path, &program->discount.service.keys));
    TRY(open_settler(program, wallet_url));
    TRY(store_start(program->discount.service.store));
    return settler_start(program->discount.settler, program->discount.service.store);
}

static bool is_owing(const struct discount *discount) {
    if (settler_claims() > 0) return true;
    for (size_t i = 0; i < board_count(discount->board); i++) {
        const struct board_slot *slot = board_slot(discount->board, i);
        struct campaign_view view = board_view(slot);
        bool is_settled = view_unsettled(&view) == 0;
        if (board_books(slot) == BOOKS_AGREE && !is_settled && view.fund_confirmed_minor > 0) return true;
    }
    return false;
}

static bool is_compared(const struct discount *discount) {
    struct pollfd compared = {.fd = settler_compared(discount->settler), .events = POLLIN};
    return board_count(discount->board) == 0 || poll(&compared, 1, 0) > 0;
}

static bool is_wallet_there(const struct discount *discount) {
    const char *state = readiness_state(&discount->service.readiness, discount->service.store, "wallet");
    return state != NULL && strcmp(state, "ok") == 0;
}

/* Until the books agree, as far as they can, and what is owed was sent. */
static void wait_for_repair(const struct discount *discount) {
    int64_t begun_us = clock_monotonic_us(&clock_system), waited_ms = 0;
    while (!is_compared(discount) && (waited_ms < REPAIR_ASK_MS || is_wallet_there(discount))) {
        service_wait_for(settler_compared(discount->settler), REPAIR_LOOK_MS);
        waited_ms = (clock_monotonic_us(&clock_system) - begun_us) / 1000;
    }
    int64_t until_us = clock_monotonic_us(&clock_system) + REPAIR_SEND_MS * INT64_C(1000);
    while (is_owing(discount) && clock_monotonic_us(&clock_system) < until_us) service_wait_for(-1, REPAIR_LOOK_MS);
}

struct result program_repair(const char *wallet_url) {
    static struct program program;
    struct result outcome = open_for_repair(&program, wallet_url);
    if (result_is_ok(outcome)) wait_for_repair(&program.discount);
    if (program.discount.settler != NULL) settler_stop(program.discount.settler);
    if (program.discount.service.store != NULL) store_stop(program.discount.service.store);
    close_program(&program);
    return outcome;
}
