/* What is taken back: once, with all that it took; and a naive model of it under random commands. */
#include "discount/core/reversal.h"

#include "discount/core/line.h"
#include "discount/core/rebuild.h"
#include "discount/core/settlement.h"

#include "set.h"

static struct redemption *credit(struct campaign_set *set, uint64_t user) {
    struct redemption *redemption = claim(set, user, (unsigned)user, NOW);
    const struct settlement credited = {.redemption_id = redemption->id, .is_credited = true, .transaction_id = make_id(9, user + 1)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    return redemption;
}

static enum reversal_verdict reverse(struct campaign_set *set, struct id id, enum reversal_slot slot, const char *reason) {
    const struct reversal_command command = {id, slot, text_of(reason)};
    struct redemption *redemption;
    return campaign_reverse(set, &command, NOW + 5, &redemption);
}

static struct result take_back(struct campaign_set *set, struct id id, const char *refusal) {
    const struct taken_back taken_back = {.redemption_id = id,
                                          .is_refused = refusal != NULL,
                                          .transaction_id = make_id(8, 8),
                                          .refusal = text_of(refusal == NULL ? "" : refusal)};
    return campaign_take_back(set, &taken_back, NOW + 6);
}

static void test_the_money_comes_back_before_the_place(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    struct redemption *redemption = credit(set, 1);
    int64_t sequence = campaign->sequence;
    assert_int_equal(reverse(set, redemption->id, SLOT_RETURN, "why"), REVERSAL_DONE);
    assert_true(redemption->status == REDEMPTION_REVERSING && campaign->reversing == 1 && campaign->credited == 1);
    assert_true(campaign->sequence == sequence + 1 && campaign->is_changed && redemption->is_changed);
    const struct reversal *reversal = reversal_of(set, redemption->id);
    assert_true(reversal->reversed_at_us == 0 && reversal->asked_at_us == NOW + 5 && reversal->is_changed);
    be_refused(set, 2, 2, NOW, REFUSED_SOLD_OUT);
    be_refused(set, 1, 1, NOW, REFUSED_ALREADY_REDEEMED); /* it still is */
    assert_true(result_is_ok(take_back(set, redemption->id, NULL)));
    assert_true(redemption->status == REDEMPTION_REVERSED && campaign->reversing == 0 && campaign->credited == 0);
    assert_true(campaign->reversed == 1 && campaign->returned == 1 && campaign->exhausted_at_us == 0 && campaign->spent_minor == 0);
    assert_true(reversal->reversed_at_us == NOW + 6 && id_equal(reversal->transaction_id, make_id(8, 8)));
    assert_int_equal(campaign_state(campaign, NOW), CAMPAIGN_ACTIVE);
    assert_int_equal(claim(set, 2, 2, NOW)->position, 2);
    be_refused(set, 1, 1, NOW, REFUSED_SOLD_OUT); /* and has none any more */
    assert_int_equal(campaign->redeemed, 2);
}

static void test_it_is_never_done_twice(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    struct redemption *redemption = credit(set, 1);
    assert_int_equal(reverse(set, redemption->id, SLOT_RETURN, "why"), REVERSAL_DONE);
    for (int round = 0; round < 2; round++) {
        int64_t sequence = campaign->sequence;
        assert_int_equal(reverse(set, redemption->id, SLOT_RETURN, "why"), REVERSAL_REPEATED);
        assert_int_equal(reverse(set, redemption->id, SLOT_BURN, "why"), REVERSAL_OTHERWISE);
        assert_int_equal(reverse(set, redemption->id, SLOT_RETURN, "why not"), REVERSAL_OTHERWISE);
        assert_int_equal(campaign->sequence, sequence);
        assert_true(result_is_ok(take_back(set, redemption->id, NULL)));
        assert_true(campaign->reversed == 1 && campaign->returned == 1 && campaign->credited == 0 && campaign->reversing == 0);
    }
    assert_int_equal(take_back(set, redemption->id, "insufficient_funds").code, RESULT_CONFLICT);
    assert_int_equal(redemption->status, REDEMPTION_REVERSED);
    /* nor is it credited again */
    const struct settlement again = {.redemption_id = redemption->id,
                                     .is_again = true,
                                     .is_credited = true,
                                     .transaction_id = make_id(9, 99)};
    assert_true(result_is_ok(campaign_settle(set, &again, NOW)));
    assert_true(redemption->status == REDEMPTION_REVERSED && campaign->credited == 0);
    assert_int_equal(take_back(set, make_id(7, 7), NULL).code, RESULT_NOT_FOUND);
}

static void test_what_wallet_refuses_stays(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    struct redemption *redemption = credit(set, 1);
    assert_int_equal(reverse(set, redemption->id, SLOT_RETURN, "why"), REVERSAL_DONE);
    assert_true(result_is_ok(take_back(set, redemption->id, "insufficient_funds")));
    assert_true(redemption->status == REDEMPTION_CREDITED && redemption->failure_size == 18 && redemption->drops_reversal);
    assert_true(campaign->credited == 1 && campaign->reversing == 0 && campaign->reversed == 0);
    assert_null(reversal_of(set, redemption->id));
    assert_int_equal(take_back(set, redemption->id, NULL).code, RESULT_CONFLICT); /* nobody has asked for it */
    assert_int_equal(reverse(set, redemption->id, SLOT_BURN, "again"), REVERSAL_DONE);
    assert_true(redemption->failure_size == 0 && !redemption->drops_reversal);
    assert_true(result_is_ok(take_back(set, redemption->id, NULL)));
    assert_true(campaign->reversed == 1 && campaign->returned == 0 && campaign_taken(campaign) == 1 && campaign->exhausted_at_us != 0);
    be_refused(set, 2, 2, NOW, REFUSED_SOLD_OUT);
}

static void test_what_is_open_is_not_taken_back(void **state) {
    struct campaign_set *set = *state;
    (void)make_campaign(set, "GIFT", 2);
    struct redemption *claimed = claim(set, 1, 1, NOW), *failed = claim(set, 2, 2, NOW);
    const struct settlement refused = {.redemption_id = failed->id, .failure = TEXT("account_frozen")};
    assert_true(result_is_ok(campaign_settle(set, &refused, NOW)));
    assert_int_equal(reverse(set, claimed->id, SLOT_RETURN, "why"), REVERSAL_NOT_CREDITED);
    assert_int_equal(reverse(set, failed->id, SLOT_RETURN, "why"), REVERSAL_NOT_CREDITED);
    assert_int_equal(reverse(set, make_id(7, 7), SLOT_RETURN, "why"), REVERSAL_NOT_FOUND);
    assert_int_equal(take_back(set, claimed->id, NULL).code, RESULT_CONFLICT);
}

/* Wallet has lost its credit while it was on its way back. */
static void test_a_credit_that_is_sent_again_meanwhile(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    struct redemption *redemption = credit(set, 1);
    assert_int_equal(reverse(set, redemption->id, SLOT_RETURN, "why"), REVERSAL_DONE);
    struct settlement again = {.redemption_id = redemption->id, .is_again = true, .is_credited = true, .transaction_id = make_id(9, 99)};
    assert_true(result_is_ok(campaign_settle(set, &again, NOW)));
    assert_true(redemption->status == REDEMPTION_REVERSING && id_equal(redemption->transaction_id, make_id(9, 99)));
    assert_true(campaign->credited == 1 && campaign->reversing == 1);
    again = (struct settlement){.redemption_id = redemption->id, .is_again = true, .failure = TEXT("user_not_found")};
    assert_true(result_is_ok(campaign_settle(set, &again, NOW)));
    assert_true(redemption->status == REDEMPTION_FAILED && redemption->drops_reversal);
    assert_true(campaign->credited == 0 && campaign->reversing == 0 && campaign->failed == 1);
}

static void test_a_limit_that_was_lowered(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    struct id ids[3];
    for (uint64_t i = 0; i < 3; i++) ids[i] = credit(set, i + 1)->id;
    const struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = 1};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(campaign->over_at, i < 2 ? 3 - i : 0);
        assert_true(campaign->exhausted_at_us != 0);
        be_refused(set, 9, 9, NOW, REFUSED_SOLD_OUT);
        assert_int_equal(reverse(set, ids[i], SLOT_RETURN, "why"), REVERSAL_DONE);
        assert_true(result_is_ok(take_back(set, ids[i], NULL)));
    }
    assert_true(campaign->exhausted_at_us == 0 && campaign->over_at == 0);
    (void)claim(set, 9, 9, NOW);
}

