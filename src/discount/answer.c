#include "discount/answer.h"

#include <inttypes.h>
#include <stdio.h>

#define ANSWER_BYTES   640u
#define CAMPAIGN_BYTES 1280u

const struct problem problem_redemption_not_found = {404, "redemption_not_found", "Redemption not found"};
const struct problem problem_redemption_not_failed = {409, "redemption_not_failed", "Redemption not failed"};
const struct problem problem_redemption_not_credited = {409, "redemption_not_credited", "Redemption not credited"};
const struct problem problem_reversed_otherwise = {409, "reversed_otherwise", "Reversed otherwise"};
const struct problem problem_reversal_refused = {409, "reversal_refused", "Reversal refused"};
const struct problem problem_approval_pending = {409, "approval_pending", "Approval pending"};
const struct problem problem_campaign_not_found = {404, "campaign_not_found", "Campaign not found"};
const struct problem problem_credit_failed = {409, "credit_failed", "Credit failed"};
const struct problem problem_fund_refused = {409, "fund_refused", "Fund refused"};
const struct problem problem_code_taken = {409, "code_taken", "Code taken"};
const struct problem problem_campaign_state_conflict = {409, "campaign_state_conflict", "Campaign state conflict"};
const struct problem problem_too_many_campaigns = {409, "too_many_campaigns", "Too many campaigns"};
const struct problem problem_too_many_listeners = {429, "too_many_listeners", "Too many listeners"};
const struct problem problem_code_batch_not_found = {404, "code_batch_not_found", "Batch of codes not found"};
const struct problem problem_pattern_too_weak = {422, "pattern_too_weak", "Pattern too weak"};
const struct problem problem_too_many_code_batches = {409, "too_many_code_batches", "Too many batches of codes"};
const struct problem problem_code_key_missing = {503, "code_key_missing", "Key of the codes missing"};
const struct problem problem_version_mismatch = {412, "version_mismatch", "Version mismatch"};
const struct problem problem_precondition_required = {428, "precondition_required", "Precondition required"};

static const struct problem_page discount_pages[] = {
    {&problem_redemption_not_found, "There is no such redemption, or it is not yours.", "Take the id out of the answer to the redemption."},
    {&problem_redemption_not_failed,
     "Only a credit that Wallet has refused for good can be sent again: this one is paid, or still on its way.",
     "Read the redemption: its status says which."},
    {&problem_redemption_not_credited,
     "Only what was credited, or applied to an order, can be taken back: this one waits, is still on its way, or has failed.",
     "Read the redemption: its status says which. Try again once it is credited."},
    {&problem_reversed_otherwise,
     "This redemption is being taken back already, or was, with another slot or another reason. Nothing was changed.",
     "Read the redemption: its reversal says how."},
    {&problem_reversal_refused, "Wallet does not give the credit back, so that the redemption stays credited: wallet_code says why.",
     "Repair at Wallet what it was refused for, or leave it credited. Then ask again."},
    {&problem_approval_pending, "What costs money in this campaign waits for a second administrator. Nothing is lost by asking again.",
     "Try again later. An administrator approves it, or takes it back, by POST /v1/campaigns/{id}/approve or PATCH."},
    {&problem_campaign_not_found, "There is no such campaign.", "Take the id out of the list of campaigns."},
    {&problem_credit_failed, "The place was taken, and Wallet refused the credit for good: wallet_code says why.",
     "Tell the operator the redemption_id. The place stays yours."},
    {&problem_fund_refused, "The campaign is made, but Wallet refuses to set its money aside: wallet_code says why.",
     "Change its places or its gift, or end it."},
    {&problem_code_taken, "Another campaign has this code.", "Choose another code."},
    {&problem_campaign_state_conflict, "The campaign is in a state that does not allow this: it has ended or started already.",
     "Read the campaign, and change what can still be changed."},
    {&problem_too_many_campaigns, "There are as many campaigns as one service keeps.", "End a campaign before you make another one."},
    {&problem_too_many_listeners, "You listen to as many streams of events as one administrator may.",
     "End one of them, or show many screens what one stream says."},
    {&problem_code_batch_not_found, "The campaign has no such batch of codes.", "Take the id out of the list of its batches."},
    {&problem_pattern_too_weak,
     "Whoever tries a thousand codes a second would meet one of this batch within ten years: years_to_guess says how soon.",
     "Put more # into the pattern: symbols_needed says how many, the two of the check among them."},
    {&problem_too_many_code_batches, "There are as many batches of codes, or different patterns, as one service keeps.",
     "Use the codes of a batch that is there, or a pattern that is there."},
    {&problem_code_key_missing, "The master key that these codes are made with is not there, so that nobody can say which they are.",
     "Put codes.key back beside the database from its backup, and start the service again."},
    {&problem_version_mismatch, "Somebody has changed the campaign since you read it. Nothing was changed now.",
     "Read it again, look at what has changed, and send the change with the new ETag in If-Match."},
    {&problem_precondition_required, "A change needs to say which version of the campaign it is about. Nothing was changed.",
     "Send the ETag of the campaign as you read it in If-Match."},
    {NULL, NULL, NULL},
};

