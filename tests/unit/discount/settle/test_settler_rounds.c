/* The settler's thread, one round at a time: it goes when the test has said what is so, and is looked at when it wants to wait. */
#include "fake_store.h"

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
#define REACH     "/jwks.json"
#define CREDITS   "/v1/credits"
#define FUND      "/v1/funds"
#define BOOKS     "/v1/funds?"
#define MOST_MS   60000
#define SECOND_US CLOCK_SECOND_US

/* Bounds of a wait that has gone wrong. */
#define PATIENCE_S 5

static struct settler *settler;
static bool is_running;
static struct settler_options options;
static struct readiness readiness;
static struct revocations *revocations;
static struct test_request request;
static size_t reads;
static const char *said_of_reach;
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

bool readiness_say(struct readiness *told, enum concern concern, const char *state) {
    assert_ptr_equal(told, &readiness);
    if (concern == CONCERN_WALLET_REACH) said_of_reach = state;
    return false;
}

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
    (void)row;
    (void)first_column;
    (void)ret_redemption;
    return result_error(RESULT_CORRUPT);
}

void ask_redemption(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    assert_ptr_equal(batch, &the_batch);
    assert_false(id_is_zero(id));
    (void)visit;
    (void)context;
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

static void wait_for(sem_t *semaphore) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

static void park(void) {
    thread_id = gettid();
    pthread_getname_np(pthread_self(), thread_name, sizeof thread_name);
    sem_post(&waits);
    sem_wait(&goes);
}

static void go(void) {
    sem_post(&goes);
    wait_for(&waits);
}

static void go_after(int64_t us) {
    fake_now_us += us;
    go();
}

static void expect_wait(int64_t ms) { assert_int_equal(fake_client.waited_ms, ms); }

/* The list of all funds is not a fund. */
static bool is_to(const struct http_call *call, const char *path) {
    const char *found = strstr(call->url, path);
    return found != NULL && (strcmp(path, FUND) != 0 || found[strlen(path)] != '?');
}

static size_t calls_to(const char *path) {
    size_t count = 0;
    for (size_t i = 0; i < fake_client.count; i++) count += is_to(fake_client.calls[i], path);
    return count;
}

static void answer(const char *path, const char *name, int status, const char *body) {
    for (size_t i = 0; i < fake_client.count; i++) {
        if (!is_to(fake_client.calls[i], path)) continue;
        snprintf(fake_client.calls[i]->header, sizeof fake_client.calls[i]->header, "%s", name);
        fake_answer(i, status, body);
        return;
    }
    fail_msg("nobody has asked %s", path);
}

static struct id id_of(const char *text) {
    struct id id;
    assert_true(result_is_ok(id_parse(text_of(text), &id)));
    return id;
}

/* ---- life ---- */

static int set_up(void **state) {
    if (is_running) return -1; /* the thread of a test that has failed stands in the way */
    static const struct place place = {.file = "nowhere", .commits = (struct batch_commits *)&options};
    (void)state;
    fake_client = (struct http_client){.on_run = park};
    fake_log_event[0] = '\0';
    fake_now_us = INT64_C(1700000000) * SECOND_US;
    memset(&fake_store, 0, sizeof fake_store);
    reads = 0;
    said_of_reach = NULL;
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

static void begin(void) {
    assert_true(result_is_ok(settler_create(&options, &settler)));
    assert_true(result_is_ok(settler_start(settler, NULL)));
    is_running = true;
    wait_for(&waits);
}

static pthread_t stopper;

static void *stop(void *context) {
    settler_stop(context);
    return NULL;
}

/* It has been told to stop, and is still where it was. */
static void begin_to_stop(void) {
    assert_int_equal(pthread_create(&stopper, NULL, stop, settler), 0);
    assert_true(waker_wait(fake_client.waker, PATIENCE_S * SECOND_US));
}

static void expect_stopped(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    assert_int_equal(pthread_timedjoin_np(stopper, NULL, &until), 0);
    is_running = false;
}

static void end(void) {
    begin_to_stop();
    sem_post(&goes);
    expect_stopped();
}

static int tear_down(void **state) {
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

static void submit(void) {
    request.exchange.state = EXCHANGE_TAKEN;
    exchange_give(&request.exchange, EXCHANGE_OF_SETTLER);
    settler_submit(settler, &request.operation);
}

static void want_fund(size_t index) {
    campaigns[index].fund_confirmed_minor = 0;
    campaigns[index].fund_step_minor = 100000;
    campaigns[index].fund_step_version = 2;
    show(index);
}

/* ---- the tests ---- */

static void test_it_wakes_for_each_that_asks_now_and_then(void **state) {
    (void)state;
    options.readiness = &readiness;
    options.revocations = revocations;
    begin();
    assert_string_equal(said_of_reach, "unknown");
    assert_int_equal(calls_to(REACH), 1);
    assert_int_equal(fake_client.count, 1);
    expect_wait(250);
    answer(REACH, "", 200, "");
    go_after(SECOND_US / 4);
    assert_string_equal(thread_name, "settler");
    assert_int_equal(calls_to(GREETING) + calls_to(ENDED), 2);
    expect_wait(1750); /* until it asks again whether it is reached */
    answer(GREETING, OURS, 200, "");
    go_after(1750000);
    assert_int_equal(calls_to(REACH), 1);
    expect_wait(250); /* who is there */
    go_after(SECOND_US / 4);
    assert_int_equal(calls_to(GREETING), 1);
    expect_wait(MOST_MS); /* all are asked */
    answer(ENDED, OURS, 200, "{\"data\":[],\"next_cursor\":\"x\"}");
    go();
    expect_wait(1000); /* what has ended */
    go_after(SECOND_US);
    assert_int_equal(calls_to(ENDED), 1);
    end();
}

static void test_it_wakes_for_claims_and_who_waits_for_them(void **state) {
    (void)state;
    begin();
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    expect_wait(MOST_MS);
    submit();
    go();
    assert_int_equal(calls_to(CREDITS), 1);
    expect_wait(700); /* the request's time */
    go_after(SECOND_US * 7 / 10);
    assert_true(is_returned(&request));
    expect_wait(300); /* to be counted as unsettled */
    go_after(SECOND_US * 3 / 10);
    expect_wait(MOST_MS);
    answer(CREDITS, OURS, 500, "");
    go();
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(calls_to(CREDITS), 1);
    answer(CREDITS, OURS, 500, "");
    end();
}

static void test_it_wakes_to_read_what_it_could_not_read(void **state) {
    (void)state;
    read_outcome = result_error(RESULT_IO);
    begin();
    assert_int_equal(reads, 1);
    expect_logged(LOG_ERROR, "refill_failed");
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    read_outcome = result_ok();
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(reads, 2);
    end();
}

static void test_it_wakes_to_compare_what_it_could_not_compare(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    answer(BOOKS, OURS, 500, "");
    go();
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(calls_to(BOOKS), 1);
    end();
}

static void test_who_cannot_be_paid_yet_waits_for_nothing(void **state) {
    (void)state;
    campaigns[0].fund_confirmed_minor = 0;
    show(0);
    begin();
    submit();
    go();
    assert_true(is_returned(&request) && calls_to(CREDITS) == 0);
    end();
}

static void test_it_looks_at_funds_when_it_is_poked(void **state) {
    (void)state;
    begin();
    want_fund(0);
    go();
    assert_int_equal(calls_to(FUND), 0); /* nobody has said so */
    settler_poke(settler);
    assert_true(waker_wait(fake_client.waker, 0));
    go();
    assert_int_equal(calls_to(FUND), 1);
    answer(FUND, OURS, 500, "");
    end();
}

/* What was claimed before we started, or is claimed since: nothing of it is sent before the books were compared. */
static void test_nothing_is_sent_before_the_books_are_compared(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    assert_int_equal(calls_to(BOOKS), 1); /* at once */
    go_after(SECOND_US / 4);              /* the greeting is on its way, and stays there */
    submit();
    go();
    go_after(SECOND_US / 10);
    assert_int_equal(calls_to(CREDITS), 0);
    assert_true(is_untold(&request));
    struct pollfd compared = {.fd = settler_compared(settler), .events = POLLIN};
    assert_int_equal(poll(&compared, 1, 0), 0);
    answer(BOOKS, OURS, 404, "");
    go();
    assert_int_equal(calls_to(CREDITS), 1); /* its request waits with it now */
    assert_int_equal(poll(&compared, 1, 0), 1);
    expect_wait(600); /* and no longer than it would have */
    go_after(SECOND_US * 6 / 10);
    assert_true(is_returned(&request));
    answer(CREDITS, OURS, 500, "");
    end();
}

static void test_who_waits_for_the_books_is_answered_in_time(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    submit();
    go();
    assert_true(is_untold(&request));
    go_after(SECOND_US * 7 / 10);
    assert_true(is_returned(&request));
    assert_int_equal(calls_to(CREDITS), 0);
    end();
}

/* A claim may turn out to be another one: nobody waits for it, and it is not taken up when the books agree, but read from the database. */
static void test_who_comes_while_a_campaign_recovers_waits_for_nothing(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_RECOVERING);
    begin();
    submit();
    go();
    assert_true(is_returned(&request));
    board_set_books(board_slot(board, 0), BOOKS_AGREE);
    go_after(SECOND_US / 10);
    assert_int_equal(calls_to(CREDITS), 0);
    end();
}

static void test_while_another_wallet_is_there_nothing_is_settled(void **state) {
    (void)state;
    options.revocations = revocations;
    begin();
    go_after(SECOND_US / 4);
    answer(GREETING, ANOTHER, 200, "");
    answer(BOOKS, ANOTHER, 200, "{\"data\":[],\"next_cursor\":null}");
    answer(ENDED, ANOTHER, 200, "{\"data\":[],\"next_cursor\":\"x\"}");
    go();
    expect_wait(2000); /* who is there, and nothing else */
    campaigns[1].ends_at_us = fake_now_us;
    show(1);
    want_fund(1);
    settler_poke(settler);
    submit();
    go_after(SECOND_US * 3 / 2);
    assert_int_equal(fake_client.count, 0);
    assert_ptr_equal(fake_store_action(0), &expire_action); /* for that nobody is called */
    fake_store_end(0, result_error(RESULT_UNAVAILABLE));
    go_after(SECOND_US / 2);
    assert_int_equal(fake_client.count, 1);
    answer(GREETING, OURS, 200, "");
    go();
    assert_int_equal(calls_to(ENDED), 1);
    assert_int_equal(calls_to(CREDITS), 1);
    assert_int_equal(calls_to(FUND), 1);
    answer(CREDITS, OURS, 500, "");
    answer(FUND, OURS, 500, "");
    while (fake_store.count > 0) fake_store_end(0, result_error(RESULT_UNAVAILABLE));
    end();
}

/* What only asks is not waited for. */
static void test_a_stop_waits_for_nothing_that_moves_no_money(void **state) {
    (void)state;
    options.readiness = &readiness;
    options.revocations = revocations;
    begin();
    go_after(SECOND_US / 4);
    assert_int_equal(fake_client.count, 4);
    end();
    settler_stop(settler); /* once is enough */
}

static void expect_patience(void) {
    begin_to_stop();
    go();
    expect_wait(3000);
    go_after(3 * SECOND_US - 1);
    expect_wait(1);
    fake_now_us++;
    sem_post(&goes);
}

static void test_a_stop_waits_for_credits_and_then_gives_up(void **state) {
    (void)state;
    begin();
    submit();
    go();
    assert_int_equal(calls_to(CREDITS), 1);
    expect_patience();
    expect_stopped();
    assert_true(is_returned(&request));
    assert_int_equal(fake_client.count, 0);
}

static void test_a_stop_waits_for_a_fund_and_then_gives_up(void **state) {
    (void)state;
    begin();
    want_fund(0);
    settler_poke(settler);
    go();
    assert_int_equal(calls_to(FUND), 1);
    expect_patience();
    expect_stopped();
    assert_int_equal(fake_client.count, 0);
}

/* Whoever turns in a circle never sleeps. */
static void wait_until_asleep(void) {
    char path[64], line[128];
    struct timespec begun, now;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread_id);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        fclose(file);
        if (strstr(line, ") S ") != NULL) return;
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begun.tv_sec < PATIENCE_S);
    fail_msg("it does not sleep: %s", line);
}

