/* Merchants: an account each, found by its id and by its name. */
#include "core.h"

static void a_name_is_opened_once(void **state) {
    struct core *core = *state;
    struct merchant *shop = NULL, *again = NULL, *other = NULL;
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("Corner shop"), core->now_us, &shop), LEDGER_APPLIED);
    assert_true(text_equal(shop->name, TEXT("Corner shop")));
    assert_int_equal(shop->account->kind, ACCOUNT_MERCHANT);
    assert_int_equal(shop->state, ROW_NEW);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_open_merchant(&core->ledger, TEXT("Corner shop"), core->now_us, &again));
    assert_ptr_equal(again, shop);
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("Corner"), core->now_us, &other), LEDGER_APPLIED);
    assert_ptr_not_equal(other, shop);
}

static void one_is_named_by_its_id_or_else_by_its_name(void **state) {
    struct core *core = *state;
    struct merchant *shop = NULL, *other = NULL;
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("a"), core->now_us, &shop), LEDGER_APPLIED);
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("b"), core->now_us, &other), LEDGER_APPLIED);
    const struct merchant_named by_name = {.name = TEXT("a")}, by_id = {.id = other->account->id, .name = TEXT("a")};
    const struct merchant_named unknown = {.id = {{7}}, .name = TEXT("a")}, nobody = {.name = TEXT("")};
    assert_ptr_equal(ledger_find_merchant_named(&core->ledger, &by_name), shop);
    assert_ptr_equal(ledger_find_merchant_named(&core->ledger, &by_id), other);
    assert_null(ledger_find_merchant_named(&core->ledger, &unknown));
    assert_null(ledger_find_merchant_named(&core->ledger, &nobody));
    assert_true(merchant_is_named(&by_name) && merchant_is_named(&by_id) && !merchant_is_named(&nobody));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {CORE_TEST(a_name_is_opened_once), CORE_TEST(one_is_named_by_its_id_or_else_by_its_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
