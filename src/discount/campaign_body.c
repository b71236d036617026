#include "discount/campaign_body.h"

#include <inttypes.h>
#include <string.h>

#include "base/unicode.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "service/request.h"

#define CODE_TYPED_MAX      4096
#define METADATA_NAME_MAX   40u
#define METADATA_STRING_MAX 500u
#define AGE_MAX_S           (INT64_C(100) * 366 * 24 * 3600)

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
static void check_worth(struct money credit, int64_t max_redemptions, struct faults *faults) {
    struct money worth;
    if (max_redemptions == 0 || result_is_ok(money_multiply(credit, max_redemptions, &worth))) return;
    faults_add(faults, "max_redemptions", "out_of_range", "times the credit it must not pass %" PRId64, MONEY_AMOUNT_MAX);
}

/* In its normal form, in the arena: how a name was typed does not make it another one. */
void campaign_body_read_name(struct arena *arena, struct text *name, struct faults *faults) {
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

/* ---- what both may hold ---- */

struct body {
    struct text name, code, phone;
    const struct json_value *credit, *discount, *budget, *min_order, *schedule, *eligibility, *metadata;
    int64_t max_redemptions;
    struct campaign_rules rules;
    struct rule_words words;
    bool is_public, needs_approval;
    struct money amount; /* credit or amount off */
    enum currency currency;
};

#define BODY_MEMBERS(body, dates)                                                                                                         \
    {.name = "credit", .kind = JSON_OBJECT, .target = &(body)->credit},                                                                   \
        {.name = "discount", .kind = JSON_OBJECT, .target = &(body)->discount},                                                           \
        {.name = "max_per_user", .kind = JSON_INTEGER, .target = &(body)->rules.max_per_user, .min = 1, .max = LIMIT_REDEMPTIONS_EACH},   \
        {.name = "max_per_phone", .kind = JSON_INTEGER, .target = &(body)->rules.max_per_phone, .min = 1, .max = LIMIT_REDEMPTIONS_EACH}, \
        {.name = "max_per_day",                                                                                                           \
         .kind = JSON_INTEGER,                                                                                                            \
         .target = &(body)->rules.max_per_day,                                                                                            \
         .nullable = true,                                                                                                                \
         .min = 1,                                                                                                                        \
         .max = LIMIT_CAMPAIGN_PLACES},                                                                                                   \
        {.name = "waiting_list",                                                                                                          \
         .kind = JSON_INTEGER,                                                                                                            \
         .target = &(body)->rules.waiting_list,                                                                                           \
         .nullable = true,                                                                                                                \
         .min = 0,                                                                                                                        \
         .max = LIMIT_CAMPAIGN_PLACES},                                                                                                   \
        {.name = "budget", .kind = JSON_OBJECT, .target = &(body)->budget, .nullable = true},                                             \
        {.name = "min_order", .kind = JSON_OBJECT, .target = &(body)->min_order, .nullable = true},                                       \
        {.name = "schedule", .kind = JSON_OBJECT, .target = &(body)->schedule, .nullable = true},                                         \
        {.name = "eligibility", .kind = JSON_OBJECT, .target = &(body)->eligibility, .nullable = true},                                   \
        {.name = "metadata", .kind = JSON_OBJECT, .target = &(body)->metadata, .nullable = true},                                         \
        {.name = "public", .kind = JSON_BOOLEAN, .target = &(body)->is_public},                                                           \
        {.name = "approval", .kind = JSON_BOOLEAN, .target = &(body)->needs_approval},                                                    \
        {.name = "phone", .kind = JSON_TEXT, .target = &(body)->phone, .min = 1, .max = 64},                                              \
        {.name = "starts_at", .kind = JSON_TIME, .target = &(dates)->starts_at_us, .nullable = true}, {                                   \
        .name = "ends_at", .kind = JSON_TIME, .target = &(dates)->ends_at_us, .nullable = true                                            \
    }

/* ---- gifts ---- */

/* Up to two decimals: "12.5" is 1250 hundredths. */
static bool parse_percent(struct text text, int64_t *ret_hundredths) {
    int64_t value = 0;
    size_t decimals = 0, digits = 0;
    bool has_point = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool is_point = c == '.' && !has_point && digits > 0;
        if (!is_point && (c < '0' || c > '9')) return false;
        has_point = has_point || is_point;
        if (is_point) continue;
        value = value * 10 + (c - '0');
        digits++;
        decimals += has_point;
        if (digits > 5 || decimals > 2) return false;
    }
    if (digits == 0 || (has_point && decimals == 0)) return false;
    for (; decimals < 2; decimals++) value *= 10;
    *ret_hundredths = value;
    return value > 0 && value <= 100 * PERCENT_SCALE;
}

