/* Making and steering campaigns. */
#include "discount/campaigns.h"

#include <inttypes.h>
#include <string.h>

#include "base/unicode.h"
#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/tables.h"
#include "discount/working_set.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"

#define CODE_TYPED_MAX      4096
#define CAMPAIGN_ITEM_BYTES 1024u
#define ANSWER_ROOM         6144u /* with two pictures for the audit log */
#define LIST_BYTES          1024u
#define PICTURE_BYTES       512u

/* ---- in the store ---- */

static void put_time(struct json_writer *writer, const char *name, int64_t time_us) {
    if (time_us == 0) {
        json_null_member(writer, name);
    } else {
        json_time_member(writer, name, time_us);
    }
}

/* What an administrator decides about a campaign, for the audit log: never its code. Empty when there is no room: the act counts, not its picture. */
static struct text picture_of(const struct operation *operation, const struct campaign *campaign) {
    struct buffer buffer;
    if (operation->arena == NULL || campaign == NULL) return TEXT("");
    buffer_init(&buffer, operation->arena, PICTURE_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "name", campaign_name(campaign));
    json_integer_member(&writer, "version", campaign->version);
    json_integer_member(&writer, "sequence", campaign->sequence);
    json_key(&writer, "credit");
    json_put_money(&writer, campaign->credit);
    json_integer_member(&writer, "max_redemptions", campaign->max_redemptions);
    put_time(&writer, "starts_at", campaign->starts_at_us);
    put_time(&writer, "ends_at", campaign->ends_at_us);
    put_time(&writer, "ended_at", campaign->ended_at_us);
    json_boolean_member(&writer, "paused", campaign->is_paused);
    json_end_object(&writer);
    return buffer.failed ? TEXT("") : buffer_text(&buffer);
}

static void note_campaign(struct discount_operation *self, enum campaign_verdict verdict, const struct campaign *campaign) {
    self->verdict = verdict;
    if (campaign != NULL) *self->campaign = *campaign;
}

static void decide_create(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct campaign_making *self = (struct campaign_making *)operation;
    struct campaign *campaign;
    discount_forget_outcome(&self->base, now_us);
    self->base.campaign = &self->campaign;
    self->create.id = self->base.id;
    enum campaign_verdict verdict = campaign_create(&set->campaigns, &self->create, now_us, &campaign);
    note_campaign(&self->base, verdict, campaign);
    if (verdict != CAMPAIGN_DONE) return;
    discount_note_change(&self->base, campaign, "campaign_created");
    audit_note(engine, operation, "campaign.create", campaign->id, TEXT(""), picture_of(operation, campaign), now_us);
    operation->is_maker = true;
    if (campaign_fund_state(campaign) != FUND_PENDING) return; /* it needs none */
    if (operation->is_dry_run) return;                         /* Wallet is not asked */
    operation->fate = FATE_WAITING;
    operation->subject = campaign->id;
}

static const struct campaign *subject_of(struct engine *engine, const struct operation *operation) {
    struct working_set *set = engine_set(engine);
    const struct campaign *campaign = campaign_by_id(&set->campaigns, operation->subject);
    CHECK(campaign != NULL); /* looked at when the answer that waits for it was loaded */
    return campaign;
}

static bool waits_for_fund(struct engine *engine, struct operation *operation) {
    struct campaign_making *self = (struct campaign_making *)operation;
    discount_forget_outcome(&self->base, 0);
    self->base.campaign = &self->campaign;
    return campaign_fund_state(subject_of(engine, operation)) == FUND_PENDING;
}

static void decide_with_fund(struct engine *engine, struct operation *operation, struct campaign *campaign, int64_t now_us) {
    struct discount_operation *self = discount_operation_of(operation);
    self->decided_us = now_us;
    self->campaign = campaign;
    note_campaign(self, CAMPAIGN_DONE, subject_of(engine, operation));
}

static void decide_made_with_fund(struct engine *engine, struct operation *operation, int64_t now_us) {
    decide_with_fund(engine, operation, &((struct campaign_making *)operation)->campaign, now_us);
}

static void decide_changed_with_fund(struct engine *engine, struct operation *operation, int64_t now_us) {
    decide_with_fund(engine, operation, &((struct campaign_change *)operation)->campaign, now_us);
}

const struct action create_action = {.name = "create campaign",
                                     .weight = 1,
                                     .answer_bytes = ANSWER_ROOM,
                                     .decide = decide_create,
                                     .waits = waits_for_fund,
                                     .decide_again = decide_made_with_fund,
                                     .render = answer_campaign_made,
                                     .committed = discount_committed,
                                     .send = discount_send};

