#include "discount/events.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/json/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "discount/changes.h"
#include "discount/channel.h"
#include "discount/report.h"
#include "http/stream.h"
#include "store/open.h"

#define LIVE_SECONDS 60 /* of the report of an event */
#define LIVE_MINUTES 15
#define REPORT_BYTES 8192u
#define LIVE_BATCHES 20 /* of codes, the newest */
#define ARENA_BYTES  (256u * 1024)
#define READ_MAX     1000 /* acts at once */
#define FOLLOW_MAX   4    /* looks at a campaign that changes while its report is made */

static void lock(struct events *events) { CHECK(pthread_mutex_lock(&events->lock) == 0); }
static void unlock(struct events *events) { CHECK(pthread_mutex_unlock(&events->lock) == 0); }

static bool has_batch(struct events *events) {
    if (events->batch != NULL) return true;
    struct place place = *events->options.place;
    place.commits = NULL; /* no rounds: each reading sees what is committed by then */
    if (!result_is_ok(batch_open(&place, BATCH_READ, &events->batch))) events->batch = NULL;
    return events->batch != NULL;
}

static struct result read_changes(struct events *events, enum changes_order order, const struct channel *channel, int64_t audit_sequence,
                                  int64_t limit, change_visitor *visit, void *context) {
    if (!has_batch(events)) return result_error(RESULT_UNAVAILABLE);
    struct result outcome = changes_read(events->batch, order, channel->slot->id, audit_sequence, limit, visit, context);
    if (!result_is_ok(outcome))
        LOG(LOG_WARN, "changes_not_read", LOG_ID("campaign_id", channel->slot->id), LOG_STRING("reason", result_name(outcome)));
    return outcome;
}

/* ---- what has changed ---- */

struct follower {
    struct events *events;
    struct channel *channel;
    size_t count;
    bool has_failed;
};

/* Those of before anybody listened: a report is no older than they are. */
static void visit_known(void *context, const struct change_found *found) {
    struct follower *self = context;
    struct channel *channel = self->channel;
    if (found->audit_sequence > channel->audit_sequence) channel->audit_sequence = found->audit_sequence;
    lock(self->events);
    if (found->sequence > channel->change_sequence) channel->change_sequence = found->sequence;
    unlock(self->events);
}

static void visit_change(void *context, const struct change_found *found) {
    struct follower *self = context;
    struct event *event = self->has_failed ? NULL : event_make("change", found->sequence, found->data);
    self->has_failed = event == NULL;
    if (event == NULL) return; /* read again: it was not counted as looked at */
    lock(self->events);
    channel_add_change(self->channel, event);
    unlock(self->events);
    self->channel->audit_sequence = found->audit_sequence;
    self->count++;
}

/* True: all changes up to the version that the campaign had at the beginning are in the channel. */
static bool follow(struct events *events, struct channel *channel) {
    struct campaign_view view = board_view(channel->slot);
    struct follower follower = {.events = events, .channel = channel};
    if (!channel->is_known) {
        if (!result_is_ok(read_changes(events, CHANGES_BEFORE, channel, INT64_MAX, 1, visit_known, &follower))) return false;
        channel->is_known = true;
    } else if (view.version == channel->version) {
        return true;
    }
    do {
        follower.count = 0;
        struct result read = read_changes(events, CHANGES_AFTER, channel, channel->audit_sequence, READ_MAX, visit_change, &follower);
        if (!result_is_ok(read) || follower.has_failed) return false;
    } while (follower.count == READ_MAX);
    channel->version = view.version;
    return true;
}

/* ---- the report ---- */

static int64_t attempts_of(const struct channel *channel) {
    struct board_snapshot snapshot;
    board_read(channel->slot, &snapshot);
    int64_t sum = 0;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) sum += snapshot.rejected.counts[i];
    return sum;
}

