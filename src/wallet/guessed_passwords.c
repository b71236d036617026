#include "wallet/guessed_passwords.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/limits.h"
#include "base/unicode.h"

#define FOLDED_BYTES 64u /* longer than any of them */

extern const char *const guessed_passwords[]; /* sorted; made of guessed_passwords.txt */
extern const size_t guessed_passwords_count;

static int compare(const void *password, const void *row) { return strcmp(password, *(const char *const *)row); }

bool password_is_common(struct text password) {
    char folded[FOLDED_BYTES];
    size_t size = 0;
    if (!result_is_ok(unicode_normalize(password, UNICODE_PLAIN, folded, sizeof folded - 1, &size))) return false;
    for (size_t i = 0; i < size; i++) {
        if (folded[i] >= 'A' && folded[i] <= 'Z') folded[i] = (char)(folded[i] + ('a' - 'A'));
    }
    folded[size] = '\0';
    bool is_common = bsearch(folded, guessed_passwords, guessed_passwords_count, sizeof *guessed_passwords, compare) != NULL;
    crypto_wipe(folded, sizeof folded);
    return is_common;
}
