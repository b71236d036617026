/* The engine over both kinds of rows: the same commands must have the same outcomes, answers and balances. */
#include "books.h"

#include "wallet/verify.h"

#define USERS        12u
#define BATCHES      400u
#define BATCH_MAX    12u
#define SESSIONS_MAX 64u

static uint64_t pick(uint64_t *seed, uint64_t bound) { return books_random(seed) % bound; }

/* What the sequence has seen so far, so that it can name things that exist; the same for both books. */
struct world {
    uint64_t seed;
    struct id users[USERS];
    bool is_registered[USERS];
    struct id sessions[SESSIONS_MAX];
    size_t session_count;
};

static const char *const names[USERS] = {"u00", "u01", "u02", "u03", "u04", "u05", "u06", "u07", "u08", "u09", "u10", "u11"};
static const char *const funds[] = {"fund-a", "fund-b", "fund-c"};
static const char *const hashes[] = {BOOKS_HASH, "$argon2id$other"};

static struct hash token_hash(uint64_t number) { return crypto_hash((struct text){(const char *)&number, sizeof number}); }

static struct wallet_operation *make_credits(struct books *books, uint64_t *seed, const struct world *world) {
    struct wallet_operation *operation = books_begin(books, COMMAND_CREDIT);
    size_t count = 1 + pick(seed, 5);
    struct credit_item *items = ARENA_NEW_ARRAY(&books->arena, struct credit_item, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t fund = pick(seed, 5);
        items[i] = (struct credit_item){.reference = arena_print(&books->arena, "r%u", (unsigned)pick(seed, 400)),
                                        .user_id = world->users[pick(seed, USERS)],
                                        .amount = {(int64_t)(1 + pick(seed, 3)) * 100, pick(seed, 30) == 0 ? CURRENCY_IRR : CURRENCY_IRT},
                                        .fund = fund < ARRAY_COUNT(funds) ? text_of(funds[fund]) : TEXT("")};
    }
    operation->command.credit = (struct credit_batch){.caller = TEXT("discount"),
                                                      .items = items,
                                                      .outcomes = ARENA_NEW_ARRAY(&books->arena, struct credit_outcome, count),
                                                      .count = count};
    operation->store.weight = (uint32_t)count;
    return operation;
}

static struct wallet_operation *make_session_command(struct books *books, uint64_t *seed, const struct world *world) {
    size_t user = pick(seed, USERS);
    struct id session = world->session_count > 0 ? world->sessions[pick(seed, world->session_count)] : (struct id){{7}};
    uint64_t what = pick(seed, 8), token = pick(seed, 3), next = books_random(seed);
    struct wallet_operation *operation = NULL;
    if (what < 3) {
        operation = books_begin(books, COMMAND_START_SESSION);
        operation->command.start_session = (struct session_command){.user_id = world->users[user],
                                                                    .password_hash = hashes[pick(seed, 2)],
                                                                    .token_hash = token_hash(token),
                                                                    .refresh_lifetime_us = 10000};
    } else if (what < 6) {
        operation = books_begin(books, COMMAND_REFRESH_SESSION);
        operation->command.refresh_session = (struct refresh_command){.session_id = session,
                                                                      .token_hash = token_hash(token),
                                                                      .next_token_hash = token_hash(next + 1000),
                                                                      .refresh_lifetime_us = 10000};
    } else if (what == 6) {
        operation = books_begin(books, COMMAND_END_SESSION);
        operation->command.end_session = session;
    } else {
        operation = books_begin(books, COMMAND_CHANGE_PASSWORD);
        operation->command.change_password = (struct password_command){.user_id = world->users[user],
                                                                       .session_id = session,
                                                                       .password_hash = hashes[pick(seed, 2)],
                                                                       .next_password_hash = hashes[pick(seed, 2)]};
    }
    return operation;
}

static struct wallet_operation *make_command(struct books *books, uint64_t *seed, const struct world *world) {
    struct wallet_operation *operation = NULL;
    uint64_t what = pick(seed, 20);
    if (what < 3) {
        operation = books_make_registration(books, names[pick(seed, USERS)], pick(seed, 2) == 0 ? NULL : "09121234567");
    } else if (what < 9) {
        operation = make_credits(books, seed, world);
    } else if (what < 11) {
        operation = books_make_fund(books, COMMAND_OPEN_FUND, funds[pick(seed, 3)], (int64_t)(1 + pick(seed, 2)) * 5000);
    } else if (what < 12) {
        operation = books_make_fund(books, COMMAND_TOPUP_FUND, funds[pick(seed, 3)], (int64_t)(1 + pick(seed, 2)) * 1000);
        if (pick(seed, 2) == 0) operation->command.fund.topup_reference = arena_print(&books->arena, "t%u", (unsigned)pick(seed, 4));
    } else if (what < 13) {
        operation = books_make_fund(books, COMMAND_RELEASE_FUND, pick(seed, 12) == 0 ? funds[pick(seed, 3)] : "no-such", 0);
    } else if (what < 16) {
        operation = make_session_command(books, seed, world);
        return operation;
    } else {
        operation = books_make_transfer(books, world->users[pick(seed, USERS)], names[pick(seed, USERS)], (int64_t)(1 + pick(seed, 400)));
    }
    /* Few keys and bodies, so that replays and reuses are common, also within a batch. */
    if (pick(seed, 3) == 0) {
        struct text key = arena_print(&books->arena, "key-%u", (unsigned)pick(seed, 300));
        struct text body = arena_print(&books->arena, "body-%u", (unsigned)pick(seed, 2));
        books_set_key(operation, key.data, body.data);
    }
    return operation;
}

