/* The line of those who wait: its order, what holds it up, and what one takes from the limits while he waits and when he is promoted. */
#include "discount/core/line.h"

#include "discount/core/rebuild.h"
#include "discount/core/reversal.h"
#include "discount/core/settlement.h"

#include "set.h"

static const struct moment now = {.opens_at_us = 0};

static struct campaign *make_line(struct campaign_set *set, int64_t places, int64_t length) {
    struct campaign *campaign = make_campaign(set, "GIFT", places);
    campaign->rules.waiting_list = length;
    return campaign;
}

static struct redemption *join(struct campaign_set *set, uint64_t user) {
    struct redemption *redemption;
    check_verdict(redeem(set, user, (unsigned)user, NOW, &redemption), REDEEM_WAIT, REFUSED_SOLD_OUT);
    return redemption;
}

static void change(struct campaign_set *set, struct campaign *campaign, int64_t places) {
    const struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = places};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    fund_all(set);
}

static void test_nobody_is_overtaken(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 3);
    (void)claim(set, 1, 1, NOW);
    struct redemption *waiting[3];
    for (uint64_t i = 0; i < 3; i++) {
        int64_t sequence = campaign->sequence;
        campaign->is_changed = false;
        waiting[i] = join(set, i + 2);
        assert_true(waiting[i]->status == REDEMPTION_WAITING && redemption_ticket(waiting[i]) == (int64_t)i + 1 && waiting[i]->is_new);
        assert_true(waiting[i]->claimed_at_us == NOW && waiting[i]->is_changed && campaign->is_changed);
        assert_int_equal(campaign->sequence, sequence + 1);
    }
    assert_true(campaign->waiting == 3 && campaign->redeemed == 1 && campaign->spent_minor == 1000);
    be_refused(set, 5, 5, NOW, REFUSED_SOLD_OUT);
    be_refused(set, 2, 2, NOW, REFUSED_ALREADY_REDEEMED);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0); /* nothing is open */
    change(set, campaign, 3);
    be_refused(set, 5, 5, NOW, REFUSED_SOLD_OUT); /* two places are open, and not his */
    const struct id ids[] = {waiting[0]->id, waiting[1]->id};
    assert_int_equal(campaign_promote(set, campaign, &now, NOW + 7), 2);
    for (int i = 0; i < 2; i++) {
        assert_true(waiting[i]->status == REDEMPTION_CLAIMED && waiting[i]->position == i + 2 && waiting[i]->claimed_at_us == NOW + 7);
        assert_true(waiting[i]->promoted_from == LINE_BASE + i + 1 && waiting[i]->is_changed);
        assert_true(id_equal(waiting[i]->id, ids[i]) &&
                    redemption_by_id(set, ids[i]) == waiting[i]); /* it is paid under the name that it has */
    }
    assert_true(campaign->redeemed == 3 && campaign->waiting == 1 && campaign->called == 2 && campaign->spent_minor == 3000);
    assert_true(campaign->exhausted_at_us == NOW + 7 && campaign_living(campaign) == 3);
    struct redemption *late = join(set, 5);
    assert_int_equal(redemption_ticket(late), 4);
    change(set, campaign, 6);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 2);
    assert_true(waiting[2]->position == 4 && late->position == 5 && campaign->waiting == 0 && campaign->called == campaign->lined_up);
    assert_int_equal(claim(set, 6, 6, NOW)->position, 6); /* the line is over */
    assert_null(campaign_fault(campaign));
}

static void test_who_is_promoted_is_settled_like_any_other(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 3);
    (void)claim(set, 1, 1, NOW);
    struct redemption *waiting = join(set, 2);
    struct settlement credited = {.redemption_id = waiting->id, .is_credited = true, .transaction_id = make_id(9, 9)};
    assert_int_equal(campaign_settle(set, &credited, NOW).code, RESULT_CONFLICT); /* it has no place to be paid for */
    credited.is_again = true;
    assert_int_equal(campaign_settle(set, &credited, NOW).code, RESULT_CONFLICT);
    struct redemption *found;
    assert_int_equal(campaign_reverse(set, &(struct reversal_command){waiting->id, SLOT_RETURN, TEXT("why")}, NOW, &found),
                     REVERSAL_NOT_CREDITED);
    assert_int_equal(campaign_retry(set, waiting->id), RETRY_NOT_FAILED);
    change(set, campaign, 2);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_true(waiting->status == REDEMPTION_CREDITED && campaign->credited == 1 && waiting->position == 2);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0);
}

