/* What a walk finds, and what becomes of it. */
#include "walk.h"

static void test_what_both_have_is_left_alone(void **state) {
    (void)state;
    fill(4, 3);
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    run();
    begin();
    run();
    assert_string_equal(fake_client.calls[0]->method, "GET");
    assert_string_equal(fake_client.calls[0]->url, FUND);
    answer(200, page_of("12", "a"));
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
    run();
    assert_string_equal(fake_client.calls[0]->url, FUND "&cursor=a");
    answer(200, page_of("3", LONGEST));
    assert_int_equal(reads, 0);
    run();
    assert_string_equal(fake_client.calls[0]->url, FUND "&cursor=" LONGEST);
    answer(200, page_of("4", NULL)); /* paid, and not known here as such yet */
    assert_int_equal(reads, 1);
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
    size_t before = trips;
    run();
    expect_end(true);
    assert_int_equal(trips, before); /* no row need be read */
    assert_int_equal(walk.counts.seen, 4);
    assert_int_equal(walk.counts.unknown, 0);
    assert_int_equal(walk.counts.again, 0);
    assert_int_equal(claims_count(&claims), 0);
    begin(); /* another time, from the beginning */
    run();
    assert_string_equal(fake_client.calls[0]->url, FUND);
    assert_int_equal(walk.counts.seen, 0);
}

/* Whether there is room for it is for the address sanitizer. */
static void test_the_last_of_a_hundred_places_is_noted(void **state) {
    (void)state;
    fill(1, 1);
    rows[0].position = campaign.redeemed = 100;
    board_publish(board, &campaign, 0);
    begin();
    answer(200, page_of("1", NULL));
    run();
    expect_end(true);
    assert_int_equal(walk.counts.again, 0);
}

static void expect_again(const char *positions) {
    assert_int_equal(claims_count(&claims), strlen(positions));
    assert_int_equal(walk.counts.again, strlen(positions));
    assert_int_equal(claims_again(&claims, 1), strlen(positions));
    for (size_t i = 0; positions[i] != '\0'; i++) {
        struct id id = id_with(1, (uint8_t)(positions[i] - '0'));
        const struct claim *claim = map_get(&claims.by_id, (struct text){(const char *)id.bytes, sizeof id.bytes});
        assert_non_null(claim);
        assert_true(claim->is_again);
    }
}

static void test_what_wallet_has_lost_is_sent_again(void **state) {
    (void)state;
    fill(9, 8);
    rows[6].status = REDEMPTION_FAILED;
    rows[6].transaction_id = (struct id){{0}};
    begin();
    answer(200, page_of("2346", NULL));
    run();
    assert_int_equal(ends, 0); /* no more rows than there is room for */
    run();
    expect_end(true);
    expect_again("158");
}

static void test_what_wallet_says_otherwise_is_sent_again(void **state) {
    (void)state;
    fill(4, 3);
    rows[1].status = REDEMPTION_FAILED;
    rows[2].transaction_id.bytes[3] = 7;
    campaign.credited = 2;
    campaign.failed = 1;
    board_publish(board, &campaign, 0);
    begin();
    answer(200, page_of("1234", NULL));
    run();
    expect_end(true);
    expect_again("23");
}

/* As many there as here, but not the same: each is looked at. */
static void test_another_instead_of_one_that_is_lost(void **state) {
    (void)state;
    fill(3, 2);
    rows[2].status = REDEMPTION_FAILED;
    begin();
    answer(200, page_of("13", NULL));
    run();
    expect_end(true);
    expect_again("23");
}

/* What was claimed after the walk began is not its concern, whatever became of it meanwhile. */
static void test_who_came_after_it_began(void **state) {
    (void)state;
    fill(1, 1);
    begin();
    fill(3, 3);
    answer(200, page_of("2", NULL));
    run();
    expect_end(true);
    expect_again("1");
}

