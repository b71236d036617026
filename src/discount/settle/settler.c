/* The settler's thread: its rooms put together, its rounds, its life. */
#include "discount/settle/settler.h"

#include <pthread.h>
#include <stdlib.h>

#include "discount/settle/archive.h"
#include "discount/settle/credits.h"
#include "discount/settle/ended.h"
#include "discount/settle/funds.h"
#include "discount/settle/greeting.h"
#include "discount/settle/reversals.h"
#include "discount/settle/turns.h"
#include "store/open.h"

#define STOP_US      (3 * CLOCK_SECOND_US) /* for calls that are under way when we stop */
#define WAIT_MOST_US (60 * CLOCK_SECOND_US)
#define COUNT_US     CLOCK_SECOND_US /* so late a new claim is counted among the unsettled ones, also while none is settled */
#define CONNECTIONS  (2 * DELIVERY_CALLS + FUND_JOBS + 4) /* and those that ask which Wallet is there, what has ended, and for its books */

/* All of it belongs to the thread, but for the messages and the flag. */
struct settler {
    struct settler_options options;
    struct batch *batch; /* read-only */
    struct messages messages;
    struct calls calls;
    struct greeting greeting;
    struct ended ended;
    struct waiters waiters;
    struct claims claims;
    struct funds funds;
    struct credits credits;
    struct reversals reversals;
    struct turns turns;
    struct rebuild rebuild;
    struct comparison comparison;
    struct archive archive;
    struct waker compared; /* woken once: the books of all campaigns were compared */
    bool has_compared;
    struct operation_list held; /* their claims are sent when it is known who was paid */

    pthread_t thread;
    bool has_thread;
    atomic_bool is_stopping;
    int64_t stop_deadline_us; /* 0: not stopping */
};

static struct metric metric_in_memory = {.name = "discountd_settle_claims_in_memory",
                                         .help = "Claims that the settler holds; the others wait in the database.",
                                         .labels = "",
                                         .kind = METRIC_GAUGE};

void settler_register_metrics(void) {
    struct metric *metrics[] = {&credits_metric_credited,
                                &credits_metric_failed,
                                &calls_metric_retries,
                                &reversals_metric_reversed,
                                &reversals_metric_kept,
                                &reversals_metric_refused,
                                &reversals_metric_batch_size,
                                &calls_metric_errors,
                                &credits_metric_refused,
                                &credits_metric_batch_size,
                                &credits_metric_lag,
                                &funds_metric_unsettled,
                                &metric_in_memory,
                                &instance_metric_another,
                                &credits_metric_credited_again,
                                &credits_metric_failed_again,
                                &comparison_metric_missing,
                                &comparison_metric_unknown,
                                &comparison_metric_sums,
                                &comparison_metric_strangers,
                                &rebuild_metric_made,
                                &rebuild_metric_settled,
                                &rebuild_metric_renamed,
                                &rebuild_metric_conflicts,
                                &comparison_metric_foreign,
                                &comparison_metric_reversals,
                                &rebuild_metric_reversed};
    for (size_t i = 0; i < ARRAY_COUNT(metrics); i++) metrics_register(metrics[i]);
}

void settler_submit(struct settler *settler, struct discount_operation *operation) { messages_push(&settler->messages, operation); }

void settler_poke(struct settler *settler) { messages_poke(&settler->messages); }

int64_t settler_claims(void) { return atomic_load_explicit(&metric_in_memory.value, memory_order_relaxed); }

/* ---- a round ---- */

static enum books books_of(const struct settler *settler, const struct discount_operation *operation) {
    return board_books(board_slot(settler->options.board, operation->redemption.campaign_number - 1));
}

static void take_request(void *context, struct discount_operation *operation) {
    struct settler *settler = context;
    const struct board_slot *slot = board_find_id(settler->options.board, operation->operation.subject);
    if (slot != NULL) {
        funds_wait(&settler->funds, slot, operation);
        return;
    }
    if (operation->redemption.status == REDEMPTION_WAITING) { /* for a place, not for its credit */
        waiters_answer_now(&settler->waiters, operation);
        return;
    }
    if (operation->is_reversal) {
        reversals_wait(&settler->reversals, operation);
        return;
    }
    funds_look_by(&settler->funds, clock_monotonic_us(settler->options.clock) + COUNT_US);
    if (books_of(settler, operation) != BOOKS_AGREE) {
        waiters_add(&settler->waiters, &settler->held, operation);
        return;
    }
    struct claim *claim = claims_take(&settler->claims, &operation->redemption);
    if (claim != NULL)
        waiters_add(&settler->waiters, &claim->waiters, operation);
    else
        waiters_answer_now(&settler->waiters, operation);
}

/* Those whose campaigns' books are known by now wait for their claims. While a campaign recovers a claim may turn out to be another that was paid: who waits
 * for it is answered, and what is owed afterwards is read from the database. */
