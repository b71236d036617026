/* Who may try passwords, and register, and how often: counted before anything is hashed, so that guesses side by side are counted too. What matches is
 * given back: a crowd that knows its passwords is never slowed, however many stand behind one address.
 *
 * Where a user has logged in before is known (sessions.client), and has a budget of its own per user and address: what strangers try elsewhere takes
 * nothing of it. All others pay three times: for the user and address, for the user over all addresses, and for the address over all users.
 * An unknown name is counted like a user's, or the wait would tell who exists. docs/budgets.md has the figures. Any thread; times are monotonic. */
#pragma once

#include "base/address.h"
#include "base/id.h"
#include "base/result.h"

struct attempts;

/* `username` as it is counted: folded, or what was typed; `client` is exchange_payer. */
struct attempt {
    struct text username;
    struct address client;
    bool is_known; /* the user has logged in from there before */
};

/* `is_on` false: no password and no registration is ever refused (--password-cost low). RESULT_FULL: no memory. */
struct result attempts_create(bool is_on, struct attempts **ret_attempts) MUST_CHECK;
void attempts_free(struct attempts *attempts);
void attempts_register_metrics(void); /* once per process */

/* How long it must wait; 0: it need not. Counts nothing. */
int64_t attempts_wait_us(struct attempts *attempts, const struct attempt *attempt, int64_t now_us);
/* The same of a client of whom it is not known yet whether it is known: 0 when either may try. */
int64_t attempts_wait_of_anybody_us(struct attempts *attempts, const struct attempt *attempt, int64_t now_us);
/* Counts one, which has failed until it is said to have succeeded: 0, or how long it must wait, and nothing is counted. */
int64_t attempts_begin(struct attempts *attempts, const struct attempt *attempt, int64_t now_us);
void attempts_succeeded(struct attempts *attempts, const struct attempt *attempt, int64_t now_us);

/* Recipients that do not exist: whoever may name as many as they like finds out whose phone has a wallet. Also counted when the others are not. */
int64_t attempts_recipient_wait_us(struct attempts *attempts, struct id user_id, int64_t now_us);
void attempts_count_recipient(struct attempts *attempts, struct id user_id, struct address client, int64_t now_us);

/* The same as of passwords, of registrations, which count whatever comes of them: who may register could find out which names are taken. */
int64_t attempts_register_wait_us(struct attempts *attempts, struct address client, int64_t now_us);
int64_t attempts_begin_register(struct attempts *attempts, struct address client, int64_t now_us);
