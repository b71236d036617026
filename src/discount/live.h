/* What /metrics shows of each campaign that has not ended: its places, how many are taken, how many are paid. */
#pragma once

#include "service/service.h"

/* For struct service. */
bool live_measure(const struct service *service, struct buffer *buffer, uint64_t *place);
