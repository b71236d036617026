/* A user's own money: GET /v1/wallet, in one currency, now or as it was at a time; GET /v1/wallets, in all. */
#include "wallet/wallets.h"

#include "base/check.h"
#include "http/query.h"
#include "service/operation.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/history.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

#define WALLET_BYTES 512u

struct wallet_reading {
    struct reading reading; /* first */
    enum currency currency;
    bool has_time;
    int64_t at_us;
    struct found_account found;
    struct history_search search;
    bool has_ended; /* the search: the entry that it came to is asked for, if there is one */
    bool has_entry;
    int64_t balance_minor, entry_us;
};

static struct result entry_found(void *context, const struct row *row) {
    struct wallet_reading *read = context;
    read->has_entry = true;
    read->balance_minor = row_integer_between(row, 0, -MONEY_AMOUNT_MAX, MONEY_AMOUNT_MAX);
    read->entry_us = row_integer(row, 1);
    return result_ok();
}

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct wallet_reading *read = (struct wallet_reading *)reading;
    if (round == 0) {
        read->found.is_found = read->has_ended = read->has_entry = false;
        ask_account_of_user(batch, reading->exchange->caller.user_id, read->currency, account_found, &read->found);
        return read->has_time;
    }
    if (!read->found.is_found) return false;
    if (round == 1) history_search_begin(&read->search, &read->found.account, read->at_us + 1);
    if (history_search_step(&read->search, batch)) return true;
    int64_t count = read->search.low;
    if (count > 0 && count < read->found.account.sequence) ask_entry(batch, read->found.account.number, count, entry_found, read);
    return false;
}

/* False: the books are broken. */
static bool rewind_account(const struct wallet_reading *read, struct account *account) {
    int64_t count = read->search.low;
    if (read->search.is_broken) return false;
    if (count == account->sequence) return true;
    if (count > 0 && !read->has_entry) return false;
    account->sequence = count;
    account->debits_posted = account->credits_posted = account->debits_pending = account->credits_pending = 0;
    account->updated_at_us = count == 0 ? account->created_at_us : read->entry_us;
    if (count > 0 && read->balance_minor >= 0) account->credits_posted = read->balance_minor;
    if (count > 0 && read->balance_minor < 0) account->debits_posted = -read->balance_minor;
    return true;
}

static void write_wallet(struct json_writer *writer, const struct account *account) {
    json_begin_object(writer);
    json_id_member(writer, "account_id", account->id);
    json_text_member(writer, "currency", text_of(currency_code(account->currency)));
    json_integer_member(writer, "balance", account_balance(account).amount_minor);
    json_integer_member(writer, "held", account->debits_pending);
    json_integer_member(writer, "available", account_available(account).amount_minor);
    json_integer_member(writer, "sequence", account->sequence);
    json_time_member(writer, "updated_at", account->updated_at_us);
    json_end_object(writer);
}

void wallet_refuse_missing(struct exchange *exchange, enum currency currency) {
    if (currency == wallet_of(exchange)->currency)
        problem_reply(exchange, &problem_token_invalid, "The user of this token does not exist.");
    else
        problem_reply(exchange, &problem_account_not_found, "You have no wallet in %s. The first money that comes in it opens one.",
                      currency_code(currency));
}

static void answer(struct reading *reading) {
    struct wallet_reading *read = (struct wallet_reading *)reading;
    struct exchange *exchange = reading->exchange;
    struct account *account = &read->found.account;
    if (!read->found.is_found) {
        wallet_refuse_missing(exchange, read->currency);
    } else if (read->has_time && !rewind_account(read, account)) {
        storage_refuse(exchange, result_error(RESULT_CORRUPT));
    } else {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, WALLET_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        write_wallet(&writer, account);
        reply_buffer(exchange, 200, "application/json", &buffer);
    }
    exchange_finish(exchange);
}

static struct wallet_reading *begin(struct exchange *exchange) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    int64_t at_us = 0;
    bool has_time = false;
    enum currency currency = wallet_of(exchange)->currency;
    const struct query_member members[] = {{.name = "at", .kind = QUERY_TIME, .target = &at_us, .present = &has_time},
                                           {.name = "currency", .kind = QUERY_CURRENCY, .target = &currency}};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    struct wallet_reading *read = reading_begin(exchange, ask, answer, sizeof *read);
    if (read == NULL) return NULL;
    read->currency = currency;
    read->has_time = has_time;
    read->at_us = at_us;
    return read;
}

void wallets_get(struct exchange *exchange) {
    struct wallet_reading *read = begin(exchange);
    if (read == NULL) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}

/* ---- all of a user ---- */

struct wallets_reading {
    struct reading reading; /* first */
    size_t limit;
    int64_t after_number;     /* the cursor: accounts are numbered in the order of their opening, the main currency's is the first */
    size_t count;             /* one more than the limit: there is a next page */
    struct account *accounts; /* room for one more than the limit */
};

static struct result listed_found(void *context, const struct row *row) {
    struct wallets_reading *read = context;
    CHECK(read->count <= read->limit);
    return row_account(row, 0, &read->accounts[read->count++]);
}

static bool list_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct wallets_reading *read = (struct wallets_reading *)reading;
    (void)round;
    read->count = 0;
    ask_accounts_of_user(batch, reading->exchange->caller.user_id, read->after_number, (int64_t)read->limit + 1, listed_found, read);
    return false;
}

static void list_answer(struct reading *reading) {
    const struct wallets_reading *read = (const struct wallets_reading *)reading;
    struct exchange *exchange = reading->exchange;
    bool has_more = read->count > read->limit;
    size_t count = has_more ? read->limit : read->count;
    const int64_t words[PAGE_CURSOR_WORDS] = {has_more ? read->accounts[count - 1].number : 0};
    struct buffer buffer;
    struct json_writer writer;
    reply_page_begin(exchange, &writer, &buffer, (count + 1) * WALLET_BYTES);
    for (size_t i = 0; i < count; i++) write_wallet(&writer, &read->accounts[i]);
    reply_page(exchange, &writer, LIST_WALLETS, has_more, words);
    exchange_finish(exchange);
}

static struct wallets_reading *begin_list(struct exchange *exchange) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct page_query query;
    page_begin(&query, LIST_WALLETS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    struct wallets_reading *read = reading_begin(exchange, list_ask, list_answer, sizeof *read);
    if (read == NULL) return NULL;
    read->limit = (size_t)query.page.limit;
    read->after_number = query.page.has_cursor ? query.page.cursor[0] : 0;
    read->accounts = ARENA_NEW_ARRAY(&exchange->arena, struct account, read->limit + 1);
    if (read->accounts != NULL) return read;
    request_refuse_memory(exchange);
    return NULL;
}

void wallets_list(struct exchange *exchange) {
    struct wallets_reading *read = begin_list(exchange);
    if (read == NULL)
        exchange_finish(exchange);
    else
        reading_start(&read->reading);
}
