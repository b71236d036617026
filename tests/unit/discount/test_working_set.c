/* Batches by hand: a failed transaction leaves nothing behind, and what is on disk at any moment is what is in memory. */
#include "discount/working_set.h"

#include "discount/own.h"
#include "discount/verify.h"
#include "store/open.h"

#include "../base/folder.h"
#include "world.h"

#define STEPS 1500

struct side {
    struct discount discount;
    struct batch *batch;
    struct working_set *set;
    struct engine *engine;
    struct store_engine interface;
    char folder[64], path[128];
};

static struct clock frozen_clock; /* times in answers must be equal on both sides */
static int64_t frozen_us = INT64_C(1800000000000000);
static int64_t frozen_now(void *context) {
    (void)context;
    return frozen_us;
}

static void start(struct side *side, enum batch_mode mode) {
    const struct place place = {.file = side->path, .schema = &discount_schema, .commits = &side->discount.service.commits};
    assert_true(result_is_ok(board_create(LIMIT_CAMPAIGNS_KEPT, &side->discount.board)));
    assert_true(result_is_ok(batch_open(&place, mode, &side->batch)));
    assert_true(result_is_ok(working_set_create(side->batch, side->discount.board, 0, &side->set)));
    const struct engine_options options = {
        .set = side->set, .hooks = &discount_hooks, .kept = &table_kept, .clock = &frozen_clock, .batch = side->batch};
    assert_true(result_is_ok(engine_create(&options, &side->engine)));
    engine_bind(side->engine, &side->interface);
}

static void stop(struct side *side) {
    engine_free(side->engine);
    working_set_free(side->set);
    batch_close(side->batch);
    board_free(side->discount.board);
}

static void open_side(struct side *side) {
    *side = (struct side){0};
    frozen_clock = (struct clock){.now_us = frozen_now, .monotonic_us = frozen_now};
    side->discount.service.clock = &frozen_clock;
    folder_create(side->folder, "discount-engine");
    snprintf(side->path, sizeof side->path, "%s/discount.db", side->folder);
    start(side, BATCH_CREATE);
}

static void close_side(struct side *side) {
    stop(side);
    assert_true(folder_remove(side->folder));
}

/* Opens the same database anew, as after a crash: nothing is flushed. */
static void restart(struct side *side) {
    stop(side);
    start(side, BATCH_WRITE);
}

/* One batch, by hand, so that it can be failed at will. */
static void run_batch(struct side *side, struct operation *const *operations, size_t count, bool fails) {
    struct store_operation *batch[8];
    struct store_engine *engine = &side->interface;
    for (size_t i = 0; i < count; i++) batch[i] = &operations[i]->store;
    assert_true(result_is_ok(engine->begin(engine->self)));
    assert_true(result_is_ok(engine->load(engine->self, batch, count)));
    engine->decide(engine->self, batch, count, frozen_us);
    assert_true(result_is_ok(engine->save(engine->self)));
    if (fails) {
        engine->rollback(engine->self);
        return;
    }
    struct result reason;
    assert_int_equal(engine->commit(engine->self, &reason), COMMITTED);
    engine->publish(engine->self);
}

static uint64_t random_state = 42;
static uint64_t next_random(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}

struct plan {
    uint64_t kind, user, phone, key;
    int64_t places;
    struct id id;
};

static struct plan make_plan(int step) {
    struct plan plan = {.kind = next_random() % 20, .user = next_random() % 60 + 1, .phone = next_random() % 60, .key = next_random() % 40};
    plan.places = (int64_t)(next_random() % 30) + 20;
    memcpy(plan.id.bytes + 8, &step, sizeof step);
    plan.id.bytes[0] = 9;
    return plan;
}

static struct discount_operation *make_change(struct test_exchange *test, const struct plan *plan, struct id campaign_id) {
    const struct action *action = plan->kind < 18 ? &patch_action : plan->kind == 18 ? &pause_action : &resume_action;
    struct campaign_change *change = discount_begin(&test->exchange, action, sizeof *change);
    change->id = campaign_id;
    change->patch = (struct campaign_patch){.has_max_redemptions = true, .max_redemptions = plan->places};
    return &change->base;
}

