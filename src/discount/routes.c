#include "discount/handlers.h"

#define LIST_ARENA_BYTES (1024u * 1024)
#define CSV_ARENA_BYTES  (8u * 1024 * 1024)

const struct route discount_routes[] = {
    OPERATIONS_ROUTES,
    {.method = "POST",
     .path = "/v1/redemptions",
     .scope = SCOPE_USER,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT,
     .handle = handle_redeem},
    {.method = "GET",
     .path = "/v1/redemptions",
     .scope = SCOPE_USER,
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .handle = handle_list_redemptions},
    {.method = "GET", .path = "/v1/redemptions/{id}", .scope = SCOPE_USER, .handle = handle_get_redemption},
    {.method = "POST",
     .path = "/v1/campaigns",
     .scope = SCOPE_ADMIN,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT,
     .handle = handle_create_campaign},
    {.method = "GET",
     .path = "/v1/campaigns",
     .scope = SCOPE_ADMIN,
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .handle = handle_list_campaigns},
    {.method = "GET", .path = "/v1/campaigns/{id}", .scope = SCOPE_ADMIN, .handle = handle_get_campaign},
    {.method = "PATCH", .path = "/v1/campaigns/{id}", .scope = SCOPE_ADMIN, .flags = ROUTE_BODY_JSON, .handle = handle_patch_campaign},
    {.method = "POST", .path = "/v1/campaigns/{id}/pause", .scope = SCOPE_ADMIN, .handle = handle_pause_campaign},
    {.method = "POST", .path = "/v1/campaigns/{id}/resume", .scope = SCOPE_ADMIN, .handle = handle_resume_campaign},
    {.method = "POST", .path = "/v1/campaigns/{id}/end", .scope = SCOPE_ADMIN, .handle = handle_end_campaign},
    {.method = "GET", .path = "/v1/campaigns/{id}/report", .scope = SCOPE_ADMIN, .handle = handle_report},
    {.method = "GET",
     .path = "/v1/campaigns/{id}/redemptions",
     .scope = SCOPE_ADMIN,
     .arena_limit_bytes = CSV_ARENA_BYTES,
     .flags = ROUTE_CSV,
     .handle = handle_winners},
};
const size_t discount_route_count = ARRAY_COUNT(discount_routes);
