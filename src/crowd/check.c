/* The check after the crowd: what the operator's view says, what the users were told, and what their wallets hold must be the same story. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "crowd/crowd.h"

#define ADMIN_ARENA_BYTES (4u * 1024 * 1024)
#define FAULTS_PRINTED    20u
#define STATUS_SOLD_OUT   410 /* the one good reason to send a user of this crowd away */

/* The list of winners as it is read, page by page. */
struct winners {
    struct crowd *crowd;
    struct map users;      /* user id → struct user */
    struct map phones;     /* phone → the text itself */
    int64_t next_position; /* must come next */
    int64_t ours;          /* winners out of this crowd */
    int64_t credited;
    int64_t ordered, discounted; /* Σ of the orders, and of what was taken off them */
    size_t faults;
    FILE *out;
};

static void __attribute__((format(printf, 2, 3))) fault(struct winners *winners, const char *format, ...) {
    winners->faults++;
    if (winners->faults > FAULTS_PRINTED) return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(winners->out, "  FAULT: ");
    vfprintf(winners->out, format, arguments);
    fputc('\n', winners->out);
    va_end(arguments);
}

/* What every winner must have come to; what is told of an order adds up to the report's. */
static void check_outcome(struct winners *winners, const struct json_value *winner, int64_t position) {
    bool is_off_order = winners->crowd->terms.is_off_order;
    struct text status = json_get_text(winner, "status");
    winners->credited += text_equal(status, TEXT("credited"));
    if (!text_equal(status, is_off_order ? TEXT("applied") : TEXT("credited"))) {
        fault(winners, "position %" PRId64 " is %.*s", position, (int)status.size, status.data);
    }
    if (!is_off_order) return;
    const struct json_value *order = json_get(winner, "order"), *discount = json_get(winner, "discount");
    int64_t amount = order == NULL ? -1 : json_get_integer(order, "amount", -1);
    int64_t off = discount == NULL ? -1 : json_get_integer(discount, "amount", -1);
    if (amount < 0 || off != terms_discount(&winners->crowd->terms, amount)) {
        fault(winners, "position %" PRId64 " is listed with %" PRId64 " off an order of %" PRId64, position, off, amount);
    }
    winners->ordered += amount;
    winners->discounted += off;
}

/* The list's order is the user's own. */
static void check_order(struct winners *winners, const struct user *user, const struct json_value *winner) {
    const struct json_value *order = json_get(winner, "order");
    struct text reference = order == NULL ? (struct text){0} : json_get_text(order, "reference");
    if (order == NULL || !text_equal(reference, text_of(user->username)) ||
        json_get_integer(order, "amount", -1) != user_order_amount(user)) {
        fault(winners, "user %s is listed with another order: %.*s", user->username, (int)reference.size, reference.data);
    }
}

static void check_winner(struct winners *winners, const struct json_value *winner, struct arena *kept) {
    int64_t position = json_get_integer(winner, "position", 0);
    struct text phone = arena_copy(kept, json_get_text(winner, "phone"));
    struct text id = json_get_text(winner, "id");
    if (position != winners->next_position) {
        fault(winners, "position %" PRId64 " stands where %" PRId64 " is due", position, winners->next_position);
    }
    winners->next_position = position + 1;
    if (map_get(&winners->phones, phone) != NULL) fault(winners, "the phone of position %" PRId64 " has won twice", position);
    if (!result_is_ok(map_put(&winners->phones, phone, (void *)(uintptr_t)phone.data))) fault(winners, "too many winners to check");
    check_outcome(winners, winner, position);
    struct id user_id;
    if (!result_is_ok(id_parse(json_get_text(winner, "user_id"), &user_id))) {
        fault(winners, "position %" PRId64 " has no user", position);
        return;
    }
    struct user *user = map_get(&winners->users, (struct text){(const char *)user_id.bytes, sizeof(user_id.bytes)});
    if (user == NULL) return; /* of an earlier crowd */
    winners->ours++;
    if (user->is_listed) fault(winners, "user %s has won twice", user->username);
    user->is_listed = true;
    if (user->redemption_id[0] == '\0') {
        fault(winners, "user %s has place %" PRId64 " and was told no", user->username, position);
    } else if (!text_equal(id, text_of(user->redemption_id)) || position != user->position) {
        fault(winners, "user %s was told place %" PRId64 " and has %" PRId64, user->username, user->position, position);
    }
    if (winners->crowd->options->has_orders) check_order(winners, user, winner);
}

