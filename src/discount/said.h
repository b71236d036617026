/* What Wallet has said to one of our commands, as a sentence for the operator who ran it. */
#pragma once

#include "http/client.h"

#define SAID_BYTES 768u

/* Into the buffer, without the end of a line: that nobody answered, or with which status, code and detail Wallet refused, or that what came is none of its
 * answers. `outcome` is what became of the call in all: of its own when that failed. */
void said_describe(const struct http_call *call, struct result outcome, char ret_sentence[SAID_BYTES]);
