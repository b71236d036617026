#include "service/fetcher.h"

#include <pthread.h>
#include <stdlib.h>

#include "auth/trust.h"
#include "base/check.h"
#include "base/log.h"
#include "base/queue.h"
#include "http/route.h"
#include "service/difference.h"

#define ASK_INTERVAL_US         (CLOCK_SECOND_US / 4) /* by tokens: strangers may name any key */
#define ASK_INTERVAL_NO_KEYS_US (1 * CLOCK_SECOND_US) /* while none are known nobody can get in: either service may start first */
#define RETRY_US                (10 * CLOCK_SECOND_US)
#define RETRY_NO_KEYS_US        (1 * CLOCK_SECOND_US)
#define WAITING_MAX             1024u /* exchanges per issuer */
#define ARENA_BYTES             (1024u * 1024)
#define NEVER_US                INT64_MAX

enum fetch_state { FETCH_IDLE, FETCH_DUE, FETCH_RUNNING };

/* Times are monotonic. */
struct issuer {
    /* Under the mutex. */
    enum fetch_state state;
    int64_t due_us;       /* FETCH_DUE: not before */
    bool is_wanted_again; /* FETCH_RUNNING: a token came meanwhile, whose key may be newer than what the issuer is saying */
    bool was_asked;
    int64_t
        asked_us; /* when a token last asked for a fetch; what is fetched unasked keeps none from asking: its issuer may have come up since */
    struct queue_link *waiting; /* for a fetch that is to begin */
    struct queue_link *served;  /* for the one that is under way */
    uint32_t waiting_count;     /* both */

    /* The fetcher's thread alone. */
    int64_t next_us; /* when to fetch again unasked */
    bool is_known;
    int64_t confirmed_us; /* known: when the fetch that brought the set was begun */
    bool was_kept_tried;  /* whether the copy on disk has been looked at */
    bool is_failing;
    struct difference *difference; /* of its clock and ours; NULL: not measured */
};

struct fetcher {
    struct fetcher_options options;
    pthread_t thread;
    struct waker waker;
    bool has_waker;
    pthread_mutex_t mutex;
    /* Under the mutex. */
    bool is_running, is_stopping;
    size_t issuer_count; /* constant */
    size_t first;        /* whose turn it is: one that never answers does not keep the others from theirs */
    struct issuer *issuers;
};

static void release_arena(struct arena *arena) { arena_release(arena); }

/* ---- those who wait ---- */

static bool can_fetch(const struct fetcher *fetcher, size_t index) {
    const struct trusted_issuer *issuer = trust_issuer(fetcher->options.trust, index);
    if (issuer->source == NULL) return false; /* our own keys: what is not there does not exist */
    return !trust_source_is_url(issuer) || fetcher->options.fetch != NULL;
}

/* Under the mutex: that there be a fetch which begins now, or as soon as may be. */
static void want_fetch(const struct fetcher *fetcher, struct issuer *issuer) {
    if (issuer->state == FETCH_DUE || issuer->is_wanted_again) return;
    int64_t now_us = clock_monotonic_us(fetcher->options.clock);
    bool is_early = issuer->was_asked && now_us - issuer->asked_us < ASK_INTERVAL_US;
    issuer->was_asked = true;
    issuer->asked_us = issuer->due_us = is_early ? issuer->asked_us + ASK_INTERVAL_US : now_us;
    if (issuer->state == FETCH_RUNNING)
        issuer->is_wanted_again = true;
    else
        issuer->state = FETCH_DUE;
}

/* The same while no keys are known: whether a fetch is under way, or may be asked for now and is. Whoever comes too early is told that none are. */
static bool want_any(const struct fetcher *fetcher, struct issuer *issuer) {
    if (issuer->state != FETCH_IDLE) return true;
    int64_t now_us = clock_monotonic_us(fetcher->options.clock);
    if (issuer->was_asked && now_us - issuer->asked_us < ASK_INTERVAL_NO_KEYS_US) return false;
    issuer->state = FETCH_DUE;
    issuer->was_asked = true;
    issuer->asked_us = issuer->due_us = now_us;
    return true;
}

/* Under the mutex. */
static void add_waiting(struct issuer *issuer, struct exchange *exchange, bool joins) {
    struct queue_link **list = joins ? &issuer->served : &issuer->waiting;
    exchange_give(exchange, EXCHANGE_OF_KEY_FETCHER);
    exchange->link.next = *list;
    *list = &exchange->link;
    issuer->waiting_count++;
}

