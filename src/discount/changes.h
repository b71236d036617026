/* Acts of administrators on a campaign, out of the audit log. */
#pragma once

#include "base/id.h"
#include "base/text.h"
#include "store/batch.h"

#define CHANGE_BYTES 8192u /* of its JSON, at most: who does more in one act has it in the audit log */

struct change_found {
    int64_t audit_sequence;
    int64_t sequence; /* of the campaign; 0: it was not written down then */
    struct text data; /* JSON in one line, until the visitor returns */
};
typedef void change_visitor(void *context, const struct change_found *found);

enum changes_order { CHANGES_AFTER /* oldest first */, CHANGES_BEFORE /* newest first */ };
/* Those behind or before this entry of the audit log. RESULT_CORRUPT, RESULT_UNAVAILABLE, RESULT_TIMEOUT, RESULT_IO, RESULT_FULL. */
struct result changes_read(struct batch *batch, enum changes_order order, struct id campaign_id, int64_t audit_sequence, int64_t limit,
                           change_visitor *visit, void *context) MUST_CHECK;
