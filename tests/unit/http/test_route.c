#include "http/route.h"

#include "fixture.h"

#include "base/limits.h"

static void reply_path(struct exchange *exchange) {
    reply_json(exchange, 200, text_of(exchange->route->path));
    exchange_finish(exchange);
}

static const struct route table[] = {
    {.method = "GET", .path = "/v1/things", .scope = SCOPE_PUBLIC, .flags = ROUTE_CSV | ROUTE_QUERY, .handle = reply_path},
    {.method = "POST",
     .path = "/v1/things",
     .scope = SCOPE_USER,
     .flags = ROUTE_BODY_JSON | ROUTE_BODY_CSV | ROUTE_IDEMPOTENT,
     .handle = reply_path},
    {.method = "GET", .path = "/v1/things/{id}", .scope = SCOPE_USER, .handle = reply_path},
    {.method = "GET", .path = "/v1/things/own", .scope = SCOPE_PUBLIC, .handle = reply_path},
    {.method = "POST", .path = "/v1/things/own", .scope = SCOPE_PUBLIC, .flags = ROUTE_IDEMPOTENT | ROUTE_DRY_RUN, .handle = reply_path},
    {.method = "DELETE", .path = "/v1/things/{id}/parts/{part}", .scope = SCOPE_PUBLIC, .handle = reply_path},
    {.method = "PUT",
     .path = "/v1/things/own/name",
     .scope = SCOPE_PUBLIC,
     .flags = ROUTE_BODY_JSON | ROUTE_BODY_OPTIONAL,
     .body_limit_bytes = 10,
     .handle = reply_path},
    {.method = "GET",
     .path = "/docs/{rest*}",
     .scope = SCOPE_PUBLIC,
     .flags = ROUTE_QUERY_IGNORED,
     .produces = "*/*",
     .handle = reply_path},
    {.method = "GET", .path = "/docs/", .scope = SCOPE_PUBLIC, .produces = "text/html", .handle = reply_path},
    {.method = "GET", .path = "/", .scope = SCOPE_PUBLIC, .handle = reply_path},
};

static struct router *router;
static enum route_admission verdict;

static enum route_admission authorize(struct exchange *exchange) {
    if (verdict == ROUTE_REFUSED) problem_reply(exchange, &problem_forbidden, NULL);
    return verdict;
}

static int make_router(void **state) {
    (void)state;
    return router_create(table, ARRAY_COUNT(table), &router).code == RESULT_OK ? 0 : -1;
}

static int drop_router(void **state) {
    (void)state;
    router_free(router);
    return 0;
}

static void prepare(struct fixture *fixture, const char *method, const char *target, const char *fields) {
    fixture_init(fixture, router);
    fixture->service.authorize = authorize;
    assert_true(fixture_read(fixture, method, target, fields));
}

static void matches(const char *method, const char *target, const char *path, const char *first, const char *second) {
    struct fixture fixture;
    struct text allow;
    prepare(&fixture, method, target, "");
    assert_int_equal(router_match(router, &fixture.exchange, &allow), ROUTE_FOUND);
    assert_string_equal(fixture.exchange.route->path, path);
    if (first != NULL) assert_text(fixture.exchange.parameters[0], first);
    if (second != NULL) assert_text(fixture.exchange.parameters[1], second);
    fixture_clear(&fixture);
}

static void test_paths_find_their_routes(void **state) {
    (void)state;
    matches("GET", "/v1/things", "/v1/things", NULL, NULL);
    matches("HEAD", "/v1/things?x=1", "/v1/things", NULL, NULL);
    matches("GET", "/v1/%74hings", "/v1/things", NULL, NULL);
    matches("GET", "/v1/things/7", "/v1/things/{id}", "7", NULL);
    matches("GET", "/v1/things/a%2Fb", "/v1/things/{id}", "a/b", NULL);
    matches("GET", "/v1/things/own", "/v1/things/own", NULL, NULL);
    matches("DELETE", "/v1/things/7/parts/8", "/v1/things/{id}/parts/{part}", "7", "8");
    matches("DELETE", "/v1/things/own/parts/8", "/v1/things/{id}/parts/{part}", "own", "8"); /* the literal leads nowhere: back */
    matches("PUT", "/v1/things/own/name", "/v1/things/own/name", NULL, NULL);
    matches("GET", "/docs/", "/docs/", NULL, NULL);
    matches("GET", "/docs/a/b.css", "/docs/{rest*}", "a/b.css", NULL);
    matches("GET", "/", "/", NULL, NULL);
    matches("GET", "http://host", "/", NULL, NULL);
}

