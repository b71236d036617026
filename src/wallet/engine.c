#include "wallet/engine.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/planted.h"

struct engine {
    struct ledger ledger;
    struct rows rows;
    struct engine_options options;
    /* Kept answers that the batch names or makes; they live in the ledger's arena. */
    struct kept {
        struct idempotency_record record;
        bool is_new;
    } * kept[LIMIT_STORE_BATCH];
    size_t kept_count;
    struct map kept_by_lookup;
};

static struct text lookup_key(const struct hash *lookup) { return (struct text){(const char *)lookup->bytes, sizeof lookup->bytes}; }

static void forget(struct engine *engine) {
    map_clear(&engine->kept_by_lookup);
    engine->kept_count = 0;
    ledger_clear(&engine->ledger);
}

/* ---- load ---- */

static struct result load_user(struct engine *engine, struct id id) {
    struct user row;
    bool found = false;
    if (ledger_find_user(&engine->ledger, id) != NULL) return result_ok();
    TRY(engine->rows.read_user(engine->rows.self, id, &row, &found));
    return found ? ledger_add_user(&engine->ledger, &row) : result_ok();
}

static struct result load_user_by_name(struct engine *engine, struct text name, struct id *ret_id) {
    struct user row;
    bool found = false;
    TRY(engine->rows.read_user_by_name(engine->rows.self, name, &row, &found));
    if (found) *ret_id = row.id;
    return found ? ledger_add_user(&engine->ledger, &row) : result_ok();
}

static struct result load_user_by_phone(struct engine *engine, const struct phone *phone, struct id *ret_id) {
    struct user row;
    bool found = false;
    if (phone->size == 0) return result_ok();
    TRY(engine->rows.read_user_by_phone(engine->rows.self, phone, &row, &found));
    if (found) *ret_id = row.id;
    return found ? ledger_add_user(&engine->ledger, &row) : result_ok();
}

static struct result load_account_of_user(struct engine *engine, struct id user_id) {
    struct account row;
    bool found = false;
    if (ledger_find_account_of_user(&engine->ledger, user_id) != NULL) return result_ok();
    TRY(engine->rows.read_account_of_user(engine->rows.self, user_id, &row, &found));
    return found ? ledger_add_account(&engine->ledger, &row, NULL) : result_ok();
}

static struct result load_account(struct engine *engine, struct id id, struct id *ret_user_id) {
    struct account row;
    bool found = false;
    TRY(engine->rows.read_account(engine->rows.self, id, &row, &found));
    if (found) *ret_user_id = row.user_id;
    return found ? ledger_add_account(&engine->ledger, &row, NULL) : result_ok();
}

static struct result load_issuance(struct engine *engine) {
    struct account row;
    bool found = false;
    if (engine->ledger.issuance != NULL) return result_ok();
    TRY(engine->rows.read_issuance(engine->rows.self, engine->options.currency, &row, &found));
    return found ? ledger_add_account(&engine->ledger, &row, NULL) : result_error(RESULT_CORRUPT);
}

static struct result load_fund(struct engine *engine, struct text caller, struct text reference) {
    struct fund row = {0};
    struct account account;
    bool found = false;
    if (ledger_find_fund(&engine->ledger, caller, reference) != NULL) return result_ok();
    TRY(engine->rows.read_fund(engine->rows.self, caller, reference, &row, &account, &found));
    if (!found) return result_ok();
    TRY(ledger_add_account(&engine->ledger, &account, &row.account));
    return ledger_add_fund(&engine->ledger, &row);
}

static struct result load_credits(struct engine *engine, const struct credit_batch *batch) {
    TRY(load_issuance(engine));
    for (size_t i = 0; i < batch->count; i++) {
        const struct credit_item *item = &batch->items[i];
        struct known_reference known;
        struct ledger_key key;
        bool found = false;
        ledger_credit_key(batch->caller, item->reference, &key);
        known.key = ledger_key_text(&key);
        TRY(engine->rows.read_credit(engine->rows.self, batch->caller, item->reference, &known, &found));
        if (found) TRY(ledger_add_reference(&engine->ledger, &known));
        TRY(load_account_of_user(engine, item->user_id));
        if (item->fund.size > 0) TRY(load_fund(engine, batch->caller, item->fund));
    }
    return result_ok();
}

