/* POST /v1/redemptions.
 *
 * Most of a crowd comes too late. What can be said for certain from what is published is said here, on the loop; everything that may take a place, or that
 * carries an Idempotency-Key, goes to the store. */
#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/handlers.h"
#include "discount/tables.h"
#include "service/request.h"

#define CODE_TYPED_MAX 4096 /* characters; longer than any code with its separators: the body's own limit does the rest */

/* ---- from what is published ---- */

static void answer_here(struct discount_operation *operation, const struct board_slot *slot, enum refusal refusal, int64_t starts_at_us,
                        int64_t now_us) {
    operation->answer.campaign_number = slot == NULL ? 0 : slot->number;
    operation->answer.refusal = refusal;
    answer_redeem_refusal(operation, refusal, starts_at_us, now_us);
    metric_add(&metric_answered_by_loop, 1);
    answer_send_at(operation, now_us);
}

/* To the store, where it may become a redemption. */
static void submit(struct discount_operation *operation, int64_t now_us) {
    operation->id = id_make(&operation->discount->id_sources[operation->exchange->loop_index], now_us);
    discount_submit(operation);
}

/* A winner's repeat. It needs no write, and so no disk that takes one; but one that still waits for its credit waits with its claim. */
static void answer_winner(struct discount_operation *operation, const struct board_slot *slot, const struct redemption *redemption,
                          int64_t now_us) {
    if (redemption->status == REDEMPTION_CLAIMED) {
        submit(operation, now_us);
        return;
    }
    operation->answer.campaign_number = slot->number;
    operation->answer.refusal = REFUSED_ALREADY_REDEEMED;
    answer_redemption(operation, redemption, slot->id, slot->credit, false);
    metric_add(&metric_answered_by_loop, 1);
    answer_send(operation);
}

/* What is known without the store, and what is decided of it. */
struct outlook {
    const struct board *board;
    const struct board_slot *slot;
    const struct redeem_request *request;
    struct campaign_view view;
    struct redeem_facts facts;
    struct redeem_verdict verdict;
};

static void begin_outlook(struct outlook *outlook, const struct discount_operation *operation, const struct board_slot *slot) {
    *outlook = (struct outlook){.board = operation->discount->board, .slot = slot, .request = &operation->redeem, .view = board_view(slot)};
    outlook->facts = (struct redeem_facts){.has_campaign = true,
                                           .is_other_phone = redeem_is_other_phone(&operation->redeem),
                                           .times = view_times(&outlook->view),
                                           .places = outlook->view.max_redemptions,
                                           .taken = outlook->view.redeemed};
}

/* Decides, with what the filter of winners knows; true: a row must be looked up first, the user's own or the phone's (.verdict.step). */
static bool needs_row(struct outlook *outlook, int64_t now_us) {
    for (;;) {
        outlook->verdict = redeem_decide(&outlook->facts, now_us);
        switch (outlook->verdict.step) {
        case REDEEM_ASK_OWN:
            if (board_may_be_user(outlook->board, outlook->slot, outlook->request->user_id)) return true;
            outlook->facts.has_own = IS_NOT;
            break;
        case REDEEM_ASK_PHONE:
            if (board_may_be_phone(outlook->board, outlook->slot, &outlook->request->phone)) return true;
            outlook->facts.phone_has_won = IS_NOT;
            break;
        case REDEEM_CLAIM:
        case REDEEM_REPEAT:
        case REDEEM_REFUSE: return false;
        }
    }
}

static void answer_outlook(struct discount_operation *operation, const struct outlook *outlook, const struct redemption *own) {
    int64_t now_us = operation->exchange->arrived_us;
    const struct redeem_verdict verdict = outlook->verdict;
    if (verdict.step == REDEEM_REPEAT)
        answer_winner(operation, outlook->slot, own, now_us);
    else if (verdict.step == REDEEM_REFUSE && refusal_rule(verdict.refusal)->is_answered_by_loop)
        answer_here(operation, outlook->slot, verdict.refusal, outlook->view.starts_at_us, now_us);
    else
        submit(operation, now_us);
}

/* ---- with a look into the database, which sees every commit that the view stands on ---- */

struct redeem_reading {
    struct reading reading;
    struct discount_operation *operation;
    struct outlook outlook;
    struct found_redemption own, of_phone;
};

static enum knowledge known(const struct found_redemption *found) { return found->is_found ? IS_SO : IS_NOT; }

