#include "http/parse.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"

#define CHUNK_LINE_BYTES_MAX 1024u
#define VERSION_BYTES        (sizeof(" HTTP/1.1\r") - 1) /* from the target's end to the line's LF */

/* ---- bytes ---- */

/* A line, from `start` to its LF, has one CR, and that stands before the LF. */
static bool ends_well(const char *start, const char *lf) { return lf > start && memchr(start, '\r', (size_t)(lf - start)) == lf - 1; }

/* Visible ASCII but for the fragment's mark, which no target has (RFC 9112, section 3.2). */
static bool is_target(struct text target) {
    for (size_t i = 0; i < target.size; i++) {
        unsigned char byte = (unsigned char)target.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '#') return false;
    }
    return target.size > 0;
}

/* ---- where a head ends ---- */

size_t head_skip_empty_lines(struct text bytes) {
    size_t skipped = 0;
    while (bytes.size - skipped >= 2 && bytes.data[skipped] == '\r' && bytes.data[skipped + 1] == '\n') skipped += 2;
    return skipped;
}

/* The first line starts with a method; the others with a field's name, not with a blank that folds them to the one before. */
static bool starts_well(const char *line) { return request_is_token((struct text){line, 1}); }

enum head_verdict head_scan(struct head_scan *scan, struct text bytes, size_t *ret_size) {
    size_t size = bytes.size < LIMIT_HEADER_BYTES ? bytes.size : LIMIT_HEADER_BYTES;
    CHECK(scan->line_start <= scan->scanned_bytes && scan->scanned_bytes <= size);
    while (scan->line_start < size) {
        const char *line = bytes.data + scan->line_start;
        if (scan->scanned_bytes == scan->line_start && *line != '\r' && !starts_well(line)) return HEAD_FAULTY;
        const char *lf = memchr(bytes.data + scan->scanned_bytes, '\n', size - scan->scanned_bytes);
        scan->scanned_bytes = (uint32_t)size;
        if (lf == NULL) break;
        if (!ends_well(line, lf)) return HEAD_FAULTY;
        bool is_first = scan->line_start == 0;
        bool is_empty = lf == line + 1;
        scan->line_start = scan->scanned_bytes = (uint32_t)(lf + 1 - bytes.data);
        if (!is_empty) continue;
        *ret_size = scan->line_start;
        return is_first ? HEAD_FAULTY : HEAD_WHOLE;
    }
    return size == LIMIT_HEADER_BYTES ? HEAD_TOO_LARGE : HEAD_PARTIAL;
}

/* ---- a head, read ---- */

struct reading {
    struct request_head *head;
    struct exchange *exchange;
    struct text method, target, name;
    bool is_whole;
};

static int take_target(http_parser *parser, const char *at, size_t size) {
    struct reading *reading = parser->data;
    reading->target = (struct text){at, size};
    request_begin(reading->head, reading->exchange, reading->method, reading->target);
    return 0;
}

static int take_name(http_parser *parser, const char *at, size_t size) {
    struct reading *reading = parser->data;
    reading->name = (struct text){at, size};
    return 0;
}

static int take_value(http_parser *parser, const char *at, size_t size) {
    struct reading *reading = parser->data;
    request_add_header(reading->head, reading->name, (struct text){at, size});
    return 0;
}

/* Paused at its last byte: what follows, a body or a tunnel, is none of its business. */
static int take_end_of_head(http_parser *parser) {
    ((struct reading *)parser->data)->is_whole = true;
    http_parser_pause(parser, 1);
    return 0;
}

static size_t method_size(struct text bytes) {
    size_t size = 0;
    while (size < bytes.size && request_is_token((struct text){bytes.data + size, 1})) size++;
    return size;
}

static const char *fault_of_line(const struct reading *reading, struct text bytes) {
    const char *lf = memchr(bytes.data, '\n', bytes.size);
    const struct text *target = &reading->target;
    if (lf == NULL || target->data != reading->method.data + reading->method.size + 1) return "the request line is ill-formed";
    if (lf != target->data + target->size + VERSION_BYTES) return "the request line is ill-formed";
    return is_target(*target) ? NULL : "the request target is ill-formed";
}

/* The parser stops at these before request.c sees the whole. */
static const char *fault_of_parser(const http_parser *parser, bool is_whole) {
    enum http_errno error = HTTP_PARSER_ERRNO(parser);
    if (error == HPE_UNEXPECTED_CONTENT_LENGTH) return "a second Content-Length, or one beside Transfer-Encoding";
    if (error == HPE_INVALID_CONTENT_LENGTH) return "an ill-formed Content-Length";
    return is_whole && error == HPE_PAUSED ? NULL : "the header section is ill-formed";
}

struct head_facts head_read(struct request_head *head, struct exchange *exchange, struct text bytes) {
    static const http_parser_settings settings = {.on_url = take_target,
                                                  .on_header_field = take_name,
                                                  .on_header_value = take_value,
                                                  .on_headers_complete = take_end_of_head};
    struct reading reading = {.head = head, .exchange = exchange, .method = {bytes.data, method_size(bytes)}};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &reading;
    (void)http_parser_execute(&parser, &settings, "PUT", 3);
    struct text rest = {bytes.data + reading.method.size, bytes.size - reading.method.size};
    size_t read_bytes = http_parser_execute(&parser, &settings, rest.data, rest.size);
    if (reading.target.data == NULL) request_begin(head, exchange, reading.method, TEXT(""));
    const char *fault = fault_of_line(&reading, bytes);
    if (fault == NULL && parser.http_major != 1) fault = "the version is none of HTTP/1.x";
    if (fault == NULL) fault = fault_of_parser(&parser, reading.is_whole && read_bytes + 1 == rest.size);
    if (fault != NULL) request_set_fault(head, fault);
    bool keeps_alive = http_should_keep_alive(&parser) != 0 && (parser.flags & F_CONNECTION_CLOSE) == 0;
    return (struct head_facts){.is_1_1 = parser.http_minor >= 1, .keeps_alive = fault == NULL && keeps_alive};
}

