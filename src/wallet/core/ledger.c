#include "wallet/core/ledger.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wallet/core/accounts.h"
#include "wallet/core/funds.h"
#include "wallet/core/holds.h"
#include "wallet/core/merchants.h"
#include "wallet/core/references.h"
#include "wallet/core/reversals.h"
#include "wallet/core/sessions.h"
#include "wallet/core/transfers.h"
#include "wallet/core/users.h"

/* ---- tables ---- */

static struct text id_key(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

/* session_id and hash stand side by side: one key. */
static struct text token_key(const struct refresh_token *token) {
    return (struct text){(const char *)&token->session_id, sizeof token->session_id + sizeof token->hash};
}
_Static_assert(offsetof(struct refresh_token, hash) == offsetof(struct refresh_token, session_id) + sizeof(struct id), "one key");

/* caller, NUL and reference stand side by side in a fund of the working set. */
static struct text fund_key(const struct fund *fund) {
    return (struct text){fund->caller.data, fund->caller.size + 1 + fund->reference.size};
}

/* user_id and currency stand side by side: one key. */
static struct text wallet_key(const struct account *account) {
    return (struct text){(const char *)&account->user_id, sizeof account->user_id + sizeof account->currency};
}
_Static_assert(offsetof(struct account, currency) == offsetof(struct account, user_id) + sizeof(struct id), "one key");

/* The same of a till. */
static struct text till_key(const struct merchant *till) {
    return (struct text){(const char *)&till->number, sizeof till->number + sizeof till->currency};
}
_Static_assert(offsetof(struct merchant, currency) == offsetof(struct merchant, number) + sizeof(int64_t), "one key");

#define KEYS_MAX 3

/* The keys of a row, in the order of its table's maps; an absent key has no data. */
static void account_keys(const void *row, struct text keys[KEYS_MAX]) {
    const struct account *account = row;
    keys[0] = id_key(&account->id);
    if (account->kind == ACCOUNT_USER) keys[1] = wallet_key(account);
}
static void user_keys(const void *row, struct text keys[KEYS_MAX]) {
    const struct user *user = row;
    keys[0] = id_key(&user->id);
    keys[1] = user_name(user);
    if (user->phone.size > 0) keys[2] = phone_text(&user->phone);
}
static void session_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = id_key(&((const struct session *)row)->id); }
static void token_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = token_key(row); }
static void fund_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = fund_key(row); }
static void reference_keys(const void *row, struct text keys[KEYS_MAX]) { keys[0] = ((const struct known_reference *)row)->key; }
static void original_keys(const void *row, struct text keys[KEYS_MAX]) {
    const struct original *original = row;
    keys[0] = id_key(&original->id);
    if (original->kind == TRANSFER_CREDIT) keys[1] = original->key;
}
static void merchant_keys(const void *row, struct text keys[KEYS_MAX]) {
    const struct merchant *merchant = row;
    keys[0] = id_key(&merchant->account->id);
    keys[1] = till_key(merchant);
    if (merchant_is_itself(merchant)) keys[2] = merchant->name;
}
static void hold_keys(const void *row, struct text keys[KEYS_MAX]) {
    const struct hold *hold = row;
    keys[0] = id_key(&hold->id);
    keys[1] = hold->key;
}
static void transfer_keys(const void *row, struct text keys[KEYS_MAX]) {
    (void)row; /* transfers of a batch are never looked up */
    (void)keys;
}

struct table_spec {
    struct ledger_table *table;
    struct map *maps[KEYS_MAX];
    void (*keys)(const void *row, struct text keys[KEYS_MAX]);
};

enum {
    TABLE_ACCOUNTS,
    TABLE_USERS,
    TABLE_SESSIONS,
    TABLE_TOKENS,
    TABLE_FUNDS,
    TABLE_REFERENCES,
    TABLE_TRANSFERS,
    TABLE_ORIGINALS,
    TABLE_MERCHANTS,
    TABLE_HOLDS,
    TABLE_COUNT
};