static struct discount_operation *make_request(struct test_exchange *test, const struct plan *plan, const char *code) {
    struct redemption_request *request = discount_begin(&test->exchange, &redeem_action, sizeof *request);
    char phone[24], key[16];
    snprintf(phone, sizeof phone, "+9891%08u", (unsigned)plan->phone);
    request->base.id = plan->id;
    request->redeem = (struct redeem_request){.code = test_code(code), .user_id = test_user(plan->user)};
    assert_true(result_is_ok(phone_parse(text_of(phone), "IR", &request->redeem.phone)));
    snprintf(key, sizeof key, "key%u", (unsigned)plan->key);
    if (plan->key < 30) test_key(&request->base.operation, arena_print(&test->exchange.arena, "%s", key).data);
    return &request->base;
}

static struct discount_operation *make_operation(struct side *side, const struct plan *plan, struct id campaign_id,
                                                 struct test_exchange **ret_test) {
    *ret_test = exchange_new(&side->discount, test_user(plan->user));
    return plan->kind < 16 ? make_request(*ret_test, plan, plan->key == 3 ? "WRONG" : "GIFT") : make_change(*ret_test, plan, campaign_id);
}

static void create_campaign(struct side *side, struct id id, const char *code) {
    struct test_exchange *test = exchange_new(&side->discount, test_user(1));
    struct campaign_making *making = discount_begin(&test->exchange, &create_action, sizeof *making);
    struct operation *operation = &making->base.operation;
    making->base.id = id;
    making->create = (struct campaign_create){
        .code = test_code(code), .credit = {1000, CURRENCY_IRT}, .name = TEXT("Gift"), .max_redemptions = 30, .phone_rule = PHONE_ANY};
    run_batch(side, &operation, 1, false);
    assert_int_equal(operation->fate, FATE_WAITING);
    exchange_delete(test);
    struct own_request confirmed = {.base.operation.action = &fund_confirmed_action, .campaign_id = id, .fund_step_version = 1};
    TAILQ_INIT(&confirmed.waiters);
    operation = &confirmed.base.operation;
    run_batch(side, &operation, 1, false);
}

static void settle_as(struct side *side, struct id redemption_id, bool is_credited, bool is_again) {
    struct settlement settlement = {.redemption_id = redemption_id,
                                    .is_credited = is_credited,
                                    .is_again = is_again,
                                    .transaction_id = redemption_id,
                                    .failure = TEXT("account_frozen")};
    struct own_request mark = {.base.operation.action = &mark_action, .mark = {&settlement, 1}};
    struct operation *operation = &mark.base.operation;
    run_batch(side, &operation, 1, false);
}

static void settle(struct side *side, struct id redemption_id, bool is_credited) { settle_as(side, redemption_id, is_credited, false); }

static void compare_outcomes(const struct discount_operation *a, const struct discount_operation *b) {
    assert_int_equal(a->operation.fate, b->operation.fate);
    assert_int_equal(a->operation.answer.status, b->operation.answer.status);
    assert_true(text_equal(a->operation.answer.body, b->operation.answer.body));
    assert_true(text_equal(a->operation.kept.body, b->operation.kept.body));
    assert_true(id_equal(a->operation.subject, b->operation.subject));
    assert_int_equal(a->refusal, b->refusal);
    if (a->operation.fate == FATE_WAITING) assert_int_equal(a->redemption.position, b->redemption.position);
}

/* The report's sums, after every commit. */
static void check_seconds(struct side *side, size_t index) {
    static struct board_snapshot snapshot;
    board_read(board_slot(side->discount.board, index), &snapshot);
    int64_t claimed = 0, credited = 0, rejected = 0;
    for (size_t i = 0; i < snapshot.second_count; i++) {
        claimed += snapshot.seconds[i].claimed;
        credited += snapshot.seconds[i].credited;
        rejected += snapshot.seconds[i].rejected;
    }
    for (size_t i = 0; i < REFUSAL_COUNT; i++) rejected -= snapshot.rejected.counts[i];
    assert_int_equal(claimed, snapshot.view.redeemed);
    assert_int_equal(credited, snapshot.view.credited);
    assert_int_equal(rejected, 0);
}

static void check_view(struct side *side) {
    struct campaign_view view = board_view(board_slot(side->discount.board, 0));
    assert_true(view.redeemed <= view.max_redemptions || view.over_at == view.redeemed);
    check_seconds(side, 0);
}

