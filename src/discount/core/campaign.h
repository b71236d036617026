/* The pure core: campaigns, what their admins decide, and their funds. The whole folder knows no I/O, no clock, no randomness and no threads: time and
 * ids are handed in, so that every store and the simulator decide alike. It includes base/ and itself. Each function checks everything first and then
 * applies everything: a refusal changes nothing. Its own state is asserted before and after.
 *
 * Invariants, of each campaign: no place is given out beyond max_redemptions, and what is taken is above it only when it was lowered (over_at); positions are
 * 1..redeemed; credited + failed + reversed <= redeemed; at most so many living redemptions per user and per phone as its rules say; spent_minor is the sum of
 * the gifts of the living ones. What was reversed is not living; its place is taken, unless it was returned.
 * The fund: no place is given out that it can not pay for, so that fund_confirmed_minor is at least redeemed × credit, but for
 * places from before this was so. */
#pragma once

#include "base/code.h"
#include "base/id.h"
#include "base/money.h"
#include "discount/core/approval.h"
#include "discount/core/rules.h"

#define CAMPAIGN_NAME_CHARACTERS 128u
#define CAMPAIGN_NAME_BYTES      (CAMPAIGN_NAME_CHARACTERS * 4u)

#define FUND_REFUSAL_BYTES        32u
#define FUND_REFUSAL_DETAIL_BYTES 200u

enum campaign_state { CAMPAIGN_SCHEDULED, CAMPAIGN_ACTIVE, CAMPAIGN_PAUSED, CAMPAIGN_EXHAUSTED, CAMPAIGN_ENDED };
enum fund_state { FUND_PENDING, FUND_OPEN, FUND_FAILED, FUND_RELEASED };

/* With whose phone number a place may be taken. */
enum phone_rule {
    PHONE_OF_ACCOUNT, /* the account's own */
    PHONE_VERIFIED,   /* and it is known to be the user's */
    PHONE_ANY,
};

/* Those of a set that this batch has changed, or has more to remember of, by their numbers, in the order in which that began. */
struct campaign_changes {
    uint32_t *numbers; /* [the set's capacity] */
    size_t count;
};

struct campaign {
    uint32_t number; /* 1..: the order of creation; its place in the set is number - 1 */
    struct id id;
    struct code code;
    struct money credit; /* of each place; AMOUNT_OFF: what is taken off; PERCENT_OFF: 0, of the campaign's currency */
    uint16_t name_size;
    char name[CAMPAIGN_NAME_BYTES];
    int64_t max_redemptions;
    enum phone_rule phone_rule;
    int64_t starts_at_us, ends_at_us; /* 0: none */
    int64_t ended_at_us;              /* 0: not ended; final once set */
    bool is_paused;
    int64_t version;          /* grows with each change by an admin */
    int64_t sequence;         /* grows with everything that is written */
    int64_t redeemed;         /* given out, ever */
    int64_t credited, failed; /* of them, now */
    int64_t reversing;        /* of the credited */
    int64_t reversed;         /* of those given out: no more credited or applied */
    int64_t returned;         /* of the reversed: their places are open again */
    int64_t waiting;          /* in its line (line.h) */
    int64_t lined_up, called; /* tickets: the newest, and that of the last who was called */
    int64_t strayed;          /* of those behind, so many have left out of turn */
    int64_t line_asked;       /* of this batch: so many of the first of the line are loaded */
    int64_t settled_position; /* all up to it are settled; what the settler owes is looked for behind it */
    int64_t first_redeemed_at_us, last_redeemed_at_us, exhausted_at_us; /* 0: not yet */
    int64_t created_at_us, updated_at_us;
    int64_t over_at;                    /* taken when max_redemptions was lowered below it; 0: it was not, or was raised again */
    int64_t spent_minor, ordered_minor; /* the sums of all gifts, and of all orders */
    /* The day of the newest redemption, as its time zone has it, and how many there were before it. */
    int64_t day_starts_at_us, day_ends_at_us, day_before;
    int64_t day_returned; /* of those returned: given out in that day */
    struct campaign_rules rules;
    struct rule_words words;
    struct approval approval; /* what waits for a second administrator */
    /* The fund in Wallet: what it confirmed, and the one step (opening it, or a top-up) that waits for confirmation. */
    int64_t fund_confirmed_minor;
    int64_t fund_step_minor; /* 0: none waits */
    int64_t fund_step_version;
    uint8_t fund_refusal_size; /* 0: the step is not refused; else it waits for an admin to change what it is for */
    uint16_t fund_refusal_detail_size;
    char fund_refusal[FUND_REFUSAL_BYTES]; /* Wallet's code */
    char fund_refusal_detail[FUND_REFUSAL_DETAIL_BYTES];
    bool fund_is_released;
    bool is_new, is_changed; /* in this batch */
    bool has_new_rules;      /* changed by an administrator */
    /* Its set's; NULL: it is in none. */
    struct campaign_changes *changes;
    bool is_noted; /* there */
};

