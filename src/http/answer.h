/* An answer on its way: its head, what lies there or is pulled, and how much of it goes in one turn. */
#pragma once

#include "http/loop.h"

enum answer_outcome {
    ANSWER_SENT,   /* the last byte of it */
    ANSWER_WAITS,  /* for the socket, or for the next turn */
    ANSWER_PULLS,  /* everything that there is: the stream is to be asked for more */
    ANSWER_SLEEPS, /* everything that there is: the stream wakes us */
    ANSWER_FAILED
};

enum answer_outcome answer_begin(struct connection *connection); /* sends what the exchange says */
enum answer_outcome answer_go_on(struct connection *connection); /* what waits */
enum answer_outcome answer_pull(struct connection *connection);  /* after PULLS, or when the stream was woken */
enum answer_outcome answer_beat(struct connection *connection);  /* of a stream that sleeps */
void answer_record(struct exchange *exchange);                   /* into log and metrics; answer_begin does it */