/* Of the refusals, whose table is core/refusal.c; a winner's repeat is none. */
static const struct refusal_page {
    const char *happened, *action;
} refusal_pages[REFUSAL_COUNT] = {
    [REFUSED_SOLD_OUT] = {"All places of the campaign are taken. Nothing is lost by asking again, and nothing won.",
                          "Watch for the next campaign."},
    [REFUSED_PHONE_ALREADY_REDEEMED] = {"This phone number has won in this campaign already, for another user.",
                                        "Each number wins once. Log in as the user who has won with it."},
    [REFUSED_PHONE_MISMATCH] = {"Your account has another phone number than the one that was typed.",
                                "Redeem with the number of your account."},
    [REFUSED_PHONE_MISSING] = {"The campaign gives its places to the phone numbers of accounts, and your account has none.",
                               "Give your account its number at the wallet, log in again, and redeem with it."},
    [REFUSED_PHONE_UNVERIFIED] = {"The campaign gives its places to verified phone numbers only, and nobody has verified yours.",
                                  "Have the number of your account verified by the operator, log in again, and redeem with it."},
    [REFUSED_NOT_STARTED] = {"The campaign has not begun: starts_at says when it does.",
                             "Come back then. Retry-After says in how many seconds."},
    [REFUSED_PAUSED] = {"The operator gives out no places of this campaign for now.", "Try again later."},
    [REFUSED_ENDED] = {"The campaign is over.", "Watch for the next campaign."},
    [REFUSED_RECOVERING] =
        {"The service is reading back from Wallet who has won in this campaign, after its database was replaced by an older copy. If you "
         "have won, your place is yours.",
         "Try again in a minute."},
    [REFUSED_NOT_FUNDED] = {"The money for one more place is not set aside yet. Nothing is lost by asking again.", "Try again later."},
    [REFUSED_USER_LIMIT] = {"You have as many redemptions in this campaign as it gives to one user.", "Watch for the next campaign."},
    [REFUSED_PHONE_LIMIT] = {"This phone number has as many redemptions in this campaign as it gives to one number.",
                             "Watch for the next campaign."},
    [REFUSED_BUDGET_EXHAUSTED] = {"What is left of the campaign's budget does not pay for this gift.",
                                  "Try a smaller order, or watch for the next campaign."},
    [REFUSED_DAILY_LIMIT] = {"All places of today are taken.", "Come back tomorrow. Retry-After says in how many seconds."},
    [REFUSED_ORDER_TOO_SMALL] = {"The campaign is for larger orders than this one.", "Put more into the order."},
    [REFUSED_NOT_ELIGIBLE] = {"The campaign is for certain accounts, or for older ones.", "Watch for the next campaign."},
    [REFUSED_CODE_NOT_FOUND] = {"There is no campaign with this code.",
                                "Look at the code again, letter by letter. After too many wrong ones there is a wait."},
};

