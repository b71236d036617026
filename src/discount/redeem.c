/* POST /v1/redemptions.
 *
 * Most of a crowd comes too late. What can be said for certain from what is published is said here, on the loop; everything that may take a place, or that
 * keeps an answer for an Idempotency-Key or may find one, goes to the store. */
#include "discount/redeem.h"

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/tables.h"
#include "discount/working_set.h"
#include "service/reading.h"
#include "service/request.h"

#define ANSWER_ROOM    2048u
#define CODE_TYPED_MAX 4096 /* characters; longer than any code with its separators: the body's own limit does the rest */

static struct redemption_request *request_of(struct operation *operation) { return (struct redemption_request *)operation; }

/* ---- the outcome ---- */

static void note_refusal(struct discount_operation *self, enum refusal refusal, int64_t starts_at_us) {
    self->refusal = refusal;
    self->starts_at_us = starts_at_us;
    self->operation.is_passing = !refusal_rule(refusal)->is_kept;
}

static void note_redemption(struct discount_operation *self, const struct redemption *redemption, struct id campaign_id,
                            struct money credit) {
    self->redemption = *redemption;
    self->campaign_id = campaign_id;
    self->credit = credit;
    self->operation.subject = redemption->id;
}

/* ---- in the store ---- */

static void load(struct engine *engine, struct operation *operation) {
    struct working_set *set = engine_set(engine);
    struct redeem_request *redeem = &request_of(operation)->redeem;
    const struct campaign *campaign = campaign_by_code(&set->campaigns, &redeem->code);
    redeem->is_recovering = campaign != NULL && board_books(board_slot(set->board, campaign->number - 1)) == BOOKS_RECOVERING;
    if (campaign != NULL) working_set_ask_rivals(engine, campaign->number, redeem->user_id, &redeem->phone);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct redemption_request *self = request_of(operation);
    struct discount_operation *base = &self->base;
    struct campaign *campaign;
    struct redemption *redemption;
    discount_forget_outcome(base, now_us);
    self->redeem.redemption_id = base->id;
    struct redeem_verdict verdict = campaign_redeem(&set->campaigns, &self->redeem, now_us, &campaign, &redemption);
    if (campaign != NULL) base->campaign_number = campaign->number;
    if (redemption == NULL) {
        note_refusal(base, verdict.refusal, campaign == NULL ? 0 : campaign->starts_at_us);
        return;
    }
    base->refusal = verdict.refusal;
    note_redemption(base, redemption, campaign->id, campaign->credit);
    if (redemption->status != REDEMPTION_CLAIMED) return;
    operation->fate = FATE_WAITING;
    operation->is_maker = verdict.step == REDEEM_CLAIM;
}

static struct redemption *note_subject(struct engine *engine, struct operation *operation) {
    struct working_set *set = engine_set(engine);
    struct redemption *redemption = redemption_by_id(&set->campaigns, operation->subject);
    CHECK(redemption != NULL); /* it came along with the answer that waits for it */
    const struct campaign *campaign = campaign_by_number(&set->campaigns, redemption->campaign_number);
    note_redemption(discount_operation_of(operation), redemption, campaign->id, campaign->credit);
    return redemption;
}

static bool waits(struct engine *engine, struct operation *operation) {
    discount_forget_outcome(discount_operation_of(operation), 0); /* the attempt was counted the first time */
    return note_subject(engine, operation)->status == REDEMPTION_CLAIMED;
}

static void decide_again(struct engine *engine, struct operation *operation, int64_t now_us) {
    discount_operation_of(operation)->decided_us = now_us;
    (void)note_subject(engine, operation);
}

const struct action redeem_action = {.name = "redeem",
                                     .weight = REDEMPTION_WEIGHT,
                                     .answer_bytes = ANSWER_ROOM,
                                     .load = load,
                                     .decide = decide,
                                     .waits = waits,
                                     .decide_again = decide_again,
                                     .render = answer_redeem,
                                     .committed = discount_committed,
                                     .send = discount_send};

