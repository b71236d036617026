/* Our own operations through whole batches: what is made anew of what Wallet has paid is on disk, and is found by who asks as they ask. */
#include "discount/own.h"

#include <stdatomic.h>

#include "discount/verify.h"

#include "../base/folder.h"
#include "world.h"

#define NOW INT64_C(1800000000000000)

struct side {
    struct discount discount;
    struct batch *batch;
    struct working_set *set;
    struct engine *engine;
    struct store_engine interface;
    char folder[64], path[128];
};

static int64_t frozen_now(void *context) {
    (void)context;
    return NOW;
}
static struct clock frozen_clock = {.now_us = frozen_now, .monotonic_us = frozen_now};

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

static void run_batch(struct side *side, struct operation *const *operations, size_t count) {
    struct store_operation *batch[4];
    struct store_engine *engine = &side->interface;
    struct result reason;
    for (size_t i = 0; i < count; i++) batch[i] = &operations[i]->store;
    assert_true(result_is_ok(engine->begin(engine->self)));
    assert_true(result_is_ok(engine->load(engine->self, batch, count)));
    engine->decide(engine->self, batch, count, NOW);
    assert_true(result_is_ok(engine->save(engine->self)));
    assert_int_equal(engine->commit(engine->self, &reason), COMMITTED);
    engine->publish(engine->self);
}

/* With one campaign, GIFT, whose fund holds 30 places. */
static void open_side(struct side *side) {
    const struct id campaign_id = {.bytes = {5, 5}};
    *side = (struct side){0};
    side->discount.service.clock = &frozen_clock;
    folder_create(side->folder, "discount-own");
    snprintf(side->path, sizeof side->path, "%s/discount.db", side->folder);
    start(side, BATCH_CREATE);
    struct test_exchange *test = exchange_new(&side->discount, test_user(1));
    struct campaign_making *making = discount_begin(&test->exchange, &create_action, sizeof *making);
    struct operation *operation = &making->base.operation;
    making->base.id = campaign_id;
    making->create = (struct campaign_create){
        .code = test_code("GIFT"), .credit = {1000, CURRENCY_IRT}, .name = TEXT("Gift"), .max_redemptions = 30, .phone_rule = PHONE_ANY};
    run_batch(side, &operation, 1);
    exchange_delete(test);
    struct own_request confirmed = {.base.operation.action = &fund_confirmed_action, .campaign_id = campaign_id, .fund_step_version = 1};
    TAILQ_INIT(&confirmed.waiters);
    operation = &confirmed.base.operation;
    run_batch(side, &operation, 1);
}

static void close_side(struct side *side) {
    char said[4096];
    FILE *out = fmemopen(said, sizeof said, "w");
    assert_non_null(out);
    struct result outcome = verify_database(&(struct place){.file = side->path, .schema = &discount_schema}, NULL, out);
    fclose(out);
    if (!result_is_ok(outcome)) fail_msg("%s", said);
    stop(side);
    assert_true(folder_remove(side->folder));
}

static struct phone make_phone(unsigned user) {
    struct phone phone;
    char text[24];
    snprintf(text, sizeof text, "+9891%08u", user);
    assert_true(result_is_ok(phone_parse(text_of(text), "IR", &phone)));
    return phone;
}

static struct redemption_request *make_redeem(struct test_exchange *test, unsigned user, const char *key) {
    struct redemption_request *request = discount_begin(&test->exchange, &redeem_action, sizeof *request);
    request->base.id = (struct id){.bytes = {9, [12] = (uint8_t)user}};
    request->redeem = (struct redeem_request){.code = test_code("GIFT"), .user_id = test_user(user), .phone = make_phone(user)};
    test_key(&request->base.operation, key);
    return request;
}

static struct paid_place make_paid(unsigned user) {
    return (struct paid_place){.id = {.bytes = {1, [6] = 0x70, [12] = (uint8_t)user}},
                               .campaign_number = 1,
                               .user_id = test_user(user),
                               .phone = make_phone(user),
                               .transaction_id = {.bytes = {2, [12] = (uint8_t)user}},
                               .amount_minor = 1000,
                               .paid_at_us = NOW - 1000};
}

static struct own_request make_rebuild(const struct paid_place *items, enum rebuild_verdict *verdicts, size_t count) {
    return (struct own_request){.base.operation.action = &rebuild_action, .rebuild = {items, verdicts, count}};
}

static void rebuild(struct side *side, const struct paid_place *items, enum rebuild_verdict *verdicts, size_t count) {
    struct own_request request = make_rebuild(items, verdicts, count);
    TAILQ_INIT(&request.waiters);
    struct operation *operation = &request.base.operation;
    run_batch(side, &operation, 1);
}

