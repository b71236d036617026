/* Whether Wallet is there: asked every two seconds, whatever else is or is not to be sent to it, and said in /readyz. Any answer but that of a proxy
 * in front of nobody counts: what Wallet thinks of our calls is not meant here. The settler's thread. */
#pragma once

#include "discount/settle/calls.h"
#include "service/readiness.h"

struct reach {
    struct calls *calls;
    struct readiness *readiness; /* NULL: nobody wants to know, nothing is asked */
    struct http_call call;
    struct arena arena; /* of the call under way */
    bool is_asking;
    int64_t due_us; /* monotonic: when to ask next */
};

/* Both are lent. */
void reach_init(struct reach *reach, struct calls *calls, struct readiness *readiness);
void reach_free(struct reach *reach);                /* after the calls were given up; also what was never initialised but for zeros */
void reach_ask(struct reach *reach, int64_t now_us); /* when it is due */
int64_t reach_next_us(const struct reach *reach);    /* INT64_MAX: nothing to do before an answer comes */
