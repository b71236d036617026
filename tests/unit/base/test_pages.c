#include "assertions.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pages.h"
#include "base/watched.h"

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
    assert_null(pages_take(SIZE_MAX / 4, 1));
    assert_null(pages_take(SIZE_MAX, 1));
    pages_free(NULL, SIZE_MAX, 3);
}

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

/* Past the sanitizer: what the kernel does is asked for. */
__attribute__((no_sanitize_address)) static void write_to(unsigned char *byte) { *(volatile unsigned char *)byte = 1; }

/* Whether a process that writes to the byte is ended for it. */
static bool is_ended(unsigned char *byte) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* of cmocka, and of sanitizers */
        write_to(byte);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void nobody_leaves_a_large_table(void **state) {
    (void)state;
    static const size_t sizes[] = {PAGES_LARGE_BYTES, PAGES_LARGE_BYTES + 64, (size_t)3 << 20 | 4032};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *bytes = pages_take(sizes[i], 1);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 64, 0);
        assert_false(is_ended(bytes) || is_ended(bytes + sizes[i] - 1));
        assert_true(is_ended(bytes + sizes[i]) && is_ended(bytes - sysconf(_SC_PAGESIZE)));
        pages_free(bytes, sizes[i], 1);
    }
}

#if IS_WATCHED
/* Where no page ends the address sanitizer watches, to the byte, for as long as the table is there. */
static void the_sanitizer_knows_where_a_large_table_ends(void **state) {
    (void)state;
    for (size_t more = 0; more < 130; more++) {
        size_t size = PAGES_LARGE_BYTES + more, page = (size_t)sysconf(_SC_PAGESIZE);
        unsigned char *bytes = pages_take(size, 1);
        assert_non_null(bytes);
        assert_null(__asan_region_is_poisoned(bytes, size));
        assert_true(__asan_address_is_poisoned(bytes - 1) && __asan_address_is_poisoned(bytes - page));
        assert_true(__asan_address_is_poisoned(bytes + size) && __asan_address_is_poisoned(bytes + size + page - 1));
        pages_free(bytes, size, 1);
        assert_null(__asan_region_is_poisoned(bytes - page, size + 2 * page));
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_zero_at_both_ends),
        cmocka_unit_test(nobody_gets_more_than_can_be_addressed),
        cmocka_unit_test(a_large_table_goes_back_at_once),
        cmocka_unit_test(nobody_leaves_a_large_table),
#if IS_WATCHED
        cmocka_unit_test(the_sanitizer_knows_where_a_large_table_ends),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
