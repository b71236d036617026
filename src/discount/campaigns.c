/* Making and steering campaigns. */
#include "discount/campaigns.h"

#include "discount/answer.h"
#include "discount/campaign_body.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/tables.h"
#include "discount/working_set.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"
#include <inttypes.h>

#define CAMPAIGN_ITEM_BYTES 2048u
#define ANSWER_ROOM         16384u /* with two pictures for the audit log */
#define LIST_BYTES          1024u
#define CODE_TYPED_MAX      1024
#define PICTURE_BYTES       1024u

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
    buffer_init(&buffer, operation->arena, PICTURE_BYTES + campaign->words.metadata_size);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "name", campaign_name(campaign));
    json_integer_member(&writer, "version", campaign->version);
    json_integer_member(&writer, "sequence", campaign->sequence);
    answer_write_rules(&writer, campaign);
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
    if (!campaign_awaits_fund(campaign)) return; /* it needs none, or no second administrator has agreed to it yet */
    if (operation->is_dry_run) return;           /* Wallet is not asked */
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
    return campaign_awaits_fund(subject_of(engine, operation));
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

static void load_change(struct engine *engine, struct operation *operation) {
    working_set_name_campaign(engine, ((struct campaign_change *)operation)->id);
}

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
    if (verdict != CAMPAIGN_DONE && verdict != CAMPAIGN_HELD) return;
    discount_note_change(self, campaign, event);
    audit_note(engine, operation, act, campaign->id, ((struct campaign_change *)operation)->before, picture_of(operation, campaign),
               self->decided_us);
}

/* Who is told that there are more places can have them. */
static void wait_for_fund(struct operation *operation, enum campaign_verdict verdict, const struct campaign *campaign) {
    if (verdict != CAMPAIGN_DONE || !campaign_awaits_fund(campaign) || operation->is_dry_run) return;
    operation->fate = FATE_WAITING;
    operation->subject = campaign->id;
}

static void decide_patch(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct campaign *campaign = begin_change(engine, operation, now_us);
    const struct campaign_patch *patch = &((struct campaign_change *)operation)->patch;
    enum campaign_verdict verdict = campaign_patch(&set->campaigns, campaign, patch, now_us);
    end_change(engine, operation, verdict, campaign, "campaign_changed", "campaign.change");
    wait_for_fund(operation, verdict, campaign);
}

