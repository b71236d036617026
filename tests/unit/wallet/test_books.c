/* The working set under the engine: what a batch loads, decides and saves together is what its commands would have come to one by one. */
#include "damage.h"

#include "wallet/verify.h"

#define USERS        12u
#define BATCHES      400u
#define BATCH_MAX    12u
#define SESSIONS_MAX 64u

static uint64_t pick(uint64_t *seed, uint64_t bound) { return desk_random(seed) % bound; }

/* What the sequence has seen so far, so that it can name things that exist; the same for both desks. */
struct world {
    uint64_t seed;
    struct id users[USERS];
    bool is_registered[USERS];
    struct id sessions[SESSIONS_MAX];
    size_t session_count;
};

static const char *const names[USERS] = {"u00", "u01", "u02", "u03", "u04", "u05", "u06", "u07", "u08", "u09", "u10", "u11"};
static const char *const funds[] = {"fund-a", "fund-b", "fund-c"};
static const char *const hashes[] = {DESK_PASSWORD, "$argon2id$other"};

static struct hash token_hash(uint64_t number) { return crypto_hash((struct text){(const char *)&number, sizeof number}); }

static struct operation *make_credits(struct desk *desk, uint64_t *seed, const struct world *world) {
    struct credits *credits = desk_begin(desk, &credits_action, sizeof *credits);
    size_t count = 1 + pick(seed, 5);
    struct credit_item *items = ARENA_NEW_ARRAY(&desk->arena, struct credit_item, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t fund = pick(seed, 5);
        items[i] = (struct credit_item){.reference = arena_print(&desk->arena, "r%u", (unsigned)pick(seed, 400)),
                                        .user_id = world->users[pick(seed, USERS)],
                                        .amount = {(int64_t)(1 + pick(seed, 3)) * 100, pick(seed, 30) == 0 ? CURRENCY_IRR : CURRENCY_IRT},
                                        .fund = fund < ARRAY_COUNT(funds) ? text_of(funds[fund]) : TEXT("")};
    }
    credits->caller = TEXT("discount");
    credits->items = items;
    credits->outcomes = ARENA_NEW_ARRAY(&desk->arena, struct credit_outcome, count);
    credits->count = count;
    credits->operation.store.weight = (uint32_t)count;
    return &credits->operation;
}

static struct operation *make_login(struct desk *desk, uint64_t *seed, struct id user) {
    struct login *login = desk_begin(desk, &login_action, sizeof *login);
    login->command = (struct session_command){.user_id = user,
                                              .password_hash = hashes[pick(seed, 2)],
                                              .token_hash = token_hash(pick(seed, 3)),
                                              .refresh_lifetime_us = 10000};
    return &login->operation;
}

static struct operation *make_refresh(struct desk *desk, uint64_t *seed, struct id session) {
    struct refresh *refresh = desk_begin(desk, &refresh_action, sizeof *refresh);
    refresh->command = (struct refresh_command){.session_id = session,
                                                .token_hash = token_hash(pick(seed, 3)),
                                                .next_token_hash = token_hash(desk_random(seed) + 1000),
                                                .refresh_lifetime_us = 10000};
    return &refresh->operation;
}

static struct operation *make_session_command(struct desk *desk, uint64_t *seed, const struct world *world) {
    struct id user = world->users[pick(seed, USERS)];
    struct id session = world->session_count > 0 ? world->sessions[pick(seed, world->session_count)] : (struct id){{7}};
    uint64_t what = pick(seed, 8);
    if (what < 3) return make_login(desk, seed, user);
    if (what < 6) return make_refresh(desk, seed, session);
    if (what == 6) {
        struct logout *logout = desk_begin(desk, &logout_action, sizeof *logout);
        logout->session_id = session;
        return &logout->operation;
    }
    struct password_change *change = desk_begin(desk, &change_password_action, sizeof *change);
    change->command = (struct password_command){.user_id = user,
                                                .session_id = session,
                                                .password_hash = hashes[pick(seed, 2)],
                                                .next_password_hash = hashes[pick(seed, 2)]};
    return &change->operation;
}

static struct operation *make_fund(struct desk *desk, uint64_t *seed) {
    static const struct action *const actions[] = {&open_fund_action, &open_fund_action, &topup_fund_action};
    const struct action *action = actions[pick(seed, ARRAY_COUNT(actions))];
    const char *name = funds[pick(seed, 3)];
    struct fund_change *change = desk_make_fund(desk, action, name, (int64_t)(1 + pick(seed, 2)) * 5000);
    if (action == &topup_fund_action && pick(seed, 2) == 0) {
        change->command.topup_reference = arena_print(&desk->arena, "t%u", (unsigned)pick(seed, 4));
    }
    if (pick(seed, 60) == 0) change->operation.action = &release_fund_action;
    return &change->operation;
}