static struct result load_for_fund(struct engine *engine, const struct fund_command *command) {
    TRY(load_issuance(engine));
    TRY(load_fund(engine, command->caller, command->reference));
    const struct fund *fund = ledger_find_fund(&engine->ledger, command->caller, command->reference);
    if (fund == NULL || command->topup_reference.size == 0) return result_ok();
    struct known_reference known;
    struct ledger_key key;
    bool found = false;
    ledger_topup_key(fund->account->number, command->topup_reference, &key);
    known.key = ledger_key_text(&key);
    TRY(engine->rows.read_topup(engine->rows.self, fund->account->number, command->topup_reference, &known, &found));
    return found ? ledger_add_reference(&engine->ledger, &known) : result_ok();
}

static struct result load_for_transfer(struct engine *engine, const struct transfer_command *command) {
    struct id recipient = {{0}};
    TRY(load_account_of_user(engine, command->user_id));
    switch (command->recipient) {
    case RECIPIENT_USERNAME: TRY(load_user_by_name(engine, command->recipient_name, &recipient)); break;
    case RECIPIENT_PHONE: TRY(load_user_by_phone(engine, &command->recipient_phone, &recipient)); break;
    case RECIPIENT_ACCOUNT: TRY(load_account(engine, command->recipient_account, &recipient)); break;
    }
    if (id_is_zero(recipient)) return result_ok();
    TRY(load_user(engine, recipient)); /* its name is shown in the answer */
    return load_account_of_user(engine, recipient);
}

static struct result load_session(struct engine *engine, struct id session_id) {
    struct session row;
    bool found = false;
    if (ledger_find_session(&engine->ledger, session_id) != NULL) return result_ok();
    TRY(engine->rows.read_session(engine->rows.self, session_id, &row, &found));
    if (!found) return result_ok();
    TRY(ledger_add_session(&engine->ledger, &row));
    return load_user(engine, row.user_id);
}

static struct result load_for_refresh(struct engine *engine, const struct refresh_command *command) {
    struct refresh_token row;
    bool found = false;
    TRY(load_session(engine, command->session_id));
    TRY(engine->rows.read_token(engine->rows.self, command->session_id, &command->token_hash, &row, &found));
    return found ? ledger_add_token(&engine->ledger, &row) : result_ok();
}

static struct result load_for_registration(struct engine *engine, const struct register_command *command) {
    struct id unused;
    TRY(load_user_by_name(engine, command->name, &unused));
    return load_user_by_phone(engine, &command->phone, &unused);
}

static struct result load_command(struct engine *engine, const struct wallet_operation *operation) {
    switch ((enum wallet_command)operation->store.kind) {
    case COMMAND_REGISTER: return load_for_registration(engine, &operation->command.register_user);
    case COMMAND_START_SESSION: return load_user(engine, operation->command.start_session.user_id);
    case COMMAND_REFRESH_SESSION: return load_for_refresh(engine, &operation->command.refresh_session);
    case COMMAND_END_SESSION: return load_session(engine, operation->command.end_session);
    case COMMAND_CHANGE_PASSWORD: return load_user(engine, operation->command.change_password.user_id);
    case COMMAND_CREDIT: return load_credits(engine, &operation->command.credit);
    case COMMAND_OPEN_FUND:
    case COMMAND_TOPUP_FUND:
    case COMMAND_RELEASE_FUND: return load_for_fund(engine, &operation->command.fund);
    case COMMAND_TRANSFER: return load_for_transfer(engine, &operation->command.transfer);
    }
    return result_error(RESULT_INVALID);
}

static struct result copy_record(struct arena *arena, const struct idempotency_record *from, struct idempotency_record *ret_copy) {
    *ret_copy = *from;
    ret_copy->fingerprint = arena_copy(arena, from->fingerprint);
    ret_copy->content_type = arena_copy(arena, from->content_type);
    ret_copy->location = arena_copy(arena, from->location);
    ret_copy->body = arena_copy(arena, from->body);
    bool has_all = ret_copy->fingerprint.data && ret_copy->content_type.data && ret_copy->location.data && ret_copy->body.data;
    return has_all ? result_ok() : result_error(RESULT_FULL);
}

