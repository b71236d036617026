/* A fingerprint is a text with one line for each leaf of the request: 16 hex digits of a keyed hash, a blank, the leaf's path.
 *
 *   5e0c…91 (path)                the method and the path of the route
 *   a1b2…03 credit.amount
 *   77f0…4c items[0].reference
 *
 * The body's canonical text (members sorted, compact) is walked, so equal bodies give equal lines in the same order whatever blanks and order
 * they were sent with. A body of more than LEAVES_MAX leaves, or of long-named or oddly named ones, is told by its top-level members; one with too
 * many of those as a whole. So a fingerprint is never longer than about LEAVES_MAX × (PATH_BYTES_MAX + 18) bytes. */
#include "service/idempotency.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "http/problem.h"

#define LEAVES_MAX     64u
#define LEVELS_MAX     6u
#define PATH_BYTES_MAX 160u
#define HEX_BYTES      16u
#define ROUTE_LINE     "(path)"
#define BODY_LINE      "(body)"
#define CALLER_BYTES   64u /* "user:" and an id, "service:" and a name, "public" */

struct level {
    bool is_array;
    size_t index;
    size_t path_size; /* of the container itself */
};

struct walk {
    struct text json; /* canonical: valid, compact, sorted */
    size_t at;
    size_t deepest; /* containers of this level are told as a whole */
    const uint8_t *secret;
    struct buffer *lines;
    size_t line_count;
    char path[PATH_BYTES_MAX];
    size_t path_size;
    struct level levels[LEVELS_MAX];
    size_t depth;
};

static void add_line(struct buffer *lines, const uint8_t *secret, struct text path, struct text value) {
    struct hash hash = crypto_hash_keyed(value, secret);
    for (size_t i = 0; i < HEX_BYTES / 2; i++) buffer_print(lines, "%02x", hash.bytes[i]);
    buffer_append_byte(lines, ' ');
    buffer_append(lines, path);
    buffer_append_byte(lines, '\n');
}

/* Behind the string that starts at `at` with its quote. */
static size_t skip_string(struct text json, size_t at) {
    CHECK(json.data[at] == '"');
    for (at++; at < json.size && json.data[at] != '"'; at++) {
        if (json.data[at] == '\\') at++;
    }
    return at + 1;
}

/* Behind the value that starts at `at`, whatever is inside. */
static size_t skip_value(struct text json, size_t at) {
    size_t open = 0;
    while (at < json.size) {
        char byte = json.data[at];
        if (byte == '"') {
            at = skip_string(json, at);
            if (open == 0) return at;
            continue;
        }
        if ((byte == ',' || byte == '}' || byte == ']') && open == 0) return at;
        if (byte == '{' || byte == '[') open++;
        at++;
        if ((byte == '}' || byte == ']') && --open == 0) return at;
    }
    return at;
}

static bool append_path(struct walk *walk, const char *before, struct text piece, const char *after) {
    int size =
        snprintf(walk->path + walk->path_size, sizeof walk->path - walk->path_size, "%s%.*s%s", before, (int)piece.size, piece.data, after);
    if (size < 0 || (size_t)size >= sizeof walk->path - walk->path_size) return false;
    walk->path_size += (size_t)size;
    return true;
}

/* A name in which a path could not be told from a deeper one: two unlike bodies must not give the same lines. */
static bool is_plain(struct text name) {
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '.' || name.data[i] == '[' || name.data[i] == '(') return false;
    }
    return name.size > 0;
}

/* The path of the next member or item of the innermost container; moves to its value. */
static bool enter_place(struct walk *walk) {
    struct level *level = &walk->levels[walk->depth - 1];
    walk->path_size = level->path_size;
    if (level->is_array) {
        char index[24];
        int size = snprintf(index, sizeof index, "%zu", level->index++);
        return append_path(walk, "[", (struct text){index, (size_t)size}, "]");
    }
    size_t end = skip_string(walk->json, walk->at);
    struct text name = {walk->json.data + walk->at + 1, end - walk->at - 2};
    walk->at = end + 1; /* and the colon */
    if (!is_plain(name)) return false;
    return append_path(walk, walk->path_size == 0 ? "" : ".", name, "");
}

static bool is_container(const struct walk *walk) {
    char byte = walk->json.data[walk->at];
    char next = walk->at + 1 < walk->json.size ? walk->json.data[walk->at + 1] : '\0';
    return (byte == '{' && next != '}') || (byte == '[' && next != ']'); /* an empty one is a leaf */
}

static void open_container(struct walk *walk) {
    walk->levels[walk->depth++] = (struct level){.is_array = walk->json.data[walk->at] == '[', .path_size = walk->path_size};
    walk->at++;
}

