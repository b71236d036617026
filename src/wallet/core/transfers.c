#include "wallet/core/transfers.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/chain.h"
#include "wallet/core/limits.h"
#include "wallet/core/users.h"

/* ---- may it be? ---- */

/* A credit is taken back by its service while the money is there to be taken: that there is a floor is none of its business. */
static enum ledger_outcome refusal_below_floor(struct ledger *ledger, const struct posting *posting) {
    const struct account *account = posting->debit;
    bool is_there = account_available(account).amount_minor >= posting->amount.amount_minor;
    switch (account->kind) {
    case ACCOUNT_USER:
    case ACCOUNT_MERCHANT:
        if (!is_there || posting->kind == TRANSFER_CREDIT_REVERSAL) return LEDGER_INSUFFICIENT_FUNDS;
        limits_reach_floor(ledger, account);
        return LEDGER_FLOOR_REACHED;
    case ACCOUNT_FUND: return LEDGER_FUND_EXHAUSTED;
    case ACCOUNT_ISSUANCE: return LEDGER_BALANCE_TOO_LARGE;
    }
    return LEDGER_BALANCE_TOO_LARGE;
}

/* What is reserved to leave counts as gone, unless it leaves out of that. */
static bool has_room_to_give(const struct posting *posting) {
    struct money rest;
    const struct account *account = posting->debit;
    bool is_in_range = result_is_ok(money_subtract(account_available(account), posting->amount, &rest));
    return is_in_range && (posting->may_overdraw || rest.amount_minor >= account->floor_minor);
}

/* What is reserved to come counts against the ceiling. */
static bool has_room_to_take(const struct account *account, struct money amount) {
    struct money expected, sum, coming = {account->credits_pending, account->currency};
    return result_is_ok(money_add(account_balance(account), coming, &expected)) && result_is_ok(money_add(expected, amount, &sum));
}

static enum ledger_outcome moving_outcome(const struct posting *posting) {
    const struct account *debit = posting->debit, *credit = posting->credit;
    int64_t total;
    bool fits = has_room_to_take(credit, posting->amount) &&
                result_is_ok(money_add_to_total(debit->debits_posted, posting->amount, &total)) &&
                result_is_ok(money_add_to_total(credit->credits_posted, posting->amount, &total));
    return fits ? LEDGER_APPLIED : LEDGER_BALANCE_TOO_LARGE;
}

/* Freeing what is held takes nothing from anybody: a frozen account is no reason against it. */
static bool frees(enum transfer_kind kind) { return kind == TRANSFER_HOLD_RELEASE || kind == TRANSFER_HOLD_EXPIRY; }

enum ledger_outcome posting_outcome(struct ledger *ledger, const struct posting *posting, int64_t now_us) {
    const struct account *debit = posting->debit, *credit = posting->credit;
    struct money amount = posting->amount;
    CHECK(amount.amount_minor >= 1 && amount.amount_minor <= MONEY_AMOUNT_MAX && debit != credit);
    CHECK(account_fault(debit) == NULL && (credit == NULL || account_fault(credit) == NULL));
    CHECK(credit != NULL || !transfer_kind_moves(posting->kind));
    CHECK(!posting->is_reserved || debit->debits_pending >= amount.amount_minor);
    if (frees(posting->kind)) return LEDGER_APPLIED;
    if (debit->currency != amount.currency || (credit != NULL && credit->currency != amount.currency)) return LEDGER_CURRENCY_MISMATCH;
    if (debit->is_draft && debit->kind == ACCOUNT_USER) return LEDGER_CURRENCY_MISMATCH; /* nothing ever came in it: none may leave */
    if (debit->is_frozen || (credit != NULL && credit->is_frozen)) return LEDGER_ACCOUNT_FROZEN;
    if (debit->is_closed || (credit != NULL && credit->is_closed)) return LEDGER_ACCOUNT_CLOSED;
    if (!posting->is_reserved && !has_room_to_give(posting)) return refusal_below_floor(ledger, posting);
    if (debit->is_limited || (credit != NULL && credit->is_limited)) {
        enum ledger_outcome outcome = limits_outcome(ledger, posting, now_us);
        if (outcome != LEDGER_APPLIED) return outcome;
    }
    return transfer_kind_moves(posting->kind) ? moving_outcome(posting) : LEDGER_APPLIED;
}

/* ---- it is ---- */

static void add(int64_t *total_minor, struct money amount) {
    struct result added = money_add_to_total(*total_minor, amount, total_minor);
    CHECK(result_is_ok(added)); /* posting_outcome has tried it */
}

