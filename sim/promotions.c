#include "sim/promotions.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "sim/moments.h"
#include "sim/oracle.h"
#include "sim/world.h"

#define WORLDS_EACH    7 /* of so many have */
#define WORLDS_OF_THEM 3 /* so many such campaigns */
#define ORDERS         4 /* references that users choose from: some come twice */
#define ORDER_LEAST    300
#define ORDER_MOST     10000
#define WAITING_MOST   4

enum { ROW_CLAIMED, ROW_CREDITED, ROW_FAILED, ROW_APPLIED, ROW_REVERSING, ROW_REVERSED, ROW_WAITING }; /* of a row of redemptions */

bool promotions_are_in_world(void) { return world.seed % WORLDS_EACH < WORLDS_OF_THEM; }

static int64_t between(int64_t least, int64_t most) { return random_between(&world.random, least, most); }

static bool one_of(uint64_t many) { return random_below(&world.random, many) == 0; }

/* ---- what there is to be had ---- */

void promotions_choose(struct campaign_plan *campaign) {
    campaign->kind = GIFT_OF_CREDIT;
    campaign->max_per_user = campaign->max_per_phone = 1;
    if (!promotions_are_in_world()) return;
    if (one_of(2)) campaign->kind = one_of(2) ? GIFT_OF_AMOUNT : GIFT_OF_SHARE;
    if (one_of(2)) campaign->max_per_user = between(2, PROMOTION_EACH_MOST);
    if (one_of(2)) campaign->max_per_phone = between(2, PROMOTION_EACH_MOST);
    if (campaign->kind == GIFT_OF_SHARE) {
        campaign->percent = between(1, 10000);
        campaign->discount_max = one_of(2) ? between(ORDER_LEAST, ORDER_MOST) : 0;
    }
    if (one_of(2)) campaign->max_per_day = between(1, campaign->places / 2 + 1);
    if (one_of(4)) campaign->min_order = between(ORDER_LEAST, ORDER_MOST / 2);
    if (!one_of(3)) campaign->waiting_list = between(1, WAITING_MOST);
    if (campaign->waiting_list != 0) campaign->places = between(1, 1 + people.user_count / 4);
    if (one_of(3)) campaign->budget = between(1000, campaign->places * 3000);
}

static void append(char *text, size_t capacity, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t capacity, const char *format, ...) {
    size_t size = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(text + size, capacity - size, format, arguments);
    va_end(arguments);
    CHECK(added >= 0 && (size_t)added < capacity - size);
}

#define MONEY "{\"amount\":%" PRId64 ",\"currency\":\"IRT\"}"

void promotions_write_rules(const struct campaign_plan *campaign, char *ret_members, size_t capacity) {
    ret_members[0] = '\0';
    switch (campaign->kind) {
    case GIFT_OF_CREDIT: append(ret_members, capacity, ",\"kind\":\"wallet_credit\",\"credit\":" MONEY, campaign->amount); break;
    case GIFT_OF_AMOUNT: append(ret_members, capacity, ",\"kind\":\"amount_off\",\"discount\":" MONEY, campaign->amount); break;
    case GIFT_OF_SHARE:
        append(ret_members, capacity, ",\"kind\":\"percent_off\",\"discount\":{\"percent\":\"%" PRId64 ".%02" PRId64 "\"",
               campaign->percent / 100, campaign->percent % 100);
        if (campaign->discount_max != 0) append(ret_members, capacity, ",\"max\":" MONEY, campaign->discount_max);
        append(ret_members, capacity, "}");
        break;
    }
    append(ret_members, capacity, ",\"max_per_user\":%" PRId64, campaign->max_per_user);
    if (campaign->max_per_phone != 1) append(ret_members, capacity, ",\"max_per_phone\":%" PRId64, campaign->max_per_phone);
    if (campaign->max_per_day != 0) append(ret_members, capacity, ",\"max_per_day\":%" PRId64, campaign->max_per_day);
    if (campaign->min_order != 0) append(ret_members, capacity, ",\"min_order\":" MONEY, campaign->min_order);
    if (campaign->waiting_list != 0) append(ret_members, capacity, ",\"waiting_list\":%" PRId64, campaign->waiting_list);
    if (campaign->budget != 0) append(ret_members, capacity, ",\"budget\":" MONEY, campaign->budget);
}

static bool needs_order(const struct campaign_plan *campaign) { return campaign->kind != GIFT_OF_CREDIT || campaign->min_order != 0; }

