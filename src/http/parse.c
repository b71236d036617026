#include "http/parse.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/field.h"

#define CHUNK_LINE_BYTES_MAX 1024u

/* ---- bytes ---- */

/* A line, from `start` to its LF, has one CR, and that stands before the LF. */
static bool ends_well(const char *start, const char *lf) { return lf > start && memchr(start, '\r', (size_t)(lf - start)) == lf - 1; }

/* origin-form, absolute-form, or the asterisk (RFC 9112, section 3.2). CONNECT's authority-form is no path of ours. */
static bool has_form(struct text target) {
    struct text path = request_without_authority(target);
    if (path.data == target.data) return target.size > 0 && (target.data[0] == '/' || (target.size == 1 && target.data[0] == '*'));
    const char *start = memchr(target.data, '/', target.size) + 2; /* of "://" */
    return request_is_authority((struct text){start, (size_t)(path.data - start)});
}

/* Visible ASCII, without a fragment. */
static bool is_target(struct text target) {
    bool is_visible = true;
    for (size_t i = 0; i < target.size; i++) {
        unsigned char byte = (unsigned char)target.data[i];
        is_visible &= (byte > ' ') & (byte < 0x7f) & (byte != '#');
    }
    return is_visible && has_form(target);
}

/* ---- where a head ends ---- */

size_t head_skip_empty_lines(struct text bytes) {
    size_t skipped = 0;
    while (bytes.size - skipped >= 2 && bytes.data[skipped] == '\r' && bytes.data[skipped + 1] == '\n') skipped += 2;
    return skipped;
}

/* The first line starts with a method; the others with a field's name, not with a blank that folds them to the one before. */
static bool starts_well(const char *line) { return field_is_token((struct text){line, 1}); }

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

/* The next line, without its end, which head_scan has seen. */
static struct text cut_line(struct text *bytes) {
    const char *lf = memchr(bytes->data, '\n', bytes->size);
    CHECK(lf != NULL && lf > bytes->data);
    struct text line = {bytes->data, (size_t)(lf - 1 - bytes->data)};
    *bytes = (struct text){lf + 1, bytes->size - line.size - 2};
    return line;
}

/* RFC 9112, section 2.3: any HTTP/1.x is read as the highest that we know. */
static const char *read_version(struct text version, bool *ret_is_1_1) {
    bool is_version = version.size == 8 && memcmp(version.data, "HTTP/", 5) == 0 && version.data[6] == '.' && version.data[5] >= '0' &&
                      version.data[5] <= '9' && version.data[7] >= '0' && version.data[7] <= '9';
    if (!is_version) return "the request line is ill-formed";
    *ret_is_1_1 = version.data[7] != '0';
    return version.data[5] == '1' ? NULL : "the version is none of HTTP/1.x";
}

/* RFC 9112, section 3: one blank on either side of the target. */
static const char *read_request_line(struct text line, struct text *ret_method, struct text *ret_target, bool *ret_is_1_1) {
    *ret_method = (struct text){line.data, field_token_size(line)};
    struct text rest = {line.data + ret_method->size, line.size - ret_method->size};
    if (rest.size == 0 || rest.data[0] != ' ') return "the request line is ill-formed";
    struct text target = {rest.data + 1, rest.size - 1};
    const char *blank = memchr(target.data, ' ', target.size);
    if (blank == NULL) return "the request line is ill-formed";
    target.size = (size_t)(blank - target.data);
    *ret_target = target;
    const char *fault = read_version((struct text){blank + 1, rest.size - target.size - 2}, ret_is_1_1);
    if (fault != NULL) return fault;
    return is_target(target) ? NULL : "the request target is ill-formed";
}

static void read_field(struct request_head *head, struct text line) {
    const char *colon = memchr(line.data, ':', line.size);
    if (colon == NULL) {
        request_set_fault(head, "a line of the header section has no colon");
        return;
    }
    size_t name_size = (size_t)(colon - line.data);
    request_add_header(head, (struct text){line.data, name_size}, (struct text){colon + 1, line.size - name_size - 1});
}

