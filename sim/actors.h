/* The people of a world: users who register, log in, redeem and pay each other, and an operator who makes campaigns and changes them in the
 * middle. Each does one thing after the other; what it wants is an intent, and an intent may be sent several times.
 *
 *   think ─▶ intent ─▶ send (one or several copies at once) ─▶ answered ─▶ judged (judge.h) ─▶ done, or sent again, or given up ─▶ think
 */
#pragma once

#include "base/id.h"
#include "base/text.h"
#include "sim/link.h"

#define USERS_MAX     24u
#define ACTORS_MAX    (USERS_MAX + 2) /* behind the users the operator, and then the shop, if there is one */
#define CAMPAIGNS_MAX 4u
#define INTENTS_MAX   4096u
#define CODES_MAX     3u /* of a batch */
#define TOKEN_BYTES   1024u
#define SHOP_NAME     "The shop"

enum intent_kind {
    INTENT_REGISTER,
    INTENT_LOGIN,
    INTENT_REFRESH,
    INTENT_LOGOUT,
    INTENT_REDEEM,
    INTENT_WRONG_CODE,
    INTENT_TRANSFER,
    INTENT_WALLET,
    INTENT_MY_REDEMPTIONS,
    INTENT_CREATE,
    INTENT_PATCH,
    INTENT_PAUSE,
    INTENT_RESUME,
    INTENT_END,
    INTENT_REPORT,
    INTENT_WINNERS,
    INTENT_BATCH,
    INTENT_CODES,
    INTENT_TAKE_BACK,
    INTENT_MERCHANT,
    INTENT_HOLD,
    INTENT_CAPTURE,
    INTENT_RELEASE,
    INTENT_REVERSE,
    INTENT_KIND_COUNT
};

struct actor {
    uint32_t index;
    bool is_operator, is_shop;
    char name[24];
    char phone[20]; /* as it is typed; empty: the account has none */
    char own_phone[20];
    struct id user_id;  /* zero until it is known */
    bool is_registered; /* a 2xx said so, or a login worked */
    bool is_lost;       /* went with what a restored Wallet has lost */
    size_t token_size;
    char token[TOKEN_BYTES]; /* size 0: none */
    int64_t token_at_us;     /* true time */
    char refresh_token[160];
    uint32_t wrong_codes;
    uint32_t actions_left;
    struct intent *intent; /* in progress; NULL while it thinks */
};

enum gift_kind { GIFT_OF_CREDIT = 1, GIFT_OF_AMOUNT, GIFT_OF_SHARE }; /* as the database numbers them */

struct campaign_plan {
    char code[24];
    int64_t number; /* in the database; 0 until it is known */
    struct id id;
    int64_t amount, places;
    enum gift_kind kind;
    int64_t max_per_user, max_per_phone;
    int64_t percent, discount_max;          /* of an order, in hundredths */
    int64_t max_per_day, budget, min_order; /* 0: none */
    int64_t waiting_list;                   /* so many may wait for a place */
    struct id batch_id;                     /* of its unique codes; zero: none is known */
    char codes[CODES_MAX][24];
    uint32_t code_count;
    bool takes_any_phone;
    bool is_wanted;  /* somebody has sent its creation */
    bool was_paused; /* while it was new */
};

enum intent_state { INTENT_OPEN, INTENT_ANSWERED, INTENT_ABANDONED };

struct intent {
    enum intent_kind kind;
    enum intent_state state;
    uint32_t number;
    struct actor *actor;
    struct campaign_plan *campaign;
    struct actor *recipient;
    int64_t amount;        /* of a transfer; a new limit; what is to be taken back */
    uint32_t order_number; /* 0: no order */
    int64_t order_amount;
    char phone[20];
    char code[40]; /* as it is typed; what becomes of a place that is taken back */
    char key[40];  /* Idempotency-Key; empty: none */
    char if_match[24];
    char method[8], target[128], body[512];
    struct process *to;
    uint32_t sends, refusals; /* copies sent; definite refusals that came back */
    uint32_t rounds;          /* of sending again */
    bool is_retry_due;        /* one is enough, however many copies ask for it */
    int64_t first_sent_us;
    int64_t done_us;      /* when its actor turned to something else; 0: not yet */
    int64_t prompt_us;    /* at the end: it must be answered within so long; 0: whenever */
    bool has_unique_code; /* `code` is one of a batch */
    bool is_spoiled;      /* another body went out under its key */
    bool has_other_body;  /* it is that other body */
    bool
        is_of_namesake; /* two campaigns had its code when it was answered: which of them it was may be lost with a copy that knows the other */
    bool is_of_lost_campaign; /* that went with what a restored Discount has lost */
    int status;               /* of the first definite answer; 0: none */
    bool is_told_paid;        /* an answer said that its redemption is credited: a 200 need not */
    bool must_wait;           /* an answer was 429 */
    struct text reply;        /* its body */
    struct id made;           /* what the answer says was made: redemption, transaction, user, campaign */
    int64_t rows_before;      /* redemptions of the user, or of the campaign, when it was sent; or the status of what is to be taken back */
    int64_t user_reversed_before, phone_reversed_before; /* the same, of those that were reversed */
    struct intent *
        other; /* the one with another body under the same key; of a capture or a release its hold, of a reversal its capture, of what is taken back its redemption */
};

struct people {
    uint32_t user_count, actor_count, campaign_count;
    bool has_merchant; /* the shop can be paid */
    struct actor actors[ACTORS_MAX];
    struct campaign_plan campaigns[CAMPAIGNS_MAX];
    struct intent *intents[INTENTS_MAX];
    uint32_t intent_count;
    uint32_t latecomers;   /* who will come at the end of a campaign */
    int64_t told_until_us; /* a 429 told somebody to come again then, and nobody later */
    bool is_over;          /* nobody begins anything any more */
};
extern struct people people;

void actors_begin_world(void);
bool actors_are_quiet(void); /* nobody has anything in progress or to do */
/* At the end, in peace: everybody logs in, the operator makes one more campaign, and then each user who has an account redeems it and looks at the wallet. All of it
 * must work at once. */
void actors_end_with_login(void);
void actors_end_with_campaign(void);
void actors_end_with_users(void);
/* Who has nothing else to do tries for a gift, won before or not. */
void actors_come_again(void);
const char *intent_kind_name(enum intent_kind kind);