enum fetcher_word fetcher_wait(struct fetcher *fetcher, struct exchange *exchange, size_t issuer_index) {
    if (!can_fetch(fetcher, issuer_index)) return FETCHER_HAS_ALL;
    bool has_keys = trust_has_keys(fetcher->options.trust, issuer_index);
    struct issuer *issuer = &fetcher->issuers[issuer_index];
    CHECK(pthread_mutex_lock(&fetcher->mutex) == 0);
    bool is_open = fetcher->is_running && !fetcher->is_stopping;
    bool waits = is_open && issuer->waiting_count < WAITING_MAX && (has_keys || want_any(fetcher, issuer));
    if (waits && has_keys) want_fetch(fetcher, issuer);
    if (waits) add_waiting(issuer, exchange, !has_keys && issuer->state == FETCH_RUNNING);
    CHECK(pthread_mutex_unlock(&fetcher->mutex) == 0);
    if (waits) waker_wake(&fetcher->waker);
    return waits ? FETCHER_WAITS : FETCHER_BUSY;
}

static void give_back(struct queue_link *link) {
    while (link != NULL) {
        struct queue_link *next = link->next;
        struct exchange *exchange = CONTAINER_OF(link, struct exchange, link);
        exchange_take(exchange, EXCHANGE_OF_KEY_FETCHER);
        exchange_continue(exchange, route_admit_again);
        link = next;
    }
}

/* Under the mutex: they came newest first, and go back in the order of their arrival. */
static struct queue_link *take_list(struct issuer *issuer, struct queue_link **list) {
    struct queue_link *oldest = NULL;
    while (*list != NULL) {
        struct queue_link *link = *list;
        *list = link->next;
        link->next = oldest;
        oldest = link;
        issuer->waiting_count--;
    }
    return oldest;
}

/* ---- one fetch ---- */

static void measure(const struct fetcher *fetcher, size_t index, int64_t date_us, int64_t before_us) {
    struct difference *difference = fetcher->issuers[index].difference;
    if (date_us <= 0 || difference == NULL) return;
    difference_measure(difference, date_us, before_us, clock_now_us(fetcher->options.clock), fetcher->options.clock_leeway_us);
}

static struct result fetch_url(const struct fetcher *fetcher, size_t index, const char *url) {
    __attribute__((cleanup(release_arena))) struct arena arena;
    const struct clock *clock = fetcher->options.clock;
    struct text jwks;
    int64_t date_us = 0, before_us = clock_now_us(clock);
    arena_init(&arena, ARENA_BYTES);
    struct result fetched = fetcher->options.fetch(url, &arena, &jwks, &date_us);
    measure(fetcher, index, date_us, before_us);
    TRY(fetched);
    return trust_accept_fetched(fetcher->options.trust, index, jwks, clock_now_us(clock));
}

static struct result fetch(const struct fetcher *fetcher, size_t index) {
    const struct trusted_issuer *issuer = trust_issuer(fetcher->options.trust, index);
    if (trust_source_is_url(issuer)) return fetch_url(fetcher, index, issuer->source);
    return trust_load_file(fetcher->options.trust, index);
}

/* At the start, before anything else is known. */
static void use_kept(const struct fetcher *fetcher, size_t index, struct issuer *issuer, int64_t now_us) {
    if (issuer->was_kept_tried) return;
    issuer->was_kept_tried = true;
    int64_t age_us;
    struct result used =
        trust_use_kept(fetcher->options.trust, index, clock_now_us(fetcher->options.clock), fetcher->options.stale_max_us, &age_us);
    if (!result_is_ok(used)) return;
    issuer->is_known = true;
    issuer->confirmed_us = now_us - age_us;
}

