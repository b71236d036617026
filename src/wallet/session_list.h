/* A user's own sessions: listed, and ended one by one or all but this one. */
#pragma once

#include "http/exchange.h"

void sessions_list(struct exchange *exchange);          /* GET /v1/users/me/sessions */
void sessions_delete_one(struct exchange *exchange);    /* DELETE /v1/users/me/sessions/{id} */
void sessions_delete_others(struct exchange *exchange); /* DELETE /v1/users/me/sessions */