static void decide_approve(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct campaign *campaign = begin_change(engine, operation, now_us);
    enum campaign_verdict verdict = campaign_approve(&set->campaigns, campaign, operation->exchange->caller.user_id, now_us);
    end_change(engine, operation, verdict, campaign, "campaign_approved", "campaign.approve");
    wait_for_fund(operation, verdict, campaign);
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

#define CHANGE(what, decide_it)                                                                           \
    {                                                                                                     \
        .name = what, .weight = 1, .answer_bytes = ANSWER_ROOM, .load = load_change, .decide = decide_it, \
        .render = answer_campaign_changed, .committed = discount_committed, .send = discount_send         \
    }
const struct action patch_action = {.name = "change campaign",
                                    .weight = 1,
                                    .answer_bytes = ANSWER_ROOM,
                                    .load = load_change,
                                    .decide = decide_patch,
                                    .decide_again = decide_changed_with_fund,
                                    .render = answer_campaign_changed,
                                    .committed = discount_committed,
                                    .send = discount_send};
const struct action approve_action = {.name = "approve campaign",
                                      .weight = 1,
                                      .answer_bytes = ANSWER_ROOM,
                                      .load = load_change,
                                      .decide = decide_approve,
                                      .decide_again = decide_changed_with_fund,
                                      .render = answer_campaign_changed,
                                      .committed = discount_committed,
                                      .send = discount_send};
const struct action pause_action = CHANGE("pause campaign", decide_pause);
const struct action resume_action = CHANGE("resume campaign", decide_resume);
const struct action end_action = CHANGE("end campaign", decide_end);

/* ---- POST /v1/campaigns ---- */

void campaigns_create(struct exchange *exchange) {
    struct campaign_making *making = discount_begin(exchange, &create_action, sizeof *making);
    if (making == NULL || !campaign_body_read_create(exchange, making)) {
        exchange_finish(exchange);
        return;
    }
    making->create.by = exchange->caller.user_id;
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

void campaigns_patch(struct exchange *exchange) {
    int64_t version;
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    struct board_slot *slot = NULL;
    struct campaign_change *change = discount_begin(exchange, &patch_action, sizeof *change);
    const struct json_value *root = change == NULL ? NULL : request_open_body(exchange, &faults, &document);
    if (root != NULL) slot = request_campaign(exchange);
    if (slot == NULL || !read_if_match(exchange, slot, &version) ||
        !campaign_body_read_patch(exchange, root, &faults, slot, &change->patch)) {
        exchange_finish(exchange);
        return;
    }
    change->patch.version_expected = version;
    change->patch.by = exchange->caller.user_id;
    change->id = slot->id;
    operation_submit(&change->base.operation);
}

/* ---- switches ---- */

static void submit_switch(struct exchange *exchange, const struct action *action) {
    struct campaign_change *change = NULL;
    struct board_slot *slot = request_campaign(exchange);
    if (slot != NULL) change = discount_begin(exchange, action, sizeof *change);
    if (change == NULL) {
        exchange_finish(exchange);
        return;
    }
    change->id = slot->id;
    operation_submit(&change->base.operation);
}

void campaigns_approve(struct exchange *exchange) { submit_switch(exchange, &approve_action); }
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
    const struct board_slot *slot = request_campaign(exchange);
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
    struct campaign_filter filter;
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
    ask_campaigns_before(batch, self->before, self->limit + 1, &self->filter, visit_campaign, self);
    return false;
}

static void answer_list(struct reading *reading) {
    struct list_reading *self = (struct list_reading *)reading;
    const int64_t words[PAGE_CURSOR_WORDS] = {self->last_number};
    reply_page(reading->exchange, &self->writer, LIST_CAMPAIGNS, self->has_more, words);
    exchange_finish(reading->exchange);
}

struct list_query {
    struct page_query page;
    struct text code, name, kind, state;
    struct code canonical; /* of .code */
};

/* In its canonical form: as it is typed. What can be no code is that of no campaign. */
static void read_code(struct arena *arena, struct list_query *query, struct faults *faults) {
    if (query->code.size == 0) return;
    if (!result_is_ok(code_parse(query->code, &query->canonical)))
        faults_add(faults, "code", "invalid_format", "must be letters and digits");
    query->code = arena_copy(arena, code_text(&query->canonical));
}

static bool read_query(struct exchange *exchange, struct list_query *query) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    *query = (struct list_query){.code = {0}};
    page_begin(&query->page, LIST_CAMPAIGNS);
    const struct query_member members[] = {
        PAGE_QUERY_MEMBERS(&query->page),
        {.name = "state", .kind = QUERY_CHOICE, .target = &query->state, .choices = "scheduled|active|paused|exhausted|ended"},
        {.name = "kind", .kind = QUERY_CHOICE, .target = &query->kind, .choices = "wallet_credit|amount_off|percent_off"},
        {.name = "code", .kind = QUERY_TEXT, .target = &query->code, .min = 1, .max = CODE_TYPED_MAX},
        {.name = "name", .kind = QUERY_TEXT, .target = &query->name, .min = 1, .max = CAMPAIGN_NAME_BYTES},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query->page, &faults);
    read_code(&exchange->arena, query, &faults);
    campaign_body_read_name(&exchange->arena, &query->name, &faults);
    if (query->page.page.has_cursor && query->page.page.cursor[0] < 1)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    return !request_refuse_faults(exchange, &faults);
}

void campaigns_list(struct exchange *exchange) {
    struct list_query query;
    struct list_reading *reading = NULL;
    if (read_query(exchange, &query)) reading = reading_begin(exchange, ask_list, answer_list, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    enum gift_kind kind = GIFT_CREDIT;
    bool has_kind = query.kind.size > 0 && result_is_ok(gift_kind_named(query.kind, &kind));
    reading->limit = query.page.page.limit;
    reading->before = query.page.page.has_cursor ? query.page.page.cursor[0] : INT64_MAX;
    reading->now_us = clock_now_us(discount_of(exchange)->service.clock);
    reading->filter = (struct campaign_filter){
        .code = query.code, .name = query.name, .state = query.state, .now_us = reading->now_us, .kind = has_kind ? (int64_t)kind : 0};
    reading_start(&reading->reading);
}
