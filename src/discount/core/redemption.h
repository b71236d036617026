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
    int64_t position;
    struct id user_id;
    struct phone phone;
    enum redemption_status status;
    int64_t claimed_at_us;
    int64_t settled_at_us; /* credited or failed; 0 while claimed */
    struct id transaction_id;
    struct id
        claimed_as; /* the id under which it was claimed anew, before it was known that it had been paid: found by it as well; zero: none */
    uint8_t failure_size;
    char failure[REDEMPTION_FAILURE_BYTES]; /* Wallet's code */
    bool is_new, is_changed;                /* in this batch */
    uint32_t code_batch;                    /* 0: the campaign's own code */
    int64_t code_index;
    struct order order;
    int64_t discount_minor;              /* applied: taken off the order */
    struct redemption *next_of_user;     /* the set's own: another of the same user in the same campaign */
    uint8_t user_key[20], phone_key[20]; /* the set's own */
    uint8_t phone_key_size;
};

/* A redemption's place among all: its campaign's number, then its position. */
static inline int64_t redemption_key(uint32_t campaign_number, int64_t position) { return (int64_t)campaign_number << 32 | position; }

const char *redemption_status_name(enum redemption_status status);
/* RESULT_NOT_FOUND: nothing is called so. */
struct result redemption_status_named(struct text name, enum redemption_status *ret_status) MUST_CHECK;
/* The first rule that it breaks by itself, as a constant phrase; NULL: none. Asked when it is loaded, when it is saved, and by each decision. */
const char *redemption_fault(const struct redemption *redemption);
