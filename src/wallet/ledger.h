/* The books: a pure core. No I/O, no clock, no randomness, no threads: time and ids are handed in, and the rows stand in a working set.
 *
 *   load ─▶ rows the batch names ─▶ decide, command by command, in order ─▶ rows that are new or changed ─▶ save
 *
 * Contract of load: every row that a command names and that exists is in the working set; a row that is not there does not exist.
 * Each command validates first and applies then: one that is refused changes nothing. Transfers and their two entries are never changed.
 *
 * Accounts are kept as TigerBeetle keeps them: sums of posted and pending debits and credits. The balance is credits_posted -
 * debits_posted; what may be taken is less by debits_pending. docs/ledger.md says what is hashed and why. */
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
#define LEDGER_ROWS_MAX      (3u * LIMIT_STORE_BATCH_WEIGHT) /* of each table: a transfer names two accounts, and its maker one user more */
#define LEDGER_ARENA_BYTES   (256u * 1024 * 1024)

enum account_kind { ACCOUNT_USER = 1, ACCOUNT_FUND = 2, ACCOUNT_ISSUANCE = 3 };
enum transfer_kind {
    TRANSFER_CREDIT = 1, /* issuance or fund → user, by a service */
    TRANSFER_USER = 2,   /* user → user */
    TRANSFER_OPEN = 3,   /* issuance → fund */
    TRANSFER_TOPUP = 4,  /* issuance → fund */
    TRANSFER_RELEASE = 5 /* fund → issuance */
};
enum row_state { ROW_KEPT = 0, ROW_NEW, ROW_CHANGED };

struct account {
    enum row_state state;
    int64_t number; /* 1, 2, 3, … */
    struct id id;
    enum account_kind kind;
    struct id user_id; /* ACCOUNT_USER; else zero */
    enum currency currency;
    int64_t debits_posted, credits_posted, debits_pending, credits_pending;
    int64_t sequence; /* of its newest entry; 0: none */
    int64_t floor_minor;
    bool is_frozen;
    int64_t created_at_us, updated_at_us;
};

struct user {
    enum row_state state;
    struct id id;
    uint8_t name_size;
    char name[LIMIT_USERNAME_BYTES]; /* lower case */
    struct phone phone;
    char password_hash[CRYPTO_PASSWORD_HASH_BYTES];
    bool is_admin;
    int64_t created_at_us;
    /* A change of password ends every session that was made before it but one. */
    struct id sessions_cutoff; /* sessions with smaller ids are over; zero: none are */
    struct id kept_session;
    int64_t sessions_ended_at_us;
};

struct session {
    enum row_state state;
    struct id id;
    struct id user_id;
    int64_t generation; /* of the one refresh token that is good */
    int64_t created_at_us, expires_at_us;
    int64_t ended_at_us; /* 0: it lives */
};

struct refresh_token {
    enum row_state state;
    struct id session_id;
    struct hash hash;
    int64_t generation;
    int64_t expires_at_us;
};

struct fund {
    enum row_state state;
    struct text caller, reference;
    struct account *account;
    int64_t opened_minor;                                 /* the first amount: what the same request again is compared with */
    int64_t funded_minor, credited_minor, released_minor; /* funded = credited + remaining + released */
    bool is_released;
    struct text description;
    int64_t created_at_us, updated_at_us;
};

struct transfer {
    int64_t sequence;
    struct id id;
    enum transfer_kind kind;
    int64_t debit_account, debit_sequence, debit_balance_after;
    int64_t credit_account, credit_sequence, credit_balance_after;
    struct money amount;
    struct text caller;    /* the service; empty for users */
    struct text reference; /* empty: none */
    struct text description, metadata;
    int64_t created_at_us;
    struct hash previous_hash, hash;
};

/* What a reference was used for: enough to recognise the same request again and to answer it as the first time. */
struct known_reference {
    struct text key; /* see ledger_credit_key, ledger_topup_key */
    int64_t debit_account, credit_account;
    struct money amount;
    struct id transaction_id;
    int64_t balance_after; /* of the account that was credited */
    int64_t created_at_us;
};

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