/* ---- states ---- */

static inline struct text campaign_name(const struct campaign *campaign) { return (struct text){campaign->name, campaign->name_size}; }
enum campaign_state campaign_state(const struct campaign *campaign, int64_t now_us);
const char *campaign_state_name(enum campaign_state state);
enum fund_state campaign_fund_state(const struct campaign *campaign);
/* Whether Wallet is to do something for it: whoever made or changed it is told how that ends. */
bool campaign_awaits_fund(const struct campaign *campaign);
const char *fund_state_name(enum fund_state state);
const char *phone_rule_name(enum phone_rule rule);
struct result phone_rule_named(struct text name, enum phone_rule *ret_rule) MUST_CHECK; /* RESULT_NOT_FOUND */
static inline struct text campaign_fund_refusal(const struct campaign *campaign) {
    return (struct text){campaign->fund_refusal, campaign->fund_refusal_size};
}
static inline struct text campaign_fund_refusal_detail(const struct campaign *campaign) {
    return (struct text){campaign->fund_refusal_detail, campaign->fund_refusal_detail_size};
}
/* So many places its fund can pay for, as far as Wallet has confirmed. */
int64_t campaign_funded_places(const struct campaign *campaign);

/* Places that somebody has, or had and were burned. */
static inline int64_t campaign_taken(const struct campaign *campaign) { return campaign->redeemed - campaign->returned; }
static inline int64_t campaign_living(const struct campaign *campaign) { return campaign->redeemed - campaign->reversed; }
/* That were ever credited. */
static inline int64_t campaign_ever_credited(const struct campaign *campaign) {
    return campaign->credited + (gift_is_of_order(campaign->rules.kind) ? 0 : campaign->reversed);
}
/* Whether all that was given out is settled: an order's discount is, at once. */
bool campaign_is_settled(const struct campaign *campaign);
/* Places that are left: 0 when the limit was lowered below what is taken. */
int64_t campaign_places_left(int64_t max_redemptions, int64_t taken);
/* What counts in the limits; all places, when there are no more positions to give out. */
int64_t campaign_counted_places(int64_t max_redemptions, int64_t redeemed, int64_t returned);
/* Given out in the day that it is, and not returned. */
int64_t campaign_taken_today(int64_t redeemed, int64_t day_before, int64_t day_ends_at_us, int64_t now_us);
/* Whether the campaign's times and switches let anybody in; shared with the loops, which ask the published snapshot. */
enum gate { GATE_OPEN, GATE_NOT_STARTED, GATE_PAUSED, GATE_ENDED };
struct gate_times {
    int64_t starts_at_us, ends_at_us, ended_at_us;
    bool is_paused;
};
enum gate campaign_gate(struct gate_times times, int64_t now_us);
struct gate_times campaign_times(const struct campaign *campaign);
/* The first rule that it breaks by itself, as a constant phrase; NULL: none. Asked when it is loaded, when it is saved, and by each decision. */
const char *campaign_fault(const struct campaign *campaign);

/* Whether nothing is left to be done for it, neither here nor by Wallet: it has ended, each place is settled for good, its fund is released. */
bool campaign_is_over(const struct campaign *campaign);

/* It differs from what is on disk, and is to be saved; or only what its batch has asked for is to be forgotten. */
void campaign_note_changed(struct campaign *campaign);
void campaign_note(struct campaign *campaign);

/* ---- decisions of admins ---- */

struct campaign_create {
    struct id id;
    struct code code;
    struct money credit;
    struct text name;
    int64_t max_redemptions;
    enum phone_rule phone_rule;
    int64_t starts_at_us, ends_at_us;
    struct campaign_rules rules; /* what is 0 becomes what is usual */
    struct rule_words words;
    struct id by; /* the administrator */
};

enum campaign_verdict {
    CAMPAIGN_DONE,
    CAMPAIGN_HELD,         /* what it costs waits for a second administrator; the rest is done */
    CAMPAIGN_HELD_ALREADY, /* the same waits since before */
    CAMPAIGN_UNCHANGED,    /* it was so already */
    CAMPAIGN_NOT_FOUND,
    CAMPAIGN_CODE_TAKEN,
    CAMPAIGN_TOO_MANY,
    CAMPAIGN_VERSION_MISMATCH,
    CAMPAIGN_STATE_CONFLICT, /* it has ended */
    CAMPAIGN_STARTED,        /* starts_at can't move any more */
    CAMPAIGN_CREDIT_GIVEN,   /* places were given out with this credit: it can't change any more */
    CAMPAIGN_USED,           /* redemptions were made by what was to be changed */
    CAMPAIGN_LIMIT_TOO_HIGH, /* times the credit it passes MONEY_AMOUNT_MAX */
    CAMPAIGN_END_NOT_FUTURE,
    CAMPAIGN_END_NOT_AFTER_START,
    CAMPAIGN_APPROVAL_PENDING, /* another change waits already */
    CAMPAIGN_OWN_REQUEST,      /* nobody approves what he has asked for himself */
};

