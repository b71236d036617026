/* What users are shown of campaigns that are public. */
#pragma once

#include "discount/discount.h"

void promotions_list(struct exchange *exchange); /* GET /v1/promotions */
