/* POST /v1/redemptions, GET /v1/redemptions and GET /v1/redemptions/{id}.
 *
 * Most of a crowd comes too late. What the board can say for certain is said here, on the loop; everything that may take a place, or that
 * carries an Idempotency-Key, goes to the store. */
#include <string.h>

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/handlers.h"

#define CODE_TYPED_MAX        4096 /* characters; longer than any code with its separators: the body's own limit does the rest */
#define PAGE_ARENA_ITEM_BYTES 400u

static void close_document(struct json_document **document) { json_close(*document); }

/* ---- what the board knows ---- */

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
    operation_submit(operation);
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

/* The caller may be a winner: asks this loop's own connection, which sees every commit that the board's state stands on. */
static struct result find_own(struct discount_operation *operation, const struct board_slot *slot, enum knowledge *ret_has_own,
                              struct redemption *ret_own) {
    struct discount *discount = operation->discount;
    bool is_found = false;
    if (board_may_be_user(discount->board, slot, operation->redeem.user_id)) {
        struct reader *reader = discount->readers[operation->exchange->loop_index];
        TRY(reader_find_user(reader, slot->number, operation->redeem.user_id, ret_own, &is_found));
    }
    *ret_has_own = is_found ? IS_SO : IS_NOT;
    return result_ok();
}

static struct result find_phone(struct discount_operation *operation, const struct board_slot *slot, enum knowledge *ret_has_won) {
    struct discount *discount = operation->discount;
    struct redemption redemption;
    bool is_found = false;
    if (board_may_be_phone(discount->board, slot, &operation->redeem.phone)) {
        struct reader *reader = discount->readers[operation->exchange->loop_index];
        TRY(reader_find_phone(reader, slot->number, &operation->redeem.phone, &redemption, &is_found));
    }
    *ret_has_won = is_found ? IS_SO : IS_NOT;
    return result_ok();
}

/* Asks for what the decision depends on, until it is made. */
static struct result decide_from_board(struct discount_operation *operation, const struct board_slot *slot,
                                       const struct campaign_view *view, int64_t now_us, struct redemption *ret_own,
                                       struct redeem_verdict *ret_verdict) {
    struct redeem_facts facts = {.has_campaign = true,
                                 .is_other_phone = redeem_is_other_phone(&operation->redeem),
                                 .times = view_times(view),
                                 .places = view->max_redemptions,
                                 .taken = view->redeemed};
    for (;;) {
        *ret_verdict = redeem_decide(&facts, now_us);
        switch (ret_verdict->step) {
        case REDEEM_ASK_OWN: TRY(find_own(operation, slot, &facts.has_own, ret_own)); break;
        case REDEEM_ASK_PHONE: TRY(find_phone(operation, slot, &facts.phone_has_won)); break;
        case REDEEM_CLAIM:
        case REDEEM_REPEAT:
        case REDEEM_REFUSE: return result_ok();
        }
    }
}

static void redeem_from_board(struct discount_operation *operation, const struct board_slot *slot, int64_t now_us) {
    struct campaign_view view = board_view(slot);
    struct redemption own;
    struct redeem_verdict verdict;
    struct result outcome = decide_from_board(operation, slot, &view, now_us, &own, &verdict);
    if (!result_is_ok(outcome))
        answer_send_failure(operation, outcome);
    else if (verdict.step == REDEEM_REPEAT)
        answer_winner(operation, slot, &own, now_us);
    else if (verdict.step == REDEEM_REFUSE && refusal_rule(verdict.refusal)->is_answered_by_loop)
        answer_here(operation, slot, verdict.refusal, view.starts_at_us, now_us);
    else
        submit(operation, now_us);
}

/* ---- POST ---- */

static void refuse_guesser(struct exchange *exchange, int64_t wait_s) {
    reply_header(exchange, "Retry-After", arena_print(&exchange->arena, "%lld", (long long)wait_s));
    problem_reply(exchange, &problem_too_many_attempts, "Too many wrong codes. Try again later.");
    exchange_finish(exchange);
}