static struct result read_winners(struct winners *winners, struct arena *kept) {
    struct crowd *crowd = winners->crowd;
    int64_t page = 0;
    char cursor[160] = "", url[CROWD_URL_BYTES + 256];
    do {
        snprintf(url, sizeof(url), "%s/v1/campaigns/%s/redemptions?limit=200%s%s", crowd->options->discount_url, crowd->campaign_id,
                 cursor[0] ? "&cursor=" : "", cursor);
        struct http_call call;
        TRY(crowd_call_operator(crowd, "GET", url, (struct text){0}, &call));
        struct arena arena;
        arena_init(&arena, ADMIN_ARENA_BYTES);
        struct json_document *document;
        const struct json_value *root = answer_open(&arena, &call, &document);
        const struct json_value *data = root == NULL ? NULL : json_get(root, "data");
        for (size_t i = 0; data != NULL && i < json_array_count(data); i++) check_winner(winners, json_array_item(data, i), kept);
        struct text next = root == NULL ? (struct text){0} : json_get_text(root, "next_cursor");
        snprintf(cursor, sizeof(cursor), "%.*s", (int)next.size, next.size > 0 ? next.data : "");
        json_close(document);
        arena_release(&arena);
        http_call_clear(&call);
        if (data == NULL || page++ > crowd->options->places) return result_error(RESULT_INVALID);
    } while (cursor[0] != '\0');
    return result_ok();
}

/* What the user was told of the order and of the code, against the terms and what the service knows. */
static void check_told(struct winners *winners, const struct user *user) {
    const struct crowd *crowd = winners->crowd;
    int64_t amount = user_order_amount(user), off = terms_discount(&crowd->terms, amount);
    bool has_place = user->redemption_id[0] != '\0';
    if (has_place && crowd->terms.is_off_order && (user->discount != off || user->final_amount != amount - off)) {
        fault(winners, "user %s was told %" PRId64 " off, to pay %" PRId64 ", and is due %" PRId64 " off an order of %" PRId64,
              user->username, user->discount, user->final_amount, off, amount);
    }
    if (has_place && (user->state == USER_APPLIED) != crowd->terms.is_off_order && user->state != USER_CLAIMED) {
        fault(winners, "user %s was told of another kind of gift", user->username);
    }
    if (crowd->batch_id[0] != '\0' && !user->is_code_right) {
        fault(winners, "user %s %s, and the code %s is known otherwise", user->username, has_place ? "has a place" : "has none",
              user->code);
    }
}

/* Each user's wallet against what the user was told. Returns Σ balances. */
static int64_t check_users(struct winners *winners) {
    struct crowd *crowd = winners->crowd;
    int64_t sum = 0;
    for (size_t i = 0; i < (size_t)crowd->options->users; i++) {
        const struct user *user = &crowd->users[i];
        bool has_place = user->redemption_id[0] != '\0';
        bool has_credit = has_place && !crowd->terms.is_off_order;
        int64_t due = has_credit ? crowd->options->credit : 0;
        sum += user->balance;
        if (user->state == USER_STRANDED || user->state == USER_WAITING) fault(winners, "user %s has no good answer", user->username);
        if (user->state == USER_REFUSED && user->refused_status != STATUS_SOLD_OUT) {
            fault(winners, "user %s was refused with %d", user->username, user->refused_status);
        }
        if (user->state == USER_CLAIMED) fault(winners, "user %s still waits for the credit", user->username);
        if (user->balance != due) fault(winners, "user %s holds %" PRId64 " and is due %" PRId64, user->username, user->balance, due);
        if (has_place && !user->is_listed)
            fault(winners, "user %s was told place %" PRId64 " and is not listed", user->username, user->position);
        if (has_place && user->credit_count != has_credit) {
            fault(winners, "user %s has %" PRId64 " credits for one place", user->username, user->credit_count);
        }
        check_told(winners, user);
    }
    return sum;
}

