/* Failed passwords, counted by username and address (exchange_payer): after ATTEMPTS_FREE failures each further one must wait, longer each time. A success
 * forgets them. Only failures count, so that a crowd logging in from one address is not slowed. Any thread. */
#pragma once

#include "base/address.h"

#define ATTEMPTS_FREE            10
#define ATTEMPTS_FIRST_WAIT_US   INT64_C(5000000)
#define ATTEMPTS_LONGEST_WAIT_US INT64_C(900000000)
#define ATTEMPTS_FORGET_US       INT64_C(3600000000) /* after so long without a failure */
#define ATTEMPTS_MAX             65536u              /* the oldest of a group of four gives way */

struct attempts;
struct result attempts_create(struct attempts **ret_attempts) MUST_CHECK; /* RESULT_FULL: no memory */
void attempts_free(struct attempts *attempts);
/* 0: go on; otherwise so many microseconds to wait. `now_us` is monotonic, here and below. */
int64_t attempts_wait_us(struct attempts *attempts, struct text username, struct address address, int64_t now_us);
void attempts_failed(struct attempts *attempts, struct text username, struct address address, int64_t now_us);
void attempts_succeeded(struct attempts *attempts, struct text username, struct address address);