void promotions_choose_order(struct intent *intent) {
    const struct campaign_plan *campaign = intent->campaign;
    if (!promotions_are_in_world()) return;
    bool has_order = needs_order(campaign) ? !one_of(20) : campaign->max_per_user > 1 && one_of(2);
    if (!has_order) return;
    intent->order_number = (uint32_t)between(1, ORDERS);
    intent->order_amount = between(ORDER_LEAST, ORDER_MOST);
}

void promotions_write_order(const struct intent *intent, char *ret_member, size_t capacity) {
    ret_member[0] = '\0';
    if (intent->order_number == 0) return;
    append(ret_member, capacity, ",\"order\":{\"reference\":\"order %u\",\"amount\":%" PRId64 ",\"currency\":\"IRT\"}",
           intent->order_number, intent->order_amount);
}

/* ---- limits ---- */

/* Of the campaign that the code is of now, by the text that the second parameter is. -1: nobody can say now. */
static int64_t count_rows(const char *sql, const struct campaign_plan *campaign, struct text phone, struct id user_id) {
    struct statement *statement = oracle_query(PROCESS_DISCOUNT, sql);
    if (statement == NULL) return -1;
    statement_bind_text(statement, 1, text_of(campaign->code));
    if (phone.data != NULL)
        statement_bind_text(statement, 2, phone);
    else
        statement_bind_id(statement, 2, user_id);
    bool is_row = false;
    struct result stepped = statement_step(statement, &is_row);
    int64_t count = result_is_ok(stepped) && is_row ? statement_integer(statement, 0) : -1;
    statement_reset(statement);
    return count;
}

#define OF_CAMPAIGN " FROM redemptions WHERE campaign_number = (SELECT max(number) FROM campaigns WHERE code = ?1) AND "
static const char user_rows_sql[] = "SELECT count(*)" OF_CAMPAIGN "user_id = ?2";
static const char user_reversed_sql[] = "SELECT count(*)" OF_CAMPAIGN "user_id = ?2 AND status = 5";
static const char phone_rows_sql[] = "SELECT count(*)" OF_CAMPAIGN "phone = ?2";
static const char phone_reversed_sql[] = "SELECT count(*)" OF_CAMPAIGN "phone = ?2 AND status = 5";

static const char *full_phone(const struct intent *intent) {
    static char phone[24];
    snprintf(phone, sizeof phone, "+98%s", intent->has_other_body ? "9190000000" : intent->phone + 1);
    return phone;
}

static int64_t none_less(int64_t count) { return count < 0 ? 0 : count; }

void promotions_begin(struct intent *intent) {
    if (!promotions_are_in_world()) return;
    if (intent->kind == INTENT_REDEEM) {
        const struct text none = {NULL, 0};
        intent->user_reversed_before = none_less(count_rows(user_reversed_sql, intent->campaign, none, intent->actor->user_id));
        intent->phone_reversed_before =
            none_less(count_rows(phone_reversed_sql, intent->campaign, text_of(full_phone(intent)), intent->actor->user_id));
    }
    if (intent->kind == INTENT_TAKE_BACK) {
        bool is_known;
        intent->rows_before = oracle_look_up(PROCESS_DISCOUNT, "SELECT status FROM redemptions WHERE id = ?1 OR claimed_as = ?1",
                                             intent->made, (struct text){NULL, 0}, &is_known);
    }
}

/* Those that were reversed before it was sent are none, those that were since may have been. */
int64_t promotions_most_of_user(const struct intent *intent) {
    int64_t count = count_rows(user_rows_sql, intent->campaign, (struct text){NULL, 0}, intent->actor->user_id);
    return count < 0 ? -1 : count - intent->user_reversed_before;
}

static bool has_phone_had_all(const struct intent *intent) {
    int64_t count = count_rows(phone_rows_sql, intent->campaign, text_of(full_phone(intent)), (struct id){{0}});
    int64_t before = intent->has_other_body ? 0 : intent->phone_reversed_before;
    return count < 0 || count - before >= intent->campaign->max_per_phone;
}

static int64_t at_most(int64_t value, int64_t most) { return value < most ? value : most; }

static int64_t gift_of(const struct intent *intent) {
    const struct campaign_plan *campaign = intent->campaign;
    switch (campaign->kind) {
    case GIFT_OF_CREDIT: return campaign->amount;
    case GIFT_OF_AMOUNT: return at_most(campaign->amount, intent->order_amount);
    case GIFT_OF_SHARE: {
        int64_t share = intent->order_amount * campaign->percent / 10000;
        return campaign->discount_max == 0 ? share : at_most(share, campaign->discount_max);
    }
    }
    return 0;
}

