/* The words of header fields (RFC 9110, section 5.6). */
#pragma once

#include "base/text.h"

struct text field_trimmed(struct text value); /* without the blanks around it */
size_t field_token_size(struct text text);    /* of the token that it starts with: 0, there is none */
bool field_is_token(struct text text);        /* methods and the names of fields are tokens */
