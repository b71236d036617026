#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json/json.h"
#include "http/service.h"

#define DETAIL_BYTES_MAX 512
#define LAST_BYTES       (8u * 1024) /* for the problem that the request has no room for another one */

const struct problem problem_malformed_json = {400, "malformed_json", "The body is not valid JSON"};
const struct problem problem_bad_request = {400, "bad_request", "The request breaks a rule of HTTP"};
const struct problem problem_token_missing = {401, "token_missing", "An access token is required"};
const struct problem problem_token_invalid = {401, "token_invalid", "The access token is not valid"};
const struct problem problem_token_expired = {401, "token_expired", "The access token has expired"};
const struct problem problem_token_revoked = {401, "token_revoked", "The access token has been revoked"};
const struct problem problem_forbidden = {403, "forbidden", "The token does not allow this"};
const struct problem problem_route_not_found = {404, "route_not_found", "There is nothing at this path"};
const struct problem problem_method_not_allowed = {405, "method_not_allowed", "The path does not take this method"};
const struct problem problem_not_acceptable = {406, "not_acceptable", "No acceptable media type can be offered"};
const struct problem problem_body_too_large = {413, "body_too_large", "The body is larger than this route takes"};
const struct problem problem_uri_too_long = {414, "uri_too_long", "The request target is too long"};
const struct problem problem_unsupported_media_type = {415, "unsupported_media_type", "The body's media type is not supported"};
const struct problem problem_validation_failed = {422, "validation_failed", "The request has invalid members"};
const struct problem problem_idempotency_key_reused = {422, "idempotency_key_reused", "The idempotency key was used with another request"};
const struct problem problem_idempotency_key_not_found = {404, "idempotency_key_not_found", "No answer is kept for this idempotency key"};
const struct problem problem_too_many_attempts = {429, "too_many_attempts", "Too many attempts"};
const struct problem problem_rate_limited = {429, "rate_limited", "Too many requests"};
const struct problem problem_headers_too_large = {431, "headers_too_large", "The header section is too large"};
const struct problem problem_internal = {500, "internal", "The service failed"};
const struct problem problem_storage_corrupt = {500, "storage_corrupt", "A stored row breaks its own rules"};
const struct problem problem_overloaded = {503, "overloaded", "The service is at its limit"};
const struct problem problem_storage_unavailable = {503, "storage_unavailable", "The service cannot write at the moment"};
const struct problem problem_shutting_down = {503, "shutting_down", "The service is shutting down"};
const struct problem problem_keys_unavailable = {503, "keys_unavailable", "The keys to verify tokens cannot be had at the moment"};