bool discount_find_page(struct text code, struct problem *ret_room, struct problem_page *ret_page) {
    const struct problem_page *page = problem_find_page(discount_pages, code);
    enum refusal refusal = refusal_named(code);
    if (page != NULL) *ret_page = *page;
    if (page != NULL || refusal == NOT_REFUSED || refusal_pages[refusal].happened == NULL) return page != NULL;
    const struct refusal_rule *rule = refusal_rule(refusal);
    *ret_room = (struct problem){rule->status, rule->code, rule->title};
    *ret_page = (struct problem_page){ret_room, refusal_pages[refusal].happened, refusal_pages[refusal].action};
    return true;
}

void answer_write_discount(struct json_writer *writer, int64_t discount_minor, int64_t order_minor, enum currency currency) {
    json_key(writer, "discount");
    json_begin_object(writer);
    json_integer_member(writer, "amount", discount_minor);
    json_integer_member(writer, "final_amount", order_minor - discount_minor);
    json_text_member(writer, "currency", text_of(currency_code(currency)));
    json_end_object(writer);
}

static void write_order(struct json_writer *writer, const struct order *order, enum currency currency) {
    json_key(writer, "order");
    json_begin_object(writer);
    json_text_member(writer, "reference", order_reference(order));
    json_integer_member(writer, "amount", order->amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(currency)));
    json_end_object(writer);
}

static void write_reversal(struct json_writer *writer, const struct reversal_words *reversal) {
    json_key(writer, "reversal");
    json_begin_object(writer);
    json_text_member(writer, "slot", text_of(reversal_slot_name(reversal->slot)));
    json_text_member(writer, "reason", reversal->reason);
    json_end_object(writer);
}

/* Who waits has none yet, but a rank; who has waited in vain never gets one. */
static void write_place(struct json_writer *writer, const struct redemption *redemption) {
    if (redemption->position > LINE_BASE)
        json_null_member(writer, "position");
    else
        json_integer_member(writer, "position", redemption->position);
    json_text_member(writer, "status", text_of(redemption_status_name(redemption->status)));
    if (redemption->status == REDEMPTION_WAITING) json_integer_member(writer, "rank", redemption->rank);
}

void answer_write_redemption(struct json_writer *writer, const struct redemption *redemption, struct id campaign_id, struct money credit) {
    answer_write_redemption_with(writer, redemption, campaign_id, credit, &(struct reversal_words){0});
}

void answer_write_redemption_with(struct json_writer *writer, const struct redemption *redemption, struct id campaign_id,
                                  struct money credit, const struct reversal_words *reversal) {
    bool has_transaction = !id_is_zero(redemption->transaction_id);
    bool is_waiting = redemption->status == REDEMPTION_WAITING || redemption->status == REDEMPTION_LAPSED;
    json_begin_object(writer);
    json_id_member(writer, "id", redemption->id);
    json_id_member(writer, "campaign_id", campaign_id);
    json_id_member(writer, "user_id", redemption->user_id);
    json_text_member(writer, "phone", phone_text(&redemption->phone));
    write_place(writer, redemption);
    if (redemption_was_applied(redemption)) {
        answer_write_discount(writer, redemption->discount_minor, redemption->order.amount_minor, credit.currency);
    } else if (!is_waiting || redemption->order.reference_size == 0) { /* an order that waits has no discount yet */
        json_key(writer, "credit");
        json_put_money(writer, credit);
    }
    if (redemption->order.reference_size != 0) write_order(writer, &redemption->order, credit.currency);
    if (has_transaction) json_id_member(writer, "transaction_id", redemption->transaction_id);
    json_time_member(writer, "claimed_at", redemption->claimed_at_us);
    if (has_transaction) json_time_member(writer, "credited_at", redemption->settled_at_us);
    if (redemption->status == REDEMPTION_CREDITED && redemption->failure_size != 0)
        json_text_member(writer, "reversal_refused", (struct text){redemption->failure, redemption->failure_size});
    if (reversal->slot != 0) write_reversal(writer, reversal);
    json_end_object(writer);
}

