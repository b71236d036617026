#include "../base/assertions.h"

#include "base/clock.h"
#include "service/readiness.h"

static struct result no(void *self) {
    (void)self;
    return result_ok();
}
static struct result load(void *self, struct store_operation *const *operations, size_t count) {
    (void)self, (void)operations, (void)count;
    return result_ok();
}
static void decide(void *self, struct store_operation *const *operations, size_t count, int64_t now_us) {
    (void)self, (void)operations, (void)count, (void)now_us;
}
static enum commit_end commit(void *self, struct result *ret_reason) {
    (void)self, (void)ret_reason;
    return COMMITTED;
}
static void nothing(void *self) { (void)self; }

static void expect(const struct readiness *readiness, const char *parts) {
    const struct store_engine engine = {
        .begin = no, .load = load, .decide = decide, .save = no, .commit = commit, .rollback = nothing, .publish = nothing};
    const struct store_options options = {.name = "readiness", .clock = &clock_system};
    struct store *store;
    struct arena arena;
    struct buffer buffer;
    assert_ok(store_create(&engine, &options, &store));
    arena_init(&arena, 4096);
    buffer_init(&buffer, &arena, 64);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    readiness_write(readiness, store, &writer);
    json_end_object(&writer);
    assert_text(buffer_text(&buffer), parts);
    arena_release(&arena);
    store_free(store);
}

static void what_nobody_spoke_of_is_not_named(void **state) {
    (void)state;
    struct readiness readiness = {.states = {NULL}};
    expect(&readiness, "{\"store\":\"ok\"}");
    assert_true(readiness_say(&readiness, CONCERN_AUDIT, "ok"));
    assert_false(readiness_say(&readiness, CONCERN_AUDIT, "ok"));
    expect(&readiness, "{\"store\":\"ok\",\"audit\":\"ok\"}");
}

static void of_one_part_the_worst_is_shown(void **state) {
    (void)state;
    struct readiness readiness = {.states = {NULL}};
    (void)readiness_say(&readiness, CONCERN_WALLET_REACH, "ok");
    (void)readiness_say(&readiness, CONCERN_WALLET_INSTANCE, "another instance");
    expect(&readiness, "{\"store\":\"ok\",\"wallet\":\"another instance\"}");
    (void)readiness_say(&readiness, CONCERN_WALLET_REACH, "unreachable");
    expect(&readiness, "{\"store\":\"ok\",\"wallet\":\"another instance\"}");
    assert_true(readiness_say(&readiness, CONCERN_WALLET_INSTANCE, "ok"));
    expect(&readiness, "{\"store\":\"ok\",\"wallet\":\"unreachable\"}");
    (void)readiness_say(&readiness, CONCERN_KEYS, "stale");
    expect(&readiness, "{\"store\":\"ok\",\"keys\":\"stale\",\"wallet\":\"unreachable\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_spoke_of_is_not_named),
        cmocka_unit_test(of_one_part_the_worst_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