static struct redemption find(struct side *side, struct id id) {
    struct batch *batch;
    struct found_redemption found = {0};
    assert_true(result_is_ok(batch_open(&(struct place){.file = side->path, .schema = &discount_schema}, BATCH_READ, &batch)));
    ask_redemption(batch, id, redemption_found, &found);
    assert_true(result_is_ok(batch_run(batch)));
    batch_close(batch);
    assert_true(found.is_found);
    return found.redemption;
}

static void redeem(struct side *side, unsigned user, const char *key, struct test_exchange **ret_test,
                   struct redemption_request **ret_request) {
    *ret_test = exchange_new(&side->discount, test_user(user));
    *ret_request = make_redeem(*ret_test, user, key);
    struct operation *operation = &(*ret_request)->base.operation;
    run_batch(side, &operation, 1);
}

static void test_what_was_paid_is_there_again(void **state) {
    (void)state;
    static struct side side;
    const struct paid_place paid[3] = {make_paid(1), make_paid(2), make_paid(3)};
    enum rebuild_verdict verdicts[3];
    open_side(&side);
    rebuild(&side, paid, verdicts, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(verdicts[i], REBUILD_MADE);
        struct redemption redemption = find(&side, paid[i].id);
        assert_int_equal(redemption.position, i + 1);
        assert_int_equal(redemption.status, REDEMPTION_CREDITED);
        assert_true(id_equal(redemption.transaction_id, paid[i].transaction_id));
        assert_true(phone_equal(&redemption.phone, &paid[i].phone));
    }
    struct campaign_view view = board_view(board_slot(side.discount.board, 0));
    assert_int_equal(view.redeemed, 3);
    assert_int_equal(view.credited, 3);
    assert_true(board_may_be_user(side.discount.board, board_slot(side.discount.board, 0), test_user(2)));
    stop(&side);
    start(&side, BATCH_WRITE);
    rebuild(&side, paid, verdicts, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(verdicts[i], REBUILD_KNOWN);
    struct test_exchange *test;
    struct redemption_request *request;
    redeem(&side, 2, NULL, &test, &request);
    assert_int_equal(request->base.refusal, REFUSED_ALREADY_REDEEMED);
    assert_true(id_equal(request->base.redemption.id, paid[1].id));
    exchange_delete(test);
    close_side(&side);
}

/* Whoever stands in the way is found although the batch did not name it. */
static void test_rivals_are_looked_for(void **state) {
    (void)state;
    static struct side side;
    struct paid_place first = make_paid(1), paid[2] = {make_paid(2), make_paid(1)};
    enum rebuild_verdict verdicts[2];
    open_side(&side);
    rebuild(&side, &first, verdicts, 1);
    paid[0].phone = first.phone;
    paid[1].id.bytes[0] = 3; /* the same user's, another credit */
    rebuild(&side, paid, verdicts, 2);
    assert_int_equal(verdicts[0], REBUILD_PHONE_TAKEN);
    assert_int_equal(verdicts[1], REBUILD_USER_TAKEN);
    close_side(&side);
}

/* Who was paid before our copy was made claims anew, with a key, and is told 202 with another id: all ways lead to the one that was paid. */
static void test_a_claim_made_anew_is_found_by_both_ids(void **state) {
    (void)state;
    static struct side side;
    const struct paid_place paid = make_paid(7);
    enum rebuild_verdict verdict;
    struct test_exchange *waiting, *again;
    struct redemption_request *first, *repeat;
    open_side(&side);
    redeem(&side, 7, "key", &waiting, &first);
    assert_int_equal(first->base.operation.fate, FATE_WAITING);
    struct id anew = first->base.redemption.id;
    rebuild(&side, &paid, &verdict, 1);
    assert_int_equal(verdict, REBUILD_RENAMED);
    assert_true(id_equal(find(&side, anew).id, paid.id));
    assert_true(id_equal(find(&side, paid.id).claimed_as, anew));
    /* the note that makes the answer of the first request final, on its way since before */
    struct own_request note = {.base.operation.action = &note_action};
    TAILQ_INIT(&note.waiters);
    operation_list_append(&note.waiters, &first->base);
    struct operation *operation = &note.base.operation;
    run_batch(&side, &operation, 1);
    assert_int_equal(first->base.operation.fate, FATE_DECIDED);
    assert_true(id_equal(first->base.redemption.id, paid.id));
    assert_int_equal(first->base.redemption.status, REDEMPTION_CREDITED);
    assert_int_equal(first->base.operation.answer.status, 201);
    redeem(&side, 7, "key", &again, &repeat);
    assert_int_equal(repeat->base.operation.fate, FATE_REPLAYED);
    assert_int_equal(repeat->base.operation.kept.status, 201);
    exchange_delete(waiting);
    exchange_delete(again);
    close_side(&side);
}

/* The same without the note: what is kept waits for an id that is nobody's own any more. */
static void test_a_kept_answer_follows_its_claim(void **state) {
    (void)state;
    static struct side side;
    const struct paid_place paid = make_paid(7);
    enum rebuild_verdict verdict;
    struct test_exchange *waiting, *again;
    struct redemption_request *first, *repeat;
    open_side(&side);
    redeem(&side, 7, "key", &waiting, &first);
    exchange_delete(waiting);
    stop(&side);
    start(&side, BATCH_WRITE);
    rebuild(&side, &paid, &verdict, 1);
    assert_int_equal(verdict, REBUILD_RENAMED);
    redeem(&side, 7, "key", &again, &repeat);
    assert_int_equal(repeat->base.operation.fate, FATE_DECIDED);
    assert_true(id_equal(repeat->base.redemption.id, paid.id));
    exchange_delete(again);
    close_side(&side);
}

/* In the batch of its claim, and of another request of its user that waits for it. */
static void test_a_claim_of_the_same_batch(void **state) {
    (void)state;
    static struct side side;
    const struct paid_place paid = make_paid(7);
    enum rebuild_verdict verdict;
    open_side(&side);
    struct test_exchange *tests[3];
    struct own_request request = make_rebuild(&paid, &verdict, 1);
    TAILQ_INIT(&request.waiters);
    struct operation *operations[3];
    static const char *const keys[] = {"one", "two"};
    for (size_t i = 0; i < 2; i++) {
        tests[i] = exchange_new(&side.discount, test_user(7));
        operations[i] = &make_redeem(tests[i], 7, keys[i])->base.operation;
    }
    operations[2] = &request.base.operation;
    run_batch(&side, operations, 3);
    assert_int_equal(verdict, REBUILD_RENAMED);
    for (size_t i = 0; i < 2; i++) {
        struct redemption_request *repeat;
        assert_int_equal(operations[i]->fate, FATE_WAITING);
        redeem(&side, 7, keys[i], &tests[2], &repeat);
        assert_int_equal(repeat->base.operation.fate, FATE_DECIDED);
        assert_true(id_equal(repeat->base.redemption.id, paid.id));
        exchange_delete(tests[2]);
        exchange_delete(tests[i]);
    }
    close_side(&side);
}

/* The store asks the board when it takes a request up: whoever was let through by a loop before is refused. */
static void test_no_place_while_the_campaign_recovers(void **state) {
    (void)state;
    static struct side side;
    struct test_exchange *test;
    struct redemption_request *request;
    static const struct {
        enum books books;
        enum refusal refusal;
    } cases[] = {{BOOKS_RECOVERING, REFUSED_RECOVERING},
                 {BOOKS_NOT_COMPARED, NOT_REFUSED},
                 {BOOKS_WALKING, NOT_REFUSED},
                 {BOOKS_AGREE, NOT_REFUSED}};
    open_side(&side);
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        board_set_books(board_slot(side.discount.board, 0), cases[i].books);
        redeem(&side, i + 1, NULL, &test, &request);
        assert_int_equal(request->base.refusal, cases[i].refusal);
        exchange_delete(test);
    }
    assert_int_equal(board_view(board_slot(side.discount.board, 0)).redeemed, ARRAY_COUNT(cases) - 1);
    close_side(&side);
}

