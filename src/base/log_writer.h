/* Lines on their way to standard error, which may be a pipe that nobody reads.
 *
 *   log_write, any thread ─▶ ring (bounded) ─▶ the writer's thread: poll, write(2) of at most a page ─▶ standard error
 *                              └ no room: dropped and counted; when there is room again one line says how many
 *
 * Before log_writer_start and after log_writer_stop a line is written by who has it: the commands are no service, and may wait.
 * Invariants: a line is whole or not there; lines keep their order; a thread that logs never waits for who reads. */
#pragma once

#include "base/result.h"
#include "base/text.h"

/* `service` ("walletd") is what its metrics begin with. RESULT_FULL: no thread. Before the other threads; once. */
struct result log_writer_start(const char *service) MUST_CHECK;
void log_writer_stop(void);                    /* what waits is written, for at most a second; harmless when nothing runs */
void log_writer_put(struct text line);         /* any thread; ends with a line feed, at most LOG_LINE_BYTES */
void log_writer_count_left_out(int64_t lines); /* of those that a burst has swallowed (base/log.h) */

/* Below PIPE_BUF (pipe(7)), so that a line which goes into a pipe is never mixed with another process's line. */
#define LOG_LINE_BYTES 4096u