struct report {
    int64_t redeemed, remaining, credited, pending, failed;
    int64_t orders, ordered, discounted;       /* -1: nothing is said of orders */
    int64_t batch_count, code_used, code_uses; /* of our batch; -1: nothing is said of it */
};

static void read_orders(const struct json_value *root, struct report *report) {
    const struct json_value *orders = json_get(root, "orders");
    bool is_there = orders != NULL && json_is_object(orders);
    report->orders = is_there ? json_get_integer(orders, "count", -1) : -1;
    report->ordered = is_there ? json_get_integer(orders, "amount", -1) : -1;
    report->discounted = is_there ? json_get_integer(orders, "discount", -1) : -1;
}

static void read_batch(const struct json_value *root, struct text batch_id, struct report *report) {
    const struct json_value *batches = json_get(root, "by_batch");
    report->batch_count = report->code_used = report->code_uses = -1;
    for (size_t i = 0; batches != NULL && i < json_array_count(batches); i++) {
        const struct json_value *batch = json_array_item(batches, i);
        if (!text_equal(json_get_text(batch, "batch"), batch_id)) continue;
        report->batch_count = json_get_integer(batch, "count", -1);
        report->code_used = json_get_integer(batch, "used", -1);
        report->code_uses = json_get_integer(batch, "uses", -1);
    }
}

static struct result read_report(struct crowd *crowd, struct report *ret_report) {
    char url[CROWD_URL_BYTES + 64];
    snprintf(url, sizeof(url), "%s/v1/campaigns/%s/report", crowd->options->discount_url, crowd->campaign_id);
    struct http_call call;
    TRY(crowd_call_operator(crowd, "GET", url, (struct text){0}, &call));
    struct arena arena;
    arena_init(&arena, ADMIN_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &call, &document);
    bool is_report = root != NULL && call.status == 200;
    if (is_report) {
        *ret_report = (struct report){
            .redeemed = json_get_integer(root, "redeemed", -1),
            .remaining = json_get_integer(root, "remaining", -1),
            .credited = json_get_integer(root, "credited", -1),
            .pending = json_get_integer(root, "pending", -1),
            .failed = json_get_integer(root, "failed", -1),
        };
        read_orders(root, ret_report);
        read_batch(root, text_of(crowd->batch_id), ret_report);
    }
    json_close(document);
    arena_release(&arena);
    http_call_clear(&call);
    return is_report ? result_ok() : result_error(RESULT_INVALID);
}

/* After a crash what has been paid is marked as such a little later. */
static struct result wait_settled(struct crowd *crowd) {
    int64_t deadline_us = clock_monotonic_us(crowd->clock) + crowd->options->give_up_after_s * CLOCK_SECOND_US;
    struct report report = {0};
    do {
        TRY(read_report(crowd, &report));
        if (report.pending == 0) return result_ok();
        TRY(crowd_pause());
    } while (clock_monotonic_us(crowd->clock) < deadline_us);
    return result_error(RESULT_TIMEOUT);
}

static void check_orders_and_codes(struct winners *winners, const struct report *report) {
    const struct crowd *crowd = winners->crowd;
    int64_t listed = winners->next_position - 1;
    if (crowd->terms.is_off_order &&
        (report->orders != listed || report->ordered != winners->ordered || report->discounted != winners->discounted)) {
        fault(winners,
              "the report says %" PRId64 " orders over %" PRId64 " and %" PRId64 " off, the list %" PRId64 " over %" PRId64 " and %" PRId64,
              report->orders, report->ordered, report->discounted, listed, winners->ordered, winners->discounted);
    }
    if (crowd->batch_id[0] == '\0') return;
    if (report->batch_count != crowd->options->users || report->code_used != winners->ours || report->code_uses != winners->ours) {
        fault(winners, "the report says %" PRId64 " codes of the batch of %" PRId64 " are used %" PRId64 " times, by %" PRId64 " winners",
              report->code_used, report->batch_count, report->code_uses, winners->ours);
    }
}

