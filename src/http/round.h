/* What a loop does, round by round.
 *
 * A round: epoll_wait, what happened to connections, what other threads brought back (exchanges, and streams that they woke), connections with work
 * left, new connections, timeouts, `round_ended`. Each part is bounded, and so is a connection's turn: one recv, TURN_BYTES sent (loop.h) and a few
 * requests. What is left goes to the end of the line (`ready`), and the next round does not sleep. When ROUND_BYTES are sent, the rest of the line
 * stays there: a request that has just come is answered within a round, however many others have answers without end to be sent. */
#pragma once

#include "http/loop.h"

struct result loop_init(struct loop *loop, int listen_fd) MUST_CHECK; /* takes the listening socket; -1: none */
void loop_run(struct loop *loop);                                     /* the thread; returns when drained or stopped */
void loop_round(struct loop *loop, int timeout_ms);
void loop_close(struct loop *loop); /* of a loop that never ran, or has returned */
