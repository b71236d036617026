#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "crowd/crowd.h"

#define BATCH  "019a9c00-0000-7000-8000-00000000000b"
#define PLACE  "019a9c00-0000-7000-8000-000000000001"
#define WINNER "019a9c00-0000-7000-8000-0000000000aa"
#define OTHER  "019a9c00-0000-7000-8000-000000000002"

static bool is_as_told(bool has_place, const char *batch, const char *state, const char *uses, const char *redemptions) {
    static struct crowd crowd = {.batch_id = BATCH};
    struct user user = {.crowd = &crowd, .redemption_id = ""};
    assert_true(result_is_ok(id_parse(TEXT(WINNER), &user.id)));
    if (has_place) memcpy(user.redemption_id, PLACE, sizeof PLACE);
    char known[1024];
    snprintf(known, sizeof known, "{\"batch\":%s,\"state\":\"%s\",\"uses\":%s,\"redemptions\":[%s]}", batch, state, uses, redemptions);
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    arena_init(&arena, 65536);
    faults_init(&faults, &arena);
    assert_true(result_is_ok(json_open(&arena, text_of(known), &faults, &document)));
    bool is_right = code_is_as_told(&user, json_root(document));
    json_close(document);
    arena_release(&arena);
    return is_right;
}

#define BY(id, user) "{\"id\":\"" id "\",\"user_id\":\"" user "\"}"
#define OURS         "\"" BATCH "\""

static void test_a_winners_code_was_used_once_by_the_winner(void **state) {
    (void)state;
    assert_true(is_as_told(true, OURS, "used", "1", BY(PLACE, WINNER)));
    assert_false(is_as_told(true, OURS, "used", "1", BY(OTHER, WINNER)));
    assert_false(is_as_told(true, OURS, "used", "1", BY(PLACE, OTHER)));
    assert_false(is_as_told(true, OURS, "active", "1", BY(PLACE, WINNER)));
    assert_false(is_as_told(true, OURS, "used", "2", BY(PLACE, WINNER)));
    assert_false(is_as_told(true, OURS, "used", "2", BY(PLACE, WINNER) "," BY(OTHER, WINNER)));
    assert_false(is_as_told(true, OURS, "active", "0", ""));
    assert_false(is_as_told(true, "null", "used", "1", BY(PLACE, WINNER)));
}

static void test_any_others_code_can_still_be_used(void **state) {
    (void)state;
    assert_true(is_as_told(false, OURS, "active", "0", ""));
    assert_false(is_as_told(false, OURS, "used", "0", ""));
    assert_false(is_as_told(false, OURS, "active", "1", ""));
    assert_false(is_as_told(false, OURS, "used", "1", BY(PLACE, WINNER)));
    assert_false(is_as_told(false, "\"" OTHER "\"", "active", "0", ""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_winners_code_was_used_once_by_the_winner),
        cmocka_unit_test(test_any_others_code_can_still_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
