/* When the books are compared, and what becomes of what differs; funds, claims and the walk only note what they are told. */
#include "fake_client.h"

#include "../../base/memory_ends.h"
#include "discount/settle/comparison.h"

#define FIRST_ID  "01000000-0000-0000-0000-000000000000"
#define SECOND_ID "02000000-0000-0000-0000-000000000000"
#define THIRD_ID  "03000000-0000-0000-0000-000000000000"
#define LIST      "http://wallet/v1/funds?limit=200"
#define LONGEST                                                        \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "0123456789012345678901234567890123456789012345678901234567890123"
#define FUND(id, funded, credited, state) \
    "{\"reference\":\"" id "\",\"funded\":" funded ",\"credited\":" credited ",\"released\":0,\"state\":\"" state "\"}"
#define PAGE(items, next) "{\"data\":[" items "],\"next_cursor\":" next "}"
#define BOTH              PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null")
#define SECOND_US         CLOCK_SECOND_US

static struct board *board;
static struct campaign campaigns[3];
static struct calls calls;
static struct claims claims;
static struct funds funds;
static uint32_t again[4];
static struct rebuild rebuild;
static struct comparison comparison;

/* ---- who is told ---- */

static struct {
    size_t claims_looks, funds_looks, adopts, compared;
    struct fund_said said;
    int held[4]; /* of each campaign: holds less releases */
    bool is_behind, refuses_walk;
    size_t walk_runs, walks;
    uint32_t walked;
    int64_t walk_next_us;
} told;

void claims_look(struct claims *looked) {
    assert_ptr_equal(looked, &claims);
    told.claims_looks++;
}
void funds_look(struct funds *looked) {
    assert_ptr_equal(looked, &funds);
    told.funds_looks++;
}
void funds_adopt(struct funds *of, uint32_t campaign_number, const struct fund_said *said) {
    assert_ptr_equal(of, &funds);
    assert_int_equal(campaign_number, 1);
    told.said = *said;
    told.adopts++;
}
bool funds_is_behind(const struct funds *of, uint32_t campaign_number) {
    assert_ptr_equal(of, &funds);
    assert_true(campaign_number > 0);
    return told.is_behind;
}
void funds_hold(struct funds *of, uint32_t campaign_number, bool is_held) {
    assert_ptr_equal(of, &funds);
    told.held[campaign_number] += is_held ? 1 : -1;
}

bool walk_begin(struct walk *walk, uint32_t campaign_number) {
    assert_ptr_equal(walk, &comparison.walk);
    assert_int_equal(walk->state, WALK_IDLE);
    told.walks++;
    if (told.refuses_walk) return false;
    told.walked = campaign_number;
    walk->state = WALK_READING;
    walk->campaign_number = campaign_number;
    walk->counts = (struct walk_counts){0};
    return true;
}
void walk_run(struct walk *walk, int64_t now_us) {
    assert_ptr_equal(walk, &comparison.walk);
    assert_int_equal(now_us, fake_now_us);
    told.walk_runs++;
}
int64_t walk_next_us(const struct walk *walk, int64_t now_us) {
    assert_ptr_equal(walk, &comparison.walk);
    (void)now_us;
    return told.walk_next_us;
}
void walk_free(struct walk *walk) { assert_ptr_equal(walk, &comparison.walk); }

static void end_walk(bool is_done) {
    comparison.walk.state = WALK_IDLE;
    comparison.walk.ended(comparison.walk.context, comparison.walk.campaign_number, is_done);
}

static void note_compared(void *context) {
    assert_ptr_equal(context, &told);
    told.compared++;
}

/* ---- life ---- */

static void show(size_t index) { board_publish(board, &campaigns[index], 0); }

static void reserve(size_t index) {
    static const char *const codes[] = {"FIRST", "SECOND", "THIRD"};
    campaigns[index] = (struct campaign){.number = (uint32_t)index + 1,
                                         .credit = {1000, CURRENCY_IRT},
                                         .max_redemptions = 100,
                                         .fund_confirmed_minor = 100000,
                                         .version = 1,
                                         .sequence = 1};
    campaigns[index].id.bytes[0] = (uint8_t)(index + 1);
    assert_true(result_is_ok(code_parse(text_of(codes[index]), &campaigns[index].code)));
    board_reserve(board, &campaigns[index]);
    show(index);
}

