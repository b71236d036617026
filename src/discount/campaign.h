/* The pure core: who gets a place. No I/O, no clock, no randomness, no threads: time and ids are handed in, so that every store and the
 * simulator decide alike. It includes base/ and nothing else.
 *
 * A campaign set is the working set of one batch: all campaigns (they are few, and stay between batches), and the redemptions that the batch
 * names. Whoever loads must bring, for each redemption request, what there is under (campaign, user) and (campaign, phone): what is not in
 * the set then does not exist. Each function checks everything first and then applies everything: a refusal changes nothing.
 *
 * Invariants, of each campaign: redeemed <= max_redemptions; positions are 1..redeemed; credited + failed <= redeemed; one redemption per
 * user and per phone. The fund: claims are sent to Wallet only while fund_step_minor is 0, that is when it could pay for every place. */
#pragma once

#include "base/code.h"
#include "base/id.h"
#include "base/map.h"
#include "base/money.h"
#include "base/phone.h"

#define CAMPAIGN_NAME_CHARACTERS 128u
#define CAMPAIGN_NAME_BYTES      (CAMPAIGN_NAME_CHARACTERS * 4u)
#define REDEMPTION_FAILURE_BYTES 32u
#define CAMPAIGN_SET_REDEMPTIONS 8192u /* named by one batch, see LIMIT_STORE_BATCH_WEIGHT */
#define REDEMPTION_WEIGHT        2u    /* rows that one redemption request may name; for struct store_operation */

enum campaign_state { CAMPAIGN_SCHEDULED, CAMPAIGN_ACTIVE, CAMPAIGN_PAUSED, CAMPAIGN_EXHAUSTED, CAMPAIGN_ENDED };
enum fund_state { FUND_PENDING, FUND_OPEN, FUND_RELEASED };

/* Why an attempt was refused; counted per campaign. */
enum rejection {
    REJECTED_SOLD_OUT,
    REJECTED_ALREADY_REDEEMED, /* a winner's repeat, which got the same redemption again */
    REJECTED_PHONE_ALREADY_REDEEMED,
    REJECTED_PHONE_MISMATCH,
    REJECTED_NOT_STARTED,
    REJECTED_PAUSED,
    REJECTED_ENDED,
};
#define REJECTION_COUNT 7u

struct campaign {
    uint32_t number; /* 1..: the order of creation; its place in the set is number - 1 */
    struct id id;
    struct code code;
    struct money credit; /* of each place */
    uint16_t name_size;
    char name[CAMPAIGN_NAME_BYTES];
    int64_t max_redemptions;
    int64_t starts_at_us, ends_at_us; /* 0: none */
    int64_t ended_at_us;              /* 0: not ended; final once set */
    bool is_paused;
    int64_t version;  /* grows with each change by an admin */
    int64_t sequence; /* grows with everything that is written */
    int64_t redeemed, credited, failed;
    int64_t first_redeemed_at_us, last_redeemed_at_us, exhausted_at_us; /* 0: not yet */
    int64_t created_at_us, updated_at_us;
    /* The fund in Wallet: what it confirmed, and the one step (opening it, or a top-up) that waits for confirmation. */
    int64_t fund_confirmed_minor;
    int64_t fund_step_minor; /* 0: none waits */
    int64_t fund_step_version;
    bool fund_is_released;
    bool is_new, is_changed; /* in this batch */
};

enum redemption_status { REDEMPTION_CLAIMED, REDEMPTION_CREDITED, REDEMPTION_FAILED };

struct redemption {
    struct id id;
    uint32_t campaign_number;
    int64_t position;
    struct id user_id;
    struct phone phone;
    enum redemption_status status;
    int64_t claimed_at_us;
    int64_t settled_at_us; /* credited or failed; 0 while claimed */
    struct id transaction_id;
    uint8_t failure_size;
    char failure[REDEMPTION_FAILURE_BYTES]; /* Wallet's code */
    bool is_new, is_changed;                /* in this batch */
    uint8_t user_key[20], phone_key[20];    /* the set's own */
    uint8_t phone_key_size;
};

struct campaign_set {
    struct campaign *campaigns; /* [capacity] */
    size_t campaign_count, campaign_capacity;
    struct redemption *redemptions; /* [redemption_capacity] */
    size_t redemption_count, redemption_capacity;
    struct map by_code, by_campaign_id, by_id, by_user, by_phone;
};

/* RESULT_FULL: no memory. */
struct result campaign_set_init(struct campaign_set *set, size_t campaign_capacity, size_t redemption_capacity) MUST_CHECK;
void campaign_set_free(struct campaign_set *set);
/* Forgets the redemptions and the marks of what changed: the next batch begins. */
void campaign_set_begin(struct campaign_set *set);
/* Forgets everything, before the campaigns are loaded anew. */
void campaign_set_clear(struct campaign_set *set);
/* Loading, campaigns in the order of their numbers. RESULT_CORRUPT: a number is missing, or a code or id stands there twice. */
struct result campaign_set_load(struct campaign_set *set, const struct campaign *campaign) MUST_CHECK;
/* Loading a redemption that the batch names; naming it twice is fine. RESULT_FULL. */
struct result campaign_set_load_redemption(struct campaign_set *set, const struct redemption *redemption) MUST_CHECK;

