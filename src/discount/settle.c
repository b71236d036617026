/* The settler's thread: its loop, its waiters and their deadlines, its life. */
#include "discount/settle.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/planted.h"
#include "discount/answer.h"
#include "discount/settle_state.h"

#define STOP_US      (3 * CLOCK_SECOND_US) /* for calls that are under way when we stop */
#define WAIT_MOST_US (60 * CLOCK_SECOND_US)
#define CONNECTIONS  (SETTLE_BATCHES + SETTLE_FUND_JOBS)
#define QUEUE_LIMIT  (LIMIT_LOOPS * LIMIT_EXCHANGES + 64u) /* every exchange and all of our own: it is never full */

struct metric settle_metric_credited = {.name = "discountd_credits_total",
                                        .help = "Claims that Wallet has credited.",
                                        .labels = "outcome=\"credited\"",
                                        .kind = METRIC_COUNTER};
struct metric settle_metric_failed = {.name = "discountd_credits_total",
                                      .help = "Claims that Wallet has credited.",
                                      .labels = "outcome=\"failed\"",
                                      .kind = METRIC_COUNTER};
struct metric settle_metric_retries = {.name = "discountd_settle_retries_total",
                                       .help = "Claims and fund steps sent again.",
                                       .labels = "",
                                       .kind = METRIC_COUNTER};
struct metric settle_metric_wallet_errors = {.name = "discountd_wallet_errors_total",
                                             .help = "Calls to Wallet without a usable answer.",
                                             .labels = "",
                                             .kind = METRIC_COUNTER};
struct metric settle_metric_refused = {.name = "discountd_credits_refused_total",
                                       .help = "Credits that Wallet refused for now; they are tried again.",
                                       .labels = "",
                                       .kind = METRIC_COUNTER};
struct metric settle_metric_batch_size = {.name = "discountd_settle_batch_size",
                                          .help = "Credits in one call.",
                                          .labels = "",
                                          .kind = METRIC_HISTOGRAM};
struct metric settle_metric_lag = {.name = "discountd_settle_lag_seconds",
                                   .help = "From the claim to its committed credit.",
                                   .labels = "",
                                   .kind = METRIC_HISTOGRAM,
                                   .is_duration = true};
struct metric settle_metric_unsettled = {.name = "discountd_unsettled_claims",
                                         .help = "Claims without a credit yet.",
                                         .labels = "",
                                         .kind = METRIC_GAUGE};
struct metric settle_metric_in_memory = {.name = "discountd_settle_claims_in_memory",
                                         .help = "Claims that the settler holds; the others wait in the database.",
                                         .labels = "",
                                         .kind = METRIC_GAUGE};

void settler_register_metrics(void) {
    struct metric *metrics[] = {&settle_metric_credited,      &settle_metric_failed,    &settle_metric_retries,
                                &settle_metric_wallet_errors, &settle_metric_refused,   &settle_metric_batch_size,
                                &settle_metric_lag,           &settle_metric_unsettled, &settle_metric_in_memory};
    for (size_t i = 0; i < ARRAY_COUNT(metrics); i++) metrics_register(metrics[i]);
}

int64_t settle_now_us(const struct settler *settler) { return clock_monotonic_us(settler->options.clock); }

int64_t settle_backoff_us(uint32_t attempts, int64_t retry_after_ms) {
    int64_t delay_us = RETRY_FIRST_US;
    for (uint32_t i = 0; i < attempts && delay_us < RETRY_MOST_US; i++) delay_us *= 2;
    if (delay_us > RETRY_MOST_US) delay_us = RETRY_MOST_US;
    uint32_t random;
    crypto_random(&random, sizeof random);
    delay_us = delay_us / 2 + (int64_t)random % (delay_us / 2);
    int64_t asked_us = retry_after_ms * 1000 < RETRY_MOST_US ? retry_after_ms * 1000 : RETRY_MOST_US;
    return asked_us > delay_us ? asked_us : delay_us;
}

bool settle_prepare_call(struct settler *settler, struct http_call *call, const char *method, struct text path, struct arena *arena) {
    call->method = method;
    call->url = arena_print(arena, "%s%.*s", settler->options.wallet_url, (int)path.size, path.data).data;
    call->bearer = service_token_get(&settler->token, clock_now_us(settler->options.clock));
    return call->url != NULL && call->bearer != NULL;
}

/* ---- to and from the store ---- */

static void give_waiters(const struct operation_list *waiters, enum exchange_owner owner) {
    for (const struct discount_operation *waiter = waiters->first; waiter != NULL; waiter = waiter->next)
        exchange_give(waiter->exchange, owner);
}

