/* Redeeming: one decision, asked twice. The loop asks it with what is published, so that who comes too late is answered at once; the store asks it
 * with what is true, and gives the place. */
#pragma once

#include "discount/core/limits.h"
#include "discount/core/refusal.h"
#include "discount/core/set.h"

enum knowledge { NOT_KNOWN, IS_NOT, IS_SO };

struct redeem_request {
    struct code code;        /* size 0: what was typed is no code at all */
    struct code_found found; /* a batch's code, of which the set has an entry; .batch 0: it is none, but may be a campaign's own */
    struct id user_id;
    struct phone account_phone; /* size 0: the account has none */
    bool is_account_phone_verified;
    struct phone phone;
    struct id redemption_id; /* for the new one, if it becomes one */
    bool is_recovering;      /* as redeem_facts has it */
    struct order order;
    enum currency order_currency;
    struct day_window day;    /* that it is, where the campaign's own has ended */
    int64_t opens_at_us;      /* as redeem_facts has it */
    enum knowledge is_listed; /* the same */
};

struct redeem_facts {
    bool has_campaign;          /* the code is a campaign's */
    enum knowledge has_own;     /* the user has a redemption there already: the one there may be, or, of several, that of the same order */
    bool is_code_dead;          /* of a batch's: revoked, expired, or used as often as it may be */
    bool is_own_code;           /* the user's own redemption was made with this very one */
    bool is_another_order;      /* than that of the one there may be */
    bool is_recovering;         /* Wallet has paid places of the campaign that are not known here: nobody else can be told anything */
    enum refusal phone_refusal; /* of the campaign's rule for phones; NOT_REFUSED: this one may be used */
    struct gate_times times;
    bool is_unapproved;         /* its creation waits for a second administrator */
    int64_t opens_at_us;        /* by its schedule; 0: it is open now */
    enum refusal order_refusal; /* of what it needs to know of an order */
    bool is_too_young;          /* the account */
    bool has_list;              /* it is for those on a list */
    enum knowledge is_listed;   /* the user or the phone */
    struct limits limits;
};

enum redeem_step {
    REDEEM_CLAIM,      /* there is a place, for whoever may give it: the store */
    REDEEM_WAIT,       /* there is none, but room in the line of those who wait for one */
    REDEEM_REPEAT,     /* the user's own redemption is the answer */
    REDEEM_REFUSE,     /* .refusal */
    REDEEM_ASK_OWN,    /* it depends on has_own, which is not known */
    REDEEM_ASK_LISTED, /* on is_listed */
    REDEEM_ASK_USER,   /* on how many the user has */
    REDEEM_ASK_PHONE,  /* on how many the phone has */
};
struct redeem_verdict {
    enum redeem_step step;
    enum refusal refusal; /* what is counted: of REFUSE and REPEAT; of WAIT: why there is none */
};

/* In this order: unknown code, the user's own redemption, what is not known, phone of the account, times and switches, approval, schedule, the order, who it is for, limits
 * (limits.h). */
struct redeem_verdict redeem_decide(const struct redeem_facts *facts, int64_t now_us);
/* Of the campaign that the code is of; NULL: of none. */
struct campaign *redeem_campaign(const struct campaign_set *set, const struct redeem_request *request);
bool redeem_is_by(const struct redemption *redemption, const struct code_found *found); /* this very code */
enum refusal redeem_phone_refusal(enum phone_rule rule, const struct redeem_request *request);
/* Whether they are two orders: a request without one repeats whatever there is. */
bool redeem_is_another_order(const struct order *own, const struct order *asked);
enum refusal redeem_order_refusal(const struct campaign_rules *rules, enum currency currency, const struct redeem_request *request);
/* The age of an account is known by its id, which Wallet makes when the account is opened (RFC 9562, version 7). */
bool redeem_is_too_young(const struct campaign_rules *rules, struct id user_id, int64_t now_us);

/* For the first of the line: of who is there already, with all that is of him alone, by what is of the campaign. */
struct redeem_verdict redeem_decide_turn(const struct campaign *campaign, const struct redeem_request *request, int64_t now_us,
                                         int64_t *ret_gift_minor);
/* A redemption that was given the campaign's newest position, to its order: settled at once. */
void redeem_apply(struct campaign *campaign, struct redemption *redemption, int64_t gift_minor);

/* Decides over the set, and claims, or joins the line. `ret_campaign` is NULL for an unknown code; `ret_redemption` is set for CLAIM, WAIT and REPEAT. Never asks back. */
struct redeem_verdict campaign_redeem(struct campaign_set *set, const struct redeem_request *request, int64_t now_us,
                                      struct campaign **ret_campaign, struct redemption **ret_redemption);
