#include "wallet/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "base/zone.h"
#include "wallet/core/chain.h"
#include "wallet/core/holds.h"
#include "wallet/currencies.h"
#include "wallet/tables.h"

/* In the order in which findings are told: later ones often follow from earlier ones. Questions of one run may be answered in any order. */
enum stage {
    STAGE_TRANSFERS,
    STAGE_ACCOUNTS,
    STAGE_CURRENCY,
    STAGE_TOTALS,
    STAGE_FUNDS,
    STAGE_HOLDS,
    STAGE_UNIQUENESS,
    STAGE_DATABASE,
    STAGE_NONE
};

struct chain {
    int64_t sequence, created_at_us;
    struct hash hash;
};

/* The account whose entries are coming, and what it says about itself. */
struct running {
    int64_t number, kind, sequence, balance, debits, credits;
    int64_t said_debits, said_credits, said_debits_pending, said_sequence, said_floor;
    bool is_said_overdrawn;
    enum currency currency;
};

struct totals {
    int64_t entries, fund_accounts, wallets, users_without_wallet, sessions_without_user, tokens_without_session;
    int64_t holds_without_row, half_merchants, merchants_without_account, doubles, wallets_of_nobody;
};

struct verification {
    struct verify_report *report;
    const struct zone *zone;     /* of days and months */
    enum currency main_currency; /* by meta */
    enum stage found_at;         /* of what the report names */
    struct chain chain;
    int64_t moving;                   /* transfers with entries */
    int64_t issuance[CURRENCY_COUNT]; /* its balance */
    struct running running;
    struct totals totals;
    struct progress *progress; /* NULL: nobody waits */
    int64_t due;               /* transfers, when it began */
};

/* The first one of the earliest stage is kept. */
static void find(struct verification *verification, enum stage stage, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void find(struct verification *verification, enum stage stage, const char *format, ...) {
    struct verify_report *report = verification->report;
    if (stage >= verification->found_at) return;
    verification->found_at = stage;
    report->is_sound = false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->finding, sizeof report->finding, format, arguments);
    va_end(arguments);
}

/* ---- how far it is ---- */

static struct result newest_seen(void *context, const struct row *row) {
    ((struct verification *)context)->due = row_integer(row, 0);
    return result_ok();
}

/* Of the same state as all that follows, when the reader keeps one. */
static struct result begin_progress(struct batch *batch, struct verification *verification) {
    if (verification->progress == NULL) return result_ok();
    progress_begin(verification->progress);
    ask_head(batch, newest_seen, verification);
    return batch_run(batch);
}

/* ---- transfers: no gaps, time forward, the chain, both entries ---- */

static bool read_transfer(const struct row *row, const struct chain *before, struct transfer *ret_transfer, struct hash *ret_stored) {
    struct text hash = row_bytes(row, 14);
    *ret_transfer = (struct transfer){
        .sequence = row_integer(row, 0),
        .id = row_id(row, 1),
        .kind = (enum transfer_kind)row_integer(row, 2),
        .debit_account = row_integer(row, 3),
        .debit_sequence = row_integer(row, 4),
        .debit_balance_after = row_integer_or_zero(row, 16),
        .credit_account = row_integer(row, 5),
        .credit_sequence = row_integer(row, 6),
        .credit_balance_after = row_integer_or_zero(row, 19),
        .amount = {.amount_minor = row_integer(row, 7)},
        .caller = row_text(row, 9),
        .reference = row_text(row, 10),
        .description = row_text(row, 11),
        .metadata = row_text(row, 12),
        .created_at_us = row_integer(row, 13),
        .origin = row_integer(row, 21),
        .expires_at_us = row_integer(row, 22),
        .previous_hash = before->hash,
    };
    /* The first kinds have neither, and their hash does not say so. */
    if (ret_transfer->kind <= TRANSFER_RELEASE && (ret_transfer->origin != 0 || ret_transfer->expires_at_us != 0)) return false;
    bool fits = ret_transfer->caller.size <= LIMIT_REFERENCE_BYTES && ret_transfer->reference.size <= LIMIT_REFERENCE_BYTES &&
                ret_transfer->description.size <= 4 * LIMIT_DESCRIPTION_CHARACTERS && ret_transfer->metadata.size <= LIMIT_METADATA_BYTES;
    if (!fits || hash.size != sizeof ret_stored->bytes) return false;
    memcpy(ret_stored->bytes, hash.data, hash.size);
    return result_is_ok(currency_parse(row_text(row, 8), &ret_transfer->amount.currency));
}