static enum books books(size_t index) { return board_books(board_slot(board, index)); }
static void set_books(size_t index, enum books to) { board_set_books(board_slot(board, index), to); }

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&told, 0, sizeof told);
    memset(again, 0, sizeof again);
    told.walk_next_us = INT64_MAX;
    assert_true(result_is_ok(board_create(4, &board)));
    for (size_t i = 0; i < 2; i++) {
        reserve(i);
        set_books(i, BOOKS_AGREE);
    }
    claims.again = again;
    rebuild.state = REBUILD_IDLE;
    comparison = (struct comparison){.board = board,
                                     .calls = &calls,
                                     .funds = &funds,
                                     .claims = &claims,
                                     .rebuild = &rebuild,
                                     .is_compared = note_compared,
                                     .context = &told};
    atomic_store(&comparison_metric_strangers.value, 0);
    assert_true(result_is_ok(comparison_init(&comparison)));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    comparison_free(&comparison);
    board_free(board);
    return 0;
}

static int64_t next(void) { return comparison_next_us(&comparison, fake_now_us); }
static void run(void) { comparison_run(&comparison, fake_now_us); }

/* Ours answers, by its name if it has one. */
static void end_call(int status, const char *body) {
    char name[ID_TEXT_BYTES + 1] = "";
    if (!id_is_zero(calls.instance.ours)) id_format(calls.instance.ours, name);
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "%s", name);
    fake_answer(0, status, body);
}

/* It asks when it is due, and is answered like this. */
static void answer(int status, const char *body) {
    run();
    if (fake_client.count == 0) {
        fake_now_us = next();
        run();
    }
    assert_int_equal(fake_client.count, 1);
    size_t cleared = fake_client.cleared;
    end_call(status, body);
    assert_int_equal(fake_client.cleared, cleared + 1);
}

/* ---- when ---- */

static void test_it_begins_soon_and_looks_less_and_less_often(void **state) {
    (void)state;
    int64_t start_us = fake_now_us;
    run();
    assert_int_equal(fake_client.count, 0);
    assert_int_equal(next(), start_us + SECOND_US / 4);
    fake_now_us = next() - 1;
    run();
    assert_int_equal(fake_client.count, 0);
    fake_now_us++;
    run();
    assert_string_equal(fake_client.calls[0]->method, "GET");
    assert_string_equal(fake_client.calls[0]->url, LIST);
    assert_int_equal(next(), INT64_MAX);
    fake_now_us += 9 * SECOND_US;
    run(); /* one at a time */
    assert_int_equal(fake_client.count, 1);
    static const int64_t pauses_s[] = {2, 4, 8, 16, 32, 60, 60};
    for (size_t i = 0; i < ARRAY_COUNT(pauses_s); i++) {
        answer(200, BOTH);
        assert_int_equal(next(), fake_now_us + pauses_s[i] * SECOND_US);
    }
    assert_int_equal(told.compared, 1); /* once */
    assert_int_equal(told.claims_looks + told.funds_looks, 0);
    assert_int_equal(told.walk_runs > 0, true);
    told.walk_next_us = fake_now_us + 5;
    assert_int_equal(next(), fake_now_us + 5); /* the walk has its own times */
    calls_give_up(&calls);
    fake_now_us += 100 * SECOND_US;
    size_t runs = told.walk_runs;
    run();
    assert_int_equal(told.walk_runs, runs);
    assert_int_equal(fake_client.count, 0);
}

static void test_what_waits_for_it_is_looked_at_at_once(void **state) {
    (void)state;
    set_books(1, BOOKS_NOT_COMPARED);
    run();
    assert_int_equal(fake_client.count, 1);
    fake_answer(0, 200, BOTH);
    assert_int_equal(books(1), BOOKS_AGREE);
    assert_int_equal(told.claims_looks, 1);
    assert_int_equal(told.funds_looks, 1);
    assert_int_equal(told.compared, 1);
}

