#include "forge.h"

#include "auth/file.h"

#include <sys/stat.h>

static void written_whole_and_private(void **state) {
    (void)state;
    char folder[64], path[128];
    struct arena arena;
    struct text text;
    struct stat status;
    make_folder(folder);
    arena_init(&arena, 4096);
    snprintf(path, sizeof path, "%s/keys.json", folder);
    assert_result(file_read(path, 100, false, &arena, &text), RESULT_NOT_FOUND);
    assert_ok(file_replace(path, TEXT("one")));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_ok(file_replace(path, TEXT("")));
    assert_ok(file_read(path, 100, true, &arena, &text));
    assert_text(text, "");
    assert_ok(file_replace(path, TEXT("three")));
    assert_ok(file_read(path, 5, true, &arena, &text));
    assert_text(text, "three");
    assert_result(file_read(path, 4, true, &arena, &text), RESULT_FULL);
    arena_release(&arena);
    remove_folder(folder); /* fails if anything but the one file is left */
}

static void what_others_may_read_is_no_secret(void **state) {
    (void)state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};
    char folder[64], path[128], link[128];
    struct arena arena;
    struct text text;
    make_folder(folder);
    arena_init(&arena, 4096);
    snprintf(path, sizeof path, "%s/key", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_ok(file_replace(path, TEXT("x")));
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_result(file_read(path, 100, true, &arena, &text), RESULT_DENIED);
        assert_ok(file_read(path, 100, false, &arena, &text));
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_ok(file_read(path, 100, true, &arena, &text));
    assert_int_equal(symlink(path, link), 0);
    assert_result(file_read(link, 100, true, &arena, &text), RESULT_IO);
    assert_ok(file_read(link, 100, false, &arena, &text));
    arena_release(&arena);
    remove_folder(folder);
}

static void what_a_crash_left_is_overcome(void **state) {
    (void)state;
    char folder[64], path[128], left[160];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/key", folder);
    snprintf(left, sizeof left, "%s.new", path);
    assert_int_equal(symlink("/nowhere/at/all", left), 0);
    assert_ok(file_replace(path, TEXT("x")));
    assert_int_equal(access(left, F_OK), -1);
    remove_folder(folder);
}

static void neither_folders_nor_pipes_are_files(void **state) {
    (void)state;
    char folder[64], path[128];
    struct arena arena;
    struct text text;
    make_folder(folder);
    arena_init(&arena, 4096);
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_result(file_read(path, 100, true, &arena, &text), RESULT_IO);
    assert_result(file_read(folder, 100, false, &arena, &text), RESULT_IO);
    assert_result(file_replace("/nowhere/at/all", TEXT("x")), RESULT_IO);
    arena_release(&arena);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_whole_and_private),
        cmocka_unit_test(what_others_may_read_is_no_secret),
        cmocka_unit_test(what_a_crash_left_is_overcome),
        cmocka_unit_test(neither_folders_nor_pipes_are_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