static void test_a_stop_waits_asleep_for_what_is_in_the_store(void **state) {
    (void)state;
    options.wallet_instance = (struct id){{0}};
    begin();
    go_after(SECOND_US / 4);
    answer(GREETING, OURS, 200, "");
    go();
    assert_ptr_equal(fake_store_action(0), &instance_action);
    expect_patience();
    wait_until_asleep();
    fake_store_end(0, result_ok());
    expect_stopped();
}

static void test_without_a_token_wallet_is_not_called(void **state) {
    (void)state;
    has_token = false;
    begin();
    go_after(SECOND_US / 4);
    assert_int_equal(fake_client.started, 0);
    has_token = true;
    go_after(2 * SECOND_US);
    assert_int_equal(calls_to(GREETING), 1);
    end();
}

static void test_without_memory_there_is_no_settler(void **state) {
    (void)state;
    struct result outcome = result_error(RESULT_FULL);
    size_t objects = 0;
    for (; !result_is_ok(outcome); objects++) {
        objects_left = objects;
        outcome = settler_create(&options, &settler);
        if (!result_is_ok(outcome)) assert_int_equal(outcome.code, RESULT_FULL);
    }
    objects_left = SIZE_MAX;
    assert_true(objects > 3); /* itself, the claims, the funds */
    assert_true(result_is_ok(settler_start(settler, NULL)));
    is_running = true;
    wait_for(&waits);
    end();
}

