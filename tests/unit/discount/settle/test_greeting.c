/* Who is asked for its name and when, what is kept of it, and the operator's word. */
#include "fake_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include "../../base/folder.h"
#include "discount/settle/greeting.h"

#define OURS    "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
#define ANOTHER "019aab20-4c00-7a31-9f00-5b1e2c3d4e02"
#define THIRD   "019aab20-4c00-7a31-9f00-5b1e2c3d4e03"

static struct calls calls;
static struct messages messages;
static struct greeting greeting;
static char folder[64], trust_path[128];
static struct id id_of(const char *text) {
    struct id id;
    assert_true(result_is_ok(id_parse(text_of(text), &id)));
    return id;
}

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    calls.readiness = &fake_readiness;
    memset(&fake_store, 0, sizeof fake_store);
    assert_true(result_is_ok(messages_init(&messages)));
    folder_create(folder, "greeting-test");
    snprintf(trust_path, sizeof trust_path, "%s/" TRUST_FILE_NAME, folder);
    greeting = (struct greeting){.calls = &calls, .messages = &messages, .trust_path = trust_path};
    TAILQ_INIT(&greeting.own.request.waiters);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    greeting_free(&greeting);
    messages_free(&messages);
    assert_true(folder_remove(folder));
    return 0;
}

static void run(void) { greeting_run(&greeting, fake_now_us); }

static void nobody(void *context, struct discount_operation *request) {
    (void)context;
    (void)request;
    fail();
}

static void end_in_store(struct result outcome) {
    fake_store_end(0, outcome);
    messages_take(&messages, nobody, NULL);
}

static const char *answer_body = "{}";

/* It is asked when it is due, and answers like this. */
static void answer(const char *name, int status) {
    if (greeting.due_us == 0) run();
    fake_now_us = greeting.due_us;
    run();
    assert_int_equal(fake_client.count, 1);
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "%s", name);
    fake_answer(0, status, answer_body);
}

static void expect_kept(const char *name) {
    run();
    assert_int_equal(fake_store.count, 1);
    assert_ptr_equal(fake_store_action(0), &instance_action);
    assert_true(id_equal(fake_store_request(0)->wallet_instance, id_of(name)));
    assert_int_equal(fake_store_request(0)->base.operation.store.weight, 1);
}

static void know_ours(void) {
    answer(OURS, 200);
    expect_kept(OURS);
    end_in_store(result_ok());
}

static void write_file(const char *content, mode_t mode) {
    FILE *file = fopen(trust_path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    assert_int_equal(chmod(trust_path, mode), 0);
}

static void test_when_it_is_asked(void **state) {
    (void)state;
    int64_t start_us = fake_now_us;
    run();
    assert_int_equal(greeting_next_us(&greeting), start_us + CLOCK_SECOND_US / 4);
    fake_now_us = greeting_next_us(&greeting) - 1;
    run();
    assert_int_equal(fake_client.started, 0);
    fake_now_us++;
    run();
    assert_int_equal(fake_client.started, 1);
    assert_string_equal(fake_client.calls[0]->method, "GET");
    assert_string_equal(fake_client.calls[0]->url, "http://wallet/v1/instance");
    assert_int_equal(fake_client.calls[0]->timeout_ms, 2000);
    assert_int_equal(greeting_next_us(&greeting), INT64_MAX); /* an answer wakes */
    fake_now_us += 9 * CLOCK_SECOND_US;
    run(); /* one at a time */
    assert_int_equal(fake_client.started, 1);
    fake_answer(0, 503, "");
    assert_int_equal(fake_client.cleared, 1);
    assert_int_equal(greeting_next_us(&greeting), fake_now_us + 2 * CLOCK_SECOND_US);
    fake_client.refuses = true;
    fake_now_us = greeting_next_us(&greeting);
    run();
    assert_int_equal(greeting_next_us(&greeting), fake_now_us + 2 * CLOCK_SECOND_US);
    fake_client.refuses = false;
    calls_give_up(&calls);
    fake_now_us = greeting_next_us(&greeting);
    run();
    assert_int_equal(fake_client.started, 1);
}

/* ---- what /readyz says ---- */

static void test_whether_it_is_there(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
        const char *name, *says;
    } rows[] = {{{RESULT_OK}, 200, OURS, "ok"},    {{RESULT_OK}, 502, "", "unreachable"},
                {{RESULT_OK}, 200, ANOTHER, "ok"}, {{RESULT_OK}, 503, OURS, "unreachable"},
                {{RESULT_OK}, 401, "", "ok"},      {{RESULT_OK}, 504, "", "unreachable"},
                {{RESULT_OK}, 500, "", "ok"},      {{RESULT_IO}, 0, "", "unreachable"},
                {{RESULT_OK}, 501, "", "ok"},      {{RESULT_IO}, 200, OURS, "unreachable"},
                {{RESULT_OK}, 505, "", "ok"}};
    run();
    assert_null(fake_said[CONCERN_WALLET_REACH]);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        fake_now_us = greeting.due_us;
        calls.token.text = calls.token.text == NULL ? strdup("token") : calls.token.text;
        run();
        snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "%s", rows[i].name);
        fake_end(0, rows[i].outcome, rows[i].status, "{}");
        assert_string_equal(fake_said[CONCERN_WALLET_REACH], rows[i].says);
    }
}

