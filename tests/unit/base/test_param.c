/* Parameters: where a value comes from, what is refused, and what help and docs say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/param.h"

static struct {
    struct param_address listen;
    int64_t settle_wait_ms;
    const char *data;
    const char *cost;
    struct param_list trust;
    bool admin;
    const char *note;
} settings;

static const struct param params[] = {
    {.name = "listen", .kind = PARAM_ADDRESS, .target = &settings.listen, .default_text = "127.0.0.1:8080", .sentence = "Where to listen."},
    {.name = "settle-wait",
     .kind = PARAM_INTEGER,
     .target = &settings.settle_wait_ms,
     .default_text = "2000",
     .min = -5,
     .max = 60000,
     .unit = "ms",
     .sentence = "How long a claim waits."},
    {.name = "data", .kind = PARAM_TEXT, .target = &settings.data, .sentence = "The folder."},
    {.name = "password-cost",
     .kind = PARAM_CHOICE,
     .target = &settings.cost,
     .default_text = "standard",
     .choices = "standard|low",
     .sentence = "How costly."},
    {.name = "trust-service", .kind = PARAM_LIST, .target = &settings.trust, .optional = true, .sentence = "Who may call."},
    {.name = "admin", .kind = PARAM_FLAG, .target = &settings.admin, .sentence = "An administrator."},
    {.name = "note", .kind = PARAM_TEXT, .target = &settings.note, .optional = true, .sentence = "Any | text."},
};

static const struct param other_params[] = {{.name = "loops", .kind = PARAM_INTEGER, .min = 1, .max = 9, .sentence = "How many."}};
static const struct param_table others[] = {{params, ARRAY_COUNT(params)}, {other_params, ARRAY_COUNT(other_params)}, {0}};

static char messages[4096];
static const char *positional[2];
static size_t positional_count;

static struct result parse(const char *const *arguments) {
    char *argv[40] = {(char *)(uintptr_t) "walletd"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++) argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    memset(&settings, 0, sizeof(settings));
    memset(messages, 0, sizeof(messages));
    FILE *errors = fmemopen(messages, sizeof(messages) - 1, "w");
    assert_non_null(errors);
    struct result result =
        param_parse("walletd", params, ARRAY_COUNT(params), others, argc, argv, positional, 2, &positional_count, errors);
    fclose(errors);
    return result;
}

#define PARSE(...)         parse((const char *const[]){__VA_ARGS__, NULL})
#define ASSERT_PARSED(...) assert_true(result_is_ok(PARSE(__VA_ARGS__)))

static void assert_refused(struct result result, const char *expected_messages) {
    assert_int_equal(result.code, RESULT_INVALID);
    assert_string_equal(messages, expected_messages);
}

static int clear_environment(void **state) {
    (void)state;
    return unsetenv("WALLETD_LISTEN") | unsetenv("WALLETD_SETTLE_WAIT") | unsetenv("WALLETD_TRUST_SERVICE") | unsetenv("WALLETD_ADMIN") |
           unsetenv("WALLETD_CONFIG");
}

static char config_path[] = "/tmp/test_param_XXXXXX";

static void write_config(const void *content, size_t size) {
    FILE *file = fopen(config_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int make_config(void **state) {
    (void)state;
    memcpy(config_path + sizeof(config_path) - 7, "XXXXXX", 6);
    int fd = mkstemp(config_path);
    return fd < 0 || close(fd) != 0 || clear_environment(state) != 0;
}

static int remove_config(void **state) {
    (void)state;
    return unlink(config_path) | clear_environment(state);
}

static void takes_defaults(void **state) {
    (void)state;
    ASSERT_PARSED("--data", "d");
    assert_string_equal(settings.listen.host, "127.0.0.1");
    assert_int_equal(settings.listen.port, 8080);
    assert_true(settings.listen.is_loopback);
    assert_int_equal(settings.settle_wait_ms, 2000);
    assert_string_equal(settings.data, "d");
    assert_string_equal(settings.cost, "standard");
    assert_int_equal(settings.trust.count, 0);
    assert_false(settings.admin);
    assert_null(settings.note);
    assert_int_equal(positional_count, 0);
}

static void takes_flags_and_positionals(void **state) {
    (void)state;
    ASSERT_PARSED("user", "--data=a=b", "--admin", "--listen", "[::1]:0", "--trust-service", "a=1,2", "--trust-service=b",
                  "--password-cost", "low", "--settle-wait", "-5", "--", "--admin");
    assert_string_equal(settings.data, "a=b");
    assert_true(settings.admin);
    assert_string_equal(settings.listen.host, "::1");
    assert_int_equal(settings.listen.port, 0);
    assert_true(settings.listen.is_loopback);
    assert_int_equal(settings.trust.count, 2);
    assert_string_equal(settings.trust.items[0], "a=1,2"); /* an argument is one item: an address may hold commas */
    assert_string_equal(settings.trust.items[1], "b");
    assert_string_equal(settings.cost, "low");
    assert_int_equal(settings.settle_wait_ms, -5);
    assert_int_equal(positional_count, 2);
    assert_string_equal(positional[0], "user");
    assert_string_equal(positional[1], "--admin");
}