static void take_off(int64_t *pending_minor, struct money amount) {
    struct money rest;
    struct result taken = money_subtract((struct money){*pending_minor, amount.currency}, amount, &rest);
    CHECK(result_is_ok(taken) && rest.amount_minor >= 0);
    *pending_minor = rest.amount_minor;
}

static void touch(struct account *account, bool may_overdraw, int64_t now_us) {
    bool is_below = account_available(account).amount_minor < account->floor_minor;
    CHECK(!is_below || may_overdraw || account->is_overdrawn);
    account->is_overdrawn = is_below;
    account->updated_at_us = now_us;
    row_change(&account->state);
    CHECK(account_fault(account) == NULL);
}

static bool is_sum(struct money a, struct money b, struct money expected) {
    struct money sum;
    return result_is_ok(money_add(a, b, &sum)) && money_equal(sum, expected);
}

static void move(const struct posting *posting, int64_t now_us) {
    struct account *debit = posting->debit, *credit = posting->credit;
    struct money debit_before = account_balance(debit), credit_before = account_balance(credit);
    add(&debit->debits_posted, posting->amount);
    add(&credit->credits_posted, posting->amount);
    debit->sequence++;
    credit->sequence++;
    if (posting->is_reserved) take_off(&debit->debits_pending, posting->amount);
    touch(debit, posting->may_overdraw, now_us);
    touch(credit, false, now_us);
    CHECK(is_sum(account_balance(debit), posting->amount, debit_before)); /* what one gave is what the other got */
    CHECK(is_sum(credit_before, posting->amount, account_balance(credit)));
}

static void reserve(const struct posting *posting, int64_t now_us) {
    struct account *debit = posting->debit;
    if (frees(posting->kind))
        take_off(&debit->debits_pending, posting->amount);
    else
        add(&debit->debits_pending, posting->amount);
    touch(debit, false, now_us);
}

static struct account *open_draft(struct ledger *ledger, struct account *draft, int64_t now_us) {
    if (draft == NULL || !draft->is_draft) return draft;
    struct account *account = ledger_open_account(ledger, draft->kind, draft->user_id, draft->currency, now_us);
    *draft = *account;
    return account;
}

enum ledger_outcome ledger_post(struct ledger *ledger, const struct posting *posting, int64_t now_us,
                                const struct transfer **ret_transfer) {
    /* Time never goes back along the chain, not even when the clock did between two starts. */
    if (now_us < ledger->head.created_at_us) now_us = ledger->head.created_at_us;
    enum ledger_outcome outcome = posting_outcome(ledger, posting, now_us);
    if (outcome != LEDGER_APPLIED) return outcome;
    struct posting opened = *posting; /* between accounts of the working set alone */
    opened.debit = open_draft(ledger, posting->debit, now_us);
    opened.credit = open_draft(ledger, posting->credit, now_us);
    posting = &opened;

    const struct account *debit = posting->debit, *credit = posting->credit;
    bool moves = transfer_kind_moves(posting->kind);
    if (moves)
        move(posting, now_us);
    else
        reserve(posting, now_us);
    if (debit->is_limited || (credit != NULL && credit->is_limited)) limits_count(ledger, posting, now_us);

    struct transfer *transfer = ledger_add_transfer(ledger);
    *transfer = (struct transfer){
        .id = id_make(ledger->ids, now_us),
        .kind = posting->kind,
        .debit_account = debit->number,
        .debit_sequence = moves ? debit->sequence : 0,
        .debit_balance_after = moves ? account_balance(debit).amount_minor : 0,
        .credit_account = credit == NULL ? 0 : credit->number,
        .credit_sequence = moves ? credit->sequence : 0,
        .credit_balance_after = moves ? account_balance(credit).amount_minor : 0,
        .amount = posting->amount,
        .origin = posting->origin,
        .expires_at_us = posting->kind == TRANSFER_HOLD ? now_us + posting->expires_in_us : 0,
        .caller = posting->caller,
        .reference = posting->reference,
        .description = posting->description,
        .metadata = posting->metadata,
        .created_at_us = now_us,
    };
    chain_append(&ledger->head, transfer);
    *ret_transfer = transfer;
    return LEDGER_APPLIED;
}

/* ---- from a user to another ---- */

/* By an account's id it is that one, whatever its currency; else the user's in the currency of what is sent. */
static struct account *find_recipient(const struct ledger *ledger, const struct transfer_command *command, int64_t now_us,
                                      struct account *draft) {
    const struct user *user = NULL;
    switch (command->recipient) {
    case RECIPIENT_USERNAME: user = ledger_find_user_by_name(ledger, command->recipient_name); break;
    case RECIPIENT_PHONE: user = ledger_find_user_by_phone(ledger, &command->recipient_phone); break;
    case RECIPIENT_ACCOUNT: {
        struct account *account = ledger_find_account(ledger, command->recipient_account);
        return account != NULL && account->kind == ACCOUNT_USER ? account : NULL;
    }
    }
    return user == NULL ? NULL : ledger_wallet(ledger, user->id, command->amount.currency, now_us, draft);
}

