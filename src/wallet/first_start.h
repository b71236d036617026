/* How a wallet comes to be: by `init`, or by the first start of a service that nobody is there to prepare, in a container or as an installed unit. */
#pragma once

#include <stdbool.h>

#include "base/param.h"

struct first_start {
    bool is_wanted;
    const char *data, *store_url;
    struct param_list currencies;
    const char *algorithm;                        /* one of its choices */
    const char *admin_name, *admin_password_file; /* no file: no administrator is made */
    const char *region;
};
/* Makes the folder with its database and key; RESULT_CONFLICT: it is there. Says on standard error why not, as all here do. */
struct result first_start_create(const struct first_start *start) MUST_CHECK;
/* Makes the folder unless it is there, and the administrator unless that user is: to be called at each start, and it goes on where it was killed. */
struct result first_start(const struct first_start *start) MUST_CHECK;