static void test_a_reason_to_look_is_followed_at_once_and_soon_again(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) answer(200, BOTH);
    calls.must_compare = true;
    run();
    assert_false(calls.must_compare);
    assert_int_equal(fake_client.count, 1);
    calls.must_compare = true;
    run();
    assert_true(calls.must_compare); /* it may have come too late for this one */
    fake_answer(0, 200, BOTH);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    run();
    assert_false(calls.must_compare);
    assert_int_equal(fake_client.count, 1);
}

static void test_another_wallet_is_compared_with_anew(void **state) {
    (void)state;
    calls.instance.ours.bytes[0] = 1;
    run(); /* the first one */
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(fake_client.count, 0);
    answer(200, BOTH);
    answer(200, BOTH);
    set_books(1, BOOKS_RECOVERING);
    calls.instance.ours.bytes[0] = 2;
    run();
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    assert_int_equal(books(1), BOOKS_RECOVERING);
    set_books(1, BOOKS_AGREE);
    assert_int_equal(fake_client.count, 1);
    end_call(200, BOTH);
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    run();
    assert_int_equal(books(0), BOOKS_AGREE);
}

/* ---- pages ---- */

static void test_all_pages_are_one_look(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "\"a\""));
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    assert_string_equal(fake_client.calls[0]->url, LIST "&cursor=a");
    answer(200, PAGE(FUND(FIRST_ID, "100000", "0", "open"), "\"" LONGEST "\""));
    assert_string_equal(fake_client.calls[0]->url, LIST "&cursor=" LONGEST);
    answer(200, PAGE("", "null"));
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(told.adopts, 0);
    fake_now_us = next();
    run();
    assert_string_equal(fake_client.calls[0]->url, LIST); /* from the beginning */
}

static void test_a_page_of_no_use_is_a_failure(void **state) {
    (void)state;
    static const char *const bodies[] = {"",
                                         "[]",
                                         "null",
                                         "{}",
                                         "{\"data\":1}",
                                         "{\"data\":[],\"data\":[]}",
                                         PAGE("1", "null"),
                                         PAGE("", "\"a\""),
                                         PAGE(FUND(FIRST_ID, "-1", "-1", "open"), "null"),
                                         PAGE(FUND(FIRST_ID, "5", "-1", "open"), "null"),
                                         PAGE(FUND(FIRST_ID, "5", "6", "open"), "null"),
                                         PAGE(FUND(FIRST_ID, "9007199254740992", "6", "open"), "null"),
                                         PAGE("{\"reference\":\"" FIRST_ID "\",\"funded\":5,\"credited\":5}", "null"),
                                         PAGE(FUND(FIRST_ID, "5", "5", "open"), "\"" LONGEST "x\"")};
    set_books(0, BOOKS_NOT_COMPARED);
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        int64_t errors = atomic_load(&calls_metric_errors.value);
        answer(200, bodies[i]);
        assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
        assert_int_equal(books(0), BOOKS_NOT_COMPARED);
        if (i == 0)
            expect_logged(LOG_INFO, "books_not_compared");
        else
            expect_nothing_logged();
        assert_true(next() > fake_now_us);
        run(); /* not at once */
        assert_int_equal(fake_client.count, 0);
    }
    answer(200, BOTH);
    assert_int_equal(comparison.backoff.attempts, 0);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
}

