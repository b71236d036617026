/* Rows in memory. What is written waits in a list until the commit, so that a rollback is as good as a database's. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wallet/rows.h"

#define CAPACITY (1u << 16) /* rows of each table: enough for tests; RESULT_FULL beyond */

enum row_kind { ROW_ACCOUNT, ROW_USER, ROW_SESSION, ROW_TOKEN, ROW_FUND, ROW_TRANSFER, ROW_KEPT_ANSWER };

struct change {
    struct change *next;
    enum row_kind kind;
    void *row; /* a copy with texts of its own */
};

struct rows_memory {
    struct arena arena; /* everything that was ever written */
    struct change *first, **last;
    enum result_code next_commit;
    struct ledger_head head;
    int64_t account_count;
    struct account *issuance;
    struct map accounts_by_id, accounts_by_number, accounts_by_user, users_by_id, users_by_name, users_by_phone, sessions, tokens, funds,
        references, kept;
};

static struct text key_of(const void *data, size_t size) { return (struct text){data, size}; }
#define KEY(member) key_of(&(member), sizeof(member))

static struct text copy_text(struct rows_memory *memory, struct text text) {
    struct text copy = arena_copy(&memory->arena, text);
    CHECK(copy.data != NULL);
    return copy;
}

static void *copy_row(struct rows_memory *memory, const void *row, size_t size) {
    void *copy = arena_take(&memory->arena, size);
    CHECK(copy != NULL);
    memcpy(copy, row, size);
    return copy;
}

static struct result add_change(struct rows_memory *memory, enum row_kind kind, void *row) {
    struct change *change = ARENA_NEW(&memory->arena, struct change);
    if (change == NULL) return result_error(RESULT_FULL);
    *change = (struct change){.kind = kind, .row = row};
    *memory->last = change;
    memory->last = &change->next;
    return result_ok();
}

static void drop_changes(struct rows_memory *memory) {
    memory->first = NULL;
    memory->last = &memory->first;
}

/* ---- reading ---- */

static struct result give(const void *row, void *ret_row, size_t size, bool *ret_found) {
    *ret_found = row != NULL;
    if (row != NULL) memcpy(ret_row, row, size);
    return result_ok();
}

static struct result give_account(const struct account *row, struct account *ret_account, bool *ret_found) {
    TRY(give(row, ret_account, sizeof *row, ret_found));
    if (*ret_found) ret_account->state = ROW_KEPT;
    return result_ok();
}

static struct result give_user(const struct user *row, struct user *ret_user, bool *ret_found) {
    TRY(give(row, ret_user, sizeof *row, ret_found));
    if (*ret_found) ret_user->state = ROW_KEPT;
    return result_ok();
}