/* Its reference is used up there: sent again it would be refused for good, and the place be lost. */
static void test_a_credit_of_another_is_told_and_not_sent(void **state) {
    (void)state;
    fill(3, 3);
    rows[0].user_id = id_with(9, 9);
    begin();
    answer(200, page_of("1", "a"));
    expect_logged(LOG_ERROR, "credit_is_of_another");
    answer(200, page_of("2", NULL));
    expect_nothing_logged();
    assert_int_equal(walk.paid_count, 2);
    assert_int_equal(walk.counts.of_another, 1);
    assert_int_equal(walk.counts.unknown, 0);
    run();
    expect_end(true);
    expect_again("3");
}

static void test_one_of_another_that_is_not_credited_here_is_left_alone(void **state) {
    (void)state;
    fill(3, 2);
    rows[1].status = REDEMPTION_FAILED;
    campaign.credited = campaign.failed = 1;
    board_publish(board, &campaign, 0);
    rows[1].user_id = rows[2].user_id = id_with(9, 9);
    begin();
    answer(200, page_of("123", NULL));
    assert_int_equal(walk.paid_count, 1);
    assert_int_equal(walk.other_count, 0);
    run();
    expect_end(true);
    assert_int_equal(claims_count(&claims), 0);
}

static void test_a_credit_of_another_campaign_is_told(void **state) {
    (void)state;
    fill(1, 1);
    rows[0].campaign_number = 2;
    begin();
    answer(200, page_of("1", NULL));
    expect_logged(LOG_ERROR, "credit_is_of_another");
    assert_int_equal(walk.paid_count + walk.other_count, 0);
}

/* ---- credits of nobody ---- */

#define NAMED(reference)                                                                     \
    "{\"reference\":\"" reference "\",\"user_id\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e02\"," \
    "\"transaction_id\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e03\",\"amount\":700,\"created_at\":\"" AT "\"}"
#define NOBODYS "{\"data\":[" NAMED("g") "," NAMED("00000000-0000-0000-0000-000000000000") "],\"next_cursor\":"

static void test_a_credit_of_nobody_is_told_and_passed_over(void **state) {
    (void)state;
    fill(2, 2);
    begin();
    size_t lines = fake_log_count;
    answer(200, NOBODYS "\"a\"}");
    expect_logged(LOG_ERROR, "credit_of_no_redemption");
    assert_int_equal(fake_log_count, lines + 2);
    answer(200, page_of("1", NULL));
    assert_int_equal(walk.counts.seen, 3);
    assert_int_equal(walk.counts.foreign, 2);
    assert_int_equal(walk.counts.foreign_minor, 1400);
    assert_int_equal(walk.counts.unknown, 0);
    assert_int_equal(reads, 1);
    run();
    expect_end(true);
    expect_again("2");
    walk.foreign_told = 1; /* of an earlier walk: the second is new */
    lines = fake_log_count;
    begin();
    answer(200, NOBODYS "null}");
    assert_int_equal(fake_log_count, lines + 1);
}

static void test_twenty_credits_of_nobody_are_told(void **state) {
    (void)state;
    begin();
    size_t lines = fake_log_count;
    for (unsigned i = 0; i < 11; i++) answer(200, NOBODYS "\"a\"}");
    assert_int_equal(fake_log_count, lines + 20);
    assert_int_equal(walk.counts.foreign, 22);
}

/* A liar's sum stays a sum of money. */
static void test_what_nobody_got_is_no_more_than_a_fund_can_hold(void **state) {
    (void)state;
    begin();
    walk.counts.foreign_minor = MONEY_AMOUNT_MAX - 1399; /* 1400 come to it */
    answer(200, NOBODYS "null}");
    assert_int_equal(walk.counts.foreign_minor, MONEY_AMOUNT_MAX);
}

/* ---- credits that are not here ---- */