const struct problem_page problem_pages[] = {
    {&problem_malformed_json, "The body of the request is not JSON, or there is none where one is due.",
     "Send one JSON object in UTF-8. The detail says at which byte reading ended."},
    {&problem_bad_request,
     "The request breaks a rule of HTTP, so that it can not be told for sure what it asks. The connection was closed.",
     "Look into the detail for the rule, and send the request by an HTTP library."},
    {&problem_token_missing, "The request has no access token, and this needs one.",
     "Log in, and send the token as Authorization: Bearer TOKEN."},
    {&problem_token_invalid, "The token is malformed, changed, made for another service, or not signed by anybody who is trusted here.",
     "Get a new token: log in again. If a new one is refused as well, the clocks or the keys of the two services differ."},
    {&problem_token_expired, "The token was good and its time is over.", "Get a new one with the refresh token, or log in again."},
    {&problem_token_revoked,
     "The session of this token has ended: by a logout, by a new password, or because a refresh token was used twice.", "Log in again."},
    {&problem_forbidden, "The token is good, and does not allow this.",
     "Use an account or a service that has the scope which the detail names."},
    {&problem_route_not_found, "No resource of this service has this path, as it was written.",
     "Compare the path with the API pages. What belongs to somebody else is answered like what does not exist."},
    {&problem_method_not_allowed, "The path is there, and does not take this method.",
     "Use one of the methods that the header Allow names."},
    {&problem_not_acceptable, "The answer can not be had in any of the media types that the request accepts.",
     "Accept the type that the detail names, or leave the header Accept away."},
    {&problem_body_too_large, "The body is larger than this path takes.", "Send less at once: the detail says how much is taken."},
    {&problem_uri_too_long, "The path and the query together are too long.", "Shorten the query. A cursor is passed on as it was given."},
    {&problem_unsupported_media_type, "The body is said to be something else than JSON.",
     "Send Content-Type: application/json, and the body in UTF-8."},
    {&problem_validation_failed, "Some members, parameters or headers of the request break a rule. Nothing was done.",
     "Correct each fault that errors lists: field says where, detail what is due."},
    {&problem_idempotency_key_reused, "This Idempotency-Key was used by you before, with another request. Nothing was done.",
     "Use a new key for each new request, and the same key only to send the same request again."},
    {&problem_idempotency_key_not_found,
     "You have sent no request with this key whose answer is kept: none came, or its answer was one that is not kept.",
     "Send the request, with the same key: it will be done once, whatever became of an earlier try."},
    {&problem_too_many_attempts, "There were too many failed tries, of this user or from this address. Nothing was looked at.",
     "Wait as long as Retry-After says, and try again then."},
    {&problem_rate_limited, "There were too many requests in too short a time.",
     "Wait as long as Retry-After says, and send the request again."},
    {&problem_headers_too_large, "The header fields of the request are too large in all.",
     "Send fewer or shorter ones: tokens and cookies are the usual cause."},
    {&problem_internal, "The service failed: this is a defect of ours.",
     "Tell the operator the request_id: the log has what happened. With the same Idempotency-Key the request may be sent again."},
    {&problem_storage_corrupt, "A row that this request needs breaks its own rules in the database. Nothing was done with it.",
     "The same request will meet it again. The operator runs verify, and repairs the row or restores a backup: the log names it by table "
     "and key."},
    {&problem_overloaded, "The service is at one of its limits. Nothing was done.",
     "Wait as long as Retry-After says, and send the same request again."},
    {&problem_storage_unavailable, "The storage can not be written at the moment.",
     "Send the same request again, with the same Idempotency-Key, after Retry-After. The operator finds the cause at /readyz."},
    {&problem_shutting_down, "The service is stopping. Nothing was done.",
     "Send the same request again after Retry-After: another instance, or the same after its restart, will answer."},
    {&problem_keys_unavailable, "The keys that tokens are checked with could not be fetched from their issuer. Nothing was done.",
     "Send the same request again after Retry-After. The operator makes sure that this service reaches the issuer."},
    {NULL, NULL, NULL},
};

/* When not even a small problem can be had. */
static const char document_out_of_memory[] = "{\"type\":\"/problems/overloaded\",\"title\":\"The service is at its limit\",\"status\":503,"
                                             "\"detail\":\"The request needs more memory than one request may take.\","
                                             "\"code\":\"overloaded\"}";

const struct problem_page *problem_find_page(const struct problem_page *pages, struct text code) {
    for (; pages->problem != NULL; pages++) {
        if (text_equal(text_of(pages->problem->code), code)) return pages;
    }
    return NULL;
}

static const char *general_detail(const struct problem *problem) {
    const struct problem_page *page = problem_find_page(problem_pages, text_of(problem->code));
    CHECK(page != NULL);
    return page->happened;
}

static void put_faults(struct json_writer *writer, const struct faults *faults) {
    json_key(writer, "errors");
    json_begin_array(writer);
    for (size_t i = 0; i < faults->count; i++) {
        json_begin_object(writer);
        json_text_member(writer, "field", text_of(faults->items[i].field));
        json_text_member(writer, "code", text_of(faults->items[i].code));
        json_text_member(writer, "detail", text_of(faults->items[i].detail));
        json_end_object(writer);
    }
    json_end_array(writer);
    if (faults->dropped > 0) json_integer_member(writer, "errors_omitted", (int64_t)faults->dropped);
}

struct text problem_document(struct arena *arena, const char *base, const struct problem *problem, struct text request_id,
                             struct text members, const struct faults *faults, const char *detail) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 512);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "type");
    /* Codes and titles are constants without anything to escape, and so is a URL that was taken for one. */
    json_put_raw(&writer, TEXT("\""));
    buffer_append(&buffer, text_of(base));
    buffer_append(&buffer, TEXT(PROBLEM_FOLDER));
    buffer_append(&buffer, text_of(problem->code));
    buffer_append(&buffer, TEXT("\",\"title\":\""));
    buffer_append(&buffer, text_of(problem->title));
    buffer_append(&buffer, TEXT("\",\"status\":"));
    buffer_append_integer(&buffer, problem->status);
    json_text_member(&writer, "detail", text_of(detail != NULL ? detail : general_detail(problem)));
    buffer_append(&buffer, TEXT(",\"code\":\""));
    buffer_append(&buffer, text_of(problem->code));
    buffer_append_byte(&buffer, '"');
    if (request_id.size > 0) json_text_member(&writer, "request_id", request_id);
    if (faults != NULL && faults_any(faults)) put_faults(&writer, faults);
    if (members.size > 0) {
        buffer_append_byte(&buffer, ',');
        buffer_append(&buffer, members);
    }
    json_end_object(&writer);
    if (buffer.failed) return (struct text){NULL, 0};
    return buffer_text(&buffer);
}