static struct result read_head(void *self, struct ledger_head *ret_head, int64_t *ret_last_account_number) {
    struct rows_memory *memory = self;
    *ret_head = memory->head;
    *ret_last_account_number = memory->account_count;
    return result_ok();
}
static struct result read_issuance(void *self, enum currency currency, struct account *ret_account, bool *ret_found) {
    struct rows_memory *memory = self;
    return give_account(memory->issuance->currency == currency ? memory->issuance : NULL, ret_account, ret_found);
}
static struct result read_account(void *self, struct id id, struct account *ret_account, bool *ret_found) {
    return give_account(map_get(&((struct rows_memory *)self)->accounts_by_id, KEY(id)), ret_account, ret_found);
}
static struct result read_account_of_user(void *self, struct id user_id, struct account *ret_account, bool *ret_found) {
    return give_account(map_get(&((struct rows_memory *)self)->accounts_by_user, KEY(user_id)), ret_account, ret_found);
}
static struct result read_user(void *self, struct id id, struct user *ret_user, bool *ret_found) {
    return give_user(map_get(&((struct rows_memory *)self)->users_by_id, KEY(id)), ret_user, ret_found);
}
static struct result read_user_by_name(void *self, struct text name, struct user *ret_user, bool *ret_found) {
    return give_user(map_get(&((struct rows_memory *)self)->users_by_name, name), ret_user, ret_found);
}
static struct result read_user_by_phone(void *self, const struct phone *phone, struct user *ret_user, bool *ret_found) {
    return give_user(map_get(&((struct rows_memory *)self)->users_by_phone, phone_text(phone)), ret_user, ret_found);
}
static struct result read_session(void *self, struct id id, struct session *ret_session, bool *ret_found) {
    const struct session *row = map_get(&((struct rows_memory *)self)->sessions, KEY(id));
    TRY(give(row, ret_session, sizeof *row, ret_found));
    if (*ret_found) ret_session->state = ROW_KEPT;
    return result_ok();
}
static struct result read_token(void *self, struct id session_id, const struct hash *hash, struct refresh_token *ret_token,
                                bool *ret_found) {
    char key[sizeof session_id + sizeof *hash];
    memcpy(key, &session_id, sizeof session_id);
    memcpy(key + sizeof session_id, hash, sizeof *hash);
    const struct refresh_token *row = map_get(&((struct rows_memory *)self)->tokens, key_of(key, sizeof key));
    TRY(give(row, ret_token, sizeof *row, ret_found));
    if (*ret_found) ret_token->state = ROW_KEPT;
    return result_ok();
}
static struct result read_fund(void *self, struct text caller, struct text reference, struct fund *ret_fund, struct account *ret_account,
                               bool *ret_found) {
    struct rows_memory *memory = self;
    struct ledger_key key;
    ledger_credit_key(caller, reference, &key);
    const struct fund *row = map_get(&memory->funds, ledger_key_text(&key));
    TRY(give(row, ret_fund, sizeof *row, ret_found));
    if (!*ret_found) return result_ok();
    ret_fund->state = ROW_KEPT;
    return give_account(row->account, ret_account, ret_found);
}

static struct result give_known(const struct transfer *row, struct known_reference *ret_known, bool *ret_found) {
    *ret_found = row != NULL;
    if (row == NULL) return result_ok();
    ret_known->debit_account = row->debit_account;
    ret_known->credit_account = row->credit_account;
    ret_known->amount = row->amount;
    ret_known->transaction_id = row->id;
    ret_known->balance_after = row->credit_balance_after;
    ret_known->created_at_us = row->created_at_us;
    return result_ok();
}
static struct result read_credit(void *self, struct text caller, struct text reference, struct known_reference *ret_known,
                                 bool *ret_found) {
    struct ledger_key key;
    ledger_credit_key(caller, reference, &key);
    return give_known(map_get(&((struct rows_memory *)self)->references, ledger_key_text(&key)), ret_known, ret_found);
}
static struct result read_topup(void *self, int64_t fund_account, struct text reference, struct known_reference *ret_known,
                                bool *ret_found) {
    struct ledger_key key;
    ledger_topup_key(fund_account, reference, &key);
    return give_known(map_get(&((struct rows_memory *)self)->references, ledger_key_text(&key)), ret_known, ret_found);
}
static struct result read_kept(void *self, const struct hash *lookup, struct idempotency_record *ret_record, bool *ret_found) {
    const struct idempotency_record *row = map_get(&((struct rows_memory *)self)->kept, KEY(*lookup));
    return give(row, ret_record, sizeof *row, ret_found);
}

/* ---- writing ---- */

