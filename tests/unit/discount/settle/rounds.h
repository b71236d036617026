/* The settler's thread, one round at a time, for its tests: it goes when the test has said what is so, and is looked at when it wants to wait. */
#pragma once

#include "fake_store.h"
#include "no_reversals.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#include "../../base/memory_ends.h"
#include "discount/settle/backoff.h"
#include "discount/settle/settler.h"
#include "service/revocations.h"
#include "store/open.h"

#define OURS      "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
#define ANOTHER   "019aab20-4c00-7a31-9f00-5b1e2c3d4e02"
#define GREETING  "/v1/instance"
#define ENDED     "/v1/revocations"
#define CREDITS   "/v1/credits"
#define FUND      "/v1/funds"
#define LAST      "/v1/instance" /* as the greeting */
#define BOOKS     "/v1/funds?"
#define MOST_MS   60000
#define SECOND_US CLOCK_SECOND_US

/* Bounds of a wait that has gone wrong. */
#define PATIENCE_S 5

static struct settler *settler;
static bool is_running;
static struct settler_options options;
static struct revocations *revocations;
static struct test_request request;
static size_t reads;
static pid_t thread_id;
static char thread_name[16];
static bool has_token;

/* ---- what is not there ---- */

const char *service_token_get(struct service_token *token, const struct clock *clock) {
    (void)token;
    (void)clock;
    return has_token ? "token" : NULL;
}

void service_token_drop(struct service_token *token) { (void)token; }

static char the_batch;

struct result batch_open(const struct place *place, enum batch_mode mode, struct batch **ret_batch) {
    assert_int_equal(mode, BATCH_READ);
    assert_null(place->commits); /* else it would read what was there when its round began */
    *ret_batch = (struct batch *)&the_batch;
    return result_ok();
}

void batch_close(struct batch *batch) { assert_true(batch == NULL || batch == (struct batch *)&the_batch); }

void ask_unsettled(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    (void)after;
    (void)visit;
    (void)context;
    assert_ptr_equal(batch, &the_batch);
    assert_true(limit > 0);
    reads++;
}

struct result sound_redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) {
    (void)first_column;
    if (row != (const struct row *)owed_reversal) return result_error(RESULT_CORRUPT);
    *ret_redemption = *owed_reversal;
    return result_ok();
}

void ask_redemption(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    assert_ptr_equal(batch, &the_batch);
    assert_false(id_is_zero(id));
    assert_ptr_equal(visit, redemption_found);
    if (owed_reversal != NULL && id_equal(owed_reversal->id, id))
        *(struct found_redemption *)context = (struct found_redemption){true, *owed_reversal};
}

void ask_redemptions(struct batch *batch, int64_t after, int64_t before, int64_t limit, row_visitor *visit, void *context) {
    assert_ptr_equal(batch, &the_batch);
    assert_true(after < before && limit > 0);
    (void)visit;
    (void)context;
}

struct result redemption_found(void *found, const struct row *row) {
    (void)found;
    (void)row;
    fail();
    return result_ok();
}

/* ---- a round ---- */

static sem_t waits, goes;

static inline void wait_for(sem_t *semaphore) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

static inline void park(void) {
    thread_id = gettid();
    pthread_getname_np(pthread_self(), thread_name, sizeof thread_name);
    sem_post(&waits);
    sem_wait(&goes);
}

static inline void go(void) {
    sem_post(&goes);
    wait_for(&waits);
}

static inline void go_after(int64_t us) {
    fake_now_us += us;
    go();
}

static inline void expect_wait(int64_t ms) { assert_int_equal(fake_client.waited_ms, ms); }

/* The list of all funds is not a fund. */
static inline bool is_to(const struct http_call *call, const char *path) {
    const char *found = strstr(call->url, path);
    return found != NULL && (strcmp(path, FUND) != 0 || found[strlen(path)] != '?');
}

static inline size_t calls_to(const char *path) {
    size_t count = 0;
    for (size_t i = 0; i < fake_client.count; i++) count += is_to(fake_client.calls[i], path);
    return count;
}

static inline void answer(const char *path, const char *name, int status, const char *body) {
    for (size_t i = 0; i < fake_client.count; i++) {
        if (!is_to(fake_client.calls[i], path)) continue;
        snprintf(fake_client.calls[i]->header, sizeof fake_client.calls[i]->header, "%s", name);
        fake_answer(i, status, body);
        return;
    }
    fail_msg("nobody has asked %s", path);
}

static inline struct id id_of(const char *text) {
    struct id id;
    assert_true(result_is_ok(id_parse(text_of(text), &id)));
    return id;
}

/* ---- life ---- */

static inline int set_up(void **state) {
    if (is_running) return -1; /* the thread of a test that has failed stands in the way */
    static const struct place place = {.file = "nowhere", .commits = (struct batch_commits *)&options};
    (void)state;
    fake_client = (struct http_client){.on_run = park};
    fake_log_event[0] = '\0';
    fake_now_us = INT64_C(1700000000) * SECOND_US;
    memset(&fake_store, 0, sizeof fake_store);
    reads = 0;
    owed_reversal = NULL;
    reversals_batch = NULL;
    memset(fake_said, 0, sizeof fake_said);
    has_token = true;
    read_outcome = result_ok();
    sem_init(&waits, 0, 0);
    sem_init(&goes, 0, 0);
    board_begin();
    request_init(&request, 1, 1, NULL);
    options = (struct settler_options){.board = board,
                                       .clock = &fake_clock,
                                       .wallet_url = "http://wallet",
                                       .wallet_instance = id_of(OURS),
                                       .place = &place,
                                       .settle_wait_ms = 700};
    return result_is_ok(revocations_create(0, &revocations)) ? 0 : -1;
}

static inline void begin(void) {
    assert_true(result_is_ok(settler_create(&options, &settler)));
    assert_true(result_is_ok(settler_start(settler, NULL)));
    is_running = true;
    wait_for(&waits);
}

static pthread_t stopper;

static inline void *stop(void *context) {
    settler_stop(context);
    return NULL;
}

/* It has been told to stop, and is still where it was. */
static inline void begin_to_stop(void) {
    waker_clear(fake_client.waker); /* of what came before: only the stop is waited for */
    assert_int_equal(pthread_create(&stopper, NULL, stop, settler), 0);
    assert_true(waker_wait(fake_client.waker, PATIENCE_S * SECOND_US));
}

static inline void expect_stopped(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    assert_int_equal(pthread_timedjoin_np(stopper, NULL, &until), 0);
    is_running = false;
}

static inline void end(void) {
    begin_to_stop();
    sem_post(&goes);
    expect_stopped();
}

static inline int tear_down(void **state) {
    (void)state;
    if (is_running) return -1;
    int compared = settler_compared(settler);
    settler_free(settler);
    settler = NULL;
    assert_int_equal(fcntl(compared, F_GETFD), -1); /* closed */
    revocations_free(revocations);
    request_clear(&request);
    board_free(board);
    sem_destroy(&waits);
    sem_destroy(&goes);
    return 0;
}

static inline void submit_this(struct test_request *made) {
    made->exchange.state = EXCHANGE_TAKEN;
    exchange_give(&made->exchange, EXCHANGE_OF_SETTLER);
    settler_submit(settler, &made->operation);
}

static inline void submit(void) { submit_this(&request); }

static inline void want_fund(size_t index) {
    campaigns[index].fund_confirmed_minor = 0;
    campaigns[index].fund_step_minor = 100000;
    campaigns[index].fund_step_version = 2;
    show(index);
}
