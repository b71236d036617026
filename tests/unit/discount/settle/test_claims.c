/* The pool, between a delivery that sends nothing and a database that is an array in the place of tables.c. */
#include "fake_client.h"

#include "../../base/memory_ends.h"
#include "discount/settle/claims.h"
#include "discount/tables.h"

#define POOL     4u
#define ROWS_MAX 32u

static struct board *board;
static struct campaign campaigns[2];
static struct calls calls;
static struct delivery delivery;
static struct claims claims;

/* What is unsettled in the database, by key. */
static struct redemption rows[ROWS_MAX];
static size_t row_count, reads;
static int64_t last_limit;
static struct result read_outcome;

void ask_unsettled(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    int64_t count = 0;
    (void)batch;
    reads++;
    last_limit = limit;
    for (size_t i = 0; i < row_count && count < limit; i++) {
        if (redemption_key(rows[i].campaign_number, rows[i].position) <= after) continue;
        assert_true(result_is_ok(visit(context, (const struct row *)&rows[i])));
        count++;
    }
}

struct result sound_redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) {
    assert_int_equal(first_column, 0);
    *ret_redemption = *(const struct redemption *)row;
    return result_ok();
}

struct result batch_run(struct batch *batch) {
    (void)batch;
    return read_outcome;
}

static void show(size_t index) { board_publish(board, &campaigns[index], 0); }

static int set_up(void **state) {
    (void)state;
    static const struct delivery_kind kind = {.items_name = "claims"};
    fake_calls_init(&calls);
    memset(&delivery, 0, sizeof delivery);
    delivery_init(&delivery, &kind, NULL, &calls, &fake_clock);
    assert_true(result_is_ok(board_create(4, &board)));
    for (uint32_t i = 0; i < 2; i++) {
        campaigns[i] = (struct campaign){.number = i + 1,
                                         .credit = {1000, CURRENCY_IRT},
                                         .max_redemptions = 100,
                                         .version = 1,
                                         .sequence = 1,
                                         .fund_confirmed_minor = 100000};
        campaigns[i].id.bytes[0] = (uint8_t)(i + 1);
        assert_true(result_is_ok(code_parse(i == 0 ? TEXT("FIRST") : TEXT("SECOND"), &campaigns[i].code)));
        board_reserve(board, &campaigns[i]);
        show(i);
    }
    row_count = reads = 0;
    read_outcome = result_ok();
    claims = (struct claims){0};
    assert_true(result_is_ok(claims_init(&claims, POOL, board, NULL, &delivery)));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    claims_free(&claims);
    delivery_free(&delivery);
    board_free(board);
    calls_free(&calls);
    return 0;
}

static struct redemption make(uint32_t campaign_number, int64_t position) {
    struct redemption redemption = {.campaign_number = campaign_number, .position = position, .claimed_at_us = fake_now_us};
    redemption.id.bytes[0] = (uint8_t)campaign_number;
    redemption.id.bytes[1] = (uint8_t)position;
    redemption.user_id.bytes[3] = (uint8_t)position;
    return redemption;
}

static struct claim *take(uint32_t campaign_number, int64_t position) {
    struct redemption redemption = make(campaign_number, position);
    return claims_take(&claims, &redemption);
}

/* As after a delivery: it is out of its hands. */
static void settle(struct claim *claim) {
    TAILQ_REMOVE(&delivery.ready, &claim->item, link);
    delivery.ready_count--;
    claim->item.state = DELIVERY_IDLE;
    claims_forget(&claims, claim);
    assert_int_equal(claim->state, CLAIM_FREE);
}

static void fill_rows(size_t count) {
    for (size_t i = 0; i < count; i++) rows[i] = make(1, (int64_t)i + 1);
    row_count = count;
}

static void drop_row(size_t index) {
    row_count--;
    memmove(&rows[index], &rows[index + 1], (row_count - index) * sizeof rows[0]);
}

