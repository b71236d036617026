/* POST /v1/redemptions/{id}/reversal: an admin takes a redemption back. States and crash points: core/reversal.h.
 *
 * Read first, on the loop or by a reader: which code it was made with never changes, and the store must be told what to load. */
#include "discount/reversal.h"

#include <inttypes.h>

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/working_set.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/request.h"

#define ANSWER_ROOM (2048u + REVERSAL_REASON_BYTES)

struct reversal_request {
    struct discount_operation base; /* first */
    struct reversal_subject subject;
    struct reversal_words words; /* in the arena */
    bool is_recovering;
    enum reversal_verdict verdict;
};

static struct reversal_request *request_of(struct operation *operation) { return (struct reversal_request *)operation; }

/* ---- in the store ---- */

static void load(struct engine *engine, struct operation *operation) {
    working_set_ask_to_reverse(engine, &request_of(operation)->subject);
}

static const struct campaign *note_redemption(struct engine *engine, struct operation *operation, const struct redemption *redemption) {
    struct working_set *set = engine_set(engine);
    struct discount_operation *self = discount_operation_of(operation);
    const struct campaign *campaign = campaign_by_number(&set->campaigns, redemption->campaign_number);
    self->redemption = *redemption;
    self->campaign_id = campaign->id;
    self->credit = campaign->credit;
    return campaign;
}

/* What it was, and what it is: with the sequence of its campaign, whose listeners are told (changes.c). */
struct reversal_state {
    int64_t sequence;
    const char *status, *slot; /* NULL: none */
};

static struct text print_state(struct operation *operation, struct id redemption_id, const struct reversal_state *state) {
    char id[ID_TEXT_BYTES];
    id_format(redemption_id, id);
    bool has_slot = state->slot != NULL;
    return arena_print(operation->arena, "{\"sequence\":%" PRId64 ",\"redemption_id\":\"%.*s\",\"status\":\"%s\"%s%s%s}", state->sequence,
                       (int)sizeof id, id, state->status, has_slot ? ",\"slot\":\"" : "", has_slot ? state->slot : "",
                       has_slot ? "\"" : "");
}

static void note_act(struct engine *engine, struct operation *operation, const struct campaign *campaign,
                     const struct reversal_state *before, int64_t now_us) {
    const struct reversal_request *self = request_of(operation);
    const struct redemption *redemption = &self->base.redemption;
    const struct reversal_state after = {campaign->sequence, redemption_status_name(redemption->status),
                                         reversal_slot_name(self->words.slot)};
    audit_note(engine, operation, "redemption.reverse", campaign->id, print_state(operation, redemption->id, before),
               print_state(operation, redemption->id, &after), now_us);
}

static bool is_recovering(const struct working_set *set, const struct redemption *redemption) {
    return books_are_recovering(board_books(board_slot(set->board, redemption->campaign_number - 1)));
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct reversal_request *self = request_of(operation);
    discount_forget_outcome(&self->base, now_us);
    struct redemption *redemption = redemption_by_id(&set->campaigns, self->subject.redemption_id);
    struct reversal_state before = {0};
    if (redemption != NULL)
        before = (struct reversal_state){.sequence = campaign_by_number(&set->campaigns, redemption->campaign_number)->sequence,
                                         .status = redemption_status_name(redemption->status)};
    self->is_recovering = redemption != NULL && is_recovering(set, redemption);
    if (self->is_recovering) return; /* whether its place is another's by now is being found out */
    const struct reversal_command command = {self->subject.redemption_id, self->words.slot, self->words.reason};
    self->verdict = campaign_reverse(&set->campaigns, &command, now_us, &redemption);
    if (redemption == NULL) return;
    const struct campaign *campaign = note_redemption(engine, operation, redemption);
    bool is_done = self->verdict == REVERSAL_DONE;
    if (!is_done && self->verdict != REVERSAL_REPEATED) return;
    if (is_done) {
        discount_note_change(&self->base, campaign, "redemption_reversal_begun");
        note_act(engine, operation, campaign, &before, now_us);
        /* An order's is over at once, and whoever is promoted has all that he gets. What money follows is left to the settler, who sends it. */
        if (redemption->status == REDEMPTION_REVERSED)
            (void)working_set_promote(engine, campaign_by_number(&set->campaigns, campaign->number), now_us);
    }
    operation->subject = redemption->id;
    if (redemption->status == REDEMPTION_REVERSING && !operation->is_dry_run) operation->fate = FATE_WAITING; /* for its money */
}