struct ledger {
    struct arena arena; /* of the batch: every row lives in it */
    enum currency currency;
    struct id_source *ids;
    struct ledger_head head;
    int64_t last_account_number;
    struct account *issuance; /* NULL when not loaded */
    struct ledger_table accounts, users, sessions, tokens, funds, references, transfers;
    struct map accounts_by_number, accounts_by_id, accounts_by_user;
    struct map users_by_id, users_by_name, users_by_phone;
    struct map sessions_by_id, tokens_by_key, funds_by_key, references_by_key;
};

/* `ids` must outlive the ledger. RESULT_FULL: no memory. */
struct result ledger_init(struct ledger *ledger, enum currency currency, struct id_source *ids) MUST_CHECK;
void ledger_free(struct ledger *ledger);
void ledger_clear(struct ledger *ledger); /* forgets all rows: before a load, and after a rollback */

/* ---- for load: copies a row into the working set unless it is there already; texts are copied too. RESULT_FULL. ---- */
struct result ledger_add_account(struct ledger *ledger, const struct account *row, struct account **ret_account) MUST_CHECK;
struct result ledger_add_user(struct ledger *ledger, const struct user *row) MUST_CHECK;
struct result ledger_add_session(struct ledger *ledger, const struct session *row) MUST_CHECK;
struct result ledger_add_token(struct ledger *ledger, const struct refresh_token *row) MUST_CHECK;
struct result ledger_add_fund(struct ledger *ledger, const struct fund *row) MUST_CHECK; /* its account was added before */
struct result ledger_add_reference(struct ledger *ledger, const struct known_reference *row) MUST_CHECK;

/* NULL: not in the working set, hence, after load, not at all. */
struct account *ledger_find_account(const struct ledger *ledger, struct id id);
struct account *ledger_find_account_by_number(const struct ledger *ledger, int64_t number);
struct account *ledger_find_account_of_user(const struct ledger *ledger, struct id user_id);
struct user *ledger_find_user(const struct ledger *ledger, struct id id);
struct user *ledger_find_user_by_name(const struct ledger *ledger, struct text name);
struct user *ledger_find_user_by_phone(const struct ledger *ledger, const struct phone *phone);
struct session *ledger_find_session(const struct ledger *ledger, struct id id);
struct refresh_token *ledger_find_token(const struct ledger *ledger, struct id session_id, const struct hash *hash);
struct fund *ledger_find_fund(const struct ledger *ledger, struct text caller, struct text reference);
struct known_reference *ledger_find_reference(const struct ledger *ledger, struct text key);

/* Keys of known references; `buffer` holds the key for as long as it is used. */
#define LEDGER_KEY_BYTES (2u * LIMIT_REFERENCE_BYTES + 16u)
struct ledger_key {
    size_t size;
    char bytes[LEDGER_KEY_BYTES];
};
static inline struct text ledger_key_text(const struct ledger_key *key) { return (struct text){key->bytes, key->size}; }
void ledger_credit_key(struct text caller, struct text reference, struct ledger_key *ret_key);
void ledger_topup_key(int64_t fund_account, struct text reference, struct ledger_key *ret_key);

static inline int64_t account_balance(const struct account *account) { return account->credits_posted - account->debits_posted; }
static inline int64_t account_available(const struct account *account) { return account_balance(account) - account->debits_pending; }
static inline struct text user_name(const struct user *user) { return (struct text){user->name, user->name_size}; }
/* Alive: not ended, not over by a change of password, not expired. */
bool session_is_alive(const struct session *session, const struct user *user, int64_t now_us);
bool session_is_cut_off(struct id session_id, struct id cutoff, struct id kept);

/* ---- decisions ---- */
enum ledger_outcome {
    LEDGER_APPLIED = 0,
    LEDGER_REPLAYED, /* done before: the first answer again */
    LEDGER_USERNAME_TAKEN,
    LEDGER_PHONE_TAKEN,
    LEDGER_INVALID_CREDENTIALS,
    LEDGER_TOKEN_INVALID, /* the next three are about refresh tokens */
    LEDGER_TOKEN_EXPIRED,
    LEDGER_TOKEN_REVOKED, /* the session is over; a used token ends it */
    LEDGER_USER_NOT_FOUND,
    LEDGER_ACCOUNT_FROZEN,
    LEDGER_CURRENCY_MISMATCH,
    LEDGER_BALANCE_TOO_LARGE, /* a sum would leave the range of money */
    LEDGER_INSUFFICIENT_FUNDS,
    LEDGER_RECIPIENT_NOT_FOUND,
    LEDGER_SAME_ACCOUNT,
    LEDGER_REFERENCE_CONFLICT,
    LEDGER_FUND_NOT_FOUND,
    LEDGER_FUND_EXHAUSTED,
    LEDGER_FUND_RELEASED,
    LEDGER_FUND_REFERENCE_CONFLICT,
};
const char *ledger_outcome_code(enum ledger_outcome outcome); /* "insufficient_funds"; the problem code and the credit item's code */

