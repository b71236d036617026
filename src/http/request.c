#include "http/request.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/field.h"
#include "http/problem.h"
#include "http/service.h"

#define TRACEPARENT_BYTES 55 /* 00-<32>-<16>-<2> */

static int hex_value(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

struct result request_decode(struct arena *arena, struct text raw, bool plus_is_blank, struct text *ret_text) {
    char *bytes = arena_take(arena, raw.size + 1);
    if (bytes == NULL) return result_error(RESULT_FULL);
    size_t size = 0;
    for (size_t i = 0; i < raw.size; i++) {
        char byte = raw.data[i];
        if (byte == '+' && plus_is_blank) {
            byte = ' ';
        } else if (byte == '%') {
            if (raw.size - i < 3) return result_error(RESULT_INVALID);
            int high = hex_value(raw.data[i + 1]);
            int low = hex_value(raw.data[i + 2]);
            if (high < 0 || low < 0) return result_error(RESULT_INVALID);
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (byte == '\0') return result_error(RESULT_INVALID);
        bytes[size++] = byte;
    }
    bytes[size] = '\0';
    size_t character_count = 0;
    *ret_text = (struct text){bytes, size};
    return text_count_characters(*ret_text, &character_count);
}

void request_set_fault(struct request_head *head, const char *fault) {
    if (head->fault == NULL) head->fault = fault;
}

static void take_query(struct request_head *head, struct text query) {
    struct exchange *exchange = head->exchange;
    while (query.size > 0) {
        const char *end = memchr(query.data, '&', query.size);
        struct text pair = {query.data, end != NULL ? (size_t)(end - query.data) : query.size};
        size_t step = end != NULL ? pair.size + 1 : pair.size;
        query = (struct text){query.data + step, query.size - step};
        if (pair.size == 0) continue;
        if (exchange->query_count == EXCHANGE_QUERY_MAX) {
            exchange->query_dropped++;
            continue;
        }
        const char *equals = memchr(pair.data, '=', pair.size);
        struct text name = {pair.data, equals != NULL ? (size_t)(equals - pair.data) : pair.size};
        struct text value = {name.data + name.size, 0};
        if (equals != NULL) value = (struct text){equals + 1, pair.size - name.size - 1};
        struct query_value *given = &exchange->query[exchange->query_count];
        struct result outcome = request_decode(&exchange->arena, name, true, &given->name);
        if (result_is_ok(outcome)) outcome = request_decode(&exchange->arena, value, true, &given->value);
        if (outcome.code == RESULT_FULL) head->out_of_memory = true;
        if (outcome.code == RESULT_INVALID) request_set_fault(head, "the query has a bad percent-encoding");
        if (!result_is_ok(outcome)) return;
        exchange->query_count++;
    }
}

/* ASCII with nothing to decode. */
static bool is_plain(struct text raw) {
    for (size_t i = 0; i < raw.size; i++) {
        unsigned char byte = (unsigned char)raw.data[i];
        if (byte == '\0' || byte >= 0x80 || byte == '%') return false;
    }
    return true;
}

struct text request_without_authority(struct text target) {
    size_t size = 7;
    if (target.size == 0 || target.data[0] == '/') return target;
    if (target.size >= 8 && text_equal_ignoring_case((struct text){target.data, 8}, TEXT("https://"))) size = 8;
    if (size == 7 && (target.size < 7 || !text_equal_ignoring_case((struct text){target.data, 7}, TEXT("http://")))) return target;
    while (size < target.size && target.data[size] != '/' && target.data[size] != '?') size++;
    return (struct text){target.data + size, target.size - size};
}

void request_begin(struct request_head *head, struct exchange *exchange, struct text method, struct text target) {
    *head = (struct request_head){.exchange = exchange, .header_bytes = method.size + target.size + 12};
    const struct address_set *trusted = exchange->service->trusted_proxies;
    if (trusted != NULL && address_set_has(trusted, &exchange->peer)) head->trusted_proxies = trusted;
    exchange->method = arena_copy(&exchange->arena, method);
    exchange->path = TEXT("/");
    if (exchange->method.data == NULL) head->out_of_memory = true;
    if (target.size > LIMIT_URI_BYTES) {
        head->target_too_long = true;
        return;
    }
    target = request_without_authority(target);
    const char *mark = target.size > 0 ? memchr(target.data, '?', target.size) : NULL;
    struct text raw_path = {target.data, mark != NULL ? (size_t)(mark - target.data) : target.size};
    if (raw_path.size > 0) exchange->path = arena_copy(&exchange->arena, raw_path);
    if (exchange->path.data == NULL) {
        exchange->path = TEXT("/");
        head->out_of_memory = true;
    }
    struct text decoded;
    if (!is_plain(raw_path) && request_decode(&exchange->arena, raw_path, false, &decoded).code == RESULT_INVALID)
        request_set_fault(head, "the path has a bad percent-encoding");
    if (mark != NULL) take_query(head, (struct text){mark + 1, target.size - raw_path.size - 1});
}

bool request_is_authority(struct text text) {
    static const bool is_part[256] = {
        ['!'] = true, ['$' ... '.'] = true, ['0' ... ';'] = true, ['='] = true, ['@' ... '['] = true,
        [']'] = true, ['_'] = true,         ['a' ... 'z'] = true, ['~'] = true,
    };
    for (size_t i = 0; i < text.size; i++) {
        if (!is_part[(unsigned char)text.data[i]]) return false;
    }
    return text.size > 0;
}

/* Without an early end, so that the compiler looks at many bytes at once: tokens are long. Tabs, which may be there, hardly ever are. */
bool request_is_value(struct text text) {
    unsigned char least = ' ';
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        least = byte < least ? byte : least;
    }
    if (least == ' ') return true;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < ' ' && byte != '\t') return false;
    }
    return true;
}

