/* The loop's reader: one that could not be opened is tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/folder.h"
#include "base/crypto.h"
#include "wallet/data.h"
#include "wallet/flow.h"

static int64_t now_us;
static int64_t tell_time(void *context) {
    (void)context;
    return now_us;
}

static void test_reader_is_opened_again(void **state) {
    (void)state;
    static struct wallet wallet;
    const struct clock clock = {.now_us = tell_time, .monotonic_us = tell_time};
    struct http_service service = {.name = "walletd", .self = &wallet, .clock = &clock};
    char folder[64], data[96];
    struct data_paths paths;
    struct exchange exchange;
    snprintf(folder, sizeof folder, "/tmp/hamyan-flow-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(data, sizeof data, "%s/data", folder);
    assert_true(result_is_ok(data_paths_of(data, &paths)));
    wallet.service.clock = &clock;
    wallet.database_path = paths.database;

    flow_open_reader(&wallet, 0); /* there is nothing to read yet: as if the disk had failed */
    assert_null(wallet.loops[0].reader);
    exchange_init(&exchange, &service);
    assert_null(flow_reader(&exchange));
    assert_int_equal(exchange.status, 503);
    exchange_clear(&exchange);

    assert_true(result_is_ok(data_create(data, CURRENCY_IRT, KEY_ES256, 1)));
    now_us = 999999; /* within the same second it is not even tried */
    exchange_init(&exchange, &service);
    assert_null(flow_reader(&exchange));
    exchange_clear(&exchange);
    now_us = 1000000;
    exchange_init(&exchange, &service);
    assert_non_null(flow_reader(&exchange));
    assert_int_equal(exchange.status, 0);
    exchange_clear(&exchange);
    reader_close(wallet.loops[0].reader);
    assert_true(folder_remove(folder));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reader_is_opened_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
