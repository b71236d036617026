/* Transfers: the one way money moves, and a user's own to another user. A transfer and its two entries are never changed. */
#pragma once

#include "wallet/core/accounts.h"
#include "wallet/core/outcome.h"

/* What each is, and does, is a row in transfers.c. */
enum transfer_kind {
    TRANSFER_CREDIT = 1,           /* issuance or fund → user, by a service */
    TRANSFER_USER = 2,             /* user → user */
    TRANSFER_OPEN = 3,             /* issuance → fund */
    TRANSFER_TOPUP = 4,            /* issuance → fund */
    TRANSFER_RELEASE = 5,          /* fund → issuance */
    TRANSFER_PAYMENT = 6,          /* user → merchant, by a service */
    TRANSFER_HOLD = 7,             /* of a user's, for a merchant or nobody yet: nothing moves */
    TRANSFER_CAPTURE = 8,          /* user → merchant, out of a hold */
    TRANSFER_HOLD_RELEASE = 9,     /* what is left of a hold is free again; nothing moves, as with the next */
    TRANSFER_HOLD_EXPIRY = 10,     /* the same, because its time has come */
    TRANSFER_REVERSAL = 11,        /* back to where the money came from, in whole or in part */
    TRANSFER_CREDIT_REVERSAL = 12, /* the same, of a credit by the service that gave it */
    TRANSFER_ADJUSTMENT = 13       /* issuance → user or merchant, or back, by an administrator who says why */
};

#define TRANSFER_KIND_LAST TRANSFER_ADJUSTMENT

struct transfer {
    int64_t sequence;
    struct id id;
    enum transfer_kind kind;
    int64_t debit_account, debit_sequence, debit_balance_after;
    int64_t credit_account, credit_sequence, credit_balance_after;
    struct money amount;
    int64_t origin;        /* the sequence of the hold or of the transfer that this one is about; 0: none */
    int64_t expires_at_us; /* TRANSFER_HOLD; else 0 */
    struct text caller;    /* the service; empty for users */
    struct text reference; /* empty: none */
    struct text description, metadata;
    int64_t created_at_us;
    struct hash previous_hash, hash;
};

/* Under which an account's entry stands: those of an account are beside each other, the oldest first. */
#define ENTRY_SEQUENCE_MAX INT64_C(4294967295)
#define ENTRY_ACCOUNT_MAX  INT64_C(2147483647)
int64_t entry_key(int64_t account, int64_t sequence); /* 1 to ENTRY_ACCOUNT_MAX, 0 to ENTRY_SEQUENCE_MAX */

struct posting {
    enum transfer_kind kind;
    struct account *debit, *credit; /* two of the working set, or drafts; `credit` NULL: a hold for nobody yet */
    struct money amount;            /* 1 to MONEY_AMOUNT_MAX */
    int64_t origin;
    int64_t expires_in_us; /* TRANSFER_HOLD */
    int64_t spent_at_us;   /* of what is given back: when it was spent; else 0 */
    bool is_reserved;      /* the amount is among what is pending: a capture, and what frees a hold */
    bool may_overdraw;     /* the debit may go below its floor */
    struct text caller, reference, description, metadata;
};
/* Moves the money, or, for the kinds of which nothing moves, only what is pending; or says why not and changes nothing. The transfer's texts are the
 * posting's. */
enum ledger_outcome ledger_post(struct ledger *ledger, const struct posting *posting, int64_t now_us, const struct transfer **ret_transfer);
/* What ledger_post would say. A limit that is reached stands in ledger->reached. */
enum ledger_outcome posting_outcome(struct ledger *ledger, const struct posting *posting, int64_t now_us);

enum recipient_kind { RECIPIENT_USERNAME, RECIPIENT_PHONE, RECIPIENT_ACCOUNT };
struct transfer_command {
    struct id user_id;
    enum recipient_kind recipient;
    struct text recipient_name; /* folded to lower case */
    struct phone recipient_phone;
    struct id recipient_account;
    struct money amount;
    struct text reference; /* the sender's own word for it, which nobody compares; empty: none */
    struct text description, metadata;
};
enum ledger_outcome ledger_transfer(struct ledger *ledger, const struct transfer_command *command, int64_t now_us,
                                    const struct transfer **ret_transfer);

const char *transfer_kind_name(enum transfer_kind kind);
/* Whether it has entries: the others change what is pending. */
bool transfer_kind_moves(enum transfer_kind kind);
/* Whether the entry on that side keeps what its line in a history shows: those of funds and of issuance don't. */
bool transfer_kind_is_shown(enum transfer_kind kind, bool is_credit);
/* Whether its line names who is on the other side: a user, or a merchant. */
bool transfer_kind_names_other(enum transfer_kind kind);
/* Whether its owner, or a service for him, lets go of the money by it: limits of a day and a month count it. */
bool transfer_kind_spends(enum transfer_kind kind);
/* Whether it can be taken back by its id. */
bool transfer_kind_is_reversible(enum transfer_kind kind);