/* What is of the campaign holds the first of the line up, and with him all others. */
static void test_what_holds_the_line_up(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 3);
    (void)claim(set, 1, 1, NOW);
    struct redemption *waiting = join(set, 2);
    const struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = 2};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0); /* its fund has not grown yet */
    fund_all(set);
    assert_int_equal(campaign_promote(set, campaign, &(struct moment){.opens_at_us = NOW + 1}, NOW), 0);
    assert_int_equal(campaign_promote(set, campaign, &(struct moment){.is_recovering = true}, NOW), 0);
    assert_int_equal(campaign_pause(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0);
    assert_int_equal(campaign_resume(campaign, NOW), CAMPAIGN_DONE);
    campaign->rules.budget_minor = 1999;
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0);
    campaign->rules.budget_minor = 2000;
    campaign->rules.max_per_day = 1;
    campaign->day_ends_at_us = NOW + 10;
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0);
    assert_int_equal(waiting->status, REDEMPTION_WAITING);
    const struct moment tomorrow = {.day = {NOW + 10, NOW + 20}};
    assert_int_equal(campaign_promote(set, campaign, &tomorrow, NOW + 11), 1);
    assert_true(campaign->day_starts_at_us == NOW + 10 && campaign->day_ends_at_us == NOW + 20 && campaign->day_before == 1);
}

static void test_nobody_is_promoted_after_the_end(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 3);
    (void)claim(set, 1, 1, NOW);
    struct redemption shown = *join(set, 2);
    change(set, campaign, 2);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0);
    assert_int_equal(campaign->waiting, 1);
    line_show(&shown, campaign->called, false);
    assert_true(shown.status == REDEMPTION_WAITING && shown.rank == 1);
    line_show(&shown, campaign->called, true);
    assert_int_equal(shown.status, REDEMPTION_LAPSED);
    struct redemption winner = *redemption_by_user(set, 1, make_id(2, 1));
    line_show(&winner, 0, true);
    assert_true(winner.status == REDEMPTION_CLAIMED && winner.rank == 0);
}

static void test_the_rank_is_the_distance_from_who_was_called(void **state) {
    (void)state;
    for (int64_t called = 0; called < 8; called++) {
        struct redemption shown = {.status = REDEMPTION_WAITING, .position = LINE_BASE + 5};
        line_show(&shown, called, false);
        assert_int_equal(shown.rank, called < 4 ? 5 - called : 1);
    }
    assert_int_equal(line_length(7, LINE_TICKETS_MAX - 1), 7);
    assert_int_equal(line_length(7, LINE_TICKETS_MAX), 0);
}

static void test_a_shorter_list_puts_nobody_out(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 3);
    (void)claim(set, 1, 1, NOW);
    (void)join(set, 2);
    (void)join(set, 3);
    const struct campaign_patch patch = {.rules_given = GIVEN_WAITING_LIST, .rules = {.waiting_list = 1}};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_UNCHANGED);
    assert_true(campaign->waiting == 2 && campaign->rules.waiting_list == 1);
    be_refused(set, 4, 4, NOW, REFUSED_SOLD_OUT);
    change(set, campaign, 3);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 2);
}

/* The limits of the one who waits: his user's, his phone's and his code's share is taken, and nothing of the campaign. */
static void test_his_own_limits_count_him(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 9);
    campaign->rules.max_per_user = 2;
    campaign->rules.max_per_phone = 2;
    (void)claim(set, 1, 1, NOW);
    (void)join(set, 2);
    (void)join(set, 2);
    be_refused(set, 2, 2, NOW, REFUSED_USER_LIMIT);
    be_refused(set, 3, 2, NOW, REFUSED_PHONE_LIMIT);
    assert_true(campaign->waiting == 2 && campaign->spent_minor == 1000);
}