static void test_a_claim_is_there_once(void **state) {
    (void)state;
    struct claim *claim = take(1, 7);
    assert_non_null(claim);
    assert_ptr_equal(take(1, 7), claim);
    assert_int_equal(claims_count(&claims), 1);
    assert_int_equal(delivery.ready_count, 1);
    struct redemption same = make(1, 7);
    assert_true(id_equal(claim->item.id, same.id) && id_equal(claim->user_id, same.user_id));
    assert_int_equal(claim->claimed_at_us, same.claimed_at_us);
    settle(claim);
    assert_int_equal(claims_count(&claims), 0);
    claim = take(1, 7); /* known no more: another one, with nothing of the first */
    assert_int_equal(claim->item.backoff.attempts, 0);
    assert_int_equal(claim->item.batch_max, 0);
}

static void test_nothing_of_a_former_claim_is_left(void **state) {
    (void)state;
    for (unsigned i = 0; i < POOL; i++) {
        struct claim *claim = take(1, i + 1);
        claim->item.backoff.attempts = 9;
        claim->item.batch_max = 1;
        settle(claim);
    }
    for (unsigned i = 0; i < POOL; i++) {
        struct claim *claim = take(2, i + 1);
        assert_int_equal(claim->item.backoff.attempts, 0);
        assert_int_equal(claim->item.batch_max, 0);
        assert_int_equal(claim->campaign_number, 2);
    }
}

static void test_what_may_not_be_paid_takes_no_room(void **state) {
    (void)state;
    claims_refill(&claims, fake_now_us); /* the first walk, at the start */
    campaigns[0].fund_confirmed_minor = 0;
    campaigns[0].fund_step_minor = 100000;
    show(0);
    for (unsigned i = 0; i < 2 * POOL; i++) assert_null(take(1, i + 1));
    assert_int_equal(claims_count(&claims), 0);
    assert_int_equal(claims_next_us(&claims), INT64_MAX); /* nobody looks again and again for what can't be had */
    assert_non_null(take(2, 1));
    assert_int_equal(delivery.ready_count, 1);
    campaigns[0].fund_confirmed_minor = 100000;
    show(0);
    claims_look(&claims);
    fill_rows(2);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(delivery.ready_count, 3);
}

static void test_what_may_not_be_paid_is_left_where_it_is_with_the_last_room_free(void **state) {
    (void)state;
    campaigns[1].fund_confirmed_minor = 0;
    campaigns[1].fund_step_minor = 100000;
    show(1);
    fill_rows(POOL - 1);
    rows[row_count++] = make(2, 1);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(claims_count(&claims), POOL - 1);
}

static void test_an_open_fund_that_waits_for_more_pays(void **state) {
    (void)state;
    campaigns[0].fund_step_minor = 5000;
    show(0);
    assert_non_null(take(1, 1));
    assert_int_equal(delivery.ready_count, 1);
}

static void test_without_room_it_waits_in_the_database(void **state) {
    (void)state;
    claims_refill(&claims, fake_now_us); /* the first walk, at the start, finds nothing */
    assert_int_equal(reads, 1);
    assert_int_equal(claims_next_us(&claims), INT64_MAX);
    for (unsigned i = 0; i < POOL; i++) assert_non_null(take(1, i + 1));
    assert_int_equal(claims_next_us(&claims), INT64_MAX);
    assert_null(take(1, POOL + 1));
    fill_rows(POOL + 1);
    assert_int_equal(claims_next_us(&claims), INT64_MAX); /* there is no room yet */
    claims_refill(&claims, fake_now_us);
    assert_int_equal(reads, 1);
    settle(claim_of(TAILQ_FIRST(&delivery.ready)));
    drop_row(0);
    assert_int_equal(claims_next_us(&claims), INT64_MAX); /* a quarter is not half */
    settle(claim_of(TAILQ_FIRST(&delivery.ready)));
    drop_row(0);
    assert_true(claims_next_us(&claims) <= fake_now_us);
    claims_refill(&claims, fake_now_us);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(claims_count(&claims), 3);
    struct redemption late = make(1, POOL + 1);
    assert_non_null(map_get(&claims.by_id, (struct text){(const char *)late.id.bytes, sizeof late.id.bytes}));
}

