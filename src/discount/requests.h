/* The requests that become operations, and their way once they are committed. Each is at home in its feature's file. */
#pragma once

#include "discount/operation.h"

/* action.committed of all requests: to the settler what waits there, to its loop what is answered. */
void discount_committed(struct operation *operation);
/* action.send of all requests: counts the refusal and the latency on the board, and sends. */
void discount_send(struct operation *operation);

struct redemption_request { /* redeem.c */
    struct discount_operation base;
    struct redeem_request redeem;
};
extern const struct action redeem_action;

struct campaign_making { /* campaigns.c */
    struct discount_operation base;
    struct campaign_create create;
};
extern const struct action create_action;

struct campaign_change { /* campaigns.c */
    struct discount_operation base;
    struct id id; /* of the campaign */
    struct campaign_patch patch;
};
extern const struct action patch_action, pause_action, resume_action, end_action;
