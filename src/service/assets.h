/* Files that are built into the binaries: the OpenAPI documents and the page that shows them. scripts/embed makes the tables.
 *
 * A table ends with an entry whose `path` is NULL. Everything is static, for as long as the process lives. */
#pragma once

#include <stddef.h>

struct asset {
    const char *path;         /* as it is asked for: "/openapi.json", "/docs/", "/docs/swagger-ui.css" */
    const char *content_type; /* with its charset where it is text */
    const unsigned char *data;
    size_t size;                    /* bytes */
    const char *etag;               /* strong, in quotes (RFC 9110, section 8.8.3) */
    const unsigned char *data_gzip; /* the same, gzipped (RFC 1952); NULL where that saves nothing */
    size_t size_gzip;
    const char *etag_gzip; /* another one: each encoding is a representation of its own; NULL without data_gzip */
};

extern const struct asset wallet_assets[];     /* wallet_api_sources: /openapi.json, /openapi.yaml */
extern const struct asset discount_assets[];   /* discount_api_sources: the same for Discount */
extern const struct asset swagger_ui_assets[]; /* swagger_ui_sources: /docs/ and what it loads, the same for both */
