/* POST /v1/redemptions.
 *
 * Most of a crowd comes too late. What can be said for certain from what is published is said here, on the loop; everything that may take a place, or that
 * keeps an answer for an Idempotency-Key or may find one, goes to the store. */
#include "discount/redeem.h"

#include <string.h>

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/opening.h"
#include "discount/requests.h"
#include "discount/tables_eligible.h"
#include "discount/working_codes.h"
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

/* Of one that is archived the board knows which it is. */
static const struct campaign *bring_campaign(struct engine *engine, const struct redeem_request *redeem) {
    struct working_set *set = engine_set(engine);
    const struct campaign *campaign = redeem_campaign(&set->campaigns, redeem);
    if (campaign != NULL || redeem->found.batch != 0)
        return campaign != NULL ? campaign : working_set_bring(engine, redeem->found.campaign_number);
    const struct board_slot *slot = redeem->code.size == 0 ? NULL : board_find_code(set->board, &redeem->code);
    return slot == NULL ? NULL : working_set_bring(engine, slot->number);
}

static void load(struct engine *engine, struct operation *operation) {
    struct working_set *set = engine_set(engine);
    struct redeem_request *redeem = &request_of(operation)->redeem;
    const struct campaign *campaign = bring_campaign(engine, redeem);
    redeem->is_recovering = campaign != NULL && books_are_recovering(board_books(board_slot(set->board, campaign->number - 1)));
    if (redeem->found.batch != 0) CHECK(working_codes_ask(engine, redeem->found.batch, redeem->found.index)); /* by its weight */
    if (campaign == NULL) return;
    working_set_ask_rivals(engine, campaign, redeem);
    working_set_ask_listed(engine, campaign, redeem);
}

/* When what is refused so may be tried again, for its Retry-After. */
static int64_t again_at(const struct campaign *campaign, const struct redeem_request *redeem, enum refusal refusal) {
    if (refusal == REFUSED_DAILY_LIMIT) return campaign->day_ends_at_us;
    return redeem->opens_at_us > campaign->starts_at_us ? redeem->opens_at_us : campaign->starts_at_us;
}

static void look_at_clock(const struct working_set *set, const struct campaign *campaign, struct redeem_request *redeem, int64_t now_us) {
    const struct moment moment = working_set_moment(set, campaign, now_us);
    redeem->opens_at_us = moment.opens_at_us;
    redeem->day = moment.day;
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct redemption_request *self = request_of(operation);
    struct discount_operation *base = &self->base;
    struct campaign *campaign = redeem_campaign(&set->campaigns, &self->redeem);
    if (campaign != NULL) look_at_clock(set, campaign, &self->redeem, now_us);
    struct redemption *redemption;
    discount_forget_outcome(base, now_us);
    self->redeem.redemption_id = base->id;
    struct redeem_verdict verdict = campaign_redeem(&set->campaigns, &self->redeem, now_us, &campaign, &redemption);
    if (campaign != NULL) base->campaign_number = campaign->number;
    if (redemption == NULL) {
        note_refusal(base, verdict.refusal, campaign == NULL ? 0 : again_at(campaign, &self->redeem, verdict.refusal));
        return;
    }
    base->refusal = verdict.refusal;
    bool is_waiting = redemption->status == REDEMPTION_WAITING, joins = verdict.step == REDEEM_WAIT;
    if (joins) base->refusal = NOT_REFUSED;
    note_redemption(base, redemption, campaign->id, campaign->credit);
    line_show(&base->redemption, campaign->called, campaign_gate(campaign_times(campaign), now_us) == GATE_ENDED);
    operation->is_maker = verdict.step == REDEEM_CLAIM || joins;
    bool is_noted = is_waiting && operation->idempotency.key.size != 0; /* its key finds it again, though the answer is not final */
    if (redemption->status == REDEMPTION_CLAIMED || (is_noted && base->redemption.status == REDEMPTION_WAITING))
        operation->fate = FATE_WAITING;
}

static struct redemption *note_subject(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct redemption *redemption = redemption_by_id(&set->campaigns, operation->subject);
    CHECK(redemption != NULL); /* it came along with the answer that waits for it */
    const struct campaign *campaign = campaign_by_number(&set->campaigns, redemption->campaign_number);
    note_redemption(discount_operation_of(operation), redemption, campaign->id, campaign->credit);
    line_show(&discount_operation_of(operation)->redemption, campaign->called,
              campaign_gate(campaign_times(campaign), now_us) == GATE_ENDED);
    return redemption;
}