static void take_waiters(const struct operation_list *waiters, enum exchange_owner owner) {
    for (const struct discount_operation *waiter = waiters->first; waiter != NULL; waiter = waiter->next)
        exchange_take(waiter->exchange, owner);
}

/* Their answers are committed. */
static void answer_frozen(struct operation_list *waiters) {
    while (waiters->first != NULL) {
        struct discount_operation *operation = waiters->first;
        operation_list_remove(waiters, operation);
        answer_send(operation);
    }
}

/* The store's thread. It owns the operation and the waiters that were frozen for it: whoever's answer is committed hears it from here, without
 * waiting until the settler is awake. */
static void own_done(struct store_operation *store_operation, struct result outcome) {
    struct discount_operation *operation = operation_of(store_operation);
    operation->outcome = outcome;
    take_waiters(&operation->waiters, EXCHANGE_OF_STORE);
    if (result_is_ok(outcome)) {
        answer_log(operation);
        answer_frozen(&operation->waiters);
    }
    give_waiters(&operation->waiters, EXCHANGE_OF_SETTLER); /* those whose answer is not committed */
    settler_submit(operation->discount->settler, operation);
}

bool settle_to_store(struct settler *settler, struct discount_operation *operation, enum operation_kind kind) {
    operation->discount = settler->options.discount;
    operation->store.kind = kind;
    operation->store.done = own_done;
    give_waiters(&operation->waiters, EXCHANGE_OF_STORE);
    if (!result_is_ok(store_submit_internal(settler->store, &operation->store))) {
        take_waiters(&operation->waiters, EXCHANGE_OF_STORE);
        return false;
    }
    settler->in_store++;
    return true;
}

void settler_submit(struct settler *settler, struct discount_operation *operation) {
    bool was_empty;
    CHECK(result_is_ok(queue_push(&settler->queue, &operation->store.link, &was_empty)));
    if (was_empty && !PLANTED(SETTLER_NOT_WOKEN)) waker_wake(&settler->waker);
}

void settler_poke(struct settler *settler) {
    atomic_store_explicit(&settler->is_poked, true, memory_order_release);
    waker_wake(&settler->waker);
}

/* ---- waiters ---- */

static void unlink_deadline(struct settler *settler, struct discount_operation *operation) {
    if (operation->deadline_previous != NULL)
        operation->deadline_previous->deadline_next = operation->deadline_next;
    else
        settler->deadline_first = operation->deadline_next;
    if (operation->deadline_next != NULL)
        operation->deadline_next->deadline_previous = operation->deadline_previous;
    else
        settler->deadline_last = operation->deadline_previous;
    operation->deadline_next = operation->deadline_previous = NULL;
}

/* All wait equally long, so that the list is in the order of the deadlines. */
void settle_wait_in(struct settler *settler, struct operation_list *list, struct discount_operation *operation) {
    operation_list_append(list, operation);
    operation->deadline_us = settle_now_us(settler) + settler->options.settle_wait_ms * 1000;
    operation->deadline_next = NULL;
    operation->deadline_previous = settler->deadline_last;
    if (settler->deadline_last != NULL)
        settler->deadline_last->deadline_next = operation;
    else
        settler->deadline_first = operation;
    settler->deadline_last = operation;
}

static bool is_for_campaign(const struct settler *settler, const struct discount_operation *operation) {
    return board_find_id(settler->board, operation->answer.subject) != NULL;
}

static void answer_from_database(struct settler *settler, struct discount_operation *operation) {
    struct campaign campaign;
    bool is_found;
    struct result outcome = reader_find_campaign(settler->reader, operation->answer.subject, &campaign, &is_found);
    if (!result_is_ok(outcome) || !is_found) {
        answer_send_failure(operation, result_is_ok(outcome) ? result_error(RESULT_CORRUPT) : outcome);
        return;
    }
    answer_campaign(operation, 201, &campaign, clock_now_us(settler->options.clock));
    answer_send(operation);
}

void settle_answer_now(struct settler *settler, struct discount_operation *operation) {
    CHECK(operation->waits_in == NULL);
    if (operation->idempotency.key.size != 0) {
        operation->store.kind = OPERATION_NOTE;
        operation->store.done = operation_done;
        exchange_give(operation->exchange, EXCHANGE_OF_STORE);
        struct result submitted = store_submit_internal(settler->store, &operation->store);
        if (!result_is_ok(submitted)) {
            exchange_take(operation->exchange, EXCHANGE_OF_STORE);
            answer_send_failure(operation, submitted);
        }
    } else if (is_for_campaign(settler, operation)) {
        answer_from_database(settler, operation);
    } else {
        const struct redemption *redemption = &operation->answer.redemption;
        const struct board_slot *slot = board_slot(settler->board, redemption->campaign_number - 1);
        answer_redemption(operation, redemption, slot->id, slot->credit, operation->answer.is_maker);
        answer_send(operation);
    }
}

