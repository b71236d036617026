/* The control socket: how a command of the same machine reaches the service that runs on a data folder, which is its one writer.
 *
 *   command ─▶ DIR/control ─▶ thread `control` of the service: handle ─▶ the store, as anybody's operation ─▶ the answer
 *
 * Nobody but the folder's owner (and root) can open it: the folder is 0700, the socket 0600, and the kernel is asked who calls. One message there and one
 * back, JSON both (SOCK_SEQPACKET); one call after the other. */
#pragma once

#include "base/buffer.h"
#include "base/result.h"

#define CONTROL_MESSAGE_BYTES 4096u

struct control;
/* On the thread `control`: answers one call. The buffer's arena lives until the answer is sent. */
typedef void control_handler(void *self, struct text request, struct buffer *reply);
/* Listens at DIR/control, in place of what a process that was killed has left there. NULL when it can't, for instance in a folder that may only be read: said
 * in the log, and the service goes on without. */
struct control *control_start(const char *folder, control_handler *handle, void *self);
void control_stop(struct control *control); /* answers who is there, and joins; NULL is fine */

/* Asks the service that runs on this folder; the reply is in `buffer`. RESULT_NOT_FOUND: nobody listens there; RESULT_IO: it ended, or was silent for 30 s,
 * before it answered, and may have done what was asked. */
struct result control_ask(const char *folder, struct text request, char buffer[CONTROL_MESSAGE_BYTES], struct text *ret_reply) MUST_CHECK;
