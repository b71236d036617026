#include "assertions.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"

#define SMALL     1000u
#define LARGE     ((size_t)1 << 30)
#define PAGE_MOST 65536u

static void a_table_is_zero_at_both_ends(void **state) {
    (void)state;
    for (size_t count = SMALL; count <= LARGE; count *= 2) {
        unsigned char *bytes = pages_take(count, 1);
        assert_non_null(bytes);
        assert_true(bytes[0] == 0 && bytes[count - 1] == 0);
        bytes[0] = bytes[count - 1] = 1;
        pages_free(bytes, count, 1);
    }
}

static void nobody_gets_more_than_can_be_addressed(void **state) {
    (void)state;
    assert_null(pages_take(SIZE_MAX / 2, 3));
#ifndef __SANITIZE_ADDRESS__ /* which ends a program that asks for so much */
    assert_null(pages_take(SIZE_MAX / 4, 1));
#endif
    pages_free(NULL, SIZE_MAX, 3);
}

#ifndef __SANITIZE_ADDRESS__ /* there all come from the heap */
/* What was given back is the system's again, its addresses too. */
static void a_large_table_goes_back_at_once(void **state) {
    (void)state;
    unsigned char *bytes = pages_take(LARGE / 8, 8), core;
    assert_non_null(bytes);
    assert_int_equal(mincore(bytes, 1, &core), 0);
    pages_free(bytes, LARGE / 8, 8);
    assert_true(mincore(bytes, 1, &core) == -1 && errno == ENOMEM);
    assert_true(mincore(bytes + LARGE - PAGE_MOST, 1, &core) == -1 && errno == ENOMEM);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_zero_at_both_ends),
        cmocka_unit_test(nobody_gets_more_than_can_be_addressed),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(a_large_table_goes_back_at_once),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