static struct result add_kept(struct engine *engine, const struct idempotency_record *record, bool is_new) {
    struct kept *kept = arena_take(&engine->ledger.arena, sizeof *kept);
    if (kept == NULL) return result_error(RESULT_FULL);
    TRY(copy_record(&engine->ledger.arena, record, &kept->record));
    kept->is_new = is_new;
    CHECK(engine->kept_count < ARRAY_COUNT(engine->kept));
    engine->kept[engine->kept_count++] = kept;
    struct result put = map_put(&engine->kept_by_lookup, lookup_key(&kept->record.lookup), kept);
    CHECK(result_is_ok(put));
    return result_ok();
}

static struct result load_kept(struct engine *engine, const struct idempotency_request *request) {
    struct idempotency_record row;
    bool found = false;
    if (request->key.size == 0 || PLANTED(KEPT_ANSWER_NOT_LOADED) || map_get(&engine->kept_by_lookup, lookup_key(&request->lookup)) != NULL)
        return result_ok();
    TRY(engine->rows.read_kept(engine->rows.self, &request->lookup, &row, &found));
    return found ? add_kept(engine, &row, false) : result_ok();
}

static struct result load(void *self, struct store_operation *const *operations, size_t count) {
    struct engine *engine = self;
    TRY(engine->rows.read_head(engine->rows.self, &engine->ledger.head, &engine->ledger.last_account_number));
    for (size_t i = 0; i < count; i++) {
        const struct wallet_operation *operation = operation_of(operations[i]);
        TRY(load_kept(engine, &operation->idempotency));
        TRY(load_command(engine, operation));
    }
    return result_ok();
}

/* ---- decide ---- */

static void replay(struct wallet_operation *operation, const struct idempotency_record *record) {
    operation->replay = idempotency_same_request(record, &operation->idempotency) ? REPLAY_KEPT : REPLAY_REFUSED;
    if (!result_is_ok(copy_record(operation->arena, record, &operation->kept))) operation->failure = result_error(RESULT_FULL);
}

static void keep_answer(struct engine *engine, struct wallet_operation *operation, int64_t now_us) {
    answer_render(operation, operation->exchange != NULL ? operation->exchange->request_id : (struct text){0});
    const struct answer *answer = &operation->answer;
    if (!idempotency_keeps(answer->status)) return;
    struct idempotency_record record = {.lookup = operation->idempotency.lookup,
                                        .fingerprint = operation->idempotency.fingerprint,
                                        .status = answer->status,
                                        .content_type = text_of(answer->content_type),
                                        .location = answer->location,
                                        .body = answer->body,
                                        .created_at_us = now_us};
    struct result added = add_kept(engine, &record, true);
    CHECK(result_is_ok(added));
}

static void decide(void *self, struct store_operation *const *operations, size_t count, int64_t now_us) {
    struct engine *engine = self;
    for (size_t i = 0; i < count; i++) {
        struct wallet_operation *operation = operation_of(operations[i]);
        operation->failure = result_ok(); /* a batch that failed is decided again, one by one */
        operation->replay = REPLAY_NONE;
        operation->answer = (struct answer){0};
        bool has_key = operation->idempotency.key.size > 0;
        const struct kept *kept = has_key ? map_get(&engine->kept_by_lookup, lookup_key(&operation->idempotency.lookup)) : NULL;
        if (kept != NULL) {
            replay(operation, &kept->record);
            continue;
        }
        operation_decide(&engine->ledger, operation, now_us);
        if (has_key) keep_answer(engine, operation, now_us);
    }
}

/* ---- save ---- */