static void knows_who_wins(void **state) {
    (void)state;
    static const char config[] =
        "# comment\n\n settle-wait = 1\r\nlisten=10.0.0.1:1\ntrust-service = f1, f2\ntrust-service = f3\nnote = a = b";
    write_config(config, sizeof(config) - 1);
    ASSERT_PARSED("--data", "d", "--config", config_path);
    assert_int_equal(settings.settle_wait_ms, 1);
    assert_string_equal(settings.listen.host, "10.0.0.1");
    assert_false(settings.listen.is_loopback);
    assert_int_equal(settings.trust.count, 3);
    assert_string_equal(settings.trust.items[1], "f2");
    assert_string_equal(settings.note, "a = b");

    setenv("WALLETD_CONFIG", config_path, 1);
    setenv("WALLETD_SETTLE_WAIT", "2", 1);
    setenv("WALLETD_TRUST_SERVICE", "e1,e2", 1);
    setenv("WALLETD_LISTEN", "", 1);
    setenv("WALLETD_ADMIN", "yes", 1);
    ASSERT_PARSED("--data", "d");
    assert_int_equal(settings.settle_wait_ms, 2);
    assert_string_equal(settings.listen.host, "10.0.0.1"); /* an empty variable is an absent one */
    assert_int_equal(settings.trust.count, 2);
    assert_string_equal(settings.trust.items[0], "e1");
    assert_true(settings.admin);

    ASSERT_PARSED("--data", "d", "--settle-wait", "3", "--trust-service", "flag", "--admin=no");
    assert_int_equal(settings.settle_wait_ms, 3);
    assert_int_equal(settings.trust.count, 1);
    assert_string_equal(settings.trust.items[0], "flag");
    assert_false(settings.admin);
}

static void names_every_fault(void **state) {
    (void)state;
    assert_refused(PARSE("--lisen", "x", "-v", "--settle-wait=60001", "--password-cost", "lo", "b", "c", "--admin=maybe"),
                   "walletd: --lisen: unknown flag; --help names all\n"
                   "walletd: -v: unknown flag; --help names all\n"
                   "walletd: c: unexpected argument\n"
                   "walletd: --settle-wait: `60001` is wrong: settle-wait must be a whole number from -5 to 60000 ms\n"
                   "walletd: --data: is required\n"
                   "walletd: --password-cost: `lo` is wrong: password-cost must be one of standard|low\n"
                   "walletd: --admin: `maybe` is wrong: admin must be yes or no\n");
    assert_refused(PARSE("--data"), "walletd: --data: needs a value\nwalletd: --data: is required\n");
    assert_refused(PARSE("--data", "a", "--data=b"), "walletd: --data: given more than once\n");
    assert_refused(PARSE("--data="), "walletd: --data: `` is wrong: data must be not empty\n");
}

