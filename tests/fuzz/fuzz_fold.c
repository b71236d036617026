/* text_fold: folding twice is folding once, the result is valid UTF-8, and exactly the invalid is refused, but for what is too long; unicode_normalize of a
 * password is its own normal form, or is refused.
 * The first byte chooses the folding. With it, the parsers of single values: a number, a time, an id come back as they were written. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "base/unicode.h"

#define LONGER_MOST     18u /* U+FDFA becomes eighteen characters, of two bytes each: six times as long; others less */
#define WIDE_LEAST_FULL 50u /* texts up to this are short enough, whatever they become */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_folding(struct text text, struct text_folding folding) {
    size_t capacity = text.size * LONGER_MOST;
    char *once = malloc(capacity + 1), *twice = malloc(capacity + 1);
    CHECK(once != NULL && twice != NULL);
    size_t once_size = 0, twice_size = 0, characters = 0;
    bool is_valid = result_is_ok(text_count_characters(text, &characters));
    struct result folded = text_fold(text, folding, once, capacity, &once_size);
    CHECK((folded.code == RESULT_FULL && text.size > WIDE_LEAST_FULL) || folded.code == (is_valid ? RESULT_OK : RESULT_INVALID));
    if (result_is_ok(folded)) {
        char *exact = malloc(once_size + 1); /* so that the sanitizer sees a byte too many */
        CHECK(exact != NULL && result_is_ok(text_fold(text, folding, exact, once_size, &twice_size)) && twice_size == once_size);
        free(exact);
        CHECK(result_is_ok(text_count_characters((struct text){once, once_size}, &characters)));
        CHECK(result_is_ok(text_fold((struct text){once, once_size}, folding, twice, once_size, &twice_size)));
        CHECK(text_equal((struct text){once, once_size}, (struct text){twice, twice_size}));
        if (once_size > 0) CHECK(text_fold(text, folding, twice, once_size - 1, &twice_size).code == RESULT_FULL);
    }
    free(once);
    free(twice);
}

static void check_password(struct text text) {
    char once[4096], twice[4096];
    size_t once_size, twice_size;
    if (!result_is_ok(unicode_normalize(text, UNICODE_OPAQUE, once, sizeof once, &once_size))) return;
    struct text prepared = {once, once_size};
    CHECK(result_is_ok(unicode_normalize(prepared, UNICODE_OPAQUE, twice, sizeof twice, &twice_size)));
    CHECK(text_equal(prepared, (struct text){twice, twice_size}));
}

static void check_values(struct text text) {
    int64_t time_us = 0, time_again_us = 0;
    if (result_is_ok(clock_parse(text, &time_us))) {
        char written[CLOCK_TEXT_BYTES];
        clock_format(time_us, written);
        CHECK(result_is_ok(clock_parse((struct text){written, sizeof written}, &time_again_us)) && time_us == time_again_us);
    }
    struct id id, id_again;
    if (result_is_ok(id_parse(text, &id))) {
        char written[ID_TEXT_BYTES];
        id_format(id, written);
        CHECK(text_equal_ignoring_case(text, (struct text){written, sizeof written}));
        CHECK(result_is_ok(id_parse((struct text){written, sizeof written}, &id_again)) && id_equal(id, id_again));
    }
    uint64_t number = 0;
    if (result_is_ok(text_parse_unsigned(text, INT64_MAX, &number))) CHECK(number <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct text text = {(const char *)data + 1, size - 1};
    check_folding(text, (struct text_folding){.drop_separators = (data[0] & 1) != 0, .upper = (data[0] & 2) != 0});
    check_password(text);
    check_values(text);
    return 0;
}
