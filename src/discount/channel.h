/* Channels: what all listeners to one campaign share, so that a report is made once, and a change is read once, however many listen.
 *
 *   events' thread:  tick, every EVENTS_PERIOD_US while anybody listens, and when somebody came
 *                      └ for each channel: changes out of the audit log (changes.h) ─▶ the report, if it is another one ─▶ wake its listeners
 *   loops:           stream pulls ─▶ listener_take: what is next for this one ─▶ its bytes
 *
 * Who owns what
 * - A channel lives until the end; its listeners are in their exchanges' arenas, and on its list from their first moment until their stream is closed. The
 *   list, the events and everything that both sides touch is under the lock of `struct events`; what the thread alone touches says so.
 * - An event is made once, never changed, and freed by the last of its holders: the channel, and who is in the middle of sending it.
 * - Nobody waits for a listener. It costs the rest of what it is sending, and a place in each of the two lists.
 *
 * Invariants
 * - `changes` are all that were committed up to the version that was last looked at, in their order, the newest CHANGES_KEPT of them.
 * - The report is no older than the newest change, or nobody is given it. */
#pragma once

#include <pthread.h>
#include <sys/queue.h>

#include "base/queue.h"
#include "discount/events.h"
#include "http/exchange.h"

#define CHANGES_KEPT 64u
#define LEAVERS_KEPT 64u

struct event {
    uint32_t holders;
    int64_t sequence;
    size_t size;
    char bytes[];
};

struct channel;

struct listener {
    struct exchange *exchange;
    struct events *events;
    struct channel *channel;
    LIST_ENTRY(listener) link;
    int64_t given_id;       /* of what it was given last, or says that it was; 0: nothing */
    bool is_entering;       /* until the thread has looked from where on it is told */
    bool is_resuming;       /* it says what it was given */
    bool is_over;           /* its token is, or its session */
    struct event **backlog; /* [backlog_count]: what it has missed; NULL: nothing */
    size_t backlog_count, backlog_next;
    uint64_t change_next;   /* of all that there ever were in the channel */
    uint64_t report_number; /* that it was given; 0: none */
    struct event *current;  /* being sent */
    size_t current_sent;
};

/* What somebody had been given when he left: if it is all that there is, he is not given it again. */
struct leaver {
    struct id user_id;
    int64_t given_id;
    uint64_t report_number;
};

struct channel {
    struct board_slot *slot; /* held once by each listener */
    struct channel *next;
    LIST_HEAD(, listener) listeners;
    struct event *report;   /* the newest; NULL: none is at hand */
    uint64_t report_number; /* grows with each other one */
    struct event *changes[CHANGES_KEPT];
    uint64_t change_count;   /* ever */
    int64_t change_sequence; /* of the newest */
    struct leaver leavers[LEAVERS_KEPT];
    uint64_t leaver_count; /* ever */

    /* the thread's own */
    bool is_known;          /* `audit_sequence` is */
    int64_t audit_sequence; /* of the newest entry that was looked at */
    int64_t version;        /* of the campaign, that was looked at */
    int64_t reported_sequence, reported_attempts;
    int64_t reported_monotonic_us;
};

struct events {
    struct events_options options;
    pthread_mutex_t lock;
    struct channel *channels;
    size_t listener_count;
    struct waker waker;

    pthread_t thread;
    bool has_thread;
    bool is_stopping;
    struct batch *batch; /* the thread's own; NULL: can't be opened now */
};

/* `data`: JSON in one line. NULL: no memory. */
struct event *event_make(const char *name, int64_t sequence, struct text data);
struct event *event_make_lost(int64_t from, int64_t to);
void event_hold(struct event *event);
void event_release(struct event *event); /* NULL is allowed */

/* ---- under the lock ---- */

/* NULL: no memory. */
struct channel *channel_find(struct events *events, struct board_slot *slot);
/* Those who have something to take. */
void channel_wake(struct channel *channel);
/* Whether he who comes back was given this report, and nothing behind it. */
bool channel_knows(const struct channel *channel, const struct listener *listener);
/* The channel holds it. */
void channel_add_change(struct channel *channel, struct event *event);
/* As channel_add_change: in place of the one before. */
void channel_set_report(struct channel *channel, struct event *event, bool is_other);
/* What is next for it, held for the caller; NULL: nothing is. */
struct event *listener_take(struct listener *listener);
/* What it holds is released, and it is off the list. */
void listener_leave(struct listener *listener);
