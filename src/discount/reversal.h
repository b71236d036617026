/* Taking a redemption back, as an operation. */
#pragma once

#include "discount/operation.h"

/* ---- the routes ---- */

void redemptions_reverse(struct exchange *exchange); /* POST /v1/redemptions/{id}/reversal */