static void list_tables(struct ledger *ledger, struct table_spec specs[TABLE_COUNT]) {
    specs[TABLE_ACCOUNTS] = (struct table_spec){&ledger->accounts, {&ledger->accounts_by_id, &ledger->accounts_by_user}, account_keys};
    specs[TABLE_USERS] =
        (struct table_spec){&ledger->users, {&ledger->users_by_id, &ledger->users_by_name, &ledger->users_by_phone}, user_keys};
    specs[TABLE_SESSIONS] = (struct table_spec){&ledger->sessions, {&ledger->sessions_by_id}, session_keys};
    specs[TABLE_TOKENS] = (struct table_spec){&ledger->tokens, {&ledger->tokens_by_key}, token_keys};
    specs[TABLE_FUNDS] = (struct table_spec){&ledger->funds, {&ledger->funds_by_key}, fund_keys};
    specs[TABLE_REFERENCES] = (struct table_spec){&ledger->references, {&ledger->references_by_key}, reference_keys};
    specs[TABLE_ORIGINALS] = (struct table_spec){&ledger->originals, {&ledger->originals_by_id, &ledger->originals_by_key}, original_keys};
    specs[TABLE_MERCHANTS] = (struct table_spec){&ledger->merchants,
                                                 {&ledger->merchants_by_id, &ledger->merchants_by_till, &ledger->merchants_by_name},
                                                 merchant_keys};
    specs[TABLE_HOLDS] = (struct table_spec){&ledger->holds, {&ledger->holds_by_id, &ledger->holds_by_key}, hold_keys};
    specs[TABLE_TRANSFERS] = (struct table_spec){&ledger->transfers, {NULL}, transfer_keys};
}

struct result ledger_init(struct ledger *ledger, enum currency currency, struct id_source *ids) {
    *ledger = (struct ledger){.currency = currency, .ids = ids};
    arena_init(&ledger->arena, LEDGER_ARENA_BYTES);
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        specs[i].table->rows = calloc(LEDGER_ROWS_MAX, sizeof(void *));
        if (specs[i].table->rows == NULL) return result_error(RESULT_FULL);
        for (size_t map = 0; map < KEYS_MAX && specs[i].maps[map] != NULL; map++) TRY(map_init(specs[i].maps[map], LEDGER_ROWS_MAX));
    }
    return result_ok();
}

void ledger_free(struct ledger *ledger) {
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        free(specs[i].table->rows);
        for (size_t map = 0; map < KEYS_MAX && specs[i].maps[map] != NULL; map++) map_free(specs[i].maps[map]);
    }
    arena_release(&ledger->arena);
    *ledger = (struct ledger){0};
}

static void clear_table(const struct table_spec *spec) {
    for (size_t map = 0; map < KEYS_MAX && spec->maps[map] != NULL; map++) map_clear(spec->maps[map]);
    spec->table->count = 0;
}

void ledger_clear(struct ledger *ledger) {
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    for (size_t i = 0; i < TABLE_COUNT; i++) clear_table(&specs[i]);
    arena_release(&ledger->arena);
    ledger->head = (struct ledger_head){0};
    ledger->last_account_number = 0;
    memset(ledger->issuances, 0, sizeof ledger->issuances);
}

/* The bounds follow from the weight of a batch: reaching one is our own mistake. */
static void append_row(struct ledger *ledger, size_t table, void *row) {
    struct table_spec specs[TABLE_COUNT];
    list_tables(ledger, specs);
    struct table_spec *spec = &specs[table];
    CHECK(spec->table->count < LEDGER_ROWS_MAX);
    spec->table->rows[spec->table->count++] = row;
    struct text keys[KEYS_MAX] = {{0}};
    spec->keys(row, keys);
    for (size_t map = 0; map < KEYS_MAX && spec->maps[map] != NULL; map++) {
        if (keys[map].data == NULL) continue;
        struct result put = map_put(spec->maps[map], keys[map], row);
        CHECK(result_is_ok(put));
    }
}

struct result ledger_add_account(struct ledger *ledger, const struct account *row, struct account **ret_account) {
    struct account *account = ledger_find_account(ledger, row->id);
    if (account == NULL) {
        if (account_fault(row) != NULL) return result_error(RESULT_CORRUPT);
        account = arena_take(&ledger->arena, sizeof *account);
        if (account == NULL) return result_error(RESULT_FULL);
        *account = *row;
        account->loaded = (struct account_sums){row->debits_posted, row->credits_posted, row->debits_pending, row->sequence};
        append_row(ledger, TABLE_ACCOUNTS, account);
        if (account->kind == ACCOUNT_ISSUANCE) ledger->issuances[account->currency] = account;
    }
    if (ret_account != NULL) *ret_account = account;
    return result_ok();
}

struct result ledger_add_user(struct ledger *ledger, const struct user *row) {
    if (map_get(&ledger->users_by_id, id_key(&row->id)) != NULL) return result_ok();
    struct user *user = arena_take(&ledger->arena, sizeof *user);
    if (user == NULL) return result_error(RESULT_FULL);
    *user = *row;
    append_row(ledger, TABLE_USERS, user);
    return result_ok();
}

struct result ledger_add_session(struct ledger *ledger, const struct session *row) {
    if (map_get(&ledger->sessions_by_id, id_key(&row->id)) != NULL) return result_ok();
    struct session *session = arena_take(&ledger->arena, sizeof *session);
    if (session == NULL) return result_error(RESULT_FULL);
    *session = *row;
    append_row(ledger, TABLE_SESSIONS, session);
    return result_ok();
}