static bool has_header(const struct exchange *exchange, const char *name) {
    for (size_t i = 0; i < exchange->reply_header_count; i++) {
        if (text_equal_ignoring_case(text_of(exchange->reply_headers[i].name), text_of(name))) return true;
    }
    return false;
}

/* RFC 6750, section 3: without a token no error is named; with a bad one it is invalid_token. */
static void add_challenge(struct exchange *exchange, const struct problem *problem) {
    struct text challenge = strcmp(problem->code, problem_token_missing.code) == 0
                                ? arena_print(&exchange->arena, "Bearer realm=\"%s\"", exchange->service->name)
                                : arena_print(&exchange->arena, "Bearer realm=\"%s\", error=\"invalid_token\", error_description=\"%s\"",
                                              exchange->service->name, problem->title);
    if (challenge.data == NULL) challenge = TEXT("Bearer");
    reply_header(exchange, "WWW-Authenticate", challenge);
}

static void reply_with(struct exchange *exchange, const struct problem *problem, struct text members, const struct faults *faults,
                       const char *detail) {
    const char *base = exchange->service->public_url;
    struct arena *arena = &exchange->arena;
    struct text body = problem_document(arena, base, problem, exchange->request_id, members, faults, detail);
    int status = problem->status;
    if (body.data == NULL) {
        status = 503;
        arena->limit_bytes += LAST_BYTES; /* none of the request's own taking */
        body = problem_document(arena, base, &problem_overloaded, exchange->request_id, (struct text){NULL, 0}, NULL, NULL);
    }
    if (body.data == NULL) body = (struct text){document_out_of_memory, sizeof(document_out_of_memory) - 1};
    reply_set(exchange, status, "application/problem+json", body);
    if (status == 401 && !has_header(exchange, "WWW-Authenticate")) add_challenge(exchange, problem);
    if ((status == 429 || status == 503) && !has_header(exchange, "Retry-After")) reply_header(exchange, "Retry-After", TEXT("1"));
}

void problem_reply(struct exchange *exchange, const struct problem *problem, const char *detail, ...) {
    char text[DETAIL_BYTES_MAX];
    if (detail != NULL) {
        va_list arguments;
        va_start(arguments, detail);
        vsnprintf(text, sizeof(text), detail, arguments);
        va_end(arguments);
    }
    reply_with(exchange, problem, (struct text){NULL, 0}, NULL, detail != NULL ? text : NULL);
}

void problem_reply_faults(struct exchange *exchange, const struct problem *problem, const struct faults *faults) {
    CHECK(faults_any(faults));
    char detail[DETAIL_BYTES_MAX];
    size_t count = faults->count + faults->dropped;
    snprintf(detail, sizeof detail, "The request has %zu fault%s: errors says what and where.", count, count == 1 ? "" : "s");
    reply_with(exchange, problem, (struct text){NULL, 0}, faults, detail);
}

void problem_reply_members(struct exchange *exchange, const struct problem *problem, struct text members, const char *detail, ...) {
    char text[DETAIL_BYTES_MAX];
    if (detail != NULL) {
        va_list arguments;
        va_start(arguments, detail);
        vsnprintf(text, sizeof(text), detail, arguments);
        va_end(arguments);
    }
    reply_with(exchange, problem, members, NULL, detail != NULL ? text : NULL);
}

void problem_reply_malformed(struct exchange *exchange, size_t offset) {
    if (offset < exchange->body.size) {
        problem_reply(exchange, &problem_malformed_json,
                      "The body is not JSON: what stands at byte %zu (the first is 0) can't stand there.", offset);
    } else {
        problem_reply(exchange, &problem_malformed_json, "The body is not JSON: it ends at byte %zu, and more is due there.", offset);
    }
}
