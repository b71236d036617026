/* What must be true of both databases at every moment, and their history: which committed states there were, and when.
 *
 * The oracle reads as any reader does, over connections of its own, between two steps. Its calls never fail, never take time, and disturb nobody. */
#pragma once

#include "base/id.h"
#include "base/text.h"
#include "sim/process.h"
#include "store/sqlite/database.h"

#define ORACLE_CAMPAIGNS_MAX 8u

void oracle_begin_world(void);
/* When something was committed that they are about: every invariant that holds at every moment. Whether Discount's campaigns have changed. */
bool oracle_after_step(void);
void oracle_check_all(void); /* the same, whatever was last committed */

/* The database of this service was restored: what was committed before is history of another life. */
void oracle_forget(enum process_index index);
/* What one database says of a credit, the other says too. */
void oracle_check_books(void);
/* Whether each credit that Wallet or Discount has is known to the other. Left out are campaigns that a restored Discount does not have at all. */
bool oracle_books_agree(void);
/* Or all that they differ by is what was reversed, is paid again by a Wallet that was restored, and can't be taken back because its user has not got it
 * there: that is for people to settle. */
bool oracle_books_owe(void);
/* How many of these have a fund in Wallet. */
int64_t oracle_lost_campaigns(void);

/* A prepared statement on the database of a process; NULL while it is down. Reset it after use. Kept by its text, which must be a constant. */
struct statement *oracle_query(enum process_index index, const char *sql);
/* Whether there is a row; a defect of the database fails the world. */
bool oracle_step(enum process_index index, struct statement *statement);
/* The integer that a query about this text, or without one about this id, gives; -1 where there is none, or nobody can say now (then *ret_known is false). */
int64_t oracle_look_up(enum process_index index, const char *sql, struct id id, struct text text, bool *ret_known);
/* Runs a query that gives one integer; `otherwise` without a row or without a database. */
int64_t oracle_integer(enum process_index index, const char *sql, int64_t otherwise);

/* ---- history ---- */
struct campaign_moment {
    int64_t at_us; /* true time from which on it was so */
    int64_t max_redemptions, redeemed, credited, is_paused, ended_at_us, starts_at_us, ends_at_us, version;
    int64_t funded_places; /* that its fund can pay for, as far as is confirmed */
    int64_t returned, reversed, spent;
    int64_t waiting, lined_up, called, waiting_list;
    int64_t given; /* the worth of all gifts, those that were taken back too; 0 where there are no promotions */
};
struct history {
    const struct campaign_moment *moments;
    size_t count;
};
/* Of the campaign with this number, 1 to ORACLE_CAMPAIGNS_MAX, oldest first. */
struct history oracle_campaign_history(int64_t number);
/* Its number and id by its code; false: no such campaign was ever committed. */
bool oracle_find_campaign(struct text code, int64_t *ret_number, struct id *ret_id);
/* The moments that touch the interval: [*ret_first, end). */
size_t history_first(struct history history, int64_t from_us);

struct balance_moment {
    int64_t at_us, balance, available; /* less what is held */
};
struct balance_history {
    const struct balance_moment *moments;
    size_t count;
};
/* Of the account with this number; empty when it is unknown. */
struct balance_history oracle_balance_history(int64_t account_number);