static void check_files(struct side *side) {
    static char said[4096];
    FILE *out = fmemopen(said, sizeof said, "w");
    assert_non_null(out);
    struct result outcome = verify_database(&(struct place){.file = side->path, .schema = &discount_schema}, NULL, out);
    fclose(out);
    if (!result_is_ok(outcome)) fail_msg("%s", said);
}

static void restart_and_compare(struct side *side) {
    struct campaign_view before = board_view(board_slot(side->discount.board, 0));
    restart(side);
    struct campaign_view after = board_view(board_slot(side->discount.board, 0));
    assert_memory_equal(&before, &after, sizeof before);
    check_files(side);
}

static void test_what_failed_leaves_nothing_and_what_did_not_is_on_disk(void **state) {
    (void)state;
    static struct side side;
    struct id campaign_id = {.bytes = {5, 5}};
    open_side(&side);
    create_campaign(&side, campaign_id, "GIFT");
    for (int step = 0; step < STEPS; step++) {
        struct plan plan = make_plan(step);
        struct test_exchange *test;
        struct discount_operation *operation = make_operation(&side, &plan, campaign_id, &test);
        frozen_us += 200000; /* 300 seconds in all: none leaves the report */
        bool fails = next_random() % 5 == 0;
        struct operation *one = &operation->operation;
        if (fails) run_batch(&side, &one, 1, true); /* nothing of it stays, so that the second run decides as if it were the first */
        struct discount_operation undone = *operation;
        run_batch(&side, &one, 1, false);
        if (fails) compare_outcomes(&undone, operation);
        check_view(&side);
        if (one->fate == FATE_WAITING && next_random() % 2 == 0) {
            settle(&side, one->subject, next_random() % 8 != 0);
            check_view(&side);
        }
        exchange_delete(test);
        if (step % 100 == 0) restart_and_compare(&side);
    }
    assert_true(board_view(board_slot(side.discount.board, 0)).redeemed > 10);
    restart_and_compare(&side);
    close_side(&side);
}

static struct operation *make_redeem(struct side *side, const char *code, unsigned user, struct test_exchange **ret_test);

/* What Wallet had lost, and refuses when it is sent again, was counted in seconds that are long written. */
static void test_what_is_refused_again_is_counted_no_more(void **state) {
    (void)state;
    static struct side side;
    struct id ids[6];
    open_side(&side);
    create_campaign(&side, (struct id){.bytes = {5, 5}}, "GIFT");
    for (unsigned i = 0; i < ARRAY_COUNT(ids); i++) {
        struct test_exchange *test;
        struct operation *operation = make_redeem(&side, "GIFT", i + 1, &test);
        run_batch(&side, &operation, 1, false);
        ids[i] = operation->subject;
        frozen_us += i % 2 == 0 ? 0 : 1100000;
        settle(&side, ids[i], true);
        exchange_delete(test);
    }
    for (unsigned i = 1; i < ARRAY_COUNT(ids); i += 2) {
        frozen_us += 400000;
        settle_as(&side, ids[i], false, true);
        check_view(&side);
        restart_and_compare(&side);
        check_view(&side);
    }
    settle_as(&side, ids[1], true, true); /* and paid after all */
    restart_and_compare(&side);
    check_view(&side);
    struct campaign_view view = board_view(board_slot(side.discount.board, 0));
    assert_true(view.credited == 4 && view.failed == 2);
    close_side(&side);
}

static void test_only_what_the_database_held_is_to_be_compared(void **state) {
    (void)state;
    static struct side side;
    open_side(&side);
    create_campaign(&side, (struct id){.bytes = {5, 5}}, "GIFT");
    assert_int_equal(board_books(board_slot(side.discount.board, 0)), BOOKS_AGREE);
    restart(&side);
    create_campaign(&side, (struct id){.bytes = {5, 6}}, "OTHER");
    assert_int_equal(board_books(board_slot(side.discount.board, 0)), BOOKS_NOT_COMPARED);
    assert_int_equal(board_books(board_slot(side.discount.board, 1)), BOOKS_AGREE);
    close_side(&side);
}