static void test_what_is_no_answer_is_a_failure(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
    } cases[] = {{{RESULT_IO}, 200}, {{RESULT_IO}, 404}, {{RESULT_OK}, 503}, {{RESULT_OK}, 403}};
    set_books(0, BOOKS_NOT_COMPARED);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (calls.token.text == NULL) calls.token.text = strdup("token");
        fake_now_us = next() > fake_now_us ? next() : fake_now_us;
        run();
        fake_client.calls[0]->retry_after_ms = 4000;
        fake_end(0, cases[i].outcome, cases[i].status, BOTH);
        assert_int_equal(books(0), BOOKS_NOT_COMPARED);
        assert_int_equal(next(), fake_now_us + 4 * SECOND_US);
    }
    if (calls.token.text == NULL) calls.token.text = strdup("token");
    calls.instance.ours.bytes[0] = 1;
    comparison.instance = calls.instance.ours;
    fake_now_us = next();
    run();
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "019aab20-4c00-7a31-9f00-5b1e2c3d4e02");
    fake_answer(0, 200, BOTH); /* a stranger */
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    fake_now_us = next();
    run();
    fake_answer(0, 404, "{}"); /* of nobody by name */
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    fake_now_us = next();
    fake_client.refuses = true;
    run();
    assert_int_equal(fake_client.count, 0);
    assert_true(next() > fake_now_us);
    assert_int_equal(told.compared, 0);
}

static void test_a_wallet_that_has_no_list_holds_nothing_up(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    set_books(1, BOOKS_RECOVERING);
    comparison.memory[1].has_conflicts = true;
    answer(404, "{}");
    expect_logged(LOG_WARN, "books_not_comparable");
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(books(1), BOOKS_RECOVERING);
    assert_int_equal(told.compared, 1);
    assert_int_equal(told.claims_looks, 1);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    answer(404, "{}");
    expect_nothing_logged();
    assert_int_equal(told.claims_looks, 1);
}

/* ---- what differs ---- */

static int64_t metric(struct metric *of) { return atomic_load(&of->value); }

