#include "discount/core/refusal.h"

#include "base/check.h"

/* The report's members stand in this order. */
static const struct refusal_rule rules[REFUSAL_COUNT] = {
    [REFUSED_SOLD_OUT] = {"sold_out", 410, "Sold out", "All places are taken.", false, true, true},
    [REFUSED_ALREADY_REDEEMED] = {"already_redeemed", 200, "Already redeemed", "You have won already.", true, true, true},
    [REFUSED_PHONE_ALREADY_REDEEMED] = {"phone_already_redeemed", 409, "Phone already redeemed",
                                        "This phone number has won in this campaign for another user.", true, true, true},
    [REFUSED_PHONE_MISMATCH] = {"phone_mismatch", 422, "Phone mismatch", "Your account has another phone number.", true, true, true},
    [REFUSED_PHONE_MISSING] = {"phone_missing", 409, "Phone missing",
                               "The campaign gives its places to the phone numbers of accounts, and yours has none.", true, true, true},
    [REFUSED_PHONE_UNVERIFIED] = {"phone_unverified", 409, "Phone unverified",
                                  "The campaign gives its places to phone numbers that were verified, and yours was not.", true, true,
                                  true},
    [REFUSED_NOT_STARTED] = {"campaign_not_started", 409, "Campaign not started",
                             "Its places are given out from its start on: try again then.", false, true, true},
    [REFUSED_PAUSED] = {"campaign_paused", 409, "Campaign paused", "Its operator gives out no places for now: try again later.", false,
                        true, true},
    [REFUSED_ENDED] = {"campaign_ended", 410, "Campaign ended", "The campaign is over.", false, true, true},
    [REFUSED_RECOVERING] = {"campaign_recovering", 409, "Campaign recovering",
                            "Who has won in it is being read back from Wallet, and no place is given out meanwhile: try again in a minute.",
                            false, true, true},
    [REFUSED_NOT_FUNDED] = {"campaign_not_funded", 409, "Campaign not funded",
                            "No place is given out before the money for it is set aside: try again later.", false, true, true},
    [REFUSED_USER_LIMIT] = {"user_limit_reached", 409, "User limit reached",
                            "You have as many redemptions in this campaign as one user may have.", true, true, true},
    [REFUSED_PHONE_LIMIT] = {"phone_limit_reached", 409, "Phone limit reached",
                             "This phone number has as many redemptions in this campaign as one number may have.", true, true, true},
    [REFUSED_BUDGET_EXHAUSTED] = {"budget_exhausted", 410, "Budget exhausted",
                                  "What is left of the campaign's budget does not pay for this gift.", false, true, true},
    [REFUSED_DAILY_LIMIT] = {"daily_limit_reached", 409, "Daily limit reached",
                             "All places of today are taken: the next ones are given out tomorrow.", false, true, true},
    [REFUSED_ORDER_TOO_SMALL] = {"order_too_small", 409, "Order too small", "The campaign is for larger orders.", true, true, true},
    [REFUSED_NOT_ELIGIBLE] = {"not_eligible", 409, "Not eligible", "The campaign is not for this account.", true, true, true},
    [REFUSED_ORDER_MISSING] = {"order_missing", 422, "Order missing", "The campaign is for orders: say which.", true, false, true},
    [REFUSED_ORDER_CURRENCY] = {"order_currency", 422, "Order currency", "The campaign's orders have another currency.", true, false, true},
    [REFUSED_UNAPPROVED] = {"approval_pending", 409, "Approval pending", "Its operator has yet to agree to the campaign: try again later.",
                            false, true, true},
    [REFUSED_CODE_NOT_FOUND] = {"code_not_found", 404, "Code not found", "There is no such code.", false, false, true},
};

const struct refusal_rule *refusal_rule(enum refusal refusal) {
    CHECK(refusal > NOT_REFUSED && refusal < REFUSAL_COUNT);
    return &rules[refusal];
}

enum refusal refusal_named(struct text code) {
    for (enum refusal refusal = NOT_REFUSED + 1; refusal < REFUSAL_COUNT; refusal++) {
        if (text_equal(text_of(rules[refusal].code), code)) return refusal;
    }
    return NOT_REFUSED;
}