void settle_freeze(struct settler *settler, struct operation_list *from, struct operation_list *to, size_t max) {
    for (size_t i = 0; i < max && from->first != NULL; i++) {
        struct discount_operation *operation = from->first;
        operation_list_remove(from, operation);
        unlink_deadline(settler, operation);
        operation_list_append(to, operation);
    }
}

void settle_thaw(struct settler *settler, struct operation_list *list) {
    while (list->first != NULL) {
        struct discount_operation *operation = list->first;
        operation_list_remove(list, operation);
        settle_answer_now(settler, operation);
    }
}

static void answer_waiter(struct settler *settler, struct discount_operation *operation) {
    operation_list_remove(operation->waits_in, operation);
    unlink_deadline(settler, operation);
    settle_answer_now(settler, operation);
}

static void end_waits(struct settler *settler, int64_t now_us) {
    bool is_stopping = atomic_load_explicit(&settler->is_stopping, memory_order_acquire);
    while (settler->deadline_first != NULL && (is_stopping || settler->deadline_first->deadline_us <= now_us)) {
        answer_waiter(settler, settler->deadline_first);
    }
}

/* ---- messages ---- */

static void take_own(struct settler *settler, struct discount_operation *operation) {
    CHECK(settler->in_store > 0);
    settler->in_store--;
    take_waiters(&operation->waiters, EXCHANGE_OF_SETTLER);
    if (operation->store.kind == OPERATION_MARK) {
        settle_batch_marked(CONTAINER_OF(operation, struct settle_batch, mark), operation->outcome);
    } else {
        settle_fund_told(CONTAINER_OF(operation, struct settle_fund_job, operation), operation->outcome);
    }
}

static void take_request(struct settler *settler, struct discount_operation *operation) {
    const struct board_slot *slot = board_find_id(settler->board, operation->answer.subject);
    exchange_take(operation->exchange, EXCHANGE_OF_SETTLER);
    operation->waits_in = NULL;
    if (slot != NULL) {
        settler->must_scan = true;
        bool is_pending = board_view(slot).fund_step_minor != 0;
        if (is_pending)
            settle_wait_in(settler, &settle_fund_of(settler, slot->number)->waiters, operation);
        else
            settle_answer_now(settler, operation);
        return;
    }
    struct settle_claim *claim = settle_claim_take(settler, &operation->answer.redemption);
    if (claim != NULL)
        settle_wait_in(settler, &claim->waiters, operation);
    else
        settle_answer_now(settler, operation);
}

static void take_messages(struct settler *settler) {
    struct queue_link *next;
    for (struct queue_link *link = queue_take_all(&settler->queue); link != NULL; link = next) {
        next = link->next;
        struct discount_operation *operation = operation_of(CONTAINER_OF(link, struct store_operation, link));
        if (operation->exchange == NULL)
            take_own(settler, operation);
        else
            take_request(settler, operation);
    }
    if (atomic_exchange_explicit(&settler->is_poked, false, memory_order_acquire)) settler->must_scan = true;
}

/* ---- the loop ---- */

static void sooner(int64_t *at_us, int64_t candidate_us) {
    if (candidate_us < *at_us) *at_us = candidate_us;
}

static int64_t next_event_us(const struct settler *settler, int64_t now_us) {
    int64_t at_us = now_us + WAIT_MOST_US;
    if (atomic_load_explicit(&settler->is_stopping, memory_order_acquire)) {
        sooner(&at_us, settler->stop_deadline_us);
        return at_us;
    }
    if (settler->deadline_first != NULL) sooner(&at_us, settler->deadline_first->deadline_us);
    if (settler->ready.first != NULL && settler->retry_at_us > now_us) sooner(&at_us, settler->retry_at_us);
    for (const struct settle_claim *claim = settler->delayed.first; claim != NULL; claim = claim->next) sooner(&at_us, claim->retry_at_us);
    if (settler->must_scan || settle_refill_is_due(settler)) at_us = now_us;
    sooner(&at_us, settler->scan_at_us);
    return at_us;
}

static bool is_busy(const struct settler *settler) {
    for (size_t i = 0; i < SETTLE_BATCHES; i++) {
        if (settler->batches[i].state != BATCH_FREE) return true;
    }
    for (size_t i = 0; i < SETTLE_FUND_JOBS; i++) {
        if (settler->jobs[i].is_busy) return true;
    }
    return settler->in_store > 0;
}

