/* The OpenAPI documents as they are served: as they were built in, or with the public URL as the server that they describe. */
#pragma once

#include "base/text.h"
#include "service/assets.h"

struct documents;
/* `built` is static, as is `public_url`; NULL: as they were built. RESULT_FULL: no memory. */
struct result documents_create(const struct asset *built, const char *public_url, struct documents **ret_documents) MUST_CHECK;
const struct asset *documents_find(const struct documents *documents, struct text path); /* NULL: none */
void documents_free(struct documents *documents);                                        /* NULL is fine */
const struct asset *asset_find(const struct asset *assets, struct text path);            /* NULL: none */