static void unknown(const char *target) {
    struct fixture fixture;
    prepare(&fixture, "GET", target, "");
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_REFUSED);
    assert_problem(&fixture.exchange, 404, "route_not_found");
    fixture_clear(&fixture);
}

static void test_other_paths_are_unknown(void **state) {
    (void)state;
    unknown("/v1");
    unknown("/v1/");
    unknown("/v1/things/");
    unknown("/v1//things");
    unknown("/v1/things/7/parts");
    unknown("/V1/things");
    unknown("/docs");
    unknown("*");
    unknown("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t");
}

static void refused_table(const struct route *routes, size_t count) {
    struct router *never = NULL;
    assert_int_equal(router_create(routes, count, &never).code, RESULT_INVALID);
}

static void test_a_faulty_table_does_not_start(void **state) {
    (void)state;
    struct route one = {.method = "GET", .path = "/a", .scope = SCOPE_PUBLIC, .handle = reply_path};
    struct route two[2] = {one, one};
    refused_table(two, 2);
    two[0].path = "/{a}";
    two[1].path = "/{b}";
    refused_table(two, 2);
    one.scope = SCOPE_NONE;
    refused_table(&one, 1);
    one.scope = (enum scope)(SCOPE_USER | SCOPE_ADMIN);
    refused_table(&one, 1);
    one.scope = SCOPE_USER;
    one.path = "a";
    refused_table(&one, 1);
    one.path = "/{a}/{b}/{c}";
    refused_table(&one, 1);
    one.path = "/{rest*}/x";
    refused_table(&one, 1);
    one.path = "/x{y}";
    refused_table(&one, 1);
    one.path = "/a";
    one.method = "BREW";
    refused_table(&one, 1);
    one.method = "GET";
    one.handle = NULL;
    refused_table(&one, 1);
}

/* Deny by default would be worth little if an act could say that its query doesn't matter. */
static void test_what_a_table_may_say_of_a_query(void **state) {
    (void)state;
    const struct route good = {.method = "GET", .path = "/a", .scope = SCOPE_PUBLIC, .flags = ROUTE_QUERY_IGNORED, .handle = reply_path};
    struct router *made = NULL;
    assert_int_equal(router_create(&good, 1, &made).code, RESULT_OK);
    router_free(made);
    struct route one = good;
    one.scope = SCOPE_USER;
    refused_table(&one, 1);
    one = good;
    one.method = "POST";
    refused_table(&one, 1);
    const unsigned both[] = {ROUTE_QUERY | ROUTE_QUERY_IGNORED, ROUTE_QUERY | ROUTE_DRY_RUN, ROUTE_QUERY_IGNORED | ROUTE_DRY_RUN};
    for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
        one = good;
        one.flags = both[i];
        refused_table(&one, 1);
    }
}

static void admitted(const char *method, const char *target, const char *fields) {
    struct fixture fixture;
    prepare(&fixture, method, target, fields);
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_ADMITTED);
    assert_int_equal(fixture.exchange.status, 0);
    fixture_clear(&fixture);
}

static void refused(const char *method, const char *target, const char *fields, int status) {
    struct fixture fixture;
    prepare(&fixture, method, target, fields);
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_REFUSED);
    assert_int_equal(fixture.exchange.status, status);
    fixture_clear(&fixture);
}

