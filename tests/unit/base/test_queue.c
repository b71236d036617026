#include "assertions.h"

#include <pthread.h>

#include "base/queue.h"

#define PUSHERS     4
#define PUSHES_EACH 20000
#define QUEUE_LIMIT 512

struct item {
    struct queue_link link;
    int pusher;
    int number;
};

static void it_gives_all_oldest_first(void **state) {
    (void)state;
    struct queue queue;
    queue_init(&queue, 10);
    assert_null(queue_take_all(&queue));
    struct item items[3] = {0};
    bool was_empty = false;
    assert_ok(queue_push(&queue, &items[0].link, &was_empty));
    assert_true(was_empty);
    assert_ok(queue_push(&queue, &items[1].link, &was_empty));
    assert_false(was_empty);
    assert_ok(queue_push(&queue, &items[2].link, &was_empty));
    assert_int_equal(queue_count(&queue), 3);
    struct queue_link *link = queue_take_all(&queue);
    for (int i = 0; i < 3; i++, link = link->next) assert_ptr_equal(link, &items[i].link);
    assert_null(link);
    assert_int_equal(queue_count(&queue), 0);
    assert_ok(queue_push(&queue, &items[0].link, &was_empty));
    assert_true(was_empty);
}

static void a_full_queue_refuses(void **state) {
    (void)state;
    struct queue queue;
    queue_init(&queue, 2);
    struct item items[3] = {0};
    bool was_empty;
    assert_ok(queue_push(&queue, &items[0].link, &was_empty));
    assert_ok(queue_push(&queue, &items[1].link, &was_empty));
    assert_result(queue_push(&queue, &items[2].link, &was_empty), RESULT_FULL);
    assert_int_equal(queue_count(&queue), 2);
    assert_non_null(queue_take_all(&queue));
    assert_ok(queue_push(&queue, &items[2].link, &was_empty));
}

struct pusher {
    struct queue *queue;
    struct waker *waker;
    struct item *items;
    int number;
};

static void *push_many(void *context) {
    struct pusher *pusher = context;
    for (int i = 0; i < PUSHES_EACH;) {
        struct item *item = &pusher->items[i];
        item->pusher = pusher->number;
        item->number = i;
        bool was_empty = false;
        if (!result_is_ok(queue_push(pusher->queue, &item->link, &was_empty))) {
            sched_yield(); /* full: the taker is behind */
            continue;
        }
        if (was_empty) waker_wake(pusher->waker);
        i++;
    }
    return NULL;
}

/* Nothing is lost, nothing comes twice, each pusher's order is kept, the limit holds, and the taker, which sleeps whenever the queue is empty, is
 * woken: a lost wake-up shows as a wait that times out. */
static void many_push_while_one_takes(void **state) {
    (void)state;
    struct queue queue;
    struct waker waker;
    queue_init(&queue, QUEUE_LIMIT);
    assert_ok(waker_init(&waker));
    static struct item items[PUSHERS][PUSHES_EACH];
    struct pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];
    for (int i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){&queue, &waker, items[i], i};
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
    }
    int next[PUSHERS] = {0};
    int taken = 0;
    while (taken < PUSHERS * PUSHES_EACH) {
        assert_true(waker_wait(&waker, INT64_C(20000000)));
        waker_clear(&waker);
        int batch = 0;
        for (struct queue_link *link = queue_take_all(&queue); link != NULL; link = link->next) {
            struct item *item = CONTAINER_OF(link, struct item, link);
            assert_int_equal(item->number, next[item->pusher]++);
            batch++;
        }
        assert_true(batch <= QUEUE_LIMIT);
        taken += batch;
    }
    for (int i = 0; i < PUSHERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_null(queue_take_all(&queue));
    assert_int_equal(queue_count(&queue), 0);
    waker_close(&waker);
}

static void a_waker_remembers_until_cleared(void **state) {
    (void)state;
    struct waker waker;
    assert_ok(waker_init(&waker));
    assert_false(waker_wait(&waker, 0));
    assert_false(waker_wait(&waker, 1000));
    waker_wake(&waker);
    waker_wake(&waker);
    assert_true(waker_wait(&waker, -1));
    assert_true(waker_wait(&waker, 0));
    waker_clear(&waker);
    assert_false(waker_wait(&waker, 0));
    waker_clear(&waker); /* without a wake before */
    waker_close(&waker);
    assert_int_equal(waker.fd, -1);
    waker_close(&waker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_all_oldest_first),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(many_push_while_one_takes),
        cmocka_unit_test(a_waker_remembers_until_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
