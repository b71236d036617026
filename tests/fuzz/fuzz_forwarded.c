/* Forwarded and X-Forwarded-For: whatever a client writes, behind it stands what the proxy saw, and that or nobody is the client. The first byte chooses
 * how the proxy writes: on a line of its own, or behind what was there; with the standard's field, or with the other. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char seen[] = "for=\"[2001:db8::7]:4711\"", x_seen[] = "2001:db8::7";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    bool is_x = (data[0] & 1) != 0, has_own_line = (data[0] & 2) != 0;
    struct text written = is_x ? TEXT(x_seen) : TEXT(seen);
    struct forwarded said = {.word = FORWARDED_NOTHING}, nothing = {.word = FORWARDED_NOTHING};
    struct address_set trusted;
    struct address peer, client, real;
    CHECK(result_is_ok(address_set_parse(TEXT("10.0.0.0/8"), &trusted)) && result_is_ok(address_parse(TEXT("10.0.0.1"), &peer)));
    CHECK(result_is_ok(address_parse(TEXT(x_seen), &real)));
    void (*add)(struct forwarded *, const struct address_set *, struct text) = is_x ? forwarded_add_x : forwarded_add;

    char *line = malloc(size + 2 + written.size); /* exact, so that the sanitizer sees a byte too many */
    CHECK(line != NULL);
    memcpy(line, data + 1, size - 1);
    size_t line_size = size - 1;
    if (has_own_line) {
        add(&said, &trusted, (struct text){line, line_size});
        line_size = 0;
    } else {
        memcpy(line + line_size, ", ", 2);
        line_size += 2;
    }
    memcpy(line + line_size, written.data, written.size);
    add(&said, &trusted, (struct text){line, line_size + written.size});
    client = forwarded_client(&peer, is_x ? &nothing : &said, is_x ? &said : &nothing);
    CHECK(address_equal(&client, &real) || (!is_x && !has_own_line && address_equal(&client, &peer)));
    free(line);
    return 0;
}