/* Each line breaks one rule more than the next, so that the earlier check must be the one that speaks. */
static void test_checks_come_in_their_order(void **state) {
    (void)state;
    const char *all_wrong = "Content-Type: text/plain\nAccept: text/html\nContent-Length: 9999999\n";
    verdict = ROUTE_REFUSED;
    refused("POST", "/nothing", all_wrong, 404);
    refused("PATCH", "/v1/things", all_wrong, 405);
    refused("POST", "/v1/things", all_wrong, 403);
    verdict = ROUTE_ADMITTED;
    refused("POST", "/v1/things", all_wrong, 415);
    refused("POST", "/v1/things", "Content-Type: application/json\nAccept: text/html\nContent-Length: 9999999\n", 406);
    refused("POST", "/v1/things", "Content-Type: application/json\nContent-Length: 65537\n", 413);
    admitted("POST", "/v1/things", "Content-Type: application/json\nContent-Length: 65536\n");
    admitted("POST", "/v1/things", "Content-Type: application/json\nTransfer-Encoding: chunked\n");
    refused("POST", "/v1/things", "Transfer-Encoding: chunked\n", 415);
    refused("POST", "/v1/things", "Content-Type: text/plain\n", 415);
    refused("PUT", "/v1/things/own/name", "Content-Type: application/json\nContent-Length: 11\n", 413);
    admitted("PUT", "/v1/things/own/name", "");
    refused("GET", "/v1/things", "Content-Length: 1\n", 413);
    refused("DELETE", "/v1/things/7/parts/8", "Content-Length: 2\n", 415);
    refused("DELETE", "/v1/things/7/parts/8", "Content-Type: application/json\nContent-Length: 65537\n", 413);
    admitted("DELETE", "/v1/things/7/parts/8", "Content-Type: application/json\nContent-Length: 65536\n");
    admitted("DELETE", "/v1/things/7/parts/8", "Content-Type: text/plain\n");
    verdict = ROUTE_PENDING;
    admitted("GET", "/v1/things", ""); /* public: nobody is asked */
    verdict = ROUTE_ADMITTED;
}

static void test_accept(void **state) {
    (void)state;
    verdict = ROUTE_ADMITTED;
    admitted("GET", "/v1/things", "Accept: text/csv\n");
    admitted("GET", "/v1/things/7", "Accept: application/problem+json\n");
    admitted("GET", "/v1/things/7", "Accept: text/html, application/*;q=0.1\n");
    refused("GET", "/v1/things/7", "Accept: text/csv\n", 406);
    refused("GET", "/v1/things/7", "Accept: application/json;q=0, text/html\n", 406);
    admitted("GET", "/docs/a.css", "Accept: text/css\n");
    refused("GET", "/docs/", "Accept: text/css\n", 406);
}

static void test_405_and_options_name_the_methods(void **state) {
    (void)state;
    struct fixture fixture;
    prepare(&fixture, "PATCH", "/v1/things", "");
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_REFUSED);
    assert_problem(&fixture.exchange, 405, "method_not_allowed");
    assert_text(reply_header_named(&fixture.exchange, "Allow"), "GET, HEAD, POST");
    fixture_clear(&fixture);
    prepare(&fixture, "OPTIONS", "/v1/things/7", "Origin: https://a.test\n");
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_REFUSED);
    assert_int_equal(fixture.exchange.status, 204);
    assert_text(reply_header_named(&fixture.exchange, "Allow"), "GET, HEAD");
    assert_null(reply_header_named(&fixture.exchange, "Access-Control-Allow-Methods").data);
    fixture_clear(&fixture);
}

static void test_cors_is_for_the_configured_only(void **state) {
    (void)state;
    struct fixture fixture;
    prepare(&fixture, "OPTIONS", "/v1/things", "Origin: https://b.test\n");
    assert_false(route_allows_origin(&fixture.exchange));
    fixture.service.allowed_origins = "https://a.test, https://b.test";
    assert_true(route_allows_origin(&fixture.exchange));
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_REFUSED);
    assert_text(reply_header_named(&fixture.exchange, "Access-Control-Allow-Methods"), "GET, HEAD, POST");
    fixture.service.allowed_origins = "https://b.test.evil,https://b.tes";
    assert_false(route_allows_origin(&fixture.exchange));
    fixture_clear(&fixture);
}

static void dispatched(const char *target, const char *fields, const char *body, int status) {
    struct fixture fixture;
    verdict = ROUTE_ADMITTED;
    prepare(&fixture, "POST", target, fields);
    fixture.exchange.body = text_of(body);
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_ADMITTED);
    route_dispatch(&fixture.exchange);
    assert_int_equal(fixture.delivered, 1);
    assert_int_equal(fixture.exchange.state, EXCHANGE_FINISHED);
    assert_int_equal(fixture.exchange.status, status);
    fixture_clear(&fixture);
}