static struct operation *make_command(struct desk *desk, uint64_t *seed, const struct world *world) {
    struct operation *operation = NULL;
    uint64_t what = pick(seed, 20);
    if (what < 3) {
        operation = &desk_make_registration(desk, names[pick(seed, USERS)], pick(seed, 2) == 0 ? NULL : "09121234567")->operation;
    } else if (what < 9) {
        operation = make_credits(desk, seed, world);
    } else if (what < 13) {
        operation = make_fund(desk, seed);
    } else if (what < 16) {
        return make_session_command(desk, seed, world);
    } else {
        operation =
            &desk_make_transfer(desk, world->users[pick(seed, USERS)], names[pick(seed, USERS)], (int64_t)(1 + pick(seed, 400)))->operation;
    }
    /* Few keys and bodies, so that replays and reuses are common, also within a batch. */
    if (pick(seed, 3) == 0) {
        struct text key = arena_print(&desk->arena, "key-%u", (unsigned)pick(seed, 300));
        struct text body = arena_print(&desk->arena, "body-%u", (unsigned)pick(seed, 2));
        desk_set_key(operation, key.data, body.data);
    }
    return operation;
}

static enum ledger_outcome outcome_of(const struct operation *operation) {
    const struct action *action = operation->action;
    if (action == &register_action) return ((const struct registration *)operation)->outcome;
    if (action == &credits_action) return ((const struct credits *)operation)->outcomes[0].outcome;
    if (action == &login_action) return ((const struct login *)operation)->grant.outcome;
    if (action == &refresh_action) return ((const struct refresh *)operation)->grant.outcome;
    if (action == &logout_action) return LEDGER_APPLIED;
    if (action == &change_password_action) return ((const struct password_change *)operation)->outcome;
    if (action == &transfer_action) return ((const struct user_transfer *)operation)->outcome;
    return ((const struct fund_change *)operation)->outcome;
}

static bool is_grant(const struct operation *operation) {
    return operation->action == &login_action || operation->action == &refresh_action;
}

static struct session session_of(const struct operation *operation) {
    return operation->action == &login_action ? ((const struct login *)operation)->grant.session
                                              : ((const struct refresh *)operation)->grant.session;
}

static void assert_same(struct operation *a, struct operation *b) {
    assert_int_equal(a->fate, b->fate);
    if (a->fate != FATE_DECIDED) {
        assert_int_equal(a->kept.status, b->kept.status);
        assert_true(text_equal(a->kept.body, b->kept.body));
        return;
    }
    assert_int_equal(outcome_of(a), outcome_of(b));
    if (is_grant(a)) {
        struct session x = session_of(a), y = session_of(b);
        assert_true(id_equal(x.id, y.id));
        assert_int_equal(x.generation, y.generation);
        return;
    }
    if (a->answer.status == 0) a->action->render(a);
    if (b->answer.status == 0) b->action->render(b);
    assert_int_equal(a->answer.status, b->answer.status);
    assert_true(text_equal(a->answer.body, b->answer.body));
    assert_true(text_equal(a->answer.location, b->answer.location));
}

static void learn(struct world *world, const struct operation *operation) {
    if (operation->fate != FATE_DECIDED || outcome_of(operation) != LEDGER_APPLIED) return;
    if (operation->action == &register_action) {
        const struct user *user = &((const struct registration *)operation)->user;
        for (size_t i = 0; i < USERS; i++) {
            if (!text_equal(user_name(user), text_of(names[i]))) continue;
            world->users[i] = user->id;
            world->is_registered[i] = true;
        }
    }
    if (operation->action == &login_action) world->sessions[world->session_count++ % SESSIONS_MAX] = session_of(operation).id;
    if (world->session_count > SESSIONS_MAX) world->session_count = SESSIONS_MAX;
}

static void run_batch(struct desk *together, struct desk *alone, struct world *world, size_t outcomes[]) {
    struct operation *a[BATCH_MAX], *b[BATCH_MAX];
    size_t count = 1 + pick(&world->seed, BATCH_MAX);
    uint64_t seed_a = world->seed, seed_b = world->seed;
    for (size_t i = 0; i < count; i++) {
        a[i] = make_command(together, &seed_a, world);
        b[i] = make_command(alone, &seed_b, world);
        desk_submit(together, a[i]);
    }
    world->seed = seed_a;
    desk_run(together);
    assert_true(result_is_ok(desk_outcome));
    alone->now_us += 1000;
    for (size_t i = 0; i < count; i++) {
        desk_submit(alone, b[i]);
        while (store_run_batch(alone->store)) continue;
        assert_true(result_is_ok(desk_outcome));
    }
    for (size_t i = 0; i < count; i++) {
        assert_same(a[i], b[i]);
        learn(world, a[i]);
        outcomes[outcome_of(a[i])]++;
    }
}

