/* What went over HTTP, as metrics: requests by route and status, latency by route, connections and exchanges. */
#pragma once

#include "base/metrics.h"
#include "http/service.h"

struct traffic;

/* Before the threads start. One per service name and route table in a process: asked again, it gives the same one. NULL: no memory. */
struct traffic *traffic_for(const struct http_service *service);
/* `route` NULL: a request that matched none. Any thread. */
void traffic_count(struct traffic *traffic, const struct route *route, int status, int64_t latency_us);
void traffic_count_displaced(struct traffic *traffic); /* a connection that had to make room */
void traffic_add_connections(struct traffic *traffic, int delta);
void traffic_add_exchanges(struct traffic *traffic, int delta);