/* What the entries keep of their lines is what the journal has; that they are missing was found before. */
static void check_lines(struct verification *verification, const struct row *row, const struct transfer *transfer) {
    for (int is_credit = 0; is_credit <= 1 && transfer_kind_moves(transfer->kind); is_credit++) {
        int64_t due = transfer_kind_is_shown(transfer->kind, is_credit) ? 1 : 2;
        if (row_is_null(row, is_credit ? 18 : 15) || row_integer(row, is_credit ? 24 : 23) == due) continue;
        find(verification, STAGE_TRANSFERS, "transfer %" PRId64 ": the line that its %s entry keeps is another's", transfer->sequence,
             is_credit ? "credit" : "debit");
    }
}

/* What moves has two entries; what does not has none. */
static void check_entries(struct verification *verification, const struct row *row, const struct transfer *transfer) {
    int64_t sequence = transfer->sequence, amount = transfer->amount.amount_minor;
    verification->moving += transfer_kind_moves(transfer->kind);
    if (!transfer_kind_moves(transfer->kind)) {
        if (transfer->debit_sequence != 0 || transfer->credit_sequence != 0)
            find(verification, STAGE_TRANSFERS, "transfer %" PRId64 ": nothing moved, and it has entries", sequence);
        return;
    }
    if (row_is_null(row, 15) || row_integer(row, 15) != -amount || row_integer(row, 17) != sequence) {
        find(verification, STAGE_TRANSFERS,
             "transfer %" PRId64 ": its debit entry (account %" PRId64 ", sequence %" PRId64 ") is missing or another's", sequence,
             transfer->debit_account, transfer->debit_sequence);
    }
    if (row_is_null(row, 18) || row_integer(row, 18) != amount || row_integer(row, 20) != sequence) {
        find(verification, STAGE_TRANSFERS,
             "transfer %" PRId64 ": its credit entry (account %" PRId64 ", sequence %" PRId64 ") is missing or another's", sequence,
             transfer->credit_account, transfer->credit_sequence);
    }
}

static struct result transfer_seen(void *context, const struct row *row) {
    struct verification *verification = context;
    struct verify_report *report = verification->report;
    struct chain *chain = &verification->chain;
    struct transfer transfer;
    struct hash stored;
    int64_t sequence = row_integer(row, 0);
    if (sequence != chain->sequence + 1)
        find(verification, STAGE_TRANSFERS, "transfer %" PRId64 ": the one before it is %" PRId64, sequence, chain->sequence);
    if (!read_transfer(row, chain, &transfer, &stored)) {
        find(verification, STAGE_TRANSFERS, "transfer %" PRId64 ": a column is of a wrong form", sequence);
        chain->sequence = sequence;
        return result_ok();
    }
    check_entries(verification, row, &transfer);
    struct hash computed = transfer_hash(&transfer);
    if (memcmp(computed.bytes, stored.bytes, sizeof stored.bytes) != 0)
        find(verification, STAGE_TRANSFERS, "transfer %" PRId64 ": its hash does not fit", sequence);
    if (transfer.created_at_us < chain->created_at_us)
        find(verification, STAGE_TRANSFERS, "transfer %" PRId64 ": it is older than the one before it", sequence);
    check_lines(verification, row, &transfer);
    *chain = (struct chain){sequence, transfer.created_at_us, stored};
    report->transfers++;
    report->credits += transfer.kind == TRANSFER_CREDIT;
    progress_tell_sometimes(verification->progress, "transfers", report->transfers, verification->due);
    return result_ok();
}

