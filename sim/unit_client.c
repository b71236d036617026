/* http/client.h for a program inside of the world: its calls go over the link. Built into each program. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/client.h"
#include "sim/link.h"
#include "sim/seams.h"
#include "sim/world.h"

#define TIMEOUT_MS_DEFAULT 10000

enum flight_state { FLIGHT_UNDER_WAY, FLIGHT_ENDED, FLIGHT_GIVEN_UP };

/* Lives as long as the world: an answer may come when the client is gone. */
struct flight {
    enum flight_state state;
    struct flight *next;
    struct http_client *client;
    struct http_call *call;
    int64_t deadline_us;
    struct result outcome;
    struct link_answer answer;
};

struct http_client {
    struct flight *flights;
    struct fiber *waiting; /* in http_client_run */
};

static struct process *find_process(const char *url, const char **ret_target) {
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        size_t size = strlen("http://") + strlen(processes[i].name);
        if (strlen(url) < size || strncmp(url + strlen("http://"), processes[i].name, strlen(processes[i].name)) != 0) continue;
        *ret_target = url + size;
        return &processes[i];
    }
    CHECK(false && "a URL of another world");
    return NULL;
}

/* On the scheduler. Nothing of the program may be touched when it has crashed meanwhile: its fiber is ended then. */
static void note_answer(struct link_request *request, const struct link_answer *answer) {
    struct flight *flight = request->context;
    if (flight->state != FLIGHT_UNDER_WAY) return;
    flight->state = FLIGHT_ENDED;
    flight->outcome = answer->outcome;
    flight->answer = *answer;
    if (flight->client->waiting != NULL) fiber_unpark(flight->client->waiting);
}

void http_client_use_tls(const struct http_tls *tls) { CHECK(tls->ca == NULL && tls->certificate == NULL); }

struct result http_client_create(size_t connections_max, struct http_client **ret_client) {
    (void)connections_max;
    *ret_client = link_take(sizeof **ret_client); /* the world's, so that a late answer finds it */
    return result_ok();
}

struct result http_client_start(struct http_client *client, struct http_call *call) {
    const char *target = NULL;
    struct process *to = find_process(call->url, &target);
    struct flight *flight = link_take(sizeof *flight);
    int64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_MS_DEFAULT;
    *flight = (struct flight){.client = client, .call = call, .deadline_us = world.now_us + timeout_ms * 1000, .next = client->flights};
    client->flights = flight;
    call->status = 0;
    call->reply = (struct text){NULL, 0};
    call->retry_after_ms = 0;
    call->header[0] = '\0';
    call->cause[0] = '\0';
    call->internal = NULL;
    struct link_request request = {.to = to,
                                   .method = text_of(call->method),
                                   .target = text_of(target),
                                   .body = call->body,
                                   .headers = {.bearer = text_of(call->bearer),
                                               .idempotency_key = text_of(call->idempotency_key),
                                               .request_id = text_of(call->request_id),
                                               .traceparent = text_of(call->traceparent)},
                                   .is_of_service = true,
                                   .on_answer = note_answer,
                                   .context = flight};
    (void)link_send(&request);
    return result_ok();
}

static void land(struct http_client *client, struct flight *flight, struct result outcome) {
    struct flight **place = &client->flights;
    while (*place != flight) place = &(*place)->next;
    *place = flight->next;
    struct http_call *call = flight->call;
    flight->state = FLIGHT_GIVEN_UP;
    call->outcome = outcome;
    if (result_is_ok(outcome)) {
        char *reply = malloc(flight->answer.body.size + 1);
        CHECK(reply != NULL);
        memcpy(reply, flight->answer.body.data, flight->answer.body.size);
        reply[flight->answer.body.size] = '\0';
        uint64_t retry_after_s = 0;
        struct result parsed = text_parse_unsigned(flight->answer.retry_after, 86400, &retry_after_s);
        call->status = flight->answer.status;
        call->retry_after_ms = result_is_ok(parsed) ? (int64_t)retry_after_s * 1000 : 0;
        call->reply = (struct text){reply, flight->answer.body.size};
        struct text instance = flight->answer.wallet_instance;
        CHECK(instance.size < sizeof call->header && (call->header_name == NULL || strcmp(call->header_name, "Wallet-Instance") == 0));
        if (call->header_name != NULL && instance.size > 0) memcpy(call->header, instance.data, instance.size);
        call->header[instance.size] = '\0';
        call->internal = reply;
    }
    call->done(call);
}

/* One that has ended or is late; the oldest first. */
static struct flight *find_landing(const struct http_client *client) {
    struct flight *found = NULL;
    for (struct flight *flight = client->flights; flight != NULL; flight = flight->next) {
        if (flight->state == FLIGHT_ENDED || flight->deadline_us <= world.now_us) found = flight;
    }
    return found;
}

static bool land_all(struct http_client *client) {
    bool has_landed = false;
    for (struct flight *flight = find_landing(client); flight != NULL; flight = find_landing(client)) {
        has_landed = true;
        land(client, flight, flight->state == FLIGHT_ENDED ? flight->outcome : result_error(RESULT_TIMEOUT));
    }
    return has_landed;
}

struct result http_client_run(struct http_client *client, struct waker *waker, int64_t timeout_ms) {
    process_turn();
    if (land_all(client)) return result_ok();
    int64_t until_us = world.now_us + (timeout_ms < 0 ? 0 : timeout_ms) * 1000;
    for (const struct flight *flight = client->flights; flight != NULL; flight = flight->next) {
        if (flight->deadline_us < until_us) until_us = flight->deadline_us;
    }
    client->waiting = fiber_current();
    if (waker == NULL) {
        (void)fiber_park(until_us);
    } else {
        (void)seams_wait_for(waker, until_us);
    }
    client->waiting = NULL;
    (void)land_all(client);
    return result_ok();
}

void http_client_free(struct http_client *client) {
    if (client == NULL) return;
    while (client->flights != NULL) land(client, client->flights, result_error(RESULT_IO));
}

void http_call_clear(struct http_call *call) {
    free(call->internal);
    call->internal = NULL;
    call->reply = (struct text){NULL, 0};
}

static void note_done(struct http_call *call) { *(bool *)call->context = true; }

struct result http_call_wait(struct http_call *call) {
    struct http_client *client = NULL;
    void (*done)(struct http_call *) = call->done;
    void *context = call->context;
    bool is_done = false;
    TRY(http_client_create(1, &client));
    call->done = note_done;
    call->context = &is_done;
    struct result outcome = http_client_start(client, call);
    while (result_is_ok(outcome) && !is_done) outcome = http_client_run(client, NULL, 1000);
    call->done = done;
    call->context = context;
    return result_is_ok(outcome) ? call->outcome : outcome;
}