struct campaign_set;
enum campaign_verdict campaign_create(struct campaign_set *set, const struct campaign_create *create, int64_t now_us,
                                      struct campaign **ret_campaign);

struct campaign_patch {
    int64_t version_expected; /* 0: any (If-Match: *) */
    bool has_name, has_max_redemptions, has_starts_at, has_ends_at, has_credit, has_phone_rule, has_code;
    struct text name;
    int64_t max_redemptions;
    struct money credit;              /* in the currency that it has */
    int64_t starts_at_us, ends_at_us; /* 0 takes the date away */
    enum phone_rule phone_rule;
    struct code code;
    uint32_t rules_given; /* of enum rule_given */
    struct campaign_rules rules;
    struct rule_words words;
    struct id by; /* the administrator */
};
enum campaign_verdict campaign_patch(struct campaign_set *set, struct campaign *campaign, const struct campaign_patch *patch,
                                     int64_t now_us);
/* What waits is done, by another administrator than the one who has asked for it. UNCHANGED: nothing waits; else as campaign_patch refuses it, for the campaign is
 * another one by now. */
enum campaign_verdict campaign_approve(struct campaign_set *set, struct campaign *campaign, struct id by, int64_t now_us);
enum campaign_verdict campaign_pause(struct campaign *campaign, int64_t now_us);
enum campaign_verdict campaign_resume(struct campaign *campaign, int64_t now_us);
enum campaign_verdict campaign_end(struct campaign *campaign, int64_t now_us);

/* Something beside it was changed by an admin, like its list: its sequence says when. */
void campaign_note_act(struct campaign *campaign);

/* ---- decisions of time and of Wallet ---- */

/* A day as the campaign's time zone has it: from starts_at_us on, before ends_at_us. */
struct day_window {
    int64_t starts_at_us, ends_at_us; /* 0: it is not known */
};
struct given {
    int64_t gift_minor, order_minor;
    struct day_window day; /* the one that it is; asked for when the campaign's own has ended */
};
/* The next position, which is .redeemed then; there is one. When it is taken: not before the one ahead of it, also when the clock was set back. */
int64_t campaign_give_place(struct campaign *campaign, const struct given *given, int64_t now_us);
/* The next position, of a redemption that is known to have been reversed: its place is open again. */
int64_t campaign_pass_place(struct campaign *campaign, int64_t now_us);
/* What a redemption took of the limits, once it is reversed; it is neither credited nor applied any more. */
struct given_back {
    int64_t position, gift_minor, order_minor;
    bool is_open; /* its place: else it stays taken by nobody */
};
void campaign_give_back(struct campaign *campaign, const struct given_back *back);
/* Everything up to this position is settled: found out by whoever has looked. */
void campaign_note_settled(struct campaign *campaign, int64_t position);

/* ends_at has passed: makes it final, so that nothing can be claimed once the rest of the fund is given back. */
enum campaign_verdict campaign_expire(struct campaign *campaign, int64_t now_us);
/* The step with this version is on disk in Wallet. */
enum campaign_verdict campaign_fund_confirm(struct campaign *campaign, int64_t step_version, int64_t now_us);
/* Wallet refuses the step with this version for good, and has done nothing of it. It is not sent again before an admin has changed or ended the campaign. */
enum campaign_verdict campaign_fund_refuse(struct campaign *campaign, int64_t step_version, struct text code, struct text detail,
                                           int64_t now_us);
/* What Wallet says of the fund is not what it has confirmed: one of the two databases is an older copy. Wallet's word counts: what it has of the fund is
 * confirmed, a step that waited is planned anew, what it has released is over here too, and what it has not is owed again. UNCHANGED: it says the
 * same; STATE_CONFLICT: no campaign can be so. */
struct fund_said {
    int64_t funded_minor; /* 0: Wallet has no such fund */
    bool is_released;
};
enum campaign_verdict campaign_fund_adopt(struct campaign *campaign, const struct fund_said *said, int64_t now_us);
/* The rest went back; only of an ended campaign without unsettled claims. */
enum campaign_verdict campaign_fund_release(struct campaign *campaign, int64_t now_us);
