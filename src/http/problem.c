#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json/json.h"
#include "http/service.h"

#define DETAIL_BYTES_MAX 512

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
const struct problem problem_too_many_attempts = {429, "too_many_attempts", "Too many attempts"};
const struct problem problem_rate_limited = {429, "rate_limited", "Too many requests"};
const struct problem problem_headers_too_large = {431, "headers_too_large", "The header section is too large"};
const struct problem problem_internal = {500, "internal", "The service failed"};
const struct problem problem_overloaded = {503, "overloaded", "The service is at its limit"};
const struct problem problem_storage_unavailable = {503, "storage_unavailable", "The service cannot write at the moment"};
const struct problem problem_shutting_down = {503, "shutting_down", "The service is shutting down"};
const struct problem problem_keys_unavailable = {503, "keys_unavailable", "The keys to verify tokens cannot be had at the moment"};

/* When not even the problem fits into the arena. */
static const char document_out_of_memory[] =
    "{\"type\":\"urn:hamyan:problem:overloaded\",\"title\":\"The service is at its limit\",\"status\":503,"
    "\"detail\":\"The request needs more memory than one request may take\","
    "\"code\":\"overloaded\"}";

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

struct text problem_document(struct arena *arena, const struct problem *problem, struct text request_id, struct text members,
                             const struct faults *faults, const char *detail) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 512);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "type");
    /* Codes and titles are constants without anything to escape. */
    json_put_raw(&writer, TEXT("\"urn:hamyan:problem:"));
    buffer_append(&buffer, text_of(problem->code));
    buffer_append(&buffer, TEXT("\",\"title\":\""));
    buffer_append(&buffer, text_of(problem->title));
    buffer_append(&buffer, TEXT("\",\"status\":"));
    buffer_append_integer(&buffer, problem->status);
    json_text_member(&writer, "detail", text_of(detail != NULL ? detail : problem->title));
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
    struct text body = problem_document(&exchange->arena, problem, exchange->request_id, members, faults, detail);
    int status = problem->status;
    if (body.data == NULL) {
        body = (struct text){document_out_of_memory, sizeof(document_out_of_memory) - 1};
        status = 503;
    }
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