static void write_time_or_null(struct json_writer *writer, const char *name, int64_t time_us) {
    if (time_us == 0)
        json_null_member(writer, name);
    else
        json_time_member(writer, name, time_us);
}

static void write_money_or_null(struct json_writer *writer, const char *name, int64_t minor, enum currency currency) {
    json_key(writer, name);
    if (minor == 0)
        json_put_null(writer);
    else
        json_put_money(writer, (struct money){minor, currency});
}

static void write_minute(struct json_writer *writer, const char *name, int64_t minute) {
    char text[5] = {(char)('0' + minute / 600), (char)('0' + minute / 60 % 10), ':', (char)('0' + minute % 60 / 10),
                    (char)('0' + minute % 10)};
    json_text_member(writer, name, (struct text){text, sizeof text});
}

static void write_schedule(struct json_writer *writer, const struct campaign *campaign) {
    static const char *const days[] = {"sat", "sun", "mon", "tue", "wed", "thu", "fri"};
    const struct schedule *schedule = &campaign->rules.schedule;
    json_key(writer, "schedule");
    if (schedule->days == 0) {
        json_put_null(writer);
        return;
    }
    json_begin_object(writer);
    if (campaign->words.time_zone_size > 0) json_text_member(writer, "time_zone", words_time_zone(&campaign->words));
    json_key(writer, "days");
    json_begin_array(writer);
    for (uint32_t i = 0; i < 7; i++) {
        if ((schedule->days >> i & 1) != 0) json_put_text(writer, text_of(days[i]));
    }
    json_end_array(writer);
    write_minute(writer, "from", schedule->from_minute);
    write_minute(writer, "to", schedule->to_minute);
    json_end_object(writer);
}

/* 12.5, without what says nothing. */
static void write_percent(struct json_writer *writer, int64_t hundredths) {
    char text[16];
    int size = snprintf(text, sizeof text, "%" PRId64 ".%02" PRId64, hundredths / PERCENT_SCALE, hundredths % PERCENT_SCALE);
    while (text[size - 1] == '0') size--;
    if (text[size - 1] == '.') size--;
    json_text_member(writer, "percent", (struct text){text, (size_t)size});
}

void answer_write_gift(struct json_writer *writer, const struct campaign_rules *rules, struct money amount) {
    json_key(writer, gift_is_of_order(rules->kind) ? "discount" : "credit");
    if (rules->kind != GIFT_PERCENT_OFF) {
        json_put_money(writer, amount);
        return;
    }
    json_begin_object(writer);
    write_percent(writer, rules->percent);
    if (rules->discount_max_minor != 0) write_money_or_null(writer, "max", rules->discount_max_minor, amount.currency);
    json_end_object(writer);
}

/* What would be another value than now. */
static void write_raise(struct json_writer *writer, const struct campaign *campaign) {
    const struct campaign_raise *raise = &campaign->approval.raise;
    const struct campaign_patch patch = approval_patch(campaign);
    json_key(writer, "changes");
    json_begin_object(writer);
    if (patch.has_max_redemptions) json_integer_member(writer, "max_redemptions", raise->max_redemptions);
    if (patch.has_credit || (patch.rules_given & GIVEN_DISCOUNT) != 0) {
        struct campaign_rules rules = campaign->rules;
        rules.percent = raise->percent;
        rules.discount_max_minor = raise->discount_max_minor;
        answer_write_gift(writer, &rules, patch.credit);
    }
    if ((patch.rules_given & GIVEN_BUDGET) != 0) write_money_or_null(writer, "budget", raise->budget_minor, campaign->credit.currency);
    if (raise->drops_approval) json_boolean_member(writer, "approval", false);
    json_end_object(writer);
}