/* Owners before what they own: the foreign keys are checked row by row. */
static struct result save(void *self) {
    struct engine *engine = self;
    const struct ledger *ledger = &engine->ledger;
    const struct rows *rows = &engine->rows;
    for (size_t i = 0; i < ledger->users.count; i++) {
        const struct user *user = ledger->users.rows[i];
        if (user->state != ROW_KEPT) TRY(rows->write_user(rows->self, user));
    }
    for (size_t i = 0; i < ledger->accounts.count; i++) {
        const struct account *account = ledger->accounts.rows[i];
        if (account->state != ROW_KEPT && !(PLANTED(SIDE_OF_A_TRANSFER_LOST) && i == 1)) TRY(rows->write_account(rows->self, account));
    }
    for (size_t i = 0; i < ledger->transfers.count; i++) TRY(rows->write_transfer(rows->self, ledger->transfers.rows[i]));
    for (size_t i = 0; i < ledger->funds.count; i++) {
        const struct fund *fund = ledger->funds.rows[i];
        if (fund->state != ROW_KEPT) TRY(rows->write_fund(rows->self, fund));
    }
    for (size_t i = 0; i < ledger->sessions.count; i++) {
        const struct session *session = ledger->sessions.rows[i];
        if (session->state != ROW_KEPT) TRY(rows->write_session(rows->self, session));
    }
    for (size_t i = 0; i < ledger->tokens.count; i++) {
        const struct refresh_token *token = ledger->tokens.rows[i];
        if (token->state != ROW_KEPT) TRY(rows->write_token(rows->self, token));
    }
    for (size_t i = 0; i < engine->kept_count; i++) {
        if (engine->kept[i]->is_new && !PLANTED(KEPT_ANSWER_NOT_SAVED)) TRY(rows->write_kept(rows->self, &engine->kept[i]->record));
    }
    return result_ok();
}

/* ---- the rest ---- */

static struct result begin(void *self) {
    struct engine *engine = self;
    forget(engine);
    return engine->rows.begin(engine->rows.self);
}

static enum commit_end commit(void *self, struct result *ret_reason) {
    struct engine *engine = self;
    *ret_reason = engine->rows.commit(engine->rows.self);
    return result_is_ok(*ret_reason) ? COMMITTED : NOT_COMMITTED;
}

static void rollback(void *self) {
    struct engine *engine = self;
    engine->rows.rollback(engine->rows.self);
    forget(engine);
}

static void publish(void *self) {
    struct engine *engine = self;
    const struct engine_options *options = &engine->options;
    for (size_t i = 0; options->session_ended != NULL && i < engine->ledger.sessions.count; i++) {
        const struct session *session = engine->ledger.sessions.rows[i];
        if (session->state != ROW_KEPT && session->ended_at_us != 0) options->session_ended(options->context, session);
    }
    for (size_t i = 0; options->user_sessions_ended != NULL && i < engine->ledger.users.count; i++) {
        const struct user *user = engine->ledger.users.rows[i];
        if (user->state == ROW_CHANGED && user->sessions_ended_at_us != 0) options->user_sessions_ended(options->context, user);
    }
}

static struct result probe(void *self) {
    struct engine *engine = self;
    return engine->rows.probe(engine->rows.self);
}

static enum commit_end idle(void *self, bool is_busy) {
    struct engine *engine = self;
    forget(engine); /* a big batch's memory is not kept over a quiet night */
    engine->rows.idle(engine->rows.self, clock_now_us(engine->options.clock), is_busy);
    return COMMITTED;
}

struct result engine_create(const struct engine_options *options, struct engine **ret_engine) {
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return result_error(RESULT_FULL);
    engine->options = *options;
    engine->rows = *options->rows;
    struct result made = ledger_init(&engine->ledger, options->currency, options->ids);
    if (result_is_ok(made)) made = map_init(&engine->kept_by_lookup, LIMIT_STORE_BATCH);
    if (!result_is_ok(made)) {
        engine_free(engine);
        return made;
    }
    *ret_engine = engine;
    return result_ok();
}

void engine_free(struct engine *engine) {
    if (engine == NULL) return;
    ledger_free(&engine->ledger);
    map_free(&engine->kept_by_lookup);
    free(engine);
}

void engine_bind(struct engine *engine, struct store_engine *ret_engine) {
    *ret_engine = (struct store_engine){.self = engine,
                                        .begin = begin,
                                        .load = load,
                                        .decide = decide,
                                        .save = save,
                                        .commit = commit,
                                        .rollback = rollback,
                                        .publish = publish,
                                        .probe = probe,
                                        .idle = idle};
}