/* What comes from outside, checked; false when the answer is sent. */
static bool read_redeem(struct exchange *exchange, struct discount_operation *operation) {
    struct faults faults;
    struct json_document *document __attribute__((cleanup(close_document))) = NULL;
    struct text code = {0}, phone = {0};
    faults_init(&faults, &exchange->arena);
    if (!request_open_body(exchange, &faults, &document)) return false;
    const struct json_member members[] = {
        {.name = "code", .kind = JSON_TEXT, .target = &code, .required = true, .min = 1, .max = CODE_TYPED_MAX},
        {.name = "phone", .kind = JSON_TEXT, .target = &phone, .required = true, .min = 1, .max = CODE_TYPED_MAX},
    };
    json_read(json_root(document), "", members, ARRAY_COUNT(members), &faults);
    struct redeem_request *request = &operation->redeem;
    if (phone.size > 0 && !result_is_ok(phone_parse(phone, operation->discount->region, &request->phone))) {
        faults_add(&faults, "phone", "invalid_format", "must be a phone number");
    }
    if (faults_any(&faults)) {
        problem_reply_faults(exchange, &problem_validation_failed, &faults);
        exchange_finish(exchange);
        return false;
    }
    if (!result_is_ok(code_parse(code, &request->code))) request->code.size = 0; /* no code looks like this: unknown */
    request->user_id = exchange->caller.user_id;
    request->account_phone = exchange->caller.phone;
    idempotency_read(exchange, json_root(document), operation->discount->idempotency_secret, &operation->idempotency);
    return true;
}

void handle_redeem(struct exchange *exchange) {
    struct discount_operation *operation = operation_create(exchange, OPERATION_REDEEM);
    if (operation == NULL) return;
    if (!read_redeem(exchange, operation)) return;
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

/* ---- GET ---- */

void handle_get_redemption(struct exchange *exchange) {
    struct discount *discount = discount_of(exchange);
    struct redemption redemption;
    struct id id;
    bool is_found = false;
    struct result outcome = result_ok();
    if (!request_has_no_query(exchange)) return;
    if (result_is_ok(id_parse(exchange->parameters[0], &id))) {
        outcome = reader_find_redemption(discount->readers[exchange->loop_index], id, &redemption, &is_found);
    }
    if (!result_is_ok(outcome)) {
        problem_reply(exchange, &problem_storage_unavailable, "The database can't be read now.");
        exchange_finish(exchange);
        return;
    }
    bool is_admin = (exchange->caller.scopes & SCOPE_ADMIN) != 0;
    if (!is_found || (!is_admin && !id_equal(redemption.user_id, exchange->caller.user_id))) {
        problem_reply(exchange, &problem_redemption_not_found, "There is no such redemption, or it is not yours.");
        exchange_finish(exchange);
        return;
    }
    const struct board_slot *slot = board_slot(discount->board, redemption.campaign_number - 1);
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, PAGE_ARENA_ITEM_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_redemption(&writer, &redemption, slot->id, slot->credit);
    request_reply_buffer(exchange, 200, "application/json", &buffer);
}

struct page_writer {
    struct discount *discount;
    struct json_writer writer;
    int64_t left; /* items that the page still takes */
    bool has_more;
    struct redemption last;
};

static struct result visit_page(void *context, const struct redemption *redemption) {
    struct page_writer *page = context;
    if (page->left == 0) {
        page->has_more = true;
        return result_ok();
    }
    page->left--;
    page->last = *redemption;
    /* A row may be committed a moment before its campaign is on the board: only for a campaign made in the same commit. */
    if (redemption->campaign_number > board_count(page->discount->board)) return result_error(RESULT_UNAVAILABLE);
    const struct board_slot *slot = board_slot(page->discount->board, redemption->campaign_number - 1);
    answer_write_redemption(&page->writer, redemption, slot->id, slot->credit);
    return result_ok();
}

void handle_list_redemptions(struct exchange *exchange) {
    struct discount *discount = discount_of(exchange);
    struct page_query query;
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    page_begin(&query, LIST_REDEMPTIONS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (faults_any(&faults)) {
        problem_reply_faults(exchange, &problem_validation_failed, &faults);
        exchange_finish(exchange);
        return;
    }
    struct id before = {0};
    if (query.page.has_cursor) memcpy(before.bytes, query.page.cursor, sizeof before.bytes);
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, 1024);
    struct page_writer page = {.discount = discount, .writer = {.buffer = &buffer}, .left = query.page.limit};
    json_begin_object(&page.writer);
    json_key(&page.writer, "data");
    json_begin_array(&page.writer);
    struct result outcome = reader_list_user(discount->readers[exchange->loop_index], exchange->caller.user_id, before,
                                             query.page.limit + 1, visit_page, &page);
    json_end_array(&page.writer);
    int64_t words[PAGE_CURSOR_WORDS];
    memcpy(words, page.last.id.bytes, sizeof words);
    request_end_page(exchange, &page.writer, LIST_REDEMPTIONS, page.has_more, words, outcome);
}