void head_read_faulty(struct request_head *head, struct exchange *exchange, struct text bytes, enum head_verdict verdict) {
    struct text method = {bytes.data, method_size(bytes)};
    struct text target = {bytes.data + method.size, 0};
    if (method.size < bytes.size && *target.data == ' ') {
        target.data++;
        while (method.size + 1 + target.size < bytes.size && target.data[target.size] > ' ') target.size++;
    }
    if (target.size > LIMIT_URI_BYTES) target.size = LIMIT_URI_BYTES + 1; /* enough to see that it is too long */
    bool is_too_large = verdict == HEAD_TOO_LARGE && target.size <= LIMIT_URI_BYTES;
    request_begin(head, exchange, method, target);
    request_set_fault(head, "a line is ill-formed");
    if (is_too_large) head->header_bytes = LIMIT_HEADER_BYTES + 1;
}

/* ---- a chunked body ---- */

static int take_chunk_size(http_parser *parser) {
    struct chunks *chunks = parser->data;
    chunks->left_bytes = parser->content_length;
    chunks->state = chunks->left_bytes == 0 ? CHUNKS_TRAILER : CHUNKS_DATA;
    return 0;
}

static int take_trailer_name(http_parser *parser, const char *at, size_t size) {
    (void)parser;
    return request_is_token((struct text){at, size}) ? 0 : 1;
}

static int take_end_of_body(http_parser *parser) {
    ((struct chunks *)parser->data)->state = CHUNKS_OVER;
    return 0;
}

static const http_parser_settings chunks_settings = {.on_chunk_header = take_chunk_size,
                                                     .on_header_field = take_trailer_name,
                                                     .on_message_complete = take_end_of_body};

static bool show(struct chunks *chunks, struct text bytes) {
    return http_parser_execute(&chunks->parser, &chunks_settings, bytes.data, bytes.size) == bytes.size &&
           HTTP_PARSER_ERRNO(&chunks->parser) == HPE_OK;
}

void chunks_begin(struct chunks *chunks) {
    static const http_parser_settings nothing = {0};
    static const struct text head = TEXT("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    *chunks = (struct chunks){.state = CHUNKS_SIZE};
    http_parser_init(&chunks->parser, HTTP_REQUEST);
    CHECK(http_parser_execute(&chunks->parser, &nothing, head.data, head.size) == head.size);
    chunks->parser.data = chunks;
}

static bool is_hex(char byte) { return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F'); }

/* `line` without its end: a number, and extensions that nobody reads. */
static bool is_size_line(struct chunks *chunks, struct text line) {
    size_t at = 0;
    while (at < line.size && is_hex(line.data[at])) at++;
    if (at == 0) return false;
    chunks->superfluous_bytes += line.size - at;
    if (at == line.size) return true;
    size_t mark = at;
    while (mark < line.size && (line.data[mark] == ' ' || line.data[mark] == '\t')) mark++;
    return mark < line.size && line.data[mark] == ';';
}

static bool has_controls(struct text line) {
    for (size_t i = 0; i < line.size; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) return true;
    }
    return false;
}

static bool line_is_sound(struct chunks *chunks, struct text line) {
    if (has_controls(line)) return false;
    if (chunks->state == CHUNKS_DATA_END) return line.size == 0;
    if (chunks->state == CHUNKS_SIZE) return is_size_line(chunks, line);
    chunks->superfluous_bytes += line.size;
    return line.size == 0 || (line.data[0] != ' ' && line.data[0] != '\t');
}

static size_t fail(struct chunks *chunks) {
    chunks->state = CHUNKS_FAULTY;
    return 0;
}

static size_t read_line(struct chunks *chunks, struct text bytes) {
    size_t size = bytes.size < CHUNK_LINE_BYTES_MAX ? bytes.size : CHUNK_LINE_BYTES_MAX;
    const char *lf = memchr(bytes.data, '\n', size);
    if (lf == NULL) return size == CHUNK_LINE_BYTES_MAX ? fail(chunks) : 0;
    struct text line = {bytes.data, (size_t)(lf + 1 - bytes.data)};
    if (!ends_well(bytes.data, lf) || !line_is_sound(chunks, (struct text){line.data, line.size - 2})) return fail(chunks);
    if (chunks->superfluous_bytes > LIMIT_HEADER_BYTES) return fail(chunks);
    if (chunks->state == CHUNKS_DATA_END) chunks->state = CHUNKS_SIZE;
    return show(chunks, line) ? line.size : fail(chunks);
}

size_t chunks_read(struct chunks *chunks, struct text bytes, struct text *ret_data) {
    *ret_data = (struct text){NULL, 0};
    if (bytes.size == 0 || chunks->state == CHUNKS_OVER || chunks->state == CHUNKS_FAULTY) return 0;
    if (chunks->state != CHUNKS_DATA) return read_line(chunks, bytes);
    struct text data = {bytes.data, bytes.size < chunks->left_bytes ? bytes.size : (size_t)chunks->left_bytes};
    if (!show(chunks, data)) return fail(chunks);
    chunks->left_bytes -= data.size;
    if (chunks->left_bytes == 0) chunks->state = CHUNKS_DATA_END;
    *ret_data = data;
    return data.size;
}