static void test_an_order_gets_its_discount_with_its_place(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign;
    const struct campaign_create create = {.id = make_id(1, 1),
                                           .code = make_code("GIFT"),
                                           .credit = {0, CURRENCY_IRT},
                                           .name = TEXT("Gift"),
                                           .max_redemptions = 1,
                                           .rules = {.kind = GIFT_PERCENT_OFF, .percent = 5000, .budget_minor = 700, .waiting_list = 2}};
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    struct redemption *made[3];
    for (uint64_t i = 0; i < 3; i++) {
        struct redeem_request request = {.code = make_code("gift"),
                                         .user_id = make_id(2, i),
                                         .phone = make_phone((unsigned)i),
                                         .account_phone = make_phone((unsigned)i),
                                         .redemption_id = make_id(3, 100 + i),
                                         .order = {.reference_size = 1, .reference = "o", .amount_minor = i == 1 ? 600 : 400},
                                         .order_currency = CURRENCY_IRT};
        assert_int_equal(campaign_redeem(set, &request, NOW, &campaign, &made[i]).step, i == 0 ? REDEEM_CLAIM : REDEEM_WAIT);
    }
    assert_true(made[1]->discount_minor == 0 && made[1]->settled_at_us == 0 && campaign->spent_minor == 200 &&
                campaign->ordered_minor == 400);
    const struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW + 3), 2);
    assert_true(made[1]->status == REDEMPTION_APPLIED && made[1]->discount_minor == 300 && made[1]->settled_at_us == NOW + 3);
    assert_true(campaign->spent_minor == 700 && campaign->ordered_minor == 1400 && campaign->settled_position == 3);
}

/* Of a long line only those in front are loaded: nobody behind them is taken for the first. */
static void test_only_who_is_known_to_be_the_first(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 9);
    (void)claim(set, 1, 1, NOW);
    struct redemption rows[4];
    for (uint64_t i = 0; i < 4; i++) rows[i] = *join(set, i + 2);
    for (int i = 0; i < 4; i++) rows[i].is_changed = rows[i].is_new = false; /* as they are on disk */
    change(set, campaign, 9);
    campaign_set_begin(set);
    assert_true(result_is_ok(campaign_set_load_redemption(set, &rows[1]))); /* asks for itself */
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0);
    change(set, campaign, 2);
    assert_true(result_is_ok(campaign_set_load_line(set, &rows[0])));
    assert_true(result_is_ok(campaign_set_load_line(set, &rows[1])));
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_true(redemption_by_id(set, rows[0].id)->is_changed && redemption_by_id(set, rows[0].id)->position == 2);
    assert_true(redemption_by_id(set, rows[1].id)->status == REDEMPTION_WAITING && !redemption_by_id(set, rows[1].id)->is_changed);
    change(set, campaign, 9);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_true(result_is_ok(campaign_set_load_redemption(set, &rows[3])));
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 0);
    assert_true(result_is_ok(campaign_set_load_redemption(set, &rows[2]))); /* now everybody who waits is here */
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 2);
    assert_true(redemption_by_id(set, rows[2].id)->position == 4 && redemption_by_id(set, rows[3].id)->position == 5);
    /* what has a ticket that was called, or never given, is no row of its line */
    campaign_set_begin(set);
    for (int i = 0; i < 2; i++) {
        struct redemption odd = rows[0];
        odd.position = LINE_BASE + (i == 0 ? 1 : 5);
        assert_int_equal(campaign_set_load_redemption(set, &odd).code, RESULT_CORRUPT);
    }
}

