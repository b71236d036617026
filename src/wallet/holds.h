/* Holds over HTTP. */
#pragma once

#include "http/exchange.h"

void holds_create(struct exchange *exchange);
void holds_get(struct exchange *exchange);
void holds_capture(struct exchange *exchange);
void holds_release(struct exchange *exchange);