static const struct redemption *note_subject(struct engine *engine, struct operation *operation) {
    struct working_set *set = engine_set(engine);
    const struct redemption *redemption = redemption_by_id(&set->campaigns, operation->subject);
    CHECK(redemption != NULL); /* it came along with the answer that waits for it */
    (void)note_redemption(engine, operation, redemption);
    request_of(operation)->verdict = REVERSAL_REPEATED;
    request_of(operation)->is_recovering = false;
    return redemption;
}

static bool waits(struct engine *engine, struct operation *operation) {
    discount_forget_outcome(discount_operation_of(operation), 0);
    return note_subject(engine, operation)->status == REDEMPTION_REVERSING;
}

static void decide_again(struct engine *engine, struct operation *operation, int64_t now_us) {
    discount_operation_of(operation)->decided_us = now_us;
    (void)note_subject(engine, operation);
}

static void render(struct operation *operation) {
    static const char unknown[] = "There is no such redemption.";
    static const char open[] = "It is not credited: it waits, is on its way, or has failed.";
    static const char otherwise[] = "It is taken back already, with another slot or another reason.";
    const struct text none = {NULL, 0};
    const struct reversal_request *self = request_of(operation);
    if (self->is_recovering) {
        const struct refusal_rule *rule = refusal_rule(REFUSED_RECOVERING);
        operation_answer_problem(operation, &(struct problem){rule->status, rule->code, rule->title}, none, NULL, rule->detail);
        return;
    }
    switch (self->verdict) {
    case REVERSAL_DONE:
    case REVERSAL_REPEATED: answer_reversed(operation, &self->words); return;
    case REVERSAL_NOT_FOUND: operation_answer_problem(operation, &problem_redemption_not_found, none, NULL, unknown); return;
    case REVERSAL_NOT_CREDITED: operation_answer_problem(operation, &problem_redemption_not_credited, none, NULL, open); return;
    case REVERSAL_OTHERWISE: operation_answer_problem(operation, &problem_reversed_otherwise, none, NULL, otherwise); return;
    }
}

static const struct action reverse_action = {.name = "reverse",
                                             .weight = REVERSAL_WEIGHT,
                                             .answer_bytes = ANSWER_ROOM,
                                             .load = load,
                                             .decide = decide,
                                             .waits = waits,
                                             .decide_again = decide_again,
                                             .render = render,
                                             .committed = discount_committed,
                                             .send = discount_send};

/* ---- the request ---- */

struct subject_reading {
    struct reading reading; /* first */
    struct reversal_request *request;
    struct id id;
    struct found_redemption found;
};

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct subject_reading *self = (struct subject_reading *)reading;
    (void)round;
    self->found.is_found = false;
    ask_redemption(batch, self->id, redemption_found, &self->found);
    return false;
}

static void submit(struct reading *reading) {
    struct subject_reading *self = (struct subject_reading *)reading;
    struct reversal_request *request = self->request;
    const struct redemption *redemption = &self->found.redemption;
    reading->exchange->operation = request;
    request->subject.redemption_id = self->id;
    if (self->found.is_found)
        request->subject =
            (struct reversal_subject){redemption->id, redemption->code_batch, redemption->code_index, redemption->campaign_number};
    operation_submit(&request->base.operation);
}

static bool read_body(struct exchange *exchange, struct reversal_request *request) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    struct text reason = {0}, slot = {0};
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    const struct json_member members[] = {
        {.name = "reason", .kind = JSON_TEXT, .target = &reason, .required = true, .min = 1, .max = REVERSAL_REASON_CHARACTERS},
        {.name = "slot", .kind = JSON_TEXT, .target = &slot, .required = true},
    };
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    if (slot.data != NULL && !result_is_ok(reversal_slot_named(slot, &request->words.slot)))
        faults_add(&faults, "slot", "invalid_choice", "must be return, burn or promote");
    if (request_refuse_faults(exchange, &faults)) return false;
    request->words.reason = arena_copy(&exchange->arena, reason);
    if (request->words.reason.data == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    operation_read_key(&request->base.operation, root);
    return true;
}

void redemptions_reverse(struct exchange *exchange) {
    struct id id = {{0}};
    struct reversal_request *request = NULL;
    struct subject_reading *reading = NULL;
    bool is_id = result_is_ok(id_parse(exchange->parameters[0], &id)) && !id_is_zero(id);
    if (!is_id)
        problem_reply(exchange, &problem_redemption_not_found, "There is no such redemption.");
    else
        request = discount_begin(exchange, &reverse_action, sizeof *request);
    if (request != NULL && read_body(exchange, request)) reading = reading_begin(exchange, ask, submit, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    request->base.is_reversal = true;
    reading->request = request;
    reading->id = id;
    reading_start(&reading->reading);
}
