#include "fixture.h"

#include "base/json/json.h"

static void test_the_document_has_every_member(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    assert_true(fixture_read(&fixture, "GET", "/", "X-Request-Id: abc\n"));
    reply_header(&fixture.exchange, "X-Other", TEXT("1"));
    problem_reply_members(&fixture.exchange, &problem_rate_limited, TEXT("\"limit\":5"), "only %d", 5);
    assert_problem(&fixture.exchange, 429, "rate_limited");
    assert_text(fixture.exchange.reply_body,
                "{\"type\":\"/problems/rate_limited\",\"title\":\"Too many requests\",\"status\":429,\"detail\":\"only 5\","
                "\"code\":\"rate_limited\",\"request_id\":\"abc\",\"limit\":5}");
    assert_text(reply_header_named(&fixture.exchange, "Retry-After"), "1");
    fixture_clear(&fixture);
}

static void test_retry_after_of_the_handler_stays(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    reply_header(&fixture.exchange, "Retry-After", TEXT("30"));
    problem_reply(&fixture.exchange, &problem_overloaded, NULL);
    assert_int_equal(fixture.exchange.reply_header_count, 1);
    assert_text(reply_header_named(&fixture.exchange, "Retry-After"), "30");
    fixture_clear(&fixture);
}

static void test_every_fault_is_listed(void **state) {
    (void)state;
    struct fixture fixture;
    struct faults faults;
    fixture_init(&fixture, NULL);
    faults_init(&faults, &fixture.exchange.arena);
    for (int i = 0; i < 40; i++) faults_add(&faults, i == 0 ? "a\"b" : "x", "required", "due");
    problem_reply_faults(&fixture.exchange, &problem_validation_failed, &faults);
    assert_problem(&fixture.exchange, 422, "validation_failed");
    assert_true(body_contains(&fixture.exchange, "{\"field\":\"a\\\"b\",\"code\":\"required\",\"detail\":\"due\"}"));
    assert_true(body_contains(&fixture.exchange, "\"errors_omitted\":8"));
    struct json_document *document = NULL;
    struct faults in_document;
    faults_init(&in_document, &fixture.exchange.arena);
    assert_int_equal(json_open(&fixture.exchange.arena, fixture.exchange.reply_body, &in_document, &document).code, RESULT_OK);
    json_close(document);
    fixture_clear(&fixture);
}

static void challenge_of(const struct problem *problem, const char *expected) {
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    problem_reply(&fixture.exchange, problem, NULL);
    assert_int_equal(fixture.exchange.status, 401);
    assert_text(reply_header_named(&fixture.exchange, "WWW-Authenticate"), expected);
    fixture_clear(&fixture);
}

static void test_401_carries_a_challenge(void **state) {
    (void)state;
    challenge_of(&problem_token_missing, "Bearer realm=\"toy\"");
    challenge_of(&problem_token_expired,
                 "Bearer realm=\"toy\", error=\"invalid_token\", error_description=\"The access token has expired\"");
}

static void test_without_a_detail_it_says_what_its_page_says(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    fixture.service.public_url = "https://a.example/b";
    problem_reply(&fixture.exchange, &problem_shutting_down, NULL);
    assert_true(body_contains(&fixture.exchange, "\"type\":\"https://a.example/b/problems/shutting_down\""));
    assert_true(body_contains(&fixture.exchange, problem_find_page(problem_pages, TEXT("shutting_down"))->happened));
    fixture_clear(&fixture);
}

static void test_the_pages_say_more_than_the_titles(void **state) {
    (void)state;
    for (const struct problem_page *page = problem_pages; page->problem != NULL; page++) {
        struct text title = text_of(page->problem->title);
        assert_false(
            text_equal_ignoring_case((struct text){page->happened, strlen(page->happened) - 1}, title)); /* but for the full stop */
        assert_string_not_equal(page->happened, page->action);
        assert_ptr_equal(problem_find_page(problem_pages, text_of(page->problem->code)), page);
    }
    assert_null(problem_find_page(problem_pages, TEXT("sold_out")));
}

static void test_malformed_says_where(void **state) {
    (void)state;
    static const struct {
        size_t offset;
        const char *piece;
    } cases[] = {{1, "at byte 1 (the first is 0)"}, {2, "ends at byte 2, and more is due"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fixture fixture;
        fixture_init(&fixture, NULL);
        fixture.exchange.body = TEXT("{x");
        problem_reply_malformed(&fixture.exchange, cases[i].offset);
        assert_problem(&fixture.exchange, 400, "malformed_json");
        assert_true(body_contains(&fixture.exchange, cases[i].piece));
        fixture_clear(&fixture);
    }
}

static void test_a_full_arena_still_answers(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    fixture.service.public_url = "https://a.example";
    fixture.exchange.arena.limit_bytes = 0;
    problem_reply(&fixture.exchange, &problem_token_missing, "a detail");
    assert_problem(&fixture.exchange, 503, "overloaded");
    assert_true(body_contains(&fixture.exchange, "\"type\":\"https://a.example/problems/overloaded\""));
    fixture_clear(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_document_has_every_member),
        cmocka_unit_test(test_retry_after_of_the_handler_stays),
        cmocka_unit_test(test_every_fault_is_listed),
        cmocka_unit_test(test_401_carries_a_challenge),
        cmocka_unit_test(test_a_full_arena_still_answers),
        cmocka_unit_test(test_without_a_detail_it_says_what_its_page_says),
        cmocka_unit_test(test_the_pages_say_more_than_the_titles),
        cmocka_unit_test(test_malformed_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
