/* A connection is one machine: `step` says what comes next, and there is one function for each step, which sets the next.
 *
 *                                     a chunked body                           another thread answers
 *                                   ┌──▶ CHUNKS ──┐ whole                    ┌──▶ HANDLING ──┐ is back
 *   accept ──▶ HEAD ──whole──▶ JUDGED ──▶ BODY ───┴──────▶ (the handler) ────┴───────────────┴──▶ ANSWER ──┬─▶ SENDING ─┬─▶ HEAD of the next
 *               │ ▲              ▲  └─ refused: ──────────────────────────────────────────────────────▲    │      ▲ │   │
 *               │ │ admission    │      a short body is read away before, a long one costs the connection  ├─▶ STREAMING ┤
 *               └─┼─waits──▶ ADMITTING                                                                     │   ▲  │ └───┼─▶ LINGER ─▶ ENDED
 *                 └── all of it                                                                            └───┴ ASLEEP │
 *                                                                                                                       └─▶ ENDED
 *
 * ADMITTING, HANDLING and ASLEEP wait for another thread; HEAD, BODY, CHUNKS and LINGER for bytes, SENDING for the socket; the others wait for
 * nothing but the connection's turn. Anything may lead to ENDED: a reset, a timeout, no memory.
 *
 * A turn is run from the step that it finds until one has to wait, or until the turn's share is used up: one recv, TURN_BYTES sent, a few requests.
 * A request whose bytes are there, whose handler finishes at once and whose answer the socket takes goes all the way in one turn, and its phase
 * stays IDLE: the phase, which says for how long a connection may wait, follows from the step when the turn is over. */
#pragma once

#include "http/loop.h"

void connection_run(struct connection *connection);     /* a turn: whatever can be done in it */
void connection_hang_up(struct connection *connection); /* its peer sends no more */
void connection_resume(struct connection *connection);  /* its exchange is back, finished or admitted */
void connection_wake(struct connection *connection);    /* its stream was woken */
void connection_beat(struct connection *connection);    /* its stream has slept for STREAM_BEAT_US */
void connection_end(struct connection *connection);     /* at once */
