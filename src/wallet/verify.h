/* Proves the books: every rule of docs/ledger.md that a reader can check, over one state of the database, without changing it. */
#pragma once

#include "base/money.h"
#include "service/progress.h"
#include "store/batch.h"

struct verify_report {
    int64_t transfers, entries, accounts, users, funds, holds, credits;
    int64_t issued_minor[CURRENCY_COUNT]; /* of each: Σ of all balances but issuance's, = what issuance is below zero */
    bool is_issued[CURRENCY_COUNT];       /* it has issuance */
    char head[65];                        /* hash of the newest transfer, in hex */
    bool is_sound;
    char finding[512]; /* the first row that breaks a rule */
};

/* Reads one state of a live or a stopped system. RESULT_IO and the like: it could not be read. A broken rule is no error: see is_sound. */
struct result verify_books(struct batch *batch, struct progress *progress, struct verify_report *ret_report) MUST_CHECK;
void verify_print(const struct verify_report *report, FILE *out);
