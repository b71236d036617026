#include "wallet/statement.h"

#include "base/check.h"
#include "base/csv.h"
#include "http/query.h"
#include "http/route.h"
#include "service/operation.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/history.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/transactions.h"
#include "wallet/wallet.h"
#include "wallet/wallets.h"

#define ENTRY_BYTES_MAX 6144u       /* the longest line: its description twice, every character of it escaped */
#define END_BYTES       512u        /* totals and what stands behind them */
#define PIECE_LINES     INT64_C(56) /* as many as a piece mostly has room for; what has none comes with the next */
#define CSV_HEAD        "time,kind,summary,credit,debit,balance,currency,reference,transaction_id"

struct wallet_statement {
    struct long_reading reading; /* first */
    struct id user_id;
    enum currency currency;
    bool has_from, has_to, is_csv;
    int64_t from_us, to_us; /* from <= time < to; what was not asked for is set when the account is known */
    int64_t now_us;
    struct found_account found;
    struct history_search from, to;
    bool has_opening;
    int64_t opening_minor;
    /* Entries: those above `after` up to `last` are still to come, `seen` is the last of this piece. What `last` is was said when it began, so that all pieces
     * speak of one moment: entries are only added behind it. */
    bool has_begun, is_full, has_ended;
    int64_t after, seen, last;
    int64_t balance_minor; /* behind `seen` */
    struct money credit, debit;
    int64_t count; /* behind `seen` */
    struct {
        int64_t balance_minor, count;
        struct money credit, debit;
        bool comma_due;
    } kept; /* behind `after`: a piece that is read again begins there */
    struct json_writer writer;
    struct csv_writer csv;
};

/* ---- writing ---- */

static void write_csv_line(struct wallet_statement *self, const struct transaction_view *view) {
    char words[TRANSACTION_WORDS_BYTES];
    struct csv_writer *csv = &self->csv;
    csv_put_time(csv, view->created_at_us);
    csv_put_text(csv, text_of(transfer_kind_name(view->kind)));
    csv_put_text(csv, transaction_words(view, words));
    if (!view->is_credit) csv_put_nothing(csv);
    csv_put_integer(csv, view->amount.amount_minor);
    if (view->is_credit) csv_put_nothing(csv);
    csv_put_integer(csv, view->balance_after);
    csv_put_text(csv, text_of(currency_code(view->amount.currency)));
    csv_put_text(csv, view->reference);
    csv_put_id(csv, view->id);
    csv_end_line(csv);
}

/* The first line has no sums, the last one has those of all. */
static void write_csv_balance(struct wallet_statement *self, const char *kind, const char *summary, int64_t time_us, bool has_sums,
                              int64_t balance_minor) {
    struct csv_writer *csv = &self->csv;
    csv_put_time(csv, time_us);
    csv_put_text(csv, text_of(kind));
    csv_put_text(csv, text_of(summary));
    if (has_sums)
        csv_put_integer(csv, self->credit.amount_minor);
    else
        csv_put_nothing(csv);
    if (has_sums)
        csv_put_integer(csv, self->debit.amount_minor);
    else
        csv_put_nothing(csv);
    csv_put_integer(csv, balance_minor);
    csv_put_text(csv, text_of(currency_code(self->found.account.currency)));
    csv_put_nothing(csv);
    csv_put_nothing(csv);
    csv_end_line(csv);
}

static void write_beginning(struct wallet_statement *self) {
    if (self->is_csv) {
        csv_begin(&self->csv, CSV_HEAD);
        write_csv_balance(self, "opening_balance", "Balance before", self->from_us, false, self->opening_minor);
        return;
    }
    struct json_writer *writer = &self->writer;
    json_begin_object(writer);
    json_time_member(writer, "from", self->from_us);
    json_time_member(writer, "to", self->to_us);
    json_text_member(writer, "currency", text_of(currency_code(self->found.account.currency)));
    json_integer_member(writer, "opening_balance", self->opening_minor);
    json_key(writer, "entries");
    json_begin_array(writer);
}

