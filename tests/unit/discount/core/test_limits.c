/* The vector of limits against a naive model, which keeps every redemption in a list and counts it anew for each question: random users, phones, orders, changes and
 * clocks. HAMYAN_LONG takes a hundred times as many. */
#include "discount/core/redeem.h"

#include "set.h"

#include <stdio.h>

#define STEPS     10000
#define DAY_US    INT64_C(1000)
#define OFFSET_US INT64_C(310) /* its days do not turn where the clock is a multiple of a day */

static uint64_t random_state;

static uint64_t next_random(uint64_t below) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * UINT64_C(2685821657736338717) >> 16) % below;
}

struct naive {
    uint64_t user, order;
    unsigned phone;
    int64_t day, gift, amount;
};
static struct naive list[512];
static size_t count;
static bool is_paused, has_list;
static bool listed_users[12], listed_phones[12];

static int64_t day_of(int64_t now_us) { return (now_us - OFFSET_US) / DAY_US; }

/* What must come out; .step CLAIM, REPEAT or REFUSE. */
static struct redeem_verdict expect(const struct campaign *campaign, const struct naive *asked) {
    const struct campaign_rules *rules = &campaign->rules;
    int64_t of_user = 0, of_phone = 0, of_day = 0, spent = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_same = list[i].user == asked->user;
        if (is_same && list[i].order == asked->order) return (struct redeem_verdict){REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED};
        of_user += is_same;
        of_phone += list[i].phone == asked->phone;
        of_day += list[i].day == asked->day;
        spent += list[i].gift;
    }
    enum refusal refusal = NOT_REFUSED;
    bool is_one_each = rules->max_per_user == 1 && rules->max_per_phone == 1;
    if (rules->max_per_user == 1 && of_user > 0)
        refusal = REFUSED_USER_LIMIT;
    else if (is_paused)
        refusal = REFUSED_PAUSED;
    else if (has_list && !listed_users[asked->user] && !listed_phones[asked->phone])
        refusal = REFUSED_NOT_ELIGIBLE;
    else if (of_user >= rules->max_per_user)
        refusal = REFUSED_USER_LIMIT;
    else if (of_phone >= rules->max_per_phone)
        refusal = is_one_each ? REFUSED_PHONE_ALREADY_REDEEMED : REFUSED_PHONE_LIMIT;
    else if (asked->amount < rules->min_order_minor)
        refusal = REFUSED_ORDER_TOO_SMALL;
    else if ((int64_t)count >= campaign->max_redemptions)
        refusal = REFUSED_SOLD_OUT;
    else if (rules->budget_minor != 0 && spent + asked->gift > rules->budget_minor)
        refusal = REFUSED_BUDGET_EXHAUSTED;
    else if (rules->max_per_day != 0 && of_day >= rules->max_per_day)
        refusal = REFUSED_DAILY_LIMIT;
    return (struct redeem_verdict){refusal == NOT_REFUSED ? REDEEM_CLAIM : REDEEM_REFUSE, refusal};
}

static void change(struct campaign_set *set, struct campaign *campaign, int64_t now_us) {
    struct campaign_patch patch = {.has_max_redemptions = next_random(2) != 0,
                                   .max_redemptions = (int64_t)next_random(60) + 1,
                                   .rules_given = GIVEN_BUDGET | GIVEN_PER_DAY | GIVEN_MIN_ORDER | GIVEN_ELIGIBILITY,
                                   .rules = {.budget_minor = (int64_t)next_random(3000),
                                             .max_per_day = (int64_t)next_random(6),
                                             .has_list = next_random(2) != 0,
                                             .min_order_minor = (int64_t)next_random(100)}};
    enum campaign_verdict verdict = campaign_patch(set, campaign, &patch, now_us);
    assert_true(verdict == CAMPAIGN_DONE || verdict == CAMPAIGN_UNCHANGED);
    has_list = patch.rules.has_list != 0;
    listed_users[next_random(12)] = true; /* a list only grows */
    listed_phones[next_random(12)] = true;
    if (next_random(3) != 0) return;
    is_paused = !is_paused;
    assert_int_equal(is_paused ? campaign_pause(campaign, now_us) : campaign_resume(campaign, now_us), CAMPAIGN_DONE);
}

static struct campaign *begin(struct campaign_set *set) {
    campaign_set_clear(set);
    count = 0;
    is_paused = has_list = false;
    memset(listed_users, 0, sizeof listed_users);
    memset(listed_phones, 0, sizeof listed_phones);
    struct campaign_create create = {.id = make_id(1, 1),
                                     .code = make_code("GIFT"),
                                     .credit = {0, CURRENCY_IRT},
                                     .name = TEXT("Share"),
                                     .max_redemptions = (int64_t)next_random(60) + 1,
                                     .phone_rule = PHONE_ANY,
                                     .rules = {.kind = GIFT_PERCENT_OFF,
                                               .percent = (int64_t)next_random(10000) + 1,
                                               .max_per_user = (int64_t)next_random(3) + 1,
                                               .max_per_phone = (int64_t)next_random(3) + 1}};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    return campaign;
}

