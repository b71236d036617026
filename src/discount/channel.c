#include "discount/channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "http/stream.h"

/* ---- events ---- */

struct event *event_make(const char *name, int64_t sequence, struct text data) {
    char head[96];
    int head_size = snprintf(head, sizeof head, "id: %" PRId64 "\nevent: %s\ndata: ", sequence, name);
    CHECK(head_size > 0 && (size_t)head_size < sizeof head);
    size_t size = (size_t)head_size + data.size + 2;
    struct event *event = malloc(sizeof *event + size);
    if (event == NULL) return NULL;
    *event = (struct event){.holders = 1, .sequence = sequence, .size = size};
    memcpy(event->bytes, head, (size_t)head_size);
    memcpy(event->bytes + head_size, data.data, data.size);
    memcpy(event->bytes + head_size + data.size, "\n\n", 2);
    return event;
}

struct event *event_make_lost(int64_t from, int64_t to) {
    char data[80];
    int size = snprintf(data, sizeof data, "{\"from\":%" PRId64 ",\"to\":%" PRId64 "}", from, to);
    CHECK(size > 0 && (size_t)size < sizeof data);
    return event_make("lost", to, (struct text){data, (size_t)size});
}

void event_hold(struct event *event) { event->holders++; }

void event_release(struct event *event) {
    if (event != NULL && --event->holders == 0) free(event);
}

/* ---- channels ---- */

struct channel *channel_find(struct events *events, struct board_slot *slot) {
    for (struct channel *channel = events->channels; channel != NULL; channel = channel->next) {
        if (channel->slot == slot) return channel;
    }
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL) return NULL;
    channel->slot = slot;
    LIST_INIT(&channel->listeners);
    channel->next = events->channels;
    events->channels = channel;
    return channel;
}

void channel_add_change(struct channel *channel, struct event *event) {
    struct event **place = &channel->changes[channel->change_count % CHANGES_KEPT];
    event_release(*place);
    *place = event;
    channel->change_count++;
    channel->change_sequence = event->sequence;
}

void channel_set_report(struct channel *channel, struct event *event, bool is_other) {
    event_release(channel->report);
    channel->report = event;
    if (is_other || channel->report_number == 0) channel->report_number++;
}

bool channel_knows(const struct channel *channel, const struct listener *listener) {
    uint64_t kept = channel->leaver_count < LEAVERS_KEPT ? channel->leaver_count : LEAVERS_KEPT;
    for (size_t i = 0; i < kept; i++) {
        const struct leaver *leaver = &channel->leavers[i];
        if (leaver->given_id == listener->given_id && leaver->report_number == channel->report_number &&
            id_equal(leaver->user_id, listener->exchange->caller.user_id))
            return true;
    }
    return false;
}

/* ---- what is next ---- */

static uint64_t oldest_change(const struct channel *channel) {
    return channel->change_count > CHANGES_KEPT ? channel->change_count - CHANGES_KEPT : 0;
}

/* It was too slow: the changes up to the oldest that is still there are gone. */
static struct event *take_lost(struct listener *listener) {
    struct channel *channel = listener->channel;
    uint64_t oldest = oldest_change(channel);
    struct event *event = event_make_lost(listener->given_id, channel->changes[oldest % CHANGES_KEPT]->sequence - 1);
    if (event != NULL) listener->change_next = oldest;
    return event;
}

static bool is_report_due(const struct listener *listener) {
    const struct channel *channel = listener->channel;
    return channel->report != NULL && listener->report_number != channel->report_number &&
           channel->report->sequence >= channel->change_sequence;
}

static bool has_next(const struct listener *listener) {
    if (listener->is_over) return true;
    if (listener->is_entering) return false;
    return listener->backlog_next < listener->backlog_count || listener->change_next < listener->channel->change_count ||
           is_report_due(listener);
}

void channel_wake(struct channel *channel) {
    struct listener *listener;
    LIST_FOREACH(listener, &channel->listeners, link) {
        if (has_next(listener)) stream_wake(listener->exchange);
    }
}

static struct event *take_next(struct listener *listener) {
    struct channel *channel = listener->channel;
    if (listener->is_entering) return NULL;
    if (listener->backlog_next < listener->backlog_count) {
        struct event *event = listener->backlog[listener->backlog_next];
        listener->backlog[listener->backlog_next++] = NULL;
        return event;
    }
    if (listener->change_next < oldest_change(channel)) return take_lost(listener);
    struct event *event = NULL;
    if (listener->change_next < channel->change_count) {
        event = channel->changes[listener->change_next++ % CHANGES_KEPT];
    } else if (is_report_due(listener)) {
        event = channel->report;
        listener->report_number = channel->report_number;
    }
    if (event != NULL) event_hold(event);
    return event;
}

struct event *listener_take(struct listener *listener) {
    struct event *event = take_next(listener);
    if (event != NULL) listener->given_id = event->sequence;
    return event;
}

void listener_leave(struct listener *listener) {
    struct channel *channel = listener->channel;
    LIST_REMOVE(listener, link);
    if (listener->current == NULL && !listener->is_entering)
        channel->leavers[channel->leaver_count++ % LEAVERS_KEPT] =
            (struct leaver){listener->exchange->caller.user_id, listener->given_id, listener->report_number};
    event_release(listener->current);
    for (size_t i = 0; i < listener->backlog_count; i++) event_release(listener->backlog[i]);
    free(listener->backlog);
    if (!LIST_EMPTY(&channel->listeners)) return;
    event_release(channel->report); /* it grows old: who comes next gets another */
    channel->report = NULL;
}