static void write_approval(struct json_writer *writer, const struct campaign *campaign) {
    const struct approval *approval = &campaign->approval;
    json_key(writer, "approval_pending");
    if (approval->waits == APPROVAL_NONE) {
        json_put_null(writer);
        return;
    }
    json_begin_object(writer);
    json_text_member(writer, "of", approval->waits == APPROVAL_OF_CREATION ? TEXT("creation") : TEXT("change"));
    json_id_member(writer, "requested_by", approval->requested_by);
    json_time_member(writer, "requested_at", approval->requested_at_us);
    if (approval->waits == APPROVAL_OF_CHANGE) write_raise(writer, campaign);
    json_end_object(writer);
}

void answer_write_rules(struct json_writer *writer, const struct campaign *campaign) {
    const struct campaign_rules *rules = &campaign->rules;
    enum currency currency = campaign->credit.currency;
    answer_write_gift(writer, rules, campaign->credit);
    json_integer_member(writer, "max_redemptions", campaign->max_redemptions);
    json_integer_member(writer, "waiting_list", rules->waiting_list);
    json_integer_member(writer, "max_per_user", rules->max_per_user);
    json_integer_member(writer, "max_per_phone", rules->max_per_phone);
    if (rules->max_per_day == 0)
        json_null_member(writer, "max_per_day");
    else
        json_integer_member(writer, "max_per_day", rules->max_per_day);
    write_money_or_null(writer, "budget", rules->budget_minor, currency);
    write_money_or_null(writer, "min_order", rules->min_order_minor, currency);
    write_schedule(writer, campaign);
    json_text_member(writer, "phone", text_of(phone_rule_name(campaign->phone_rule)));
    json_key(writer, "eligibility");
    if (rules->account_age_min_s == 0 && rules->has_list == 0) {
        json_put_null(writer);
    } else {
        json_begin_object(writer);
        if (rules->has_list != 0) json_boolean_member(writer, "list", true);
        if (rules->account_age_min_s != 0) json_integer_member(writer, "account_age_min_s", rules->account_age_min_s);
        json_end_object(writer);
    }
    json_boolean_member(writer, "public", rules->is_public != 0);
    json_boolean_member(writer, "approval", rules->needs_approval != 0);
    write_approval(writer, campaign);
    json_key(writer, "metadata");
    json_put_raw(writer, campaign->words.metadata_size > 0 ? words_metadata(&campaign->words) : TEXT("{}"));
    write_time_or_null(writer, "starts_at", campaign->starts_at_us);
    write_time_or_null(writer, "ends_at", campaign->ends_at_us);
}

static void write_fund(struct json_writer *writer, const struct campaign *campaign) {
    char reference[ID_TEXT_BYTES];
    id_format(campaign->id, reference);
    json_key(writer, "fund");
    json_begin_object(writer);
    json_text_member(writer, "reference", (struct text){reference, sizeof reference});
    json_text_member(writer, "state", text_of(fund_state_name(campaign_fund_state(campaign))));
    if (campaign_fund_state(campaign) == FUND_FAILED) {
        json_text_member(writer, "code", campaign_fund_refusal(campaign));
        json_text_member(writer, "detail", campaign_fund_refusal_detail(campaign));
    }
    json_end_object(writer);
}

void answer_write_campaign(struct json_writer *writer, const struct campaign *campaign, int64_t now_us) {
    json_begin_object(writer);
    json_id_member(writer, "id", campaign->id);
    json_text_member(writer, "name", campaign_name(campaign));
    json_text_member(writer, "kind", text_of(gift_kind_name(campaign->rules.kind)));
    if (campaign->code.size == 0)
        json_null_member(writer, "code");
    else
        json_text_member(writer, "code", code_text(&campaign->code));
    answer_write_rules(writer, campaign);
    json_text_member(writer, "state", text_of(campaign_state_name(campaign_state(campaign, now_us))));
    json_integer_member(writer, "redeemed", campaign_taken(campaign));
    json_integer_member(writer, "remaining", campaign_places_left(campaign->max_redemptions, campaign_taken(campaign)));
    json_integer_member(writer, "version", campaign->version);
    if (!gift_is_of_order(campaign->rules.kind)) write_fund(writer, campaign);
    json_time_member(writer, "created_at", campaign->created_at_us);
    json_time_member(writer, "updated_at", campaign->updated_at_us);
    json_end_object(writer);
}