static void fetch_failed(const struct fetcher *fetcher, size_t index, struct issuer *issuer, struct result why) {
    const struct fetcher_options *options = &fetcher->options;
    const struct trusted_issuer *of = trust_issuer(options->trust, index);
    int64_t now_us = clock_monotonic_us(options->clock);
    if (!issuer->is_failing) {
        LOG(LOG_WARN, "keys_fetch_failed", LOG_STRING("issuer", of->name), LOG_STRING("source", of->source),
            LOG_STRING("reason", result_name(why)));
    }
    issuer->is_failing = true;
    use_kept(fetcher, index, issuer, now_us);
    if (issuer->is_known && now_us - issuer->confirmed_us >= options->stale_max_us) {
        LOG(LOG_ERROR, "keys_too_old", LOG_STRING("issuer", of->name));
        trust_forget_keys(options->trust, index);
        issuer->is_known = false;
    }
    if (!issuer->is_known) {
        issuer->next_us = now_us + RETRY_NO_KEYS_US;
        return;
    }
    int64_t retry_us = options->max_age_us / 2 < RETRY_US ? options->max_age_us / 2 : RETRY_US;
    int64_t stale_us = issuer->confirmed_us + options->stale_max_us;
    issuer->next_us = now_us + retry_us < stale_us ? now_us + retry_us : stale_us;
}

static void fetch_keys(struct fetcher *fetcher, size_t index) {
    const struct fetcher_options *options = &fetcher->options;
    struct issuer *issuer = &fetcher->issuers[index];
    int64_t began_us = clock_monotonic_us(options->clock);
    struct result fetched = fetch(fetcher, index);
    if (!result_is_ok(fetched)) {
        fetch_failed(fetcher, index, issuer, fetched);
        return;
    }
    if (issuer->is_failing) LOG(LOG_INFO, "keys_fetched_again", LOG_STRING("issuer", trust_issuer(options->trust, index)->name));
    issuer->is_failing = false;
    issuer->is_known = issuer->was_kept_tried = true;
    issuer->confirmed_us = began_us;
    int64_t shorter_us = options->max_age_us < options->stale_max_us ? options->max_age_us : options->stale_max_us;
    issuer->next_us = began_us + shorter_us / 2;
    /* One that publishes none has made a mistake, which it may repair; nobody asks with a token meanwhile. */
    if (!trust_has_keys(options->trust, index) && issuer->next_us > began_us + RETRY_US) issuer->next_us = began_us + RETRY_US;
}

/* Of all issuers together. Our own keys, which nobody fetches, are always there. */
static void say_how_it_stands(const struct fetcher *fetcher) {
    const char *state = "ok";
    if (fetcher->options.readiness == NULL) return;
    for (size_t i = 0; i < fetcher->issuer_count; i++) {
        const struct issuer *issuer = &fetcher->issuers[i];
        if (!can_fetch(fetcher, i)) continue;
        if (!issuer->is_known || !trust_has_keys(fetcher->options.trust, i)) {
            state = "unavailable";
            break;
        }
        if (issuer->is_failing) state = "stale";
    }
    (void)readiness_say(fetcher->options.readiness, CONCERN_KEYS, state);
}

/* ---- the thread ---- */

/* Under the mutex. issuer_count when nothing is due; then for how long. */
static size_t find_due(const struct fetcher *fetcher, int64_t *ret_wait_us) {
    int64_t now_us = clock_monotonic_us(fetcher->options.clock), next_us = NEVER_US;
    for (size_t turn = 0; turn < fetcher->issuer_count; turn++) {
        size_t i = (fetcher->first + turn) % fetcher->issuer_count;
        const struct issuer *issuer = &fetcher->issuers[i];
        int64_t due_us = issuer->state == FETCH_DUE && issuer->due_us < issuer->next_us ? issuer->due_us : issuer->next_us;
        if (due_us <= now_us) return i;
        if (due_us < next_us) next_us = due_us;
    }
    *ret_wait_us = next_us == NEVER_US ? -1 : next_us - now_us;
    return fetcher->issuer_count;
}

/* Under the mutex, which it lets go meanwhile. */
static void work(struct fetcher *fetcher, size_t index) {
    struct issuer *issuer = &fetcher->issuers[index];
    fetcher->first = index + 1;
    issuer->state = FETCH_RUNNING;
    issuer->served = issuer->waiting;
    issuer->waiting = NULL;
    bool was_away = !issuer->is_known || issuer->is_failing;
    int64_t began_us = clock_monotonic_us(fetcher->options.clock);
    CHECK(pthread_mutex_unlock(&fetcher->mutex) == 0);
    fetch_keys(fetcher, index);
    say_how_it_stands(fetcher);
    CHECK(pthread_mutex_lock(&fetcher->mutex) == 0);
    issuer->state = issuer->is_wanted_again ? FETCH_DUE : FETCH_IDLE;
    issuer->is_wanted_again = false;
    /* What has just been brought answers whoever asks; what comes by itself every now and then keeps nobody from asking for a newer key. */
    if (was_away && !issuer->is_failing) {
        issuer->was_asked = true;
        issuer->asked_us = began_us;
    }
    struct queue_link *waited = take_list(issuer, &issuer->served);
    CHECK(pthread_mutex_unlock(&fetcher->mutex) == 0);
    give_back(waited);
    CHECK(pthread_mutex_lock(&fetcher->mutex) == 0);
}

