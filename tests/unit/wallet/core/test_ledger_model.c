/* Random commands through the pure ledger, and a naive model beside it, written from the invariants: each answer and each balance must be the same. The
 * short form asks 10,000 commands, HAMYAN_LONG=1 asks 1,000,000; a failure names its world, and HAMYAN_SEED asks that one alone. */
#include "wallet/core/adjustments.h"
#include "wallet/core/limits.h"

#include "core.h"

#define USERS      3
#define ROLES      (USERS + 3) /* a merchant, a fund, issuance: in each currency */
#define CURRENCIES 2
#define SIDES      (CURRENCIES * ROLES)
#define MERCHANT   USERS
#define FUND       (USERS + 1)
#define ISSUANCE   (USERS + 2)
#define COMMANDS   250 /* of one world: its transfers must fit into one working set */
static int role_of(int side) { return side % ROLES; }
static int beside(int side, int role) { return side / ROLES * ROLES + role; } /* that role in the same currency */

/* ---- the model: plain integers, no rule twice ---- */

struct model_spend {
    int user;
    int64_t left, at_us; /* what was not given back */
};
struct model_move {
    int from, to;
    int64_t amount, reversed;
    bool is_credit;
    struct model_spend *spend; /* NULL: it is not spent */
    struct id id;
};
struct model_hold {
    int user;
    int64_t left, captured, expires_us;
    enum hold_state state;
    struct model_spend *spend;
    struct id id;
};
struct model {
    int64_t now_us;
    int64_t balance[SIDES], held[SIDES], floor[SIDES];
    struct limits limits[SIDES];
    bool is_released[SIDES], is_frozen[SIDES], is_open[SIDES];
    struct model_move moves[2 * COMMANDS];
    struct model_hold holds[COMMANDS];
    struct model_spend spends[2 * COMMANDS];
    int move_count, hold_count, spend_count;
};

/* A world's days are short, and three of them are a month. */
#define DAY   40
#define MONTH (3 * DAY)
static int64_t begin_of(int64_t now_us, int64_t length) { return now_us - now_us % length; }

static int64_t model_spent(const struct model *model, int user, int64_t length) {
    int64_t sum = 0;
    for (int i = 0; i < model->spend_count; i++) {
        const struct model_spend *spend = &model->spends[i];
        if (spend->user == user && spend->at_us >= begin_of(model->now_us, length)) sum += spend->left;
    }
    return sum;
}

static struct model_spend *model_note_spend(struct model *model, int user, int64_t amount) {
    struct model_spend *spend = &model->spends[model->spend_count++];
    *spend = (struct model_spend){user, amount, model->now_us};
    return spend;
}

static struct model_move *model_move(struct model *model, int from, int to, int64_t amount) {
    struct model_move *move = &model->moves[model->move_count++];
    *move = (struct model_move){.from = from, .to = to, .amount = amount};
    model->balance[from] -= amount;
    model->balance[to] += amount;
    model->is_open[to] = true;
    return move;
}

static bool is_over(int64_t limit, int64_t sum) { return limit != LIMIT_NONE && sum > limit; }

/* May it leave `from`, and come to `to`? What is only held comes nowhere; what is taken back is not spent. */
static enum ledger_outcome model_may(const struct model *model, int from, int to, int64_t amount, bool comes, bool is_spent) {
    const struct limits *limits = &model->limits[from];
    int64_t available = model->balance[from] - model->held[from];
    int role = role_of(from);
    if (beside(from, 0) != beside(to, 0)) return LEDGER_CURRENCY_MISMATCH;
    if (role < USERS && !model->is_open[from]) return LEDGER_CURRENCY_MISMATCH;
    if (model->is_frozen[from] || model->is_frozen[to]) return LEDGER_ACCOUNT_FROZEN;
    if (role == FUND && amount > available) return LEDGER_FUND_EXHAUSTED;
    if (role != ISSUANCE && amount > available) return LEDGER_INSUFFICIENT_FUNDS;
    if (role != ISSUANCE && available - amount < model->floor[from]) return LEDGER_FLOOR_REACHED;
    if (comes && is_over(model->limits[to].ceiling_minor, model->balance[to] + amount)) return LEDGER_CEILING_REACHED;
    if (!is_spent) return LEDGER_APPLIED;
    if (is_over(limits->per_transaction_minor, amount)) return LEDGER_LIMIT_PER_TRANSACTION;
    if (is_over(limits->daily_minor, model_spent(model, from, DAY) + amount)) return LEDGER_LIMIT_DAILY;
    if (is_over(limits->monthly_minor, model_spent(model, from, MONTH) + amount)) return LEDGER_LIMIT_MONTHLY;
    return LEDGER_APPLIED;
}