static void names_the_place_of_a_fault(void **state) {
    (void)state;
    setenv("WALLETD_SETTLE_WAIT", "soon", 1);
    assert_refused(PARSE("--data", "d"),
                   "walletd: WALLETD_SETTLE_WAIT: `soon` is wrong: settle-wait must be a whole number from -5 to 60000 ms\n");
    clear_environment(state);

    static const char config[] = "nonsense\nlisen = 1\nsettle-wait = 9x\nconfig = other\nadmin = yes\nadmin = yes\n";
    write_config(config, sizeof(config) - 1);
    char expected[1024];
    snprintf(expected, sizeof(expected),
             "walletd: %1$s:1: not of the form `name = value`\nwalletd: %1$s:2: unknown parameter `lisen`\n"
             "walletd: %1$s:4: unknown parameter `config`\nwalletd: %1$s:6: given more than once\n"
             "walletd: %1$s:3: `9x` is wrong: settle-wait must be a whole number from -5 to 60000 ms\n",
             config_path);
    assert_refused(PARSE("--data", "d", "--config", config_path), expected);
}

static void refuses_bad_files(void **state) {
    (void)state;
    assert_refused(PARSE("--data", "d", "--config", "/nonexistent/x"),
                   "walletd: /nonexistent/x: cannot be opened: No such file or directory\n");
    assert_refused(PARSE("--data", "d", "--config", "/"), "walletd: /: cannot be read\n");
    write_config("note = a\0b", 10);
    assert_int_equal(PARSE("--data", "d", "--config", config_path).code, RESULT_INVALID);
    assert_non_null(strstr(messages, "contains a NUL byte"));

    static char large[PARAM_FILE_BYTES_MAX + 1];
    memset(large, '\n', sizeof(large));
    write_config(large, sizeof(large));
    assert_int_equal(PARSE("--data", "d", "--config", config_path).code, RESULT_INVALID);
    assert_non_null(strstr(messages, "larger than 65536 bytes"));
    write_config(large, sizeof(large) - 1);
    ASSERT_PARSED("--data", "d", "--config", config_path);
}

/* One file for all commands: what only another one knows is not this one's to judge. */
static void passes_over_what_other_commands_know(void **state) {
    (void)state;
    static const char shared[] = "loops = none of my business\nnote = mine\nloops = 2\n";
    write_config(shared, sizeof(shared) - 1);
    ASSERT_PARSED("--data", "d", "--config", config_path);
    assert_string_equal(settings.note, "mine");
    assert_string_equal(messages, "");

    static const char stray[] = "loops = 1\nloop = 1\n";
    write_config(stray, sizeof(stray) - 1);
    assert_int_equal(PARSE("--data", "d", "--config", config_path).code, RESULT_INVALID);
    assert_non_null(strstr(messages, ":2: unknown parameter `loop`"));
    assert_null(strstr(messages, ":1:"));
    assert_refused(PARSE("--data", "d", "--loops=1"), "walletd: --loops: unknown flag; --help names all\n"); /* a flag is meant for us */
}

static void refuses_bad_addresses(void **state) {
    (void)state;
    static const char *const bad[] = {"127.0.0.1", ":80",      "localhost:80",  "::1:80",     "[::1]",      "[127.0.0.1]:80",
                                      "1.2.3:80",  "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:8x", "[]:80"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct result result = PARSE("--data", "d", "--listen", bad[i]);
        if (result.code != RESULT_INVALID) fail_msg("accepted %s", bad[i]);
        assert_non_null(strstr(messages, bad[i]));
    }
    char longest[200];
    memset(longest, '1', sizeof(longest));
    memcpy(longest + sizeof(longest) - 4, ":80", 4);
    assert_int_equal(PARSE("--data", "d", "--listen", longest).code, RESULT_INVALID);
}

static void knows_loopback(void **state) {
    (void)state;
    ASSERT_PARSED("--data", "d", "--listen", "127.255.0.9:65535");
    assert_true(settings.listen.is_loopback);
    ASSERT_PARSED("--data", "d", "--listen", "0.0.0.0:1");
    assert_false(settings.listen.is_loopback);
    ASSERT_PARSED("--data", "d", "--listen", "128.0.0.1:1");
    assert_false(settings.listen.is_loopback);
    ASSERT_PARSED("--data", "d", "--listen", "[::]:1");
    assert_false(settings.listen.is_loopback);
    ASSERT_PARSED("--data", "d", "--listen", "[::ffff:127.0.0.1]:1");
    assert_false(settings.listen.is_loopback);
}