static void *run(void *argument) {
    struct fetcher *fetcher = argument;
    CHECK(pthread_mutex_lock(&fetcher->mutex) == 0);
    while (!fetcher->is_stopping) {
        int64_t wait_us = 0;
        size_t index = find_due(fetcher, &wait_us);
        if (index < fetcher->issuer_count) {
            work(fetcher, index);
            continue;
        }
        CHECK(pthread_mutex_unlock(&fetcher->mutex) == 0);
        (void)waker_wait(&fetcher->waker, wait_us);
        waker_clear(&fetcher->waker);
        CHECK(pthread_mutex_lock(&fetcher->mutex) == 0);
    }
    CHECK(pthread_mutex_unlock(&fetcher->mutex) == 0);
    return NULL;
}

/* ---- life ---- */

static void prepare(struct fetcher *fetcher, size_t index) {
    struct issuer *issuer = &fetcher->issuers[index];
    const struct trusted_issuer *of = trust_issuer(fetcher->options.trust, index);
    issuer->next_us = can_fetch(fetcher, index) ? clock_monotonic_us(fetcher->options.clock) : NEVER_US;
    if (issuer->next_us == NEVER_US) return;
    issuer->state = FETCH_DUE;
    if (trust_source_is_url(of)) issuer->difference = difference_of(fetcher->options.service_name, of->name);
}

struct result fetcher_create(const struct fetcher_options *options, struct fetcher **ret_fetcher) {
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher == NULL) return result_error(RESULT_FULL);
    fetcher->options = *options;
    fetcher->issuer_count = trust_issuer_count(options->trust);
    CHECK(pthread_mutex_init(&fetcher->mutex, NULL) == 0);
    fetcher->issuers = calloc(fetcher->issuer_count + 1, sizeof *fetcher->issuers);
    struct result created = fetcher->issuers == NULL ? result_error(RESULT_FULL) : waker_init(&fetcher->waker);
    if (!result_is_ok(created)) {
        fetcher_free(fetcher);
        return created;
    }
    fetcher->has_waker = true;
    for (size_t i = 0; i < fetcher->issuer_count; i++) prepare(fetcher, i);
    say_how_it_stands(fetcher);
    *ret_fetcher = fetcher;
    return result_ok();
}

struct result fetcher_start(struct fetcher *fetcher) {
    CHECK(!fetcher->is_running && !fetcher->is_stopping);
    fetcher->is_running = true; /* before the thread is there, which reads it: nobody else does yet */
    if (pthread_create(&fetcher->thread, NULL, run, fetcher) != 0) {
        fetcher->is_running = false;
        return result_error(RESULT_FULL);
    }
    pthread_setname_np(fetcher->thread, "keys");
    return result_ok();
}

void fetcher_stop(struct fetcher *fetcher) {
    CHECK(pthread_mutex_lock(&fetcher->mutex) == 0);
    bool was_running = fetcher->is_running && !fetcher->is_stopping;
    fetcher->is_stopping = true;
    CHECK(pthread_mutex_unlock(&fetcher->mutex) == 0);
    if (!was_running) return;
    waker_wake(&fetcher->waker);
    CHECK(pthread_join(fetcher->thread, NULL) == 0);
    for (size_t i = 0; i < fetcher->issuer_count; i++) {
        CHECK(pthread_mutex_lock(&fetcher->mutex) == 0);
        struct queue_link *waited = take_list(&fetcher->issuers[i], &fetcher->issuers[i].waiting);
        CHECK(pthread_mutex_unlock(&fetcher->mutex) == 0);
        give_back(waited);
    }
}

void fetcher_free(struct fetcher *fetcher) {
    if (fetcher == NULL) return;
    for (size_t i = 0; fetcher->issuers != NULL && i < fetcher->issuer_count; i++) CHECK(fetcher->issuers[i].waiting_count == 0);
    if (fetcher->has_waker) waker_close(&fetcher->waker);
    CHECK(pthread_mutex_destroy(&fetcher->mutex) == 0);
    free(fetcher->issuers);
    free(fetcher);
}
