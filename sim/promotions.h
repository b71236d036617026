/* Campaigns of other kinds, in some worlds: what takes something off an order, limits above one, a budget, so many places a day; and an operator who takes
 * redemptions back. */
#pragma once

#include "base/json/json.h"
#include "sim/actors.h"

#define PROMOTION_EACH_MOST  3 /* of one user, and of one phone */
#define PROMOTION_ZONE       "Pacific/Kiritimati"
#define PROMOTION_EAST_HOURS 14 /* of Greenwich: its midnight comes two seconds after a world has begun */

bool promotions_are_in_world(void);

void promotions_choose(struct campaign_plan *campaign); /* its rules */
/* The members of its creation that say them. */
void promotions_write_rules(const struct campaign_plan *campaign, char *ret_members, size_t capacity);
/* What a user who redeems wants to buy; nothing, where nobody asks. */
void promotions_choose_order(struct intent *intent);
void promotions_write_order(const struct intent *intent, char *ret_member, size_t capacity);

/* Before it is sent for the first time. */
void promotions_begin(struct intent *intent);
/* Whether a refusal by a limit had its reason at some moment since then. */
bool promotions_explain(const struct intent *intent, struct text code);
/* Whether sending it again may give another redemption than before. */
bool promotions_may_be_another(const struct intent *intent, struct id told);
/* Living redemptions of its user in its campaign, at most, at one moment since it was sent; -1: nobody can say now. */
int64_t promotions_most_of_user(const struct intent *intent);

/* A redemption is to be taken back: INTENT_TAKE_BACK. False: there is none yet. */
bool promotions_want_back(struct intent *intent);
void promotions_judge_back(struct intent *intent, int status, const struct json_value *root);
/* Whether the refusal is right, but for what Wallet said of it (`wallet_code`), which *ret_is_by_wallet then asks for. */
bool promotions_explain_back(const struct intent *intent, struct text code, bool *ret_is_by_wallet);
void promotions_judge_end(void);
