#include "service/phones.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/phone.h"

#define PAGE_ROWS 200

struct old_phone {
    struct value key;
    struct phone phone, form; /* as it stands, and as it would be kept now */
    bool is_taken;
};

struct page {
    const struct phone_questions *questions;
    struct old_phone items[PAGE_ROWS];
    size_t count;
};

static struct result visit_left(void *context, const struct row *row) {
    struct page *page = context;
    CHECK(page->count < PAGE_ROWS);
    struct old_phone *item = &page->items[page->count++];
    *item = (struct old_phone){.key = page->questions->key == COLUMN_ID ? value_id(row_id(row, 0)) : value_integer(row_integer(row, 0))};
    if (!phone_of_e164(row_text(row, 1), &item->phone)) row_refuse(row, 1, "not a phone number");
    /* What is no number by the new rules stays what it was. */
    if (!result_is_ok(phone_parse(phone_text(&item->phone), NULL, &item->form))) item->form = item->phone;
    return result_ok();
}

static struct result visit_taken(void *context, const struct row *row) {
    (void)row;
    ((struct old_phone *)context)->is_taken = true;
    return result_ok();
}

static bool changes(const struct old_phone *item) { return !phone_equal(&item->phone, &item->form); }

/* Two of one page may come to the same form: the second waits for the next page, where it meets the first. */
static bool is_first_of_its_form(const struct page *page, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (phone_equal(&page->items[i].form, &page->items[index].form)) return false;
    }
    return true;
}

static void write_page(struct batch *batch, const struct page *page) {
    const struct phone_questions *questions = page->questions;
    for (size_t i = 0; i < page->count; i++) {
        const struct old_phone *item = &page->items[i];
        bool is_changed = changes(item) && !item->is_taken;
        if (is_changed && !is_first_of_its_form(page, i)) continue;
        if (changes(item)) {
            LOG(LOG_INFO, item->is_taken ? "phone_has_another_owner" : "phone_rewritten", LOG_TEXT("from", phone_text(&item->phone)),
                LOG_TEXT("to", phone_text(&item->form)));
        }
        if (is_changed) batch_do(batch, &questions->change, (struct value[]){item->key, value_text(phone_text(&item->form))}, 1);
        batch_do(batch, &questions->reviewed, &item->key, 1);
    }
}

static struct result review_page(struct batch *batch, struct page *page) {
    page->count = 0;
    TRY(batch_begin(batch));
    batch_ask(batch, &page->questions->left, (struct value[]){value_integer(PAGE_ROWS)}, visit_left, page);
    TRY(batch_run(batch));
    for (size_t i = 0; i < page->count; i++) {
        struct old_phone *item = &page->items[i];
        if (!changes(item)) continue;
        batch_ask(batch, &page->questions->taken, (struct value[]){item->key, value_text(phone_text(&item->form))}, visit_taken, item);
    }
    TRY(batch_run(batch));
    write_page(batch, page);
    struct result reason;
    enum commit_end end = batch_commit(batch, &reason);
    if (end == COMMIT_DOUBTFUL) end = batch_settle(batch);
    if (end == COMMITTED) return result_ok();
    return result_is_ok(reason) ? result_error(RESULT_UNAVAILABLE) : reason;
}

struct result phones_review(struct batch *batch, const struct phone_questions *questions) {
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL) return result_error(RESULT_FULL);
    page->questions = questions;
    struct result outcome;
    do {
        outcome = review_page(batch, page);
        if (!result_is_ok(outcome)) batch_rollback(batch);
    } while (result_is_ok(outcome) && page->count > 0);
    free(page);
    return outcome;
}