static bool waits(struct engine *engine, struct operation *operation) {
    discount_forget_outcome(discount_operation_of(operation), 0); /* the attempt was counted the first time */
    return note_subject(engine, operation, 0)->status == REDEMPTION_CLAIMED;
}

static void decide_again(struct engine *engine, struct operation *operation, int64_t now_us) {
    discount_operation_of(operation)->decided_us = now_us;
    (void)note_subject(engine, operation, now_us);
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

/* Unknown, mistyped, or dead: the same answer, and one guess less. */
static void refuse_code(struct redemption_request *request, int64_t now_us) {
    struct exchange *exchange = request->base.operation.exchange;
    limiter_count_wrong(request->base.discount->limiter, &request->guesser, exchange->received_monotonic_us);
    if (may_refuse_here(request, REFUSED_CODE_NOT_FOUND))
        refuse_here(request, NULL, REFUSED_CODE_NOT_FOUND, 0, now_us);
    else
        submit(request, now_us);
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
    board_show(slot, &request->base.redemption, now_us);
    answer_here(request);
}

/* What is known without the store, and what is decided of it. */
struct outlook {
    const struct board *board;
    const struct board_slot *slot;
    const struct redeem_request *request;
    struct campaign_view view;
    int64_t gift_minor;
    struct redeem_facts facts;
    struct redeem_verdict verdict;
};

/* When what is refused so may be tried again, for its Retry-After. */
static int64_t shown_again_at(const struct outlook *outlook, enum refusal refusal) {
    if (refusal == REFUSED_DAILY_LIMIT) return outlook->view.day_ends_at_us;
    return outlook->facts.opens_at_us > outlook->view.starts_at_us ? outlook->facts.opens_at_us : outlook->view.starts_at_us;
}

static struct limits limits_of(const struct campaign_view *view, const struct redeem_request *redeem, int64_t gift_minor, int64_t now_us) {
    const struct campaign_rules *rules = &view->rules;
    return (struct limits){.max_per_user = rules->max_per_user,
                           .of_user = rules->max_per_user == 1 ? 0 : -1, /* of one, it is the user's own that is asked for */
                           .max_per_phone = rules->max_per_phone,
                           .of_phone = -1,
                           .min_order_minor = rules->min_order_minor,
                           .order_minor = redeem->order.amount_minor,
                           .places = view->max_redemptions,
                           .taken = campaign_counted_places(view->max_redemptions, view->redeemed, view->returned),
                           .waiting = view->waiting,
                           .waiting_list = line_length(rules->waiting_list, view->lined_up),
                           .budget_minor = rules->budget_minor,
                           .spent_minor = view->spent_minor,
                           .gift_minor = gift_minor,
                           .ordered_minor = view->ordered_minor,
                           .max_per_day = rules->max_per_day,
                           .of_day =
                               campaign_taken_today(view->redeemed - view->day_returned, view->day_before, view->day_ends_at_us, now_us),
                           .funded = view->funded_places};
}

static bool is_code_dead(const struct redemption_request *request) {
    const struct code_found *found = &request->redeem.found;
    if (found->batch == 0) return false;
    const struct code_slot *slot = code_board_slot(request->base.discount->codes, found->batch);
    return code_slot_state(slot, found->index, request->base.operation.exchange->arrived_us) != CODE_ACTIVE;
}

static int64_t opens_at(const struct discount *discount, const struct board_slot *slot, const struct schedule *schedule, int64_t now_us) {
    if (schedule->days == 0) return 0;
    const struct zone *zone = atomic_load(&slot->zone);
    if (zone == NULL) zone = discount->zone;
    return zone == NULL ? 0 : schedule_opens_at(schedule, zone, now_us);
}

/* Whoever only wants to know may do so before there is an order, and his account may have no number. */
static void forget_what_is_not_asked(struct redeem_facts *facts, const struct redeem_request *redeem) {
    if (facts->order_refusal == REFUSED_ORDER_MISSING) {
        facts->order_refusal = NOT_REFUSED;
        facts->limits.min_order_minor = 0;
    }
    if (redeem->phone.size == 0) facts->limits.of_phone = 0;
}

static void begin_outlook(struct outlook *outlook, const struct redemption_request *request, const struct board_slot *slot,
                          int64_t now_us) {
    const struct redeem_request *redeem = &request->redeem;
    *outlook = (struct outlook){.board = request->base.discount->board, .slot = slot, .request = redeem, .view = board_view(slot)};
    const struct campaign_view *view = &outlook->view;
    const struct campaign_rules *rules = &view->rules;
    const struct money amount = {view->credit_minor, slot->currency};
    enum refusal order_refusal = redeem_order_refusal(rules, slot->currency, redeem);
    if (order_refusal == NOT_REFUSED) outlook->gift_minor = rules_gift_minor(rules, amount, redeem->order.amount_minor);
    outlook->facts = (struct redeem_facts){.has_campaign = true,
                                           .is_code_dead = is_code_dead(request),
                                           .is_recovering = books_are_recovering(board_books(slot)),
                                           .phone_refusal = redeem_phone_refusal((enum phone_rule)view->phone_rule, redeem),
                                           .times = view_times(view),
                                           .is_unapproved = view->is_unapproved != 0,
                                           .opens_at_us = opens_at(request->base.discount, slot, &rules->schedule, now_us),
                                           .order_refusal = order_refusal,
                                           .is_too_young = redeem_is_too_young(rules, redeem->user_id, now_us),
                                           .has_list = rules->has_list != 0,
                                           .limits = limits_of(view, redeem, outlook->gift_minor, now_us)};
    if (rules->max_per_user > 1 && redeem->order.reference_size == 0) outlook->facts.has_own = IS_NOT; /* each is a new one */
    if (request->is_validation) forget_what_is_not_asked(&outlook->facts, redeem);
}

/* Decides, with what the filter of winners knows; true: a row must be looked up first (.verdict.step says which). */
static bool needs_row(struct outlook *outlook, int64_t now_us) {
    for (;;) {
        outlook->verdict = redeem_decide(&outlook->facts, now_us);
        switch (outlook->verdict.step) {
        case REDEEM_ASK_OWN:
            if (board_may_be_user(outlook->board, outlook->slot, outlook->request->user_id)) return true;
            outlook->facts.has_own = IS_NOT;
            break;
        case REDEEM_ASK_USER:
            if (board_may_be_user(outlook->board, outlook->slot, outlook->request->user_id)) return true;
            outlook->facts.limits.of_user = 0;
            break;
        case REDEEM_ASK_PHONE:
            if (board_may_be_phone(outlook->board, outlook->slot, &outlook->request->phone)) return true;
            outlook->facts.limits.of_phone = 0;
            break;
        case REDEEM_ASK_LISTED: return true;
        case REDEEM_CLAIM:
        case REDEEM_WAIT:
        case REDEEM_REPEAT:
        case REDEEM_REFUSE: return false;
        }
    }
}

/* The place that would be taken, as it stands before its credit, or the one in the line. */
static void answer_dry_run(struct redemption_request *request, const struct outlook *outlook, int64_t now_us) {
    const struct redeem_request *redeem = &request->redeem;
    const struct board_slot *slot = outlook->slot;
    bool is_waiting = outlook->verdict.step == REDEEM_WAIT, is_of_order = slot->is_of_orders && !is_waiting;
    discount_forget_outcome(&request->base, now_us);
    discount_make_id(&request->base, now_us);
    const struct redemption redemption = {.id = request->base.id,
                                          .campaign_number = slot->number,
                                          .position = is_waiting ? LINE_BASE + outlook->view.lined_up + 1 : outlook->view.redeemed + 1,
                                          .rank = outlook->view.lined_up + 1 - outlook->view.called,
                                          .user_id = redeem->user_id,
                                          .phone = redeem->phone,
                                          .status = is_waiting    ? REDEMPTION_WAITING
                                                    : is_of_order ? REDEMPTION_APPLIED
                                                                  : REDEMPTION_CLAIMED,
                                          .claimed_at_us = now_us,
                                          .order = redeem->order,
                                          .discount_minor = is_of_order ? outlook->gift_minor : 0};
    request->base.refusal = NOT_REFUSED;
    note_redemption(&request->base, &redemption, slot->id, board_credit(slot));
    answer_here(request);
}

static const char *detail_of(const struct outlook *outlook, const struct redemption *own, enum refusal refusal) {
    bool would_wait = outlook != NULL && outlook->verdict.step == REDEEM_WAIT;
    bool waits = own != NULL && refusal == REFUSED_ALREADY_REDEEMED && own->status == REDEMPTION_WAITING;
    if (waits) return "You wait for a place.";
    return would_wait ? "All places are taken: who redeems now waits for one." : refusal_rule(refusal)->detail;
}

/* `outlook` NULL: no campaign has the code; `own` NULL: nothing of the user's was looked up. */
static void answer_validation(struct redemption_request *request, const struct outlook *outlook, const struct redemption *own,
                              enum refusal refusal) {
    struct exchange *exchange = request->base.operation.exchange;
    if (refusal == REFUSED_ORDER_CURRENCY) {
        struct faults faults;
        faults_init(&faults, &exchange->arena);
        faults_add(&faults, "order.currency", "currency_mismatch", "must be the campaign's currency");
        (void)request_refuse_faults(exchange, &faults);
        exchange_finish(exchange);
        return;
    }
    if (refusal == REFUSED_CODE_NOT_FOUND)
        limiter_count_wrong(request->base.discount->limiter, &request->guesser, exchange->received_monotonic_us);
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, 512);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_boolean_member(&writer, "valid", refusal == NOT_REFUSED);
    if (refusal != NOT_REFUSED) {
        json_text_member(&writer, "code", text_of(refusal_rule(refusal)->code));
        json_text_member(&writer, "detail", text_of(detail_of(outlook, own, refusal)));
    } else if (!outlook->slot->is_of_orders) {
        json_key(&writer, "credit");
        json_put_money(&writer, board_credit(outlook->slot));
    } else if (request->redeem.order.reference_size != 0) {
        answer_write_discount(&writer, outlook->gift_minor, request->redeem.order.amount_minor, outlook->slot->currency);
    }
    json_end_object(&writer);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

static void answer_outlook(struct redemption_request *request, const struct outlook *outlook, const struct redemption *own) {
    int64_t now_us = request->base.operation.exchange->arrived_us;
    const struct redeem_verdict verdict = outlook->verdict;
    bool has_key = request->base.operation.idempotency.key.size != 0;
    if (request->is_validation)
        answer_validation(request, outlook, own, verdict.step == REDEEM_CLAIM ? NOT_REFUSED : verdict.refusal);
    else if (verdict.step == REDEEM_REPEAT && !has_key)
        answer_winner(request, outlook->slot, own, now_us);
    else if (verdict.step == REDEEM_REFUSE && verdict.refusal == REFUSED_CODE_NOT_FOUND)
        refuse_code(request, now_us);
    else if (verdict.step == REDEEM_REFUSE && may_refuse_here(request, verdict.refusal))
        refuse_here(request, outlook->slot, verdict.refusal, shown_again_at(outlook, verdict.refusal), now_us);
    else if (request->base.operation.is_dry_run)
        answer_dry_run(request, outlook, now_us);
    else
        submit(request, now_us);
}

/* ---- with a look into the database, which sees every commit that the view stands on ---- */

struct redeem_reading {
    struct reading reading;
    struct redemption_request *request;
    struct outlook outlook;
    struct found_redemption own, of_phone;
    int64_t count;
    bool is_listed;
};

static enum knowledge known(const struct found_redemption *found) { return found->is_found ? IS_SO : IS_NOT; }

static struct result visit_count(void *context, const struct row *row) {
    *(int64_t *)context = row_integer(row, 2);
    return result_ok();
}

/* What the last round has found. */
static void take_answers(struct redeem_reading *self) {
    struct redeem_facts *facts = &self->outlook.facts;
    const struct campaign_rules *rules = &self->outlook.view.rules;
    switch (self->outlook.verdict.step) {
    case REDEEM_ASK_OWN:
        facts->has_own = known(&self->own);
        facts->is_own_code = self->own.is_found && redeem_is_by(&self->own.redemption, &self->outlook.request->found);
        facts->is_another_order = self->own.is_found && redeem_is_another_order(&self->own.redemption.order, &self->outlook.request->order);
        return;
    case REDEEM_ASK_USER: facts->limits.of_user = self->count; return;
    case REDEEM_ASK_PHONE: facts->limits.of_phone = rules->max_per_phone == 1 ? self->of_phone.is_found : self->count; return;
    case REDEEM_ASK_LISTED: facts->is_listed = self->is_listed ? IS_SO : IS_NOT; return;
    case REDEEM_CLAIM:
    case REDEEM_WAIT:
    case REDEEM_REPEAT:
    case REDEEM_REFUSE: return;
    }
}

static struct result visit_listed(void *context, const struct row *row) {
    (void)row;
    *(bool *)context = true;
    return result_ok();
}

static void ask_listed(struct redeem_reading *self, struct batch *batch) {
    const struct redeem_request *request = self->outlook.request;
    uint32_t number = self->outlook.slot->number;
    ask_eligible_user(batch, number, request->user_id, visit_listed, &self->is_listed);
    if (request->phone.size > 0) ask_eligible_phone(batch, number, &request->phone, visit_listed, &self->is_listed);
}

static void ask_own(struct redeem_reading *self, struct batch *batch) {
    const struct redeem_request *request = self->outlook.request;
    uint32_t number = self->outlook.slot->number;
    if (self->outlook.view.rules.max_per_user == 1)
        ask_redemption_of_user(batch, number, request->user_id, redemption_found, &self->own);
    else
        ask_redemption_of_order(batch, number, request->user_id, order_reference(&request->order), redemption_found, &self->own);
}

static void ask_phone(struct redeem_reading *self, struct batch *batch) {
    const struct phone *phone = &self->outlook.request->phone;
    if (self->outlook.view.rules.max_per_phone == 1)
        ask_redemption_of_phone(batch, self->outlook.slot->number, phone, redemption_found, &self->of_phone);
    else
        ask_count_of_phone(batch, self->outlook.slot->number, phone, visit_count, &self->count);
}

static bool ask_what_is_needed(struct reading *reading, struct batch *batch, uint32_t round) {
    struct redeem_reading *self = (struct redeem_reading *)reading;
    struct outlook *outlook = &self->outlook;
    if (round == 0) {
        begin_outlook(outlook, self->request, outlook->slot, reading->exchange->arrived_us);
        self->own.is_found = self->of_phone.is_found = false;
    } else {
        take_answers(self);
    }
    self->count = 0;
    self->is_listed = false;
    if (!needs_row(outlook, reading->exchange->arrived_us)) return false;
    switch (outlook->verdict.step) {
    case REDEEM_ASK_OWN: ask_own(self, batch); break;
    case REDEEM_ASK_USER: ask_count_of_user(batch, outlook->slot->number, outlook->request->user_id, visit_count, &self->count); break;
    case REDEEM_ASK_PHONE: ask_phone(self, batch); break;
    case REDEEM_ASK_LISTED: ask_listed(self, batch); break;
    case REDEEM_CLAIM:
    case REDEEM_WAIT:
    case REDEEM_REPEAT:
    case REDEEM_REFUSE: break;
    }
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
    begin_outlook(&outlook, request, slot, now_us);
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

/* `order` NULL: there is none. */
static void read_order(const struct json_value *order, struct redeem_request *redeem, struct faults *faults) {
    if (order == NULL) return;
    struct text reference = {0};
    struct money amount = {0};
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &reference, .required = true, .min = 1, .max = ORDER_REFERENCE_BYTES},
        JSON_MONEY_MEMBERS(&amount),
    };
    json_read(order, "order.", members, ARRAY_COUNT(members), faults);
    if (reference.size > ORDER_REFERENCE_BYTES) {
        faults_add(faults, "order.reference", "too_long", "must be at most %u bytes", ORDER_REFERENCE_BYTES);
        return;
    }
    if (reference.size > 0) memcpy(redeem->order.reference, reference.data, reference.size);
    redeem->order.reference_size = (uint8_t)reference.size;
    redeem->order.amount_minor = amount.amount_minor;
    redeem->order_currency = amount.currency;
}