static void test_dispatch_judges_body_and_key(void **state) {
    (void)state;
    char long_key[300] = "Idempotency-Key: ";
    dispatched("/v1/things", "", "{}", 200);
    dispatched("/v1/things", "", "", 400);
    dispatched("/v1/things", "Content-Type: application/json\n", "", 400);
    dispatched("/v1/things", "Content-Type: text/csv\n", "a", 200);
    dispatched("/v1/things", "Content-Type: text/csv\n", "", 422);
    dispatched("/v1/things/own", "", "", 200);
    dispatched("/v1/things/own", "Content-Type: application/json\n", "{}", 200);
    dispatched("/v1/things/own", "Content-Type: application/json\n", "{\"a\":1}", 422);
    dispatched("/v1/things/own", "Content-Type: application/json\n", "[]", 422);
    dispatched("/v1/things/own", "Content-Type: application/json\n", "{", 400);
    dispatched("/v1/things/own", "", "{}", 415);
    dispatched("/v1/things/own", "Idempotency-Key: a b\n", "", 200);
    dispatched("/v1/things/own", "Idempotency-Key:\n", "", 422);
    dispatched("/v1/things/own", "Idempotency-Key: \xc3\xa9\n", "", 422);
    memset(long_key + 17, 'k', 255);
    dispatched("/v1/things/own", long_key, "", 200);
    long_key[17 + 255] = 'k';
    dispatched("/v1/things/own", long_key, "", 422);
}

/* `fault` is the field and the code of the one that the answer names; NULL: the handler was called. */
static void queried(const char *method, const char *target, const char *body, const char *fault) {
    struct fixture fixture;
    verdict = ROUTE_ADMITTED;
    prepare(&fixture, method, target, body[0] == '\0' ? "" : "Content-Type: application/json\n");
    fixture.exchange.body = text_of(body);
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_ADMITTED);
    route_dispatch(&fixture.exchange);
    assert_int_equal(fixture.delivered, 1);
    assert_int_equal(fixture.exchange.state, EXCHANGE_FINISHED);
    if (fault == NULL) {
        assert_int_equal(fixture.exchange.status, 200);
    } else {
        assert_problem(&fixture.exchange, 422, "validation_failed");
        assert_true(body_contains(&fixture.exchange, fault));
        assert_false(body_contains(&fixture.exchange, "},{")); /* no other fault */
    }
    fixture_clear(&fixture);
}

#define FAULT(field, code) "\"field\":\"" field "\",\"code\":\"" code "\""

static void test_what_nobody_reads_of_a_query_is_refused(void **state) {
    (void)state;
    queried("GET", "/", "", NULL);
    queried("GET", "/?", "", NULL);
    queried("GET", "/?&", "", NULL);
    queried("GET", "/?a", "", FAULT("a", "unknown_field"));
    queried("HEAD", "/?a", "", FAULT("a", "unknown_field"));
    queried("GET", "/v1/things/7?limit=1", "", FAULT("limit", "unknown_field"));
    queried("POST", "/v1/things?dry_run=true", "{}", FAULT("dry_run", "unknown_field"));
    queried("POST", "/v1/things?dryrun=true", "{\"a\":", FAULT("dryrun", "unknown_field")); /* before the body */
    queried("PUT", "/v1/things/own/name?a=1", "", FAULT("a", "unknown_field"));
    queried("DELETE", "/v1/things/7/parts/8?a=1", "", FAULT("a", "unknown_field"));
    queried("GET", "/v1/things?dryrun=true&limit=1", "", NULL); /* the handler's own matter */
    queried("GET", "/docs/a.css?v=3", "", NULL);
    queried("GET", "/docs/?v=3", "", FAULT("v", "unknown_field"));
}

static void test_a_dry_run_says_true_or_false_once(void **state) {
    (void)state;
    queried("POST", "/v1/things/own?dry_run=true", "", NULL);
    queried("POST", "/v1/things/own?dry_run=false", "{}", NULL);
    queried("POST", "/v1/things/own?dryrun=true", "", FAULT("dryrun", "unknown_field"));
    queried("POST", "/v1/things/own?dry_run=true&more", "", FAULT("more", "unknown_field"));
    queried("POST", "/v1/things/own?dry_run=", "", FAULT("dry_run", "invalid_choice"));
    queried("POST", "/v1/things/own?dry_run=TRUE", "", FAULT("dry_run", "invalid_choice"));
    queried("POST", "/v1/things/own?dry_run=true&dry_run=false", "", FAULT("dry_run", "duplicate_field"));
}

