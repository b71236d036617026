/* The phone number of an account, and whose it is proven to be. */
#pragma once

#include "http/exchange.h"

void phones_change(struct exchange *exchange); /* PUT /v1/users/me/phone */
void phones_verify(struct exchange *exchange); /* PUT /v1/users/{id}/phone-verification */