/* ---- accounts: entries without gaps, running balances, sums, floors ---- */

/* Only issuance is below zero, and who was when something was taken back, or when what was held before that was captured. */
static void check_debit(const struct row *row, struct verification *verification) {
    const struct running *running = &verification->running;
    int64_t kind = row_integer(row, 13);
    bool may_be_below = running->kind == ACCOUNT_ISSUANCE || kind == TRANSFER_REVERSAL || kind == TRANSFER_CAPTURE;
    if (row_integer(row, 9) < 0 && row_integer(row, 10) < 0 && !may_be_below) {
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": entry %" PRId64 " leaves it below zero", running->number,
             row_integer(row, 8));
    }
}

static void check_entry(const struct row *row, struct verification *verification) {
    struct running *running = &verification->running;
    int64_t sequence = row_integer(row, 8), amount = row_integer(row, 9), balance_after = row_integer(row, 10);
    verification->report->entries++;
    progress_tell_sometimes(verification->progress, "entries", verification->report->entries, 2 * verification->moving);
    if (sequence != running->sequence + 1) {
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": entry %" PRId64 " follows entry %" PRId64, running->number, sequence,
             running->sequence);
    }
    running->sequence = sequence;
    if (__builtin_add_overflow(running->balance, amount, &running->balance) || running->balance != balance_after) {
        find(verification, STAGE_ACCOUNTS,
             "account %" PRId64 ": entry %" PRId64 " has the balance %" PRId64 ", the sum of its entries is another", running->number,
             sequence, balance_after);
    }
    check_debit(row, verification);
    int64_t *side = amount < 0 ? &running->debits : &running->credits;
    bool overflows = amount < 0 ? __builtin_sub_overflow(*side, amount, side) : __builtin_add_overflow(*side, amount, side);
    if (overflows) find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": its sums are beyond all bounds", running->number);
}

/* Behind an account's last entry: what it says about itself against what its entries say. */
static void check_account(struct verification *verification) {
    const struct running *running = &verification->running;
    if (running->number == 0) return; /* before the first */
    if (running->said_sequence != running->sequence) {
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": it counts %" PRId64 " entries, but has %" PRId64, running->number,
             running->said_sequence, running->sequence);
    }
    if (running->said_debits != running->debits || running->said_credits != running->credits) {
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": its sums are not those of its entries", running->number);
    }
    int64_t balance = running->said_credits - running->said_debits;
    bool is_below = balance - running->said_debits_pending < running->said_floor;
    if (is_below && !running->is_said_overdrawn)
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": it is below its floor", running->number);
    if (!is_below && running->is_said_overdrawn)
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": it is said to be overdrawn, and is not", running->number);
    if (running->kind == ACCOUNT_ISSUANCE) verification->report->is_issued[running->currency] = true;
    int64_t *sum = running->kind == ACCOUNT_ISSUANCE ? verification->issuance : verification->report->issued_minor;
    if (__builtin_add_overflow(sum[running->currency], balance, &sum[running->currency]))
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": with it the sums are beyond all bounds", running->number);
}

static struct result entry_seen(void *context, const struct row *row) {
    struct verification *verification = context;
    struct running *running = &verification->running;
    int64_t number = row_integer(row, 0);
    if (number != running->number) {
        check_account(verification);
        if (number != running->number + 1) {
            find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": the one before it is %" PRId64, number, running->number);
        }
        *running = (struct running){.number = number,
                                    .kind = row_integer(row, 1),
                                    .said_debits = row_integer_between(row, 2, 0, INT64_MAX),
                                    .said_credits = row_integer_between(row, 3, 0, INT64_MAX),
                                    .said_debits_pending = row_integer_between(row, 4, 0, MONEY_AMOUNT_MAX),
                                    .said_sequence = row_integer(row, 6),
                                    .said_floor = row_integer(row, 7),
                                    .is_said_overdrawn = row_integer(row, 11) != 0};
        if (!result_is_ok(currency_parse(row_text(row, 12), &running->currency)))
            find(verification, STAGE_CURRENCY, "account %" PRId64 ": it is in no currency of these books", number);
        if (number == 1 && (running->kind != ACCOUNT_ISSUANCE || running->currency != verification->main_currency))
            find(verification, STAGE_CURRENCY, "account 1: it is not issuance of the main currency");
        verification->report->accounts++;
    }
    if (!row_is_null(row, 8)) check_entry(row, verification);
    return result_ok();
}