static void take_held(struct settler *settler) {
    struct discount_operation *next;
    for (struct discount_operation *operation = TAILQ_FIRST(&settler->held); operation != NULL; operation = next) {
        next = TAILQ_NEXT(operation, link);
        enum books books = books_of(settler, operation);
        if (books == BOOKS_NOT_COMPARED || books == BOOKS_WALKING) continue;
        struct claim *claim = books == BOOKS_RECOVERING ? NULL : claims_take(&settler->claims, &operation->redemption);
        waiters_move(&settler->waiters, operation, claim == NULL ? NULL : &claim->waiters);
    }
}

static void sooner(int64_t *at_us, int64_t candidate_us) {
    if (candidate_us < *at_us) *at_us = candidate_us;
}

/* While another Wallet answers at the address, it is asked for its name and for nothing else. */
static bool may_settle(const struct settler *settler) { return !instance_is_another(&settler->calls.instance); }

static int64_t next_event_us(const struct settler *settler, int64_t now_us) {
    int64_t at_us = now_us + WAIT_MOST_US;
    if (settler->stop_deadline_us != 0) {
        sooner(&at_us, settler->stop_deadline_us);
        return at_us;
    }
    sooner(&at_us, waiters_next_us(&settler->waiters));
    sooner(&at_us, claims_next_us(&settler->claims));
    sooner(&at_us, greeting_next_us(&settler->greeting));
    sooner(&at_us, funds_next_us(&settler->funds));
    sooner(&at_us, turns_next_us(&settler->turns));
    sooner(&at_us, rebuild_next_us(&settler->rebuild));
    sooner(&at_us, archive_next_us(&settler->archive));
    if (!may_settle(settler)) return at_us;
    sooner(&at_us, comparison_next_us(&settler->comparison, now_us));
    sooner(&at_us, ended_next_us(&settler->ended));
    sooner(&at_us, delivery_next_us(&settler->credits.delivery, now_us));
    sooner(&at_us, reversals_next_us(&settler->reversals, now_us));
    return at_us;
}

static void work(struct settler *settler, int64_t now_us) {
    reversals_look(&settler->reversals, now_us);
    credits_make_room(&settler->credits);
    claims_refill(&settler->claims, now_us);
    greeting_run(&settler->greeting, now_us);
    if (may_settle(settler)) comparison_run(&settler->comparison, now_us);
    take_held(settler);
    rebuild_run(&settler->rebuild, now_us);                               /* behind it: none of them waits for what is made anew */
    if (funds_next_us(&settler->funds) == 0) turns_look(&settler->turns); /* a campaign has changed, or what its fund can pay for */
    funds_run(&settler->funds, now_us, may_settle(settler));
    turns_run(&settler->turns, now_us);
    archive_run(&settler->archive, now_us);
    if (!may_settle(settler)) return;
    ended_ask(&settler->ended, now_us);
    delivery_wake_delayed(&settler->credits.delivery, now_us);
    delivery_send(&settler->credits.delivery, now_us);
    reversals_send(&settler->reversals, now_us);
}

static bool is_busy(const struct settler *settler) {
    return delivery_is_busy(&settler->credits.delivery) || delivery_is_busy(&settler->reversals.delivery) ||
           funds_are_busy(&settler->funds) || settler->messages.in_store > 0;
}

/* Stopping: true when nothing of ours is on its way any more. After the deadline calls are given up; what is in the store comes back. */
static bool has_ended(struct settler *settler, int64_t now_us) {
    if (settler->stop_deadline_us == 0) settler->stop_deadline_us = now_us + STOP_US;
    if (now_us >= settler->stop_deadline_us) {
        calls_give_up(&settler->calls);
        settler->stop_deadline_us = INT64_MAX;
    }
    return !is_busy(settler); /* now: with the calls may have gone what was waited for, and nobody would wake us */
}

/* The clock is looked at again before the wait: what has become due since the round was decided is an event as well, and must not be slept over. */
static void *run(void *context) {
    struct settler *settler = context;
    for (;;) {
        int64_t now_us = clock_monotonic_us(settler->options.clock);
        if (messages_take(&settler->messages, take_request, settler)) funds_look(&settler->funds);
        bool is_stopping = atomic_load_explicit(&settler->is_stopping, memory_order_acquire);
        waiters_end(&settler->waiters, now_us, is_stopping);
        if (!is_stopping)
            work(settler, now_us);
        else if (has_ended(settler, now_us))
            return NULL;
        metric_set(&metric_in_memory, (int64_t)claims_count(&settler->claims));
        int64_t next_us = next_event_us(settler, now_us);
        calls_run(&settler->calls, &settler->messages.waker, next_us - clock_monotonic_us(settler->options.clock));
    }
}

/* ---- life ---- */

static void compared(void *context) { waker_wake(&((struct settler *)context)->compared); }

static struct result prepare_comparison(struct settler *settler) {
    settler->rebuild.board = settler->options.board;
    settler->rebuild.clock = settler->options.clock;
    settler->rebuild.messages = &settler->messages;
    settler->rebuild.claims = &settler->claims;
    TRY(rebuild_init(&settler->rebuild));
    settler->comparison = (struct comparison){.board = settler->options.board,
                                              .calls = &settler->calls,
                                              .funds = &settler->funds,
                                              .claims = &settler->claims,
                                              .rebuild = &settler->rebuild,
                                              .is_compared = compared,
                                              .context = settler};
    settler->comparison.walk.board = settler->options.board;
    settler->comparison.walk.batch = settler->batch;
    settler->comparison.walk.calls = &settler->calls;
    settler->comparison.walk.claims = &settler->claims;
    settler->comparison.walk.reverse_again = reversals_take_again;
    settler->comparison.walk.reversals = &settler->reversals;
    TRY(waker_init(&settler->compared));
    settler->has_compared = true;
    return comparison_init(&settler->comparison);
}