struct result ledger_add_token(struct ledger *ledger, const struct refresh_token *row) {
    if (map_get(&ledger->tokens_by_key, token_key(row)) != NULL) return result_ok();
    struct refresh_token *token = arena_take(&ledger->arena, sizeof *token);
    if (token == NULL) return result_error(RESULT_FULL);
    *token = *row;
    append_row(ledger, TABLE_TOKENS, token);
    return result_ok();
}

static struct result copy_text(struct arena *arena, struct text *text) {
    struct text copy = arena_copy(arena, *text);
    if (copy.data == NULL) return result_error(RESULT_FULL);
    *text = copy;
    return result_ok();
}

size_t ledger_join_key(struct text first, struct text second, char *buffer, size_t capacity) {
    CHECK(first.size + 1 + second.size <= capacity);
    if (first.size > 0) memcpy(buffer, first.data, first.size);
    buffer[first.size] = '\0';
    if (second.size > 0) memcpy(buffer + first.size + 1, second.data, second.size);
    return first.size + 1 + second.size;
}

struct result ledger_add_fund(struct ledger *ledger, const struct fund *row) {
    if (ledger_find_fund(ledger, row->caller, row->reference) != NULL) return result_ok();
    if (fund_fault(row) != NULL) return result_error(RESULT_CORRUPT);
    struct fund *fund = arena_take(&ledger->arena, sizeof *fund);
    struct ledger_key joined;
    joined.size = ledger_join_key(row->caller, row->reference, joined.bytes, sizeof joined.bytes);
    struct text key = arena_copy(&ledger->arena, ledger_key_text(&joined));
    if (fund == NULL || key.data == NULL) return result_error(RESULT_FULL);
    *fund = *row;
    fund->loaded = (struct fund_sums){row->funded_minor, row->credited_minor, row->released_minor, row->reversed_minor};
    fund->caller = (struct text){key.data, row->caller.size};
    fund->reference = (struct text){key.data + row->caller.size + 1, row->reference.size};
    TRY(copy_text(&ledger->arena, &fund->description));
    append_row(ledger, TABLE_FUNDS, fund);
    return result_ok();
}

struct result ledger_add_reference(struct ledger *ledger, const struct known_reference *row) {
    if (map_get(&ledger->references_by_key, row->key) != NULL) return result_ok();
    struct known_reference *reference = arena_take(&ledger->arena, sizeof *reference);
    if (reference == NULL) return result_error(RESULT_FULL);
    *reference = *row;
    TRY(copy_text(&ledger->arena, &reference->key));
    if (row->description.size > 0) TRY(copy_text(&ledger->arena, &reference->description));
    if (row->metadata.size > 0) TRY(copy_text(&ledger->arena, &reference->metadata));
    append_row(ledger, TABLE_REFERENCES, reference);
    return result_ok();
}

struct result ledger_add_original(struct ledger *ledger, const struct original *row) {
    if (ledger_find_original(ledger, row->id) != NULL) return result_ok();
    if (original_fault(row) != NULL) return result_error(RESULT_CORRUPT);
    struct original *original = arena_take(&ledger->arena, sizeof *original);
    struct ledger_key joined;
    joined.size = ledger_join_key(row->caller, row->reference, joined.bytes, sizeof joined.bytes);
    struct text key = arena_copy(&ledger->arena, ledger_key_text(&joined));
    if (original == NULL || key.data == NULL) return result_error(RESULT_FULL);
    *original = *row;
    original->key = key;
    original->caller = (struct text){key.data, row->caller.size};
    original->reference = (struct text){key.data + row->caller.size + 1, row->reference.size};
    TRY(copy_text(&ledger->arena, &original->fund_reference));
    append_row(ledger, TABLE_ORIGINALS, original);
    return result_ok();
}

struct result ledger_add_merchant(struct ledger *ledger, const struct merchant *row) {
    if (map_get(&ledger->merchants_by_id, id_key(&row->account->id)) != NULL) return result_ok();
    if (row->account->kind != ACCOUNT_MERCHANT || row->currency != row->account->currency ||
        merchant_is_itself(row) != (row->currency == ledger->currency))
        return result_error(RESULT_CORRUPT);
    struct merchant *merchant = arena_take(&ledger->arena, sizeof *merchant);
    if (merchant == NULL) return result_error(RESULT_FULL);
    *merchant = *row;
    TRY(copy_text(&ledger->arena, &merchant->name));
    append_row(ledger, TABLE_MERCHANTS, merchant);
    return result_ok();
}

