/* Asks who answers at Wallet's address (GET /v1/instance), every two seconds, whatever else is or is not to be sent; keeps in the database whom it has
 * met; and hears the operator's word. A ledger that is shorter than it was is an older copy: the books are compared (comparison.h).
 *
 * What /readyz says of Wallet comes from here. It is away when this question finds nobody in two seconds, or a proxy in front of nobody, and there as soon as
 * any call is answered: what Wallet thinks of our calls is not meant.
 *
 * The word is a file in the data folder, `trust-wallet`, with the id of a Wallet, which `discountd trust-wallet` writes: the database has one writer, and it
 * may be running. It is taken when exactly this Wallet answers, and removed when that is on disk. The settler's thread. */
#pragma once

#include "discount/settle/backoff.h"
#include "discount/settle/calls.h"
#include "discount/settle/messages.h"

#define TRUST_FILE_NAME "trust-wallet"

struct greeting {
    struct calls *calls;
    struct messages *messages;
    const char *trust_path; /* NULL: there is no such file */
    struct http_call call;
    struct arena arena; /* of the call under way */
    int64_t sequence;   /* of its ledger, the last time */
    bool is_asking, is_keeping;
    bool has_word;  /* ours is the operator's word: the file may go when it is on disk */
    struct id left; /* whom it was said against */
    int64_t due_us; /* monotonic: when to ask next */
    struct backoff backoff;
    struct own_operation own;
};

/* With all that is lent set. */
void greeting_run(struct greeting *greeting, int64_t now_us); /* asks and keeps what is due */
int64_t greeting_next_us(const struct greeting *greeting);    /* INT64_MAX: nothing before something comes back */
void greeting_free(struct greeting *greeting);                /* after the calls were given up; also of zeros */
/* The file's content. RESULT_NOT_FOUND: there is none; RESULT_INVALID: it names nobody; or what file_read says. */
struct result greeting_read_word(const char *path, struct id *ret_id) MUST_CHECK;
struct result greeting_write_word(const char *path, struct id id) MUST_CHECK;