static struct operation *make_redeem(struct side *side, const char *code, unsigned user, struct test_exchange **ret_test) {
    struct plan plan = {.user = user, .phone = user, .key = 39};
    memcpy(plan.id.bytes + 8, &user, sizeof user);
    plan.id.bytes[0] = code[0] == 'G' ? 9 : 8;
    *ret_test = exchange_new(&side->discount, test_user(user));
    return &make_request(*ret_test, &plan, code)->operation;
}

/* Batches that claim in two campaigns and settle at once what came before, credited and failed; each report adds up after each of them, and
 * after a restart at any moment, when nothing but the batches themselves was written. */
static void test_seconds_are_written_with_what_they_count(void **state) {
    (void)state;
    static struct side side;
    struct id gift = {.bytes = {5, 5}}, other = {.bytes = {5, 6}};
    open_side(&side);
    create_campaign(&side, gift, "GIFT");
    create_campaign(&side, other, "OTHER");
    struct id before[2] = {{{0}}, {{0}}};
    for (unsigned step = 1; step <= 25; step++) {
        struct test_exchange *tests[2];
        struct settlement settlements[2] = {
            {.redemption_id = before[0], .is_credited = true, .transaction_id = before[0]},
            {.redemption_id = before[1], .is_credited = step % 3 != 0, .transaction_id = before[1], .failure = TEXT("account_frozen")}};
        struct own_request mark = {.base.operation.action = &mark_action, .mark = {settlements, 2}};
        struct operation *operations[3] = {make_redeem(&side, "GIFT", step, &tests[0]), make_redeem(&side, "OTHER", step, &tests[1]),
                                           &mark.base.operation};
        size_t count = step == 1 ? 2 : 3;
        frozen_us += 400000;
        if (step % 4 == 0) run_batch(&side, operations, count, true);
        run_batch(&side, operations, count, false);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(operations[i]->fate, FATE_WAITING);
            before[i] = operations[i]->subject;
            exchange_delete(tests[i]);
            check_seconds(&side, i);
        }
        board_count_refusal(board_slot(side.discount.board, 0), REFUSED_PAUSED, frozen_us);
        if (step % 7 == 0) assert_true(result_is_ok(working_set_flush(side.engine, frozen_us)));
        if (step % 2 == 0) restart(&side);
        check_seconds(&side, 0);
        check_seconds(&side, 1);
        struct campaign_view view = board_view(board_slot(side.discount.board, 1));
        assert_true(view.redeemed == step && view.credited + view.failed == step - 1);
    }
    close_side(&side);
}

/* A loop's clock may be ahead of the batch's, and a commit may take longer than the report goes back. */
static void test_a_loop_that_is_ahead_of_the_batch(void **state) {
    (void)state;
    static struct side side;
    struct test_exchange *test;
    struct id gift = {.bytes = {5, 5}};
    open_side(&side);
    create_campaign(&side, gift, "GIFT");
    board_count_refusal(board_slot(side.discount.board, 0), REFUSED_PAUSED, frozen_us + 5 * CLOCK_SECOND_US);
    struct operation *operation = make_redeem(&side, "GIFT", 1, &test);
    run_batch(&side, &operation, 1, false);
    check_seconds(&side, 0);
    restart(&side);
    check_seconds(&side, 0);
    exchange_delete(test);
    close_side(&side);
}

/* As differences: what a failed transaction meant to add is added by the next, once. */
static void test_refusals_are_counted_on_disk_once(void **state) {
    (void)state;
    static struct side side;
    static struct board_snapshot snapshot;
    struct test_exchange *test;
    open_side(&side);
    create_campaign(&side, (struct id){.bytes = {5, 5}}, "GIFT");
    for (unsigned step = 1; step <= 12; step++) {
        for (unsigned i = 0; i < step; i++) board_count_refusal(board_slot(side.discount.board, 0), REFUSED_PAUSED, frozen_us);
        board_count_refusal(board_slot(side.discount.board, 0), REFUSED_SOLD_OUT, frozen_us);
        frozen_us += 1100000; /* the batch takes them along */
        struct operation *operation = make_redeem(&side, "GIFT", step, &test);
        if (step % 3 == 0) run_batch(&side, &operation, 1, true);
        if (step % 4 == 0) assert_true(result_is_ok(working_set_flush(side.engine, frozen_us)));
        run_batch(&side, &operation, 1, false);
        exchange_delete(test);
        if (step % 3 == 0) frozen_us += 1100000;
        if (step % 5 == 0) {
            assert_true(result_is_ok(working_set_flush(side.engine, frozen_us)));
            restart(&side);
        }
        check_seconds(&side, 0);
    }
    assert_true(result_is_ok(working_set_flush(side.engine, frozen_us)));
    restart(&side);
    board_read(board_slot(side.discount.board, 0), &snapshot);
    assert_int_equal(snapshot.rejected.counts[REFUSED_PAUSED], 78);
    assert_int_equal(snapshot.rejected.counts[REFUSED_SOLD_OUT], 12);
    check_seconds(&side, 0);
    close_side(&side);
}