static void assert_same(const struct wallet_operation *a, const struct wallet_operation *b) {
    assert_int_equal(a->replay, b->replay);
    if (a->replay != REPLAY_NONE) {
        assert_int_equal(a->kept.status, b->kept.status);
        assert_true(text_equal(a->kept.body, b->kept.body));
        return;
    }
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->answer.status, b->answer.status);
    assert_true(text_equal(a->answer.body, b->answer.body));
    assert_true(id_equal(a->user.id, b->user.id));
    assert_true(id_equal(a->session.id, b->session.id));
    assert_int_equal(a->session.generation, b->session.generation);
    for (size_t i = 0; a->store.kind == COMMAND_CREDIT && i < a->command.credit.count; i++) {
        const struct credit_outcome *x = &a->command.credit.outcomes[i], *y = &b->command.credit.outcomes[i];
        assert_int_equal(x->outcome, y->outcome);
        assert_true(id_equal(x->transaction_id, y->transaction_id));
        assert_int_equal(x->balance_after, y->balance_after);
        assert_int_equal(x->created_at_us, y->created_at_us);
    }
}

static void learn(struct world *world, const struct wallet_operation *operation) {
    if (operation->replay != REPLAY_NONE || operation->outcome != LEDGER_APPLIED) return;
    if (operation->store.kind == COMMAND_REGISTER) {
        for (size_t i = 0; i < USERS; i++) {
            if (text_equal(user_name(&operation->user), text_of(names[i]))) {
                world->users[i] = operation->user.id;
                world->is_registered[i] = true;
            }
        }
    }
    if (operation->store.kind == COMMAND_START_SESSION) world->sessions[world->session_count++ % SESSIONS_MAX] = operation->session.id;
    if (world->session_count > SESSIONS_MAX) world->session_count = SESSIONS_MAX;
}

static void run_batch(struct books *memory, struct books *sqlite, struct world *world, size_t outcomes[]) {
    struct wallet_operation *a[BATCH_MAX], *b[BATCH_MAX];
    size_t count = 1 + pick(&world->seed, BATCH_MAX);
    uint64_t seed_a = world->seed, seed_b = world->seed;
    for (size_t i = 0; i < count; i++) {
        a[i] = make_command(memory, &seed_a, world);
        b[i] = make_command(sqlite, &seed_b, world);
        books_submit(memory, a[i]);
        books_submit(sqlite, b[i]);
    }
    world->seed = seed_a;
    books_run(memory);
    assert_true(result_is_ok(books_outcome));
    books_run(sqlite);
    assert_true(result_is_ok(books_outcome));
    for (size_t i = 0; i < count; i++) {
        assert_same(a[i], b[i]);
        learn(world, a[i]);
        outcomes[a[i]->outcome]++;
    }
}

static void both_stores_decide_alike(void **state) {
    (void)state;
    struct books *memory = books_open_memory(), *sqlite = books_open_sqlite();
    struct world world = {.seed = 20261122};
    size_t outcomes[LEDGER_FUND_REFERENCE_CONFLICT + 1] = {0};
    for (size_t i = 0; i < USERS; i++) world.users[i] = (struct id){{(uint8_t)(i + 1)}}; /* nobody yet */
    for (size_t batch = 0; batch < BATCHES; batch++) {
        run_batch(memory, sqlite, &world, outcomes);
        int64_t sum = 0;
        for (size_t i = 0; i < USERS; i++) {
            if (!world.is_registered[i]) continue;
            int64_t balance = books_balance(memory, world.users[i]);
            assert_int_equal(balance, books_balance(sqlite, world.users[i]));
            assert_true(balance >= 0);
            sum += balance;
        }
        assert_true(sum <= -account_balance(&(struct account[]){books_issuance(memory)}[0]).amount_minor);
        assert_int_equal(books_sequence(memory), books_sequence(sqlite));
    }
    /* The sequence must have been to the interesting places. */
    static const enum ledger_outcome visited[] = {LEDGER_REPLAYED,      LEDGER_USERNAME_TAKEN,      LEDGER_PHONE_TAKEN,
                                                  LEDGER_TOKEN_REVOKED, LEDGER_INVALID_CREDENTIALS, LEDGER_INSUFFICIENT_FUNDS,
                                                  LEDGER_SAME_ACCOUNT,  LEDGER_FUND_NOT_FOUND,      LEDGER_FUND_RELEASED,
                                                  LEDGER_TOKEN_EXPIRED, LEDGER_TOKEN_INVALID,       LEDGER_FUND_REFERENCE_CONFLICT};
    for (size_t i = 0; i < ARRAY_COUNT(visited); i++) {
        if (outcomes[visited[i]] == 0) fail_msg("never came to %s", ledger_outcome_code(visited[i]));
    }
    struct verify_report report;
    assert_true(result_is_ok(verify_books(sqlite->database, &report)));
    if (!report.is_sound) fail_msg("%s", report.finding);
    assert_int_equal(report.transfers, books_sequence(memory));
    books_close(memory);
    books_close(sqlite);
}