static void a_batch_is_decided_as_its_commands_would_be(void **state) {
    (void)state;
    struct desk *together = desk_open(), *alone = desk_open();
    struct world world = {.seed = 20261122};
    size_t outcomes[LEDGER_FUND_REFERENCE_CONFLICT + 1] = {0};
    for (size_t i = 0; i < USERS; i++) world.users[i] = (struct id){{(uint8_t)(i + 1)}}; /* nobody yet */
    for (size_t batch = 0; batch < BATCHES; batch++) {
        run_batch(together, alone, &world, outcomes);
        int64_t sum = 0;
        for (size_t i = 0; i < USERS; i++) {
            if (!world.is_registered[i]) continue;
            int64_t balance = desk_balance(together, world.users[i]);
            assert_int_equal(balance, desk_balance(alone, world.users[i]));
            assert_true(balance >= 0);
            sum += balance;
        }
        assert_true(sum <= -desk_issuance(together));
        assert_int_equal(desk_sequence(together), desk_sequence(alone));
    }
    /* The sequence must have been to the interesting places. */
    static const enum ledger_outcome visited[] = {LEDGER_REPLAYED,      LEDGER_USERNAME_TAKEN,      LEDGER_PHONE_TAKEN,
                                                  LEDGER_TOKEN_REVOKED, LEDGER_INVALID_CREDENTIALS, LEDGER_INSUFFICIENT_FUNDS,
                                                  LEDGER_SAME_ACCOUNT,  LEDGER_FUND_NOT_FOUND,      LEDGER_FUND_RELEASED,
                                                  LEDGER_TOKEN_EXPIRED, LEDGER_TOKEN_INVALID,       LEDGER_FUND_REFERENCE_CONFLICT};
    for (size_t i = 0; i < ARRAY_COUNT(visited); i++) {
        if (outcomes[visited[i]] == 0) fail_msg("never came to %s", ledger_outcome_code(visited[i]));
    }
    struct desk *const desks[] = {together, alone};
    for (size_t i = 0; i < 2; i++) {
        struct verify_report report;
        assert_true(result_is_ok(verify_books(desks[i]->reader, NULL, &report)));
        if (!report.is_sound) fail_msg("%s", report.finding);
        assert_int_equal(report.transfers, desk_sequence(desks[i]));
    }
    desk_close(together);
    desk_close(alone);
}

static void keys_work_within_a_batch_and_after_it(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    desk_register(desk, "reza");
    assert_int_equal(desk_credit(desk, "r1", sara, 1000, "").outcome, LEDGER_APPLIED);
    struct operation *first = &desk_make_transfer(desk, sara, "reza", 100)->operation;
    struct operation *again = &desk_make_transfer(desk, sara, "reza", 100)->operation;
    struct operation *other = &desk_make_transfer(desk, sara, "reza", 101)->operation;
    desk_set_key(first, "k", "100");
    desk_set_key(again, "k", "100");
    desk_set_key(other, "k", "101");
    desk_submit(desk, first); /* all three in one batch */
    desk_submit(desk, again);
    desk_submit(desk, other);
    desk_run(desk);
    assert_int_equal(first->fate, FATE_DECIDED);
    assert_int_equal(first->answer.status, 201);
    assert_int_equal(again->fate, FATE_REPLAYED);
    assert_int_equal(again->kept.status, 201);
    assert_true(text_equal(again->kept.body, first->answer.body));
    assert_true(text_equal(again->kept.location, first->answer.location));
    assert_int_equal(other->fate, FATE_KEY_REUSED);
    assert_int_equal(desk_balance(desk, sara), 900);

    struct operation *later = &desk_make_transfer(desk, sara, "reza", 100)->operation;
    desk_set_key(later, "k", "100");
    desk_decide(desk, later);
    assert_int_equal(later->fate, FATE_REPLAYED);
    assert_true(text_equal(later->kept.body, first->answer.body));
    assert_int_equal(desk_balance(desk, sara), 900);

    /* A definite refusal is kept as well: money that comes later does not change the answer. */
    struct operation *poor = &desk_make_transfer(desk, sara, "reza", 5000)->operation;
    desk_set_key(poor, "k2", "5000");
    desk_decide(desk, poor);
    assert_int_equal(poor->answer.status, 409);
    desk_credit(desk, "r2", sara, 100000, "");
    struct operation *rich = &desk_make_transfer(desk, sara, "reza", 5000)->operation;
    desk_set_key(rich, "k2", "5000");
    desk_decide(desk, rich);
    assert_int_equal(rich->fate, FATE_REPLAYED);
    assert_int_equal(rich->kept.status, 409);
}