static void write_end(struct wallet_statement *self) {
    if (self->is_csv) {
        write_csv_balance(self, "closing_balance", "Balance after", self->to_us, true, self->balance_minor);
        return;
    }
    struct json_writer *writer = &self->writer;
    json_end_array(writer);
    json_key(writer, "totals");
    json_begin_object(writer);
    json_integer_member(writer, "credit", self->credit.amount_minor);
    json_integer_member(writer, "debit", self->debit.amount_minor);
    json_integer_member(writer, "count", self->count);
    json_end_object(writer);
    json_integer_member(writer, "closing_balance", self->balance_minor);
    json_end_object(writer);
}

/* ---- reading ---- */

static bool has_room(const struct wallet_statement *self) {
    return STREAM_PIECE_BYTES - self->reading.piece.size >= ENTRY_BYTES_MAX + END_BYTES;
}

/* What the entry says must follow from the one before it. */
static struct result add_up(struct wallet_statement *self, const struct row *row, const struct transaction_view *view) {
    struct money *sum = view->is_credit ? &self->credit : &self->debit;
    struct money balance = {self->balance_minor, view->amount.currency}, after = balance;
    struct result added = view->is_credit ? money_add(balance, view->amount, &after) : money_subtract(balance, view->amount, &after);
    if (!result_is_ok(added) || !result_is_ok(money_add(*sum, view->amount, sum)) || after.amount_minor != view->balance_after ||
        row_integer(row, 0) != self->seen + 1)
        row_refuse(row, 0, "an entry that does not follow from the one before it");
    TRY(row_verdict(row));
    self->balance_minor = view->balance_after;
    self->seen++;
    self->count++;
    return result_ok();
}

static struct result entry_found(void *context, const struct row *row) {
    struct wallet_statement *self = context;
    self->is_full = self->is_full || !has_room(self);
    if (self->is_full) return result_ok();
    struct transaction_view view = transaction_of_entry(row, true);
    TRY(add_up(self, row, &view));
    if (self->is_csv)
        write_csv_line(self, &view);
    else
        transaction_write(&self->writer, &view);
    return result_ok();
}

static struct result opening_found(void *context, const struct row *row) {
    struct wallet_statement *self = context;
    self->opening_minor = row_integer_between(row, 0, -MONEY_AMOUNT_MAX, MONEY_AMOUNT_MAX);
    self->has_opening = true;
    return result_ok();
}

static void ask_lines(struct wallet_statement *self, struct batch *batch) {
    self->seen = self->after;
    self->is_full = false;
    self->balance_minor = self->kept.balance_minor;
    self->credit = self->kept.credit;
    self->debit = self->kept.debit;
    self->count = self->kept.count;
    self->writer.comma_due = self->kept.comma_due;
    self->has_ended = self->after == self->last;
    if (self->has_ended)
        write_end(self);
    else
        ask_statement(batch, self->found.account.number, self->last + 1, self->after, PIECE_LINES, entry_found, self);
}

/* The account, then where the time begins and ends in it, then what it had before. */
static bool ask_first(struct wallet_statement *self, struct batch *batch, uint32_t round) {
    if (round == 0) {
        self->found.is_found = self->has_opening = false;
        ask_account_of_user(batch, self->user_id, self->currency, account_found, &self->found);
        return true;
    }
    if (!self->found.is_found) return false;
    if (round == 1) {
        if (!self->has_from) self->from_us = self->found.account.created_at_us;
        if (!self->has_to)
            self->to_us = self->now_us > self->found.account.updated_at_us ? self->now_us : self->found.account.updated_at_us + 1;
        history_search_begin(&self->from, &self->found.account, self->from_us);
        history_search_begin(&self->to, &self->found.account, self->to_us);
    }
    bool from_goes_on = history_search_step(&self->from, batch), to_goes_on = history_search_step(&self->to, batch);
    if (from_goes_on || to_goes_on) return true;
    self->after = self->seen = self->from.low;
    self->last = self->to.low > self->after ? self->to.low : self->after;
    if (self->after > 0) ask_entry(batch, self->found.account.number, self->after, opening_found, self);
    return false;
}

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct wallet_statement *self = (struct wallet_statement *)reading;
    if (self->has_begun)
        ask_lines(self, batch);
    else
        return ask_first(self, batch, round);
    return false;
}