static void keep_and_replay(struct books *books) {
    struct id sara = books_register(books, "sara");
    books_register(books, "reza");
    assert_int_equal(books_credit(books, "r1", sara, 1000, "").outcome, LEDGER_APPLIED);
    struct wallet_operation *first = books_make_transfer(books, sara, "reza", 100);
    struct wallet_operation *again = books_make_transfer(books, sara, "reza", 100);
    struct wallet_operation *other = books_make_transfer(books, sara, "reza", 101);
    books_set_key(first, "k", "100");
    books_set_key(again, "k", "100");
    books_set_key(other, "k", "101");
    books_submit(books, first); /* all three in one batch */
    books_submit(books, again);
    books_submit(books, other);
    books_run(books);
    assert_int_equal(first->replay, REPLAY_NONE);
    assert_int_equal(first->answer.status, 201);
    assert_int_equal(again->replay, REPLAY_KEPT);
    assert_int_equal(again->kept.status, 201);
    assert_true(text_equal(again->kept.body, first->answer.body));
    assert_true(text_equal(again->kept.location, first->answer.location));
    assert_int_equal(other->replay, REPLAY_REFUSED);
    assert_int_equal(books_balance(books, sara), 900);

    struct wallet_operation *later = books_make_transfer(books, sara, "reza", 100);
    books_set_key(later, "k", "100");
    books_decide(books, later);
    assert_int_equal(later->replay, REPLAY_KEPT);
    assert_true(text_equal(later->kept.body, first->answer.body));
    assert_int_equal(books_balance(books, sara), 900);

    /* A definite refusal is kept as well: money that comes later does not change the answer. */
    struct wallet_operation *poor = books_make_transfer(books, sara, "reza", 5000);
    books_set_key(poor, "k2", "5000");
    books_decide(books, poor);
    assert_int_equal(poor->answer.status, 409);
    books_credit(books, "r2", sara, 100000, "");
    struct wallet_operation *rich = books_make_transfer(books, sara, "reza", 5000);
    books_set_key(rich, "k2", "5000");
    books_decide(books, rich);
    assert_int_equal(rich->replay, REPLAY_KEPT);
    assert_int_equal(rich->kept.status, 409);
    books_close(books);
}

static void keys_work_within_a_batch_and_after_it(void **state) {
    (void)state;
    keep_and_replay(books_open_memory());
    keep_and_replay(books_open_sqlite());
}

static void a_failed_commit_leaves_nothing(void **state) {
    (void)state;
    struct books *books = books_open_memory();
    struct id sara = books_register(books, "sara");
    struct wallet_operation *lost = books_make_credit(books, "r1", sara, 1000, "");
    books_set_key(lost, "k", "r1");
    rows_memory_fail_next_commit(books->memory, RESULT_FULL);
    books_submit(books, lost);
    books_run(books);
    assert_int_equal(books_outcome.code, RESULT_FULL);
    assert_int_equal(books_balance(books, sara), 0);
    assert_int_equal(books_sequence(books), 0);
    /* The same request again: neither its reference nor its key is remembered. */
    struct wallet_operation *again = books_make_credit(books, "r1", sara, 1000, "");
    books_set_key(again, "k", "r1");
    books_decide(books, again);
    assert_int_equal(again->replay, REPLAY_NONE);
    assert_int_equal(again->command.credit.outcomes[0].outcome, LEDGER_APPLIED);
    assert_int_equal(books_balance(books, sara), 1000);
    books_close(books);
}

/* The clock went back between two starts: the chain's time does not. */
static void time_never_goes_back_in_the_chain(void **state) {
    (void)state;
    struct books *books = books_open_sqlite();
    struct id sara = books_register(books, "sara");
    int64_t first_us = books_credit(books, "r1", sara, 1, "").created_at_us;
    store_free(books->store);
    books->now_us = first_us - 3600 * CLOCK_SECOND_US; /* before the store starts: one that runs never goes back itself */
    struct store_engine engine;
    engine_bind(books->engine, &engine);
    struct store_options options = {.name = "test", .clock = &books->clock};
    assert_true(result_is_ok(store_create(&engine, &options, &books->store)));
    assert_true(books_credit(books, "r2", sara, 1, "").created_at_us >= first_us);
    books_close(books);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_stores_decide_alike),
        cmocka_unit_test(keys_work_within_a_batch_and_after_it),
        cmocka_unit_test(a_failed_commit_leaves_nothing),
        cmocka_unit_test(time_never_goes_back_in_the_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