/* ---- whole answers, out of the outcome alone ---- */

static const char *const json_type = "application/json";

static void answer_problem(struct operation *operation, const struct problem *problem, const char *detail) {
    operation_answer_problem(operation, problem, (struct text){0}, NULL, detail);
}

/* 422 with this one fault. */
static void answer_fault_of(struct operation *operation, const char *field, const char *code, const char *detail) {
    struct faults *faults = ARENA_NEW(operation->arena, struct faults);
    if (faults == NULL || detail == NULL) {
        operation_overflow(operation);
        return;
    }
    faults_init(faults, operation->arena);
    faults_add(faults, field, code, "%s", detail);
    operation_answer_problem(operation, &problem_validation_failed, (struct text){0}, faults, "The request has 1 fault.");
}

static void answer_fault(struct operation *operation, const char *field, const char *detail) {
    answer_fault_of(operation, field, "out_of_range", detail);
}

static void set_location(struct operation *operation, const char *folder, struct id id) {
    char text[ID_TEXT_BYTES];
    if (operation->fate == FATE_OVERLOADED) return;
    id_format(id, text);
    operation->answer.location = arena_print(operation->arena, "%s/%.*s", folder, (int)sizeof text, text);
    if (operation->answer.location.data == NULL) operation_overflow(operation);
}

static void answer_failed_redemption(struct discount_operation *self) {
    struct operation *operation = &self->operation;
    char id[ID_TEXT_BYTES];
    id_format(self->redemption.id, id);
    struct text members = arena_print(operation->arena, "\"redemption_id\":\"%.*s\",\"wallet_code\":\"%.*s\"", (int)sizeof id, id,
                                      (int)self->redemption.failure_size, self->redemption.failure);
    operation_answer_problem(operation, &problem_credit_failed, members, NULL,
                             "The place was taken, but the wallet refused its credit for good.");
}

/* It has waited until the end, and is not told as a success. */
static void answer_lapsed(struct discount_operation *self) {
    const struct refusal_rule *rule = refusal_rule(REFUSED_ENDED);
    const struct problem problem = {rule->status, rule->code, rule->title};
    char id[ID_TEXT_BYTES];
    id_format(self->redemption.id, id);
    struct text members = arena_print(self->operation.arena, "\"redemption_id\":\"%.*s\"", (int)sizeof id, id);
    operation_answer_problem(&self->operation, &problem, members, NULL, "The campaign has ended before a place came free for you.");
}

static void answer_redemption(struct discount_operation *self, int status) {
    struct operation *operation = &self->operation;
    const struct redemption *redemption = &self->redemption;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, ANSWER_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_redemption(&writer, redemption, self->campaign_id, self->credit);
    operation_answer(operation, status, json_type, &buffer);
    set_location(operation, "/v1/redemptions", redemption->id);
}