/* More than the pool holds: every one is taken in the end, in the order of the key, whatever is settled in between. */
static void test_a_walk_sees_everything(void **state) {
    (void)state;
    fill_rows(11);
    int64_t next = 1;
    for (int turn = 0; turn < 100 && row_count > 0; turn++) {
        claims_refill(&claims, fake_now_us);
        if (delivery.ready_count == 0) continue;
        struct claim *claim = claim_of(TAILQ_FIRST(&delivery.ready));
        assert_int_equal(claim->item.id.bytes[1], next++);
        settle(claim);
        drop_row(0);
    }
    assert_int_equal(row_count, 0);
    claims_refill(&claims, fake_now_us);
    size_t before = reads;
    assert_int_equal(claims_next_us(&claims), INT64_MAX); /* and then there is nothing more to look for */
    claims_refill(&claims, fake_now_us);
    assert_int_equal(reads, before);
}

/* Who finds no room while a walk is under way may lie before the place that it has come to. */
static void test_who_finds_no_room_during_a_walk_asks_for_another(void **state) {
    (void)state;
    for (unsigned i = 0; i < POOL; i++) rows[i] = make(2, i + 1);
    row_count = POOL;
    claims_refill(&claims, fake_now_us);
    assert_int_equal(claims_count(&claims), POOL);
    assert_null(take(1, 1)); /* before all that the walk has seen */
    rows[0] = make(1, 1);
    row_count = 1;
    while (delivery.ready_count > 0) settle(claim_of(TAILQ_FIRST(&delivery.ready)));
    for (int turn = 0; turn < 4; turn++) claims_refill(&claims, fake_now_us);
    assert_int_equal(claims_count(&claims), 1);
}

/* A disk that does not answer is not asked without a pause. */
static void test_a_failed_walk_is_begun_again(void **state) {
    (void)state;
    fill_rows(2);
    read_outcome = result_error(RESULT_IO);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(claims_next_us(&claims), claims.refill.retry_at_us);
    assert_true(claims_next_us(&claims) > fake_now_us);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(reads, 1);
    fake_now_us = claims_next_us(&claims);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(claims.refill.attempts, 2); /* later and later */
    read_outcome = result_ok();
    fake_now_us = claims_next_us(&claims);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(claims.refill.attempts, 0);
    assert_int_equal(claims_count(&claims), 2);
    claims_refill(&claims, fake_now_us);
    assert_int_equal(reads, 4);                /* two that failed, two of a whole walk */
    assert_int_equal(delivery.ready_count, 2); /* none of them twice */
    assert_int_equal(claims_next_us(&claims), INT64_MAX);
}

/* However much room there is, a step of the walk is short. */
static void test_no_more_than_a_thousand_rows_are_read_at_once(void **state) {
    (void)state;
    claims_free(&claims);
    claims = (struct claims){0};
    assert_true(result_is_ok(claims_init(&claims, 1001, board, NULL, &delivery)));
    claims_refill(&claims, fake_now_us);
    assert_int_equal(last_limit, 1000);
}

static void test_a_campaign_that_is_not_shown_yet_is_left_alone(void **state) {
    (void)state;
    rows[0] = make(1, 1);
    rows[1] = make(3, 1); /* committed, not published */
    row_count = 2;
    claims_refill(&claims, fake_now_us);
    assert_int_equal(claims_count(&claims), 1);
}