#define UNKNOWN_WITH(metadata)                                                                                                 \
    "{\"data\":[{\"reference\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e01\",\"user_id\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e02\"," \
    "\"transaction_id\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e03\",\"amount\":1,\"created_at\":\"" AT "\"" metadata              \
    "}],\"next_cursor\":null}"
#define CAMPAIGN "\"campaign\":\"01000000-0000-0000-0000-000000000000\""
#define PHONE    "\"phone\":\"+989120000001\""
#define CODE     "\"code\":\"FIRST\""

static void test_a_credit_that_is_not_here_is_handed_over(void **state) {
    (void)state;
    fill(1, 1);
    walk.taker = &taker;
    begin();
    answer(200, page_of("156", "a"));
    assert_int_equal(taken.begins, 1);
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.ends, 0);
    assert_true(id_equal(taken.credits[0].reference, id_with(1, 5)));
    assert_true(id_equal(taken.credits[0].user_id, id_with(0x22, 5)));
    assert_true(id_equal(taken.credits[0].transaction_id, id_with(0xAA, 5)));
    assert_int_equal(taken.credits[0].amount_minor, 1000);
    int64_t at_us;
    assert_true(result_is_ok(clock_parse(TEXT(AT), &at_us)));
    assert_int_equal(taken.credits[0].created_at_us, at_us);
    answer(200, page_of("7", NULL));
    assert_int_equal(taken.begins, 1);
    assert_int_equal(taken.count, 3);
    assert_int_equal(taken.ends, 1);
    assert_int_equal(walk.counts.unknown, 3);
    run();
    expect_end(true);
    assert_int_equal(taken.give_ups, 0);
}

static void test_one_that_waits_here_and_was_paid_there_is_handed_over(void **state) {
    (void)state;
    fill(2, 1);
    rows[1].status = REDEMPTION_WAITING;
    walk.taker = &taker;
    begin();
    answer(200, page_of("12", NULL));
    assert_int_equal(taken.count, 1);
    assert_true(id_equal(taken.credits[0].reference, rows[1].id));
    assert_int_equal(walk.counts.unknown, 1);
    assert_int_equal(walk.paid_count + walk.other_count, 1);
    run();
    expect_end(true);
}

/* All of them taken back in Wallet. */
static const char *reversed_page_of(const char *positions) {
    static const char member[] = "\"reversed\":1000,";
    char *at = (char *)(uintptr_t)page_of(positions, NULL);
    while ((at = strstr(at, "\"created_at\"")) != NULL) {
        memmove(at + sizeof member - 1, at, strlen(at) + 1);
        memcpy(at, member, sizeof member - 1);
        at += sizeof member;
    }
    return page;
}

/* Also of one that is not known here to be paid: it is settled by it, and would be credited for nothing else. */
static void test_what_was_taken_back_there_alone_is_handed_over(void **state) {
    (void)state;
    fill(5, 3);
    rows[1].status = REDEMPTION_REVERSING;
    rows[2].status = REDEMPTION_REVERSED;
    rows[4].status = REDEMPTION_FAILED;
    walk.taker = &taker;
    begin();
    answer(200, reversed_page_of("12345"));
    assert_int_equal(taken.count, 2);
    assert_true(id_equal(taken.credits[0].reference, rows[0].id) && taken.credits[0].is_reversed);
    assert_true(id_equal(taken.credits[1].reference, rows[3].id) && taken.credits[1].is_reversed);
    run();
    expect_end(true);
}

