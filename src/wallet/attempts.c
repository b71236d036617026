#include "wallet/attempts.h"

#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"

#define SECONDS    CLOCK_SECOND_US
#define MINUTES    (60 * CLOCK_SECOND_US)
#define NAME_BYTES 64u /* longer names are no users: what follows is not looked at */

enum of { OF_PAIR, OF_KNOWN_PAIR, OF_USER, OF_ADDRESS, OF_REGISTRATIONS, OF_RECIPIENTS, KINDS };

static struct metric refused[KINDS];
static const struct {
    const char *labels, *event; /* said in the log when it is used up; NULL: that happens to people */
    struct budget_rule rule;
} kinds[KINDS] = {
    [OF_PAIR] = {"budget=\"user and address\"", NULL, {10, 6 * MINUTES, 5 * SECONDS, 15 * MINUTES, &refused[OF_PAIR]}},
    [OF_KNOWN_PAIR] = {"budget=\"user and known address\"", NULL, {20, 1 * MINUTES, 5 * SECONDS, 1 * MINUTES, &refused[OF_KNOWN_PAIR]}},
    [OF_USER] = {"budget=\"user\"", "password_guessing_suspected", {50, 1 * MINUTES, 5 * SECONDS, 5 * MINUTES, &refused[OF_USER]}},
    [OF_ADDRESS] = {"budget=\"address\"",
                    "password_guessing_suspected",
                    {150, 2 * SECONDS, 5 * SECONDS, 1 * MINUTES, &refused[OF_ADDRESS]}},
    [OF_REGISTRATIONS] = {"budget=\"registrations\"", NULL, {200, 2 * SECONDS, 5 * SECONDS, 1 * MINUTES, &refused[OF_REGISTRATIONS]}},
    [OF_RECIPIENTS] = {"budget=\"recipients\"",
                       "recipient_guessing_suspected",
                       {30, 1 * MINUTES, 5 * SECONDS, 5 * MINUTES, &refused[OF_RECIPIENTS]}},
};

static struct log_burst suspicions = {.window_us = SECONDS, .lines_max = 10}; /* as many as there are users, and strangers choose which */

struct attempts {
    bool is_on;
    struct budget *budgets[KINDS];
};

void attempts_register_metrics(void) {
    for (size_t i = 0; i < KINDS; i++) {
        refused[i] = (struct metric){.name = "walletd_throttled_total",
                                     .help = "Requests that were answered 429, by the budget that had nothing left.",
                                     .labels = kinds[i].labels,
                                     .kind = METRIC_COUNTER};
        metrics_register(&refused[i]);
    }
}

struct result attempts_create(bool is_on, struct attempts **ret_attempts) {
    struct attempts *attempts = calloc(1, sizeof *attempts);
    if (attempts == NULL) return result_error(RESULT_FULL);
    attempts->is_on = is_on;
    for (size_t i = 0; i < KINDS; i++) {
        struct result created = budget_create(&kinds[i].rule, &attempts->budgets[i]);
        if (result_is_ok(created)) continue;
        attempts_free(attempts);
        return created;
    }
    *ret_attempts = attempts;
    return result_ok();
}

void attempts_free(struct attempts *attempts) {
    if (attempts == NULL) return;
    for (size_t i = 0; i < KINDS; i++) budget_free(attempts->budgets[i]);
    free(attempts);
}

/* ---- what an attempt pays for ---- */

struct charge {
    enum of of;
    struct text key;
};

struct bill {
    size_t count;
    struct charge charges[3]; /* in the order in which they are paid */
    char pair[sizeof(struct address) + NAME_BYTES];
};

static void make_bill(struct bill *bill, const struct attempt *attempt, bool is_known) {
    struct text name = text_cut(attempt->username, NAME_BYTES);
    memcpy(bill->pair, attempt->client.bytes, sizeof attempt->client.bytes);
    if (name.size > 0) memcpy(bill->pair + sizeof attempt->client.bytes, name.data, name.size);
    struct text pair = {bill->pair, sizeof attempt->client.bytes + name.size};
    bill->count = is_known ? 1 : 3;
    bill->charges[0] = (struct charge){is_known ? OF_KNOWN_PAIR : OF_PAIR, pair};
    bill->charges[1] = (struct charge){OF_USER, {bill->pair + sizeof attempt->client.bytes, name.size}};
    bill->charges[2] = (struct charge){OF_ADDRESS, {bill->pair, sizeof attempt->client.bytes}};
}

static int64_t refuse(struct attempts *attempts, enum of of, int64_t wait_us) {
    budget_count_refused(attempts->budgets[of]);
    return wait_us;
}