/* What comes from outside, checked; false when the answer is set. */
static bool read_redeem(struct exchange *exchange, struct redemption_request *request) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    struct text code = {0}, phone = {0};
    const struct json_value *order = NULL;
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    const struct json_member members[] = {
        {.name = "code", .kind = JSON_TEXT, .target = &code, .required = true, .min = 1, .max = CODE_TYPED_MAX},
        {.name = "order", .kind = JSON_OBJECT, .target = &order},
        {.name = "phone", .kind = JSON_TEXT, .target = &phone, .required = true, .min = 1, .max = CODE_TYPED_MAX},
    };
    json_read(root, "", members, ARRAY_COUNT(members) - request->is_validation, &faults); /* which is of the account's own number */
    struct redeem_request *redeem = &request->redeem;
    read_order(order, redeem, &faults);
    if (phone.size > 0 && !result_is_ok(phone_parse(phone, request->base.discount->region, &redeem->phone))) {
        faults_add(&faults, "phone", "invalid_format", PHONE_FAULT);
    }
    if (request_refuse_faults(exchange, &faults)) return false;
    if (!result_is_ok(code_parse(code, &redeem->code))) redeem->code.size = 0; /* no code looks like this: unknown */
    redeem->user_id = exchange->caller.user_id;
    redeem->account_phone = exchange->caller.phone;
    redeem->is_account_phone_verified = exchange->caller.is_phone_verified;
    if (request->is_validation) redeem->phone = redeem->account_phone;
    operation_name_key(&request->base.operation);
    return true;
}

