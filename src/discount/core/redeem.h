/* Redeeming: one decision, asked twice. The loop asks it with what is published, so that who comes too late is answered at once; the store asks it
 * with what is true, and gives the place. */
#pragma once

#include "discount/core/refusal.h"
#include "discount/core/set.h"

struct redeem_request {
    struct code code; /* size 0: what was typed is no code at all */
    struct id user_id;
    struct phone account_phone; /* size 0: the account has none */
    bool is_account_phone_verified;
    struct phone phone;
    struct id redemption_id; /* for the new one, if it becomes one */
    bool is_recovering;      /* as redeem_facts has it */
};

enum knowledge { NOT_KNOWN, IS_NOT, IS_SO };

struct redeem_facts {
    bool has_campaign;          /* the code is a campaign's */
    enum knowledge has_own;     /* the user has a redemption there already */
    bool is_recovering;         /* Wallet has paid places of the campaign that are not known here: nobody else can be told anything */
    enum refusal phone_refusal; /* of the campaign's rule for phones; NOT_REFUSED: this one may be used */
    struct gate_times times;
    enum knowledge phone_has_won; /* for another user */
    int64_t places, taken;
    int64_t funded; /* places that the fund can pay for */
};

enum redeem_step {
    REDEEM_CLAIM,     /* there is a place, for whoever may give it: the store */
    REDEEM_REPEAT,    /* the user's own redemption is the answer */
    REDEEM_REFUSE,    /* .refusal */
    REDEEM_ASK_OWN,   /* it depends on has_own, which is not known */
    REDEEM_ASK_PHONE, /* on phone_has_won */
};
struct redeem_verdict {
    enum redeem_step step;
    enum refusal refusal; /* what is counted: of REFUSE and REPEAT */
};

/* In this order: unknown code, the user's own redemption, what is not known, phone of the account, times and switches, phone of another, places, their fund. */
struct redeem_verdict redeem_decide(const struct redeem_facts *facts, int64_t now_us);
enum refusal redeem_phone_refusal(enum phone_rule rule, const struct redeem_request *request);

/* Decides over the set, and claims. `ret_campaign` is NULL for an unknown code; `ret_redemption` is set for CLAIM and REPEAT. Never asks back. */
struct redeem_verdict campaign_redeem(struct campaign_set *set, const struct redeem_request *request, int64_t now_us,
                                      struct campaign **ret_campaign, struct redemption **ret_redemption);
