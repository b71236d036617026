/* Requests for what an archived campaign does not have in memory: its seconds and minutes. */
#pragma once

#include "discount/board.h"
#include "http/exchange.h"

/* On the loop: brings the campaign back, through the store, and then runs the handler from its beginning, on the same loop. It answers by itself when that can't be. */
void recall_for(struct exchange *exchange, const struct board_slot *slot, void (*handler)(struct exchange *exchange));