/* Two lines, each with its own. */
static void test_each_campaign_has_its_own_line(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 9);
    (void)claim(set, 1, 1, NOW);
    (void)join(set, 2);
    struct campaign *other = make_campaign(set, "OTHER", 5);
    other->rules.waiting_list = 9;
    fund_all(set);
    other->redeemed = 1;
    other->first_redeemed_at_us = other->last_redeemed_at_us = NOW;
    other->spent_minor = 1000;
    other->day_starts_at_us = other->day_ends_at_us = NOW;
    other->waiting = other->lined_up = 1;
    assert_null(campaign_fault(other));
    assert_int_equal(campaign_promote(set, other, &now, NOW), 0); /* whoever waits there is not here */
    change(set, campaign, 2);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_int_equal(other->waiting, 1);
}

/* ---- our database is an older copy: Wallet has paid who waits here ---- */

static struct paid_place paid(const struct redemption *redemption, uint64_t transaction) {
    return (struct paid_place){.id = redemption->id,
                               .campaign_number = 1,
                               .user_id = redemption->user_id,
                               .phone = redemption->phone,
                               .transaction_id = make_id(9, transaction),
                               .amount_minor = 1000,
                               .paid_at_us = NOW};
}

static void test_who_was_paid_leaves_the_line_out_of_turn(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 9);
    (void)claim(set, 1, 1, NOW);
    struct redemption *waiting[5];
    for (uint64_t i = 0; i < 5; i++) waiting[i] = join(set, i + 2);
    campaign->fund_confirmed_minor = 9000;
    struct paid_place place = paid(waiting[1], 1);
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_SETTLED);
    assert_true(waiting[1]->status == REDEMPTION_CREDITED && waiting[1]->position == 2 && waiting[1]->promoted_from == LINE_BASE + 2);
    assert_true(campaign->max_redemptions == 2 && campaign->waiting == 4 && campaign->strayed == 1 && campaign->called == 0);
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_KNOWN);
    place = paid(waiting[2], 2);
    place.id = make_id(3, 7777); /* he came again after the copy was put back, under another id */
    struct id claimed_as = waiting[2]->id;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_RENAMED);
    assert_true(id_equal(waiting[2]->id, place.id) && id_equal(waiting[2]->claimed_as, claimed_as) &&
                waiting[2]->status == REDEMPTION_CREDITED);
    assert_true(campaign->waiting == 3 && campaign->strayed == 2);
    change(set, campaign, 4);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_true(waiting[0]->position == 4 && campaign->called == 1 && campaign->strayed == 2);
    place = paid(waiting[3], 3);
    place.is_reversed = true;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_REVERSED);
    assert_true(waiting[3]->status == REDEMPTION_REVERSED && campaign->strayed == 3 && campaign->waiting == 1);
    change(set, campaign, 9);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1); /* the gaps before him are called with him */
    assert_true(waiting[4]->status == REDEMPTION_CLAIMED && campaign->called == 5 && campaign->strayed == 0 && campaign->waiting == 0);
    assert_null(campaign_fault(campaign));
}

static void test_who_was_paid_brings_his_order_with_him(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 9);
    (void)claim(set, 1, 1, NOW);
    struct redemption *first = join(set, 2), *second = join(set, 3);
    first->order = (struct order){.reference_size = 1, .reference = "o", .amount_minor = 400};
    second->order = (struct order){.reference_size = 1, .reference = "p", .amount_minor = 70};
    campaign->fund_confirmed_minor = 9000;
    struct paid_place place = paid(first, 1);
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_SETTLED);
    assert_int_equal(campaign->ordered_minor, 400);
    place = paid(second, 2);
    place.is_reversed = true;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_REVERSED);
    assert_int_equal(campaign->ordered_minor, 400); /* it has come and gone */
    assert_null(campaign_fault(campaign));
}

