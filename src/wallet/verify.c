#include "wallet/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "wallet/core/chain.h"

static void reset(struct statement *statement) {
    if (statement->handle != NULL) statement_reset(statement);
}
#define RESET_AT_END __attribute__((cleanup(reset)))

/* Only the first finding is kept: later ones often follow from it. */
static void find(struct verify_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void find(struct verify_report *report, const char *format, ...) {
    if (!report->is_sound) return;
    report->is_sound = false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->finding, sizeof report->finding, format, arguments);
    va_end(arguments);
}

static struct result read_integer(struct database *database, const char *sql, int64_t *ret_value) {
    struct statement statement RESET_AT_END = {0};
    bool found = false;
    TRY(statement_prepare(database, sql, &statement));
    TRY(statement_step(&statement, &found));
    if (!found) return result_error(RESULT_CORRUPT);
    *ret_value = statement_integer(&statement, 0);
    return result_ok();
}

/* ---- transfers: no gaps, time forward, the chain, both entries ---- */

struct chain {
    int64_t sequence, created_at_us;
    struct hash hash;
};

static bool read_transfer(const struct statement *row, const struct chain *before, struct transfer *ret_transfer, struct hash *ret_stored) {
    struct text hash = statement_blob(row, 14);
    *ret_transfer = (struct transfer){
        .sequence = statement_integer(row, 0),
        .id = statement_id(row, 1),
        .kind = (enum transfer_kind)statement_integer(row, 2),
        .debit_account = statement_integer(row, 3),
        .debit_sequence = statement_integer(row, 4),
        .debit_balance_after = statement_integer(row, 16),
        .credit_account = statement_integer(row, 5),
        .credit_sequence = statement_integer(row, 6),
        .credit_balance_after = statement_integer(row, 19),
        .amount = {.amount_minor = statement_integer(row, 7)},
        .caller = statement_text(row, 9),
        .reference = statement_text(row, 10),
        .description = statement_text(row, 11),
        .metadata = statement_text(row, 12),
        .created_at_us = statement_integer(row, 13),
        .previous_hash = before->hash,
    };
    bool fits = ret_transfer->caller.size <= LIMIT_REFERENCE_BYTES && ret_transfer->reference.size <= LIMIT_REFERENCE_BYTES &&
                ret_transfer->description.size <= 4 * LIMIT_DESCRIPTION_CHARACTERS && ret_transfer->metadata.size <= LIMIT_METADATA_BYTES;
    if (!fits || hash.size != sizeof ret_stored->bytes) return false;
    memcpy(ret_stored->bytes, hash.data, hash.size);
    return result_is_ok(currency_parse(statement_text(row, 8), &ret_transfer->amount.currency));
}

static void check_transfer(const struct statement *row, struct chain *chain, struct verify_report *report) {
    struct transfer transfer;
    struct hash stored;
    int64_t sequence = statement_integer(row, 0);
    if (sequence != chain->sequence + 1) find(report, "transfer %" PRId64 ": the one before it is %" PRId64, sequence, chain->sequence);
    if (!read_transfer(row, chain, &transfer, &stored)) {
        find(report, "transfer %" PRId64 ": a column is of a wrong form", sequence);
        return;
    }
    if (statement_is_null(row, 15) || statement_integer(row, 15) != -transfer.amount.amount_minor ||
        statement_integer(row, 17) != sequence) {
        find(report, "transfer %" PRId64 ": its debit entry (account %" PRId64 ", sequence %" PRId64 ") is missing or another's", sequence,
             transfer.debit_account, transfer.debit_sequence);
    }
    if (statement_is_null(row, 18) || statement_integer(row, 18) != transfer.amount.amount_minor ||
        statement_integer(row, 20) != sequence) {
        find(report, "transfer %" PRId64 ": its credit entry (account %" PRId64 ", sequence %" PRId64 ") is missing or another's", sequence,
             transfer.credit_account, transfer.credit_sequence);
    }
    struct hash computed = transfer_hash(&transfer);
    if (memcmp(computed.bytes, stored.bytes, sizeof stored.bytes) != 0)
        find(report, "transfer %" PRId64 ": its hash does not fit", sequence);
    if (transfer.created_at_us < chain->created_at_us) find(report, "transfer %" PRId64 ": it is older than the one before it", sequence);
    *chain = (struct chain){sequence, transfer.created_at_us, stored};
    report->transfers++;
    report->credits += transfer.kind == TRANSFER_CREDIT;
}