static struct campaign *begin_change(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct campaign_change *self = (struct campaign_change *)operation;
    discount_forget_outcome(&self->base, now_us);
    self->base.campaign = &self->campaign;
    struct campaign *campaign = campaign_by_id(&set->campaigns, self->id);
    self->before = picture_of(operation, campaign);
    return campaign;
}

static void end_change(struct engine *engine, struct operation *operation, enum campaign_verdict verdict, const struct campaign *campaign,
                       const char *event, const char *act) {
    struct discount_operation *self = discount_operation_of(operation);
    note_campaign(self, verdict, campaign);
    if (verdict != CAMPAIGN_DONE) return;
    discount_note_change(self, campaign, event);
    audit_note(engine, operation, act, campaign->id, ((struct campaign_change *)operation)->before, picture_of(operation, campaign),
               self->decided_us);
}

static void decide_patch(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct campaign *campaign = begin_change(engine, operation, now_us);
    const struct campaign_patch *patch = &((struct campaign_change *)operation)->patch;
    enum campaign_verdict verdict = campaign_patch(&set->campaigns, campaign, patch, now_us);
    end_change(engine, operation, verdict, campaign, "campaign_changed", "campaign.change");
    if (verdict != CAMPAIGN_DONE || campaign_fund_state(campaign) != FUND_PENDING) return;
    operation->fate = FATE_WAITING; /* for its fund: who is told that there are more places can have them */
    operation->subject = campaign->id;
}

static void decide_pause(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct campaign *campaign = begin_change(engine, operation, now_us);
    end_change(engine, operation, campaign_pause(campaign, now_us), campaign, "campaign_paused", "campaign.pause");
}

static void decide_resume(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct campaign *campaign = begin_change(engine, operation, now_us);
    end_change(engine, operation, campaign_resume(campaign, now_us), campaign, "campaign_resumed", "campaign.resume");
}

static void decide_end(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct campaign *campaign = begin_change(engine, operation, now_us);
    end_change(engine, operation, campaign_end(campaign, now_us), campaign, "campaign_ended", "campaign.end");
}

#define CHANGE(what, decide_it)                                                                                         \
    {                                                                                                                   \
        .name = what, .weight = 1, .answer_bytes = ANSWER_ROOM, .decide = decide_it, .render = answer_campaign_changed, \
        .committed = discount_committed, .send = discount_send                                                          \
    }
const struct action patch_action = {.name = "change campaign",
                                    .weight = 1,
                                    .answer_bytes = ANSWER_ROOM,
                                    .decide = decide_patch,
                                    .decide_again = decide_changed_with_fund,
                                    .render = answer_campaign_changed,
                                    .committed = discount_committed,
                                    .send = discount_send};
const struct action pause_action = CHANGE("pause campaign", decide_pause);
const struct action resume_action = CHANGE("resume campaign", decide_resume);
const struct action end_action = CHANGE("end campaign", decide_end);

/* ---- POST /v1/campaigns ---- */

static void check_kind(struct text kind, struct faults *faults) {
    if (kind.size == 0 || text_equal(kind, TEXT("wallet_credit"))) return;
    faults_add(faults, "kind", "invalid_value", "must be wallet_credit");
}

static void check_code(struct text typed, struct code *ret_code, struct faults *faults) {
    if (typed.size == 0 || result_is_ok(code_parse(typed, ret_code))) return;
    faults_add(faults, "code", "invalid_format", "must be letters and digits, 1 to %u bytes of them, blanks and hyphens left aside",
               LIMIT_CODE_BYTES);
}

static void check_phone_rule(struct text name, enum phone_rule *ret_rule, struct faults *faults) {
    if (name.size == 0 || result_is_ok(phone_rule_named(name, ret_rule))) return;
    faults_add(faults, "phone", "invalid_value", "must be account, verified or any");
}

/* What a date is before it is read, and stays when it is left out, null, or faulty in itself. No text stands for it. */
#define DATE_UNREAD INT64_MIN

/* The campaign's core has the last word, in the order of all decisions; asked here, these faults are told together with all others. That an end
 * has passed is told only beside other faults: alone it may be the repeat of a request that was answered while the end was still to come, and
 * whoever keeps that answer must be asked. Behind this point 0 stands for no date, so that the moment itself can be none. */