/* ---- fields ---- */

enum field_rule { FIELD_ONCE, FIELD_LIST, FIELD_LAST };

struct field {
    struct text name;
    void (*take)(struct request_head *head, const struct field *field, struct text value);
    size_t offset; /* take_kept: in the exchange */
    enum field_rule rule;
};

static void take_kept(struct request_head *head, const struct field *field, struct text value) {
    struct arena *arena = &head->exchange->arena;
    struct text *place = (struct text *)(void *)((char *)head->exchange + field->offset);
    struct text copy;
    if (place->data != NULL && field->rule == FIELD_ONCE) {
        request_set_fault(head, "a header field that may stand once is repeated");
        return;
    }
    if (place->data != NULL && field->rule == FIELD_LIST) {
        copy = arena_print(arena, "%.*s, %.*s", (int)place->size, place->data, (int)value.size, value.data);
    } else {
        copy = arena_copy(arena, value);
    }
    if (copy.data == NULL) {
        head->out_of_memory = true;
        return;
    }
    *place = copy;
}

static void take_framing(struct request_head *head, struct text *place, struct text value) {
    if (place->data != NULL) request_set_fault(head, "a header field that frames the body is repeated");
    *place = value;
}

static void take_length(struct request_head *head, const struct field *field, struct text value) {
    (void)field;
    take_framing(head, &head->content_length, value);
}

static void take_encoding(struct request_head *head, const struct field *field, struct text value) {
    (void)field;
    take_framing(head, &head->transfer_encoding, value);
}

static void take_host(struct request_head *head, const struct field *field, struct text value) {
    (void)field;
    head->host_count++;
    /* RFC 9112, section 3.2. We do not ask what it says, but whoever stands before us may. */
    if (value.size > 0 && !request_is_authority(value)) request_set_fault(head, "an ill-formed Host");
}

static void take_expect(struct request_head *head, const struct field *field, struct text value) {
    (void)field;
    head->expects_continue = text_equal_ignoring_case(value, TEXT("100-continue"));
}