static void check_report(struct winners *winners) {
    struct report report;
    if (!result_is_ok(read_report(winners->crowd, &report))) {
        fault(winners, "the report cannot be read");
        return;
    }
    int64_t listed = winners->next_position - 1, places = winners->crowd->options->places;
    if (listed > places) fault(winners, "%" PRId64 " winners in %" PRId64 " places", listed, places);
    if (report.redeemed != listed) fault(winners, "the report says %" PRId64 " redeemed, the list %" PRId64, report.redeemed, listed);
    if (report.redeemed + report.remaining != places) {
        fault(winners, "%" PRId64 " redeemed and %" PRId64 " remaining are not %" PRId64, report.redeemed, report.remaining, places);
    }
    if (report.credited != winners->credited) {
        fault(winners, "the report says %" PRId64 " credited, the list %" PRId64, report.credited, winners->credited);
    }
    if (report.pending != 0) fault(winners, "%" PRId64 " credits are still pending", report.pending);
    if (report.failed != 0) fault(winners, "%" PRId64 " credits have failed", report.failed);
    check_orders_and_codes(winners, &report);
}

static void print_verdict(const struct winners *winners, int64_t expected, int64_t sum) {
    const struct crowd *crowd = winners->crowd;
    fprintf(winners->out, "check\n");
    fprintf(winners->out, "  winners   %8" PRId64 " of %" PRId64 " expected\n", winners->ours, expected);
    if (crowd->batch_id[0] != '\0') {
        fprintf(winners->out, "  codes     %8" PRId64 " used of %" PRId64 ", each by its own user\n", winners->ours, crowd->options->users);
    }
    if (crowd->terms.is_off_order) {
        fprintf(winners->out, "  orders    %8" PRId64 " over %" PRId64 ", %" PRId64 " taken off\n", winners->next_position - 1,
                winners->ordered, winners->discounted);
    } else {
        fprintf(winners->out, "  credited  %8" PRId64 " of %" PRId64 " places\n", winners->credited, crowd->options->places);
    }
    fprintf(winners->out, "  positions 1..%" PRId64 "\n", winners->next_position - 1);
    fprintf(winners->out, "  balances  %" PRId64 " in the wallets of %" PRId64 " users\n", sum, crowd->options->users);
    fprintf(winners->out, "  %s\n", winners->faults == 0 ? "exactly right" : "NOT RIGHT");
}

size_t crowd_check(struct crowd *crowd, FILE *out) {
    size_t user_count = (size_t)crowd->options->users;
    struct winners winners = {.crowd = crowd, .next_position = 1, .out = out};
    struct arena kept;
    arena_init(&kept, (size_t)crowd->options->places * 256 + ADMIN_ARENA_BYTES);
    CHECK(result_is_ok(map_init(&winners.users, user_count)));
    CHECK(result_is_ok(map_init(&winners.phones, (size_t)crowd->options->places + 1)));
    for (size_t i = 0; i < user_count; i++) {
        struct user *user = &crowd->users[i];
        CHECK(result_is_ok(map_put(&winners.users, (struct text){(const char *)user->id.bytes, sizeof(user->id.bytes)}, user)));
    }
    struct result settled = wait_settled(crowd);
    if (!result_is_ok(settled)) fault(&winners, "the report tells of no end of the settling: %s", result_name(settled));
    if (!result_is_ok(read_winners(&winners, &kept))) fault(&winners, "the list of winners cannot be read");
    int64_t sum = check_users(&winners);
    check_report(&winners);
    int64_t places_left = crowd->options->places - crowd->redeemed_before;
    int64_t expected = crowd->options->users < places_left ? crowd->options->users : places_left;
    if (winners.ours != expected) fault(&winners, "%" PRId64 " winners where %" PRId64 " are due", winners.ours, expected);
    int64_t credit = crowd->terms.is_off_order ? 0 : crowd->options->credit;
    if (sum != expected * credit) fault(&winners, "the wallets hold %" PRId64 " in all", sum);
    if (winners.faults > FAULTS_PRINTED) fprintf(out, "  and %zu more faults\n", winners.faults - FAULTS_PRINTED);
    print_verdict(&winners, expected, sum);
    map_free(&winners.users);
    map_free(&winners.phones);
    arena_release(&kept);
    return winners.faults;
}