static void test_sums_are_adopted(void **state) {
    (void)state;
    answer(200, PAGE(FUND(FIRST_ID, "99000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_logged(LOG_WARN, "books_differ");
    assert_int_equal(told.adopts, 1);
    assert_int_equal(told.said.funded_minor, 99000);
    assert_false(told.said.is_released);
    assert_int_equal(metric(&comparison_metric_sums), 1);
    assert_int_equal(metric(&comparison_metric_missing), 0);
    answer(200, PAGE(FUND(FIRST_ID, "100000", "0", "released") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_nothing_logged(); /* it has been said */
    assert_int_equal(told.adopts, 2);
    assert_true(told.said.is_released);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "null")); /* it has none */
    assert_int_equal(told.adopts, 3);
    assert_int_equal(told.said.funded_minor, 0);
    answer(200, BOTH);
    assert_int_equal(metric(&comparison_metric_sums), 0);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_logged(LOG_WARN, "books_differ"); /* anew */
    assert_int_equal(told.walks, 0);
}

static void credit_here(int64_t count) {
    campaigns[0].redeemed = campaigns[0].credited = count;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = fake_now_us;
    show(0);
}

static void test_lost_credits_are_walked_after(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    credit_here(3);
    told.is_behind = true;
    answer(200, PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(metric(&comparison_metric_missing), 2);
    assert_int_equal(metric(&comparison_metric_unknown), 0);
    assert_int_equal(books(0), BOOKS_WALKING);
    assert_int_equal(told.held[1], 1);
    assert_int_equal(told.compared, 0);
    run();
    assert_int_equal(told.walks, 0); /* its fund is to be put right first */
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    told.is_behind = false;
    assert_int_equal(next(), fake_now_us);
    told.refuses_walk = true;
    run();
    assert_int_equal(told.walks, 1);
    told.refuses_walk = false;
    run(); /* again */
    assert_int_equal(told.walked, 1);
    assert_int_equal(told.walks, 2);
    run();
    assert_int_equal(told.walks, 2);
    answer(200, PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(told.held[1], 1); /* the walk that is under way will do */
    assert_int_equal(metric(&comparison_metric_missing), 3);
    comparison.walk.counts.again = 2;
    comparison.walk.read(comparison.walk.context, 1);
    expect_logged(LOG_INFO, "credits_compared");
    assert_int_equal(books(0), BOOKS_AGREE);
    end_walk(true);
    expect_logged(LOG_WARN, "credits_sent_again");
    assert_int_equal(told.held[1], 0);
    assert_int_equal(told.compared, 1);
    run();
    assert_int_equal(told.walks, 2); /* once is enough */
}

/* While it waits to be walked it is not asked for twice. */
static void test_a_walk_that_waits_is_held_once(void **state) {
    (void)state;
    credit_here(1);
    told.is_behind = true;
    for (unsigned i = 0; i < 2; i++) answer(200, BOTH);
    assert_int_equal(told.held[1], 1);
    assert_int_equal(books(0), BOOKS_AGREE); /* it was before, and goes on meanwhile */
}

static void test_a_walk_that_was_given_up_is_repeated(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    credit_here(1);
    answer(200, BOTH);
    run();
    assert_int_equal(told.walks, 1);
    assert_int_equal(books(0), BOOKS_WALKING);
    end_walk(false);
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    assert_int_equal(told.held[1], 0);
    assert_int_equal(told.compared, 0);
    assert_in_range(next(), fake_now_us + 1, fake_now_us + BACKOFF_FIRST_US);
    fake_now_us = next();
    run();
    assert_int_equal(fake_client.count, 1);
    fake_answer(0, 200, BOTH);
    assert_int_equal(books(0), BOOKS_WALKING);
    run();
    assert_int_equal(told.walks, 2);
    set_books(0, BOOKS_AGREE);
    fake_log_event[0] = '\0';
    end_walk(false);
    assert_int_equal(books(0), BOOKS_AGREE);
    expect_nothing_logged(); /* nothing was sent */
}

/* The first campaign's walk has found credits that we do not know; they are being made anew. */
static void recover(void) {
    set_books(0, BOOKS_NOT_COMPARED);
    answer(200, PAGE(FUND(FIRST_ID, "100000", "2000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(metric(&comparison_metric_unknown), 2);
    run();
    comparison.walk.counts.unknown = 2;
    rebuild.state = REBUILD_MAKING;
    comparison.walk.read(comparison.walk.context, 1);
    expect_logged(LOG_WARN, "credits_compared");
    assert_int_equal(books(0), BOOKS_RECOVERING);
    end_walk(true);
    assert_int_equal(told.compared, 0);
}

static void test_unknown_credits(void **state) {
    (void)state;
    recover();
    size_t walks = told.walks;
    answer(200, PAGE(FUND(FIRST_ID, "99000", "2000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    run();
    assert_int_equal(told.walks, walks); /* not while they are being made */
    assert_int_equal(told.adopts, 1);    /* its sums are adopted all the same */
    assert_int_equal(books(0), BOOKS_RECOVERING);
    size_t looks = told.claims_looks;
    rebuild.ended(rebuild.context, 1, REBUILD_WHOLE);
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_true(told.claims_looks == looks + 1 && told.compared == 1);
}

/* Of what can't be made anew the others need not wait, but it is looked at again each time, whatever the counts say; the rest of too many is at once. */
static void test_what_is_left_unknown_is_walked_again(void **state) {
    (void)state;
    recover();
    rebuild.state = REBUILD_IDLE;
    rebuild.ended(rebuild.context, 1, REBUILD_CONFLICTED);
    assert_true(books(0) == BOOKS_RECOVERING && told.compared == 1);
    size_t walks = told.walks;
    run();
    assert_int_equal(told.walks, walks);
    answer(200, BOTH);
    run();
    end_walk(true);
    rebuild.ended(rebuild.context, 1, REBUILD_CUT);
    run();
    assert_int_equal(told.walks, walks + 2);
    comparison.walk.counts.unknown = 0;
    comparison.walk.read(comparison.walk.context, 1);
    assert_int_equal(books(0), BOOKS_AGREE);
}

/* What hides behind claims that were never sent shows at the first look only. */
static void test_the_first_look_looks_behind_claims(void **state) {
    (void)state;
    campaigns[0].redeemed = 2;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = fake_now_us;
    show(0);
    const char *one = PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null");
    answer(200, one);
    run();
    assert_int_equal(told.walks, 0);
    set_books(0, BOOKS_NOT_COMPARED);
    answer(200, one);
    expect_nothing_logged(); /* there may be no difference */
    run();
    assert_int_equal(told.walks, 1);
}

/* What is on its way once more, when Wallet was asked or since, need not be there yet. */
static void test_what_is_sent_again_is_not_missed_twice(void **state) {
    (void)state;
    credit_here(2);
    const char *one = PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null");
    for (unsigned i = 0; i < 2; i++) {
        again[0] = i == 0 ? 1 : 0;
        fake_now_us = next() > fake_now_us ? next() : fake_now_us;
        run();
        if (fake_client.count == 0) {
            fake_now_us = next();
            run();
        }
        again[0] = i == 0 ? 0 : 1;
        fake_answer(0, 200, one);
        assert_int_equal(metric(&comparison_metric_missing), 0);
    }
    again[0] = 0;
    answer(200, one);
    assert_int_equal(metric(&comparison_metric_missing), 1);
}

static void test_funds_of_nobody_are_told_once(void **state) {
    (void)state;
    static const char *const pages[] = {
        PAGE(FUND("x", "5", "5", "open") "," FUND(THIRD_ID, "5", "5", "open") "," FUND(FIRST_ID, "100000", "0",
                                                                                       "open") "," FUND(SECOND_ID, "100000", "0", "open"),
             "null")};
    answer(200, pages[0]);
    expect_logged(LOG_WARN, "fund_without_campaign");
    assert_int_equal(metric(&comparison_metric_strangers), 2);
    answer(200, pages[0]);
    expect_nothing_logged();
    answer(200, BOTH);
    assert_int_equal(metric(&comparison_metric_strangers), 0);
    assert_int_equal(told.adopts, 0);
}

/* A campaign of after the look began is not judged by it. */
static void test_a_new_campaign_waits_for_the_next_look(void **state) {
    (void)state;
    fake_now_us += SECOND_US;
    run();
    fake_now_us = next();
    run();
    reserve(2);
    set_books(2, BOOKS_NOT_COMPARED);
    fake_answer(0, 200,
                PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open") "," FUND(THIRD_ID, "100000", "0",
                                                                                                               "open"),
                     "null"));
    assert_int_equal(books(2), BOOKS_NOT_COMPARED);
    assert_int_equal(told.compared, 0);
    assert_int_equal(metric(&comparison_metric_strangers), 0);
    answer(200,
           PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open") "," FUND(THIRD_ID, "100000", "0", "open"),
                "null"));
    assert_int_equal(books(2), BOOKS_AGREE);
    assert_int_equal(told.compared, 1);
}

static void test_nobody_need_wait_for_it(void **state) {
    (void)state;
    comparison.is_compared = NULL;
    answer(200, BOTH);
    assert_true(comparison.is_first_over);
}

static void test_without_memory_there_is_none(void **state) {
    (void)state;
    struct comparison none = {.rebuild = &rebuild};
    objects_left = 0;
    assert_int_equal(comparison_init(&none).code, RESULT_FULL);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_it_begins_soon_and_looks_less_and_less_often),
        TEST(test_what_waits_for_it_is_looked_at_at_once),
        TEST(test_a_reason_to_look_is_followed_at_once_and_soon_again),
        TEST(test_another_wallet_is_compared_with_anew),
        TEST(test_all_pages_are_one_look),
        TEST(test_a_page_of_no_use_is_a_failure),
        TEST(test_what_is_no_answer_is_a_failure),
        TEST(test_a_wallet_that_has_no_list_holds_nothing_up),
        TEST(test_sums_are_adopted),
        TEST(test_lost_credits_are_walked_after),
        TEST(test_a_walk_that_waits_is_held_once),
        TEST(test_a_walk_that_was_given_up_is_repeated),
        TEST(test_unknown_credits),
        TEST(test_what_is_left_unknown_is_walked_again),
        TEST(test_the_first_look_looks_behind_claims),
        TEST(test_what_is_sent_again_is_not_missed_twice),
        TEST(test_funds_of_nobody_are_told_once),
        TEST(test_a_new_campaign_waits_for_the_next_look),
        TEST(test_nobody_need_wait_for_it),
        TEST(test_without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