static void test_gaps_that_are_called_are_gaps_no_more(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_line(set, 1, 9);
    (void)claim(set, 1, 1, NOW);
    struct redemption *waiting[5];
    for (uint64_t i = 0; i < 5; i++) waiting[i] = join(set, i + 2);
    campaign->fund_confirmed_minor = 9000;
    struct paid_place place = paid(waiting[0], 1);
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_SETTLED);
    assert_true(campaign->strayed == 0 && campaign->called == 1); /* it was the first */
    place = paid(waiting[2], 3);
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_SETTLED);
    assert_true(campaign->strayed == 1 && campaign->called == 1);
    change(set, campaign, 4);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_true(waiting[1]->position == 4 && campaign->called == 2 && campaign->strayed == 1);
    change(set, campaign, 5);
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_true(waiting[3]->position == 5 && campaign->called == 4 && campaign->strayed == 0 && campaign->waiting == 1);
    place = paid(waiting[4], 2);
    place.amount_minor = 999;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_OTHER_AMOUNT);
    place.amount_minor = 1000;
    campaign->max_redemptions = LIMIT_CAMPAIGN_PLACES; /* no more positions */
    campaign->redeemed = LIMIT_CAMPAIGN_PLACES;
    campaign->spent_minor = 1000 * (int64_t)LIMIT_CAMPAIGN_PLACES;
    campaign->exhausted_at_us = NOW;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_NO_PLACE);
    assert_true(waiting[4]->status == REDEMPTION_WAITING && campaign->waiting == 1);
}

static void test_a_broken_line_is_told(void **state) {
    struct campaign_set *set = *state;
    struct campaign good = *make_line(set, 1, 9);
    good.redeemed = good.settled_position = 0;
    good.lined_up = good.called = 0;
    assert_null(line_fault(&good));
    good.redeemed = 1;
    good.lined_up = 9;
    good.called = 3;
    good.strayed = 2;
    good.waiting = 4;
    assert_null(line_fault(&good));
#define BREAK(...)                                            \
    do {                                                      \
        struct campaign bad = good;                           \
        __VA_ARGS__;                                          \
        if (line_fault(&bad) == NULL) fail_msg(#__VA_ARGS__); \
    } while (0)
    BREAK(bad.waiting++);
    BREAK(bad.lined_up++);
    BREAK(bad.called--);
    BREAK(bad.strayed--);
    BREAK(bad.redeemed = 0);
    BREAK(bad.redeemed = bad.called = bad.strayed = 0, bad.lined_up = bad.waiting = 1);
    BREAK(bad.waiting = -1, bad.strayed = 7);
    BREAK(bad.called = -1, bad.strayed = 6);
    BREAK(bad.strayed = -1, bad.waiting = 7);
    BREAK(bad.waiting = 0, bad.strayed = 6);
    BREAK(bad.lined_up = LINE_TICKETS_MAX + 1, bad.waiting = LINE_TICKETS_MAX + 1 - 5);
#undef BREAK
    good.lined_up = LINE_TICKETS_MAX;
    good.waiting = LINE_TICKETS_MAX - 5;
    assert_null(line_fault(&good));
    struct redemption waiting = {.id = make_id(3, 1),
                                 .campaign_number = 1,
                                 .position = LINE_BASE + 1,
                                 .user_id = make_id(2, 1),
                                 .phone = make_phone(1),
                                 .status = REDEMPTION_WAITING,
                                 .claimed_at_us = NOW};
    assert_null(redemption_fault(&waiting));
    waiting.position = LINE_BASE;
    assert_non_null(redemption_fault(&waiting));
    waiting.position = LINE_BASE + LINE_TICKETS_MAX;
    assert_null(redemption_fault(&waiting));
    waiting.position++;
    assert_non_null(redemption_fault(&waiting));
    waiting.position = 1;
    assert_non_null(redemption_fault(&waiting));
    waiting.position = LINE_BASE + 1;
    waiting.settled_at_us = NOW;
    assert_non_null(redemption_fault(&waiting));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_is_overtaken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_promoted_is_settled_like_any_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_holds_the_line_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_is_promoted_after_the_end, set_up, tear_down),
        cmocka_unit_test(test_the_rank_is_the_distance_from_who_was_called),
        cmocka_unit_test_setup_teardown(test_a_shorter_list_puts_nobody_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_his_own_limits_count_him, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_order_gets_its_discount_with_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_who_is_known_to_be_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_campaign_has_its_own_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_was_paid_leaves_the_line_out_of_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_was_paid_brings_his_order_with_him, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gaps_that_are_called_are_gaps_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_broken_line_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