/* The longest wait, and whose it is. */
static int64_t wait_of_bill(struct attempts *attempts, const struct bill *bill, int64_t now_us, enum of *ret_of) {
    int64_t longest_us = 0;
    for (size_t i = 0; i < bill->count; i++) {
        const struct charge *charge = &bill->charges[i];
        int64_t wait_us = budget_wait_us(attempts->budgets[charge->of], charge->key, now_us);
        if (wait_us <= longest_us) continue;
        longest_us = wait_us;
        *ret_of = charge->of;
    }
    return longest_us;
}

static int64_t pay(struct attempts *attempts, const struct charge *charge, const struct address *client, int64_t now_us) {
    bool is_last = false;
    int64_t wait_us = budget_take(attempts->budgets[charge->of], charge->key, now_us, &is_last);
    if (is_last && kinds[charge->of].event != NULL) {
        char from[ADDRESS_TEXT_BYTES];
        address_format(client, from);
        LOG_BURST(&suspicions, LOG_WARN, kinds[charge->of].event, LOG_STRING("of", charge->of == OF_ADDRESS ? "address" : "user"),
                  LOG_STRING("client", from));
    }
    return wait_us;
}

/* ---- passwords ---- */

int64_t attempts_wait_us(struct attempts *attempts, const struct attempt *attempt, int64_t now_us) {
    if (!attempts->is_on) return 0;
    struct bill bill;
    enum of of = OF_PAIR;
    make_bill(&bill, attempt, attempt->is_known);
    int64_t wait_us = wait_of_bill(attempts, &bill, now_us, &of);
    return wait_us == 0 ? 0 : refuse(attempts, of, wait_us);
}

int64_t attempts_wait_of_anybody_us(struct attempts *attempts, const struct attempt *attempt, int64_t now_us) {
    if (!attempts->is_on) return 0;
    struct bill bill;
    enum of of = OF_PAIR;
    make_bill(&bill, attempt, true);
    int64_t known_us = wait_of_bill(attempts, &bill, now_us, &of);
    if (known_us == 0) return 0;
    make_bill(&bill, attempt, false);
    int64_t wait_us = wait_of_bill(attempts, &bill, now_us, &of);
    if (wait_us == 0) return 0;
    return refuse(attempts, of, wait_us < known_us ? wait_us : known_us);
}

int64_t attempts_begin(struct attempts *attempts, const struct attempt *attempt, int64_t now_us) {
    if (!attempts->is_on) return 0;
    struct bill bill;
    make_bill(&bill, attempt, attempt->is_known);
    for (size_t i = 0; i < bill.count; i++) {
        int64_t wait_us = pay(attempts, &bill.charges[i], &attempt->client, now_us);
        if (wait_us == 0) continue;
        for (size_t paid = 0; paid < i; paid++) budget_give_back(attempts->budgets[bill.charges[paid].of], bill.charges[paid].key, now_us);
        return refuse(attempts, bill.charges[i].of, wait_us);
    }
    return 0;
}

void attempts_succeeded(struct attempts *attempts, const struct attempt *attempt, int64_t now_us) {
    if (!attempts->is_on) return;
    struct bill bill;
    make_bill(&bill, attempt, attempt->is_known);
    budget_forget(attempts->budgets[bill.charges[0].of], bill.charges[0].key);
    for (size_t i = 1; i < bill.count; i++) budget_give_back(attempts->budgets[bill.charges[i].of], bill.charges[i].key, now_us);
}

/* ---- recipients ---- */

static struct text user_key(const struct id *user_id) { return (struct text){(const char *)user_id->bytes, sizeof user_id->bytes}; }

int64_t attempts_recipient_wait_us(struct attempts *attempts, struct id user_id, int64_t now_us) {
    int64_t wait_us = budget_wait_us(attempts->budgets[OF_RECIPIENTS], user_key(&user_id), now_us);
    return wait_us == 0 ? 0 : refuse(attempts, OF_RECIPIENTS, wait_us);
}

void attempts_count_recipient(struct attempts *attempts, struct id user_id, struct address client, int64_t now_us) {
    struct charge charge = {OF_RECIPIENTS, user_key(&user_id)};
    (void)pay(attempts, &charge, &client, now_us);
}

/* ---- registrations ---- */

int64_t attempts_register_wait_us(struct attempts *attempts, struct address client, int64_t now_us) {
    if (!attempts->is_on) return 0;
    int64_t wait_us = budget_wait_us(attempts->budgets[OF_REGISTRATIONS], address_text(&client), now_us);
    return wait_us == 0 ? 0 : refuse(attempts, OF_REGISTRATIONS, wait_us);
}

int64_t attempts_begin_register(struct attempts *attempts, struct address client, int64_t now_us) {
    if (!attempts->is_on) return 0;
    struct charge charge = {OF_REGISTRATIONS, address_text(&client)};
    int64_t wait_us = pay(attempts, &charge, &client, now_us);
    return wait_us == 0 ? 0 : refuse(attempts, OF_REGISTRATIONS, wait_us);
}