/* ---- from what is published ---- */

static void answer_here(struct redemption_request *request) {
    if (request->base.operation.is_dry_run) {
        operation_send(&request->base.operation);
        return;
    }
    metric_add(&metric_answered_by_loop, 1);
    discount_send(&request->base.operation);
}

/* With a key: the fingerprint of what is asked, which only the store needs. False when the answer is set. */
static bool read_key(struct operation *operation) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    if (operation->idempotency.key.size == 0) return true;
    const struct json_value *root = request_open_body(operation->exchange, &faults, &document); /* it was read before */
    if (root != NULL) operation_read_key(operation, root);
    return root != NULL;
}

/* To the store, where it may become a redemption. */
static void submit(struct redemption_request *request, int64_t now_us) {
    struct operation *operation = &request->base.operation;
    if (!read_key(operation)) {
        exchange_finish(operation->exchange);
        return;
    }
    discount_make_id(&request->base, now_us);
    operation_submit(operation);
}

/* Whether the loop may answer: asked after the state was looked at that the answer stands on, for what was kept with it is published before it. */
static bool may_refuse_here(const struct redemption_request *request, enum refusal refusal) {
    if (request->base.operation.is_dry_run) return true;
    const struct idempotency_request *idempotency = &request->base.operation.idempotency;
    const struct refusal_rule *rule = refusal_rule(refusal);
    if (!rule->is_answered_by_loop) return false;
    return idempotency->key.size == 0 || (!rule->is_kept && !board_may_be_kept(request->base.discount->board, &idempotency->lookup));
}

static void refuse_here(struct redemption_request *request, const struct board_slot *slot, enum refusal refusal, int64_t starts_at_us,
                        int64_t now_us) {
    discount_forget_outcome(&request->base, now_us);
    if (slot != NULL) request->base.campaign_number = slot->number;
    note_refusal(&request->base, refusal, starts_at_us);
    answer_here(request);
}

/* A winner's repeat. It needs no write, and so no disk that takes one; but one that still waits for its credit waits with its claim. */
static void answer_winner(struct redemption_request *request, const struct board_slot *slot, const struct redemption *redemption,
                          int64_t now_us) {
    if (redemption->status == REDEMPTION_CLAIMED && !request->base.operation.is_dry_run) {
        submit(request, now_us);
        return;
    }
    discount_forget_outcome(&request->base, now_us);
    request->base.campaign_number = slot->number;
    request->base.refusal = REFUSED_ALREADY_REDEEMED;
    note_redemption(&request->base, redemption, slot->id, board_credit(slot));
    answer_here(request);
}