/* ---- currencies: none is mixed with another ---- */

static struct result other_currency_seen(void *context, const struct row *row) {
    find(context, STAGE_CURRENCY, "transfer %" PRId64 ": its accounts are in another currency", row_integer(row, 0));
    return result_ok();
}

static struct result currency_seen(void *context, const struct row *row) {
    struct text code = row_text(row, 0), hash = row_bytes(row, 2);
    struct hash due = currency_hash(code, row_integer(row, 1));
    if (hash.size != sizeof due.bytes || memcmp(hash.data, due.bytes, sizeof due.bytes) != 0)
        find(context, STAGE_CURRENCY, "currency %.*s: its hash does not fit", (int)code.size, code.data);
    return result_ok();
}

static struct result wrong_till_seen(void *context, const struct row *row) {
    find(context, STAGE_UNIQUENESS, "merchant's account %" PRId64 ": its row is of another account or merchant", row_integer(row, 0));
    return result_ok();
}

static void check_currencies(struct verification *verification) {
    const struct verify_report *report = verification->report;
    for (unsigned i = CURRENCY_IRT; i < CURRENCY_COUNT; i++) {
        if (verification->issuance[i] != -report->issued_minor[i])
            find(verification, STAGE_TOTALS, "issuance of %s: it is %" PRId64 ", all others hold %" PRId64, currency_code((enum currency)i),
                 verification->issuance[i], report->issued_minor[i]);
    }
}

/* ---- sums over all ---- */

static struct result totals_seen(void *context, const struct row *row) {
    struct verification *verification = context;
    verification->report->users = row_integer(row, 2);
    verification->totals = (struct totals){.entries = row_integer(row, 0),
                                           .fund_accounts = row_integer(row, 1),
                                           .wallets = row_integer(row, 3),
                                           .users_without_wallet = row_integer(row, 4),
                                           .sessions_without_user = row_integer(row, 5),
                                           .tokens_without_session = row_integer(row, 6),
                                           .holds_without_row = row_integer(row, 7),
                                           .half_merchants = row_integer(row, 8),
                                           .merchants_without_account = row_integer(row, 9),
                                           .doubles = row_integer(row, 10),
                                           .wallets_of_nobody = row_integer(row, 11)};
    return result_ok();
}

/* When everything was seen. */
static void check_totals(struct verification *verification) {
    const struct totals *totals = &verification->totals;
    const struct verify_report *report = verification->report;
    if (totals->entries != 2 * verification->moving) {
        find(verification, STAGE_TOTALS, "entries: there are %" PRId64 " for %" PRId64 " transfers", totals->entries, verification->moving);
    }
    if (totals->entries != report->entries)
        find(verification, STAGE_TOTALS, "entries: %" PRId64 " belong to no account", totals->entries - report->entries);
    check_currencies(verification);
    if (totals->fund_accounts != report->funds) {
        find(verification, STAGE_FUNDS, "funds: there are %" PRId64 ", and %" PRId64 " accounts of funds", report->funds,
             totals->fund_accounts);
    }
    if (totals->holds_without_row != 0)
        find(verification, STAGE_HOLDS, "holds: %" PRId64 " of the journal have no row of their own", totals->holds_without_row);
    if (totals->half_merchants != 0 || totals->merchants_without_account != 0)
        find(verification, STAGE_UNIQUENESS, "merchants: %" PRId64 " accounts and merchants do not fit each other",
             totals->half_merchants + totals->merchants_without_account);
    if (totals->users_without_wallet != 0)
        find(verification, STAGE_UNIQUENESS, "users: %" PRId64 " have no wallet", totals->users_without_wallet);
    if (totals->wallets != report->users)
        find(verification, STAGE_UNIQUENESS, "users: there are %" PRId64 ", and %" PRId64 " wallets", report->users, totals->wallets);
    if (totals->doubles != 0)
        find(verification, STAGE_UNIQUENESS, "accounts: %" PRId64 " users, or issuance, have more than one in a currency", totals->doubles);
    if (totals->wallets_of_nobody != 0)
        find(verification, STAGE_UNIQUENESS, "accounts: %" PRId64 " wallets belong to no user", totals->wallets_of_nobody);
    if (totals->sessions_without_user != 0)
        find(verification, STAGE_UNIQUENESS, "sessions: %" PRId64 " belong to no user", totals->sessions_without_user);
    if (totals->tokens_without_session != 0)
        find(verification, STAGE_UNIQUENESS, "refresh tokens: %" PRId64 " belong to no session", totals->tokens_without_session);
}

