/* What is written of a line, and whose turn it is whatever the order in which it was loaded. */
#include "discount/core/line.h"

#include "set.h"

static const struct moment now = {.opens_at_us = 0};

/* One place, which is taken, and `count` who wait for it. */
static struct campaign *make_line(struct campaign_set *set, size_t count, struct redemption *waiting[]) {
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    campaign->rules.waiting_list = 9;
    (void)claim(set, 1, 1, NOW);
    for (size_t i = 0; i < count; i++) check_verdict(redeem(set, i + 2, (unsigned)i + 2, NOW, &waiting[i]), REDEEM_WAIT, REFUSED_SOLD_OUT);
    return campaign;
}

static void open_places(struct campaign_set *set, struct campaign *campaign, int64_t places) {
    const struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = places};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    fund_all(set);
}

static void test_each_turn_writes_its_rows(void **state) {
    struct campaign_set *set = *state;
    struct redemption *waiting[1];
    struct campaign *campaign = make_line(set, 1, waiting);
    struct redemption alone = *waiting[0]; /* as one that was not made just now */
    campaign->is_changed = alone.is_changed = false;
    campaign->waiting = campaign->lined_up = 0;
    line_join(campaign, &alone);
    assert_true(campaign->is_changed && alone.is_changed);
    open_places(set, campaign, 2);
    campaign->is_changed = waiting[0]->is_changed = false;
    int64_t sequence = campaign->sequence;
    assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
    assert_true(campaign->is_changed && waiting[0]->is_changed);
    assert_int_equal(campaign->sequence, sequence + 2); /* the place, and whose it is */
}

static void test_the_first_in_front_comes_first(void **state) {
    struct campaign_set *set = *state;
    for (size_t swap = 0; swap < 2; swap++) {
        struct redemption *waiting[3], other;
        campaign_set_clear(set);
        struct campaign *campaign = make_line(set, 3, waiting);
        waiting[1]->is_in_front = waiting[0]->is_in_front = true;
        if (swap == 1) { /* as if they had been loaded the other way round */
            other.position = waiting[0]->position;
            waiting[0]->position = waiting[1]->position;
            waiting[1]->position = other.position;
        }
        open_places(set, campaign, 2);
        assert_int_equal(campaign_promote(set, campaign, &now, NOW), 1);
        assert_int_equal(waiting[swap]->status, REDEMPTION_CLAIMED);
        assert_int_equal(waiting[1 - swap]->status, REDEMPTION_WAITING);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_turn_writes_its_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_in_front_comes_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
