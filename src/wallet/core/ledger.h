/* The working set: the rows that one batch of commands names, in memory, and how a decision finds them.
 *
 * src/wallet/core/ is pure: no I/O, no clock, no randomness, no threads. Time and ids are handed in, and the rows stand here.
 *
 *   load ─▶ rows the batch names ─▶ decide, command by command, in order ─▶ rows that are new or changed ─▶ save
 *
 * Contract of load: every row that a command names and that exists is in the working set; a row that is not there does not exist.
 * Each command validates first and applies then: one that is refused changes nothing. What must be true before a decision and after it is
 * asserted where it is made; a row of the database that breaks the same rules is refused when it is loaded, and never comes here.
 *
 * Beside it: accounts (what a balance is), transfers (the one way money moves), chain (their hashes), references (what was done before),
 * credits, funds, holds, merchants, payments, reversals, users, sessions. Each header gives its rows, its commands, and its decisions; outcome.h what they come to. */
#pragma once

#include "base/arena.h"
#include "base/crypto.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/money.h"
#include "base/phone.h"

/* A batch weighs at most LIMIT_STORE_BATCH_WEIGHT and a command weighs at least the transfers it may make, so these can't be exceeded. */
#define LEDGER_TRANSFERS_MAX LIMIT_STORE_BATCH_WEIGHT
/* Of each table: a credit, which weighs one, names its user's account in the main currency, the one in its own, and a fund's; and each currency has issuance. */
#define LEDGER_ROWS_MAX    (3u * LIMIT_STORE_BATCH_WEIGHT + CURRENCY_COUNT)
#define LEDGER_ARENA_BYTES (256u * 1024 * 1024)

struct account;
struct user;
struct session;
struct refresh_token;
struct fund;
struct known_reference;
struct original;
struct merchant;
struct hold;
struct transfer;

/* Each row says what save has to do with it. */
enum row_state { ROW_KEPT = 0, ROW_NEW, ROW_CHANGED };
static inline void row_change(enum row_state *state) {
    if (*state == ROW_KEPT) *state = ROW_CHANGED; /* a new one stays new */
}

struct ledger_head {
    int64_t sequence; /* 0: no transfer yet, and the hash is zero */
    struct hash hash;
    int64_t created_at_us;
};

/* Rows in order of their coming, so that save finds them. */
struct ledger_table {
    void **rows;
    size_t count;
};

struct period {
    int64_t from_us, until_us;
};
/* In which day and in which month a moment lies, as the service's time zone counts them. */
struct calendar {
    void (*find)(const void *zone, int64_t moment_us, struct period *ret_day, struct period *ret_month);
    const void *zone;
};

/* Which limit a refused movement has come up against. */
struct limit_reached {
    int64_t limit_minor, left_minor;
    int64_t until_us; /* of a daily or a monthly one: when it begins anew; else 0 */
};

struct ledger {
    struct arena arena;     /* of the batch: every row lives in it */
    enum currency currency; /* the main one: whoever is registered has an account in it, and others from what comes first in them */
    struct id_source *ids;
    struct calendar calendar;     /* whoever has accounts with a daily or a monthly limit says it before the first command */
    struct period day, month;     /* of the newest moment that it was asked for */
    struct limit_reached reached; /* of the newest refusal that outcome_is_limit */
    struct ledger_head head;
    int64_t last_account_number;
    struct account *issuances[CURRENCY_COUNT]; /* by currency; NULL: there is none yet, or, of the main one, it is not loaded */
    struct ledger_table accounts, users, sessions, tokens, funds, references, transfers, originals, merchants, holds;
    struct map accounts_by_id, accounts_by_user;
    struct map users_by_id, users_by_name, users_by_phone;
    struct map sessions_by_id, tokens_by_key, funds_by_key, references_by_key;
    struct map originals_by_id, originals_by_key, merchants_by_id, merchants_by_name, merchants_by_till, holds_by_id, holds_by_key;
};