static struct result write_account(void *self, const struct account *account) {
    return add_change(self, ROW_ACCOUNT, copy_row(self, account, sizeof *account));
}
static struct result write_user(void *self, const struct user *user) {
    return add_change(self, ROW_USER, copy_row(self, user, sizeof *user));
}
static struct result write_session(void *self, const struct session *session) {
    return add_change(self, ROW_SESSION, copy_row(self, session, sizeof *session));
}
static struct result write_token(void *self, const struct refresh_token *token) {
    return add_change(self, ROW_TOKEN, copy_row(self, token, sizeof *token));
}
static struct result write_fund(void *self, const struct fund *fund) {
    struct rows_memory *memory = self;
    struct fund *copy = copy_row(memory, fund, sizeof *fund);
    copy->caller = copy_text(memory, fund->caller);
    copy->reference = copy_text(memory, fund->reference);
    copy->description = copy_text(memory, fund->description);
    copy->account = copy_row(memory, fund->account, sizeof *fund->account); /* for its number: apply finds the row */
    return add_change(memory, ROW_FUND, copy);
}
static struct result write_transfer(void *self, const struct transfer *transfer) {
    struct rows_memory *memory = self;
    struct transfer *copy = copy_row(memory, transfer, sizeof *transfer);
    copy->caller = copy_text(memory, transfer->caller);
    copy->reference = copy_text(memory, transfer->reference);
    copy->description = copy_text(memory, transfer->description);
    copy->metadata = copy_text(memory, transfer->metadata);
    return add_change(memory, ROW_TRANSFER, copy);
}
static struct result write_kept(void *self, const struct idempotency_record *record) {
    struct rows_memory *memory = self;
    struct idempotency_record *copy = copy_row(memory, record, sizeof *record);
    copy->fingerprint = copy_text(memory, record->fingerprint);
    copy->content_type = copy_text(memory, record->content_type);
    copy->location = copy_text(memory, record->location);
    copy->body = copy_text(memory, record->body);
    return add_change(memory, ROW_KEPT_ANSWER, copy);
}

static void put(struct map *map, struct text key, void *row) {
    struct result result = map_put(map, key, row);
    CHECK(result_is_ok(result));
}

/* Rows are updated in place: the maps and the funds point at them. */
static void apply_account(struct rows_memory *memory, struct account *row) {
    struct account *old = map_get(&memory->accounts_by_number, KEY(row->number));
    if (old != NULL) {
        *old = *row;
        return;
    }
    CHECK(row->number == memory->account_count + 1);
    memory->account_count = row->number;
    put(&memory->accounts_by_number, KEY(row->number), row);
    put(&memory->accounts_by_id, KEY(row->id), row);
    if (row->kind == ACCOUNT_USER) put(&memory->accounts_by_user, KEY(row->user_id), row);
    if (row->kind == ACCOUNT_ISSUANCE) memory->issuance = row;
}

static void apply_user(struct rows_memory *memory, struct user *row) {
    struct user *old = map_get(&memory->users_by_id, KEY(row->id));
    if (old != NULL) {
        *old = *row;
        return;
    }
    put(&memory->users_by_id, KEY(row->id), row);
    put(&memory->users_by_name, user_name(row), row);
    if (row->phone.size > 0) put(&memory->users_by_phone, phone_text(&row->phone), row);
}

static void apply_fund(struct rows_memory *memory, struct fund *row) {
    struct ledger_key key;
    ledger_credit_key(row->caller, row->reference, &key);
    row->account = map_get(&memory->accounts_by_number, KEY(row->account->number));
    CHECK(row->account != NULL);
    put(&memory->funds, copy_text(memory, ledger_key_text(&key)), row);
}

static void apply_transfer(struct rows_memory *memory, struct transfer *row) {
    CHECK(row->sequence == memory->head.sequence + 1);
    memory->head = (struct ledger_head){row->sequence, row->hash, row->created_at_us};
    struct ledger_key key;
    if (row->kind == TRANSFER_CREDIT) {
        ledger_credit_key(row->caller, row->reference, &key);
    } else if (row->kind == TRANSFER_TOPUP && row->reference.size > 0) {
        ledger_topup_key(row->credit_account, row->reference, &key);
    } else {
        return;
    }
    CHECK(map_get(&memory->references, ledger_key_text(&key)) == NULL);
    put(&memory->references, copy_text(memory, ledger_key_text(&key)), row);
}

static void apply(struct rows_memory *memory, const struct change *change) {
    switch (change->kind) {
    case ROW_ACCOUNT: apply_account(memory, change->row); return;
    case ROW_USER: apply_user(memory, change->row); return;
    case ROW_SESSION: put(&memory->sessions, KEY(((struct session *)change->row)->id), change->row); return;
    case ROW_TOKEN: {
        struct refresh_token *token = change->row;
        put(&memory->tokens, key_of(&token->session_id, sizeof token->session_id + sizeof token->hash), token);
        return;
    }
    case ROW_FUND: apply_fund(memory, change->row); return;
    case ROW_TRANSFER: apply_transfer(memory, change->row); return;
    case ROW_KEPT_ANSWER: put(&memory->kept, KEY(((struct idempotency_record *)change->row)->lookup), change->row); return;
    }
}