/* Wallet knows those that it was told of, and we those that we were: a fund in another could never be opened. */
static void check_offered(const struct discount *discount, enum currency currency, struct faults *faults) {
    char offered[CURRENCY_COUNT * (CURRENCY_CODE_BYTES + 4u)];
    size_t size = 0;
    if (currency == CURRENCY_NONE || discount->is_offered[currency]) return;
    for (unsigned i = CURRENCY_IRT; i < CURRENCY_COUNT; i++) {
        if (!discount->is_offered[i]) continue;
        size += (size_t)snprintf(offered + size, sizeof offered - size, "%s%s", size == 0 ? "" : " or ", currency_code((enum currency)i));
    }
    faults_add(faults, "credit.currency", "currency_mismatch", "must be %s, a currency that campaigns are made in here", offered);
}

/* Of one campaign all amounts have one currency: the first that is named. */
static void read_amount(struct body *body, const struct json_value *value, const char *prefix, struct money *ret_money,
                        struct faults *faults) {
    if (value == NULL) return;
    struct money money = {0};
    json_read_money(value, prefix, faults, &money);
    *ret_money = money;
    if (money.currency == CURRENCY_NONE) return;
    if (body->currency == CURRENCY_NONE) body->currency = money.currency;
    if (body->currency == money.currency) return;
    char field[64];
    snprintf(field, sizeof field, "%scurrency", prefix);
    faults_add(faults, field, "currency_mismatch", "must be %s, as the campaign's other amounts", currency_code(body->currency));
}

static void read_minor(struct body *body, const struct json_value *value, const char *prefix, int64_t *ret_minor, struct faults *faults) {
    struct money money = {0};
    read_amount(body, value, prefix, &money, faults);
    *ret_minor = money.amount_minor;
}

static void read_share(struct body *body, struct faults *faults) {
    struct text percent = {0};
    const struct json_value *most = NULL;
    const struct json_member members[] = {
        {.name = "percent", .kind = JSON_TEXT, .target = &percent, .required = true, .min = 1, .max = 16},
        {.name = "max", .kind = JSON_OBJECT, .target = &most, .nullable = true},
    };
    json_read(body->discount, "discount.", members, ARRAY_COUNT(members), faults);
    if (percent.size > 0 && !parse_percent(percent, &body->rules.percent))
        faults_add(faults, "discount.percent", "invalid_format",
                   "must be more than 0 and at most 100, with two decimals at most, as \"12.5\"");
    read_minor(body, most, "discount.max.", &body->rules.discount_max_minor, faults);
}

static void must_be_there(const struct json_value *value, const char *field, bool is_needed, bool is_patch, struct faults *faults) {
    if (is_needed && value == NULL && !is_patch) faults_add(faults, field, "required", "is required by this kind");
    if (!is_needed && value != NULL) faults_add(faults, field, "not_allowed", "is not a member of this kind");
}

static void read_gift(struct body *body, const struct discount *discount, bool is_patch, struct faults *faults) {
    enum gift_kind kind = body->rules.kind;
    must_be_there(body->credit, "credit", kind == GIFT_CREDIT, is_patch, faults);
    must_be_there(body->discount, "discount", gift_is_of_order(kind), is_patch, faults);
    if (kind == GIFT_CREDIT && body->credit != NULL) {
        read_amount(body, body->credit, "credit.", &body->amount, faults);
        if (!is_patch) check_offered(discount, body->amount.currency, faults);
    }
    if (kind == GIFT_AMOUNT_OFF && body->discount != NULL) read_amount(body, body->discount, "discount.", &body->amount, faults);
    if (kind == GIFT_PERCENT_OFF && body->discount != NULL) read_share(body, faults);
}

