/* What moved: a user's list, and one transfer. */
#include "wallet/transactions.h"

#include <stdio.h>

#include "base/check.h"
#include "http/query.h"
#include "service/operation.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/history.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/users.h"
#include "wallet/wallet.h"
#include "wallet/wallets.h"

/* Entries that one page may look at: a filter that matches little ends its page early and gives a cursor to go on. */
#define SCAN_MAX INT64_C(2000)

/* ---- the document ---- */

struct text transaction_typed_recipient(struct text metadata) {
    static const struct text before = {"{\"to\":", 6};
    if (!text_starts_with(metadata, before) || metadata.size < before.size + 3) return TEXT("");
    return (struct text){metadata.data + before.size, metadata.size - before.size - 1};
}

/* The one member's value of what the sender typed: {"phone":"+98…"}. It needs no escape: it is a name, a number or an id. */
static struct text typed_value(struct text typed) {
    size_t end = typed.size;
    while (end > 0 && typed.data[end - 1] != '"') end--;
    size_t start = end > 0 ? end - 1 : 0;
    while (start > 0 && typed.data[start - 1] != '"') start--;
    return end > start + 1 ? (struct text){typed.data + start, end - 1 - start} : TEXT("somebody");
}

/* What stands before a name, or alone when there is none. */
struct words {
    const char *credit, *debit; /* to whom the account belongs */
    bool has_name;
};
static const struct words words_of_kinds[] = {
    [TRANSFER_CREDIT] = {"Credit from", "Credit by", true},
    [TRANSFER_USER] = {"Transfer from", "Transfer to", true},
    [TRANSFER_OPEN] = {"Fund opened by", "Fund opened by", true},
    [TRANSFER_TOPUP] = {"Fund topped up by", "Fund topped up by", true},
    [TRANSFER_RELEASE] = {"Rest of a fund of", "Fund released by", true},
    [TRANSFER_PAYMENT] = {"Payment from", "Payment to", true},
    [TRANSFER_HOLD] = {"Held", "Held", false},
    [TRANSFER_CAPTURE] = {"Held payment from", "Held payment to", true},
    [TRANSFER_HOLD_RELEASE] = {"Hold released", "Hold released", false},
    [TRANSFER_HOLD_EXPIRY] = {"Hold expired", "Hold expired", false},
    [TRANSFER_REVERSAL] = {"Money back", "Taken back", false},
    [TRANSFER_CREDIT_REVERSAL] = {"Credit taken back by", "Credit taken back by", true},
    [TRANSFER_ADJUSTMENT] = {"Adjustment", "Adjustment", false},
};

static struct text name_in_words(const struct transaction_view *view) {
    if (view->merchant.size > 0) return view->merchant;
    if (view->typed_recipient.size > 0) return typed_value(view->typed_recipient);
    if (view->counterparty_name.size > 0) return view->counterparty_name;
    return view->caller.size > 0 ? view->caller : TEXT("somebody");
}

struct text transaction_words(const struct transaction_view *view, char buffer[TRANSACTION_WORDS_BYTES]) {
    static const struct words unknown = {"Credit", "Debit", false};
    bool is_known = (size_t)view->kind < ARRAY_COUNT(words_of_kinds) && words_of_kinds[view->kind].credit != NULL;
    const struct words *words = is_known ? &words_of_kinds[view->kind] : &unknown;
    struct text name = words->has_name ? name_in_words(view) : TEXT("");
    int size = snprintf(buffer, TRANSACTION_WORDS_BYTES, "%s%s%.*s%s%.*s", view->is_credit ? words->credit : words->debit,
                        name.size > 0 ? " " : "", (int)name.size, name.data, view->description.size > 0 ? ": " : "",
                        (int)view->description.size, view->description.data);
    CHECK(size > 0 && (size_t)size < TRANSACTION_WORDS_BYTES); /* a name of 128 and 255 characters of 4 bytes */
    return (struct text){buffer, (size_t)size};
}