struct register_command {
    struct text name; /* folded to lower case */
    struct phone phone;
    const char *password_hash; /* terminated */
    bool is_admin;
};
enum ledger_outcome ledger_register_user(struct ledger *ledger, const struct register_command *command, int64_t now_us,
                                         struct user **ret_user);

struct session_command {
    struct id user_id;
    const char *password_hash; /* the one that matched: a password changed since then refuses */
    struct hash token_hash;    /* of the refresh token's secret */
    int64_t refresh_lifetime_us;
};
enum ledger_outcome ledger_start_session(struct ledger *ledger, const struct session_command *command, int64_t now_us,
                                         struct session **ret_session);

struct refresh_command {
    struct id session_id;
    struct hash token_hash, next_token_hash;
    int64_t refresh_lifetime_us;
};
enum ledger_outcome ledger_refresh_session(struct ledger *ledger, const struct refresh_command *command, int64_t now_us,
                                           struct session **ret_session);

/* An unknown or ended session is no error: it is over either way. */
enum ledger_outcome ledger_end_session(struct ledger *ledger, struct id session_id, int64_t now_us);

struct password_command {
    struct id user_id;
    struct id session_id; /* this one goes on */
    const char *password_hash, *next_password_hash;
};
enum ledger_outcome ledger_change_password(struct ledger *ledger, const struct password_command *command, int64_t now_us);

struct credit_item {
    struct text reference;
    struct id user_id;
    struct money amount;
    struct text fund; /* empty: out of issuance */
    struct text description, metadata;
};
struct credit_outcome {
    enum ledger_outcome outcome;
    struct id transaction_id; /* applied and replayed */
    int64_t balance_after;
    int64_t created_at_us;
};
struct credit_outcome ledger_credit(struct ledger *ledger, struct text caller, const struct credit_item *item, int64_t now_us);

struct fund_command {
    struct text caller, reference;
    struct money amount;
    struct text description;     /* open */
    struct text topup_reference; /* top up; empty: none */
};
enum ledger_outcome ledger_open_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund);
enum ledger_outcome ledger_topup_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund);
enum ledger_outcome ledger_release_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund);

enum recipient_kind { RECIPIENT_USERNAME, RECIPIENT_PHONE, RECIPIENT_ACCOUNT };
struct transfer_command {
    struct id user_id;
    enum recipient_kind recipient;
    struct text recipient_name; /* folded to lower case */
    struct phone recipient_phone;
    struct id recipient_account;
    struct money amount;
    struct text description;
};
enum ledger_outcome ledger_transfer(struct ledger *ledger, const struct transfer_command *command, int64_t now_us,
                                    const struct transfer **ret_transfer);

/* ---- the chain (ledger_hash.c) ---- */

/* BLAKE2b-256 over the canonical encoding of everything in the transfer but `hash` itself; docs/ledger.md. */
struct hash transfer_hash(const struct transfer *transfer);

const char *transfer_kind_name(enum transfer_kind kind);
const char *account_kind_name(enum account_kind kind);

/* ---- shared by the core's files, not for others ---- */
struct posting {
    enum transfer_kind kind;
    struct account *debit, *credit;
    struct money amount;
    struct text caller, reference, description, metadata;
};
/* Moves the money, or says why not and changes nothing. */
enum ledger_outcome ledger_post(struct ledger *ledger, const struct posting *posting, int64_t now_us, const struct transfer **ret_transfer);
/* A new account with the next number, in the working set. `id` names it. */
struct account *ledger_open_account(struct ledger *ledger, enum account_kind kind, struct id user_id, enum currency currency,
                                    int64_t now_us);
struct account account_new(int64_t number, struct id id, enum account_kind kind, struct id user_id, enum currency currency, int64_t now_us);