static void ask(struct campaign_set *set, const struct campaign *campaign, int64_t now_us) {
    static uint64_t serial;
    struct naive asked = {.user = next_random(12), .phone = (unsigned)next_random(12), .order = next_random(40), .day = day_of(now_us)};
    asked.amount = (int64_t)next_random(400) + 1;
    asked.gift = asked.amount * campaign->rules.percent / 10000;
    int64_t starts_at_us = asked.day * DAY_US + OFFSET_US;
    struct redeem_request request = {.code = make_code("gift"),
                                     .user_id = make_id(2, asked.user),
                                     .phone = make_phone(asked.phone),
                                     .redemption_id = make_id(3, ++serial),
                                     .order = {.amount_minor = asked.amount},
                                     .order_currency = CURRENCY_IRT,
                                     .is_listed = listed_users[asked.user] || listed_phones[asked.phone] ? IS_SO : IS_NOT,
                                     .day = {starts_at_us, starts_at_us + DAY_US}};
    request.order.reference_size = (uint8_t)snprintf(request.order.reference, sizeof request.order.reference, "%u", (unsigned)asked.order);
    struct redeem_verdict due = expect(campaign, &asked);
    struct campaign *met;
    struct redemption *redemption;
    check_verdict(campaign_redeem(set, &request, now_us, &met, &redemption), due.step, due.refusal);
    if (due.step != REDEEM_CLAIM) return;
    assert_int_equal(redemption->discount_minor, asked.gift);
    assert_int_equal(redemption->position, count + 1);
    list[count++] = asked;
}

static void test_the_vector_is_what_a_naive_model_says(void **state) {
    struct campaign_set *set = *state;
    const char *is_long = getenv("HAMYAN_LONG");
    size_t steps = is_long != NULL && strcmp(is_long, "1") == 0 ? 100 * (size_t)STEPS : STEPS;
    random_state = 7;
    for (size_t done = 0; done < steps;) {
        struct campaign *campaign = begin(set);
        int64_t now_us = NOW;
        for (size_t i = 0; i < 200; i++, done++) {
            now_us += (int64_t)next_random(300);
            if (next_random(12) == 0)
                change(set, campaign, now_us);
            else
                ask(set, campaign, now_us);
            int64_t spent = 0;
            for (size_t k = 0; k < count; k++) spent += list[k].gift;
            assert_int_equal(campaign->redeemed, count);
            assert_int_equal(campaign->spent_minor, spent);
        }
    }
}

/* One more fits each limit exactly; whatever there is one more of, or one less room for, is what refuses it. */
static void test_each_limit_lets_the_last_one_through(void **state) {
    (void)state;
    static const struct limits last = {.max_per_user = 2,
                                       .of_user = 1,
                                       .max_per_phone = 2,
                                       .of_phone = 1,
                                       .min_order_minor = 10,
                                       .order_minor = 10,
                                       .places = 5,
                                       .taken = 4,
                                       .budget_minor = 100,
                                       .spent_minor = 93,
                                       .gift_minor = 7,
                                       .ordered_minor = MONEY_AMOUNT_MAX - 10,
                                       .max_per_day = 3,
                                       .of_day = 2,
                                       .funded = 5};
    static const struct {
        size_t at;
        int64_t more;
        enum refusal refusal;
    } steps[] = {{offsetof(struct limits, of_user), 1, REFUSED_USER_LIMIT},
                 {offsetof(struct limits, of_phone), 1, REFUSED_PHONE_LIMIT},
                 {offsetof(struct limits, order_minor), -1, REFUSED_ORDER_TOO_SMALL},
                 {offsetof(struct limits, taken), 1, REFUSED_SOLD_OUT},
                 {offsetof(struct limits, spent_minor), 1, REFUSED_BUDGET_EXHAUSTED},
                 {offsetof(struct limits, ordered_minor), 1, REFUSED_BUDGET_EXHAUSTED}, /* of money itself */
                 {offsetof(struct limits, of_day), 1, REFUSED_DAILY_LIMIT},
                 {offsetof(struct limits, funded), -1, REFUSED_NOT_FUNDED}};
    enum refusal refusal;
    assert_int_equal(limits_decide(&last, &refusal), LIMITS_KNOWN);
    assert_int_equal(refusal, NOT_REFUSED);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct limits limits = last;
        *(int64_t *)(void *)((char *)&limits + steps[i].at) += steps[i].more;
        assert_int_equal(limits_decide(&limits, &refusal), LIMITS_KNOWN);
        if (refusal != steps[i].refusal) fail_msg("step %zu: %d", i, (int)refusal);
    }
}

/* It says what it does not know, one after the other, and no refusal with it. */
static void test_what_is_not_known_is_asked_for_before_it_is_needed(void **state) {
    (void)state;
    struct limits limits = {.max_per_user = 1, .max_per_phone = 1, .places = 2, .funded = 2, .of_user = -1, .of_phone = -1};
    enum refusal refusal = REFUSED_ENDED;
    assert_int_equal(limits_decide(&limits, &refusal), LIMITS_ASK_USER);
    assert_int_equal(refusal, NOT_REFUSED);
    limits.of_user = 0;
    refusal = REFUSED_ENDED;
    assert_int_equal(limits_decide(&limits, &refusal), LIMITS_ASK_PHONE);
    assert_int_equal(refusal, NOT_REFUSED);
}

/* What is not set bounds nothing but what money can be. */
static void test_no_limit_is_no_limit(void **state) {
    (void)state;
    struct limits limits = {.max_per_user = 1, .max_per_phone = 1, .places = 2, .taken = 1, .funded = 2, .of_day = 1, .spent_minor = 1};
    enum refusal refusal;
    limits.gift_minor = MONEY_AMOUNT_MAX - 1;
    assert_int_equal(limits_decide(&limits, &refusal), LIMITS_KNOWN);
    assert_int_equal(refusal, NOT_REFUSED);
    limits.gift_minor++;
    assert_int_equal(limits_decide(&limits, &refusal), LIMITS_KNOWN);
    assert_int_equal(refusal, REFUSED_BUDGET_EXHAUSTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_vector_is_what_a_naive_model_says, set_up, tear_down),
        cmocka_unit_test(test_each_limit_lets_the_last_one_through),
        cmocka_unit_test(test_what_is_not_known_is_asked_for_before_it_is_needed),
        cmocka_unit_test(test_no_limit_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
