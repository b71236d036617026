/* The bounds of requests, queues and pages in one place. A bound has a decent answer when it is reached: the comment says which. */
#pragma once

/* HTTP */
#define LIMIT_HEADER_BYTES     (16u * 1024)        /* 431 */
#define LIMIT_BODY_BYTES       (64u * 1024)        /* 413 */
#define LIMIT_BATCH_BODY_BYTES (1024u * 1024)      /* 413, POST /v1/credits only */
#define LIMIT_JSON_BYTES       (16u * 1024 * 1024) /* one text to be read; every route and client has a lower limit */
#define LIMIT_URI_BYTES        4096u               /* 414 */
#define LIMIT_CONNECTIONS \
    16384u /* per loop; beyond it whoever has the most of them loses the oldest that waits, or they wait in the backlog */
#define LIMIT_EXCHANGES    16384u /* requests in progress per loop: 503 overloaded */
#define LIMIT_LOOPS        64u
#define LIMIT_STREAMS      4096u               /* answers of a process that are made while they are sent: 503 overloaded */
#define LIMIT_UNREAD_BYTES (32u * 1024 * 1024) /* per loop, of heads and pipelined requests that wait: 503 overloaded */
#define LIMIT_BODIES_BYTES \
    (32u * 1024 * 1024) /* per loop, of bodies that are being read: the oldest of who has most connections is closed, or 503 */
#define LIMIT_ARENA_BYTES           (256u * 1024) /* per request: 503 overloaded */
#define LIMIT_BATCH_ARENA_BYTES     (8u * 1024 * 1024)
#define LIMIT_REPLY_BYTES           (4u * 1024 * 1024)
#define LIMIT_FAULTS                32u   /* faults listed in one problem document */
#define LIMIT_IDEMPOTENCY_KEY_BYTES 255u  /* 422 */
#define LIMIT_TOKEN_BYTES           4096u /* 401 */
#define LIMIT_PAGE_ITEMS            200u  /* 422 */
#define DEFAULT_PAGE_ITEMS          50u

/* Store */
#define LIMIT_STORE_QUEUE        32768u /* 503 overloaded */
#define LIMIT_STORE_BATCH        1024u  /* operations in one transaction */
#define LIMIT_STORE_BATCH_WEIGHT 4096u  /* rows' worth of work in one transaction, unless one operation alone weighs more */

/* Wallet */
#define LIMIT_CREDIT_ITEMS           1000u /* 422 */
#define LIMIT_PASSWORD_QUEUE         4096u /* 503 overloaded */
#define LIMIT_USERNAME_BYTES         32u
#define LIMIT_PASSWORD_CHARACTERS    128u
#define LIMIT_REFERENCE_BYTES        128u      /* 422 */
#define LIMIT_DESCRIPTION_CHARACTERS 255u      /* 422 */
#define LIMIT_HOLD_S                 31536000u /* 422: a hold of more than a year */
#define LIMIT_METADATA_BYTES         2048u     /* 422 */

/* Discount */
#define LIMIT_CAMPAIGNS       4096u      /* that have not ended: 409 too_many_campaigns */
#define LIMIT_CAMPAIGNS_KEPT  65536u     /* with those that have: the same */
#define LIMIT_CAMPAIGN_PLACES 100000000u /* 422 */
#define LIMIT_CODE_BYTES      64u        /* 404 code_not_found */
#define LIMIT_CODE_BATCHES    4096u      /* 409 too_many_code_batches */
#define LIMIT_CODES_REVOKED   1000u      /* 422, of one request */
#define LIMIT_SETTLE_CLAIMS   16384u     /* claims held in memory; the rest waits in the database */

/* Auth */
#define LIMIT_TOKEN_CACHE       16384u             /* tokens remembered per loop; the oldest is forgotten */
#define LIMIT_TOKEN_CACHE_BYTES (8u * 1024 * 1024) /* of all of them together; the same */
#define LIMIT_KEYS              16u                /* keys in one set; more are ignored with a warning */