static void model_free(struct model *model, struct model_hold *hold, int64_t amount) {
    model->held[hold->user] -= amount;
    hold->left -= amount;
    hold->spend->left -= amount;
}

static void model_expire(struct model *model) {
    for (int i = 0; i < model->hold_count; i++) {
        struct model_hold *hold = &model->holds[i];
        if (hold->state != HOLD_HELD || model->now_us < hold->expires_us) continue;
        model_free(model, hold, hold->left);
        hold->state = HOLD_EXPIRED;
    }
}

static enum ledger_outcome model_capture(struct model *model, struct model_hold *hold, int64_t amount, bool is_final) {
    if (hold->state != HOLD_HELD) return LEDGER_HOLD_CLOSED;
    if (amount > hold->left) return LEDGER_HOLD_EXCEEDED;
    int till = beside(hold->user, MERCHANT);
    if (model->is_frozen[hold->user] || model->is_frozen[till]) return LEDGER_ACCOUNT_FROZEN;
    if (is_over(model->limits[till].ceiling_minor, model->balance[till] + amount)) return LEDGER_CEILING_REACHED;
    model->held[hold->user] -= amount;
    hold->left -= amount;
    hold->captured += amount;
    if (is_final) model_free(model, hold, hold->left);
    if (hold->left == 0) hold->state = HOLD_CAPTURED;
    model_move(model, hold->user, till, amount)->spend = hold->spend;
    return LEDGER_APPLIED;
}

static enum ledger_outcome model_reverse(struct model *model, struct model_move *move, int64_t amount, bool may_overdraw) {
    if (move->reversed == move->amount || amount > move->amount - move->reversed) return LEDGER_REVERSAL_EXCEEDS_ORIGINAL;
    if (amount == 0) amount = move->amount - move->reversed;
    enum ledger_outcome outcome = model_may(model, move->to, move->from, amount, true, false);
    bool is_short = outcome == LEDGER_INSUFFICIENT_FUNDS || outcome == LEDGER_FLOOR_REACHED;
    if (is_short && may_overdraw) {
        bool is_full = is_over(model->limits[move->from].ceiling_minor, model->balance[move->from] + amount);
        outcome = is_full ? LEDGER_CEILING_REACHED : LEDGER_APPLIED;
    }
    if (outcome != LEDGER_APPLIED) return outcome;
    move->reversed += amount;
    if (move->spend != NULL) move->spend->left -= amount;
    model->balance[move->to] -= amount;
    model->balance[model->is_released[move->from] ? beside(move->from, ISSUANCE) : move->from] += amount;
    return LEDGER_APPLIED;
}

/* ---- both, side by side ---- */

struct pair {
    struct core *core;
    struct model model;
    uint64_t seed;
    struct account *accounts[SIDES]; /* NULL: nothing has opened it */
    struct id users[USERS];
    const struct merchant *merchant;
    char references[COMMANDS][16];
    int command;
};

static int64_t pick(struct pair *pair, int64_t below) {
    pair->seed = pair->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((pair->seed >> 33) % (uint64_t)below);
}

static const enum currency currencies[CURRENCIES] = {CURRENCY_IRT, CURRENCY_IRR};
static const char *const names[USERS] = {"sara", "reza", "mina"}, *const funds[CURRENCIES] = {"f", "g"};
static enum currency currency_of(int side) { return currencies[side / ROLES]; }
static const char *fund_of(int side) { return funds[side / ROLES]; }
static int pick_side(struct pair *pair, int roles) { return (int)(pick(pair, CURRENCIES) * ROLES + pick(pair, roles)); }