/* NULL: no memory; or nobody listens any more, and it was archived. */
static struct event *make_report(const struct events *events, const struct channel *channel, struct campaign_view *ret_view) {
    struct arena arena;
    struct buffer buffer;
    if (!board_hold(channel->slot)) {
        board_let_go(channel->slot);
        return NULL;
    }
    arena_init(&arena, ARENA_BYTES);
    buffer_init(&buffer, &arena, REPORT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    *ret_view = report_write(
        &writer, channel->slot,
        (struct report_span){.seconds = LIVE_SECONDS, .minutes = LIVE_MINUTES, .codes = events->options.codes, .batches = LIVE_BATCHES},
        clock_now_us(events->options.clock));
    board_let_go(channel->slot);
    struct event *event = buffer.failed ? NULL : event_make("report", ret_view->sequence, buffer_text(&buffer));
    arena_release(&arena);
    return event;
}

/* How many refusals there were is known of before it was made: so one too many is told, and none too few. */
static void put_report(struct events *events, struct channel *channel, struct event *event, int64_t attempts) {
    bool is_other = event->sequence != channel->reported_sequence || attempts != channel->reported_attempts;
    lock(events);
    channel_set_report(channel, event, is_other);
    unlock(events);
    channel->reported_sequence = event->sequence;
    channel->reported_attempts = attempts;
    channel->reported_monotonic_us = clock_monotonic_us(events->options.clock);
}

/* A report that holds a change which is not in the channel is not given: the change is looked for first. */
static void report(struct events *events, struct channel *channel) {
    lock(events);
    bool is_missing = channel->report == NULL;
    unlock(events);
    int64_t attempts = attempts_of(channel);
    bool has_changed = board_view(channel->slot).sequence != channel->reported_sequence || attempts != channel->reported_attempts;
    bool is_due = clock_monotonic_us(events->options.clock) - channel->reported_monotonic_us >= EVENTS_PERIOD_US;
    if (!is_missing && (!has_changed || !is_due)) return;
    for (size_t i = 0; i < FOLLOW_MAX; i++) {
        struct campaign_view view;
        struct event *event = make_report(events, channel, &view);
        if (event == NULL) return;
        if (view.version == channel->version) {
            put_report(events, channel, event, attempts);
            return;
        }
        event_release(event);
        if (!follow(events, channel)) return;
    }
}

/* ---- who comes back ---- */

struct missed {
    struct event *events[EVENTS_BACKLOG + 1]; /* newest first */
    size_t count;
    int64_t audit_sequence; /* up to it: what came later is in the channel, or will be */
    bool has_failed;
};

static void visit_missed(void *context, const struct change_found *found) {
    struct missed *missed = context;
    if (found->audit_sequence > missed->audit_sequence || found->sequence == 0 || missed->count == EVENTS_BACKLOG + 1) return;
    struct event *event = event_make("change", found->sequence, found->data);
    missed->has_failed = missed->has_failed || event == NULL;
    if (event != NULL) missed->events[missed->count++] = event;
}

/* The changes above its last id, oldest first, and in front of them what is lost. False: no memory. */
static bool give_missed(struct listener *listener, const struct missed *missed, int64_t sequence) {
    size_t count = 0;
    while (count < missed->count && missed->events[count]->sequence > listener->given_id) count++;
    bool is_from_the_future = listener->given_id > sequence;
    bool has_too_many = count > EVENTS_BACKLOG;
    if (has_too_many) count = EVENTS_BACKLOG;
    if (listener->backlog == NULL) listener->backlog = calloc(EVENTS_BACKLOG + 1, sizeof(struct event *));
    if (listener->backlog == NULL) return false;
    if (is_from_the_future || has_too_many) {
        listener->backlog[0] = event_make_lost(listener->given_id, has_too_many ? missed->events[count - 1]->sequence - 1 : sequence);
        if (listener->backlog[0] == NULL) return false;
        listener->backlog_count = 1;
    }
    for (size_t i = count; i > 0; i--) {
        event_hold(missed->events[i - 1]);
        listener->backlog[listener->backlog_count++] = missed->events[i - 1];
    }
    return true;
}

/* Under the lock. From here on it is told what the channel gets; who is new begins with the report. */
static void admit(struct channel *channel, struct listener *listener, const struct missed *missed) {
    bool has_report = listener->is_resuming && channel_knows(channel, listener);
    if (listener->is_resuming && (missed->has_failed || !give_missed(listener, missed, channel->reported_sequence)))
        return; /* at the next tick */
    listener->is_entering = false;
    listener->change_next = channel->change_count;
    listener->report_number = has_report ? channel->report_number : 0;
}

struct entering {
    bool has_some, has_resuming;
};

static struct entering count_entering(struct events *events, const struct channel *channel) {
    struct entering entering = {0};
    const struct listener *listener;
    lock(events);
    LIST_FOREACH(listener, &channel->listeners, link) {
        entering.has_some = entering.has_some || listener->is_entering;
        entering.has_resuming = entering.has_resuming || (listener->is_entering && listener->is_resuming);
    }
    unlock(events);
    return entering;
}

/* Everything that the channel has had is in the audit log: what they have missed of that is read once for all of them. */
static void admit_all(struct events *events, struct channel *channel) {
    struct entering entering = count_entering(events, channel);
    if (!entering.has_some) return;
    struct missed missed = {.audit_sequence = channel->audit_sequence};
    if (entering.has_resuming && !result_is_ok(read_changes(events, CHANGES_BEFORE, channel, channel->audit_sequence + 1,
                                                            EVENTS_BACKLOG + 1, visit_missed, &missed)))
        missed.has_failed = true;
    lock(events);
    struct listener *listener;
    LIST_FOREACH(listener, &channel->listeners, link) {
        if (listener->is_entering) admit(channel, listener, &missed);
    }
    for (size_t i = 0; i < missed.count; i++) event_release(missed.events[i]);
    unlock(events);
}

/* ---- whose time is over ---- */

/* Under the lock. */
static void end_those_over(const struct events *events, struct channel *channel, int64_t now_us) {
    struct listener *listener;
    LIST_FOREACH(listener, &channel->listeners, link) {
        const struct identity *caller = &listener->exchange->caller;
        bool has_expired = now_us >= caller->expires_at_us + events->options.clock_leeway_us;
        bool has_ended =
            caller->kind == IDENTITY_USER && revocations_contain(events->options.revocations, caller->user_id, caller->session_id);
        if (has_expired || has_ended) listener->is_over = true;
    }
}

/* ---- the thread ---- */

static bool has_listeners(struct events *events, const struct channel *channel) {
    lock(events);
    bool has_some = !LIST_EMPTY(&channel->listeners);
    unlock(events);
    return has_some;
}

static void look_after(struct events *events, struct channel *channel) {
    if (!has_listeners(events, channel)) return;
    if (follow(events, channel)) {
        report(events, channel);
        admit_all(events, channel);
    }
    lock(events);
    end_those_over(events, channel, clock_now_us(events->options.clock));
    channel_wake(channel);
    unlock(events);
}

static void *run(void *context) {
    struct events *events = context;
    for (;;) {
        lock(events);
        bool is_stopping = events->is_stopping, is_idle = events->listener_count == 0;
        struct channel *channel = events->channels; /* new ones come in front of it, and none ever goes */
        unlock(events);
        if (is_stopping) return NULL;
        for (; channel != NULL && !is_idle; channel = channel->next) look_after(events, channel);
        (void)waker_wait(&events->waker, is_idle ? -1 : EVENTS_PERIOD_US);
        waker_clear(&events->waker);
    }
}

/* ---- life ---- */

struct result events_create(const struct events_options *options, struct events **ret_events) {
    struct events *events = calloc(1, sizeof *events);
    if (events == NULL) return result_error(RESULT_FULL);
    events->options = *options;
    CHECK(pthread_mutex_init(&events->lock, NULL) == 0);
    events->waker.fd = -1;
    struct result outcome = waker_init(&events->waker);
    if (!result_is_ok(outcome)) {
        events_free(events);
        return outcome;
    }
    *ret_events = events;
    return result_ok();
}

struct result events_start(struct events *events) {
    if (pthread_create(&events->thread, NULL, run, events) != 0) return result_error(RESULT_FULL);
    pthread_setname_np(events->thread, "events");
    events->has_thread = true;
    return result_ok();
}

void events_stop(struct events *events) {
    if (events == NULL || !events->has_thread) return;
    lock(events);
    events->is_stopping = true;
    unlock(events);
    waker_wake(&events->waker);
    CHECK(pthread_join(events->thread, NULL) == 0);
    events->has_thread = false;
}

void events_free(struct events *events) {
    if (events == NULL) return;
    CHECK(events->listener_count == 0);
    while (events->channels != NULL) {
        struct channel *channel = events->channels;
        events->channels = channel->next;
        for (size_t i = 0; i < CHANGES_KEPT; i++) event_release(channel->changes[i]);
        event_release(channel->report);
        free(channel);
    }
    if (events->waker.fd >= 0) waker_close(&events->waker);
    batch_close(events->batch);
    CHECK(pthread_mutex_destroy(&events->lock) == 0);
    free(events);
}