enum ledger_outcome ledger_transfer(struct ledger *ledger, const struct transfer_command *command, int64_t now_us,
                                    const struct transfer **ret_transfer) {
    struct account sender_draft, recipient_draft;
    struct account *sender = ledger_wallet(ledger, command->user_id, command->amount.currency, now_us, &sender_draft);
    if (sender == NULL) return LEDGER_USER_NOT_FOUND;
    struct account *recipient = find_recipient(ledger, command, now_us, &recipient_draft);
    if (recipient == NULL) return LEDGER_RECIPIENT_NOT_FOUND;
    if (id_equal(recipient->user_id, sender->user_id)) /* nobody exchanges by sending to himself */
        return recipient->currency == sender->currency ? LEDGER_SAME_ACCOUNT : LEDGER_CURRENCY_MISMATCH;
    struct posting posting = {.kind = TRANSFER_USER,
                              .debit = sender,
                              .credit = recipient,
                              .amount = command->amount,
                              .reference = command->reference,
                              .description = command->description,
                              .metadata = command->metadata};
    return ledger_post(ledger, &posting, now_us, ret_transfer);
}

int64_t entry_key(int64_t account, int64_t sequence) {
    CHECK(account >= 1 && account <= ENTRY_ACCOUNT_MAX && sequence >= 0 && sequence <= ENTRY_SEQUENCE_MAX);
    return account << 32 | sequence;
}

/* ---- kinds ---- */

enum transfer_traits {
    MOVES = 1 << 0,
    SHOWS_DEBIT = 1 << 1,
    SHOWS_CREDIT = 1 << 2,
    SHOWS = SHOWS_DEBIT | SHOWS_CREDIT,
    NAMES_OTHER = 1 << 3,
    SPENDS = 1 << 4,
    REVERSIBLE = 1 << 5,
};
/* SQL has its own words for some of it (tables_words.h). */
static const struct {
    const char *name;
    uint32_t traits;
} rules[] = {
    [TRANSFER_CREDIT] = {"credit", MOVES | SHOWS_CREDIT | REVERSIBLE},
    [TRANSFER_USER] = {"transfer", MOVES | SHOWS | NAMES_OTHER | SPENDS | REVERSIBLE},
    [TRANSFER_OPEN] = {"fund_open", MOVES},
    [TRANSFER_TOPUP] = {"fund_topup", MOVES},
    [TRANSFER_RELEASE] = {"fund_release", MOVES},
    [TRANSFER_PAYMENT] = {"payment", MOVES | SHOWS | NAMES_OTHER | SPENDS | REVERSIBLE},
    [TRANSFER_HOLD] = {"hold", SHOWS | SPENDS},
    [TRANSFER_CAPTURE] = {"capture", MOVES | SHOWS | NAMES_OTHER | REVERSIBLE}, /* it was spent when it was held */
    [TRANSFER_HOLD_RELEASE] = {"hold_release", SHOWS},
    [TRANSFER_HOLD_EXPIRY] = {"hold_expiry", SHOWS},
    [TRANSFER_REVERSAL] = {"reversal", MOVES | SHOWS},
    [TRANSFER_CREDIT_REVERSAL] = {"credit_reversal", MOVES | SHOWS_DEBIT},
    [TRANSFER_ADJUSTMENT] = {"adjustment", MOVES | SHOWS | SPENDS},
};

/* A broken row may say anything: verify names it. */
static bool is_known(enum transfer_kind kind) { return (size_t)kind < ARRAY_COUNT(rules) && rules[kind].name != NULL; }

static bool has(enum transfer_kind kind, enum transfer_traits trait) {
    return ((is_known(kind) ? rules[kind].traits : MOVES | SHOWS) & trait) != 0;
}

const char *transfer_kind_name(enum transfer_kind kind) { return is_known(kind) ? rules[kind].name : "unknown"; }

bool transfer_kind_moves(enum transfer_kind kind) { return has(kind, MOVES); }

bool transfer_kind_is_shown(enum transfer_kind kind, bool is_credit) { return has(kind, is_credit ? SHOWS_CREDIT : SHOWS_DEBIT); }

bool transfer_kind_names_other(enum transfer_kind kind) { return has(kind, NAMES_OTHER); }

bool transfer_kind_spends(enum transfer_kind kind) { return has(kind, SPENDS); }

bool transfer_kind_is_reversible(enum transfer_kind kind) { return has(kind, REVERSIBLE); }
