/* codes import, export: whole files of codes; rotate-key: a new master key for the batches to come. */
#include <stdio.h>

#include "base/check.h"
#include "discount/code_key.h"
#include "discount/program.h"

int command_codes_import(const char **positional, size_t count) {
    CHECK(count == 1);
    return result_is_ok(code_files_import(&settings.codes, positional[0])) ? 0 : 1;
}

int command_codes_export(const char **positional, size_t count) {
    CHECK(count == 1);
    return result_is_ok(code_files_export(&settings.codes, positional[0])) ? 0 : 1;
}

int command_codes_rotate_key(const char **positional, size_t count) {
    char path[PATH_BYTES];
    struct code_keys keys;
    (void)positional;
    (void)count;
    if (!result_is_ok(service_check_folder(settings.data, stderr)) || !result_is_ok(program_path(settings.data, CODE_KEY_FILE, path)))
        return 1;
    struct result added = code_keys_add(path, &keys);
    if (result_is_ok(added)) {
        printf("%s has a new master key, of %zu: batches that are made after the next start take it; those of before keep theirs. Back it "
               "up\n",
               path, keys.count);
    } else {
        fprintf(stderr, "discountd: %s: no key was added: %s\n", path,
                added.code == RESULT_FULL ? "there are sixteen in it, which is as many as there may be" : result_name(added));
    }
    code_keys_wipe(&keys);
    return result_is_ok(added) ? 0 : 1;
}