static void bounds_lists(void **state) {
    (void)state;
    ASSERT_PARSED("--data=d", "--trust-service=1", "--trust-service=2", "--trust-service=3", "--trust-service=4", "--trust-service=5",
                  "--trust-service=6", "--trust-service=7", "--trust-service=8", "--trust-service=9", "--trust-service=10",
                  "--trust-service=11", "--trust-service=12", "--trust-service=13", "--trust-service=14", "--trust-service=15",
                  "--trust-service=16");
    assert_int_equal(settings.trust.count, 16);
    setenv("WALLETD_TRUST_SERVICE", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 1);
    assert_refused(PARSE("--data=d"), "walletd: WALLETD_TRUST_SERVICE: given more than 16 times\n");
    setenv("WALLETD_TRUST_SERVICE", "1,,3", 1);
    assert_int_equal(PARSE("--data=d").code, RESULT_INVALID);
}

static void refuses_what_is_no_number_in_range(void **state) {
    (void)state;
    static const char *const bad[] = {
        "9223372036854775808", "-9223372036854775809", "99999999999999999999", "-6", "60001", "", "-", "+1", " 1", "1e3", "0x1"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (PARSE("--data", "d", "--settle-wait", bad[i]).code != RESULT_INVALID) fail_msg("accepted `%s`", bad[i]);
    }
}

static void sees_the_wish_for_help(void **state) {
    (void)state;
    char *asks[] = {(char *)(uintptr_t) "walletd", (char *)(uintptr_t) "serve", (char *)(uintptr_t) "--help"};
    char *asks_short[] = {(char *)(uintptr_t) "walletd", (char *)(uintptr_t) "-h"};
    char *asks_not[] = {(char *)(uintptr_t) "walletd", (char *)(uintptr_t) "--", (char *)(uintptr_t) "--help"};
    assert_true(param_wants_help(3, asks));
    assert_true(param_wants_help(2, asks_short));
    assert_false(param_wants_help(3, asks_not));
    assert_false(param_wants_help(1, asks));
}

static const char *write_text(void (*write)(const char *, const struct param *, size_t, FILE *)) {
    memset(messages, 0, sizeof(messages));
    FILE *out = fmemopen(messages, sizeof(messages) - 1, "w");
    assert_non_null(out);
    write("walletd", params, ARRAY_COUNT(params), out);
    fclose(out);
    return messages;
}

static void helps_with_units_ranges_and_defaults(void **state) {
    (void)state;
    const char *help = write_text(param_help);
    assert_non_null(strstr(help,
                           "  --settle-wait N\n      How long a claim waits.\n      a whole number from -5 to 60000 ms; default: 2000 ms; "
                           "environment: WALLETD_SETTLE_WAIT\n"));
    assert_non_null(strstr(help, "  --data TEXT\n      The folder.\n      not empty; default: required; environment: WALLETD_DATA\n"));
    assert_non_null(strstr(help, "  --config FILE\n"));
    assert_non_null(strstr(help, "one of standard|low; default: standard;"));
}

static void documents_as_a_table(void **state) {
    (void)state;
    const char *document = write_text(param_document);
    static const char start[] =
        "| flag | environment | value | default | meaning |\n| --- | --- | --- | --- | --- |\n| `--listen ADDR:PORT` |";
    assert_memory_equal(document, start, sizeof(start) - 1);
    assert_non_null(strstr(document, "\n| `--admin` | "));
    assert_non_null(strstr(document, "\n| `--trust-service TEXT` (several) | "));
    assert_non_null(strstr(document, "\n| `--note TEXT` | `WALLETD_NOTE` | not empty | none | Any \\| text. |\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_config, remove_config)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(takes_defaults),
        TEST(takes_flags_and_positionals),
        TEST(knows_who_wins),
        TEST(names_every_fault),
        TEST(names_the_place_of_a_fault),
        TEST(refuses_bad_files),
        TEST(passes_over_what_other_commands_know),
        TEST(refuses_bad_addresses),
        TEST(knows_loopback),
        TEST(bounds_lists),
        TEST(refuses_what_is_no_number_in_range),
        TEST(sees_the_wish_for_help),
        TEST(helps_with_units_ranges_and_defaults),
        TEST(documents_as_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
