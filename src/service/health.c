/* The check of a container or a monitor that has nothing but the program itself. */
#include <stdio.h>
#include <string.h>

#include "http/client.h"
#include "service/service.h"

#define HEALTH_TIMEOUT_MS 5000
#define URL_BYTES         128u

/* Who listens on all addresses is asked on loopback. */
static const char *host_to_ask(const struct param_address *listen) {
    if (strcmp(listen->host, "0.0.0.0") == 0) return "127.0.0.1";
    return strcmp(listen->host, "::") == 0 ? "::1" : listen->host;
}

int service_health(const struct param_address *listen, const struct param_address *operations_listen) {
    if (operations_listen->host[0] != '\0') listen = operations_listen;
    char url[URL_BYTES];
    const char *host = host_to_ask(listen);
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(url, sizeof url, "http://%s%s%s:%u/readyz", is_v6 ? "[" : "", host, is_v6 ? "]" : "", listen->port);
    struct http_call call = {.method = "GET", .url = url, .timeout_ms = HEALTH_TIMEOUT_MS};
    struct result outcome = http_call_wait(&call);
    if (result_is_ok(outcome)) outcome = call.outcome;
    bool is_ready = result_is_ok(outcome) && call.status == 200;
    if (is_ready) printf("%.*s\n", (int)call.reply.size, call.reply.data);
    if (!is_ready && result_is_ok(outcome)) {
        fprintf(stderr, "%s answers %d: %.*s\n", url, call.status, (int)call.reply.size, call.reply.data);
    } else if (!is_ready) {
        fprintf(stderr, "%s does not answer: %s\n", url, call.cause[0] != '\0' ? call.cause : result_name(outcome));
    }
    http_call_clear(&call);
    return is_ready ? 0 : 1;
}