/* The place that would be taken, as it stands before its credit. */
static void answer_dry_run(struct redemption_request *request, const struct board_slot *slot, int64_t position, int64_t now_us) {
    const struct redeem_request *redeem = &request->redeem;
    discount_forget_outcome(&request->base, now_us);
    discount_make_id(&request->base, now_us);
    const struct redemption redemption = {.id = request->base.id,
                                          .campaign_number = slot->number,
                                          .position = position,
                                          .user_id = redeem->user_id,
                                          .phone = redeem->phone,
                                          .status = REDEMPTION_CLAIMED,
                                          .claimed_at_us = now_us};
    request->base.refusal = NOT_REFUSED;
    note_redemption(&request->base, &redemption, slot->id, board_credit(slot));
    answer_here(request);
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

static void begin_outlook(struct outlook *outlook, const struct redemption_request *request, const struct board_slot *slot) {
    *outlook =
        (struct outlook){.board = request->base.discount->board, .slot = slot, .request = &request->redeem, .view = board_view(slot)};
    outlook->facts = (struct redeem_facts){.has_campaign = true,
                                           .is_recovering = board_books(slot) == BOOKS_RECOVERING,
                                           .phone_refusal = redeem_phone_refusal(slot->phone_rule, &request->redeem),
                                           .times = view_times(&outlook->view),
                                           .places = outlook->view.max_redemptions,
                                           .taken = outlook->view.redeemed,
                                           .funded = outlook->view.funded_places};
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

static void answer_outlook(struct redemption_request *request, const struct outlook *outlook, const struct redemption *own) {
    int64_t now_us = request->base.operation.exchange->arrived_us;
    const struct redeem_verdict verdict = outlook->verdict;
    bool has_key = request->base.operation.idempotency.key.size != 0;
    if (verdict.step == REDEEM_REPEAT && !has_key)
        answer_winner(request, outlook->slot, own, now_us);
    else if (verdict.step == REDEEM_REFUSE && may_refuse_here(request, verdict.refusal))
        refuse_here(request, outlook->slot, verdict.refusal, outlook->view.starts_at_us, now_us);
    else if (request->base.operation.is_dry_run)
        answer_dry_run(request, outlook->slot, outlook->facts.taken + 1, now_us);
    else
        submit(request, now_us);
}

/* ---- with a look into the database, which sees every commit that the view stands on ---- */

struct redeem_reading {
    struct reading reading;
    struct redemption_request *request;
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
    reading->exchange->operation = self->request;
    answer_outlook(self->request, &self->outlook, &self->own.redemption);
}

static void redeem_from_board(struct redemption_request *request, const struct board_slot *slot, int64_t now_us) {
    struct exchange *exchange = request->base.operation.exchange;
    struct outlook outlook;
    begin_outlook(&outlook, request, slot);
    if (!needs_row(&outlook, now_us)) {
        answer_outlook(request, &outlook, NULL);
        return;
    }
    struct redeem_reading *reading = reading_begin(exchange, ask_what_is_needed, answer_reading, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->request = request;
    reading->outlook = outlook;
    reading_start(&reading->reading);
}

/* ---- POST ---- */

/* What comes from outside, checked; false when the answer is set. */
static bool read_redeem(struct exchange *exchange, struct redemption_request *request) {
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
    struct redeem_request *redeem = &request->redeem;
    if (phone.size > 0 && !result_is_ok(phone_parse(phone, request->base.discount->region, &redeem->phone))) {
        faults_add(&faults, "phone", "invalid_format", "must be a phone number");
    }
    if (request_refuse_faults(exchange, &faults)) return false;
    if (!result_is_ok(code_parse(code, &redeem->code))) redeem->code.size = 0; /* no code looks like this: unknown */
    redeem->user_id = exchange->caller.user_id;
    redeem->account_phone = exchange->caller.phone;
    redeem->is_account_phone_verified = exchange->caller.is_phone_verified;
    operation_name_key(&request->base.operation);
    return true;
}

void redemptions_create(struct exchange *exchange) {
    struct redemption_request *request = discount_begin(exchange, &redeem_action, sizeof *request);
    if (request == NULL || !read_redeem(exchange, request)) {
        exchange_finish(exchange);
        return;
    }
    struct discount *discount = request->base.discount;
    int64_t now_us = exchange->arrived_us, now_monotonic_us = exchange->received_monotonic_us; /* it has just arrived */
    const struct guesser guesser = {exchange->caller.user_id, exchange_payer(exchange)};
    int64_t wait_us = limiter_wait_us(discount->limiter, &guesser, now_monotonic_us);
    if (wait_us > 0) {
        request_refuse_tries(exchange, wait_us, "Too many wrong codes. Try again later.");
        exchange_finish(exchange);
        return;
    }
    const struct board_slot *slot = board_find_code(discount->board, &request->redeem.code);
    if (slot == NULL) limiter_count_wrong(discount->limiter, &guesser, now_monotonic_us);
    if (slot != NULL)
        redeem_from_board(request, slot, now_us);
    else if (may_refuse_here(request, REFUSED_CODE_NOT_FOUND))
        refuse_here(request, NULL, REFUSED_CODE_NOT_FOUND, 0, now_us);
    else
        submit(request, now_us);
}