static void look(struct pair *pair) {
    const struct ledger *ledger = &pair->core->ledger;
    for (int i = 0; i < SIDES; i += ROLES) {
        for (int user = 0; user < USERS; user++) pair->accounts[i + user] = ledger_find_wallet(ledger, pair->users[user], currency_of(i));
        const struct merchant *till = ledger_find_till(ledger, pair->merchant, currency_of(i));
        const struct fund *fund = ledger_find_fund(ledger, TEXT("discount"), text_of(fund_of(i)));
        pair->accounts[i + MERCHANT] = till == NULL ? NULL : till->account;
        pair->accounts[i + FUND] = fund == NULL ? NULL : fund->account;
        pair->accounts[i + ISSUANCE] = ledger->issuances[currency_of(i)];
    }
}

static struct text reference_of(struct pair *pair) { return text_of(pair->references[pair->command]); }

/* Now and then out of a fund of another currency. */
static void credit(struct pair *pair) {
    int user = pick_side(pair, USERS), from = beside(user, ISSUANCE);
    if (pick(pair, 2) == 0) from = beside(pick(pair, 8) == 0 ? (user + ROLES) % SIDES : user, FUND);
    bool is_out_of_fund = role_of(from) == FUND;
    int64_t amount = 1 + pick(pair, 60);
    const struct credit_item item = {.reference = reference_of(pair),
                                     .user_id = pair->users[role_of(user)],
                                     .amount = {amount, currency_of(user)},
                                     .fund = text_of(is_out_of_fund ? fund_of(from) : "")};
    enum ledger_outcome expected = model_may(&pair->model, from, user, amount, true, false);
    if (pair->model.is_released[from]) expected = LEDGER_FUND_RELEASED;
    assert_int_equal(ledger_credit(&pair->core->ledger, TEXT("discount"), &item, pair->core->now_us).outcome, expected);
    if (expected != LEDGER_APPLIED) return;
    struct model_move *move = model_move(&pair->model, from, user, amount);
    move->is_credit = true;
    move->id = core_newest(pair->core)->id;
    core_load_original(pair->core, core_newest(pair->core), is_out_of_fund ? fund_of(from) : "");
}

static void remember_move(struct pair *pair, struct model_move *move, const struct transfer *transfer, int64_t spent_at_us) {
    move->id = transfer->id;
    core_load_original(pair->core, transfer, "")->spent_at_us = spent_at_us;
}

/* To a name it comes in its own currency; to an account, whatever that is in. */
static void send(struct pair *pair) {
    int from = pick_side(pair, USERS), to = pick_side(pair, USERS);
    bool is_by_account = pick(pair, 2) == 0 && pair->accounts[to] != NULL;
    if (!is_by_account) to = beside(from, role_of(to));
    int64_t amount = 1 + pick(pair, 60);
    const struct transfer_command command = {.user_id = pair->users[role_of(from)],
                                             .recipient = is_by_account ? RECIPIENT_ACCOUNT : RECIPIENT_USERNAME,
                                             .recipient_name = text_of(names[role_of(to)]),
                                             .recipient_account = is_by_account ? pair->accounts[to]->id : (struct id){{0}},
                                             .amount = {amount, currency_of(from)}};
    const struct transfer *transfer = NULL;
    enum ledger_outcome expected = from == to ? LEDGER_SAME_ACCOUNT : model_may(&pair->model, from, to, amount, true, true);
    assert_int_equal(ledger_transfer(&pair->core->ledger, &command, pair->core->now_us, &transfer), expected);
    if (expected != LEDGER_APPLIED) return;
    struct model_move *move = model_move(&pair->model, from, to, amount);
    move->spend = model_note_spend(&pair->model, from, amount);
    remember_move(pair, move, transfer, pair->core->now_us);
}