/* ---- the line ---- */

static int64_t promoted;

static void load_one(struct engine *engine, struct operation *operation) {
    (void)operation;
    working_set_ask_line(engine, 1, 1);
}

static void promote_some(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    (void)operation;
    promoted += working_set_promote(engine, campaign_by_number(&set->campaigns, 1), now_us);
}

/* As the end of a reversal asks: for one of the line. */
static const struct action one_place = {.name = "one place", .load = load_one, .decide = promote_some};

static void change(struct side *side, const struct campaign_patch *patch) {
    struct test_exchange *test = exchange_new(&side->discount, test_user(1));
    struct campaign_change *made = discount_begin(&test->exchange, &patch_action, sizeof *made);
    struct operation *operation = &made->base.operation;
    made->id = (struct id){.bytes = {5, 5}};
    made->patch = *patch;
    run_batch(side, &operation, 1);
    exchange_delete(test);
}

static struct redemption be_told(struct side *side, unsigned user, const char *key) {
    struct test_exchange *test;
    struct redemption_request *request;
    redeem(side, user, key, &test, &request);
    assert_int_equal(request->base.refusal, NOT_REFUSED);
    const struct redemption told = request->base.redemption;
    assert_int_equal(request->base.operation.fate, told.status == REDEMPTION_CLAIMED || key != NULL ? FATE_WAITING : FATE_DECIDED);
    exchange_delete(test);
    return told;
}