/* `ids` must outlive the ledger. RESULT_FULL: no memory. */
struct result ledger_init(struct ledger *ledger, enum currency currency, struct id_source *ids) MUST_CHECK;
void ledger_free(struct ledger *ledger);
void ledger_clear(struct ledger *ledger); /* forgets all rows: before a load, and after a rollback */

/* ---- rows that come in, by load or as new ones: copied unless they are there already, with their texts. RESULT_FULL: no
 * memory; RESULT_CORRUPT: it breaks a rule that its account_fault or fund_fault tells. ---- */
struct result ledger_add_account(struct ledger *ledger, const struct account *row, struct account **ret_account) MUST_CHECK;
struct result ledger_add_user(struct ledger *ledger, const struct user *row) MUST_CHECK;
struct result ledger_add_session(struct ledger *ledger, const struct session *row) MUST_CHECK;
struct result ledger_add_token(struct ledger *ledger, const struct refresh_token *row) MUST_CHECK;
struct result ledger_add_fund(struct ledger *ledger, const struct fund *row) MUST_CHECK; /* its account was added before */
struct result ledger_add_reference(struct ledger *ledger, const struct known_reference *row) MUST_CHECK;
struct result ledger_add_original(struct ledger *ledger,
                                  const struct original *row) MUST_CHECK; /* its accounts and its fund were added before */
struct result ledger_add_merchant(struct ledger *ledger, const struct merchant *row) MUST_CHECK; /* its account was added before */
struct result ledger_add_hold(struct ledger *ledger, const struct hold *row) MUST_CHECK;         /* the same */
/* A new transfer, to be filled in: it lives as long as the batch. */
struct transfer *ledger_add_transfer(struct ledger *ledger);

/* ---- NULL: not in the working set, hence, after load, not at all ---- */
struct account *ledger_find_account(const struct ledger *ledger, struct id id);
struct account *ledger_find_account_of_user(const struct ledger *ledger, struct id user_id); /* in the main currency: every user has it */
struct account *ledger_find_wallet(const struct ledger *ledger, struct id user_id, enum currency currency);
struct user *ledger_find_user(const struct ledger *ledger, struct id id);
struct user *ledger_find_user_by_name(const struct ledger *ledger, struct text name);
/* Whoever is found by a number from now on, it is not found by the one of before. Empty: none. */
void ledger_set_user_phone(struct ledger *ledger, struct user *user, const struct phone *phone, bool is_verified);
struct user *ledger_find_user_by_phone(const struct ledger *ledger, const struct phone *phone);
struct session *ledger_find_session(const struct ledger *ledger, struct id id);
struct refresh_token *ledger_find_token(const struct ledger *ledger, struct id session_id, const struct hash *hash);
struct fund *ledger_find_fund(const struct ledger *ledger, struct text caller, struct text reference);
struct original *ledger_find_original(const struct ledger *ledger, struct id id);
struct original *ledger_find_credit(const struct ledger *ledger, struct text caller, struct text reference); /* an original, too */
/* The merchant itself, that is its account in the main currency; and one of its tills. */
struct merchant *ledger_find_merchant(const struct ledger *ledger, struct id id);
struct merchant *ledger_find_merchant_by_name(const struct ledger *ledger, struct text name);
struct merchant *ledger_find_till(const struct ledger *ledger, const struct merchant *merchant, enum currency currency);
struct hold *ledger_find_hold(const struct ledger *ledger, struct id id);
struct hold *ledger_find_hold_by_reference(const struct ledger *ledger, struct text caller, struct text reference);
struct known_reference *ledger_find_reference(const struct ledger *ledger, struct text key);

/* Two names as one key: neither a caller nor a reference contains a NUL, they are printable ASCII. Gives the size. */
size_t ledger_join_key(struct text first, struct text second, char *buffer, size_t capacity);