static void pay(struct pair *pair) {
    int user = pick_side(pair, USERS), till = beside(user, MERCHANT);
    const struct payment_command command = {.caller = TEXT("discount"),
                                            .reference = reference_of(pair),
                                            .user_id = pair->users[role_of(user)],
                                            .merchant = {.id = pair->merchant->account->id},
                                            .amount = {1 + pick(pair, 60), currency_of(user)}};
    int64_t amount = command.amount.amount_minor;
    enum ledger_outcome expected = model_may(&pair->model, user, till, amount, true, true);
    assert_int_equal(ledger_pay(&pair->core->ledger, &command, pair->core->now_us).outcome, expected);
    if (expected == LEDGER_APPLIED) {
        struct model_move *move = model_move(&pair->model, user, till, amount);
        move->spend = model_note_spend(&pair->model, user, amount);
        remember_move(pair, move, core_newest(pair->core), pair->core->now_us);
    }
    enum ledger_outcome again = ledger_pay(&pair->core->ledger, &command, pair->core->now_us).outcome;
    assert_int_equal(again, expected == LEDGER_APPLIED ? LEDGER_REPLAYED : expected);
}

static void hold(struct pair *pair) {
    int user = pick_side(pair, USERS);
    const struct hold_command command = {.caller = TEXT("discount"),
                                         .reference = reference_of(pair),
                                         .user_id = pair->users[role_of(user)],
                                         .merchant = {.name = TEXT("")},
                                         .amount = {1 + pick(pair, 60), currency_of(user)},
                                         .expires_in_us = 1 + pick(pair, 20)};
    int64_t amount = command.amount.amount_minor;
    struct hold *held = NULL;
    enum ledger_outcome expected = model_may(&pair->model, user, user, amount, false, true);
    assert_int_equal(ledger_hold(&pair->core->ledger, &command, pair->core->now_us, &held), expected);
    if (expected != LEDGER_APPLIED) return;
    pair->model.held[user] += amount;
    pair->model.holds[pair->model.hold_count++] = (struct model_hold){.spend = model_note_spend(&pair->model, user, amount),
                                                                      .user = user,
                                                                      .left = amount,
                                                                      .expires_us = pair->core->now_us + command.expires_in_us,
                                                                      .state = HOLD_HELD,
                                                                      .id = held->id};
}

static void end_hold(struct pair *pair) {
    if (pair->model.hold_count == 0) return;
    struct model_hold *mine = &pair->model.holds[pick(pair, pair->model.hold_count)];
    struct hold *held = NULL;
    if (pick(pair, 3) == 0) {
        enum ledger_outcome expected = mine->state == HOLD_HELD ? LEDGER_APPLIED : LEDGER_HOLD_CLOSED;
        assert_int_equal(ledger_release_hold(&pair->core->ledger, TEXT("discount"), mine->id, pair->core->now_us, &held), expected);
        if (expected != LEDGER_APPLIED) return;
        model_free(&pair->model, mine, mine->left);
        mine->state = HOLD_RELEASED;
        return;
    }
    const struct capture_command command = {.caller = TEXT("discount"),
                                            .hold_id = mine->id,
                                            .amount_minor = 1 + pick(pair, 40),
                                            .is_final = pick(pair, 2) == 0,
                                            .merchant = {.id = pair->merchant->account->id}};
    const struct transfer *transfer = NULL;
    enum ledger_outcome expected = model_capture(&pair->model, mine, command.amount_minor, command.is_final);
    assert_int_equal(ledger_capture(&pair->core->ledger, &command, pair->core->now_us, &held, &transfer), expected);
    if (expected == LEDGER_APPLIED) remember_move(pair, &pair->model.moves[pair->model.move_count - 1], transfer, mine->spend->at_us);
}

static void reverse(struct pair *pair) {
    if (pair->model.move_count == 0) return;
    struct model_move *move = &pair->model.moves[pick(pair, pair->model.move_count)];
    const struct reversal_command command = {.caller = TEXT("admin:1"),
                                             .reference = TEXT(""),
                                             .transaction_id = move->id,
                                             .amount_minor = pick(pair, 40),
                                             .reason = TEXT("why"),
                                             .is_admin = true,
                                             .may_overdraw = pick(pair, 4) == 0};
    enum ledger_outcome expected = model_reverse(&pair->model, move, command.amount_minor, command.may_overdraw);
    assert_int_equal(ledger_reverse(&pair->core->ledger, &command, pair->core->now_us).outcome, expected);
}