/* Behind a value: closes what ends here, steps over one comma. False at the end of the text. */
static bool leave_value(struct walk *walk) {
    while (walk->at < walk->json.size && (walk->json.data[walk->at] == '}' || walk->json.data[walk->at] == ']')) {
        CHECK(walk->depth > 0);
        walk->depth--;
        walk->at++;
    }
    if (walk->at >= walk->json.size) return false;
    CHECK(walk->json.data[walk->at] == ',');
    walk->at++;
    return true;
}

/* False when the body has too many leaves, or too long a path, for this depth. */
static bool write_leaves(struct walk *walk) {
    if (!is_container(walk)) return false; /* no members: told as a whole */
    open_container(walk);
    do {
        if (!enter_place(walk)) return false;
        while (is_container(walk) && walk->depth < walk->deepest) {
            open_container(walk);
            if (!enter_place(walk)) return false;
        }
        if (walk->line_count++ == LEAVES_MAX) return false;
        size_t end = skip_value(walk->json, walk->at);
        struct text value = {walk->json.data + walk->at, end - walk->at};
        add_line(walk->lines, walk->secret, (struct text){walk->path, walk->path_size}, value);
        walk->at = end;
    } while (leave_value(walk));
    return true;
}

/* In full, by top-level members, or as a whole: the first that fits. */
static void write_body(struct buffer *lines, struct text json, const uint8_t *secret) {
    static const size_t depths[] = {LEVELS_MAX, 1};
    for (size_t i = 0; i < ARRAY_COUNT(depths); i++) {
        size_t size_before = lines->size;
        struct walk walk = {.json = json, .deepest = depths[i], .secret = secret, .lines = lines};
        if (write_leaves(&walk)) return;
        lines->size = size_before;
    }
    add_line(lines, secret, TEXT(BODY_LINE), json);
}

/* The body's canonical text. Of an object without its secret member: not even a digest of that is kept, with which a stolen database would let it be
 * guessed, and by which a repeat would tell whether a guess is right. */
static struct text print_body(struct arena *arena, const struct json_value *body, const char *secret_member) {
    struct text json = json_dump(arena, body);
    if (json.data == NULL || secret_member == NULL || !json_is_object(body) || json_get(body, secret_member) == NULL) return json;
    struct buffer rest;
    buffer_init(&rest, arena, json.size);
    buffer_append_byte(&rest, '{');
    for (size_t at = 1; at < json.size && json.data[at] != '}';) {
        size_t name_end = skip_string(json, at), end = skip_value(json, name_end + 1);
        struct text name = {json.data + at + 1, name_end - at - 2}, member = {json.data + at, end - at};
        if (!text_equal(name, text_of(secret_member))) {
            if (rest.size > 1) buffer_append_byte(&rest, ',');
            buffer_append(&rest, member);
        }
        at = json.data[end] == ',' ? end + 1 : end;
    }
    buffer_append_byte(&rest, '}');
    crypto_wipe((void *)json.data, json.size);
    return rest.failed ? (struct text){NULL, 0} : buffer_text(&rest);
}

static struct text print_fingerprint(struct exchange *exchange, const struct json_value *body, const char *secret_member,
                                     const uint8_t *secret) {
    struct buffer lines;
    buffer_init(&lines, &exchange->arena, 512);
    struct text route = arena_print(&exchange->arena, "%.*s %.*s", (int)exchange->method.size, exchange->method.data,
                                    (int)exchange->path.size, exchange->path.data);
    if (route.data == NULL) return route;
    add_line(&lines, secret, TEXT(ROUTE_LINE), route);
    if (body != NULL) {
        struct text json = print_body(&exchange->arena, body, secret_member);
        if (json.data == NULL) return json;
        write_body(&lines, json, secret);
    }
    return lines.failed ? (struct text){NULL, 0} : buffer_text(&lines);
}

/* No caller has a line feed in its name, so no other pair gives the same text. */
struct hash idempotency_lookup(const struct identity *caller, struct text key) {
    char text[CALLER_BYTES + 1 + IDEMPOTENCY_KEY_BYTES];
    struct text name = TEXT("public");
    size_t size = 0;
    switch (caller->kind) {
    case IDENTITY_NOBODY: break;
    case IDENTITY_USER: name = TEXT("user:"); break;
    case IDENTITY_SERVICE: name = TEXT("service:"); break;
    }
    CHECK(name.size + ID_TEXT_BYTES <= CALLER_BYTES && name.size + caller->name_size <= CALLER_BYTES);
    CHECK(key.size <= IDEMPOTENCY_KEY_BYTES);
    memcpy(text, name.data, name.size);
    size = name.size;
    if (caller->kind == IDENTITY_USER) {
        id_format(caller->user_id, text + size);
        size += ID_TEXT_BYTES;
    } else if (caller->kind == IDENTITY_SERVICE) {
        memcpy(text + size, caller->name, caller->name_size);
        size += caller->name_size;
    }
    text[size++] = '\n';
    memcpy(text + size, key.data, key.size);
    return crypto_hash((struct text){text, size + key.size});
}

