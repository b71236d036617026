/* The keys of a world. */
#pragma once

#include "sim/process.h"

void signatures_make_key_of(enum process_index index); /* whose key is made next */
/* What the key of this service makes of a message: for people of a world who speak for it. */
#define SIGNATURES_BYTES 64
void signatures_sign_as(enum process_index index, struct text message, uint8_t ret_signature[SIGNATURES_BYTES]);
