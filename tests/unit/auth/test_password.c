#include "../base/assertions.h"

#include <pthread.h>
#include <stdatomic.h>

#include "auth/password.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static size_t done_count;
static bool is_held;

static void count_done(struct password_job *job) {
    (void)job;
    pthread_mutex_lock(&mutex);
    done_count++;
    pthread_cond_broadcast(&changed);
    while (is_held) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void hold(bool holds) {
    pthread_mutex_lock(&mutex);
    is_held = holds;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void await_done(size_t count) {
    pthread_mutex_lock(&mutex);
    while (done_count < count) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static int start(void **state) {
    (void)state;
    crypto_init();
    done_count = 0;
    is_held = false;
    return 0;
}

static void run(struct password_pool *pool, struct password_job *job) {
    size_t before = done_count;
    job->done = count_done;
    assert_ok(password_pool_submit(pool, job));
    await_done(before + 1);
}

static void hashes_and_matches(void **state) {
    (void)state;
    static const enum crypto_cost costs[] = {CRYPTO_COST_LOW, CRYPTO_COST_STANDARD};
    for (size_t i = 0; i < ARRAY_COUNT(costs); i++) {
        struct password_pool *pool;
        assert_ok(password_pool_create(2, costs[i], 8, &pool));
        struct password_job hash = {.kind = PASSWORD_HASH, .password = TEXT("correct horse")};
        run(pool, &hash);
        assert_true(text_starts_with(text_of(hash.hash), TEXT("$argon2id$")));
        struct password_job match = {.kind = PASSWORD_MATCH, .password = TEXT("correct horse")};
        memcpy(match.hash, hash.hash, sizeof hash.hash);
        run(pool, &match);
        assert_true(match.matches);
        match.password = TEXT("correct horsf");
        run(pool, &match);
        assert_false(match.matches);
        match.password = TEXT("");
        run(pool, &match);
        assert_false(match.matches);
        password_pool_free(pool);
    }
}

static void an_unknown_user_matches_nothing(void **state) {
    (void)state;
    struct password_pool *pool;
    assert_ok(password_pool_create(1, CRYPTO_COST_LOW, 8, &pool));
    struct password_job job = {.kind = PASSWORD_MATCH, .password = TEXT("whatever"), .matches = true};
    run(pool, &job);
    assert_false(job.matches);
    assert_int_equal(job.hash[0], '\0'); /* what it was compared with does not leave the pool */
    password_pool_free(pool);
}

static void a_full_queue_refuses_and_the_end_finishes_what_waits(void **state) {
    (void)state;
    enum { QUEUE = 3 };
    struct password_pool *pool;
    struct password_job jobs[QUEUE + 2];
    assert_ok(password_pool_create(1, CRYPTO_COST_LOW, QUEUE, &pool));
    for (size_t i = 0; i < ARRAY_COUNT(jobs); i++) {
        jobs[i] = (struct password_job){.kind = PASSWORD_HASH, .password = TEXT("a password"), .done = count_done};
    }
    hold(true);
    assert_ok(password_pool_submit(pool, &jobs[0]));
    await_done(1); /* the one thread stands in its done: nothing is taken any more */
    for (size_t i = 1; i <= QUEUE; i++) assert_ok(password_pool_submit(pool, &jobs[i]));
    assert_result(password_pool_submit(pool, &jobs[QUEUE + 1]), RESULT_FULL);
    hold(false);
    password_pool_free(pool);
    assert_int_equal(done_count, QUEUE + 1);
    for (size_t i = 0; i <= QUEUE; i++) assert_int_equal(jobs[i].hash[0], '$');
    assert_int_equal(jobs[QUEUE + 1].hash[0], '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hashes_and_matches, start),
        cmocka_unit_test_setup(an_unknown_user_matches_nothing, start),
        cmocka_unit_test_setup(a_full_queue_refuses_and_the_end_finishes_what_waits, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
