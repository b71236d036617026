/* Users as administrators find and treat them. Everything that is done is in the audit log, with what was so before and after. */
#pragma once

#include "http/exchange.h"

void users_list(struct exchange *exchange);         /* GET /v1/users */
void users_get(struct exchange *exchange);          /* GET /v1/users/{id} */
void users_set_password(struct exchange *exchange); /* PUT /v1/users/{id}/password */
void users_disable(struct exchange *exchange);      /* POST /v1/users/{id}/disable */
void users_enable(struct exchange *exchange);       /* POST /v1/users/{id}/enable */
void users_end_sessions(struct exchange *exchange); /* DELETE /v1/users/{id}/sessions */
