/* From the text of a question to the text that PostgreSQL is given. A question that is asked many times in one trip is asked once, of arrays:
 *
 *   SELECT …              SELECT asked.asked_ordinal, answer.* FROM unnest($1::bigint[], …) WITH ORDINALITY AS asked (…) CROSS JOIN LATERAL (…) AS answer
 *   INSERT … VALUES (…)   INSERT … SELECT … FROM unnest(…)
 *   INSERT … SELECT …     INSERT … SELECT answer.* FROM unnest(…) CROSS JOIN LATERAL (SELECT …) AS answer
 *   UPDATE, DELETE        with the arrays in their FROM or USING
 *
 * where $k becomes asked.asked_k. A text that names arrays itself, unnest($1::…, is sent as it stands: its first column is the ordinal of who asks,
 * from 1, in whose order the rows come. */
#pragma once

#include "store/batch.h"

enum gather_form {
    GATHER_ONE = 0,  /* the parameters are single values */
    GATHER_MANY = 1, /* the parameters are arrays of one length */
    GATHER_CHECKED =
        2, /* flag, of writes: two more integers, the rows due and how many of those who ask are due any. Fails where they are missed. */
};
#define GATHER_FORMS 4

/* A terminated text of malloc. RESULT_INVALID: not a text that can be gathered, a mistake in our code; RESULT_FULL. */
struct result gather_text(const struct question *question, unsigned form, char **ret_text) MUST_CHECK;
/* The question is asked of arrays whoever asks. */
bool gather_is_many_only(const struct question *question);
/* An insertion that writes its row or fails: there is nothing to count. */
bool gather_writes_always(const struct question *question);
