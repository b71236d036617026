/* The same operations over memory and over SQLite: same answers, same campaigns; and a failed transaction leaves nothing behind. */
#include "world.h"

#define STEPS 1500

struct side {
    struct discount discount;
    struct database *database;
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

static void open_side(struct side *side, bool is_sqlite) {
    struct rows rows;
    frozen_clock = (struct clock){.now_us = frozen_now, .monotonic_us = frozen_now};
    side->discount.service.clock = &frozen_clock;
    assert_true(result_is_ok(board_create(LIMIT_CAMPAIGNS, &side->discount.board)));
    if (is_sqlite) {
        snprintf(side->folder, sizeof side->folder, "/tmp/discount-engine-XXXXXX");
        assert_non_null(mkdtemp(side->folder));
        snprintf(side->path, sizeof side->path, "%s/discount.db", side->folder);
        assert_true(result_is_ok(database_open(side->path, DATABASE_CREATE, &discount_schema, &side->database)));
        assert_true(result_is_ok(rows_sqlite_create(side->database, &rows)));
    } else {
        assert_true(result_is_ok(rows_memory_create(&rows)));
    }
    assert_true(result_is_ok(engine_create(&rows, side->discount.board, &side->engine)));
    side->interface = engine_interface(side->engine);
}

static void close_side(struct side *side) {
    engine_free(side->engine);
    board_free(side->discount.board);
    if (side->database == NULL) return;
    database_close(side->database);
    assert_true(folder_remove(side->folder));
}

/* One batch, by hand, so that it can be failed at will. */
static void run_batch(struct side *side, struct discount_operation **operations, size_t count, bool fails) {
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

static struct discount_operation *make_operation(struct side *side, const struct plan *plan, struct id campaign_id,
                                                 struct test_exchange **ret_test) {
    struct test_exchange *test = *ret_test = exchange_new(&side->discount, test_user(plan->user));
    enum operation_kind kind = plan->kind < 16    ? OPERATION_REDEEM
                               : plan->kind < 18  ? OPERATION_PATCH
                               : plan->kind == 18 ? OPERATION_PAUSE
                                                  : OPERATION_RESUME;
    struct discount_operation *operation = operation_create(&test->exchange, kind);
    operation->id = plan->id;
    operation->campaign_id = campaign_id;
    if (kind == OPERATION_PATCH) operation->patch = (struct campaign_patch){.has_max_redemptions = true, .max_redemptions = plan->places};
    if (kind != OPERATION_REDEEM) return operation;
    char phone[24], key[16];
    snprintf(phone, sizeof phone, "+9891%08u", (unsigned)plan->phone);
    operation->redeem = (struct redeem_request){.code = test_code(plan->key == 3 ? "WRONG" : "GIFT"), .user_id = test_user(plan->user)};
    assert_true(result_is_ok(phone_parse(text_of(phone), "IR", &operation->redeem.phone)));
    snprintf(key, sizeof key, "key%u", (unsigned)plan->key);
    if (plan->key < 30) test_key(operation, arena_print(&test->exchange.arena, "%s", key).data);
    return operation;
}

static void create_campaign(struct side *side, struct id id, const char *code) {
    struct test_exchange *test = exchange_new(&side->discount, test_user(1));
    struct discount_operation *operation = operation_create(&test->exchange, OPERATION_CREATE);
    operation->id = id;
    operation->create =
        (struct campaign_create){.code = test_code(code), .credit = {1000, CURRENCY_IRT}, .name = TEXT("Gift"), .max_redemptions = 30};
    run_batch(side, &operation, 1, false);
    assert_int_equal(operation->answer.kind, ANSWER_WAITING);
    exchange_delete(test);
}

static void settle(struct side *side, struct id redemption_id, bool is_credited) {
    struct settlement settlement = {.redemption_id = redemption_id,
                                    .is_credited = is_credited,
                                    .transaction_id = redemption_id,
                                    .failure = TEXT("account_frozen")};
    struct discount_operation mark = {.store.kind = OPERATION_MARK, .discount = &side->discount, .mark = {&settlement, 1}};
    struct discount_operation *operation = &mark;
    run_batch(side, &operation, 1, false);
}

static void compare_answers(const struct answer *a, const struct answer *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->status, b->status);
    assert_true(text_equal(a->body, b->body));
    assert_true(text_equal(a->record.body, b->record.body));
    assert_true(id_equal(a->subject, b->subject));
    assert_int_equal(a->refusal, b->refusal);
    assert_int_equal(a->redemption.position, b->redemption.position);
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

static void compare_views(struct side *a, struct side *b) {
    struct campaign_view x = board_view(board_slot(a->discount.board, 0)), y = board_view(board_slot(b->discount.board, 0));
    assert_memory_equal(&x, &y, sizeof x);
    assert_true(x.redeemed <= x.max_redemptions);
    check_seconds(a, 0);
    check_seconds(b, 0);
}

static void test_memory_and_sqlite_decide_alike(void **state) {
    (void)state;
    static struct side memory, sqlite;
    struct id campaign_id = {.bytes = {5, 5}};
    open_side(&memory, false);
    open_side(&sqlite, true);
    create_campaign(&memory, campaign_id, "GIFT");
    create_campaign(&sqlite, campaign_id, "GIFT");
    for (int step = 0; step < STEPS; step++) {
        struct plan plan = make_plan(step);
        struct test_exchange *tests[2];
        struct discount_operation *a = make_operation(&memory, &plan, campaign_id, &tests[0]);
        struct discount_operation *b = make_operation(&sqlite, &plan, campaign_id, &tests[1]);
        frozen_us += 200000; /* 300 seconds in all: none leaves the report */
        bool fails = next_random() % 5 == 0;
        if (fails) { /* nothing of it stays, so that the second run decides as if it were the first */
            run_batch(&memory, &a, 1, true);
            run_batch(&sqlite, &b, 1, true);
            compare_answers(&a->answer, &b->answer);
        }
        struct answer undone = a->answer;
        run_batch(&memory, &a, 1, false);
        run_batch(&sqlite, &b, 1, false);
        if (fails) compare_answers(&undone, &a->answer);
        compare_answers(&a->answer, &b->answer);
        compare_views(&memory, &sqlite);
        if (a->answer.kind == ANSWER_WAITING && next_random() % 2 == 0) {
            bool is_credited = next_random() % 8 != 0;
            settle(&memory, a->answer.subject, is_credited);
            settle(&sqlite, b->answer.subject, is_credited);
            compare_views(&memory, &sqlite);
        }
        exchange_delete(tests[0]);
        exchange_delete(tests[1]);
    }
    assert_true(board_view(board_slot(memory.discount.board, 0)).redeemed > 10);
    assert_true(result_is_ok(engine_flush(sqlite.engine)));
    close_side(&memory);
    close_side(&sqlite);
}

/* Opens the same database anew, as after a crash: nothing is flushed. */
static void restart(struct side *side) {
    engine_free(side->engine);
    database_close(side->database);
    board_free(side->discount.board);
    struct rows rows;
    assert_true(result_is_ok(board_create(LIMIT_CAMPAIGNS, &side->discount.board)));
    assert_true(result_is_ok(database_open(side->path, DATABASE_WRITE, &discount_schema, &side->database)));
    assert_true(result_is_ok(rows_sqlite_create(side->database, &rows)));
    assert_true(result_is_ok(engine_create(&rows, side->discount.board, &side->engine)));
    side->interface = engine_interface(side->engine);
}

static struct discount_operation *make_redeem(struct side *side, const char *code, unsigned user, struct test_exchange **ret_test) {
    struct plan plan = {.user = user, .phone = user, .key = 39};
    memcpy(plan.id.bytes + 8, &user, sizeof user);
    plan.id.bytes[0] = code[0] == 'G' ? 9 : 8;
    struct discount_operation *operation = make_operation(side, &plan, plan.id, ret_test);
    operation->redeem.code = test_code(code);
    return operation;
}

/* Batches that claim in two campaigns and settle at once what came before, credited and failed; each report adds up after each of them, and
 * after a restart at any moment, when nothing but the batches themselves was written. */
static void test_seconds_are_written_with_what_they_count(void **state) {
    (void)state;
    static struct side side;
    struct id gift = {.bytes = {5, 5}}, other = {.bytes = {5, 6}};
    side = (struct side){0};
    open_side(&side, true);
    create_campaign(&side, gift, "GIFT");
    create_campaign(&side, other, "OTHER");
    struct id before[2] = {{{0}}, {{0}}};
    for (unsigned step = 1; step <= 25; step++) {
        struct test_exchange *tests[2];
        struct settlement settlements[2] = {
            {.redemption_id = before[0], .is_credited = true, .transaction_id = before[0]},
            {.redemption_id = before[1], .is_credited = step % 3 != 0, .transaction_id = before[1], .failure = TEXT("account_frozen")}};
        struct discount_operation mark = {.store.kind = OPERATION_MARK, .discount = &side.discount, .mark = {settlements, 2}};
        struct discount_operation *operations[3] = {make_redeem(&side, "GIFT", step, &tests[0]),
                                                    make_redeem(&side, "OTHER", step, &tests[1]), &mark};
        size_t count = step == 1 ? 2 : 3;
        frozen_us += 400000;
        if (step % 4 == 0) run_batch(&side, operations, count, true);
        run_batch(&side, operations, count, false);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(operations[i]->answer.kind, ANSWER_WAITING);
            before[i] = operations[i]->answer.subject;
            exchange_delete(tests[i]);
            check_seconds(&side, i);
        }
        board_count_refusal(board_slot(side.discount.board, 0), REFUSED_PAUSED, frozen_us);
        if (step % 7 == 0) assert_true(result_is_ok(engine_flush(side.engine)));
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
    side = (struct side){0};
    open_side(&side, true);
    create_campaign(&side, gift, "GIFT");
    board_count_refusal(board_slot(side.discount.board, 0), REFUSED_PAUSED, frozen_us + 5 * CLOCK_SECOND_US);
    struct discount_operation *operation = make_redeem(&side, "GIFT", 1, &test);
    run_batch(&side, &operation, 1, false);
    check_seconds(&side, 0);
    restart(&side);
    check_seconds(&side, 0);
    exchange_delete(test);
    close_side(&side);
}

int main(void) {
    crypto_init();
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_and_sqlite_decide_alike),
        cmocka_unit_test(test_seconds_are_written_with_what_they_count),
        cmocka_unit_test(test_a_loop_that_is_ahead_of_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
