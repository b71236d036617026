/* The engine's part of the audit log: an entry is there with its act or not at all, and the chain goes on where the committed one ends. */
#include "service/audit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/engine.h"
#include "store/open.h"

#include "../base/assertions.h"
#include "../base/fake_log.h"
#include "../base/folder.h"

static const struct migration migrations[] = {
    {.name = "0001_audit.sql",
     .sql = "CREATE TABLE audit (sequence INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, actor TEXT NOT NULL, actor_name TEXT NOT NULL, "
            "address TEXT NOT NULL, request_id TEXT NOT NULL, act TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL, "
            "state_before TEXT NOT NULL, state_after TEXT NOT NULL, hash BLOB NOT NULL) STRICT;"},
};
static const struct schema schema = {.application_id = 7, .name = "toy", .migrations = migrations, .count = 1};

static char folder[64], file[96];
static struct batch_commits commits;
static struct batch *batch;
static struct engine *engine;
static struct store_engine store;

/* ---- a set of nothing, and an act ---- */

static void forget(void *set) { (void)set; }
static struct result save(void *set, struct batch *saved, int64_t now_us) {
    (void)set, (void)saved, (void)now_us;
    return result_ok();
}
static const struct working_set_hooks hooks = {.forget = forget, .save = save};

static void decide(struct engine *of, struct operation *operation, int64_t now_us) {
    audit_note(of, operation, "toy.break", (struct id){{9}}, TEXT("{\"whole\":true}"), TEXT("{\"whole\":false}"), now_us);
}
static const struct action action = {.name = "break", .weight = 1, .decide = decide};

static void begin_batch(size_t acts, int64_t now_us) {
    static struct operation all[4];
    struct store_operation *operations[4];
    for (size_t i = 0; i < acts; i++) {
        all[i] = (struct operation){.action = &action};
        operations[i] = &all[i].store;
    }
    assert_ok(store.begin(engine));
    assert_ok(store.load(engine, operations, acts));
    store.decide(engine, operations, acts, now_us);
    assert_ok(store.save(engine));
}

static void commit_batch(size_t acts, int64_t now_us) {
    struct result reason;
    begin_batch(acts, now_us);
    expect_nothing_logged();
    assert_int_equal(store.commit(engine, &reason), COMMITTED);
    store.publish(engine);
}

static void expect_entries(int64_t count) {
    struct audit_report report;
    assert_ok(audit_verify(batch, &table_audit, &report));
    assert_int_equal(report.broken, 0);
    assert_int_equal(report.entries, count);
}

static void open_engine(const struct audit_questions *audit) {
    const struct engine_options options = {.hooks = &hooks, .audit = audit, .clock = &clock_system, .batch = batch};
    assert_ok(engine_create(&options, &engine));
    engine_bind(engine, &store);
}

static int set_up(void **state) {
    (void)state;
    folder_create(folder, "audit-test");
    snprintf(file, sizeof file, "%s/toy.db", folder);
    const struct place place = {.file = file, .schema = &schema, .commits = &commits};
    assert_ok(batch_open(&place, BATCH_CREATE, &batch));
    expect_logged(LOG_INFO, "migrated");
    open_engine(&table_audit);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    engine_free(engine);
    batch_close(batch);
    assert_true(folder_remove(folder));
    return 0;
}

/* ---- tests ---- */

static void test_each_act_of_a_batch_is_an_entry_of_the_chain(void **state) {
    (void)state;
    commit_batch(2, 1000);
    expect_logged(LOG_INFO, "audit");
    commit_batch(0, 1001);
    expect_nothing_logged();
    commit_batch(1, 1002);
    expect_logged(LOG_INFO, "audit");
    expect_entries(3);
}

static void test_what_was_rolled_back_has_left_nothing(void **state) {
    (void)state;
    commit_batch(1, 1000);
    expect_logged(LOG_INFO, "audit");
    begin_batch(2, 1001);
    store.rollback(engine);
    expect_nothing_logged();
    expect_entries(1);
    commit_batch(1, 1002);
    expect_logged(LOG_INFO, "audit");
    expect_entries(2);
}

static void test_the_chain_goes_on_in_another_process(void **state) {
    (void)state;
    commit_batch(1, 1000);
    expect_logged(LOG_INFO, "audit");
    engine_free(engine);
    open_engine(&table_audit);
    commit_batch(1, 500); /* its clock was set back: an entry is no older than the one before */
    expect_logged(LOG_INFO, "audit");
    expect_entries(2);
}

static void test_where_nothing_is_kept_nothing_is_noted(void **state) {
    (void)state;
    engine_free(engine);
    open_engine(NULL);
    commit_batch(1, 1000);
    expect_nothing_logged();
    expect_entries(0);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_act_of_a_batch_is_an_entry_of_the_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_rolled_back_has_left_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_chain_goes_on_in_another_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_where_nothing_is_kept_nothing_is_noted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
