/* GET /v1/campaigns/{id}/events: a campaign that moves, as Server-Sent Events (WHATWG HTML, section 9.2). This is the promise; channel.h says who keeps it.
 *
 *   report   the report as it stands, with the seconds of the last minute and the minutes of the last quarter of an hour: at once, and whenever something has
 *            changed, four times a second at most. A state: who is slow gets the newest one, and misses those between.
 *   change   an act of an administrator, as the audit log has it: each one, in its order.
 *   lost     {"from", "to"}: changes of sequences above `from` and up to `to` can't be told.
 *
 * `id` is the campaign's sequence: that of a change is the one that it was made with, that of a report the newest that it holds. They never go back, and no
 * report comes before a change that it holds. Refusals have no sequence: two reports that differ in those alone have the same.
 *
 * Last-Event-ID: who was given everything up to sequence n is given the changes above n, out of the audit log, so over any time and any restart, and then the
 * report, unless it is known that he has it: when no other one had that sequence since. `lost` comes in front when the log has more of them than
 * EVENTS_BACKLOG, or when n is of a future that is gone, because the database was replaced by an older copy; and when he reads so slowly that more than
 * CHANGES_KEPT changes came meanwhile.
 *
 * A stream ends when its token does, or its session, within a second; when the service stops; and when its client takes nothing any more. */
#pragma once

#include "base/clock.h"
#include "discount/board.h"
#include "service/revocations.h"
#include "store/batch.h"

struct exchange;

#define EVENTS_BACKLOG      256u                  /* changes that are told to who comes back */
#define EVENTS_PERIOD_US    (CLOCK_SECOND_US / 4) /* between two reports of a campaign */
#define LISTENERS_MAX       1024u                 /* of the service: 503 overloaded */
#define LISTENERS_PER_ADMIN 256u                  /* 429 too_many_listeners */

struct events;

struct code_board;
struct events_options {
    const struct code_board *codes; /* NULL: there are none */
    const struct board *board;
    const struct clock *clock;
    const struct place *place; /* whose audit log is read */
    struct revocations *revocations;
    int64_t clock_leeway_us; /* as tokens are judged by */
};

/* What the options name outlives it. RESULT_FULL: no memory, no descriptor. */
struct result events_create(const struct events_options *options, struct events **ret_events) MUST_CHECK;
struct result events_start(struct events *events) MUST_CHECK; /* its thread */
void events_stop(struct events *events);                      /* after the loops; never started is allowed */
void events_free(struct events *events);                      /* NULL is allowed */

void events_listen(struct exchange *exchange); /* the route's handler */
