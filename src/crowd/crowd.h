/* The flash crowd: real users over real HTTP, as many at once as there are connections, who behave as good clients do: they send the same
 * request again after 202, 503, 429 or a broken connection, and they never send it differently.
 *
 * One thread. A run is a list of phases; in each phase every user does one thing (register, log in, open a connection, redeem, follow a claim,
 * read the balance), at most `connections` of them at a time. What comes back is kept with the user and checked at the end. */
#pragma once

#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json/json.h"
#include "base/limits.h"
#include "base/phone.h"
#include "crowd/heap.h"
#include "crowd/tally.h"
#include "crowd/watch.h"
#include "http/client.h"

#define CROWD_URL_BYTES  256 /* of a base URL and a path together */
#define CROWD_BASE_BYTES 128 /* of a base URL, at most */
#define CROWD_BODY_BYTES 384
#define CROWD_CODE_BYTES 32 /* of a unique code, with its end */

struct crowd_options {
    const char *wallet_url, *discount_url;
    const char *code;
    const char *codes; /* shared | unique */
    bool has_orders;   /* each redemption names an order */
    bool is_creating;  /* a campaign of its own */
    bool is_watching;  /* draws the campaign while they redeem */
    const char *admin_name, *admin_password_file;
    const char *ca;                              /* a path; NULL: the system's authorities */
    int64_t users, connections, rate_per_second; /* rate 0: all at one instant */
    int64_t places, credit;
    int64_t give_up_after_s; /* one phase may take so long */
};

enum user_state {
    USER_WAITING,  /* has not redeemed yet */
    USER_CLAIMED,  /* has a place, the credit follows */
    USER_CREDITED, /* has a place and was told that the money is there */
    USER_APPLIED,  /* has a place, and what was taken off the order */
    USER_REFUSED,  /* has a definite no */
    USER_STRANDED, /* no answer that could be understood, or none in time */
};

struct user {
    size_t index;
    enum user_state state;
    struct id id;
    char username[LIMIT_USERNAME_BYTES + 1];
    struct phone phone;
    char *token;                           /* malloc, terminated; NULL before the login */
    char redemption_id[ID_TEXT_BYTES + 1]; /* empty before a place is taken */
    int64_t position;
    int64_t balance;                /* -1: not read */
    int64_t credit_count;           /* wallet transactions that name the redemption */
    int64_t discount, final_amount; /* of the order, as told with the place; -1: nothing was told */
    char code[CROWD_CODE_BYTES];    /* its own, terminated; empty: all share one */
    bool is_code_right;             /* the service knows of it what it must */
    int refused_status;             /* of the definite no */
    bool is_listed;                 /* met in the list of winners */

    /* the request under way */
    struct http_call call;
    char url[CROWD_URL_BYTES], body[CROWD_BODY_BYTES], idempotency_key[ID_TEXT_BYTES + 1];
    int64_t due_us, sent_us;
    unsigned attempts;
    struct crowd *crowd;
};

enum step { STEP_DONE, STEP_AGAIN, STEP_FAILED };

struct phase {
    const char *name;
    /* Fills user->call; false when this user has nothing to do here. */
    bool (*prepare)(struct crowd *crowd, struct user *user);
    enum step (*conclude)(struct crowd *crowd, struct user *user);
    bool tallied; /* answers and latencies count for the report */
    bool paced;   /* at options.rate_per_second */
    bool watched; /* by --watch */
};

/* What a place is worth, as the campaign says. */
struct terms {
    bool is_off_order;                    /* else a credit */
    int64_t amount_off;                   /* 0: a share */
    int64_t percent_hundredths, most_off; /* most 0: without bound */
    char currency[8];                     /* terminated */
};

