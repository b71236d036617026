#include "../base/assertions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "auth/password.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static size_t done_count;
static bool is_held;
static pthread_t tester; /* whom nothing holds: what gives way is done by who submits */

static void count_done(struct password_job *job) {
    (void)job;
    pthread_mutex_lock(&mutex);
    done_count++;
    pthread_cond_broadcast(&changed);
    while (is_held && !pthread_equal(pthread_self(), tester)) pthread_cond_wait(&changed, &mutex);
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
    tester = pthread_self();
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

/* ---- whose turn it is ---- */

enum { JOBS_MAX = 512 };
static struct password_job jobs[JOBS_MAX];
static struct password_job *order[JOBS_MAX]; /* in which they were done */
static bool is_left[JOBS_MAX];

static void note_order(struct password_job *job) {
    pthread_mutex_lock(&mutex);
    order[done_count] = job;
    pthread_mutex_unlock(&mutex);
    count_done(job);
}

static bool is_still_there(struct password_job *job) { return !is_left[job - jobs]; }

static struct password_job *prepare(size_t index, const char *subnet, const char *address) {
    is_left[index] = false;
    jobs[index] = (struct password_job){.kind = PASSWORD_HASH,
                                        .password = TEXT("a password"),
                                        .subnet = text_of(subnet),
                                        .address = text_of(address),
                                        .begins = is_still_there,
                                        .done = note_order};
    return &jobs[index];
}

/* A pool whose one thread stands in the done of job 0, so that what is submitted waits until hold(false). */
static struct password_pool *make_held(uint32_t queue_limit) {
    struct password_pool *pool;
    assert_ok(password_pool_create(1, CRYPTO_COST_LOW, queue_limit, &pool));
    hold(true);
    assert_ok(password_pool_submit(pool, prepare(0, "10.0.0.", "10.0.0.1")));
    await_done(1);
    return pool;
}

static size_t place_of(const struct password_job *job) {
    size_t place = 0;
    while (place < done_count && order[place] != job) place++;
    return place;
}

static void one_address_does_not_hold_up_another(void **state) {
    (void)state;
    struct password_pool *pool = make_held(JOBS_MAX);
    for (size_t i = 1; i <= 300; i++) assert_ok(password_pool_submit(pool, prepare(i, "10.0.0.", "10.0.0.1")));
    assert_ok(password_pool_submit(pool, prepare(301, "10.0.0.", "10.0.0.2")));
    assert_ok(password_pool_submit(pool, prepare(302, "10.0.0.", "10.0.0.2")));
    hold(false);
    await_done(303);
    assert_true(place_of(&jobs[301]) <= 3 && place_of(&jobs[302]) <= 5);
    assert_true(place_of(&jobs[1]) < place_of(&jobs[2]) && place_of(&jobs[299]) < place_of(&jobs[300])); /* each the oldest first */
    password_pool_free(pool);
}

static void a_subnet_has_no_more_than_one_address(void **state) {
    (void)state;
    struct password_pool *pool = make_held(JOBS_MAX);
    static char addresses[200][16];
    for (size_t i = 1; i <= 200; i++) {
        snprintf(addresses[i - 1], sizeof addresses[0], "10.0.0.%zu", i);
        assert_ok(password_pool_submit(pool, prepare(i, "10.0.0.", addresses[i - 1])));
    }
    for (size_t i = 201; i <= 210; i++) assert_ok(password_pool_submit(pool, prepare(i, "192.0.2.", "192.0.2.1")));
    hold(false);
    await_done(211);
    for (size_t i = 201; i <= 210; i++) assert_true(place_of(&jobs[i]) <= 2 * (i - 200) + 2);
    password_pool_free(pool);
}

static void who_has_left_is_not_hashed(void **state) {
    (void)state;
    struct password_pool *pool = make_held(JOBS_MAX);
    for (size_t i = 1; i <= 100; i++) assert_ok(password_pool_submit(pool, prepare(i, "10.0.0.", "10.0.0.1")));
    for (size_t i = 1; i < 100; i++) is_left[i] = true;
    hold(false);
    await_done(101);
    for (size_t i = 1; i < 100; i++) assert_true(jobs[i].end == PASSWORD_NOT_BEGUN && jobs[i].hash[0] == '\0');
    assert_true(jobs[100].end == PASSWORD_WORKED && jobs[100].hash[0] == '$');
    password_pool_free(pool);
}

static void a_full_queue_takes_from_who_has_most(void **state) {
    (void)state;
    enum { QUEUE = 8 };
    struct password_pool *pool = make_held(QUEUE);
    for (size_t i = 1; i <= QUEUE; i++) assert_ok(password_pool_submit(pool, prepare(i, "10.0.0.", "10.0.0.1")));
    assert_result(password_pool_submit(pool, prepare(9, "10.0.0.", "10.0.0.1")), RESULT_FULL);
    assert_ok(password_pool_submit(pool, prepare(10, "192.0.2.", "192.0.2.1")));
    hold(false);
    await_done(1 + QUEUE + 1);
    assert_true(jobs[QUEUE].end == PASSWORD_DROPPED && jobs[QUEUE].hash[0] == '\0');
    assert_true(jobs[10].end == PASSWORD_WORKED && jobs[1].end == PASSWORD_WORKED);
    assert_int_equal(jobs[9].hash[0], '\0');
    password_pool_free(pool);
}

static void *let_go(void *context) {
    (void)context;
    hold(false);
    return NULL;
}

static void the_end_drops_what_waits(void **state) {
    (void)state;
    struct password_pool *pool = make_held(JOBS_MAX);
    for (size_t i = 1; i <= 300; i++) assert_ok(password_pool_submit(pool, prepare(i, "10.0.0.", "10.0.0.1")));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, let_go, NULL), 0);
    password_pool_free(pool);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(done_count, 301);
    assert_true(jobs[300].end == PASSWORD_DROPPED && jobs[300].hash[0] == '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hashes_and_matches, start),
        cmocka_unit_test_setup(an_unknown_user_matches_nothing, start),
        cmocka_unit_test_setup(one_address_does_not_hold_up_another, start),
        cmocka_unit_test_setup(a_subnet_has_no_more_than_one_address, start),
        cmocka_unit_test_setup(who_has_left_is_not_hashed, start),
        cmocka_unit_test_setup(a_full_queue_takes_from_who_has_most, start),
        cmocka_unit_test_setup(the_end_drops_what_waits, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
