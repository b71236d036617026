/* What the requests share: the campaign in a path, and their way once they are committed. Each is at home in its feature's file. */
#pragma once

#include "discount/operation.h"

/* The slot of the campaign in the path; NULL when the 404 is set. */
struct board_slot *request_campaign(struct exchange *exchange);

/* action.committed of all requests: to the settler what waits there, to its loop what is answered. */
void discount_committed(struct operation *operation);
/* action.send of all requests: counts the refusal and the latency on the board, and sends. */
void discount_send(struct operation *operation);
