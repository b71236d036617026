/* Makes a failing world smaller: fewer people, fewer actions, fewer kinds of faults, as long as it still fails. */
#pragma once

#include "sim/children.h"

/* `job` and `outcome` are of the failure that was found, and of the smallest one afterwards. */
void shrink(struct job *job, struct outcome *outcome);