static bool ask_what_is_needed(struct reading *reading, struct batch *batch, uint32_t round) {
    struct redeem_reading *self = (struct redeem_reading *)reading;
    struct outlook *outlook = &self->outlook;
    if (round == 0) {
        outlook->facts.has_own = outlook->facts.phone_has_won = NOT_KNOWN;
        self->own.is_found = self->of_phone.is_found = false;
    } else if (outlook->verdict.step == REDEEM_ASK_OWN) {
        outlook->facts.has_own = known(&self->own);
    } else {
        outlook->facts.phone_has_won = known(&self->of_phone);
    }
    if (!needs_row(outlook, reading->exchange->arrived_us)) return false;
    if (outlook->verdict.step == REDEEM_ASK_OWN)
        ask_redemption_of_user(batch, outlook->slot->number, outlook->request->user_id, redemption_found, &self->own);
    else
        ask_redemption_of_phone(batch, outlook->slot->number, &outlook->request->phone, redemption_found, &self->of_phone);
    return true;
}

static void answer_reading(struct reading *reading) {
    struct redeem_reading *self = (struct redeem_reading *)reading;
    reading->exchange->operation = self->operation;
    answer_outlook(self->operation, &self->outlook, &self->own.redemption);
}

static void redeem_from_board(struct discount_operation *operation, const struct board_slot *slot, int64_t now_us) {
    struct exchange *exchange = operation->exchange;
    struct outlook outlook;
    begin_outlook(&outlook, operation, slot);
    if (!needs_row(&outlook, now_us)) {
        answer_outlook(operation, &outlook, NULL);
        return;
    }
    struct redeem_reading *reading = reading_begin(exchange, ask_what_is_needed, answer_reading, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->operation = operation;
    reading->outlook = outlook;
    reading_start(&reading->reading);
}

/* ---- POST ---- */

static void refuse_guesser(struct exchange *exchange, int64_t wait_s) {
    reply_header(exchange, "Retry-After", arena_print(&exchange->arena, "%lld", (long long)wait_s));
    problem_reply(exchange, &problem_too_many_attempts, "Too many wrong codes. Try again later.");
    exchange_finish(exchange);
}

/* What comes from outside, checked; false when the answer is set. */
static bool read_redeem(struct exchange *exchange, struct discount_operation *operation) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    struct text code = {0}, phone = {0};
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    const struct json_member members[] = {
        {.name = "code", .kind = JSON_TEXT, .target = &code, .required = true, .min = 1, .max = CODE_TYPED_MAX},
        {.name = "phone", .kind = JSON_TEXT, .target = &phone, .required = true, .min = 1, .max = CODE_TYPED_MAX},
    };
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    struct redeem_request *request = &operation->redeem;
    if (phone.size > 0 && !result_is_ok(phone_parse(phone, operation->discount->region, &request->phone))) {
        faults_add(&faults, "phone", "invalid_format", "must be a phone number");
    }
    if (request_refuse_faults(exchange, &faults)) return false;
    if (!result_is_ok(code_parse(code, &request->code))) request->code.size = 0; /* no code looks like this: unknown */
    request->user_id = exchange->caller.user_id;
    request->account_phone = exchange->caller.phone;
    idempotency_read(exchange, root, operation->discount->service.idempotency_secret, &operation->idempotency);
    return true;
}

void handle_redeem(struct exchange *exchange) {
    struct discount_operation *operation = operation_create(exchange, OPERATION_REDEEM);
    if (operation == NULL) return;
    if (!read_redeem(exchange, operation)) {
        exchange_finish(exchange);
        return;
    }
    struct discount *discount = operation->discount;
    int64_t now_us = exchange->arrived_us, now_monotonic_us = exchange->received_monotonic_us; /* it has just arrived */
    int64_t wait_s = limiter_user_wait_s(discount->limiter, exchange->caller.user_id, now_monotonic_us);
    const struct board_slot *slot = board_find_code(discount->board, &operation->redeem.code);
    if (wait_s == 0 && slot == NULL) {
        wait_s = limiter_count_wrong(discount->limiter, exchange->caller.user_id, exchange->remote_address, now_monotonic_us);
    }
    if (wait_s > 0)
        refuse_guesser(exchange, wait_s);
    else if (operation->idempotency.key.size != 0)
        submit(operation, now_us);
    else if (slot == NULL)
        answer_here(operation, NULL, REFUSED_CODE_NOT_FOUND, 0, now_us);
    else
        redeem_from_board(operation, slot, now_us);
}