/* Now and then in another currency than the account's. */
static void adjust(struct pair *pair) {
    int user = pick_side(pair, USERS + 1), other = pick(pair, 8) == 0 ? (user + ROLES) % SIDES : user;
    bool is_credit = pick(pair, 2) == 0;
    if (pair->accounts[user] == NULL) return;
    const struct adjustment_command command = {.caller = TEXT("admin:1"),
                                               .reference = reference_of(pair),
                                               .account_id = pair->accounts[user]->id,
                                               .is_credit = is_credit,
                                               .amount = {1 + pick(pair, 60), currency_of(other)},
                                               .reason = TEXT("why")};
    int issuance = beside(other, ISSUANCE), from = is_credit ? issuance : user, to = is_credit ? user : issuance;
    enum ledger_outcome expected = model_may(&pair->model, from, to, command.amount.amount_minor, true, true);
    assert_int_equal(ledger_adjust(&pair->core->ledger, &command, pair->core->now_us).outcome, expected);
    if (expected != LEDGER_APPLIED) return;
    model_move(&pair->model, from, to, command.amount.amount_minor);
    pair->model.move_count--; /* it is not reversed */
    model_note_spend(&pair->model, from, command.amount.amount_minor);
    assert_int_equal(ledger_adjust(&pair->core->ledger, &command, pair->core->now_us).outcome, LEDGER_REPLAYED);
}

static void freeze(struct pair *pair) {
    int user = pick_side(pair, USERS + 1);
    bool is_frozen = pick(pair, 4) == 0, is_changed = false;
    if (pair->accounts[user] == NULL) return;
    assert_int_equal(account_set_frozen(pair->accounts[user], is_frozen, pair->core->now_us, &is_changed), LEDGER_APPLIED);
    assert_int_equal(is_changed, pair->model.is_frozen[user] != is_frozen);
    pair->model.is_frozen[user] = is_frozen;
}

static int64_t pick_limit(struct pair *pair, int64_t below) { return pick(pair, 3) == 0 ? pick(pair, below) : LIMIT_NONE; }

static void set_limits(struct pair *pair) {
    int user = pick_side(pair, USERS + 1);
    const struct limits limits = {pick_limit(pair, 120), pick_limit(pair, 60), pick_limit(pair, 150), pick_limit(pair, 250)};
    int64_t floor_minor = pick(pair, 3) == 0 ? pick(pair, 40) : 0;
    const struct spent spent = {begin_of(pair->model.now_us, DAY), model_spent(&pair->model, user, DAY),
                                begin_of(pair->model.now_us, MONTH), model_spent(&pair->model, user, MONTH)};
    bool is_changed = false;
    if (pick(pair, 3) != 0 || pair->accounts[user] == NULL) return;
    assert_int_equal(account_set_limits(pair->accounts[user], &limits, floor_minor, &spent, pair->core->now_us, &is_changed),
                     LEDGER_APPLIED);
    pair->model.limits[user] = limits;
    pair->model.floor[user] = floor_minor;
}

/* What was spent, as the account counts it: the same as all that was, from the beginning on. */
static void compare_spent(const struct pair *pair, int user) {
    const struct limits *limits = &pair->model.limits[user];
    if (limits->daily_minor == LIMIT_NONE && limits->monthly_minor == LIMIT_NONE) return;
    struct spent spent = limits_spent(&pair->core->ledger, pair->accounts[user], pair->core->now_us);
    assert_int_equal(spent.day_minor, model_spent(&pair->model, user, DAY));
    assert_int_equal(spent.month_minor, model_spent(&pair->model, user, MONTH));
}

static void release_fund(struct pair *pair) {
    int fund = beside(pick_side(pair, 1), FUND), issuance = beside(fund, ISSUANCE);
    struct fund_command command = core_fund_command(fund_of(fund), 1);
    struct fund *released = NULL;
    if (pick(pair, 100) != 0) return;
    ledger_release_fund(&pair->core->ledger, &command, pair->core->now_us, &released);
    assert_null(fund_fault(released));
    pair->model.balance[issuance] += pair->model.balance[fund];
    pair->model.balance[fund] = 0;
    pair->model.is_released[fund] = true;
}