#define FUND_OF(id, credited) "{\"reference\":\"" id "\",\"funded\":100000,\"credited\":" credited ",\"released\":0,\"state\":\"open\"}"
#define FUNDS_THERE(credited)                                                                                                   \
    "{\"data\":[" FUND_OF("01000000-0000-0000-0000-000000000000", credited) "," FUND_OF("02000000-0000-0000-0000-000000000000", \
                                                                                        "0") "],\"next_cursor\":null}"
#define WALK "/transactions?"

/* One credit is here that is not there: it is looked for, and meanwhile nothing is sent. */
static void test_what_wallet_has_lost_is_looked_for(void **state) {
    (void)state;
    campaigns[0].redeemed = campaigns[0].credited = 1;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = fake_now_us;
    show(0);
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    answer(BOOKS, OURS, 200, FUNDS_THERE("0"));
    go();
    assert_int_equal(calls_to(WALK), 1);
    submit();
    go();
    assert_true(is_untold(&request));
    answer(WALK, OURS, 200, "{\"data\":[],\"next_cursor\":null}");
    go();
    go();
    assert_int_equal(calls_to(CREDITS), 1);
    answer(CREDITS, OURS, 500, "");
    end();
}

#define CREDIT_ID "019aab20-4c00-7a31-9f00-5b1e2c3d4e05"
#define UNKNOWN                                                                                                 \
    "{\"data\":[{\"reference\":\"" CREDIT_ID "\",\"user_id\":\"" CREDIT_ID "\",\"transaction_id\":\"" CREDIT_ID \
    "\",\"amount\":1000,\"created_at\":\"2026-01-02T03:04:05Z\"}],\"next_cursor\":null}"