static void test_what_its_description_says(void **state) {
    (void)state;
    static const struct {
        const char *page;
        int64_t position;
    } cases[] = {{UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":1," PHONE "," CODE "}"), 1},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":0," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN "," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":9223372036854775807," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":2,\"phone\":\"x\"," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":2," PHONE ",\"code\":\"!\"}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":2," PHONE ",\"code\":\"\",\"code_batch\":7,\"code_index\":9}"), 2},
                 {UNKNOWN_WITH(",\"metadata\":{\"campaign\":\"02000000-0000-0000-0000-000000000000\",\"position\":2," PHONE "," CODE "}"),
                  0},
                 {UNKNOWN_WITH(",\"metadata\":{\"position\":2," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":[]"), 0},
                 {UNKNOWN_WITH(""), 0}};
    walk.taker = &taker;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        taken.count = taken.ends = 0;
        begin();
        answer(200, cases[i].page);
        assert_int_equal(taken.count, 1);
        const struct unknown_credit *credit = &taken.credits[0];
        assert_int_equal(credit->is_described, cases[i].position != 0);
        assert_int_equal(credit->position, cases[i].position);
        assert_int_equal(credit->phone.size, cases[i].position != 0 ? 13 : 0);
        bool is_of_batch = strstr(cases[i].page, "code_batch") != NULL; /* and its campaign has no code of its own */
        bool has_code = cases[i].position != 0 && !is_of_batch;
        assert_true(text_equal(code_text(&credit->code), has_code ? TEXT("FIRST") : TEXT("")));
        assert_int_equal(credit->code_batch, is_of_batch ? 7 : 0);
        assert_int_equal(credit->code_index, is_of_batch ? 9 : 0);
        assert_int_equal(credit->amount_minor, 1);
        run();
        expect_end(true);
    }
}

/* A code of a batch is both its batch and its index, each as there can be one; else it is none, and the credit is described all the same. */
static void test_which_code_of_a_batch_it_was_for(void **state) {
    (void)state;
    static const struct {
        const char *phone;
        int64_t batch, index;
        bool is_one;
    } cases[] = {{"+989120000001", 1, 1, true},
                 {"+989120000001", LIMIT_CODE_BATCHES, 2, true},
                 {"+989120000001", LIMIT_CODE_BATCHES + 1, 1, false},
                 {"+989120000001", 0, 1, false},
                 {"+989120000001", -1, 1, false},
                 {"+989120000001", 1, 0, false},
                 {"+989120000001", 1, -1, false},
                 {"x", 1, 1, false}};
    char text[1024];
    walk.taker = &taker;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        snprintf(text, sizeof text,
                 UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN
                              ",\"position\":1,\"phone\":\"%s\",\"code\":\"\",\"code_batch\":%lld,\"code_index\":%lld}"),
                 cases[i].phone, (long long)cases[i].batch, (long long)cases[i].index);
        taken.count = taken.ends = 0;
        begin();
        answer(200, text);
        assert_int_equal(taken.credits[0].code_batch, cases[i].is_one ? cases[i].batch : 0);
        assert_int_equal(taken.credits[0].code_index, cases[i].is_one ? cases[i].index : 0);
        assert_int_equal(taken.credits[0].is_described, cases[i].phone[0] == '+');
        run();
        expect_end(true);
    }
    static const char *const halves[] = {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":1," PHONE ",\"code_batch\":1}"),
                                         UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":1," PHONE ",\"code_index\":1}")};
    for (size_t i = 0; i < ARRAY_COUNT(halves); i++) {
        taken.count = taken.ends = 0;
        begin();
        answer(200, halves[i]);
        assert_true(taken.credits[0].code_batch == 0 && taken.credits[0].code_index == 0);
        run();
        expect_end(true);
    }
}

static void test_the_last_place_may_be_described(void **state) {
    (void)state;
    char text[1024];
    walk.taker = &taker;
    for (int64_t more = 0; more < 2; more++) {
        snprintf(text, sizeof text, UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":%lld," PHONE "," CODE "}"),
                 (long long)(LIMIT_CAMPAIGN_PLACES + more));
        taken.ends = 0;
        begin();
        answer(200, text);
        assert_int_equal(taken.credits[taken.count - 1].is_described, more == 0);
        run();
        expect_end(true);
    }
}

static void test_nobody_takes_what_is_not_here(void **state) {
    (void)state;
    begin();
    answer(200, page_of("5", NULL));
    assert_int_equal(walk.counts.unknown, 1);
    run();
    expect_end(true);
}