struct crowd {
    const struct crowd_options *options;
    const struct clock *clock;
    struct http_client *client;
    struct user *users;
    char run[9];       /* tells this run's users from those of other runs */
    char password[33]; /* of all users of this run; random */
    char *admin_token;
    char campaign_id[ID_TEXT_BYTES + 1];
    char batch_id[ID_TEXT_BYTES + 1]; /* of unique codes; empty: all share one */
    struct terms terms;
    int64_t redeemed_before; /* places that were gone before this crowd came */
    struct tally tally;
    int64_t fired_us, finished_us; /* of the redemptions */
    struct watch watch;

    /* engine.c: the phase under way */
    const struct phase *phase;
    struct heap heap; /* users who wait for their time */
    size_t in_flight, done_count, failed_count;
};

/* engine.c */
struct result crowd_run_phase(struct crowd *crowd,
                              const struct phase *phase) MUST_CHECK; /* RESULT_TIMEOUT, or RESULT_UNAVAILABLE: users failed */

/* steps.c */
extern const struct phase phase_register, phase_login, phase_connect, phase_redeem, phase_follow, phase_balance, phase_history;
/* An answer as a JSON object; NULL when it is none. Close the document afterwards; the arena is the caller's. */
const struct json_value *answer_open(struct arena *arena, const struct http_call *call, struct json_document **ret_document);
char *keep_token(struct text token); /* malloc, terminated */
/* Writes the user's phone as people type it: E.164, the national way with spaces, or in Persian digits; the same each time for one user. */
#define TYPED_PHONE_BYTES 64
void user_type_phone(const struct user *user, char typed[TYPED_PHONE_BYTES]);
/* Reads the redemption that the user's call was answered with into the user: its id, position and state. STEP_FAILED when it is none, has
 * failed, or says something else than the answer before: then the user is as it was. */
enum step user_take_redemption(struct user *user);

/* Whether a good client comes back with the same request: the service said "not now", or failed. */
bool is_passing(int status);

/* operator.c */
struct result crowd_login_admin(struct crowd *crowd) MUST_CHECK;
/* Makes a campaign of the code, with as many places as the options say: of a credit, or with orders of a share of each, --credit at most. */
struct result crowd_create_campaign(struct crowd *crowd) MUST_CHECK;
/* Finds the campaign of the code, its terms, and how many places are gone. RESULT_INVALID: its terms can't be read. */
struct result crowd_find_campaign(struct crowd *crowd) MUST_CHECK;
/* The operator's GET or POST, patient with a service that is just starting again. The answer is the call's, to be cleared. RESULT_UNAVAILABLE. */
struct result crowd_call_operator(struct crowd *crowd, const char *method, const char *url, struct text body,
                                  struct http_call *ret_call) MUST_CHECK;
struct result crowd_pause(void) MUST_CHECK;

/* codes.c */
/* Makes a batch with a code for each user, and gives each its own. RESULT_INVALID: the list held too few, or others than were asked for. */
struct result crowd_make_codes(struct crowd *crowd) MUST_CHECK;
/* `known` is an answer of POST /v1/codes/lookup about the user's code. */
bool code_is_as_told(const struct user *user, const struct json_value *known);
extern const struct phase phase_look_up; /* the last: it compares with the place that the user was told */

/* orders.c */
bool terms_read(const struct json_value *campaign, struct terms *ret_terms); /* false: they are none */
int64_t terms_discount(const struct terms *terms, int64_t amount);           /* what is taken off an order of so much */
int64_t user_order_amount(const struct user *user);                          /* the same each time for one user */
/* As a further member of a body, terminated; empty without --orders. */
#define ORDER_BYTES 160
void user_write_order(const struct user *user, char order[ORDER_BYTES]);

/* check.c */
/* Waits until nothing is pending, then compares all. Prints the first faults, each on a line; returns how many there are. */
size_t crowd_check(struct crowd *crowd, FILE *out);

/* report.c */
void crowd_print_progress(const struct crowd *crowd, bool final);
void crowd_print_answers(struct crowd *crowd, FILE *out);
