/* Heads and chunked bodies in whatever pieces they come, and everything in them that RFC 9112 forbids. */
#include "http/parse.h"

#include <http_parser.h>

#include "fixture.h"

#include "base/limits.h"

/* Byte by byte, as the connections do it: the same verdict as at once. */
static enum head_verdict scan(struct text bytes, size_t *ret_size) {
    struct head_scan at_once = {0}, slow = {0};
    size_t size = 0;
    enum head_verdict verdict = head_scan(&at_once, bytes, ret_size), piecewise = HEAD_PARTIAL;
    for (size_t i = 1; i <= bytes.size && piecewise == HEAD_PARTIAL; i++) piecewise = head_scan(&slow, (struct text){bytes.data, i}, &size);
    assert_int_equal(piecewise, verdict);
    if (verdict == HEAD_WHOLE) assert_int_equal(size, *ret_size);
    return verdict;
}

static void test_a_head_ends_with_its_empty_line(void **state) {
    (void)state;
    size_t size = 0;
    assert_int_equal(scan(TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"), &size), HEAD_WHOLE);
    assert_int_equal(size, 27);
    assert_int_equal(scan(TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r"), &size), HEAD_PARTIAL);
    assert_int_equal(scan(TEXT("\r"), &size), HEAD_PARTIAL);
    assert_int_equal(head_skip_empty_lines(TEXT("\r\n\r\n\rG")), 4);
    assert_int_equal(head_skip_empty_lines(TEXT("\n")), 0);
}

static void test_a_bad_line_does_not_wait_for_the_end(void **state) {
    (void)state;
    size_t size = 0;
    static const char *const heads[] = {
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\r\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c",
        "GET / HTTP/1.1\r\n\tA: b",
        "GET / HTTP/1.1\r\n\rX\r\n",
        "GET / HTTP/1.1\r\n: b",
        "GET / HTTP/1.1\r\nA:\rB: c\r\n",
        " GET / HTTP/1.1\r\n",
        "\n",
        "\x16\x03\x01",
        "\r\n",
        "GET / HTTP/1.1\r\n\x80: b",
        "GET / HTTP/1.1\r\nA: b\n\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(heads); i++) assert_int_equal(scan(text_of(heads[i]), &size), HEAD_FAULTY);
    assert_int_equal(scan((struct text){"\0", 1}, &size), HEAD_FAULTY);
}

static void test_a_head_is_bounded(void **state) {
    (void)state;
    static char bytes[LIMIT_HEADER_BYTES + 8];
    size_t size = 0;
    memset(bytes, 'a', sizeof(bytes));
    struct head_scan at_once = {0};
    assert_int_equal(head_scan(&at_once, (struct text){bytes, LIMIT_HEADER_BYTES - 1}, &size), HEAD_PARTIAL);
    assert_int_equal(head_scan(&at_once, (struct text){bytes, LIMIT_HEADER_BYTES}, &size), HEAD_TOO_LARGE);
    at_once = (struct head_scan){0};
    memcpy(bytes + LIMIT_HEADER_BYTES - 4, "\r\n\r\n", 4);
    assert_int_equal(head_scan(&at_once, (struct text){bytes, sizeof(bytes)}, &size), HEAD_WHOLE);
    assert_int_equal(size, LIMIT_HEADER_BYTES);
}

struct read {
    struct fixture fixture;
    struct head_facts facts;
    bool is_sound;
};

static void read_head(struct read *read, const char *bytes, size_t size) {
    struct request_head head;
    fixture_init(&read->fixture, NULL);
    read->facts = head_read(&head, &read->fixture.exchange, (struct text){bytes, size});
    read->is_sound = request_end(&head, read->facts.is_1_1, &read->fixture.ids, 1700000000000000);
}

static void test_a_head_is_read(void **state) {
    (void)state;
    struct read read;
    static const char bytes[] =
        "M-BREW http://a/v1/x?y=z HTTP/1.1\r\nHost: a\r\nAccept:  b/c \r\nOrigin:\r\nConnection: x, keep-alive\r\n\r\n";
    read_head(&read, bytes, sizeof(bytes) - 1);
    assert_true(read.is_sound && read.facts.is_1_1 && read.facts.keeps_alive);
    assert_text(read.fixture.exchange.method, "M-BREW");
    assert_text(read.fixture.exchange.path, "/v1/x");
    assert_text(read.fixture.exchange.query[0].value, "z");
    assert_text(read.fixture.exchange.accept, "b/c");
    assert_text(read.fixture.exchange.origin, "");
    fixture_clear(&read.fixture);
}

static void keeps_alive(const char *head, bool is_1_1, bool expected) {
    struct read read;
    read_head(&read, head, strlen(head));
    assert_true(read.is_sound);
    assert_int_equal(read.facts.is_1_1, is_1_1);
    assert_int_equal(read.facts.keeps_alive, expected);
    fixture_clear(&read.fixture);
}

static void test_who_keeps_the_connection(void **state) {
    (void)state;
    keeps_alive("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, true);
    keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true, false);
    keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: te , Close\r\n\r\n", true, false);
    keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: te\r\nConnection: close\r\n\r\n", true, false);
    keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true, true);
    keeps_alive("GET / HTTP/1.0\r\n\r\n", false, false);
    keeps_alive("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false, true);
    keeps_alive("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, false);
    keeps_alive("GET / HTTP/1.2\r\nHost: a\r\n\r\n", true, true);
    keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", true, true);
}

static void is_refused(const char *bytes, size_t size, const char *piece) {
    struct read read;
    read_head(&read, bytes, size);
    assert_false(read.is_sound);
    assert_false(read.facts.keeps_alive && read.fixture.exchange.status != 400);
    assert_problem(&read.fixture.exchange, 400, "bad_request");
    if (!body_contains(&read.fixture.exchange, piece)) fail_msg("%s: not %s", bytes, piece);
    fixture_clear(&read.fixture);
}

#define IS_REFUSED(bytes, piece) is_refused(bytes, sizeof(bytes) - 1, piece)

static void test_what_must_not_be_repaired(void **state) {
    (void)state;
    IS_REFUSED("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "request line");
    IS_REFUSED("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "request line");
    IS_REFUSED("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "request line");
    IS_REFUSED("GET / HTTP/11\r\nHost: a\r\n\r\n", "request line");
    IS_REFUSED("GET /\r\nHost: a\r\n\r\n", "request line");
    IS_REFUSED("GET\r\nHost: a\r\n\r\n", "request line");
    IS_REFUSED("GET / HTTP/9.9\r\nHost: a\r\n\r\n", "HTTP/1.x");
    IS_REFUSED("PRI * HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.x");
    IS_REFUSED("GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "target");
    IS_REFUSED("GET /a\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "target");
    IS_REFUSED("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "target");
    IS_REFUSED("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", "percent-encoding");
    IS_REFUSED("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", "target");
    IS_REFUSED("GET ** HTTP/1.1\r\nHost: a\r\n\r\n", "target");
    IS_REFUSED("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "ill-formed");
    IS_REFUSED("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "ill-formed");
    IS_REFUSED("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "ill-formed");
    IS_REFUSED("GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", "colon");
    IS_REFUSED("GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n", "control");
    IS_REFUSED("GET / HTTP/1.1\r\nHost: a\r\nA: b\x01\r\n\r\n", "control");
    IS_REFUSED("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "repeated");
    IS_REFUSED("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "beside");
    IS_REFUSED("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "Transfer-Encoding");
}

static void faulty(struct text bytes, enum head_verdict verdict, int status) {
    struct fixture fixture;
    struct request_head head;
    fixture_init(&fixture, NULL);
    head_read_faulty(&head, &fixture.exchange, bytes, verdict);
    assert_false(request_end(&head, true, &fixture.ids, 1700000000000000));
    assert_int_equal(fixture.exchange.status, status);
    fixture_clear(&fixture);
}

static void test_what_cannot_be_read_is_still_answered(void **state) {
    (void)state;
    static char bytes[LIMIT_HEADER_BYTES];
    faulty(TEXT("GET / HTTP/1.1\n"), HEAD_FAULTY, 400);
    faulty(TEXT("\x16"), HEAD_FAULTY, 400);
    memset(bytes, 'a', sizeof(bytes));
    faulty((struct text){bytes, sizeof(bytes)}, HEAD_TOO_LARGE, 431);
    memcpy(bytes, "GET /", 5);
    faulty((struct text){bytes, sizeof(bytes)}, HEAD_TOO_LARGE, 414);
    bytes[1000] = ' ';
    faulty((struct text){bytes, sizeof(bytes)}, HEAD_TOO_LARGE, 431);
}

/* ---- chunks ---- */

static enum chunks_state decode(struct text bytes, size_t piece_size, char *data, size_t *ret_used) {
    struct chunks chunks;
    size_t size = 0, start = 0, end = 0;
    chunks_begin(&chunks);
    while (chunks.state != CHUNKS_OVER && chunks.state != CHUNKS_FAULTY) {
        struct text piece;
        size_t used = chunks_read(&chunks, (struct text){bytes.data + start, end - start}, &piece);
        if (piece.size > 0) memcpy(data + size, piece.data, piece.size);
        size += piece.size;
        start += used;
        if (used > 0) continue;
        if (end == bytes.size) break;
        end = bytes.size - end > piece_size ? end + piece_size : bytes.size;
    }
    data[size] = '\0';
    *ret_used = start;
    return chunks.state;
}

static enum chunks_state decode_both(struct text bytes, char *data, size_t *ret_used) {
    char again[512];
    size_t used = 0;
    enum chunks_state state = decode(bytes, 512, data, ret_used);
    assert_int_equal(decode(bytes, 1, again, &used), state);
    if (state == CHUNKS_OVER) assert_int_equal(used, *ret_used);
    assert_string_equal(again, data);
    return state;
}

static void test_chunks_are_put_together(void **state) {
    (void)state;
    char data[512];
    size_t used = 0;
    assert_int_equal(decode_both(TEXT("2\r\n{\"\r\n05 ;x=y\r\na\":12\r\n1\r\n}\r\n0\r\nA: b\r\n\r\nGET"), data, &used), CHUNKS_OVER);
    assert_string_equal(data, "{\"a\":12}");
    assert_int_equal(used, 40);
    assert_int_equal(decode_both(TEXT("0\r\n\r\n"), data, &used), CHUNKS_OVER);
    assert_int_equal(decode_both(TEXT("a\r\n12345"), data, &used), CHUNKS_DATA);
}

static void test_chunks_that_could_be_read_in_two_ways(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "2\n{}\r\n0\r\n\r\n",
        "2\rX{}\r\n0\r\n\r\n",
        "2\r\n{}XY0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2 \r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "g\r\n",
        "fffffffffffffffff\r\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
        "2;a\x01\r\n{}\r\n",
        "0\r\n\rX\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\nA\r\n\r\n",
        "0\r\n\n",
        "0\r\nContent-Length: 3\n\r\n",
    };
    char data[512];
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) assert_int_equal(decode_both(text_of(bodies[i]), data, &used), CHUNKS_FAULTY);
    assert_int_equal(decode_both((struct text){"2;\0\r\n", 5}, data, &used), CHUNKS_FAULTY);
}

static void test_what_nobody_reads_is_bounded(void **state) {
    (void)state;
    static char line[LIMIT_HEADER_BYTES];
    struct chunks chunks;
    struct text data;
    memset(line, 'a', sizeof(line));
    chunks_begin(&chunks);
    assert_int_equal(chunks_read(&chunks, (struct text){line, 1000}, &data), 0);
    assert_int_equal(chunks.state, CHUNKS_SIZE);
    assert_int_equal(chunks_read(&chunks, (struct text){line, sizeof(line)}, &data), 0);
    assert_int_equal(chunks.state, CHUNKS_FAULTY);
    chunks_begin(&chunks);
    memcpy(line, "1;", 2);
    memcpy(line + 998, "\r\nx\r\n", 5);
    size_t rounds = 0;
    while (chunks.state != CHUNKS_FAULTY && rounds < 100) {
        for (size_t at = 0; at < 1003 && chunks.state != CHUNKS_FAULTY;)
            at += chunks_read(&chunks, (struct text){line + at, 1003 - at}, &data);
        rounds++;
    }
    assert_int_equal(rounds, LIMIT_HEADER_BYTES / 997 + 1);
}

/* ---- a second opinion: what we take, http-parser takes too, and frames it in the same way ---- */

struct opinion {
    http_parser parser;
    char data[512];
    size_t size;
    bool has_head, is_whole;
};

static int hear_head(http_parser *parser) {
    ((struct opinion *)parser->data)->has_head = true;
    return 0;
}

static int hear_data(http_parser *parser, const char *at, size_t size) {
    struct opinion *opinion = parser->data;
    memcpy(opinion->data + opinion->size, at, size);
    opinion->size += size;
    return 0;
}

static int hear_end(http_parser *parser) {
    ((struct opinion *)parser->data)->is_whole = true;
    http_parser_pause(parser, 1);
    return 0;
}

/* It knows few methods, so the request line comes with another one. Gives how many bytes it took. */
static size_t ask_parser(struct opinion *opinion, struct text bytes) {
    static const http_parser_settings settings = {.on_headers_complete = hear_head, .on_body = hear_data, .on_message_complete = hear_end};
    *opinion = (struct opinion){0};
    http_parser_init(&opinion->parser, HTTP_REQUEST);
    opinion->parser.data = opinion;
    http_parser_execute(&opinion->parser, &settings, "PUT", 3);
    size_t method_size = strcspn(bytes.data, " ");
    return method_size + http_parser_execute(&opinion->parser, &settings, bytes.data + method_size, bytes.size - method_size);
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

/* One to three bytes are replaced, added or taken away. */
static size_t mutate(char *bytes, const char *base, uint32_t *seed) {
    static const char alphabet[] = " \t\r\n:;,/-_.?#\"\x01\x80"
                                   "GHTPclosechunked0123456789af";
    size_t size = strlen(base);
    memcpy(bytes, base, size);
    for (uint32_t i = 0; i <= next_random(seed) % 3; i++) {
        size_t at = next_random(seed) % size;
        char byte = alphabet[next_random(seed) % (sizeof(alphabet) - 1)];
        uint32_t what = next_random(seed) % 3;
        if (what == 1) memmove(bytes + at + 1, bytes + at, size++ - at);
        if (what == 2) memmove(bytes + at, bytes + at + 1, --size - at);
        if (what != 2) bytes[at] = byte;
    }
    bytes[size] = '\0';
    return size;
}

static bool agree_on_head(const char *bytes, size_t size) {
    struct head_scan at_once = {0};
    struct read read;
    struct opinion opinion;
    size_t head_size = 0;
    if (head_scan(&at_once, (struct text){bytes, size}, &head_size) != HEAD_WHOLE) return false;
    read_head(&read, bytes, head_size);
    int64_t length = read.fixture.exchange.content_length;
    bool is_sound = read.is_sound;
    fixture_clear(&read.fixture);
    if (!is_sound) return false;
    ask_parser(&opinion, (struct text){bytes, head_size});
    bool has_length = opinion.parser.content_length != UINT64_MAX && (opinion.parser.flags & F_CONTENTLENGTH) != 0;
    assert_true(opinion.has_head);
    assert_true((opinion.parser.flags & F_CHUNKED) == 0 || length == EXCHANGE_LENGTH_UNKNOWN);
    if (length != EXCHANGE_LENGTH_UNKNOWN) assert_int_equal(has_length ? (int64_t)opinion.parser.content_length : 0, length);
    assert_true((opinion.parser.flags & F_CONNECTION_CLOSE) == 0 ||
                !read.facts.keeps_alive); /* it overlooks words behind an empty element */
    return true;
}

static bool agree_on_chunks(const char *bytes, size_t size) {
    static const char head[] = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    char request[512], data[512];
    struct opinion opinion;
    size_t used = 0;
    if (decode((struct text){bytes, size}, 512, data, &used) != CHUNKS_OVER) return false;
    memcpy(request, head, sizeof(head) - 1);
    memcpy(request + sizeof(head) - 1, bytes, size);
    size_t taken = ask_parser(&opinion, (struct text){request, sizeof(head) - 1 + size});
    assert_true(opinion.is_whole);
    assert_int_equal(taken, sizeof(head) - 1 + used);
    assert_int_equal(opinion.size, strlen(data));
    assert_memory_equal(opinion.data, data, opinion.size);
    return true;
}

static void test_a_second_opinion(void **state) {
    (void)state;
    static const char *const heads[] = {
        "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX: y\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n",
        "GET http://a.b/c HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
        "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    };
    static const char *const bodies[] = {"2\r\n{\"\r\n5;x=y\r\na\":12\r\n1\r\n}\r\n0\r\nA: b\r\n\r\n",
                                         "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"};
    char bytes[256];
    uint32_t seed = 1;
    size_t heads_taken = 0, bodies_taken = 0;
    for (size_t i = 0; i < 40000; i++) {
        size_t size = mutate(bytes, heads[i % ARRAY_COUNT(heads)], &seed);
        heads_taken += agree_on_head(bytes, size);
        size = mutate(bytes, bodies[i % ARRAY_COUNT(bodies)], &seed);
        bodies_taken += agree_on_chunks(bytes, size);
    }
    assert_true(heads_taken > 4000 && bodies_taken > 4000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_ends_with_its_empty_line),
        cmocka_unit_test(test_a_bad_line_does_not_wait_for_the_end),
        cmocka_unit_test(test_a_head_is_bounded),
        cmocka_unit_test(test_a_head_is_read),
        cmocka_unit_test(test_who_keeps_the_connection),
        cmocka_unit_test(test_what_must_not_be_repaired),
        cmocka_unit_test(test_what_cannot_be_read_is_still_answered),
        cmocka_unit_test(test_chunks_are_put_together),
        cmocka_unit_test(test_chunks_that_could_be_read_in_two_ways),
        cmocka_unit_test(test_what_nobody_reads_is_bounded),
        cmocka_unit_test(test_a_second_opinion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