/* Whatever it answers shows that it is back, in that moment: nobody waits until it is asked for its name again. */
static void test_any_answer_shows_that_it_is_back(void **state) {
    (void)state;
    fake_says_news = true;
    answer("", 502);
    assert_string_equal(fake_said[CONCERN_WALLET_REACH], "unreachable");
    expect_logged(LOG_WARN, "wallet_unreachable");
    struct http_call other = {.outcome = {RESULT_OK}, .status = 503};
    calls_judge(&calls, &other);
    assert_string_equal(fake_said[CONCERN_WALLET_REACH], "unreachable");
    other.status = 200;
    calls_judge(&calls, &other);
    assert_string_equal(fake_said[CONCERN_WALLET_REACH], "ok");
    expect_logged(LOG_INFO, "wallet_reached");
    answer("", 502);
    assert_string_equal(fake_said[CONCERN_WALLET_REACH], "unreachable");
    fake_log_event[0] = '\0';
    answer("", 502);
    expect_nothing_logged(); /* it is known */
}

static void test_any_answer_shows_which_one_it_is(void **state) {
    (void)state;
    know_ours();
    assert_string_equal(fake_said[CONCERN_WALLET_INSTANCE], "ok");
    struct http_call other = {.outcome = {RESULT_OK}, .status = 200, .header = ANOTHER};
    calls_judge(&calls, &other);
    assert_string_equal(fake_said[CONCERN_WALLET_INSTANCE], "another instance");
    other = (struct http_call){.outcome = {RESULT_OK}, .status = 200, .header = OURS};
    calls_judge(&calls, &other);
    assert_string_equal(fake_said[CONCERN_WALLET_INSTANCE], "ok");
}

static void test_what_is_no_good_answer_is_a_failure(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int status;
        bool is_failure;
    } rows[] = {{OURS, 200, false}, {OURS, 404, true}, {"", 502, true}, {"nonsense", 200, true}, {ANOTHER, 200, true}, {OURS, 200, false}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        int64_t errors = atomic_load(&calls_metric_errors.value);
        answer(rows[i].name, rows[i].status);
        assert_int_equal(atomic_load(&calls_metric_errors.value), errors + rows[i].is_failure);
    }
}

static void test_who_was_met_is_kept_once(void **state) {
    (void)state;
    answer(OURS, 200);
    assert_true(greeting_next_us(&greeting) <= fake_now_us); /* at once */
    expect_kept(OURS);
    assert_int_equal(greeting_next_us(&greeting), greeting.due_us);
    run(); /* it is on its way */
    assert_int_equal(fake_store.count, 1);
    end_in_store(result_ok());
    assert_false(calls.instance.must_keep);
    run();
    assert_int_equal(fake_store.count, 0);
}

static void test_what_was_not_kept_is_kept_later(void **state) {
    (void)state;
    answer(OURS, 200);
    expect_kept(OURS);
    end_in_store(result_error(RESULT_IO));
    run(); /* not at once */
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(greeting_next_us(&greeting), greeting.backoff.retry_at_us);
    fake_now_us = greeting_next_us(&greeting);
    fake_store.is_stopping = true;
    run();
    assert_int_equal(greeting.backoff.attempts, 2);
    fake_store.is_stopping = false;
    fake_now_us = greeting_next_us(&greeting) - 1;
    run();
    assert_int_equal(fake_store.count, 0);
    fake_now_us++;
    expect_kept(OURS);
    end_in_store(result_ok());
    assert_int_equal(greeting.backoff.attempts, 0);
    calls.instance.must_keep = true;
    greeting.backoff.retry_at_us = greeting.due_us + 5; /* whatever comes first */
    assert_int_equal(greeting_next_us(&greeting), greeting.due_us);
}