/* ---- transactions ---- */

static struct result begin(void *self) {
    drop_changes(self);
    return result_ok();
}
static struct result commit(void *self) {
    struct rows_memory *memory = self;
    struct result outcome = result_error(memory->next_commit);
    memory->next_commit = RESULT_OK;
    if (!result_is_ok(outcome)) return outcome;
    for (const struct change *change = memory->first; change != NULL; change = change->next) apply(memory, change);
    drop_changes(memory);
    return result_ok();
}
static void rollback(void *self) { drop_changes(self); }
static struct result probe(void *self) {
    (void)self;
    return result_ok();
}
static void idle(void *self, int64_t now_us, bool is_busy) {
    (void)is_busy;
    (void)self; /* a test's memory is small: nothing expires here */
    (void)now_us;
}

void rows_memory_fail_next_commit(struct rows_memory *memory, enum result_code code) { memory->next_commit = code; }

#define MAP_COUNT 11
static void list_maps(struct rows_memory *memory, struct map *maps[MAP_COUNT]) {
    struct map *all[MAP_COUNT] = {&memory->accounts_by_id,
                                  &memory->accounts_by_number,
                                  &memory->accounts_by_user,
                                  &memory->users_by_id,
                                  &memory->users_by_name,
                                  &memory->users_by_phone,
                                  &memory->sessions,
                                  &memory->tokens,
                                  &memory->funds,
                                  &memory->references,
                                  &memory->kept};
    memcpy(maps, all, sizeof all);
}

struct result rows_memory_create(enum currency currency, struct id_source *ids, int64_t now_us, struct rows_memory **ret_memory) {
    struct rows_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) return result_error(RESULT_FULL);
    arena_init(&memory->arena, SIZE_MAX);
    drop_changes(memory);
    struct map *maps[MAP_COUNT];
    list_maps(memory, maps);
    for (size_t i = 0; i < MAP_COUNT; i++) {
        struct result made = map_init(maps[i], CAPACITY);
        if (result_is_ok(made)) continue;
        rows_memory_free(memory);
        return made;
    }
    struct account issuance = account_new(1, id_make(ids, now_us), ACCOUNT_ISSUANCE, (struct id){{0}}, currency, now_us);
    apply_account(memory, copy_row(memory, &issuance, sizeof issuance));
    *ret_memory = memory;
    return result_ok();
}

void rows_memory_free(struct rows_memory *memory) {
    if (memory == NULL) return;
    struct map *maps[MAP_COUNT];
    list_maps(memory, maps);
    for (size_t i = 0; i < MAP_COUNT; i++) map_free(maps[i]);
    arena_release(&memory->arena);
    free(memory);
}

void rows_memory_bind(struct rows_memory *memory, struct rows *ret_rows) {
    *ret_rows = (struct rows){.self = memory,
                              .begin = begin,
                              .commit = commit,
                              .rollback = rollback,
                              .probe = probe,
                              .idle = idle,
                              .read_head = read_head,
                              .read_issuance = read_issuance,
                              .read_account = read_account,
                              .read_account_of_user = read_account_of_user,
                              .read_user = read_user,
                              .read_user_by_name = read_user_by_name,
                              .read_user_by_phone = read_user_by_phone,
                              .read_session = read_session,
                              .read_token = read_token,
                              .read_fund = read_fund,
                              .read_credit = read_credit,
                              .read_topup = read_topup,
                              .read_kept = read_kept,
                              .write_account = write_account,
                              .write_user = write_user,
                              .write_session = write_session,
                              .write_token = write_token,
                              .write_fund = write_fund,
                              .write_transfer = write_transfer,
                              .write_kept = write_kept};
}