static struct result verify_transfers(struct database *database, struct verify_report *report) {
    struct statement rows RESET_AT_END = {0};
    struct chain chain = {0};
    TRY(statement_prepare(database,
                          "SELECT t.sequence, t.id, t.kind, t.debit_account, t.debit_sequence, t.credit_account, t.credit_sequence, "
                          "t.amount, t.currency, t.caller, t.reference, t.description, t.metadata, t.created_at, t.hash, "
                          "d.amount, d.balance_after, d.transfer, c.amount, c.balance_after, c.transfer FROM transfer t "
                          "LEFT JOIN entry d ON d.account = t.debit_account AND d.sequence = t.debit_sequence "
                          "LEFT JOIN entry c ON c.account = t.credit_account AND c.sequence = t.credit_sequence ORDER BY t.sequence",
                          &rows));
    for (;;) {
        bool found = false;
        TRY(statement_step(&rows, &found));
        if (!found) break;
        check_transfer(&rows, &chain, report);
    }
    for (size_t i = 0; i < sizeof chain.hash.bytes; i++) snprintf(report->head + 2 * i, 3, "%02x", chain.hash.bytes[i]);
    return result_ok();
}

/* ---- accounts: entries without gaps, running balances, sums, floors ---- */

struct running {
    int64_t number, kind, sequence, balance, debits, credits;
};

static void check_entry(const struct statement *row, struct running *running, struct verify_report *report) {
    int64_t sequence = statement_integer(row, 9), amount = statement_integer(row, 10), balance_after = statement_integer(row, 11);
    report->entries++;
    if (sequence != running->sequence + 1) {
        find(report, "account %" PRId64 ": entry %" PRId64 " follows entry %" PRId64, running->number, sequence, running->sequence);
    }
    running->sequence = sequence;
    if (__builtin_add_overflow(running->balance, amount, &running->balance) || running->balance != balance_after) {
        find(report, "account %" PRId64 ": entry %" PRId64 " has the balance %" PRId64 ", the sum of its entries is another",
             running->number, sequence, balance_after);
    }
    if (running->kind != ACCOUNT_ISSUANCE && balance_after < 0) {
        find(report, "account %" PRId64 ": entry %" PRId64 " leaves it below zero", running->number, sequence);
    }
    if (amount < 0) {
        running->debits -= amount;
    } else {
        running->credits += amount;
    }
}

/* At an account's last row: what it says about itself against what its entries say. */
static void check_account(const struct statement *row, const struct running *running, struct verify_report *report) {
    int64_t debits = statement_integer(row, 2), credits = statement_integer(row, 3);
    int64_t available = credits - debits - statement_integer(row, 4);
    if (statement_integer(row, 6) != running->sequence) {
        find(report, "account %" PRId64 ": it counts %" PRId64 " entries, but has %" PRId64, running->number, statement_integer(row, 6),
             running->sequence);
    }
    if (debits != running->debits || credits != running->credits) {
        find(report, "account %" PRId64 ": its sums are not those of its entries", running->number);
    }
    if (statement_integer(row, 4) != 0 || statement_integer(row, 5) != 0)
        find(report, "account %" PRId64 ": amounts are pending, and nothing holds any", running->number);
    if (available < statement_integer(row, 7)) find(report, "account %" PRId64 ": it is below its floor", running->number);
    if (running->kind != ACCOUNT_ISSUANCE) report->issued_minor += credits - debits;
}