/* ---- funds: funded = credited + remaining + released, by the books and by the fund itself ---- */

static struct result fund_seen(void *context, const struct row *row) {
    struct verification *verification = context;
    int64_t number = row_integer(row, 0), funded = row_integer(row, 1), credited = row_integer(row, 2), released = row_integer(row, 3);
    int64_t remaining = row_integer(row, 5);
    bool is_released = row_integer(row, 4) != 0;
    verification->report->funds++;
    if (funded != credited + remaining + released)
        find(verification, STAGE_FUNDS, "fund %" PRId64 ": funded is not credited + remaining + released", number);
    if (funded != row_integer(row, 6) || credited != row_integer(row, 7) || released != row_integer(row, 8)) {
        find(verification, STAGE_FUNDS, "fund %" PRId64 ": its numbers are not those of its transfers", number);
    }
    if (row_integer(row, 11) != row_integer(row, 12))
        find(verification, STAGE_FUNDS, "fund %" PRId64 ": what was taken back is not the sum of its reversals", number);
    if (is_released && remaining != 0) find(verification, STAGE_FUNDS, "fund %" PRId64 ": it is released, but not empty", number);
    if (!is_released && released != 0)
        find(verification, STAGE_FUNDS, "fund %" PRId64 ": its rest went back, but it is not released", number);
    if (row_integer(row, 9) != row_integer(row, 10))
        find(verification, STAGE_FUNDS, "fund %" PRId64 ": it was not opened with the amount of its first transfer", number);
    return result_ok();
}

/* ---- holds: what the journal adds up to ---- */

enum { ROW_TRANSFER, ROW_ACCOUNT, ROW_STATE, ROW_CAPTURED, ROW_REMAINING, ROW_EXPIRES, ROW_UPDATED };
enum { JOURNAL_KIND = 7, JOURNAL_ACCOUNT, JOURNAL_AMOUNT, JOURNAL_EXPIRES, JOURNAL_CREATED, JOURNAL_CAPTURED };
enum { JOURNAL_RELEASED = 13, JOURNAL_EXPIRED, JOURNAL_NEWEST, JOURNAL_FINAL };

static enum hold_state state_by_journal(const struct row *row) {
    if (row_integer(row, JOURNAL_EXPIRED) > 0) return HOLD_EXPIRED;
    if (row_integer(row, JOURNAL_RELEASED) > 0) return row_integer(row, JOURNAL_FINAL) > 0 ? HOLD_CAPTURED : HOLD_RELEASED;
    return row_integer(row, JOURNAL_CAPTURED) == row_integer(row, JOURNAL_AMOUNT) ? HOLD_CAPTURED : HOLD_HELD;
}

