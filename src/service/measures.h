/* What both services show of themselves besides what they count: which program it is, the process, and its files. */
#pragma once

#include "service/service.h"

void measures_register(const char *program);       /* before threads */
void measures_register_part(const char *part);     /* of /readyz, besides those that both services have; a constant */
void measures_take(const struct service *service); /* before they are shown; a loop's thread */