/* ---- when and for whom ---- */

static bool read_day(struct text name, uint32_t *days) {
    static const char *const names[] = {"sat", "sun", "mon", "tue", "wed", "thu", "fri"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (!text_equal(text_of(names[i]), name)) continue;
        *days |= 1u << i;
        return true;
    }
    return false;
}

/* 10:00, and 24:00 where it may end a day. */
static bool parse_minute(struct text text, int64_t most, int16_t *ret_minute) {
    bool is_formed = text.size == 5 && text.data[2] == ':';
    for (size_t i = 0; is_formed && i < 5; i++) is_formed = i == 2 || (text.data[i] >= '0' && text.data[i] <= '9');
    if (!is_formed) return false;
    int64_t hour = (text.data[0] - '0') * 10 + text.data[1] - '0', minute = (text.data[3] - '0') * 10 + text.data[4] - '0';
    if (minute > 59 || hour * 60 + minute > most) return false;
    *ret_minute = (int16_t)(hour * 60 + minute);
    return true;
}

static void read_schedule(struct body *body, struct faults *faults) {
    struct text zone_name = {0}, from = {0}, to = {0};
    const struct json_value *days = NULL;
    const struct json_member members[] = {
        {.name = "time_zone", .kind = JSON_TEXT, .target = &zone_name, .min = 1, .max = TIME_ZONE_BYTES},
        {.name = "days", .kind = JSON_ARRAY, .target = &days, .min = 1, .max = 7},
        {.name = "from", .kind = JSON_TEXT, .target = &from, .min = 1, .max = 16},
        {.name = "to", .kind = JSON_TEXT, .target = &to, .min = 1, .max = 16},
    };
    if (body->schedule == NULL) return;
    json_read(body->schedule, "schedule.", members, ARRAY_COUNT(members), faults);
    struct schedule *schedule = &body->rules.schedule;
    *schedule = (struct schedule){.days = days == NULL ? EVERY_DAY : 0, .to_minute = MINUTES_PER_DAY};
    for (size_t i = 0; i < json_array_count(days); i++) {
        if (!read_day(json_text(json_array_item(days, i)), &schedule->days))
            faults_add(faults, "schedule.days", "invalid_value", "must be of sat, sun, mon, tue, wed, thu and fri");
    }
    if (from.size > 0 && !parse_minute(from, MINUTES_PER_DAY - 1, &schedule->from_minute))
        faults_add(faults, "schedule.from", "invalid_format", "must be a time of the day, 00:00 to 23:59");
    if (to.size > 0 && !parse_minute(to, MINUTES_PER_DAY, &schedule->to_minute))
        faults_add(faults, "schedule.to", "invalid_format", "must be a time of the day, 00:00 to 24:00");
    const struct zone *zone;
    if (zone_name.size == 0) return;
    if (zone_name.size > TIME_ZONE_BYTES || !result_is_ok(zone_find(zone_name, &zone))) {
        faults_add(faults, "schedule.time_zone", "invalid_value", "must be a time zone that the system knows, as Asia/Tehran");
        return;
    }
    memcpy(body->words.time_zone, zone_name.data, zone_name.size);
    body->words.time_zone_size = (uint8_t)zone_name.size;
}

static void read_eligibility(struct body *body, struct faults *faults) {
    bool has_list = false;
    const struct json_member members[] = {
        {.name = "list", .kind = JSON_BOOLEAN, .target = &has_list},
        {.name = "account_age_min_s", .kind = JSON_INTEGER, .target = &body->rules.account_age_min_s, .min = 0, .max = AGE_MAX_S},
    };
    if (body->eligibility != NULL) json_read(body->eligibility, "eligibility.", members, ARRAY_COUNT(members), faults);
    body->rules.has_list = has_list;
}