/* Our database is an older copy: Wallet has paid it and taken it back, and another has its place. */
static void test_it_is_made_anew_as_reversed(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    fund_all(set);
    struct paid_place place = {.id = make_id(3, 70),
                               .campaign_number = 1,
                               .user_id = make_id(2, 1),
                               .phone = make_phone(1),
                               .transaction_id = make_id(9, 1),
                               .amount_minor = 1000,
                               .paid_at_us = NOW,
                               .is_reversed = true};
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_REVERSED);
    const struct redemption *first = redemption_by_id(set, place.id);
    assert_true(first->status == REDEMPTION_REVERSED && first->position == 1 && reversal_of(set, place.id) != NULL);
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_KNOWN);
    place.id = make_id(3, 71);
    place.user_id = make_id(2, 2);
    place.phone = make_phone(2);
    place.transaction_id = make_id(9, 2);
    place.is_reversed = false;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_MADE);
    assert_true(campaign->redeemed == 2 && campaign->max_redemptions == 1 && campaign->credited == 1 && campaign->spent_minor == 1000);
    place.is_reversed = true; /* taken back there since */
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_REVERSED);
    assert_true(campaign->credited == 0 && campaign->reversed == 2 && campaign->returned == 1 && campaign_taken(campaign) == 1);
    place.id = make_id(3, 72);
    place.phone.size = 0;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_NO_PHONE);
}

