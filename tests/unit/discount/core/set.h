/* A small set, and requests in words, for the tests of this folder. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "discount/core/redeem.h"

#define NOW INT64_C(1800000000000000)

static inline struct id make_id(uint64_t a, uint64_t b) {
    struct id id;
    memcpy(id.bytes, &a, sizeof a);
    memcpy(id.bytes + 8, &b, sizeof b);
    return id;
}

static inline struct phone make_phone(unsigned number) {
    struct phone phone = {.size = 13};
    memcpy(phone.e164, "+989120000000", 13);
    for (int i = 12; i > 5 && number > 0; i--, number /= 10) phone.e164[i] = (char)('0' + number % 10);
    return phone;
}

static inline struct code make_code(const char *text) {
    struct code code;
    assert_true(result_is_ok(code_parse(text_of(text), &code)));
    return code;
}

static inline struct campaign *make_campaign(struct campaign_set *set, const char *code, int64_t places) {
    struct campaign_create create = {.id = make_id(1, set->campaign_count + 1),
                                     .code = make_code(code),
                                     .credit = {1000, CURRENCY_IRT},
                                     .name = TEXT("Gift"),
                                     .max_redemptions = places};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    return campaign;
}

/* Wallet confirms what waits. */
static inline void fund_all(struct campaign_set *set) {
    for (size_t i = 0; i < set->campaign_count; i++) {
        struct campaign *campaign = &set->campaigns[i];
        while (campaign->fund_step_minor != 0)
            assert_int_equal(campaign_fund_confirm(campaign, campaign->fund_step_version, NOW), CAMPAIGN_DONE);
    }
}

/* With all funds open. */
static inline struct redeem_verdict redeem(struct campaign_set *set, uint64_t user, unsigned phone, int64_t now_us,
                                           struct redemption **ret_redemption) {
    static uint64_t serial;
    struct campaign *campaign;
    fund_all(set);
    struct redeem_request request = {.code = make_code("gift"),
                                     .user_id = make_id(2, user),
                                     .phone = make_phone(phone),
                                     .account_phone = make_phone(phone),
                                     .redemption_id = make_id(3, ++serial)};
    return campaign_redeem(set, &request, now_us, &campaign, ret_redemption);
}

static inline int set_up(void **state) {
    struct campaign_set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    assert_true(result_is_ok(campaign_set_init(set, 8, 4096)));
    *state = set;
    return 0;
}

static inline int tear_down(void **state) {
    campaign_set_free(*state);
    free(*state);
    return 0;
}

static inline void check_verdict(struct redeem_verdict verdict, enum redeem_step step, enum refusal refusal) {
    assert_int_equal(verdict.step, step);
    assert_int_equal(verdict.refusal, refusal);
}

static inline struct redemption *claim(struct campaign_set *set, uint64_t user, unsigned phone, int64_t now_us) {
    struct redemption *redemption;
    check_verdict(redeem(set, user, phone, now_us, &redemption), REDEEM_CLAIM, NOT_REFUSED);
    return redemption;
}

static inline void be_refused(struct campaign_set *set, uint64_t user, unsigned phone, int64_t now_us, enum refusal refusal) {
    struct redemption *redemption;
    enum redeem_step step = refusal == REFUSED_ALREADY_REDEEMED ? REDEEM_REPEAT : REDEEM_REFUSE;
    check_verdict(redeem(set, user, phone, now_us, &redemption), step, refusal);
}