void transaction_write(struct json_writer *writer, const struct transaction_view *view) {
    char words[TRANSACTION_WORDS_BYTES];
    json_begin_object(writer);
    json_id_member(writer, "id", view->id);
    json_text_member(writer, "kind", text_of(transfer_kind_name(view->kind)));
    json_text_member(writer, "direction", view->is_credit ? TEXT("credit") : TEXT("debit"));
    json_integer_member(writer, "amount", view->amount.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(view->amount.currency)));
    json_integer_member(writer, "balance_after", view->balance_after);
    write_text_or_null(writer, "reference", view->reference);
    write_text_or_null(writer, "description", view->description);
    if (view->typed_recipient.size > 0) {
        json_key(writer, "counterparty");
        json_put_raw(writer, view->typed_recipient);
    } else if (!id_is_zero(view->counterparty_account)) {
        json_key(writer, "counterparty");
        json_begin_object(writer);
        json_id_member(writer, "account_id", view->counterparty_account);
        json_text_member(writer, "username", view->counterparty_name);
        json_end_object(writer);
    }
    if (view->merchant.size > 0) json_text_member(writer, "merchant", view->merchant);
    json_text_member(writer, "summary", transaction_words(view, words));
    json_time_member(writer, "created_at", view->created_at_us);
    json_end_object(writer);
}

static struct result copy_texts(struct arena *arena, struct transaction_view *view) {
    view->reference = arena_copy(arena, view->reference);
    view->description = arena_copy(arena, view->description);
    view->counterparty_name = arena_copy(arena, view->counterparty_name);
    view->caller = arena_copy(arena, view->caller);
    view->merchant = arena_copy(arena, view->merchant);
    view->typed_recipient = arena_copy(arena, view->typed_recipient);
    bool has_all = view->reference.data != NULL && view->description.data != NULL && view->counterparty_name.data != NULL &&
                   view->typed_recipient.data != NULL && view->caller.data != NULL && view->merchant.data != NULL;
    return has_all ? result_ok() : result_error(RESULT_FULL);
}

struct transaction_view transaction_of_entry(const struct row *row, bool is_own) {
    int64_t amount = row_integer_between(row, 1, -MONEY_AMOUNT_MAX, MONEY_AMOUNT_MAX);
    struct transaction_view view = {.id = row_id(row, 3),
                                    .kind = row_transfer_kind(row, 4),
                                    .is_credit = amount > 0,
                                    .amount = {amount > 0 ? amount : -amount, row_currency(row, 5)},
                                    .balance_after = row_integer(row, 2),
                                    .reference = row_text(row, 6),
                                    .description = row_text(row, 7),
                                    .caller = row_text(row, 12),
                                    .counterparty_account = row_id_or_zero(row, 9),
                                    .counterparty_name = row_text_or_empty(row, 10),
                                    .merchant = row_text_or_empty(row, 13),
                                    .typed_recipient = TEXT(""),
                                    .created_at_us = row_time(row, 8)};
    if (view.counterparty_name.size == 0) view.counterparty_account = (struct id){{0}};
    if (is_own && !view.is_credit && view.kind == TRANSFER_USER) view.typed_recipient = transaction_typed_recipient(row_text(row, 11));
    /* A row that is refused is told so at the end of the run. */
    view.reference = text_cut(view.reference, LIMIT_REFERENCE_BYTES);
    view.description = text_cut(view.description, 4u * LIMIT_DESCRIPTION_CHARACTERS);
    view.caller = text_cut(view.caller, LIMIT_REFERENCE_BYTES);
    view.merchant = text_cut(view.merchant, LIMIT_REFERENCE_BYTES);
    return view;
}

/* ---- the list ---- */

struct transaction_row {
    int64_t sequence;
    struct transaction_view view;
};

struct transactions_reading {
    struct reading reading; /* first */
    int64_t cursor;         /* INT64_MAX: from the newest */
    bool has_from, has_to;
    int64_t from_us, to_us;     /* from <= time < to */
    struct id account_id;       /* whose; zero: the caller's own */
    enum currency currency;     /* of the caller's own */
    char list;                  /* whose letter its cursors have */
    struct entry_filter filter; /* what of it: before and after are the entries that were looked at */
    size_t limit;
    struct found_account found;
    struct history_search from, to;
    size_t count; /* one more than the limit: there is a next page */
    struct transaction_row *rows;
};

static struct result entry_found(void *context, const struct row *row) {
    struct transactions_reading *read = context;
    CHECK(read->count <= read->limit);
    struct transaction_row *found = &read->rows[read->count++];
    *found = (struct transaction_row){.sequence = row_integer(row, 0), .view = transaction_of_entry(row, id_is_zero(read->account_id))};
    return copy_texts(&read->reading.exchange->arena, &found->view);
}

static void ask_page(struct transactions_reading *read, struct batch *batch) {
    struct entry_filter *filter = &read->filter;
    int64_t newest = read->found.account.sequence;
    int64_t oldest = read->has_from ? read->from.low : 0; /* so many are from before */
    filter->before = read->cursor <= newest ? read->cursor : newest + 1;
    if (read->has_to && read->to.low < filter->before - 1) filter->before = read->to.low + 1;
    filter->after = filter->before - 1 - SCAN_MAX > oldest ? filter->before - 1 - SCAN_MAX : oldest;
    ask_entries(batch, read->found.account.number, filter, (int64_t)read->limit + 1, entry_found, read);
}