void idempotency_name(const struct exchange *exchange, struct idempotency_request *ret_request) {
    *ret_request = (struct idempotency_request){.key = exchange->idempotency_key};
    if (ret_request->key.size > 0) ret_request->lookup = idempotency_lookup(&exchange->caller, ret_request->key);
}

void idempotency_read(struct exchange *exchange, const struct json_value *body, const char *secret_member,
                      const uint8_t secret[CRYPTO_HASH_BYTES], struct idempotency_request *ret_request) {
    idempotency_name(exchange, ret_request);
    if (ret_request->key.size > 0) ret_request->fingerprint = print_fingerprint(exchange, body, secret_member, secret);
}

bool idempotency_same_request(const struct idempotency_record *record, const struct idempotency_request *request) {
    return text_equal(record->fingerprint, request->fingerprint);
}

bool idempotency_keeps(int status) {
    if (status == 202) return false; /* to become final yet */
    if (status >= 200 && status <= 299) return true;
    if (status < 400 || status > 499) return false;
    /* About the moment, the token or the transport, and not about what was asked. */
    static const int passing[] = {400, 401, 403, 408, 425, 429};
    for (size_t i = 0; i < ARRAY_COUNT(passing); i++) {
        if (status == passing[i]) return false;
    }
    return true;
}

void idempotency_replay(struct exchange *exchange, const struct idempotency_record *record) {
    CHECK(record->status != 0);
    struct text content_type = arena_copy(&exchange->arena, record->content_type);
    struct text location = arena_copy(&exchange->arena, record->location);
    struct text body = arena_copy(&exchange->arena, record->body);
    if (content_type.data == NULL || location.data == NULL || body.data == NULL) {
        problem_reply(exchange, &problem_overloaded, "The kept answer does not fit into the memory of one request.");
        return;
    }
    reply_header(exchange, "Idempotent-Replayed", TEXT("true"));
    if (location.size > 0) reply_location(exchange, location);
    reply_set(exchange, record->status, content_type.size == 0 ? NULL : content_type.data, body);
}

/* ---- differences ---- */

struct line {
    struct text hash, path;
};

static struct text next_line(struct text *rest) {
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct text line = {rest->data, size};
    size_t step = end == NULL ? size : size + 1;
    *rest = (struct text){rest->data + step, rest->size - step};
    return line;
}

/* False behind the last line. What a database gives back is not trusted to be one of ours: a short line is skipped. */
static bool read_line(struct text *rest, struct line *ret_line) {
    while (rest->size > 0) {
        struct text line = next_line(rest);
        if (line.size <= HEX_BYTES + 1) continue;
        *ret_line = (struct line){{line.data, HEX_BYTES}, {line.data + HEX_BYTES + 1, line.size - HEX_BYTES - 1}};
        return true;
    }
    return false;
}

static bool find_line(struct text lines, struct text path, struct line *ret_line) {
    while (read_line(&lines, ret_line)) {
        if (text_equal(ret_line->path, path)) return true;
    }
    return false;
}

/* Those of a that b has not, or not with the same value; `missing` and `changed` are the sentences, `changed` NULL: told already. */
static void add_differences(struct text a, struct text b, const char *missing, const char *changed, struct exchange *exchange,
                            struct faults *faults) {
    struct line line, other;
    while (read_line(&a, &line)) {
        bool is_there = find_line(b, line.path, &other);
        if (is_there && (changed == NULL || text_equal(line.hash, other.hash))) continue;
        struct text field = arena_copy(&exchange->arena, line.path);
        faults_add(faults, field.data == NULL ? "" : field.data, "differs", "%s", is_there ? changed : missing);
    }
}

void idempotency_refuse(struct exchange *exchange, const struct idempotency_record *record, const struct idempotency_request *request) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    add_differences(record->fingerprint, request->fingerprint, "was in the first request with this key and is not in this one",
                    "is not what it was in the first request with this key", exchange, &faults);
    add_differences(request->fingerprint, record->fingerprint, "was not in the first request with this key", NULL, exchange, &faults);
    if (!faults_any(&faults)) faults_add(&faults, BODY_LINE, "differs", "is not what it was in the first request with this key");
    problem_reply_faults(exchange, &problem_idempotency_key_reused, &faults);
}
