/* New connections of a loop, and who makes room for them when the house is full: the client that has the most connections, of those that wait for
 * it, first an idle one, then one in the middle of a request, the oldest first. So one stranger takes up what nobody else wants. Trusted proxies
 * stand for many clients: theirs are not counted, and stay. */
#pragma once

#include "http/loop.h"

bool accept_watch(struct loop *loop, bool is_wanted); /* whether epoll tells of new connections */
bool accept_has_room(const struct loop *loop);        /* or somebody may have to make some */
void accept_burst(struct loop *loop, size_t count_max);
struct connection *accept_socket(struct loop *loop, int fd, const struct sockaddr *address); /* takes the socket; NULL: closed */
