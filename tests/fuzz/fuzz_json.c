/* json_open, json_read and json_dump: jansson thinks the same of the text and reads the same values; the canonical form is its own; the reader
 * either fills its targets within their rules or names a fault; every fault and every text can be written and read again. */
#include "../unit/base/json/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_BYTES (4u << 20)

static void check_faults(struct arena *arena, const struct faults *faults) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 1024);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_array(&writer);
    for (size_t i = 0; i < faults->count; i++) {
        json_begin_object(&writer);
        json_text_member(&writer, "field", text_of(faults->items[i].field));
        json_text_member(&writer, "detail", text_of(faults->items[i].detail));
        json_end_object(&writer);
    }
    json_end_array(&writer);
    struct faults none;
    struct json_document *document;
    faults_init(&none, arena);
    CHECK(!buffer.failed && result_is_ok(json_open(arena, buffer_text(&buffer), &none, &document)));
    CHECK(json_array_count(json_root(document)) == faults->count);
    json_close(document);
}

static void check_reading(struct arena *arena, const struct json_value *root) {
    struct text name = {"", 0};
    int64_t count = 1, at_us = 0;
    struct id id;
    const struct json_value *credit = NULL, *items = NULL;
    struct money money = {0};
    bool has_name = false;
    const struct json_member members[] = {
        {.name = "name", .kind = JSON_TEXT, .target = &name, .required = true, .min = 1, .max = 5, .present = &has_name},
        {.name = "count", .kind = JSON_INTEGER, .target = &count, .nullable = true, .min = 1, .max = 100},
        {.name = "at", .kind = JSON_TIME, .target = &at_us},
        {.name = "id", .kind = JSON_ID, .target = &id},
        {.name = "credit", .kind = JSON_OBJECT, .target = &credit},
        {.name = "items", .kind = JSON_ARRAY, .target = &items, .min = 1, .max = 10},
    };
    struct faults faults;
    faults_init(&faults, arena);
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    json_read_money(credit, "credit.", &faults, &money);
    if (!faults_any(&faults)) {
        size_t characters = 0;
        CHECK(json_is_object(root) && has_name && count >= 1 && count <= 100);
        CHECK(result_is_ok(text_count_characters(name, &characters)) && characters >= 1 && characters <= 5);
        CHECK(credit == NULL || (money.amount_minor >= 1 && money.amount_minor <= MONEY_AMOUNT_MAX && money.currency != CURRENCY_NONE));
        CHECK(items == NULL || (json_array_count(items) >= 1 && json_array_count(items) <= 10));
    }
    check_faults(arena, &faults);
}

static void check_dump(struct arena *arena, const struct json_value *root) {
    struct text dumped = json_dump(arena, root);
    if (dumped.data == NULL) return; /* the arena's limit */
    struct faults faults;
    struct json_document *document;
    faults_init(&faults, arena);
    CHECK(result_is_ok(json_open(arena, dumped, &faults, &document)));
    struct text again = json_dump(arena, json_root(document));
    if (again.data != NULL) CHECK(text_equal(dumped, again));
    json_close(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    arena_init(&arena, ARENA_BYTES);
    faults_init(&faults, &arena);
    struct result opened = json_open(&arena, (struct text){(const char *)data, size}, &faults, &document);
    CHECK(opened.code == RESULT_OK || opened.code == RESULT_INVALID);
    CHECK(result_is_ok(opened) == (document != NULL));
    if (result_is_ok(opened)) {
        CHECK(!faults_any(&faults));
        check_reading(&arena, json_root(document));
        check_dump(&arena, json_root(document));
    } else {
        check_faults(&arena, &faults);
    }
    json_close(document);
    arena_release(&arena);
    CHECK(oracle_agrees((struct text){(const char *)data, size}));
    return 0;
}
