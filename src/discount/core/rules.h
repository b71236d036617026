/* What an administrator sets of a campaign besides its name, code, places and dates: what its gift is, its limits, when it is open and for whom. */
#pragma once

#include "base/money.h"

#define TIME_ZONE_BYTES        48u
#define METADATA_BYTES         2048u /* 422; as JSON */
#define METADATA_STRINGS       16u
#define PERCENT_SCALE          100  /* hundredths: 12.5 % is 1250 */
#define LIMIT_REDEMPTIONS_EACH 1000 /* of one user, and of one phone, in one campaign: 422 */
#define MINUTES_PER_DAY        1440
#define EVERY_DAY              0x7F

enum gift_kind {
    GIFT_CREDIT = 1,  /* to the user's wallet */
    GIFT_AMOUNT_OFF,  /* an order */
    GIFT_PERCENT_OFF, /* of an order */
};

/* Hours of some days in the campaign's time zone. Until .to of the next day when that is not after .from. */
struct schedule {
    uint32_t days; /* a bit for each, Saturday's is 1; 0: always open */
    int16_t from_minute, to_minute;
};

/* In whole words, and without pointers: the board shows them as they are. */
struct campaign_rules {
    enum gift_kind kind;
    uint8_t is_public, has_list;
    uint16_t needs_approval;    /* of a second administrator, for what costs money */
    int64_t percent;            /* PERCENT_OFF, in hundredths */
    int64_t discount_max_minor; /* of one order, PERCENT_OFF; 0: none */
    int64_t min_order_minor;    /* 0: none */
    int64_t max_per_user, max_per_phone;
    int64_t max_per_day;  /* 0: none */
    int64_t waiting_list; /* so many may wait for a place; 0: nobody */
    int64_t budget_minor; /* of all gifts; 0: none */
    struct schedule schedule;
    int64_t account_age_min_s;
};

struct rule_words {
    uint8_t time_zone_size; /* 0: the service's */
    char time_zone[TIME_ZONE_BYTES];
    uint16_t metadata_size;
    char metadata[METADATA_BYTES]; /* a JSON object of texts */
};

/* Which of them are given. */
enum rule_given {
    GIVEN_DISCOUNT = 1 << 0, /* percent, discount_max */
    GIVEN_MIN_ORDER = 1 << 1,
    GIVEN_PER_USER = 1 << 2,
    GIVEN_PER_PHONE = 1 << 3,
    GIVEN_PER_DAY = 1 << 4,
    GIVEN_BUDGET = 1 << 5,
    GIVEN_SCHEDULE = 1 << 6, /* with the time zone */
    GIVEN_PUBLIC = 1 << 7,
    GIVEN_ELIGIBILITY = 1 << 8,
    GIVEN_METADATA = 1 << 9,
    GIVEN_APPROVAL = 1 << 10,
    GIVEN_WAITING_LIST = 1 << 11,
    GIVEN_LAST = GIVEN_WAITING_LIST,
};

const char *gift_kind_name(enum gift_kind kind);
struct result gift_kind_named(struct text name, enum gift_kind *ret_kind) MUST_CHECK; /* RESULT_NOT_FOUND */
static inline bool gift_is_of_order(enum gift_kind kind) { return kind == GIFT_AMOUNT_OFF || kind == GIFT_PERCENT_OFF; }
static inline struct text words_time_zone(const struct rule_words *words) { return (struct text){words->time_zone, words->time_zone_size}; }
static inline struct text words_metadata(const struct rule_words *words) { return (struct text){words->metadata, words->metadata_size}; }
/* What was left out, in words: one per user and phone, a credit. */
void rules_complete(struct campaign_rules *rules);
/* The given ones become those of `from`. True: something is another one now. */
bool words_adopt(struct rule_words *words, const struct rule_words *from, uint32_t given);
bool rules_adopt(struct campaign_rules *rules, const struct campaign_rules *from, uint32_t given);
/* The first rule that they break, as a constant phrase; NULL: none. */
const char *rules_fault(const struct campaign_rules *rules);

/* What a gift takes off an order, or puts into a wallet: rounded down to the currency's unit once, at most .discount_max, at most the order. This amount is
 * what is given, and what the budget counts. `amount` is the credit's, or the amount off; `order_minor` 0: none. */
int64_t rules_gift_minor(const struct campaign_rules *rules, struct money amount, int64_t order_minor);
