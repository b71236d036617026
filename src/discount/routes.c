#include "discount/campaigns.h"
#include "discount/discount.h"
#include "discount/events.h"
#include "discount/redeem.h"
#include "discount/redemptions.h"
#include "discount/report.h"
#include "discount/retry.h"
#include "discount/winners.h"
#include "service/inquiry.h"

#define LIST_ARENA_BYTES (1024u * 1024)

const struct route discount_routes[] = {
    OPERATIONS_ROUTES,
    AUDIT_ROUTE,
    {.method = "GET", .path = "/v1/idempotency/{key}", .scope = SCOPE_ANY, .arena_limit_bytes = LIMIT_REPLY_BYTES, .handle = inquiry_get},
    {.method = "POST",
     .path = "/v1/redemptions",
     .scope = SCOPE_USER,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN | ROUTE_WATCHED,
     .handle = redemptions_create},
    {.method = "GET", .path = "/v1/redemptions", .scope = SCOPE_USER, .arena_limit_bytes = LIST_ARENA_BYTES, .handle = redemptions_list},
    {.method = "GET", .path = "/v1/redemptions/{id}", .scope = SCOPE_USER, .handle = redemptions_get},
    {.method = "POST",
     .path = "/v1/redemptions/{id}/retry",
     .act = "redemption.retry",
     .scope = SCOPE_ADMIN,
     .flags = ROUTE_DRY_RUN,
     .handle = redemptions_retry},
    {.method = "POST",
     .path = "/v1/campaigns",
     .act = "campaign.create",
     .scope = SCOPE_ADMIN,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
     .handle = campaigns_create},
    {.method = "GET", .path = "/v1/campaigns", .scope = SCOPE_ADMIN, .arena_limit_bytes = LIST_ARENA_BYTES, .handle = campaigns_list},
    {.method = "GET", .path = "/v1/campaigns/{id}", .scope = SCOPE_ADMIN, .handle = campaigns_get},
    {.method = "PATCH",
     .path = "/v1/campaigns/{id}",
     .act = "campaign.change",
     .scope = SCOPE_ADMIN,
     .flags = ROUTE_BODY_JSON,
     .handle = campaigns_patch},
    {.method = "POST", .path = "/v1/campaigns/{id}/pause", .act = "campaign.pause", .scope = SCOPE_ADMIN, .handle = campaigns_pause},
    {.method = "POST", .path = "/v1/campaigns/{id}/resume", .act = "campaign.resume", .scope = SCOPE_ADMIN, .handle = campaigns_resume},
    {.method = "POST",
     .path = "/v1/campaigns/{id}/end",
     .act = "campaign.end",
     .scope = SCOPE_ADMIN,
     .flags = ROUTE_DRY_RUN,
     .handle = campaigns_end},
    {.method = "GET",
     .path = "/v1/campaigns/{id}/report",
     .scope = SCOPE_ADMIN,
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .handle = report_get},
    {.method = "GET",
     .path = "/v1/campaigns/{id}/report.svg",
     .scope = SCOPE_ADMIN,
     .produces = "image/svg+xml",
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .handle = report_draw},
    {.method = "GET", .path = "/v1/campaigns/{id}/events", .scope = SCOPE_ADMIN, .produces = "text/event-stream", .handle = events_listen},
    {.method = "GET",
     .path = "/v1/campaigns/{id}/redemptions",
     .scope = SCOPE_ADMIN,
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .flags = ROUTE_CSV,
     .handle = winners_list},
};
const size_t discount_route_count = ARRAY_COUNT(discount_routes);