static void compare(const struct pair *pair) {
    for (int i = 0, sum = 0; i < SIDES; i++) {
        if (role_of(i) == 0) sum = 0; /* of each currency */
        sum += (int)pair->model.balance[i];
        if (role_of(i) == ROLES - 1) assert_int_equal(sum, 0);
        if (pair->accounts[i] == NULL) assert_int_equal(pair->model.balance[i], 0);
        if (role_of(i) < USERS) assert_int_equal(pair->accounts[i] != NULL, pair->model.is_open[i]);
        if (pair->accounts[i] == NULL) continue;
        assert_int_equal(account_balance(pair->accounts[i]).amount_minor, pair->model.balance[i]);
        assert_int_equal(pair->accounts[i]->currency, currency_of(i));
        assert_int_equal(pair->accounts[i]->debits_pending, pair->model.held[i]);
        assert_null(account_fault(pair->accounts[i]));
        compare_spent(pair, i);
    }
    for (int i = 0; i < pair->model.hold_count; i++) {
        const struct model_hold *mine = &pair->model.holds[i];
        const struct hold *held = ledger_find_hold(&pair->core->ledger, mine->id);
        assert_int_equal(held->state, mine->state);
        assert_int_equal(held->remaining_minor, mine->left);
        assert_int_equal(held->captured_minor, mine->captured);
    }
}

static void find_periods(const void *zone, int64_t moment_us, struct period *ret_day, struct period *ret_month) {
    (void)zone;
    *ret_day = (struct period){begin_of(moment_us, DAY), begin_of(moment_us, DAY) + DAY};
    *ret_month = (struct period){begin_of(moment_us, MONTH), begin_of(moment_us, MONTH) + MONTH};
}

static void begin_world(struct pair *pair) {
    struct merchant *merchant = NULL;
    struct fund *fund = NULL;
    for (int i = 0; i < USERS; i++) {
        pair->users[i] = core_register(pair->core, names[i])->id;
        pair->model.is_open[i] = true; /* in the main currency */
    }
    assert_int_equal(ledger_open_merchant(&pair->core->ledger, TEXT("Shop"), pair->core->now_us, &merchant), LEDGER_APPLIED);
    pair->merchant = merchant;
    for (int i = 0; i < SIDES; i++) pair->model.limits[i] = LIMITS_NONE;
    for (int i = 0; i < SIDES; i += ROLES) {
        struct fund_command command = core_fund_command(fund_of(i), 2000);
        command.amount.currency = currency_of(i);
        assert_int_equal(ledger_open_fund(&pair->core->ledger, &command, pair->core->now_us, &fund), LEDGER_APPLIED);
        pair->model.balance[i + FUND] = 2000;
        pair->model.balance[i + ISSUANCE] = -2000;
    }
    pair->model.now_us = pair->core->now_us;
}

static void run_world(uint64_t seed) {
    static struct pair pair;
    void *state = NULL;
    static void (*const commands[])(struct pair *) = {credit,   credit,  send,   pay,    hold,       end_hold,
                                                      end_hold, reverse, adjust, freeze, set_limits, release_fund};
    core_make(&state);
    ((struct core *)state)->ledger.calendar = (struct calendar){.find = find_periods};
    pair = (struct pair){.core = state, .seed = seed};
    begin_world(&pair);
    for (pair.command = 0; pair.command < COMMANDS; pair.command++) {
        snprintf(pair.references[pair.command], sizeof pair.references[0], "r%d", pair.command);
        pair.core->now_us += pick(&pair, 4);
        for (size_t i = 0; i < pair.core->ledger.holds.count; i++)
            ledger_expire_hold(&pair.core->ledger, pair.core->ledger.holds.rows[i], pair.core->now_us);
        pair.model.now_us = pair.core->now_us;
        model_expire(&pair.model);
        look(&pair);
        commands[pick(&pair, ARRAY_COUNT(commands))](&pair);
        look(&pair);
        compare(&pair);
    }
    core_drop(&state);
}

static void the_ledger_does_what_the_model_does(void **state) {
    (void)state;
    const char *one = getenv("HAMYAN_SEED"), *is_long = getenv("HAMYAN_LONG");
    uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 10);
    uint64_t count = one != NULL ? 1u : (is_long != NULL && strcmp(is_long, "1") == 0 ? 1000000u : 10000u) / COMMANDS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (one == NULL && seed % 100 == 1) print_message("HAMYAN_SEED=%llu and on\n", (unsigned long long)seed);
        run_world(seed);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_ledger_does_what_the_model_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