static struct result verify_accounts(struct database *database, struct verify_report *report) {
    struct statement rows RESET_AT_END = {0};
    struct running running = {0};
    TRY(statement_prepare(
        database,
        "SELECT a.number, a.kind, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, a.sequence, a.floor, "
        "lead(a.number) OVER (ORDER BY a.number, e.sequence), e.sequence, e.amount, e.balance_after "
        "FROM account a LEFT JOIN entry e ON e.account = a.number ORDER BY a.number, e.sequence",
        &rows));
    for (;;) {
        bool found = false;
        TRY(statement_step(&rows, &found));
        if (!found) break;
        int64_t number = statement_integer(&rows, 0);
        if (number != running.number) {
            if (number != running.number + 1) find(report, "account %" PRId64 ": the one before it is %" PRId64, number, running.number);
            running = (struct running){.number = number, .kind = statement_integer(&rows, 1)};
            report->accounts++;
        }
        if (!statement_is_null(&rows, 9)) check_entry(&rows, &running, report);
        if (statement_is_null(&rows, 8) || statement_integer(&rows, 8) != number) check_account(&rows, &running, report);
    }
    return result_ok();
}

/* ---- one currency ---- */

static struct result verify_currency(struct database *database, struct verify_report *report) {
    struct statement other RESET_AT_END = {0};
    bool found = false;
    TRY(statement_prepare(database,
                          "SELECT 'account', number FROM account WHERE currency <> (SELECT currency FROM meta) UNION ALL "
                          "SELECT 'transfer', sequence FROM transfer WHERE currency <> (SELECT currency FROM meta) LIMIT 1",
                          &other));
    TRY(statement_step(&other, &found));
    if (!found) return result_ok();
    struct text table = statement_text(&other, 0);
    find(report, "%.*s %" PRId64 ": it is not in the currency of the books", (int)table.size, table.data, statement_integer(&other, 1));
    return result_ok();
}

/* ---- sums over all ---- */

static struct result verify_totals(struct database *database, struct verify_report *report) {
    int64_t entries = 0, sum = 0, issuance = 0;
    TRY(read_integer(database, "SELECT count(*) FROM entry", &entries));
    TRY(read_integer(database, "SELECT coalesce(sum(amount), 0) FROM entry", &sum));
    TRY(read_integer(database, "SELECT coalesce(sum(credits_posted - debits_posted), 0) FROM account WHERE kind = 3", &issuance));
    if (entries != 2 * report->transfers) {
        find(report, "entries: there are %" PRId64 " for %" PRId64 " transfers", entries, report->transfers);
    }
    if (entries != report->entries) find(report, "entries: %" PRId64 " belong to no account", entries - report->entries);
    if (sum != 0) find(report, "entries: debits and credits differ by %" PRId64, sum);
    if (issuance != -report->issued_minor)
        find(report, "issuance: it is %" PRId64 ", all others hold %" PRId64, issuance, report->issued_minor);
    return result_ok();
}

/* ---- funds: funded = credited + remaining + released, by the books and by the fund itself ---- */

static void check_fund(const struct statement *row, struct verify_report *report) {
    int64_t number = statement_integer(row, 0), funded = statement_integer(row, 1), credited = statement_integer(row, 2);
    int64_t released = statement_integer(row, 3), remaining = statement_integer(row, 5);
    report->funds++;
    if (funded != credited + remaining + released) find(report, "fund %" PRId64 ": funded is not credited + remaining + released", number);
    if (funded != statement_integer(row, 6) || credited != statement_integer(row, 7) || released != statement_integer(row, 8)) {
        find(report, "fund %" PRId64 ": its numbers are not those of its transfers", number);
    }
    if (statement_integer(row, 4) != 0 && remaining != 0) find(report, "fund %" PRId64 ": it is released, but not empty", number);
    if (statement_integer(row, 4) == 0 && released != 0)
        find(report, "fund %" PRId64 ": its rest went back, but it is not released", number);
    if (statement_integer(row, 9) != statement_integer(row, 10))
        find(report, "fund %" PRId64 ": it was not opened with the amount of its first transfer", number);
}