static void read_metadata(struct arena *arena, struct body *body, struct faults *faults) {
    size_t count = json_object_count(body->metadata);
    if (body->metadata == NULL) return;
    if (count > METADATA_STRINGS) faults_add(faults, "metadata", "too_long", "must have at most %u members", METADATA_STRINGS);
    for (size_t i = 0; i < count; i++) {
        struct text value = json_text(json_object_value(body->metadata, i)), name = json_object_name(body->metadata, i);
        if (value.data == NULL || value.size > METADATA_STRING_MAX || name.size == 0 || name.size > METADATA_NAME_MAX) {
            faults_add(faults, "metadata", "invalid_value", "must hold texts of at most %u bytes under names of 1 to %u",
                       METADATA_STRING_MAX, METADATA_NAME_MAX);
            return;
        }
    }
    struct text dumped = count == 0 ? TEXT("") : json_dump(arena, body->metadata);
    if (dumped.size > METADATA_BYTES) {
        faults_add(faults, "metadata", "too_long", "must be at most %u bytes as JSON", METADATA_BYTES);
        return;
    }
    if (dumped.size > 0) memcpy(body->words.metadata, dumped.data, dumped.size);
    body->words.metadata_size = (uint16_t)dumped.size;
}

static void read_rules(struct exchange *exchange, struct body *body, bool is_patch, struct faults *faults) {
    read_gift(body, discount_of(exchange), is_patch, faults);
    read_minor(body, body->budget, "budget.", &body->rules.budget_minor, faults);
    read_minor(body, body->min_order, "min_order.", &body->rules.min_order_minor, faults);
    read_schedule(body, faults);
    read_eligibility(body, faults);
    read_metadata(&exchange->arena, body, faults);
    body->rules.is_public = body->is_public;
    body->rules.needs_approval = body->needs_approval;
}

/* ---- POST ---- */

static void check_kind(struct text name, struct body *body, struct faults *faults) {
    body->rules.kind = GIFT_CREDIT;
    if (name.size == 0 || result_is_ok(gift_kind_named(name, &body->rules.kind))) return;
    faults_add(faults, "kind", "invalid_value", "must be wallet_credit, amount_off or percent_off");
}