static void take_request_id(struct request_head *head, const struct field *field, struct text value) {
    (void)field;
    if (head->x_request_id.data == NULL) head->x_request_id = value;
}

static void take_forwarded(struct request_head *head, const struct field *field, struct text value) {
    (void)field;
    if (head->trusted_proxies != NULL) forwarded_add(&head->forwarded, head->trusted_proxies, value);
}

static void take_x_forwarded_for(struct request_head *head, const struct field *field, struct text value) {
    (void)field;
    if (head->trusted_proxies != NULL) forwarded_add_x(&head->x_forwarded_for, head->trusted_proxies, value);
}

static void take_connection(struct request_head *head, const struct field *field, struct text list) {
    (void)field;
    while (list.size > 0) {
        const char *comma = memchr(list.data, ',', list.size);
        struct text option = {list.data, comma != NULL ? (size_t)(comma - list.data) : list.size};
        size_t step = comma != NULL ? option.size + 1 : option.size;
        list = (struct text){list.data + step, list.size - step};
        option = field_trimmed(option);
        if (text_equal_ignoring_case(option, TEXT("close"))) head->wants_close = true;
        if (text_equal_ignoring_case(option, TEXT("keep-alive"))) head->wants_keep_alive = true;
    }
}

#define KEPT(name_, member_, rule_) \
    { TEXT(name_), take_kept, offsetof(struct exchange, member_), (rule_) }
#define OTHER(name_, take_) \
    { .name = TEXT(name_), .take = (take_) }

/* Those that decide who asks, or what is done, may stand once only: two different readings of one request are an attack. */
static const struct field fields[] = {
    OTHER("Host", take_host),
    KEPT("Authorization", authorization, FIELD_ONCE),
    KEPT("Content-Type", content_type, FIELD_ONCE),
    OTHER("Content-Length", take_length),
    OTHER("Transfer-Encoding", take_encoding),
    OTHER("Connection", take_connection),
    OTHER("Expect", take_expect),
    OTHER("X-Request-Id", take_request_id),
    OTHER("Forwarded", take_forwarded),
    OTHER("X-Forwarded-For", take_x_forwarded_for),
    KEPT("Accept", accept, FIELD_LIST),
    KEPT("Accept-Encoding", accept_encoding, FIELD_LIST),
    KEPT("Idempotency-Key", idempotency_key, FIELD_ONCE),
    KEPT("If-Match", if_match, FIELD_LIST),
    KEPT("If-None-Match", if_none_match, FIELD_LIST),
    KEPT("Last-Event-ID", last_event_id, FIELD_LAST),
    KEPT("Origin", origin, FIELD_ONCE),
    KEPT("traceparent", traceparent, FIELD_ONCE),
};

static const struct field *find_field(struct text name) {
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        if (fields[i].name.size == name.size && text_equal_ignoring_case(fields[i].name, name)) return &fields[i];
    }
    return NULL;
}

void request_add_header(struct request_head *head, struct text name, struct text value) {
    value = field_trimmed(value);
    head->header_bytes += name.size + value.size + 4;
    if (head->header_bytes > LIMIT_HEADER_BYTES) return;
    const struct field *field = find_field(name); /* its name is a token, then */
    /* Who reads "Transfer-Encoding " as Transfer-Encoding sees another body than we do (RFC 9112, section 5.1). */
    if (field == NULL && !field_is_token(name)) request_set_fault(head, "the name of a header field is ill-formed");
    if (!request_is_value(value)) request_set_fault(head, "a header field has a control character in it");
    if (field != NULL) field->take(head, field, value);
}

static bool is_lower_hex(struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'))) return false;
    }
    return true;
}

static bool is_all_zero(struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '0') return false;
    }
    return true;
}