/* A campaign's own code, or one of its batches'. NULL: neither. */
static const struct board_slot *find_slot(const struct discount *discount, struct redeem_request *redeem, enum code_finding *ret_finding) {
    const struct board_slot *slot = board_find_code(discount->board, &redeem->code);
    *ret_finding = CODE_UNKNOWN;
    if (slot != NULL || redeem->code.size == 0) return slot;
    *ret_finding = code_board_find(discount->codes, &redeem->code, &redeem->found);
    return *ret_finding == CODE_FOUND ? board_slot(discount->board, redeem->found.campaign_number - 1) : NULL;
}

/* Nothing else of the campaign can change what redeem_decide says of it: so it takes no longer than a code that never was. */
static bool is_strangers_dead_code(const struct redemption_request *request, const struct board_slot *slot) {
    return is_code_dead(request) && !board_may_be_user(request->base.discount->board, slot, request->redeem.user_id);
}

/* False: there were too many wrong codes before this one, and the answer is set. */
static bool may_try(struct redemption_request *request) {
    struct exchange *exchange = request->base.operation.exchange;
    request->guesser = (struct guesser){.user_id = exchange->caller.user_id, .payer = exchange_payer(exchange)};
    int64_t wait_us =
        limiter_wait_us(request->base.discount->limiter, &request->guesser, exchange->received_monotonic_us); /* it has just arrived */
    if (wait_us > 0) request_refuse_tries(exchange, wait_us, "Too many wrong codes. Try again later.");
    return wait_us <= 0;
}