/* One credit is there that is not here: it is handed to the store, and again when that fails. */
static void test_what_we_have_lost_is_made_anew(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    answer(BOOKS, OURS, 200, FUNDS_THERE("1000"));
    go();
    answer(WALK, OURS, 200, UNKNOWN);
    go();
    for (unsigned i = 0; i < 3 && fake_store.count == 0; i++) go();
    assert_int_equal(fake_store.count, 1);
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    fake_store_end(0, result_error(RESULT_IO));
    go();
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(fake_store.count, 1);
    fake_store_end(0, result_error(RESULT_IO));
    go();
    end();
}

static void test_its_metrics(void **state) {
    (void)state;
    begin();
    submit();
    go();
    settler_register_metrics();
    struct arena arena;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 4096);
    metrics_write(&buffer);
    struct text written = buffer_text(&buffer);
    static const char *const lines[] = {"\ndiscountd_credits_total{outcome=\"credited\"} ", "\ndiscountd_settle_claims_in_memory 1\n",
                                        "\ndiscountd_wallet_is_another 0\n"};
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) assert_non_null(memmem(written.data, written.size, lines[i], strlen(lines[i])));
    arena_release(&arena);
    answer(CREDITS, OURS, 500, "");
    end();
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_wakes_for_each_that_asks_now_and_then, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_wakes_for_claims_and_who_waits_for_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_wakes_to_read_what_it_could_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_wakes_to_compare_what_it_could_not_compare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_cannot_be_paid_yet_waits_for_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_looks_at_funds_when_it_is_poked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_sent_before_the_books_are_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_the_books_is_answered_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_comes_while_a_campaign_recovers_waits_for_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_another_wallet_is_there_nothing_is_settled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_nothing_that_moves_no_money, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_credits_and_then_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_a_fund_and_then_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_asleep_for_what_is_in_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_token_wallet_is_not_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_memory_there_is_no_settler, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_wallet_has_lost_is_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_we_have_lost_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_its_metrics, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