static struct result prepare(struct settler *settler) {
    const struct settler_options *options = &settler->options;
    size_t claims_max = options->claims_max == 0 ? LIMIT_SETTLE_CLAIMS : options->claims_max;
    TAILQ_INIT(&settler->held);
    TRY(messages_init(&settler->messages));
    TRY(calls_init(&settler->calls, options->wallet_url, options->keys, options->clock, CONNECTIONS));
    struct place place = *options->place;
    place.commits = NULL; /* no rounds: each reading sees what is committed by then */
    TRY(batch_open(&place, BATCH_READ, &settler->batch));
    waiters_init(&settler->waiters, options->board, options->clock, settler->batch, options->settle_wait_ms * 1000);
    settler->calls.instance.ours = options->wallet_instance;
    settler->calls.readiness = options->readiness;
    if (options->readiness != NULL) (void)readiness_say(options->readiness, CONCERN_WALLET_REACH, "unknown");
    settler->greeting = (struct greeting){.calls = &settler->calls, .messages = &settler->messages, .trust_path = options->trust_path};
    settler->ended =
        (struct ended){.calls = &settler->calls, .revocations = options->revocations, .clock_leeway_us = options->clock_leeway_us};
    settler->funds = (struct funds){.board = options->board,
                                    .clock = options->clock,
                                    .calls = &settler->calls,
                                    .claims = &settler->claims,
                                    .waiters = &settler->waiters,
                                    .messages = &settler->messages};
    settler->credits.board = options->board;
    settler->credits.clock = options->clock;
    settler->credits.claims = &settler->claims;
    settler->credits.waiters = &settler->waiters;
    settler->credits.funds = &settler->funds;
    settler->credits.messages = &settler->messages;
    credits_init(&settler->credits, &settler->calls);
    settler->reversals.clock = options->clock;
    settler->reversals.batch = settler->batch;
    settler->reversals.waiters = &settler->waiters;
    settler->reversals.messages = &settler->messages;
    settler->reversals.claims = &settler->claims;
    TRY(reversals_init(&settler->reversals, &settler->calls));
    settler->turns =
        (struct turns){.board = options->board, .clock = options->clock, .claims = &settler->claims, .messages = &settler->messages};
    turns_init(&settler->turns);
    settler->archive = (struct archive){.board = options->board,
                                        .clock = options->clock,
                                        .claims = &settler->claims,
                                        .funds = &settler->funds,
                                        .comparison = &settler->comparison,
                                        .messages = &settler->messages,
                                        .is_on = options->archives,
                                        .after_us = options->archive_after_us};
    archive_init(&settler->archive);
    TRY(funds_init(&settler->funds));
    TRY(prepare_comparison(settler));
    settler->claims.conflicts = &settler->rebuild.conflicts;
    return claims_init(&settler->claims, claims_max, options->board, settler->batch, &settler->credits.delivery);
}

struct result settler_create(const struct settler_options *options, struct settler **ret_settler) {
    struct settler *settler = calloc(1, sizeof *settler);
    if (settler == NULL) return result_error(RESULT_FULL);
    settler->options = *options;
    struct result outcome = prepare(settler);
    if (!result_is_ok(outcome)) {
        settler_free(settler);
        return outcome;
    }
    *ret_settler = settler;
    return result_ok();
}

struct result settler_start(struct settler *settler, struct store *store) {
    settler->messages.store = store;
    settler->waiters.store = store;
    if (pthread_create(&settler->thread, NULL, run, settler) != 0) return result_error(RESULT_FULL);
    pthread_setname_np(settler->thread, "settler");
    settler->has_thread = true;
    return result_ok();
}

int settler_compared(const struct settler *settler) { return settler->compared.fd; }

void settler_stop(struct settler *settler) {
    if (!settler->has_thread) return;
    atomic_store_explicit(&settler->is_stopping, true, memory_order_release);
    waker_wake(&settler->messages.waker);
    CHECK(pthread_join(settler->thread, NULL) == 0);
    settler->has_thread = false;
}

void settler_free(struct settler *settler) {
    if (settler == NULL) return;
    CHECK(!settler->has_thread);
    calls_free(&settler->calls);
    batch_close(settler->batch);
    greeting_free(&settler->greeting);
    ended_free(&settler->ended);
    comparison_free(&settler->comparison);
    rebuild_free(&settler->rebuild);
    if (settler->has_compared) waker_close(&settler->compared);
    messages_free(&settler->messages);
    credits_free(&settler->credits);
    reversals_free(&settler->reversals);
    claims_free(&settler->claims);
    funds_free(&settler->funds);
    free(settler);
}
