/* Phone numbers that were kept before libphonenumber said what a number is: one may stand there in a form that nobody's typing leads to any more
 * ("+490170…" for +49 170…). A migration has written down which may be such (`old_phones`); the first start afterwards looks at each, once. */
#pragma once

#include "store/batch.h"

/* A service's questions. `key` is what names a row with a phone: COLUMN_ID or COLUMN_INTEGER. */
struct phone_questions {
    enum column key;
    struct question left;     /* $1 rows of what is left: key, phone */
    struct question taken;    /* $1 key, $2 phone: a row when another one has this phone, who could not have it too */
    struct question change;   /* $1 key, $2 phone */
    struct question reviewed; /* $1 key: it is not left any more */
};

/* Before anybody is served, by the writer. One whose form belongs to another already stays as it is, with a line in the log. What batch_run and
 * batch_commit say; begun anew at the next start. */
struct result phones_review(struct batch *batch, const struct phone_questions *questions) MUST_CHECK;