static void test_the_operators_word(void **state) {
    (void)state;
    know_ours();
    run();
    assert_string_equal(fake_said[CONCERN_WALLET_INSTANCE], "ok");
    write_file(ANOTHER "\n", 0600); /* she says it too early */
    answer(OURS, 200);
    assert_true(id_equal(calls.instance.ours, id_of(OURS)));
    expect_logged(LOG_INFO, "wallet_met");
    assert_int_equal(chmod(trust_path, 0644), 0);
    answer(OURS, 200);
    expect_nothing_logged(); /* nobody has looked */
    assert_int_equal(unlink(trust_path), 0);
    answer(ANOTHER, 200);
    expect_logged(LOG_ERROR, "wallet_is_another"); /* and nothing of a file that is not there */
    write_file(THIRD "\n", 0600);                  /* means somebody else */
    answer(ANOTHER, 200);
    expect_nothing_logged();
    assert_true(instance_is_another(&calls.instance));
    run();
    assert_string_equal(fake_said[CONCERN_WALLET_INSTANCE], "another instance");
    write_file(ANOTHER, 0644); /* may have been written by anybody */
    answer(ANOTHER, 200);
    expect_logged(LOG_WARN, "trust_file_not_read");
    assert_true(instance_is_another(&calls.instance));
    assert_true(result_is_ok(greeting_write_word(trust_path, id_of(ANOTHER))));
    answer(ANOTHER, 200);
    assert_false(instance_is_another(&calls.instance));
    assert_string_equal(fake_said[CONCERN_WALLET_INSTANCE], "ok"); /* in that moment */
    assert_true(id_equal(calls.instance.ours, id_of(ANOTHER)));
    expect_kept(ANOTHER);
    assert_true(id_equal(fake_store_request(0)->wallet_left, id_of(OURS))); /* which is no more */
    end_in_store(result_error(RESULT_IO));
    assert_int_equal(access(trust_path, F_OK), 0); /* it is on no disk yet */
    fake_now_us = greeting_next_us(&greeting);
    expect_kept(ANOTHER);
    end_in_store(result_ok());
    assert_int_equal(access(trust_path, F_OK), -1);
    write_file(THIRD, 0600); /* the next word is another one */
    calls.instance.must_keep = true;
    expect_kept(ANOTHER);
    end_in_store(result_ok());
    assert_int_equal(access(trust_path, F_OK), 0);
}

static void test_a_word_while_another_is_kept(void **state) {
    (void)state;
    answer(OURS, 200);
    expect_kept(OURS);
    instance_trust(&calls.instance, id_of(ANOTHER));
    end_in_store(result_ok());
    assert_true(calls.instance.must_keep);
    expect_kept(ANOTHER);
    end_in_store(result_ok());
    assert_false(calls.instance.must_keep);
}

static void test_without_a_folder_or_readiness_there_is_no_word(void **state) {
    (void)state;
    greeting.trust_path = NULL;
    calls.readiness = NULL;
    know_ours();
    answer(ANOTHER, 200);
    expect_logged(LOG_ERROR, "wallet_is_another");
    assert_true(instance_is_another(&calls.instance));
}

static void test_what_the_file_may_hold(void **state) {
    (void)state;
    struct id id;
    assert_int_equal(greeting_read_word(trust_path, &id).code, RESULT_NOT_FOUND);
    static const struct {
        const char *content;
        int code;
    } rows[] = {{OURS, RESULT_OK}, {OURS "\n", RESULT_OK}, {"", RESULT_INVALID}, {"\n", RESULT_INVALID}, {OURS "\n\n", RESULT_FULL}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        write_file(rows[i].content, 0600);
        assert_int_equal(greeting_read_word(trust_path, &id).code, rows[i].code);
    }
    assert_true(result_is_ok(greeting_write_word(trust_path, id_of(THIRD))));
    assert_true(result_is_ok(greeting_read_word(trust_path, &id)));
    assert_true(id_equal(id, id_of(THIRD)));
    struct stat status;
    assert_int_equal(stat(trust_path, &status), 0);
    assert_int_equal(status.st_size, ID_TEXT_BYTES + 1);
}

/* Whatever was there before: what is not wiped by who uses it is found out. */
static void __attribute__((noinline)) soil_the_stack(void) {
    volatile uint8_t soil[16384];
    for (size_t i = 0; i < sizeof soil; i++) soil[i] = 0xa5;
}

/* A ledger that is shorter than it was is an older copy. */
static void test_a_shorter_ledger_is_a_reason_to_compare(void **state) {
    (void)state;
    static const struct {
        const char *body;
        bool is_reason;
    } steps[] = {{"{\"ledger\":{\"sequence\":7}}", false},
                 {"{\"ledger\":{\"sequence\":7}}", false},
                 {"{\"ledger\":{\"sequence\":9}}", false},
                 {"{\"ledger\":{}}", false},
                 {"{\"ledger\":7}", false},
                 {"[]", false},
                 {"{\"ledger\":{\"sequence\":1,\"sequence\":1}}", false},
                 {"nonsense", false},
                 {"{\"ledger\":{\"sequence\":8}}", true},
                 {"{\"ledger\":{\"sequence\":8}}", false},
                 {"{\"ledger\":{\"sequence\":0}}", true}};
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        calls.must_compare = false;
        answer_body = steps[i].body;
        soil_the_stack();
        answer(OURS, 200);
        assert_int_equal(calls.must_compare, steps[i].is_reason);
    }
    answer_body = "{\"ledger\":{\"sequence\":5}}";
    answer(OURS, 200);
    answer_body = "{\"ledger\":{\"sequence\":1}}";
    calls.must_compare = false;
    answer(OURS, 503); /* of that nothing is read */
    assert_false(calls.must_compare);
    answer_body = "{}";
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_when_it_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_shorter_ledger_is_a_reason_to_compare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whether_it_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_answer_shows_that_it_is_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_answer_shows_which_one_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_good_answer_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_was_met_is_kept_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_not_kept_is_kept_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_operators_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_word_while_another_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_folder_or_readiness_there_is_no_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_the_file_may_hold, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