/* When it starts, and in how many seconds. */
static void answer_not_started(struct discount_operation *self, const struct problem *problem, const char *detail) {
    struct operation *operation = &self->operation;
    char time[CLOCK_TEXT_BYTES];
    clock_format(self->starts_at_us, time);
    int64_t left_s = (self->starts_at_us - self->decided_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US;
    struct text members = arena_print(operation->arena, "\"starts_at\":\"%.*s\"", (int)sizeof time, time);
    operation_answer_problem(operation, problem, members, NULL, detail);
    operation->answer.retry_after = arena_print(operation->arena, "%" PRId64, left_s < 1 ? 1 : left_s);
}

static void answer_tomorrow(struct discount_operation *self, const struct problem *problem, const char *detail) {
    int64_t left_s = (self->starts_at_us - self->decided_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US;
    answer_problem(&self->operation, problem, detail);
    self->operation.answer.retry_after = arena_print(self->operation.arena, "%" PRId64, left_s < 1 ? 1 : left_s);
}

/* As the rest of a body is judged: what it must hold depends on its code. */
static void answer_order_fault(struct discount_operation *self) {
    bool is_missing = self->refusal == REFUSED_ORDER_MISSING;
    answer_fault_of(&self->operation, is_missing ? "order" : "order.currency", is_missing ? "required" : "currency_mismatch",
                    is_missing ? "is required by this campaign" : "must be the campaign's currency");
}

void answer_redeem(struct operation *operation) {
    struct discount_operation *self = discount_operation_of(operation);
    if (self->refusal == NOT_REFUSED || self->refusal == REFUSED_ALREADY_REDEEMED) {
        bool has_failed = operation->is_maker && self->redemption.status == REDEMPTION_FAILED;
        bool is_open = self->redemption.status == REDEMPTION_CLAIMED || self->redemption.status == REDEMPTION_FAILED;
        int made = is_open ? 202 : 201;
        if (has_failed)
            answer_failed_redemption(self);
        else if (self->redemption.status == REDEMPTION_LAPSED)
            answer_lapsed(self);
        else if (self->redemption.status == REDEMPTION_WAITING && !operation->is_dry_run)
            answer_redemption(self, 202); /* whoever asks: it is not final */
        else
            answer_redemption(self, operation->is_maker ? made : 200);
        return;
    }
    const struct refusal_rule *rule = refusal_rule(self->refusal);
    const struct problem problem = {rule->status, rule->code, rule->title};
    if (refusal_is_fault(self->refusal))
        answer_order_fault(self);
    else if (self->refusal == REFUSED_NOT_STARTED)
        answer_not_started(self, &problem, rule->detail);
    else if (self->refusal == REFUSED_DAILY_LIMIT)
        answer_tomorrow(self, &problem, rule->detail);
    else
        answer_problem(operation, &problem, rule->detail);
}

void answer_retried(struct operation *operation) {
    struct discount_operation *self = discount_operation_of(operation);
    if (self->redemption.status == REDEMPTION_FAILED)
        answer_failed_redemption(self);
    else
        answer_redemption(self, self->redemption.status == REDEMPTION_CLAIMED ? 202 : 200);
}

static void answer_reversal_refused(struct discount_operation *self) {
    struct operation *operation = &self->operation;
    char id[ID_TEXT_BYTES];
    id_format(self->redemption.id, id);
    struct text members = arena_print(operation->arena, "\"redemption_id\":\"%.*s\",\"wallet_code\":\"%.*s\"", (int)sizeof id, id,
                                      (int)self->redemption.failure_size, self->redemption.failure);
    operation_answer_problem(operation, &problem_reversal_refused, members, NULL,
                             "Wallet does not give the credit back: it stays credited.");
}

void answer_reversed(struct operation *operation, const struct reversal_words *reversal) {
    struct discount_operation *self = discount_operation_of(operation);
    const struct redemption *redemption = &self->redemption;
    bool is_reversing = redemption->status == REDEMPTION_REVERSING;
    if (!is_reversing && redemption->status != REDEMPTION_REVERSED) {
        answer_reversal_refused(self);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, ANSWER_BYTES + reversal->reason.size);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_redemption_with(&writer, redemption, self->campaign_id, self->credit, reversal);
    operation_answer(operation, is_reversing && !operation->is_dry_run ? 202 : 200, json_type, &buffer);
}

static void answer_campaign(struct discount_operation *self, int status) {
    struct operation *operation = &self->operation;
    const struct campaign *campaign = self->campaign;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, CAMPAIGN_BYTES + campaign->name_size + campaign->words.metadata_size);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_campaign(&writer, campaign, self->decided_us);
    operation_answer(operation, status, json_type, &buffer);
    operation->answer.etag = arena_print(operation->arena, "\"%" PRId64 "\"", campaign->version);
    if (status == 201) set_location(operation, "/v1/campaigns", campaign->id);
}

/* It is there, with a fund that failed: its admin may change it, or end it. */
static void answer_fund_refused(struct discount_operation *self) {
    struct operation *operation = &self->operation;
    const struct campaign *campaign = self->campaign;
    struct text code = campaign_fund_refusal(campaign), detail = campaign_fund_refusal_detail(campaign);
    char id[ID_TEXT_BYTES];
    id_format(campaign->id, id);
    struct text members =
        arena_print(operation->arena, "\"campaign_id\":\"%.*s\",\"wallet_code\":\"%.*s\"", (int)sizeof id, id, (int)code.size, code.data);
    struct text words = arena_print(operation->arena, "Wallet does not open a fund for it (%.*s): %.*s", (int)code.size, code.data,
                                    (int)detail.size, detail.size == 0 ? "" : detail.data);
    operation_answer_problem(operation, &problem_fund_refused, members, NULL, words.data);
    set_location(operation, "/v1/campaigns", campaign->id);
}

static void answer_version_mismatch(struct discount_operation *self) {
    struct text detail =
        arena_print(self->operation.arena, "The campaign has changed: its version is %" PRId64 ".", self->campaign->version);
    answer_problem(&self->operation, &problem_version_mismatch, detail.data);
}

static void answer_verdict(struct discount_operation *self, int status) {
    struct operation *operation = &self->operation;
    const char *ended = "The campaign has ended.", *started = "The campaign has started: its start can't move any more.";
    const char *used = "Places were given out by this rule: it can't change any more.";
    const char *given = "Places were given out with this credit: it can't change any more.";
    switch (self->verdict) {
    case CAMPAIGN_DONE:
    case CAMPAIGN_UNCHANGED: answer_campaign(self, status); return;
    case CAMPAIGN_HELD:
    case CAMPAIGN_HELD_ALREADY: answer_campaign(self, 202); return;
    case CAMPAIGN_APPROVAL_PENDING:
        answer_problem(operation, &problem_approval_pending, "Another change waits for its approval: approve it first, or take it back.");
        return;
    case CAMPAIGN_OWN_REQUEST:
        answer_problem(operation, &problem_forbidden, "You have asked for it yourself: another administrator must approve it.");
        return;
    case CAMPAIGN_NOT_FOUND: answer_problem(operation, &problem_campaign_not_found, "There is no such campaign."); return;
    case CAMPAIGN_CODE_TAKEN: answer_problem(operation, &problem_code_taken, "Another campaign has this code."); return;
    case CAMPAIGN_TOO_MANY:
        answer_problem(operation, &problem_too_many_campaigns,
                       "There can be at most 4096 campaigns that have not ended, and 65536 with those that have.");
        return;
    case CAMPAIGN_VERSION_MISMATCH: answer_version_mismatch(self); return;
    case CAMPAIGN_STATE_CONFLICT: answer_problem(operation, &problem_campaign_state_conflict, ended); return;
    case CAMPAIGN_STARTED: answer_problem(operation, &problem_campaign_state_conflict, started); return;
    case CAMPAIGN_CREDIT_GIVEN: answer_problem(operation, &problem_campaign_state_conflict, given); return;
    case CAMPAIGN_USED: answer_problem(operation, &problem_campaign_state_conflict, used); return;
    case CAMPAIGN_LIMIT_TOO_HIGH: answer_fault(operation, "max_redemptions", "times the credit it must not pass 9007199254740991"); return;
    case CAMPAIGN_END_NOT_FUTURE: answer_fault(operation, "ends_at", "must be in the future"); return;
    case CAMPAIGN_END_NOT_AFTER_START: answer_fault(operation, "ends_at", "must be after starts_at"); return;
    }
}

void answer_campaign_made(struct operation *operation) {
    struct discount_operation *self = discount_operation_of(operation);
    bool is_made = self->verdict == CAMPAIGN_DONE || self->verdict == CAMPAIGN_UNCHANGED;
    if (is_made && campaign_fund_state(self->campaign) == FUND_FAILED)
        answer_fund_refused(self);
    else
        answer_verdict(self, 201);
}

void answer_campaign_changed(struct operation *operation) { answer_verdict(discount_operation_of(operation), 200); }