static struct result hold_seen(void *context, const struct row *row) {
    struct verification *verification = context;
    int64_t number = row_integer(row, ROW_TRANSFER);
    verification->report->holds++;
    if (row_is_null(row, JOURNAL_KIND) || row_integer(row, JOURNAL_KIND) != TRANSFER_HOLD) {
        find(verification, STAGE_HOLDS, "hold %" PRId64 ": the journal has none of this number", number);
        return result_ok();
    }
    int64_t left = row_integer(row, JOURNAL_AMOUNT) - row_integer(row, JOURNAL_CAPTURED) - row_integer(row, JOURNAL_RELEASED) -
                   row_integer(row, JOURNAL_EXPIRED);
    int64_t newest = row_integer(row, JOURNAL_NEWEST) == 0 ? row_integer(row, JOURNAL_CREATED) : row_integer(row, JOURNAL_NEWEST);
    const struct {
        int64_t said, journal;
        const char *what;
    } columns[] = {
        {row_integer(row, ROW_CAPTURED), row_integer(row, JOURNAL_CAPTURED), "what was captured"},
        {row_integer(row, ROW_REMAINING), left, "what remains"},
        {row_integer(row, ROW_ACCOUNT), row_integer(row, JOURNAL_ACCOUNT), "the account"},
        {row_integer(row, ROW_STATE), (int64_t)state_by_journal(row), "the state"},
        {row_integer(row, ROW_EXPIRES), row_integer(row, JOURNAL_EXPIRES), "the time of its expiry"},
        {row_integer(row, ROW_UPDATED), newest, "the time of its last change"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        if (columns[i].said != columns[i].journal)
            find(verification, STAGE_HOLDS, "hold %" PRId64 ": %s is another by the journal", number, columns[i].what);
    }
    return result_ok();
}

static struct result other_pending_seen(void *context, const struct row *row) {
    find(context, STAGE_HOLDS, "account %" PRId64 ": what is pending is not what is held", row_integer(row, 0));
    return result_ok();
}

static struct result other_limits_seen(void *context, const struct row *row) {
    struct text noted = row_text_or_empty(row, 1);
    find(context, STAGE_ACCOUNTS, "account %" PRId64 ": its limits are others than the audit log says%s%.*s", row_integer(row, 0),
         noted.size > 0 ? ": " : "", (int)noted.size, noted.data);
    return result_ok();
}

/* Days and months begin where they do in the time zone that they were counted in, and the day is one of the month. */
static bool are_periods(const struct verification *verification, int64_t day_from_us, int64_t month_from_us) {
    int64_t day_us, month_us, until_us;
    if (verification->zone == NULL) return false;
    zone_day(verification->zone, day_from_us, &day_us, &until_us);
    zone_month(verification->zone, day_from_us, &month_us, &until_us);
    return day_us == day_from_us && month_us == month_from_us;
}

static struct result spent_seen(void *context, const struct row *row) {
    struct verification *verification = context;
    int64_t number = row_integer(row, 0), day_from = row_integer(row, 2), month_from = row_integer(row, 4);
    if (row_integer(row, 1) == 0)
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": it counts what it spends, and has no limit of a day or a month", number);
    else if (!are_periods(verification, day_from, month_from))
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": its day or its month begins when none does", number);
    else if (row_integer(row, 3) != row_integer(row, 6))
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": what was spent in the day is another by the journal", number);
    else if (row_integer(row, 5) != row_integer(row, 7))
        find(verification, STAGE_ACCOUNTS, "account %" PRId64 ": what was spent in the month is another by the journal", number);
    return result_ok();
}

static struct result meta_seen(void *context, const struct row *row) {
    struct verification *verification = context;
    if (!result_is_ok(currency_parse(row_text(row, 1), &verification->main_currency)))
        find(verification, STAGE_CURRENCY, "meta: its currency is none of these books");
    struct text name = row_text(row, 4);
    if (!result_is_ok(zone_find(name, &verification->zone)))
        find(verification, STAGE_ACCOUNTS, "meta: the system knows no time zone %.*s", (int)name.size, name.data);
    return result_ok();
}

static struct result other_state_seen(void *context, const struct row *row) {
    struct text noted = row_text_or_empty(row, 1);
    find(context, STAGE_ACCOUNTS, "account %" PRId64 ": it is in another state than the audit log says%s%.*s", row_integer(row, 0),
         noted.size > 0 ? ": " : "", (int)noted.size, noted.data);
    return result_ok();
}

