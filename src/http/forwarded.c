#include "http/forwarded.h"

#include "http/field.h"

#define PORT_DIGITS_MAX 5u
#define NODE_BYTES_MAX  128u /* of a quoted value: longer ones are no address */

static bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

/* ---- a node: an address with or without a port (RFC 7239, section 6) ---- */

static bool is_port(struct text text) {
    uint64_t port = 0;
    bool is_obfuscated = text.size > 1 && text.data[0] == '_';
    if (!is_obfuscated) return text.size <= PORT_DIGITS_MAX && result_is_ok(text_parse_unsigned(text, UINT16_MAX, &port));
    for (size_t i = 1; i < text.size; i++) {
        char byte = text.data[i];
        bool is_word = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '.' ||
                       byte == '_' || byte == '-';
        if (!is_word) return false;
    }
    return true;
}

static struct result read_bracketed(struct text node, struct address *ret_address) {
    const char *end = memchr(node.data, ']', node.size);
    if (end == NULL) return result_error(RESULT_INVALID);
    struct text inside = {node.data + 1, (size_t)(end - node.data) - 1};
    struct text behind = {end + 1, node.size - inside.size - 2};
    bool is_v6 = inside.size > 0 && memchr(inside.data, ':', inside.size) != NULL;
    bool has_end = behind.size == 0 || (behind.data[0] == ':' && is_port((struct text){behind.data + 1, behind.size - 1}));
    return is_v6 && has_end ? address_parse(inside, ret_address) : result_error(RESULT_INVALID);
}

/* `allows_bare`: IPv6 without brackets, which then has no port. */
static struct result read_node(struct text node, bool allows_bare, struct address *ret_address) {
    if (node.size == 0) return result_error(RESULT_INVALID);
    if (node.data[0] == '[') return read_bracketed(node, ret_address);
    const char *colon = memchr(node.data, ':', node.size);
    if (colon == NULL) return address_parse(node, ret_address);
    struct text before = {node.data, (size_t)(colon - node.data)}, behind = {colon + 1, node.size - before.size - 1};
    bool is_v6 = behind.size == 0 || memchr(behind.data, ':', behind.size) != NULL || before.size == 0;
    if (!is_v6 && is_port(behind)) return address_parse(before, ret_address);
    return allows_bare ? address_parse(node, ret_address) : result_error(RESULT_INVALID);
}

/* One more element behind the others. */
static void add(struct forwarded *forwarded, const struct address_set *trusted, struct text node, bool allows_bare) {
    struct address address;
    if (!result_is_ok(read_node(node, allows_bare, &address))) {
        forwarded->word = FORWARDED_UNKNOWN;
    } else if (!address_set_has(trusted, &address)) {
        *forwarded = (struct forwarded){.word = FORWARDED_CLIENT, .client = address};
    } else if (forwarded->word == FORWARDED_NOTHING) {
        forwarded->word = FORWARDED_UNKNOWN; /* a proxy, and nobody before it */
    }
}

/* ---- X-Forwarded-For ---- */

void forwarded_add_x(struct forwarded *forwarded, const struct address_set *trusted, struct text line) {
    while (line.size > 0) {
        const char *comma = memchr(line.data, ',', line.size);
        struct text element = {line.data, comma != NULL ? (size_t)(comma - line.data) : line.size};
        size_t step = comma != NULL ? element.size + 1 : element.size;
        line = (struct text){line.data + step, line.size - step};
        element = field_trimmed(element);
        if (element.size > 0) add(forwarded, trusted, element, true);
    }
}

/* ---- Forwarded (RFC 7239, section 4) ---- */

struct reader {
    struct text rest;
    char value[NODE_BYTES_MAX]; /* of a quoted one, without its backslashes */
};

static void skip(struct reader *reader, size_t size) { reader->rest = (struct text){reader->rest.data + size, reader->rest.size - size}; }

static void skip_blanks(struct reader *reader) {
    while (reader->rest.size > 0 && is_blank(reader->rest.data[0])) skip(reader, 1);
}

static char next(const struct reader *reader) { return reader->rest.size > 0 ? reader->rest.data[0] : '\0'; }

static bool read_token(struct reader *reader, struct text *ret_token) {
    *ret_token = (struct text){reader->rest.data, field_token_size(reader->rest)};
    skip(reader, ret_token->size);
    return ret_token->size > 0;
}

/* RFC 9110, section 5.6.4. What is too long to be an address is cut, and is none then. False: it does not end. */
static bool read_quoted(struct reader *reader, struct text *ret_value) {
    size_t size = 0;
    skip(reader, 1);
    while (reader->rest.size > 0) {
        char byte = next(reader);
        skip(reader, 1);
        if (byte == '"') {
            *ret_value = (struct text){reader->value, size};
            return true;
        }
        if (byte == '\\') {
            if (reader->rest.size == 0) return false;
            byte = next(reader);
            skip(reader, 1);
        }
        if (size < sizeof reader->value) reader->value[size++] = byte;
    }
    return false;
}

/* name=value. False: ill-formed, and where the element ends can't be told. */
static bool read_pair(struct reader *reader, struct text *ret_name, struct text *ret_value) {
    if (!read_token(reader, ret_name) || next(reader) != '=') return false;
    skip(reader, 1);
    return next(reader) == '"' ? read_quoted(reader, ret_value) : read_token(reader, ret_value);
}

/* Up to a comma or the end; adds it, unless it is empty. */
static bool read_element(struct reader *reader, struct forwarded *forwarded, const struct address_set *trusted) {
    char node_bytes[NODE_BYTES_MAX];
    struct text node = {node_bytes, 0};
    size_t pair_count = 0, for_count = 0;
    for (bool goes_on = true; goes_on;) {
        struct text name, value;
        skip_blanks(reader);
        if (next(reader) != ';' && next(reader) != ',' && reader->rest.size > 0) {
            if (!read_pair(reader, &name, &value)) return false;
            pair_count++;
            if (text_equal_ignoring_case(name, TEXT("for"))) {
                for_count++;
                node.size = value.size < sizeof node_bytes ? value.size : sizeof node_bytes;
                memcpy(node_bytes, value.data, node.size);
            }
            skip_blanks(reader);
        }
        goes_on = next(reader) == ';';
        if (goes_on) skip(reader, 1);
    }
    if (reader->rest.size > 0 && next(reader) != ',') return false;
    if (reader->rest.size > 0) skip(reader, 1);
    if (for_count > 1) node.size = 0; /* which of them? */
    if (pair_count > 0) add(forwarded, trusted, node, false);
    return true;
}

void forwarded_add(struct forwarded *forwarded, const struct address_set *trusted, struct text line) {
    struct reader reader = {.rest = line};
    while (reader.rest.size > 0) {
        if (read_element(&reader, forwarded, trusted)) continue;
        forwarded->word = FORWARDED_UNKNOWN; /* the whole line: a quote left open swallows what a proxy wrote behind it */
        return;
    }
}

struct address forwarded_client(const struct address *peer, const struct forwarded *standard, const struct forwarded *x) {
    const struct forwarded *said = standard->word == FORWARDED_NOTHING ? x : standard;
    bool differ = standard->word != FORWARDED_NOTHING && x->word != FORWARDED_NOTHING &&
                  (standard->word != x->word || !address_equal(&standard->client, &x->client));
    return said->word == FORWARDED_CLIENT && !differ ? said->client : *peer;
}
