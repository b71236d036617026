/* How much each service has credited, in memory: counted once when the service starts, and with each commit from then on, so that a service may ask
 * every second what Wallet has of it without a walk over its credits. Any thread. */
#pragma once

#include "base/limits.h"
#include "base/text.h"

#define CALLERS_MAX 256u /* further ones are not counted; only so many can be trusted at once, but those of before are remembered too */

struct caller_count {
    int64_t credits;
    uint8_t last_reference_size;
    char last_reference[LIMIT_REFERENCE_BYTES]; /* of its newest credit */
};

struct callers;
struct result callers_create(struct callers **ret_callers) MUST_CHECK; /* RESULT_FULL */
void callers_free(struct callers *callers);
/* So many credits more, the newest of them with this reference. */
void callers_add(struct callers *callers, struct text name, int64_t credits, struct text reference);
/* Zero for one that has credited nothing. */
struct caller_count callers_find(struct callers *callers, struct text name);