static enum stream_word advance(struct long_reading *reading) {
    struct wallet_statement *self = (struct wallet_statement *)reading;
    if (self->has_ended) return STREAM_END;
    if (self->has_begun && self->seen == self->after) return STREAM_FAILED; /* an entry is missing */
    self->has_begun = true;
    self->after = self->seen;
    self->kept.balance_minor = self->balance_minor;
    self->kept.credit = self->credit;
    self->kept.debit = self->debit;
    self->kept.count = self->count;
    self->kept.comma_due = self->writer.comma_due;
    return STREAM_MORE;
}

/* ---- the answer ---- */

/* The first piece is the beginning, which needs the account alone; then come the lines, and the end in a piece of its own. */
static void answer(struct reading *reading) {
    struct wallet_statement *self = (struct wallet_statement *)reading;
    struct exchange *exchange = reading->exchange;
    bool is_broken = self->from.is_broken || self->to.is_broken || (self->after > 0 && !self->has_opening);
    if (self->found.is_found && !is_broken) {
        self->balance_minor = self->opening_minor;
        self->credit = self->debit = (struct money){0, self->found.account.currency};
        write_beginning(self);
        reading_stream(&self->reading, 200, self->is_csv ? "text/csv; charset=utf-8" : "application/json");
        return;
    }
    if (is_broken)
        storage_refuse(exchange, result_error(RESULT_CORRUPT));
    else
        wallet_refuse_missing(exchange, self->currency);
    reading_abandon(&self->reading);
    exchange_finish(exchange);
}

/* ---- the request ---- */

static bool read_query(struct exchange *exchange, struct wallet_statement *self, struct text *ret_audience) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    self->is_csv = route_wants_csv(exchange);
    self->currency = wallet_of(exchange)->currency;
    const struct query_member members[] = {
        {.name = "currency", .kind = QUERY_CURRENCY, .target = &self->currency},
        {.name = "from", .kind = QUERY_TIME, .target = &self->from_us, .present = &self->has_from},
        {.name = "to", .kind = QUERY_TIME, .target = &self->to_us, .present = &self->has_to},
        {.name = "for", .kind = QUERY_CHOICE, .target = ret_audience, .choices = "spreadsheet"},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    if (!self->is_csv && ret_audience->size > 0)
        faults_add(&faults, "for", "invalid_choice", "is for text/csv only: ask for that by Accept");
    if (self->has_from && self->has_to && self->from_us > self->to_us) faults_add(&faults, "to", "out_of_range", "must not be before from");
    return !request_refuse_faults(exchange, &faults);
}

void statement_get(struct exchange *exchange) {
    struct text audience = {"", 0};
    struct wallet_statement query = {0};
    struct wallet_statement *self = NULL;
    if (read_query(exchange, &query, &audience)) self = reading_begin_long(exchange, ask, answer, advance, sizeof *self);
    if (self == NULL) {
        exchange_finish(exchange);
        return;
    }
    self->user_id = exchange->caller.user_id;
    self->now_us = clock_now_us(exchange->service->clock);
    self->currency = query.currency;
    self->is_csv = query.is_csv;
    self->has_from = query.has_from;
    self->has_to = query.has_to;
    self->from_us = query.from_us;
    self->to_us = query.to_us;
    self->writer = (struct json_writer){.buffer = &self->reading.piece};
    self->csv = (struct csv_writer){.buffer = &self->reading.piece, .is_for_spreadsheet = audience.size > 0};
    reading_start(&self->reading.reading);
}
