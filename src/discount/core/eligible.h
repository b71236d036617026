/* The list of a campaign that is for certain people only: users and phone numbers. Who is on it is decided in redeem.h. */
#pragma once

#include "base/id.h"
#include "base/phone.h"

/* A user, or a phone number: the other one is zero. */
struct eligible {
    struct id user_id;
    struct phone phone;
    bool is_listed; /* already, when it is added */
};

struct eligible_counts {
    int64_t users, phones;
};

/* Sorts them, and leaves one of each; gives how many those are. */
size_t eligible_make_unique(struct eligible *list, size_t count);
/* Those of them that were not listed. */
struct eligible_counts eligible_count_new(const struct eligible *list, size_t count);
/* Over everything that a row of the list says: a changed one is found by verify. Never 0. */
int64_t eligible_check(uint32_t campaign_number, const struct eligible *eligible);
/* The first rule that it breaks by itself, as a constant phrase; NULL: none. */
const char *eligible_fault(const struct eligible *eligible);