/* A row that its own constraint refuses: the user stands in the database with a name that the ledger was not told of. */
static void a_failed_commit_leaves_nothing(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    struct registration *bad = desk_make_registration(desk, "Not a name", NULL);
    struct credits *beside = desk_make_credit(desk, "r1", sara, 1000, "");
    desk_set_key(&bad->operation, "k", "bad");
    desk_submit(desk, &bad->operation);
    desk_submit(desk, &beside->operation);
    desk_run(desk); /* together they fail, then each alone: the good one is as if it had been alone */
    assert_true(result_is_ok(desk_outcome));
    assert_int_equal(beside->outcomes[0].outcome, LEDGER_APPLIED);
    assert_int_equal(desk_balance(desk, sara), 1000);
    assert_int_equal(desk_sequence(desk), 1);
    desk_submit(desk, &bad->operation); /* neither its key nor its user is remembered */
    desk_run(desk);
    assert_int_equal(desk_outcome.code, RESULT_CONFLICT);
    struct registration *good = desk_make_registration(desk, "reza", NULL);
    desk_set_key(&good->operation, "k", "bad");
    desk_decide(desk, &good->operation);
    assert_int_equal(good->operation.fate, FATE_DECIDED);
    assert_int_equal(good->outcome, LEDGER_APPLIED);
}

/* The clock went back between two starts: the chain's time does not. */
static void time_never_goes_back_in_the_chain(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    int64_t first_us = desk_credit(desk, "r1", sara, 1, "").created_at_us;
    store_free(desk->store);
    desk->now_us = first_us - 3600 * CLOCK_SECOND_US; /* before the store starts: one that runs never goes back itself */
    desk_open_store(desk);
    assert_true(desk_credit(desk, "r2", sara, 1, "").created_at_us >= first_us);
}

static enum result_code try_transfer(struct desk *desk, struct id from, const char *to) {
    desk_submit(desk, &desk_make_transfer(desk, from, to, 1)->operation);
    desk_run(desk);
    return desk_outcome.code;
}

/* What the database says is never asserted: it is refused, by name in the log, and only to those who need it. */
static void a_row_that_breaks_a_rule_refuses_those_who_need_it(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara"), reza = desk_register(desk, "reza"), ali = desk_register(desk, "ali");
    static const char *const references[] = {"r1", "r2", "r3"};
    const struct id users[] = {sara, reza, ali};
    for (size_t i = 0; i < 3; i++) assert_int_equal(desk_credit(desk, references[i], users[i], 1000, "").outcome, LEDGER_APPLIED);
    static const char *const damages[] = {
        "UPDATE accounts SET debits_posted = 5000 WHERE number = 2", /* below its floor */
        "UPDATE accounts SET credits_pending = -1 WHERE number = 2",           "UPDATE accounts SET currency = 'EUR' WHERE number = 2",
        "UPDATE users SET name = printf('%.*c', 40, 'x') WHERE name = 'sara'", "DELETE FROM accounts WHERE number = 2",
    };
    for (size_t i = 0; i < ARRAY_COUNT(damages); i++) {
        struct database *raw = open_raw(desk);
        take_guards_away(raw);
        run_sql(raw, damages[i]);
        close_raw(desk, raw);
        const char *name = i == 3 ? "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" : "sara";
        assert_int_equal(try_transfer(desk, reza, name), RESULT_CORRUPT);
        assert_int_equal(try_transfer(desk, reza, "ali"), RESULT_OK);
        assert_int_equal(try_transfer(desk, ali, "reza"), RESULT_OK);
        raw = open_raw(desk);
        take_guards_away(raw);
        run_sql(raw, "INSERT OR REPLACE INTO accounts (number, id, kind, user_id, currency, debits_posted, credits_posted, debits_pending, "
                     "credits_pending, sequence, floor, is_frozen, created_at, updated_at, is_overdrawn) SELECT 2, id, 1, (SELECT u.id "
                     "FROM users u WHERE NOT EXISTS (SELECT 1 FROM accounts b WHERE "
                     "b.number <> 2 AND b.user_id = u.id)), 'IRT', 0, 1000, 0, 0, 1, 0, 0, 1, 1, 0 FROM (SELECT randomblob(16) AS id)");
        run_sql(raw, "UPDATE users SET name = 'sara' WHERE length(name) > 32");
        close_raw(desk, raw);
    }
    assert_int_equal(try_transfer(desk, reza, "sara"), RESULT_OK);
}

static int open_desk(void **state) {
    *state = desk_open();
    return 0;
}
static int close_desk(void **state) {
    desk_close(*state);
    return 0;
}

#define AT_A_DESK(test) cmocka_unit_test_setup_teardown(test, open_desk, close_desk)

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_decided_as_its_commands_would_be),
        AT_A_DESK(keys_work_within_a_batch_and_after_it),
        AT_A_DESK(a_failed_commit_leaves_nothing),
        AT_A_DESK(a_row_that_breaks_a_rule_refuses_those_who_need_it),
        AT_A_DESK(time_never_goes_back_in_the_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