struct result ledger_add_hold(struct ledger *ledger, const struct hold *row) {
    if (ledger_find_hold(ledger, row->id) != NULL) return result_ok();
    if (hold_fault(row) != NULL) return result_error(RESULT_CORRUPT);
    struct hold *hold = arena_take(&ledger->arena, sizeof *hold);
    struct ledger_key joined;
    joined.size = ledger_join_key(row->caller, row->reference, joined.bytes, sizeof joined.bytes);
    struct text key = arena_copy(&ledger->arena, ledger_key_text(&joined));
    if (hold == NULL || key.data == NULL) return result_error(RESULT_FULL);
    *hold = *row;
    hold->key = key;
    hold->caller = (struct text){key.data, row->caller.size};
    hold->reference = (struct text){key.data + row->caller.size + 1, row->reference.size};
    append_row(ledger, TABLE_HOLDS, hold);
    return result_ok();
}

struct transfer *ledger_add_transfer(struct ledger *ledger) {
    struct transfer *transfer = arena_take_zeroed(&ledger->arena, sizeof *transfer);
    CHECK(transfer != NULL && ledger->transfers.count < LEDGER_TRANSFERS_MAX);
    append_row(ledger, TABLE_TRANSFERS, transfer);
    return transfer;
}

struct account *ledger_find_account(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->accounts_by_id, id_key(&id));
}

struct account *ledger_find_wallet(const struct ledger *ledger, struct id user_id, enum currency currency) {
    const struct account sought = {.user_id = user_id, .currency = currency};
    return map_get(&ledger->accounts_by_user, wallet_key(&sought));
}

struct account *ledger_find_account_of_user(const struct ledger *ledger, struct id user_id) {
    return ledger_find_wallet(ledger, user_id, ledger->currency);
}

struct user *ledger_find_user(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->users_by_id, id_key(&id));
}
struct user *ledger_find_user_by_name(const struct ledger *ledger, struct text name) {
    return map_get(&ledger->users_by_name, name);
}

struct user *ledger_find_user_by_phone(const struct ledger *ledger, const struct phone *phone) {
    return map_get(&ledger->users_by_phone, phone_text(phone));
}

void ledger_set_user_phone(struct ledger *ledger, struct user *user, const struct phone *phone, bool is_verified) {
    if (!phone_equal(&user->phone, phone)) {
        if (user->phone.size > 0) {
            void *removed = map_remove(&ledger->users_by_phone, phone_text(&user->phone)); /* its key is in the row */
            CHECK(removed == user);
            user->has_left_phone = true;
        }
        user->phone = *phone;
        struct result put = phone->size == 0 ? result_ok() : map_put(&ledger->users_by_phone, phone_text(&user->phone), user);
        CHECK(result_is_ok(put));
    }
    user->is_phone_verified = is_verified;
    row_change(&user->state);
}

struct session *ledger_find_session(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->sessions_by_id, id_key(&id));
}

struct refresh_token *ledger_find_token(const struct ledger *ledger, struct id session_id, const struct hash *hash) {
    struct refresh_token sought = {.session_id = session_id, .hash = *hash};
    return map_get(&ledger->tokens_by_key, token_key(&sought));
}

struct fund *ledger_find_fund(const struct ledger *ledger, struct text caller, struct text reference) {
    struct ledger_key key;
    key.size = ledger_join_key(caller, reference, key.bytes, sizeof key.bytes);
    return map_get(&ledger->funds_by_key, ledger_key_text(&key));
}

struct original *ledger_find_original(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->originals_by_id, id_key(&id));
}

struct original *ledger_find_credit(const struct ledger *ledger, struct text caller, struct text reference) {
    struct ledger_key key;
    key.size = ledger_join_key(caller, reference, key.bytes, sizeof key.bytes);
    return map_get(&ledger->originals_by_key, ledger_key_text(&key));
}

struct merchant *ledger_find_merchant(const struct ledger *ledger, struct id id) {
    struct merchant *found = map_get(&ledger->merchants_by_id, id_key(&id));
    return found != NULL && merchant_is_itself(found) ? found : NULL;
}

struct merchant *ledger_find_till(const struct ledger *ledger, const struct merchant *merchant, enum currency currency) {
    const struct merchant sought = {.number = merchant->number, .currency = currency};
    return map_get(&ledger->merchants_by_till, till_key(&sought));
}

struct merchant *ledger_find_merchant_by_name(const struct ledger *ledger, struct text name) {
    return map_get(&ledger->merchants_by_name, name);
}

struct hold *ledger_find_hold(const struct ledger *ledger, struct id id) {
    return map_get(&ledger->holds_by_id, id_key(&id));
}

struct hold *ledger_find_hold_by_reference(const struct ledger *ledger, struct text caller, struct text reference) {
    struct ledger_key key;
    key.size = ledger_join_key(caller, reference, key.bytes, sizeof key.bytes);
    return map_get(&ledger->holds_by_key, ledger_key_text(&key));
}

struct known_reference *ledger_find_reference(const struct ledger *ledger, struct text key) {
    return map_get(&ledger->references_by_key, key);
}