/* What was given and taken back within one batch has been spent for a moment, too. */
static bool was_spent(const struct intent *intent) {
    struct history history = oracle_campaign_history(intent->campaign->number);
    for (size_t i = history_first(history, intent->first_sent_us); i < history.count; i++) {
        const struct campaign_moment *moment = &history.moments[i];
        int64_t spent = moment->spent + (i + 1 < history.count ? moment[1].given - moment->given : 0);
        if (intent->campaign->budget - spent < gift_of(intent)) return true;
    }
    return history.count == 0;
}

static int64_t day_of(int64_t world_us) {
    return (PROCESS_EPOCH_US + world_us + PROMOTION_EAST_HOURS * INT64_C(3600) * CLOCK_SECOND_US) / (86400 * CLOCK_SECOND_US);
}

static bool has_right_clocks(void) {
    return world.fault_counts[FAULT_CLOCK_FORWARD] + world.fault_counts[FAULT_CLOCK_BACK] + world.fault_counts[FAULT_CLOCK_DRIFT] == 0 &&
           world.leaning != LEANS_TO_DISKS;
}

/* By the day as the rows have it: of any, where nobody knows what Discount's clock has shown. */
static bool was_day_full(const struct intent *intent) {
    struct statement *days = oracle_query(PROCESS_DISCOUNT, "SELECT (claimed_at + 50400000000) / 86400000000, count(*) FROM redemptions "
                                                            "WHERE campaign_number = ?1 GROUP BY 1");
    if (days == NULL) return true;
    statement_bind_integer(days, 1, intent->campaign->number);
    bool is_row = false, was_full = false;
    while (result_is_ok(statement_step(days, &is_row)) && is_row) {
        int64_t day = statement_integer(days, 0);
        bool is_asked = !has_right_clocks() || (day >= day_of(intent->first_sent_us) && day <= day_of(world.now_us));
        was_full = was_full || (is_asked && statement_integer(days, 1) >= intent->campaign->max_per_day);
    }
    statement_reset(days);
    return was_full;
}

bool promotions_explain(const struct intent *intent, struct text code) {
    const struct campaign_plan *campaign = intent->campaign;
    world_reach("a limit refuses");
    if (text_equal(code, TEXT("user_limit_reached"))) {
        int64_t most = promotions_most_of_user(intent);
        return most < 0 || most >= campaign->max_per_user;
    }
    if (text_equal(code, TEXT("phone_limit_reached")) || text_equal(code, TEXT("phone_already_redeemed"))) return has_phone_had_all(intent);
    if (text_equal(code, TEXT("order_too_small"))) return intent->order_amount < campaign->min_order;
    if (text_equal(code, TEXT("validation_failed"))) return needs_order(campaign) && intent->order_number == 0;
    if (text_equal(code, TEXT("budget_exhausted"))) return campaign->budget != 0 && was_spent(intent);
    if (text_equal(code, TEXT("daily_limit_reached"))) return campaign->max_per_day != 0 && was_day_full(intent);
    return false;
}

static int64_t row_status(struct id redemption_id) {
    bool is_known;
    int64_t status = oracle_look_up(PROCESS_DISCOUNT, "SELECT status FROM redemptions WHERE id = ?1 OR claimed_as = ?1", redemption_id,
                                    (struct text){NULL, 0}, &is_known);
    return is_known ? status : -2;
}

bool promotions_may_be_another(const struct intent *intent, struct id told) {
    bool is_new_each_time = intent->campaign->max_per_user > 1 && intent->key[0] == '\0' && intent->order_number == 0;
    if (is_new_each_time || row_status(told) == ROW_REVERSED)
        return true; /* an answer that was long on its way tells of one that is taken back by now */
    return row_status(intent->made) == ROW_REVERSED || row_status(intent->made) == -2;
}

/* ---- taken back ---- */

bool promotions_want_back(struct intent *intent) {
    static const char *const slots[] = {"return", "return", "burn", "promote", "promote"};
    uint32_t first = (uint32_t)random_below(&world.random, people.intent_count);
    for (uint32_t i = 0; i < people.intent_count; i++) {
        struct intent *redeemed = people.intents[(first + i) % people.intent_count];
        if (redeemed->kind != INTENT_REDEEM || id_is_zero(redeemed->made) || redeemed->is_of_lost_campaign) continue;
        char id[ID_TEXT_BYTES];
        id_format(redeemed->made, id);
        intent->campaign = redeemed->campaign;
        intent->other = redeemed;
        intent->recipient = redeemed->actor;
        intent->made = redeemed->made;
        intent->amount = redeemed->campaign->kind == GIFT_OF_CREDIT ? redeemed->campaign->amount : 0;
        snprintf(intent->code, sizeof intent->code, "%s", slots[random_below(&world.random, ARRAY_COUNT(slots))]);
        snprintf(intent->method, sizeof intent->method, "POST");
        snprintf(intent->target, sizeof intent->target, "/v1/redemptions/%.*s/reversal", ID_TEXT_BYTES, id);
        snprintf(intent->body, sizeof intent->body, "{\"reason\":\"Sent back\",\"slot\":\"%s\"}", intent->code);
        if (one_of(2)) snprintf(intent->key, sizeof intent->key, "back-%u", intent->number);
        return true;
    }
    return false;
}