static void test_a_broken_reversal_is_told(void **state) {
    (void)state;
    struct reversal good = {
        .redemption_id = make_id(1, 1), .campaign_number = 1, .position = 1, .slot = SLOT_BURN, .reason_size = 1, .asked_at_us = NOW};
    assert_null(reversal_fault(&good));
#define BREAK(member, value)                                 \
    do {                                                     \
        struct reversal bad = good;                          \
        bad.member = value;                                  \
        if (reversal_fault(&bad) == NULL) fail_msg(#member); \
    } while (0)
    BREAK(redemption_id, (struct id){{0}});
    BREAK(campaign_number, 0);
    BREAK(slot, 0);
    BREAK(slot, SLOT_PROMOTE + 1);
    BREAK(reason_size, 0);
    BREAK(reason_size, REVERSAL_REASON_BYTES + 1);
    BREAK(asked_at_us, 0);
    BREAK(reversed_at_us, -1);
    BREAK(transaction_id, make_id(1, 1));
#undef BREAK
    enum reversal_slot slot;
    assert_true(result_is_ok(reversal_slot_named(TEXT("promote"), &slot)) && slot == SLOT_PROMOTE);
    assert_int_equal(reversal_slot_named(TEXT("keep"), &slot).code, RESULT_NOT_FOUND);
}

/* ---- the naive model: a list of places, each with what has become of it, and a queue of those who wait for one ---- */

#define USERS  6u
#define PLACES 80u
#define ROUNDS 300 /* HAMYAN_LONG=1: a million commands */
#define STEPS  60

enum becomes { OPEN, PAID, ON_ITS_WAY_BACK, GONE_BACK, BURNED };
struct place {
    uint64_t user;
    struct id id;
    enum becomes becomes;
    enum reversal_slot slot;
};
struct model {
    struct place places[PLACES];
    size_t count;
    int64_t max;
    struct place line[PLACES]; /* of a user, OPEN */
    size_t waiting, length;
    bool is_paused;
};

static bool is_living(const struct place *place) { return place->becomes < GONE_BACK; }

static int64_t count_of(const struct model *model, bool (*counts)(const struct place *place)) {
    int64_t count = 0;
    for (size_t i = 0; i < model->count; i++) count += counts(&model->places[i]);
    return count;
}

static bool is_taken(const struct place *place) { return place->becomes != GONE_BACK; }
static bool is_paid(const struct place *place) { return place->becomes == PAID || place->becomes == ON_ITS_WAY_BACK; }
static bool is_reversed(const struct place *place) { return place->becomes == GONE_BACK || place->becomes == BURNED; }

static bool has_one(const struct model *model, uint64_t user) {
    for (size_t i = 0; i < model->count; i++) {
        if (is_living(&model->places[i]) && model->places[i].user == user) return true;
    }
    for (size_t i = 0; i < model->waiting; i++) {
        if (model->line[i].user == user) return true;
    }
    return false;
}

static void step_redeem(struct campaign_set *set, struct model *model, uint64_t user) {
    struct redemption *redemption;
    struct redeem_verdict verdict = redeem(set, user, (unsigned)user, NOW, &redemption);
    if (has_one(model, user)) {
        assert_int_equal(verdict.step, REDEEM_REPEAT);
    } else if (model->is_paused) {
        check_verdict(verdict, REDEEM_REFUSE, REFUSED_PAUSED);
    } else if (count_of(model, is_taken) >= model->max || model->waiting > 0) {
        bool has_room = model->waiting < model->length;
        check_verdict(verdict, has_room ? REDEEM_WAIT : REDEEM_REFUSE, REFUSED_SOLD_OUT);
        if (has_room) model->line[model->waiting++] = (struct place){.user = user, .id = redemption->id};
    } else {
        assert_int_equal(verdict.step, REDEEM_CLAIM);
        model->places[model->count++] = (struct place){.user = user, .id = redemption->id};
        assert_int_equal(redemption->position, model->count);
    }
}

static void step_place(struct campaign_set *set, struct place *place, int what, enum reversal_slot slot) {
    const struct settlement credited = {.redemption_id = place->id,
                                        .is_credited = true,
                                        .is_again = what == 5,
                                        .transaction_id = make_id(9, place->user + 1)};
    bool is_new = false;
    switch (what) {
    case 0:
    case 5:
        assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
        if (place->becomes == OPEN) place->becomes = PAID;
        return;
    case 1:
    case 2:
        is_new = place->becomes == PAID;
        assert_int_equal(reverse(set, place->id, slot, "why"), is_new                   ? REVERSAL_DONE
                                                               : place->becomes == OPEN ? REVERSAL_NOT_CREDITED
                                                               : place->slot == slot    ? REVERSAL_REPEATED
                                                                                        : REVERSAL_OTHERWISE);
        if (!is_new) return;
        place->becomes = ON_ITS_WAY_BACK;
        place->slot = slot;
        return;
    default:
        is_new = place->becomes == ON_ITS_WAY_BACK;
        bool is_refused = what == 4, is_fine = is_new || (is_reversed(place) && !is_refused);
        assert_int_equal(take_back(set, place->id, is_refused ? "account_frozen" : NULL).code, is_fine ? RESULT_OK : RESULT_CONFLICT);
        if (is_new) place->becomes = is_refused ? PAID : place->slot == SLOT_BURN ? BURNED : GONE_BACK;
    }
}

/* Whoever stands first goes to the next place, as long as there is one. */
static void step_promote(struct campaign_set *set, struct campaign *campaign, struct model *model) {
    const struct moment moment = {.opens_at_us = 0};
    int64_t promoted = 0;
    fund_all(set);
    while (model->waiting > 0 && !model->is_paused && count_of(model, is_taken) < model->max) {
        model->places[model->count++] = model->line[0];
        memmove(&model->line[0], &model->line[1], --model->waiting * sizeof model->line[0]);
        promoted++;
    }
    assert_int_equal(campaign_promote(set, campaign, &moment, NOW), promoted);
}

static void compare(const struct campaign_set *set, const struct campaign *campaign, const struct model *model) {
    assert_null(campaign_fault(campaign));
    assert_int_equal(campaign->waiting, model->waiting);
    for (size_t i = 0; i < model->waiting; i++) {
        struct redemption waiting = *redemption_by_id(set, model->line[i].id);
        line_show(&waiting, campaign->called, false);
        assert_true(waiting.status == REDEMPTION_WAITING && waiting.rank == (int64_t)i + 1);
    }
    for (size_t i = 0; i < model->count; i++) assert_int_equal(redemption_by_id(set, model->places[i].id)->position, i + 1);
    assert_int_equal(campaign->redeemed, model->count);
    assert_int_equal(campaign_taken(campaign), count_of(model, is_taken));
    assert_int_equal(campaign_living(campaign), count_of(model, is_living));
    assert_int_equal(campaign->credited, count_of(model, is_paid));
    assert_int_equal(campaign->reversed, count_of(model, is_reversed));
    assert_int_equal(campaign->spent_minor, 1000 * count_of(model, is_living));
    assert_int_equal(campaign->exhausted_at_us != 0, count_of(model, is_taken) >= model->max);
}

static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static void test_random_commands(void **state) {
    (void)state;
    uint64_t seed = 7;
    const char *is_long = getenv("HAMYAN_LONG");
    int rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? 1000000 / STEPS + 1 : ROUNDS;
    for (int round = 0; round < rounds; round++) {
        struct campaign_set set;
        assert_true(result_is_ok(campaign_set_init(&set, 2, 256)));
        struct model model = {.max = (int64_t)(1 + next_random(&seed) % 4)};
        struct campaign *campaign = make_campaign(&set, "GIFT", model.max);
        for (int step = 0; step < STEPS; step++) {
            int what = (int)(next_random(&seed) % 12);
            enum reversal_slot slot = (enum reversal_slot)(1 + next_random(&seed) % 3);
            const struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = (int64_t)(1 + next_random(&seed) % 4)};
            if (what < 6 && model.count > 0) {
                step_place(&set, &model.places[next_random(&seed) % model.count], what, slot);
            } else if (what == 6) {
                (void)campaign_patch(&set, campaign, &patch, NOW);
                model.max = patch.max_redemptions;
            } else if (what == 7) {
                campaign->rules.waiting_list = (int64_t)(model.length = next_random(&seed) % 4);
            } else if (what == 8) {
                step_promote(&set, campaign, &model);
            } else if (what == 9 && next_random(&seed) % 4 == 0) {
                model.is_paused = !model.is_paused;
                (void)(model.is_paused ? campaign_pause(campaign, NOW) : campaign_resume(campaign, NOW));
            } else {
                step_redeem(&set, &model, next_random(&seed) % USERS);
            }
            compare(&set, campaign, &model);
        }
        campaign_set_free(&set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_money_comes_back_before_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_never_done_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_wallet_refuses_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_open_is_not_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_credit_that_is_sent_again_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_limit_that_was_lowered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_made_anew_as_reversed, set_up, tear_down),
        cmocka_unit_test(test_a_broken_reversal_is_told),
        cmocka_unit_test(test_random_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