/* With a JSON body the handler's own reading asks for them. */
static void test_faults_of_headers_are_added(void **state) {
    (void)state;
    struct fixture fixture;
    struct faults faults;
    prepare(&fixture, "POST", "/v1/things", "Idempotency-Key:\n");
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_ADMITTED);
    faults_init(&faults, &fixture.exchange.arena);
    faults_add(&faults, "a", "required", "must be there");
    route_check_headers(&fixture.exchange, &faults);
    assert_int_equal(faults.count, 2);
    assert_string_equal(faults.items[1].field, "Idempotency-Key");
    fixture_clear(&fixture);
}

static void test_pending_admission_is_asked_again(void **state) {
    (void)state;
    struct fixture fixture;
    verdict = ROUTE_PENDING;
    prepare(&fixture, "GET", "/v1/things/7", "");
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_PENDING);
    exchange_continue(&fixture.exchange, route_admit_again);
    assert_int_equal(fixture.delivered, 1);
    exchange_resume(&fixture.exchange); /* still no keys */
    assert_int_equal(fixture.delivered, 1);
    verdict = ROUTE_ADMITTED;
    route_admit_again(&fixture.exchange);
    assert_int_equal(fixture.delivered, 2);
    assert_int_equal(fixture.exchange.state, EXCHANGE_BODY);
    assert_text(fixture.exchange.parameters[0], "7");
    fixture_clear(&fixture);
}

/* Who may not ask is told that, and who waits for a key is not let off. */
static void test_a_query_is_judged_once_access_is_given(void **state) {
    (void)state;
    struct fixture fixture;
    verdict = ROUTE_REFUSED;
    refused("GET", "/v1/things/7?a=1", "", 403);
    verdict = ROUTE_PENDING;
    prepare(&fixture, "GET", "/v1/things/7?a=1", "");
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_PENDING);
    verdict = ROUTE_ADMITTED;
    route_admit_again(&fixture.exchange);
    fixture.exchange.body = TEXT("");
    route_dispatch(&fixture.exchange);
    assert_problem(&fixture.exchange, 422, "validation_failed");
    assert_true(body_contains(&fixture.exchange, FAULT("a", "unknown_field")));
    fixture_clear(&fixture);
}

static void wants(const char *field, bool csv) {
    struct fixture fixture;
    prepare(&fixture, "GET", "/v1/things", field);
    assert_int_equal(route_admit(&fixture.exchange), ROUTE_ADMITTED);
    assert_int_equal(route_wants_csv(&fixture.exchange), csv);
    fixture_clear(&fixture);
}

static void test_csv_when_preferred(void **state) {
    (void)state;
    wants("", false);
    wants("Accept: */*\n", false);
    wants("Accept: text/csv\n", true);
    wants("Accept: text/csv, application/json\n", false);
    wants("Accept: text/csv, application/json;q=0.9\n", true);
    wants("Accept: text/csv, */*;q=0.1\n", true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_find_their_routes),
        cmocka_unit_test(test_other_paths_are_unknown),
        cmocka_unit_test(test_a_faulty_table_does_not_start),
        cmocka_unit_test(test_what_a_table_may_say_of_a_query),
        cmocka_unit_test(test_checks_come_in_their_order),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_405_and_options_name_the_methods),
        cmocka_unit_test(test_cors_is_for_the_configured_only),
        cmocka_unit_test(test_dispatch_judges_body_and_key),
        cmocka_unit_test(test_what_nobody_reads_of_a_query_is_refused),
        cmocka_unit_test(test_a_dry_run_says_true_or_false_once),
        cmocka_unit_test(test_faults_of_headers_are_added),
        cmocka_unit_test(test_pending_admission_is_asked_again),
        cmocka_unit_test(test_a_query_is_judged_once_access_is_given),
        cmocka_unit_test(test_csv_when_preferred),
    };
    return cmocka_run_group_tests(tests, make_router, drop_router);
}