static void check_dates(const struct discount *discount, int64_t *starts_at_us, int64_t *ends_at_us, struct faults *faults) {
    bool has_start = *starts_at_us != DATE_UNREAD, has_end = *ends_at_us != DATE_UNREAD;
    if (has_start && *starts_at_us <= 0) faults_add(faults, "starts_at", "out_of_range", "must be after 1970-01-01T00:00:00Z");
    bool is_past = has_end && *ends_at_us <= clock_now_us(discount->service.clock);
    if (has_end && (*ends_at_us <= 0 || (is_past && faults_any(faults)))) {
        faults_add(faults, "ends_at", "out_of_range", "must be in the future");
    } else if (has_start && has_end && *ends_at_us <= *starts_at_us) {
        faults_add(faults, "ends_at", "out_of_range", "must be after starts_at");
    }
    if (!has_start) *starts_at_us = 0;
    if (!has_end) *ends_at_us = 0;
}

/* `max_redemptions` 0: not given, or faulty in itself. */
static void check_budget(struct money credit, int64_t max_redemptions, struct faults *faults) {
    struct money budget;
    if (max_redemptions == 0 || result_is_ok(money_multiply(credit, max_redemptions, &budget))) return;
    faults_add(faults, "max_redemptions", "out_of_range", "times the credit it must not pass %" PRId64, MONEY_AMOUNT_MAX);
}

/* Wallet's accounts have one currency, and nothing is converted silently: a fund in another could never be opened. */
static void check_currency(const struct discount *discount, struct money credit, struct faults *faults) {
    if (credit.currency == CURRENCY_NONE || credit.currency == discount->currency) return;
    faults_add(faults, "credit.currency", "currency_mismatch", "must be %s, the currency of the wallets",
               currency_code(discount->currency));
}

/* In its normal form, in the arena: how a name was typed does not make it another one. */
static void read_name(struct arena *arena, struct text *name, struct faults *faults) {
    char normal[CAMPAIGN_NAME_BYTES];
    size_t size = 0, characters = 0;
    if (name->size == 0) return;
    struct result normalized = unicode_normalize(*name, UNICODE_PLAIN, normal, sizeof normal, &size);
    struct text plain = {normal, size};
    if (normalized.code == RESULT_FULL) {
        faults_add(faults, "name", "too_long", "must be at most %u characters", CAMPAIGN_NAME_CHARACTERS);
    } else if (!result_is_ok(normalized) || !unicode_is_name(plain)) {
        faults_add(faults, "name", "invalid_format", "must have a visible character and no control characters");
    } else if (!result_is_ok(text_count_characters(plain, &characters)) || characters > CAMPAIGN_NAME_CHARACTERS) {
        faults_add(faults, "name", "too_long", "must be at most %u characters", CAMPAIGN_NAME_CHARACTERS);
    }
    *name = arena_copy(arena, plain);
}

static bool read_create(struct exchange *exchange, struct campaign_making *making) {
    const struct discount *discount = making->base.discount;
    struct campaign_create *create = &making->create;
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    struct text kind = {0}, code = {0}, phone_rule = {0};
    const struct json_value *credit = NULL;
    int64_t max_per_user = 1;
    create->starts_at_us = create->ends_at_us = DATE_UNREAD;
    const struct json_member members[] = {
        {.name = "name", .kind = JSON_TEXT, .target = &create->name, .required = true, .min = 1, .max = CAMPAIGN_NAME_CHARACTERS},
        {.name = "kind", .kind = JSON_TEXT, .target = &kind, .required = true, .min = 1, .max = 64},
        {.name = "code", .kind = JSON_TEXT, .target = &code, .required = true, .min = 1, .max = CODE_TYPED_MAX},
        {.name = "credit", .kind = JSON_OBJECT, .target = &credit, .required = true},
        {.name = "max_redemptions",
         .kind = JSON_INTEGER,
         .target = &create->max_redemptions,
         .required = true,
         .min = 1,
         .max = LIMIT_CAMPAIGN_PLACES},
        {.name = "max_per_user", .kind = JSON_INTEGER, .target = &max_per_user, .min = 1, .max = 1},
        {.name = "phone", .kind = JSON_TEXT, .target = &phone_rule, .min = 1, .max = 64},
        {.name = "starts_at", .kind = JSON_TIME, .target = &create->starts_at_us, .nullable = true},
        {.name = "ends_at", .kind = JSON_TIME, .target = &create->ends_at_us, .nullable = true},
    };
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    read_name(&exchange->arena, &create->name, &faults);
    if (credit != NULL) json_read_money(credit, "credit.", &faults, &create->credit);
    check_currency(discount, create->credit, &faults);
    check_kind(kind, &faults);
    check_code(code, &create->code, &faults);
    check_phone_rule(phone_rule, &create->phone_rule, &faults);
    check_budget(create->credit, create->max_redemptions, &faults);
    check_dates(discount, &create->starts_at_us, &create->ends_at_us, &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    create->name = arena_copy(&exchange->arena, create->name); /* the document is closed before the store reads it */
    if (create->name.data == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    operation_read_key(&making->base.operation, root);
    return true;
}

void campaigns_create(struct exchange *exchange) {
    struct campaign_making *making = discount_begin(exchange, &create_action, sizeof *making);
    if (making == NULL || !read_create(exchange, making)) {
        exchange_finish(exchange);
        return;
    }
    discount_make_id(&making->base, clock_now_us(making->base.discount->service.clock));
    operation_submit(&making->base.operation);
}

/* ---- PATCH ---- */

/* The version that a strong tag of ours names; -1: any other tag, which matches none. */
static int64_t version_of_tag(struct text tag) {
    uint64_t version = 0;
    if (tag.size < 3 || tag.data[0] != '"' || tag.data[tag.size - 1] != '"') return -1;
    struct text digits = {tag.data + 1, tag.size - 2};
    if (digits.data[0] == '0' || !result_is_ok(text_parse_unsigned(digits, INT64_MAX, &version))) return -1;
    return (int64_t)version;
}

static struct text trim(struct text text) {
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) text = (struct text){text.data + 1, text.size - 1};
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) text.size--;
    return text;
}