static bool finish_create(struct exchange *exchange, const struct body *body, struct campaign_create *create) {
    create->name = arena_copy(&exchange->arena, body->name); /* the document is closed before the store reads it */
    create->credit = body->amount;
    if (create->credit.currency == CURRENCY_NONE)
        create->credit.currency = body->currency != CURRENCY_NONE ? body->currency : discount_of(exchange)->currency;
    create->max_redemptions = body->max_redemptions;
    create->rules = body->rules;
    create->words = body->words;
    if (create->name.data != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

bool campaign_body_read_create(struct exchange *exchange, struct campaign_making *making) {
    const struct discount *discount = making->base.discount;
    struct campaign_create *create = &making->create;
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    struct body *body = ARENA_NEW(&exchange->arena, struct body);
    if (root == NULL) return false;
    if (body == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    *body = (struct body){.rules = {.max_per_user = 1, .max_per_phone = 1}};
    struct text kind = {0};
    create->starts_at_us = create->ends_at_us = DATE_UNREAD;
    const struct json_member members[] = {
        {.name = "name", .kind = JSON_TEXT, .target = &body->name, .required = true, .min = 1, .max = CAMPAIGN_NAME_CHARACTERS},
        {.name = "kind", .kind = JSON_TEXT, .target = &kind, .required = true, .min = 1, .max = 64},
        {.name = "code", .kind = JSON_TEXT, .target = &body->code, .nullable = true, .min = 1, .max = CODE_TYPED_MAX},
        {.name = "max_redemptions",
         .kind = JSON_INTEGER,
         .target = &body->max_redemptions,
         .required = true,
         .min = 1,
         .max = LIMIT_CAMPAIGN_PLACES},
        BODY_MEMBERS(body, create),
    };
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    campaign_body_read_name(&exchange->arena, &body->name, &faults);
    check_kind(kind, body, &faults);
    read_rules(exchange, body, false, &faults);
    check_code(body->code, &create->code, &faults);
    check_phone_rule(body->phone, &create->phone_rule, &faults);
    if (body->rules.kind == GIFT_CREDIT) check_worth(body->amount, body->max_redemptions, &faults);
    check_dates(discount, &create->starts_at_us, &create->ends_at_us, &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    if (!finish_create(exchange, body, create)) return false;
    operation_read_key(&making->base.operation, root);
    return true;
}

/* ---- PATCH ---- */

/* null takes away what may be missing; what is left out stays. */
static uint32_t given_rules(const struct json_value *root) {
    static const struct {
        const char *name;
        uint32_t given;
    } names[] = {{"discount", GIVEN_DISCOUNT},         {"min_order", GIVEN_MIN_ORDER}, {"max_per_user", GIVEN_PER_USER},
                 {"max_per_phone", GIVEN_PER_PHONE},   {"max_per_day", GIVEN_PER_DAY}, {"budget", GIVEN_BUDGET},
                 {"schedule", GIVEN_SCHEDULE},         {"public", GIVEN_PUBLIC},       {"eligibility", GIVEN_ELIGIBILITY},
                 {"waiting_list", GIVEN_WAITING_LIST}, {"metadata", GIVEN_METADATA},   {"approval", GIVEN_APPROVAL}};
    uint32_t given = 0;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (json_get(root, names[i].name) != NULL) given |= names[i].given;
    }
    return given;
}

static void finish_patch(struct exchange *exchange, const struct json_value *root, const struct body *body, struct campaign_patch *patch) {
    patch->name = arena_copy(&exchange->arena, body->name);
    patch->max_redemptions = body->max_redemptions;
    patch->has_starts_at = json_get(root, "starts_at") != NULL;
    patch->has_ends_at = json_get(root, "ends_at") != NULL;
    patch->has_code = body->code.size > 0;
    patch->has_phone_rule = body->phone.size > 0;
    patch->has_credit = body->amount.currency != CURRENCY_NONE;
    patch->credit = body->amount;
    patch->rules_given = given_rules(root);
    if (body->rules.kind != GIFT_PERCENT_OFF) patch->rules_given &= ~(uint32_t)GIVEN_DISCOUNT; /* it is an amount then */
    patch->rules = body->rules;
    patch->words = body->words;
}

bool campaign_body_read_patch(struct exchange *exchange, const struct json_value *root, struct faults *faults,
                              const struct board_slot *slot, struct campaign_patch *patch) {
    struct body *body = ARENA_NEW(&exchange->arena, struct body);
    if (body == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    struct campaign_view view = board_view(slot);
    *body = (struct body){.rules = {.kind = view.rules.kind}, .currency = slot->currency};
    patch->starts_at_us = patch->ends_at_us = DATE_UNREAD;
    const struct json_member members[] = {
        {.name = "name", .kind = JSON_TEXT, .target = &body->name, .min = 1, .max = CAMPAIGN_NAME_CHARACTERS, .present = &patch->has_name},
        {.name = "code", .kind = JSON_TEXT, .target = &body->code, .min = 1, .max = CODE_TYPED_MAX},
        {.name = "max_redemptions",
         .kind = JSON_INTEGER,
         .target = &body->max_redemptions,
         .min = 1,
         .max = LIMIT_CAMPAIGN_PLACES,
         .present = &patch->has_max_redemptions},
        BODY_MEMBERS(body, patch),
    };
    json_read(root, "", members, ARRAY_COUNT(members), faults);
    campaign_body_read_name(&exchange->arena, &body->name, faults);
    read_rules(exchange, body, true, faults);
    check_code(body->code, &patch->code, faults);
    check_phone_rule(body->phone, &patch->phone_rule, faults);
    int64_t places = patch->has_max_redemptions ? body->max_redemptions : view.max_redemptions;
    if (view.rules.kind == GIFT_CREDIT)
        check_worth(body->amount.currency != CURRENCY_NONE ? body->amount : board_credit(slot), places, faults);
    check_dates(discount_of(exchange), &patch->starts_at_us, &patch->ends_at_us, faults);
    if (request_refuse_faults(exchange, faults)) return false;
    finish_patch(exchange, root, body, patch);
    return true;
}
