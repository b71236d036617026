/* A place that somebody got, and the obligation to credit it: one thing. */
#pragma once

#include "base/id.h"
#include "base/phone.h"

#define REDEMPTION_FAILURE_BYTES 32u
#define ORDER_REFERENCE_BYTES    128u

enum redemption_status {
    REDEMPTION_CLAIMED,
    REDEMPTION_CREDITED,
    REDEMPTION_FAILED,
    REDEMPTION_APPLIED, /* to an order: settled with its claim */
    /* as reversal.h says */
    REDEMPTION_REVERSING, /* credited, and that is being taken back */
    REDEMPTION_REVERSED,
    /* as line.h says: it has no place yet */
    REDEMPTION_WAITING,
    REDEMPTION_LAPSED, /* it waited until its campaign had ended: what a waiting one is shown as then, and on no disk */
};

/* What a user wants to buy, as the shop says. */
struct order {
    uint8_t reference_size; /* 0: no order */
    char reference[ORDER_REFERENCE_BYTES];
    int64_t amount_minor; /* in the campaign's currency */
};
static inline struct text order_reference(const struct order *order) { return (struct text){order->reference, order->reference_size}; }

struct redemption {
    struct id id;
    uint32_t campaign_number;
    int64_t position; /* waiting: above LINE_BASE, as line.h says */
    struct id user_id;
    struct phone phone;
    enum redemption_status status;
    int64_t claimed_at_us;    /* waiting: when it came */
    int64_t settled_at_us;    /* credited, failed or applied; 0 while claimed */
    struct id transaction_id; /* of its credit, also when that was taken back */
    struct id
        claimed_as; /* the id under which it was claimed anew, before it was known that it had been paid: found by it as well; zero: none */
    uint8_t failure_size;
    char failure[REDEMPTION_FAILURE_BYTES]; /* Wallet's code: failed; credited: why it was not taken back when somebody wanted that */
    bool is_new, is_changed;                /* in this batch */
    bool drops_reversal;                    /* in this batch: its reversal is no more */
    bool is_in_front;                       /* the set's own: it was loaded with all that stand before it in the line */
    int64_t promoted_from;                  /* in this batch: the position that it had in the line; 0: it was not promoted */
    int64_t rank;                           /* how many places must come free until it has one; only where it is shown */
    uint32_t code_batch;                    /* 0: the campaign's own code */
    int64_t code_index;
    struct order order;
    int64_t discount_minor;              /* applied, or was: taken off the order */
    struct redemption *next_of_user;     /* the set's own: another of the same user in the same campaign */
    uint8_t user_key[20], phone_key[20]; /* the set's own */
    uint8_t phone_key_size;
};

/* It counts towards the limits of its user, phone, code and order. */
static inline bool redemption_is_living(const struct redemption *redemption) { return redemption->status != REDEMPTION_REVERSED; }
/* To an order; also when it was taken back. */
static inline bool redemption_was_applied(const struct redemption *redemption) {
    return redemption->status == REDEMPTION_APPLIED ||
           (redemption->status == REDEMPTION_REVERSED && id_is_zero(redemption->transaction_id));
}

/* What becomes of the place of one that is taken back. */
enum reversal_slot { SLOT_RETURN = 1, SLOT_BURN, SLOT_PROMOTE };
#define REVERSAL_REASON_CHARACTERS 255u
#define REVERSAL_REASON_BYTES      (REVERSAL_REASON_CHARACTERS * 4u)
struct reversal {
    struct id redemption_id;
    uint32_t campaign_number;
    int64_t position;
    enum reversal_slot slot;
    uint16_t reason_size;
    char reason[REVERSAL_REASON_BYTES];
    int64_t asked_at_us;
    int64_t reversed_at_us;   /* 0: it is owed */
    struct id transaction_id; /* by which the credit was taken back; zero: it is owed, there was none, or it is not known */
    bool is_changed;          /* in this batch */
};
static inline struct text reversal_reason(const struct reversal *reversal) {
    return (struct text){reversal->reason, reversal->reason_size};
}
const char *reversal_fault(const struct reversal *reversal); /* as redemption_fault */

/* Places in the line have positions of their own, behind all that there may be: LINE_BASE and the number of the ticket. */
#define LINE_BASE        (INT64_C(1) << 31)
#define LINE_TICKETS_MAX (LINE_BASE - 2) /* behind the last one is room for another key */
static inline int64_t redemption_ticket(const struct redemption *redemption) { return redemption->position - LINE_BASE; }

/* A redemption's place among all: its campaign's number, then its position. */
static inline int64_t redemption_key(uint32_t campaign_number, int64_t position) { return (int64_t)campaign_number << 32 | position; }

const char *redemption_status_name(enum redemption_status status);
/* RESULT_NOT_FOUND: nothing is called so. */
struct result redemption_status_named(struct text name, enum redemption_status *ret_status) MUST_CHECK;
/* The first rule that it breaks by itself, as a constant phrase; NULL: none. Asked when it is loaded, when it is saved, and by each decision. */
const char *redemption_fault(const struct redemption *redemption);
