/* The large tables of the programs (base/pages.h). Their addresses stay with a process from start to start and from world to world: to ask the
 * kernel for them anew each time is dear. */
#pragma once

#include "sim/process.h"

void tables_reset(const struct process *process); /* whatever it had: it is no more */