static struct result wrong_origin_seen(void *context, const struct row *row) {
    find(context, STAGE_HOLDS, "transfer %" PRId64 ": it can't be about the transfer that it names, or is more than that one",
         row_integer(row, 0));
    return result_ok();
}

/* ---- what must be there once ---- */

static struct result credited_twice_seen(void *context, const struct row *row) {
    find(context, STAGE_UNIQUENESS, "transfer %" PRId64 ": its reference was credited before", row_integer(row, 0));
    return result_ok();
}

/* All is asked in one run, because that is one state. */
static struct result see_everything(struct batch *batch, struct verification *verification) {
    ask_all_transfers(batch, transfer_seen, verification);
    ask_all_entries(batch, entry_seen, verification);
    ask_other_currency(batch, other_currency_seen, verification);
    ask_currencies(batch, currency_seen, verification);
    ask_wrong_tills(batch, wrong_till_seen, verification);
    ask_totals(batch, totals_seen, verification);
    ask_all_funds(batch, fund_seen, verification);
    ask_all_holds(batch, hold_seen, verification);
    ask_other_pending(batch, other_pending_seen, verification);
    ask_other_states(batch, other_state_seen, verification);
    ask_other_limits(batch, other_limits_seen, verification);
    ask_all_spent(batch, spent_seen, verification);
    ask_wrong_origins(batch, wrong_origin_seen, verification);
    ask_credited_twice(batch, credited_twice_seen, verification);
    return batch_run(batch);
}

struct result verify_books(struct batch *batch, struct progress *progress, struct verify_report *ret_report) {
    *ret_report = (struct verify_report){.is_sound = true};
    struct verification verification = {.report = ret_report, .found_at = STAGE_NONE, .progress = progress};
    struct result outcome = currencies_learn(batch);
    if (result_is_ok(outcome)) outcome = begin_progress(batch, &verification);
    if (result_is_ok(outcome)) ask_meta(batch, meta_seen, &verification);
    if (result_is_ok(outcome)) outcome = batch_run(batch);
    if (result_is_ok(outcome)) outcome = see_everything(batch, &verification);
    if (result_is_ok(outcome)) progress_tell(progress, "transfers", ret_report->transfers, verification.due);
    if (result_is_ok(outcome)) progress_tell(progress, "entries", ret_report->entries, 2 * verification.moving);
    char integrity[256];
    struct result intact = result_is_ok(outcome) ? batch_verify(batch, integrity, sizeof integrity) : outcome;
    batch_end_round(batch);
    TRY(outcome);
    check_account(&verification); /* the last one */
    check_totals(&verification);
    if (intact.code == RESULT_CORRUPT) find(&verification, STAGE_DATABASE, "database: %s", integrity);
    const struct hash *head = &verification.chain.hash;
    for (size_t i = 0; i < sizeof head->bytes; i++) snprintf(ret_report->head + 2 * i, 3, "%02x", head->bytes[i]);
    return intact.code == RESULT_CORRUPT ? result_ok() : intact;
}

void verify_print(const struct verify_report *report, FILE *out) {
    fprintf(out,
            "transfers %" PRId64 "\nentries   %" PRId64 "\naccounts  %" PRId64 "\nusers     %" PRId64 "\nfunds     %" PRId64
            "\nholds     %" PRId64 "\ncredits   %" PRId64 "\n",
            report->transfers, report->entries, report->accounts, report->users, report->funds, report->holds, report->credits);
    for (unsigned i = CURRENCY_IRT; i < CURRENCY_COUNT; i++) {
        if (report->is_issued[i]) fprintf(out, "issued    %" PRId64 " %s\n", report->issued_minor[i], currency_code((enum currency)i));
    }
    fprintf(out, "head      %s\n", report->head);
    if (report->is_sound) {
        fprintf(out, "The books are sound.\n");
    } else {
        fprintf(out, "BROKEN: %s\n", report->finding);
    }
}