static struct result visit_owed(void *context, const struct row *row) {
    int64_t *sum = context;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    assert_int_equal(redemption.status, REDEMPTION_CLAIMED);
    *sum = *sum * 100 + redemption.campaign_number * 10 + redemption.position;
    return result_ok();
}

/* The unsettled ones of each campaign, in the order of their keys, at most so many at once, and no others. */
static void test_what_is_owed_is_found_again(void **state) {
    (void)state;
    static struct side side;
    static const struct {
        int64_t after, limit, found;
    } cases[] = {
        {0, 9, 1113142122}, {0, 2, 1113}, {INT64_C(1) << 32 | 3, 9, 142122}, {INT64_C(2) << 32 | 1, 9, 22}, {INT64_C(2) << 32 | 2, 9, 0}};
    struct test_exchange *test;
    struct id claims[4];
    open_side(&side);
    create_campaign(&side, (struct id){.bytes = {5, 5}}, "GIFT");
    create_campaign(&side, (struct id){.bytes = {5, 6}}, "OTHER");
    for (unsigned user = 1; user <= 6; user++) {
        struct operation *operation = make_redeem(&side, user <= 4 ? "GIFT" : "OTHER", user, &test);
        run_batch(&side, &operation, 1, false);
        if (user <= 4) claims[user - 1] = operation->subject;
        exchange_delete(test);
    }
    settle(&side, claims[1], true);
    restart(&side); /* the marks and the position that they move are both on disk */
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct batch *batch;
        int64_t found = 0;
        assert_true(result_is_ok(batch_open(&(struct place){.file = side.path, .schema = &discount_schema}, BATCH_READ, &batch)));
        ask_unsettled(batch, cases[i].after, cases[i].limit, visit_owed, &found);
        assert_true(result_is_ok(batch_run(batch)));
        assert_int_equal(found, cases[i].found);
        batch_close(batch);
    }
    for (size_t i = 0; i < 4; i++) settle(&side, claims[i], i != 2); /* one of them again */
    check_files(&side);
    close_side(&side);
}

/* The engine remembers what it claimed last. A mark that comes again must find it settled: it would be counted twice. */
static void test_a_settled_claim_is_not_remembered_as_claimed(void **state) {
    (void)state;
    static struct side side;
    struct id claims[3];
    open_side(&side);
    create_campaign(&side, (struct id){.bytes = {5, 5}}, "GIFT");
    for (unsigned user = 1; user <= 3; user++) {
        struct test_exchange *test;
        struct operation *operation = make_redeem(&side, "GIFT", user, &test);
        run_batch(&side, &operation, 1, false);
        claims[user - 1] = operation->subject;
        exchange_delete(test);
    }
    for (int again = 0; again < 2; again++) {
        settle(&side, claims[0], true);
        settle(&side, claims[1], false);
        struct campaign_view view = board_view(board_slot(side.discount.board, 0));
        assert_int_equal(view.credited, 1);
        assert_int_equal(view.failed, 1);
    }
    check_files(&side);
    close_side(&side);
}

int main(void) {
    crypto_init();
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_failed_leaves_nothing_and_what_did_not_is_on_disk),
        cmocka_unit_test(test_refusals_are_counted_on_disk_once),
        cmocka_unit_test(test_what_is_owed_is_found_again),
        cmocka_unit_test(test_a_settled_claim_is_not_remembered_as_claimed),
        cmocka_unit_test(test_what_is_refused_again_is_counted_no_more),
        cmocka_unit_test(test_only_what_the_database_held_is_to_be_compared),
        cmocka_unit_test(test_seconds_are_written_with_what_they_count),
        cmocka_unit_test(test_a_loop_that_is_ahead_of_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
