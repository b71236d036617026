/* What is left of faults that are planted on purpose: they move to sim/planted, as patches. */
#pragma once

#include <stdbool.h>

#ifndef PLANTED
#define PLANTED(name) false
#endif