/* `decided_us` is the time that this round was decided at: what has become due since then is an event as well, and must not be slept over. */
static void run_client(struct settler *settler, int64_t decided_us) {
    int64_t wait_us = next_event_us(settler, decided_us) - settle_now_us(settler);
    int64_t wait_ms = wait_us <= 0 ? 0 : (wait_us + 999) / 1000;
    if (settler->client == NULL) {
        waker_wait(&settler->waker, wait_us < 0 ? 0 : wait_us);
        waker_clear(&settler->waker);
        return;
    }
    struct result outcome = http_client_run(settler->client, &settler->waker, wait_ms);
    if (!result_is_ok(outcome)) LOG(LOG_ERROR, "client_failed", LOG_STRING("reason", result_name(outcome)));
    waker_clear(&settler->waker);
}

/* Stopping: true when nothing of ours is on its way any more. After the deadline calls are given up; what is in the store comes back. */
static bool has_ended(struct settler *settler, int64_t now_us) {
    if (!is_busy(settler)) return true;
    if (settler->client != NULL && now_us >= settler->stop_deadline_us) {
        http_client_free(settler->client);
        settler->client = NULL;
        settler->stop_deadline_us = INT64_MAX;
    }
    return !is_busy(settler); /* looked at again: with the calls may have gone what was waited for, and nobody would wake us */
}

static void *run(void *context) {
    struct settler *settler = context;
    for (;;) {
        int64_t now_us = settle_now_us(settler);
        take_messages(settler);
        end_waits(settler, now_us);
        if (atomic_load_explicit(&settler->is_stopping, memory_order_acquire)) {
            if (settler->stop_deadline_us == 0) settler->stop_deadline_us = now_us + STOP_US;
            if (has_ended(settler, now_us)) return NULL;
            settler->must_scan = settler->is_refilling = settler->must_refill = false;
            settler->scan_at_us = INT64_MAX;
            settler->retry_at_us = 0;
        } else {
            settle_claims_wake_delayed(settler, now_us);
            settle_refill(settler);
            settle_scan_funds(settler, now_us);
            settle_send_batches(settler, now_us);
        }
        metric_set(&settle_metric_in_memory, (int64_t)(settler->by_id.capacity - settler->free.count));
        run_client(settler, now_us);
    }
}

/* ---- life ---- */

static struct result prepare(struct settler *settler) {
    size_t claims_max = settler->options.claims_max == 0 ? LIMIT_SETTLE_CLAIMS : settler->options.claims_max;
    settler->funds = calloc(LIMIT_CAMPAIGNS, sizeof *settler->funds);
    if (settler->funds == NULL) return result_error(RESULT_FULL);
    TRY(settle_claims_init(settler, claims_max));
    TRY(http_client_create(CONNECTIONS, &settler->client));
    TRY(waker_init(&settler->waker));
    return reader_open(settler->options.database_path, NULL, &settler->reader);
}

struct result settler_create(const struct settler_options *options, struct settler **ret_settler) {
    struct settler *settler = calloc(1, sizeof *settler);
    if (settler == NULL) return result_error(RESULT_FULL);
    settler->options = *options;
    settler->board = options->discount->board;
    settler->token.keys = options->keys;
    settler->waker.fd = -1;
    settler->must_scan = true;
    queue_init(&settler->queue, QUEUE_LIMIT);
    for (size_t i = 0; i < SETTLE_BATCHES; i++) {
        settler->batches[i].settler = settler;
        arena_init(&settler->batches[i].arena, LIMIT_BATCH_ARENA_BYTES);
    }
    for (size_t i = 0; i < SETTLE_FUND_JOBS; i++) settler->jobs[i].settler = settler;
    struct result outcome = prepare(settler);
    if (!result_is_ok(outcome)) {
        settler_free(settler);
        return outcome;
    }
    *ret_settler = settler;
    return result_ok();
}

struct result settler_start(struct settler *settler) {
    settler->store = settler->options.discount->service.store;
    CHECK(settler->store != NULL);
    if (pthread_create(&settler->thread, NULL, run, settler) != 0) return result_error(RESULT_FULL);
    pthread_setname_np(settler->thread, "settler");
    settler->has_thread = true;
    return result_ok();
}

void settler_stop(struct settler *settler) {
    if (!settler->has_thread) return;
    atomic_store_explicit(&settler->is_stopping, true, memory_order_release);
    waker_wake(&settler->waker);
    CHECK(pthread_join(settler->thread, NULL) == 0);
    settler->has_thread = false;
}

void settler_free(struct settler *settler) {
    if (settler == NULL) return;
    CHECK(!settler->has_thread);
    http_client_free(settler->client);
    reader_close(settler->reader);
    waker_close(&settler->waker);
    for (size_t i = 0; i < SETTLE_BATCHES; i++) arena_release(&settler->batches[i].arena);
    service_token_drop(&settler->token);
    settle_claims_free(settler);
    free(settler->funds);
    free(settler);
}