struct campaign *campaign_by_code(const struct campaign_set *set, const struct code *code);
struct campaign *campaign_by_id(const struct campaign_set *set, struct id id);
struct campaign *campaign_by_number(const struct campaign_set *set, uint32_t number);
struct redemption *redemption_by_id(const struct campaign_set *set, struct id id);
struct redemption *redemption_by_user(const struct campaign_set *set, uint32_t campaign_number, struct id user_id);
struct redemption *redemption_by_phone(const struct campaign_set *set, uint32_t campaign_number, const struct phone *phone);

/* ---- states ---- */

static inline struct text campaign_name(const struct campaign *campaign) { return (struct text){campaign->name, campaign->name_size}; }
enum campaign_state campaign_state(const struct campaign *campaign, int64_t now_us);
const char *campaign_state_name(enum campaign_state state);
enum fund_state campaign_fund_state(const struct campaign *campaign);
const char *fund_state_name(enum fund_state state);
const char *redemption_status_name(enum redemption_status status);
const char *rejection_name(enum rejection rejection); /* the member of the report and the problem's code */

/* Whether the campaign's times and switches let anybody in; shared with the loops, which ask the published snapshot. */
enum gate { GATE_OPEN, GATE_NOT_STARTED, GATE_PAUSED, GATE_ENDED };
struct gate_times {
    int64_t starts_at_us, ends_at_us, ended_at_us;
    bool is_paused;
};
enum gate campaign_gate(struct gate_times times, int64_t now_us);

/* ---- decisions of admins ---- */

struct campaign_create {
    struct id id;
    struct code code;
    struct money credit;
    struct text name;
    int64_t max_redemptions;
    int64_t starts_at_us, ends_at_us;
};

enum campaign_verdict {
    CAMPAIGN_DONE,
    CAMPAIGN_UNCHANGED, /* it was so already */
    CAMPAIGN_NOT_FOUND,
    CAMPAIGN_CODE_TAKEN,
    CAMPAIGN_TOO_MANY,
    CAMPAIGN_VERSION_MISMATCH,
    CAMPAIGN_STATE_CONFLICT, /* it has ended */
    CAMPAIGN_STARTED,        /* starts_at can't move any more */
    CAMPAIGN_LIMIT_TOO_LOW,  /* below what has been redeemed */
    CAMPAIGN_LIMIT_TOO_HIGH, /* times the credit it passes MONEY_AMOUNT_MAX */
    CAMPAIGN_END_NOT_FUTURE,
    CAMPAIGN_END_NOT_AFTER_START,
};

enum campaign_verdict campaign_create(struct campaign_set *set, const struct campaign_create *create, int64_t now_us,
                                      struct campaign **ret_campaign);

struct campaign_patch {
    int64_t version_expected; /* 0: any (If-Match: *) */
    bool has_name, has_max_redemptions, has_starts_at, has_ends_at;
    struct text name;
    int64_t max_redemptions;
    int64_t starts_at_us, ends_at_us; /* 0 takes the date away */
};
enum campaign_verdict campaign_patch(struct campaign *campaign, const struct campaign_patch *patch, int64_t now_us);
enum campaign_verdict campaign_pause(struct campaign *campaign, int64_t now_us);
enum campaign_verdict campaign_resume(struct campaign *campaign, int64_t now_us);
enum campaign_verdict campaign_end(struct campaign *campaign, int64_t now_us);

/* ---- decisions of time and of Wallet ---- */

/* ends_at has passed: makes it final, so that nothing can be claimed once the rest of the fund is given back. */
enum campaign_verdict campaign_expire(struct campaign *campaign, int64_t now_us);
/* The step with this version is on disk in Wallet. */
enum campaign_verdict campaign_fund_confirm(struct campaign *campaign, int64_t step_version, int64_t now_us);
/* The rest went back; only of an ended campaign without unsettled claims. */
enum campaign_verdict campaign_fund_release(struct campaign *campaign, int64_t now_us);

/* ---- redeeming (campaign_redeem.c) ---- */

struct redeem_request {
    struct code code; /* size 0: what was typed is no code at all */
    struct id user_id;
    struct phone account_phone; /* size 0: the account has none */
    struct phone phone;
    struct id redemption_id; /* for the new one, if it becomes one */
};

enum redeem_verdict {
    REDEEM_CLAIMED,
    REDEEM_REPEATED,
    REDEEM_CODE_NOT_FOUND,
    REDEEM_PHONE_MISMATCH,
    REDEEM_NOT_STARTED,
    REDEEM_PAUSED,
    REDEEM_ENDED,
    REDEEM_PHONE_TAKEN,
    REDEEM_SOLD_OUT,
};

/* In this order: unknown code, the user's own redemption, phone of the account, times and switches, phone of another, places. `ret_campaign`
 * is NULL for an unknown code; `ret_redemption` is set for CLAIMED and REPEATED. */
enum redeem_verdict campaign_redeem(struct campaign_set *set, const struct redeem_request *request, int64_t now_us,
                                    struct campaign **ret_campaign, struct redemption **ret_redemption);
/* The reason to count, or -1 when the attempt was no refusal (claimed) or names no campaign. */
int redeem_rejection(enum redeem_verdict verdict);

/* What Wallet said. Settling twice with the same outcome changes nothing; RESULT_CONFLICT for another outcome than the first,
 * RESULT_NOT_FOUND when the set has no such redemption. */
struct settlement {
    struct id redemption_id;
    bool is_credited;
    struct id transaction_id; /* credited */
    int64_t settled_at_us;
    struct text failure; /* failed: Wallet's code, cut at REDEMPTION_FAILURE_BYTES */
};
struct result campaign_settle(struct campaign_set *set, const struct settlement *settlement, int64_t now_us) MUST_CHECK;