static bool list_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct transactions_reading *read = (struct transactions_reading *)reading;
    if (round == 0) {
        read->found.is_found = false;
        read->count = 0;
        if (id_is_zero(read->account_id))
            ask_account_of_user(batch, reading->exchange->caller.user_id, read->currency, account_found, &read->found);
        else
            ask_account(batch, read->account_id, account_found, &read->found);
        return true;
    }
    if (!read->found.is_found) return false;
    if (round == 1) {
        history_search_begin(&read->from, &read->found.account, read->from_us);
        history_search_begin(&read->to, &read->found.account, read->to_us);
    }
    bool from_goes_on = read->has_from && history_search_step(&read->from, batch);
    bool to_goes_on = read->has_to && history_search_step(&read->to, batch);
    if (from_goes_on || to_goes_on) return true;
    ask_page(read, batch);
    return false;
}

/* The sequence that the next page's are below; 0: there is none. */
static int64_t next_of(const struct transactions_reading *read) {
    if (read->count > read->limit) return read->rows[read->limit - 1].sequence;
    int64_t oldest = read->has_from ? read->from.low : 0;
    return read->found.is_found && read->filter.after > oldest ? read->filter.after + 1 : 0;
}

static void list_answer(struct reading *reading) {
    const struct transactions_reading *read = (const struct transactions_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if ((read->has_from && read->from.is_broken) || (read->has_to && read->to.is_broken)) {
        storage_refuse(exchange, result_error(RESULT_CORRUPT));
        exchange_finish(exchange);
        return;
    }
    if (!read->found.is_found && !id_is_zero(read->account_id)) {
        problem_reply(exchange, &problem_account_not_found, "There is no such account.");
        exchange_finish(exchange);
        return;
    }
    if (!read->found.is_found && read->currency != wallet_of(exchange)->currency) {
        wallet_refuse_missing(exchange, read->currency);
        exchange_finish(exchange);
        return;
    }
    size_t count = read->count > read->limit ? read->limit : read->count;
    const int64_t words[PAGE_CURSOR_WORDS] = {next_of(read)};
    struct buffer buffer;
    struct json_writer writer;
    reply_page_begin(exchange, &writer, &buffer, (count + 1) * TRANSACTION_BYTES);
    for (size_t i = 0; i < count; i++) transaction_write(&writer, &read->rows[i].view);
    reply_page(exchange, &writer, read->list, words[0] != 0, words);
    exchange_finish(exchange);
}

/* Of what moved. */
#define KINDS "credit|transfer|fund_open|fund_topup|fund_release|payment|capture|reversal|credit_reversal|adjustment"

static enum transfer_kind kind_of(struct text name) {
    for (int kind = TRANSFER_CREDIT; kind <= TRANSFER_KIND_LAST; kind++) {
        if (text_equal(name, text_of(transfer_kind_name((enum transfer_kind)kind)))) return (enum transfer_kind)kind;
    }
    return (enum transfer_kind)0;
}

static int64_t sign_of(struct text direction) {
    if (text_equal(direction, TEXT("credit"))) return 1;
    return text_equal(direction, TEXT("debit")) ? -1 : 0;
}

static bool read_filter(struct exchange *exchange, struct transactions_reading *read) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, read->list);
    struct text kind = {"", 0}, direction = {"", 0}, reference = {"", 0};
    read->currency = wallet_of(exchange)->currency;
    const struct query_member members[] = {
        PAGE_QUERY_MEMBERS(&query),
        {.name = "from", .kind = QUERY_TIME, .target = &read->from_us, .present = &read->has_from},
        {.name = "to", .kind = QUERY_TIME, .target = &read->to_us, .present = &read->has_to},
        {.name = "kind", .kind = QUERY_CHOICE, .target = &kind, .choices = KINDS},
        {.name = "direction", .kind = QUERY_CHOICE, .target = &direction, .choices = "credit|debit"},
        {.name = "reference", .kind = QUERY_TEXT, .target = &reference, .min = 1, .max = LIMIT_REFERENCE_BYTES},
        {.name = "currency", .kind = QUERY_CURRENCY, .target = &read->currency}, /* the last: an account has its own */
    };
    query_read(exchange, members, id_is_zero(read->account_id) ? ARRAY_COUNT(members) : ARRAY_COUNT(members) - 1, &faults);
    page_finish(&query, &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    read->limit = (size_t)query.page.limit;
    read->filter =
        (struct entry_filter){.kind = kind_of(kind), .sign = sign_of(direction), .reference = arena_copy(&exchange->arena, reference)};
    read->cursor = INT64_MAX;
    if (query.page.has_cursor) read->cursor = query.page.cursor[0] < 1 ? 1 : query.page.cursor[0];
    read->rows = ARENA_NEW_ARRAY(&exchange->arena, struct transaction_row, read->limit + 1);
    if (read->rows != NULL && read->filter.reference.data != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

static void list(struct exchange *exchange, struct id account_id, char list) {
    struct transactions_reading *read = reading_begin(exchange, list_ask, list_answer, sizeof *read);
    if (read != NULL) {
        read->account_id = account_id;
        read->list = list;
    }
    if (read == NULL || !read_filter(exchange, read)) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}

void transactions_list(struct exchange *exchange) { list(exchange, (struct id){{0}}, LIST_TRANSACTIONS); }

void transactions_list_of_account(struct exchange *exchange) {
    struct id account_id;
    if (result_is_ok(id_parse(exchange->parameters[0], &account_id)) && !id_is_zero(account_id)) {
        list(exchange, account_id, LIST_ACCOUNT_TRANSACTIONS);
        return;
    }
    problem_reply(exchange, &problem_account_not_found, "There is no such account.");
    exchange_finish(exchange);
}

/* ---- one ---- */

struct transaction_reading {
    struct reading reading; /* first */
    struct id id;           /* zero: what was asked for is no id */
    bool is_found;
    struct transaction_view view;
};

/* From the side that the caller stands on; others, who are admins, see the side that received, or the fund that was emptied. */
static bool choose_side(const struct row *row, const struct identity *caller, bool *ret_is_credit) {
    struct id debit_user = row_id_or_zero(row, 7), credit_user = row_id_or_zero(row, 11);
    bool is_debit = id_equal(debit_user, caller->user_id), is_credit = id_equal(credit_user, caller->user_id);
    *ret_is_credit = !is_debit && row_transfer_kind(row, 0) != TRANSFER_RELEASE;
    return (caller->scopes & SCOPE_ADMIN) != 0 || is_debit || is_credit;
}

static struct result transfer_found(void *context, const struct row *row) {
    struct transaction_reading *read = context;
    bool is_credit = false;
    read->is_found = choose_side(row, &read->reading.exchange->caller, &is_credit);
    if (!read->is_found) return result_ok();
    int mine = is_credit ? 10 : 6, theirs = is_credit ? 6 : 10;
    read->view = (struct transaction_view){.id = read->id,
                                           .kind = row_transfer_kind(row, 0),
                                           .is_credit = is_credit,
                                           .amount = {row_integer(row, 1), row_currency(row, 2)},
                                           .balance_after = row_integer(row, mine + 3),
                                           .reference = row_text(row, 3),
                                           .description = row_text(row, 4),
                                           .caller = row_text(row, 15),
                                           .counterparty_name = row_text_or_empty(row, theirs + 2),
                                           .merchant = is_credit ? TEXT("") : row_text_or_empty(row, 17),
                                           .typed_recipient = TEXT(""),
                                           .created_at_us = row_time(row, 5)};
    if (!row_is_null(row, theirs + 1)) read->view.counterparty_account = row_id(row, theirs);
    if (!is_credit && read->view.kind == TRANSFER_USER) read->view.typed_recipient = transaction_typed_recipient(row_text(row, 14));
    return copy_texts(&read->reading.exchange->arena, &read->view);
}

static bool get_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct transaction_reading *read = (struct transaction_reading *)reading;
    (void)round;
    read->is_found = false;
    if (!id_is_zero(read->id)) ask_transfer(batch, read->id, transfer_found, read);
    return false;
}

static void get_answer(struct reading *reading) {
    const struct transaction_reading *read = (const struct transaction_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (read->is_found) {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, TRANSACTION_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        transaction_write(&writer, &read->view);
        reply_buffer(exchange, 200, "application/json", &buffer);
    } else {
        problem_reply(exchange, &problem_transaction_not_found, "There is no such transaction, or it is not yours.");
    }
    exchange_finish(exchange);
}

void transactions_get(struct exchange *exchange) {
    struct transaction_reading *read = reading_begin(exchange, get_ask, get_answer, sizeof *read);
    if (read == NULL) {
        exchange_finish(exchange);
        return;
    }
    if (!result_is_ok(id_parse(exchange->parameters[0], &read->id))) read->id = (struct id){{0}};
    reading_start(&read->reading);
}
