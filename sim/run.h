/* One world from its first moment to its last. */
#pragma once

#include "sim/world.h"

/* Runs the seed's world; world.has_failed tells how it ended. */
void run_world(uint64_t seed, const struct world_limits *limits);
