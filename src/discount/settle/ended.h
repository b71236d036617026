/* Asks Wallet every second which sessions have ended before their tokens did (GET /v1/revocations), from where it was told the last time, and at its start
 * for all. While Wallet does not answer, tokens are judged by what is known. The settler's thread. */
#pragma once

#include "discount/settle/calls.h"
#include "service/revocations.h"

#define ENDED_CURSOR_BYTES 64u

struct ended {
    struct calls *calls;
    struct revocations *revocations; /* NULL: nobody wants to know */
    int64_t clock_leeway_us;         /* so much longer are tokens taken here */
    struct http_call call;
    struct arena arena; /* of the call under way */
    bool is_asking, is_failing;
    int64_t due_us; /* monotonic: when to ask next */
    char cursor[ENDED_CURSOR_BYTES];
    size_t cursor_size; /* 0: from the beginning */
};

/* With all that is lent set. */
void ended_ask(struct ended *ended, int64_t now_us); /* when it is due */
int64_t ended_next_us(const struct ended *ended);    /* INT64_MAX: nothing before something comes back */
void ended_free(struct ended *ended);                /* after the calls were given up; also of zeros */