/* If-Match (RFC 9110, section 13.1.1): *, or tags between commas, of which ours have none. Of several it is the one that is published now, if it is
 * there, and otherwise the newest: the store asks again, of the version that is true. False: 428 is set. */
static bool read_if_match(struct exchange *exchange, const struct board_slot *slot, int64_t *ret_version) {
    struct text tags = exchange->if_match;
    if (tags.size == 0) {
        problem_reply(exchange, &problem_precondition_required, "Send If-Match with the ETag of the campaign you have seen.");
        return false;
    }
    int64_t published = board_view(slot).version, newest = -1;
    *ret_version = 0;
    if (text_equal(trim(tags), TEXT("*"))) return true;
    for (size_t start = 0; start <= tags.size;) {
        size_t end = start;
        while (end < tags.size && tags.data[end] != ',') end++;
        int64_t version = version_of_tag(trim((struct text){tags.data + start, end - start}));
        if (version > newest && newest != published) newest = version;
        if (version == published) newest = published;
        start = end + 1;
    }
    *ret_version = newest;
    return true;
}

static bool read_patch(struct exchange *exchange, const struct board_slot *slot, struct campaign_patch *patch) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    const struct json_value *credit = NULL;
    patch->starts_at_us = patch->ends_at_us = DATE_UNREAD;
    const struct json_member members[] = {
        {.name = "name", .kind = JSON_TEXT, .target = &patch->name, .min = 1, .max = CAMPAIGN_NAME_CHARACTERS, .present = &patch->has_name},
        {.name = "max_redemptions",
         .kind = JSON_INTEGER,
         .target = &patch->max_redemptions,
         .min = 1,
         .max = LIMIT_CAMPAIGN_PLACES,
         .present = &patch->has_max_redemptions},
        {.name = "credit", .kind = JSON_OBJECT, .target = &credit, .present = &patch->has_credit},
        {.name = "starts_at", .kind = JSON_TIME, .target = &patch->starts_at_us, .nullable = true},
        {.name = "ends_at", .kind = JSON_TIME, .target = &patch->ends_at_us, .nullable = true},
    };
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    read_name(&exchange->arena, &patch->name, &faults);
    struct campaign_view view = board_view(slot);
    if (credit != NULL) json_read_money(credit, "credit.", &faults, &patch->credit);
    check_currency(discount_of(exchange), patch->credit, &faults);
    check_budget(patch->credit.currency != CURRENCY_NONE ? patch->credit : board_credit(slot),
                 patch->has_max_redemptions ? patch->max_redemptions : view.max_redemptions, &faults);
    check_dates(discount_of(exchange), &patch->starts_at_us, &patch->ends_at_us, &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    /* null takes a date away; what is left out stays. */
    patch->has_starts_at = json_get(root, "starts_at") != NULL;
    patch->has_ends_at = json_get(root, "ends_at") != NULL;
    patch->name = arena_copy(&exchange->arena, patch->name);
    return true;
}

