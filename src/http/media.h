/* Media types in Accept and Content-Type (RFC 9110, sections 8.3 and 12.5.1). */
#pragma once

#include "base/text.h"

#define MEDIA_QUALITY_MAX 1000

/* The quality, 0..1000, that `accept` gives to `type` ("application/json"), taken from its most specific range: the type itself, then its
 * main type, then any. An empty header accepts everything. 0: not acceptable. Ill-formed ranges are passed over. */
int media_quality(struct text accept, struct text type);
/* application/json, in any case, with no charset but utf-8 (RFC 8259, section 11: the type has no parameters; others are ignored). */
bool media_is_json(struct text content_type);
/* text/csv in UTF-8 (RFC 4180, section 3; what other parameters say, like `header`, is seen in the text itself). */
bool media_is_csv(struct text content_type);