static void wrong(const struct intent *intent, const char *invariant, const char *what) {
    world_fail(invariant, "intent %u of the operator, %s: %s", intent->number, intent_kind_name(intent->kind), what);
}

static bool was_restored(void) { return world.restored_us[PROCESS_DISCOUNT] != 0 || world.restored_us[PROCESS_WALLET] != 0; }

void promotions_judge_back(struct intent *intent, int status, const struct json_value *root) {
    struct text said = json_get_text(root, "status"), slot = json_get_text(json_get(root, "reversal"), "slot");
    bool says_reversed = text_equal(said, TEXT("reversed")), says_reversing = text_equal(said, TEXT("reversing"));
    if (status == 200 ? !says_reversed : !says_reversing) wrong(intent, "200 is reversed, 202 on its way", "it says otherwise");
    if (!text_equal(slot, text_of(intent->code))) wrong(intent, "5 what a 2xx said is on disk", "another slot than was asked for");
    world_reach(says_reversed ? "a redemption is reversed" : "a redemption is being reversed");
    int64_t row = row_status(intent->made);
    if (row == -2 || was_restored()) return;
    if (says_reversed && row != ROW_REVERSED) wrong(intent, "5 what a 2xx said is on disk", "reversed, but not so on disk");
    /* Which Wallet may have refused by now. */
    if (says_reversing && row != ROW_REVERSED && row != ROW_REVERSING && row != ROW_CREDITED)
        wrong(intent, "5 what a 2xx said is on disk", "reversing, but not so on disk");
}

/* Somebody has asked for the same redemption, in the same way or in another one. */
static bool has_another(const struct intent *intent, bool is_otherwise) {
    for (uint32_t i = 0; i < people.intent_count; i++) {
        const struct intent *other = people.intents[i];
        if (other == intent || other->kind != INTENT_TAKE_BACK || other->sends == 0 || !id_equal(other->made, intent->made)) continue;
        if (!is_otherwise || strcmp(other->code, intent->code) != 0) return true;
    }
    return false;
}

bool promotions_explain_back(const struct intent *intent, struct text code, bool *ret_is_by_wallet) {
    *ret_is_by_wallet = false;
    if (was_restored()) return true; /* it may be gone, or another one's */
    if (text_equal(code, TEXT("redemption_not_credited")))
        return intent->rows_before == ROW_CLAIMED || intent->rows_before == ROW_FAILED || intent->rows_before == ROW_WAITING ||
               intent->rows_before < 0;
    if (text_equal(code, TEXT("reversed_otherwise"))) return has_another(intent, true);
    if (!text_equal(code, TEXT("reversal_refused"))) return false;
    world_reach("a reversal is refused");
    *ret_is_by_wallet = !has_another(intent, false);
    return intent->amount > 0;
}

static bool is_asked_for(const struct intent *redeemed) {
    for (uint32_t i = 0; i < people.intent_count; i++) {
        const struct intent *intent = people.intents[i];
        if (intent->kind == INTENT_TAKE_BACK && intent->sends > 0 && id_equal(intent->made, redeemed->made)) return true;
    }
    return false;
}

void promotions_judge_end(void) {
    if (!promotions_are_in_world() || was_restored()) return;
    for (uint32_t i = 0; i < people.intent_count && !world.has_failed; i++) {
        const struct intent *intent = people.intents[i];
        bool is_reversed = !id_is_zero(intent->made) && (intent->kind == INTENT_TAKE_BACK || intent->kind == INTENT_REDEEM) &&
                           row_status(intent->made) == ROW_REVERSED;
        if (intent->kind == INTENT_TAKE_BACK && intent->status == 200 && !is_reversed)
            wrong(intent, "5 what a 2xx said is on disk", "it is not reversed");
        if (intent->kind == INTENT_REDEEM && is_reversed && !is_asked_for(intent))
            wrong(intent, "nothing is taken back that nobody asked for", "it is reversed");
    }
}
