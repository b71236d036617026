/* Making and steering campaigns, as operations. */
#pragma once

#include "discount/operation.h"

struct campaign_making {
    struct discount_operation base;
    struct campaign campaign; /* what its answer says */
    struct campaign_create create;
};
extern const struct action create_action;

struct campaign_change {
    struct discount_operation base;
    struct campaign campaign; /* what its answer says */
    struct id id;             /* of the campaign */
    struct campaign_patch patch;
    struct text before; /* as it was, for the audit log */
};
extern const struct action patch_action, approve_action, pause_action, resume_action, end_action;

/* ---- the routes ---- */

void campaigns_create(struct exchange *exchange);  /* POST /v1/campaigns */
void campaigns_list(struct exchange *exchange);    /* GET /v1/campaigns */
void campaigns_get(struct exchange *exchange);     /* GET /v1/campaigns/{id} */
void campaigns_patch(struct exchange *exchange);   /* PATCH /v1/campaigns/{id} */
void campaigns_approve(struct exchange *exchange); /* POST /v1/campaigns/{id}/approve */
void campaigns_pause(struct exchange *exchange);   /* POST /v1/campaigns/{id}/pause */
void campaigns_resume(struct exchange *exchange);  /* POST /v1/campaigns/{id}/resume */
void campaigns_end(struct exchange *exchange);     /* POST /v1/campaigns/{id}/end */