struct head_facts head_read(struct request_head *head, struct exchange *exchange, struct text bytes) {
    struct head_facts facts = {.is_1_1 = true};
    struct text method = {0}, target = {"", 0};
    const char *fault = read_request_line(cut_line(&bytes), &method, &target, &facts.is_1_1);
    request_begin(head, exchange, method, target);
    if (fault != NULL) request_set_fault(head, fault);
    for (struct text line = cut_line(&bytes); line.size > 0; line = cut_line(&bytes)) read_field(head, line);
    CHECK(bytes.size == 0);
    facts.keeps_alive = !head->wants_close && (facts.is_1_1 || head->wants_keep_alive);
    return facts;
}

void head_read_faulty(struct request_head *head, struct exchange *exchange, struct text bytes, enum head_verdict verdict) {
    struct text method = {bytes.data, field_token_size(bytes)};
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

void chunks_begin(struct chunks *chunks) { *chunks = (struct chunks){.state = CHUNKS_SIZE}; }

static int hex_value(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

/* A number, and extensions that nobody reads. */
static bool read_size(struct chunks *chunks, struct text line) {
    uint64_t size = 0;
    size_t at = 0;
    for (; at < line.size && hex_value(line.data[at]) >= 0; at++) {
        if (size > (uint64_t)INT64_MAX >> 4) return false;
        size = size << 4 | (uint64_t)hex_value(line.data[at]);
    }
    if (at == 0) return false;
    chunks->superfluous_bytes += line.size - at;
    chunks->left_bytes = size;
    chunks->state = size == 0 ? CHUNKS_TRAILER : CHUNKS_DATA;
    if (at == line.size) return true;
    while (at < line.size && line.data[at] == ' ') at++;
    return at < line.size && line.data[at] == ';';
}

static bool read_trailer(struct chunks *chunks, struct text line) {
    if (line.size == 0) {
        chunks->state = CHUNKS_OVER;
        return true;
    }
    chunks->superfluous_bytes += line.size;
    const char *colon = memchr(line.data, ':', line.size);
    return colon != NULL && field_is_token((struct text){line.data, (size_t)(colon - line.data)});
}

static bool read_line(struct chunks *chunks, struct text line) {
    if (!request_is_value(line)) return false;
    switch (chunks->state) {
    case CHUNKS_SIZE: return read_size(chunks, line);
    case CHUNKS_DATA_END: chunks->state = CHUNKS_SIZE; return line.size == 0;
    case CHUNKS_TRAILER: return read_trailer(chunks, line);
    case CHUNKS_DATA:
    case CHUNKS_OVER:
    case CHUNKS_FAULTY: break;
    }
    return false;
}

static size_t fail(struct chunks *chunks) {
    chunks->state = CHUNKS_FAULTY;
    return 0;
}

static size_t take_line(struct chunks *chunks, struct text bytes) {
    size_t size = bytes.size < CHUNK_LINE_BYTES_MAX ? bytes.size : CHUNK_LINE_BYTES_MAX;
    const char *lf = memchr(bytes.data, '\n', size);
    if (lf == NULL) return size == CHUNK_LINE_BYTES_MAX ? fail(chunks) : 0;
    size = (size_t)(lf + 1 - bytes.data);
    if (!ends_well(bytes.data, lf) || !read_line(chunks, (struct text){bytes.data, size - 2})) return fail(chunks);
    return chunks->superfluous_bytes > LIMIT_HEADER_BYTES ? fail(chunks) : size;
}

size_t chunks_read(struct chunks *chunks, struct text bytes, struct text *ret_data) {
    *ret_data = (struct text){NULL, 0};
    if (bytes.size == 0 || chunks->state == CHUNKS_OVER || chunks->state == CHUNKS_FAULTY) return 0;
    if (chunks->state != CHUNKS_DATA) return take_line(chunks, bytes);
    size_t size = bytes.size < chunks->left_bytes ? bytes.size : (size_t)chunks->left_bytes;
    chunks->left_bytes -= size;
    if (chunks->left_bytes == 0) chunks->state = CHUNKS_DATA_END;
    *ret_data = (struct text){bytes.data, size};
    return size;
}
