/* All limits of a campaign as one vector, decided together, in one order: what runs out first names itself. The loop asks with what is published, the store
 * with what is true. */
#pragma once

#include "discount/core/refusal.h"

/* How much there may be of each, and how much there is. */
struct limits {
    int64_t max_per_user, of_user;   /* living redemptions; -1: it is not known how many */
    int64_t max_per_phone, of_phone; /* the same */
    int64_t min_order_minor, order_minor;
    int64_t places, taken;
    int64_t waiting, waiting_list;                 /* who waits goes before anybody who comes; 0: nobody may */
    int64_t budget_minor, spent_minor, gift_minor; /* budget 0: as much as money can be */
    int64_t ordered_minor;                         /* the sum of all orders is an amount of money too */
    int64_t max_per_day, of_day;                   /* 0: none */
    int64_t funded;                                /* places that the fund can pay for */
};

enum limit_asks { LIMITS_KNOWN, LIMITS_ASK_USER, LIMITS_ASK_PHONE };

/* SOLD_OUT, and there is a line with room in it. */
static inline bool limits_has_room_to_wait(const struct limits *limits) { return limits->waiting < limits->waiting_list; }
/* NOT_REFUSED: there is one more. LIMITS_ASK_…: it depends on a number that is not known. */
enum limit_asks limits_decide(const struct limits *limits, enum refusal *ret_refusal);
