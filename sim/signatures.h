/* The keys of a world. */
#pragma once

#include "sim/process.h"

void signatures_make_key_of(enum process_index index); /* whose key is made next */