void campaigns_patch(struct exchange *exchange) {
    int64_t version;
    struct campaign_change *change = NULL;
    struct board_slot *slot = request_campaign(exchange);
    if (slot != NULL && read_if_match(exchange, slot, &version)) change = discount_begin(exchange, &patch_action, sizeof *change);
    if (change == NULL || !read_patch(exchange, slot, &change->patch)) {
        exchange_finish(exchange);
        return;
    }
    change->patch.version_expected = version;
    change->id = slot->id;
    operation_submit(&change->base.operation);
}

/* ---- switches ---- */

static void submit_switch(struct exchange *exchange, const struct action *action) {
    struct campaign_change *change = NULL;
    struct board_slot *slot = request_has_no_query(exchange) ? request_campaign(exchange) : NULL;
    if (slot != NULL) change = discount_begin(exchange, action, sizeof *change);
    if (change == NULL) {
        exchange_finish(exchange);
        return;
    }
    change->id = slot->id;
    operation_submit(&change->base.operation);
}

void campaigns_pause(struct exchange *exchange) { submit_switch(exchange, &pause_action); }
void campaigns_resume(struct exchange *exchange) { submit_switch(exchange, &resume_action); }
void campaigns_end(struct exchange *exchange) { submit_switch(exchange, &end_action); }

/* ---- one ---- */

struct one_reading {
    struct reading reading;
    struct id id;
    struct found_campaign found;
};

static bool ask_one(struct reading *reading, struct batch *batch, uint32_t round) {
    struct one_reading *self = (struct one_reading *)reading;
    (void)round;
    self->found.is_found = false;
    ask_campaign(batch, self->id, campaign_found, &self->found);
    return false;
}

static void answer_one(struct reading *reading) {
    const struct one_reading *self = (struct one_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (!self->found.is_found) { /* it was on the board */
        storage_refuse(exchange, result_error(RESULT_CORRUPT));
        exchange_finish(exchange);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, CAMPAIGN_ITEM_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_campaign(&writer, &self->found.campaign, clock_now_us(discount_of(exchange)->service.clock));
    reply_header(exchange, "ETag", arena_print(&exchange->arena, "\"%" PRId64 "\"", self->found.campaign.version));
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

void campaigns_get(struct exchange *exchange) {
    struct one_reading *reading = NULL;
    const struct board_slot *slot = request_has_no_query(exchange) ? request_campaign(exchange) : NULL;
    if (slot != NULL) reading = reading_begin(exchange, ask_one, answer_one, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->id = slot->id;
    reading_start(&reading->reading);
}

/* ---- all ---- */

struct list_reading {
    struct reading reading;
    int64_t limit, before; /* this number */
    struct buffer buffer;
    struct json_writer writer;
    int64_t left, now_us;
    bool has_more;
    uint32_t last_number;
};

static struct result visit_campaign(void *context, const struct row *row) {
    struct list_reading *self = context;
    if (self->left == 0) {
        self->has_more = true;
        return result_ok();
    }
    struct campaign campaign;
    TRY(sound_campaign_of_row(row, &campaign));
    self->left--;
    self->last_number = campaign.number;
    answer_write_campaign(&self->writer, &campaign, self->now_us);
    return result_ok();
}

static bool ask_list(struct reading *reading, struct batch *batch, uint32_t round) {
    struct list_reading *self = (struct list_reading *)reading;
    (void)round;
    self->left = self->limit;
    self->has_more = false;
    reply_page_begin(reading->exchange, &self->writer, &self->buffer, LIST_BYTES);
    ask_campaigns_before(batch, self->before, self->limit + 1, visit_campaign, self);
    return false;
}

static void answer_list(struct reading *reading) {
    struct list_reading *self = (struct list_reading *)reading;
    const int64_t words[PAGE_CURSOR_WORDS] = {self->last_number};
    reply_page(reading->exchange, &self->writer, LIST_CAMPAIGNS, self->has_more, words);
    exchange_finish(reading->exchange);
}

static bool read_page(struct exchange *exchange, struct page_query *query) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    page_begin(query, LIST_CAMPAIGNS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(query, &faults);
    if (query->page.has_cursor && query->page.cursor[0] < 1)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    return !request_refuse_faults(exchange, &faults);
}

void campaigns_list(struct exchange *exchange) {
    struct page_query query;
    struct list_reading *reading = NULL;
    if (read_page(exchange, &query)) reading = reading_begin(exchange, ask_list, answer_list, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->limit = query.page.limit;
    reading->before = query.page.has_cursor ? query.page.cursor[0] : INT64_MAX;
    reading->now_us = clock_now_us(discount_of(exchange)->service.clock);
    reading_start(&reading->reading);
}