/* What is owed to nobody while the books are looked at; what Wallet has lost is owed all the same. */
static void test_only_what_is_sent_again_goes_before_the_books_agree(void **state) {
    (void)state;
    static const enum books books[] = {BOOKS_NOT_COMPARED, BOOKS_WALKING, BOOKS_RECOVERING};
    for (size_t i = 0; i < ARRAY_COUNT(books); i++) {
        board_set_books(board_slot(board, 0), books[i]);
        assert_false(claims_may_be_paid(&claims, &(struct conflict){.campaign_number = 1}));
        assert_null(take(1, 1));
        assert_true(claims_may_be_paid(&claims, &(struct conflict){.campaign_number = 2}));
    }
    struct redemption lost = make(1, 1);
    assert_true(claims_take_again(&claims, &lost));
    assert_true(claims_take_again(&claims, &lost)); /* it is on its way */
    assert_int_equal(claims_again(&claims, 1), 1);
    assert_int_equal(delivery.ready_count, 1);
    struct claim *claim = take(1, 1);
    assert_true(claim != NULL && claim->is_again);
    lost = make(2, 1);
    assert_true(claims_take_again(&claims, &lost));
    assert_true(claims_again(&claims, 1) == 1 && claims_again(&claims, 2) == 1);
    settle(claim);
    assert_true(claims_again(&claims, 1) == 0 && claims_again(&claims, 2) == 1);
    board_set_books(board_slot(board, 0), BOOKS_AGREE);
    claim = take(1, 1);
    assert_true(claim != NULL && !claim->is_again); /* an ordinary one in the same place */
    settle(claim);
    assert_int_equal(claims_again(&claims, 1), 0);
    for (int64_t i = 0; i < 3; i++) assert_non_null(take(1, 10 + i));
    lost = make(1, 20);
    assert_false(claims_take_again(&claims, &lost)); /* there is no room */
    assert_int_equal(claims_again(&claims, 1), 0);
}

/* Wallet has paid them otherwise; whom it does not concern is paid. */
static void test_who_is_in_conflict_waits_alone(void **state) {
    (void)state;
    static struct conflicts conflicts;
    claims.conflicts = &conflicts;
    struct redemption redemption = make(1, 1);
    const struct conflict conflict = {1, redemption.user_id, redemption.phone};
    assert_true(conflicts_add(&conflicts, &conflict));
    board_set_books(board_slot(board, 0), BOOKS_CONFLICTED);
    board_set_books(board_slot(board, 1), BOOKS_CONFLICTED);
    assert_null(take(1, 1));
    assert_non_null(take(1, 2));
    assert_non_null(take(2, 1));
    board_set_books(board_slot(board, 0), BOOKS_AGREE);
    assert_non_null(take(1, 1));
    claims.conflicts = NULL;
}

static void test_the_claims_of_one_campaign_are_read_anew(void **state) {
    (void)state;
    struct claim *first = take(1, 1), *second = take(2, 1), *gone = take(1, 2);
    settle(gone);
    claims.must_refill = false;
    claims_read_anew(&claims, 1);
    assert_true(first->is_old && !second->is_old && !gone->is_old);
    assert_true(claims.must_refill);
    settle(first);
    assert_false(take(1, 1)->is_old);
}

/* Itself, the counts of what is sent again, the map: without one of them there is no pool. */
static void test_without_memory_there_is_no_pool(void **state) {
    (void)state;
    for (size_t objects = 0; objects < 2; objects++) {
        struct claims none = {0};
        objects_left = objects;
        struct result outcome = claims_init(&none, POOL, board, NULL, &delivery);
        objects_left = SIZE_MAX;
        assert_int_equal(outcome.code, RESULT_FULL);
        claims_free(&none);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_claim_is_there_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_sent_again_goes_before_the_books_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_in_conflict_waits_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_claims_of_one_campaign_are_read_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_memory_there_is_no_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_of_a_former_claim_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_may_not_be_paid_takes_no_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_may_not_be_paid_is_left_where_it_is_with_the_last_room_free, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_open_fund_that_waits_for_more_pays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_room_it_waits_in_the_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_walk_sees_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_finds_no_room_during_a_walk_asks_for_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_walk_is_begun_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_than_a_thousand_rows_are_read_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_campaign_that_is_not_shown_yet_is_left_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
