/* A place that somebody got, and the obligation to credit it: one thing. */
#pragma once

#include "base/id.h"
#include "base/phone.h"

#define REDEMPTION_FAILURE_BYTES 32u

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
    struct id
        claimed_as; /* the id under which it was claimed anew, before it was known that it had been paid: found by it as well; zero: none */
    uint8_t failure_size;
    char failure[REDEMPTION_FAILURE_BYTES]; /* Wallet's code */
    bool is_new, is_changed;                /* in this batch */
    uint8_t user_key[20], phone_key[20];    /* the set's own */
    uint8_t phone_key_size;
};

/* A redemption's place among all: its campaign's number, then its position. */
static inline int64_t redemption_key(uint32_t campaign_number, int64_t position) { return (int64_t)campaign_number << 32 | position; }

const char *redemption_status_name(enum redemption_status status);
/* The first rule that it breaks by itself, as a constant phrase; NULL: none. Asked when it is loaded, when it is saved, and by each decision. */
const char *redemption_fault(const struct redemption *redemption);
