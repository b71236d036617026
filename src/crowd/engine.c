/* Runs one phase: a heap of users ordered by when they are due, a bound on how many are under way, and patience with failures.
 *
 * A user is in the heap, or under way in the client, or done; nothing else holds it. */
#include "base/check.h"
#include "base/crypto.h"
#include "crowd/crowd.h"

#define BACKOFF_FIRST_US INT64_C(20000)
#define BACKOFF_LAST_US  INT64_C(1000000)
#define WAIT_MS_MAX      INT64_C(100)

/* Exponential, with full jitter, and never before what the service asked for. */
static int64_t backoff_us(const struct user *user) {
    int64_t most = BACKOFF_LAST_US;
    if (user->attempts < 6) most = BACKOFF_FIRST_US << user->attempts;
    uint32_t random = 0;
    crypto_random(&random, sizeof(random));
    int64_t asked_us = result_is_ok(user->call.outcome) ? user->call.retry_after_ms * 1000 : 0;
    return asked_us + 1000 + (int64_t)(random % (uint64_t)most);
}

static void conclude_call(struct http_call *call) {
    struct user *user = CONTAINER_OF(call, struct user, call);
    struct crowd *crowd = user->crowd;
    int64_t now_us = clock_monotonic_us(crowd->clock);
    CHECK(crowd->in_flight > 0);
    crowd->in_flight--;
    if (crowd->phase->tallied) tally_add_answer(&crowd->tally, call, now_us - user->sent_us);
    enum step step = result_is_ok(call->outcome) ? crowd->phase->conclude(crowd, user) : STEP_AGAIN;
    if (step == STEP_AGAIN) {
        user->due_us = now_us + backoff_us(user);
        user->attempts++;
        heap_push_user(&crowd->heap, user);
    } else {
        crowd->done_count++;
        if (step == STEP_FAILED) crowd->failed_count++;
    }
    http_call_clear(call);
}

static struct result start_due(struct crowd *crowd) {
    int64_t now_us = clock_monotonic_us(crowd->clock);
    while (crowd->heap.count > 0 && crowd->in_flight < (size_t)crowd->options->connections && crowd->heap.users[0]->due_us <= now_us) {
        struct user *user = heap_pop_user(&crowd->heap);
        user->call = (struct http_call){.method = "GET", .url = user->url, .timeout_ms = 30000, .done = conclude_call, .context = crowd};
        if (!crowd->phase->prepare(crowd, user)) {
            crowd->done_count++;
            continue;
        }
        user->sent_us = now_us;
        TRY(http_client_start(crowd->client, &user->call));
        crowd->in_flight++;
    }
    return result_ok();
}

static int64_t next_wait_ms(const struct crowd *crowd) {
    if (crowd->heap.count == 0 || crowd->in_flight >= (size_t)crowd->options->connections) return WAIT_MS_MAX;
    int64_t wait_ms = (crowd->heap.users[0]->due_us - clock_monotonic_us(crowd->clock)) / 1000;
    if (wait_ms < 0) return 0;
    return wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : wait_ms;
}

struct result crowd_run_phase(struct crowd *crowd, const struct phase *phase) {
    int64_t started_us = clock_monotonic_us(crowd->clock);
    int64_t deadline_us = started_us + crowd->options->give_up_after_s * CLOCK_SECOND_US;
    size_t user_count = (size_t)crowd->options->users;
    crowd->phase = phase;
    crowd->heap.count = crowd->in_flight = crowd->done_count = crowd->failed_count = 0;
    for (size_t i = 0; i < user_count; i++) {
        struct user *user = &crowd->users[i];
        bool paced = phase->paced && crowd->options->rate_per_second > 0;
        user->due_us = started_us + (paced ? (int64_t)i * CLOCK_SECOND_US / crowd->options->rate_per_second : 0);
        user->attempts = 0;
        heap_push_user(&crowd->heap, user);
    }
    bool is_watched = phase->watched && crowd->options->is_watching;
    while (crowd->done_count < user_count) {
        TRY(start_due(crowd));
        if (is_watched) TRY(watch_look(crowd));
        TRY(http_client_run(crowd->client, NULL, next_wait_ms(crowd)));
        if (!is_watched) crowd_print_progress(crowd, false);
        if (clock_monotonic_us(crowd->clock) > deadline_us) break;
    }
    if (is_watched) TRY(watch_end(crowd));
    crowd_print_progress(crowd, true);
    if (crowd->done_count < user_count) return result_error(RESULT_TIMEOUT);
    return crowd->failed_count > 0 ? result_error(RESULT_UNAVAILABLE) : result_ok();
}