void redemptions_create(struct exchange *exchange) {
    struct redemption_request *request = discount_begin(exchange, &redeem_action, sizeof *request);
    if (request == NULL || !read_redeem(exchange, request) || !may_try(request)) {
        exchange_finish(exchange);
        return;
    }
    int64_t now_us = exchange->arrived_us;
    enum code_finding finding;
    const struct board_slot *slot = find_slot(request->base.discount, &request->redeem, &finding);
    if (slot != NULL && is_strangers_dead_code(request, slot)) {
        refuse_code(request, now_us);
    } else if (slot != NULL) {
        redeem_from_board(request, slot, now_us);
    } else if (finding == CODE_UNREADABLE) {
        problem_reply(exchange, &problem_code_key_missing, "It can't be told now whether there is such a code. Nothing was done.");
        exchange_finish(exchange);
    } else {
        refuse_code(request, now_us);
    }
}

/* Nothing is taken and nothing counted, but for a wrong code. */
void redemptions_validate(struct exchange *exchange) {
    struct redemption_request *request = discount_begin(exchange, &redeem_action, sizeof *request);
    if (request != NULL) request->is_validation = true;
    if (request == NULL || !read_redeem(exchange, request) || !may_try(request)) {
        exchange_finish(exchange);
        return;
    }
    enum code_finding finding;
    const struct board_slot *slot = find_slot(request->base.discount, &request->redeem, &finding);
    if (slot != NULL) {
        redeem_from_board(request, slot, exchange->arrived_us);
    } else if (finding == CODE_UNREADABLE) {
        problem_reply(exchange, &problem_code_key_missing, "It can't be told now whether there is such a code.");
        exchange_finish(exchange);
    } else {
        answer_validation(request, NULL, NULL, REFUSED_CODE_NOT_FOUND);
    }
}