static void test_who_has_no_room_ends_the_walk(void **state) {
    (void)state;
    walk.taker = &taker;
    taken.refuses_begin = true;
    begin();
    answer(200, page_of("5", NULL));
    expect_end(false);
    assert_int_equal(taken.give_ups, 0);
    assert_int_equal(reads, 0);
    taken.refuses_begin = false;
    taken.refuses_credit = true;
    begin();
    answer(200, page_of("5", NULL));
    expect_end(false);
    assert_int_equal(taken.give_ups, 1);
    assert_int_equal(taken.ends, 0);
    taken.refuses_credit = false;
    begin();
    answer(200, page_of("5", "a"));
    answer(404, "{}"); /* in the middle */
    expect_end(false);
    assert_int_equal(taken.give_ups, 2);
}

/* Places are told apart however many there are. */
static void test_three_of_twenty_are_lost(void **state) {
    (void)state;
    static const char *const pages[] = {"1245678", "9:<=>?@", "ABD"}; /* all but 3, 11 and 19 */
    fill(20, 20);
    begin();
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) answer(200, page_of(pages[i], i == 2 ? NULL : "a"));
    for (unsigned i = 0; i < 3; i++) run();
    expect_end(true);
    expect_again("3;C");
}

static void test_all_there_and_one_that_failed_here(void **state) {
    (void)state;
    fill(2, 1);
    rows[1].status = REDEMPTION_FAILED;
    begin();
    answer(200, page_of("12", NULL));
    run();
    expect_end(true);
    expect_again("2");
}

/* It was owed again meanwhile, and goes the way of all claims. */
static void test_a_failed_one_that_is_claimed_by_now(void **state) {
    (void)state;
    fill(1, 0);
    rows[0].status = REDEMPTION_FAILED;
    begin();
    answer(200, page_of("1", NULL));
    rows[0].status = REDEMPTION_CLAIMED;
    run();
    expect_end(true);
    expect_again("");
}

static void test_what_sends_nothing_needs_no_room(void **state) {
    (void)state;
    fill(POOL, POOL);
    for (unsigned i = 0; i < POOL; i++) assert_true(claims_take_again(&claims, &rows[i]));
    begin();
    answer(200, page_of("12345678", NULL));
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
    run();
    expect_end(true);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_last_of_a_hundred_places_is_noted, set_up, tear_down),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_what_both_have_is_left_alone),
        TEST(test_what_wallet_has_lost_is_sent_again),
        TEST(test_what_wallet_says_otherwise_is_sent_again),
        TEST(test_another_instead_of_one_that_is_lost),
        TEST(test_who_came_after_it_began),
        TEST(test_a_credit_of_another_is_told_and_not_sent),
        TEST(test_one_of_another_that_is_not_credited_here_is_left_alone),
        TEST(test_a_credit_of_another_campaign_is_told),
        TEST(test_a_credit_of_nobody_is_told_and_passed_over),
        TEST(test_twenty_credits_of_nobody_are_told),
        TEST(test_what_nobody_got_is_no_more_than_a_fund_can_hold),
        TEST(test_a_credit_that_is_not_here_is_handed_over),
        TEST(test_one_that_waits_here_and_was_paid_there_is_handed_over),
        TEST(test_what_was_taken_back_there_alone_is_handed_over),
        TEST(test_what_its_description_says),
        TEST(test_which_code_of_a_batch_it_was_for),
        TEST(test_the_last_place_may_be_described),
        TEST(test_nobody_takes_what_is_not_here),
        TEST(test_who_has_no_room_ends_the_walk),
        TEST(test_three_of_twenty_are_lost),
        TEST(test_all_there_and_one_that_failed_here),
        TEST(test_a_failed_one_that_is_claimed_by_now),
        TEST(test_what_sends_nothing_needs_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