bool request_traceparent_is_valid(struct text traceparent) {
    if (traceparent.size < TRACEPARENT_BYTES) return false;
    const char *data = traceparent.data;
    struct text version = {data, 2};
    struct text trace_id = {data + 3, 32};
    struct text parent_id = {data + 36, 16};
    struct text flags = {data + 53, 2};
    if (data[2] != '-' || data[35] != '-' || data[52] != '-') return false;
    if (!is_lower_hex(version) || !is_lower_hex(trace_id) || !is_lower_hex(parent_id) || !is_lower_hex(flags)) return false;
    if (text_equal(version, TEXT("ff")) || is_all_zero(trace_id) || is_all_zero(parent_id)) return false;
    if (traceparent.size == TRACEPARENT_BYTES) return true;
    return !text_equal(version, TEXT("00")) && data[TRACEPARENT_BYTES] == '-';
}

/* Never empty: answers and logs name the request by it. */
static void identify(struct request_head *head, struct id_source *ids, int64_t now_us) {
    struct exchange *exchange = head->exchange;
    struct text given = head->x_request_id;
    struct id made = id_make(ids, now_us);
    if (given.size > 0 && given.size <= REQUEST_ID_BYTES_MAX && text_is_printable_ascii(given)) {
        exchange->request_id = arena_copy(&exchange->arena, given);
    } else {
        char text[ID_TEXT_BYTES];
        id_format(made, text);
        exchange->request_id = arena_copy(&exchange->arena, (struct text){text, sizeof(text)});
    }
    if (exchange->request_id.data == NULL) {
        exchange->request_id = TEXT("-");
        head->out_of_memory = true;
    }
    if (request_traceparent_is_valid(exchange->traceparent)) return;
    exchange->traceparent = (struct text){NULL, 0};
    exchange->trace_id = made;
}

/* RFC 9112, section 6.3: a body whose length can be read in two ways is refused. */
static void judge_framing(struct request_head *head, bool is_1_1) {
    struct exchange *exchange = head->exchange;
    uint64_t length = 0;
    if (head->transfer_encoding.data != NULL) {
        exchange->content_length = EXCHANGE_LENGTH_UNKNOWN;
        if (head->content_length.data != NULL) request_set_fault(head, "Content-Length beside Transfer-Encoding");
        if (!is_1_1) request_set_fault(head, "Transfer-Encoding before HTTP/1.1");
        if (!text_equal_ignoring_case(head->transfer_encoding, TEXT("chunked")))
            request_set_fault(head, "a Transfer-Encoding other than chunked");
    } else if (head->content_length.data != NULL) {
        if (!result_is_ok(text_parse_unsigned(head->content_length, INT64_MAX, &length)))
            request_set_fault(head, "an ill-formed Content-Length");
        exchange->content_length = (int64_t)length;
    }
}

bool request_end(struct request_head *head, bool is_1_1, struct id_source *ids, int64_t now_us) {
    struct exchange *exchange = head->exchange;
    judge_framing(head, is_1_1);
    identify(head, ids, now_us);
    exchange->client = forwarded_client(&exchange->peer, &head->forwarded, &head->x_forwarded_for);
    if (is_1_1 ? head->host_count != 1 : head->host_count > 1) request_set_fault(head, "not exactly one Host");
    if (head->header_bytes > LIMIT_HEADER_BYTES) {
        problem_reply(exchange, &problem_headers_too_large, "the header section is limited to %u bytes", LIMIT_HEADER_BYTES);
    } else if (head->target_too_long) {
        problem_reply(exchange, &problem_uri_too_long, "the request target is limited to %u bytes", LIMIT_URI_BYTES);
    } else if (head->fault != NULL) {
        problem_reply(exchange, &problem_bad_request, "%s", head->fault);
    } else if (head->out_of_memory) {
        problem_reply(exchange, &problem_overloaded, NULL);
    } else {
        return true;
    }
    /* Whatever was wrong, the fields that frame the body may have been left unread or read wrongly: where it ends is not known. */
    exchange->content_length = EXCHANGE_LENGTH_UNKNOWN;
    return false;
}