/* Who joins, and who asks once more, stands in the line as it is on disk; each operation of a batch has asked for another one of it, and who comes in the same batch
 * is behind them all. */
static void test_the_line_is_as_it_is_on_disk(void **state) {
    (void)state;
    static struct side side;
    struct redemption line[5];
    open_side(&side);
    board_set_books(board_slot(side.discount.board, 0), BOOKS_AGREE);
    change(&side, &(struct campaign_patch){.has_max_redemptions = true, .max_redemptions = 1});
    change(&side, &(struct campaign_patch){.rules_given = GIVEN_WAITING_LIST, .rules = {.waiting_list = 6}});
    assert_int_equal(be_told(&side, 1, NULL).status, REDEMPTION_CLAIMED);
    for (unsigned i = 0; i < 5; i++) {
        line[i] = be_told(&side, i + 2, i == 0 ? "key-of-the-first" : NULL);
        assert_true(line[i].status == REDEMPTION_WAITING && line[i].rank == i + 1);
        assert_int_equal(find(&side, line[i].id).position, LINE_BASE + i + 1);
    }
    assert_int_equal(atomic_load(&board_slot(side.discount.board, 0)->waiting), 5);
    assert_true(board_may_be_user(side.discount.board, board_slot(side.discount.board, 0), test_user(4)));
    stop(&side);
    start(&side, BATCH_WRITE);
    change(&side, &(struct campaign_patch){.has_max_redemptions = true, .max_redemptions = 4});
    struct own_request asks[2] = {{.base.operation.action = &one_place}, {.base.operation.action = &one_place}};
    struct test_exchange *test = exchange_new(&side.discount, test_user(9)), *fifth = exchange_new(&side.discount, test_user(6));
    struct operation *const batch[] = {&make_redeem(fifth, 6, NULL)->base.operation, &make_redeem(test, 9, NULL)->base.operation,
                                       &asks[0].base.operation, &asks[1].base.operation};
    promoted = 0;
    run_batch(&side, batch, 4);
    assert_int_equal(promoted, 2); /* three places are open, and the first two were looked for */
    for (unsigned i = 0; i < 5; i++) {
        struct redemption found = find(&side, line[i].id);
        assert_int_equal(found.status, i < 2 ? REDEMPTION_CLAIMED : REDEMPTION_WAITING);
        assert_int_equal(found.position, i < 2 ? (int64_t)i + 2 : LINE_BASE + i + 1);
        assert_true(id_equal(found.user_id, test_user(i + 2)));
    }
    assert_int_equal(((struct redemption_request *)batch[1])->base.redemption.rank, 6);
    exchange_delete(test);
    exchange_delete(fifth);
    struct campaign_view view = board_view(board_slot(side.discount.board, 0));
    assert_true(view.waiting == 4 && view.called == 2 && view.lined_up == 6 && view.redeemed == 3);
    struct own_request promote = {.base.operation.action = &promote_action, .campaign_id = {.bytes = {5, 5}}, .promoted = 7};
    TAILQ_INIT(&promote.waiters);
    struct operation *operation = &promote.base.operation;
    run_batch(&side, &operation, 1);
    assert_int_equal(promote.promoted, 1);
    assert_int_equal(find(&side, line[2].id).position, 4);
    assert_non_null(promote.base.change.event);
    run_batch(&side, &operation, 1);
    assert_int_equal(promote.promoted, 0);
    assert_null(promote.base.change.event);
    close_side(&side);
}

int main(void) {
    crypto_init();
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_paid_is_there_again),
        cmocka_unit_test(test_rivals_are_looked_for),
        cmocka_unit_test(test_a_claim_made_anew_is_found_by_both_ids),
        cmocka_unit_test(test_a_kept_answer_follows_its_claim),
        cmocka_unit_test(test_a_claim_of_the_same_batch),
        cmocka_unit_test(test_no_place_while_the_campaign_recovers),
        cmocka_unit_test(test_the_line_is_as_it_is_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
