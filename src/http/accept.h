/* New connections of a loop. */
#pragma once

#include "http/loop.h"

bool accept_watch(struct loop *loop, bool is_wanted); /* whether epoll tells of new connections */
void accept_burst(struct loop *loop, size_t count_max);
struct connection *accept_socket(struct loop *loop, int fd, const struct sockaddr *address); /* takes the socket; NULL: closed */
