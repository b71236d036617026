#include "service/documents.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/crypto.h"

#define DOCUMENTS_MAX 4u
#define ETAG_BYTES    36u /* 32 digits in quotes */

/* What stands for the server in the document as it was built: JSON without blanks, or a line of YAML. */
static const struct text json_server = {"\"servers\":[{\"url\":\"/\"", sizeof "\"servers\":[{\"url\":\"/\"" - 1};
static const struct text yaml_server = {"\nservers:\n  - url: /\n", sizeof "\nservers:\n  - url: /\n" - 1};

struct documents {
    const struct asset *assets; /* those below, or those that were built in */
    struct asset made[DOCUMENTS_MAX + 1];
    char etags[DOCUMENTS_MAX][ETAG_BYTES];
    char *bytes[DOCUMENTS_MAX];
};

const struct asset *asset_find(const struct asset *assets, struct text path) {
    for (; assets->path != NULL; assets++) {
        if (text_equal(text_of(assets->path), path)) return assets;
    }
    return NULL;
}

const struct asset *documents_find(const struct documents *documents, struct text path) { return asset_find(documents->assets, path); }

/* With the URL in the place of the slash. Not gzipped: what stands before the service in public may do that. */
static struct result make(struct documents *documents, size_t index, const struct asset *built, const char *public_url) {
    struct text whole = {(const char *)built->data, built->size};
    const char *json = memmem(whole.data, whole.size, json_server.data, json_server.size);
    const char *yaml = memmem(whole.data, whole.size, yaml_server.data, yaml_server.size);
    const char *found = json != NULL ? json : yaml;
    CHECK(found != NULL);
    const char *slash = memchr(found, '/', whole.size - (size_t)(found - whole.data));
    size_t before = (size_t)(slash - whole.data), url_size = strlen(public_url);
    char *bytes = malloc(whole.size + url_size);
    if (bytes == NULL) return result_error(RESULT_FULL);
    documents->bytes[index] = bytes;
    memcpy(bytes, whole.data, before);
    memcpy(bytes + before, public_url, url_size);
    memcpy(bytes + before + url_size, slash + 1, whole.size - before - 1);
    struct text made = {bytes, whole.size - 1 + url_size};
    struct hash hash = crypto_hash(made);
    char *etag = documents->etags[index];
    size_t size = 0;
    etag[size++] = '"';
    for (size_t i = 0; i < 16; i++) size += (size_t)snprintf(etag + size, ETAG_BYTES - size, "%02x", hash.bytes[i]);
    etag[size++] = '"';
    etag[size] = '\0';
    documents->made[index] = (struct asset){.path = built->path,
                                            .content_type = built->content_type,
                                            .data = (const unsigned char *)made.data,
                                            .size = made.size,
                                            .etag = etag};
    return result_ok();
}

struct result documents_create(const struct asset *built, const char *public_url, struct documents **ret_documents) {
    struct documents *documents = calloc(1, sizeof *documents);
    if (documents == NULL) return result_error(RESULT_FULL);
    documents->assets = public_url == NULL ? built : documents->made;
    struct result made = result_ok();
    for (size_t i = 0; public_url != NULL && built[i].path != NULL && result_is_ok(made); i++) {
        CHECK(i < DOCUMENTS_MAX);
        made = make(documents, i, &built[i], public_url);
    }
    if (!result_is_ok(made)) {
        documents_free(documents);
        return made;
    }
    *ret_documents = documents;
    return result_ok();
}

void documents_free(struct documents *documents) {
    if (documents == NULL) return;
    for (size_t i = 0; i < DOCUMENTS_MAX; i++) free(documents->bytes[i]);
    free(documents);
}