static struct result verify_funds(struct database *database, struct verify_report *report) {
    struct statement rows RESET_AT_END = {0};
    TRY(statement_prepare(
        database,
        "SELECT f.account, f.funded, f.credited, f.released, f.is_released, a.credits_posted - a.debits_posted, "
        "coalesce(sum(t.amount) FILTER (WHERE t.kind IN (3, 4)), 0), coalesce(sum(t.amount) FILTER (WHERE t.kind = 1), 0), "
        "coalesce(sum(t.amount) FILTER (WHERE t.kind = 5), 0), f.opened, coalesce(sum(t.amount) FILTER (WHERE t.kind = 3), 0) FROM fund f "
        "JOIN account a ON a.number = f.account "
        "LEFT JOIN entry e ON e.account = f.account LEFT JOIN transfer t ON t.sequence = e.transfer GROUP BY f.account ORDER BY f.account",
        &rows));
    for (;;) {
        bool found = false;
        TRY(statement_step(&rows, &found));
        if (!found) break;
        check_fund(&rows, report);
    }
    int64_t fund_accounts = 0;
    TRY(read_integer(database, "SELECT count(*) FROM account WHERE kind = 2", &fund_accounts));
    if (fund_accounts != report->funds)
        find(report, "funds: there are %" PRId64 ", and %" PRId64 " accounts of funds", report->funds, fund_accounts);
    return result_ok();
}

/* ---- what must be there once ---- */

static struct result verify_uniqueness(struct database *database, struct verify_report *report) {
    struct statement twice RESET_AT_END = {0};
    bool found = false;
    /* Without the index, which may be what is broken. */
    TRY(statement_prepare(
        database, "SELECT max(sequence) FROM transfer NOT INDEXED WHERE kind = 1 GROUP BY caller, reference HAVING count(*) > 1 LIMIT 1",
        &twice));
    TRY(statement_step(&twice, &found));
    if (found) find(report, "transfer %" PRId64 ": its reference was credited before", statement_integer(&twice, 0));
    int64_t without_wallet = 0, wallets = 0;
    TRY(read_integer(database, "SELECT count(*) FROM user", &report->users));
    TRY(read_integer(database, "SELECT count(*) FROM account NOT INDEXED WHERE kind = 1", &wallets));
    TRY(read_integer(database, "SELECT count(*) FROM user u WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.user_id = u.id)",
                     &without_wallet));
    if (without_wallet != 0) find(report, "users: %" PRId64 " have no wallet", without_wallet);
    if (wallets != report->users) find(report, "users: there are %" PRId64 ", and %" PRId64 " wallets", report->users, wallets);
    return result_ok();
}

static struct result verify_all(struct database *database, struct verify_report *report) {
    TRY(verify_transfers(database, report));
    TRY(verify_accounts(database, report));
    TRY(verify_currency(database, report));
    TRY(verify_totals(database, report));
    TRY(verify_funds(database, report));
    TRY(verify_uniqueness(database, report));
    char integrity[256];
    struct result intact = database_verify(database, integrity, sizeof integrity);
    if (intact.code == RESULT_CORRUPT) {
        find(report, "database: %s", integrity);
        return result_ok();
    }
    return intact;
}

struct result verify_books(struct database *database, struct verify_report *ret_report) {
    *ret_report = (struct verify_report){.is_sound = true};
    TRY(database_begin_read(database));
    struct result outcome = verify_all(database, ret_report);
    database_end_read(database);
    return outcome;
}

void verify_print(const struct verify_report *report, FILE *out) {
    fprintf(out,
            "transfers %" PRId64 "\nentries   %" PRId64 "\naccounts  %" PRId64 "\nusers     %" PRId64 "\nfunds     %" PRId64
            "\ncredits   %" PRId64 "\nissued    %" PRId64 "\nhead      %s\n",
            report->transfers, report->entries, report->accounts, report->users, report->funds, report->credits, report->issued_minor,
            report->head);
    if (report->is_sound) {
        fprintf(out, "The books are sound.\n");
    } else {
        fprintf(out, "BROKEN: %s\n", report->finding);
    }
}
