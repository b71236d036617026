/* The passwords that are tried first: those of zxcvbn-ts (npm, @zxcvbn-ts/language-common) that are long enough; scripts/write-guessed-passwords brings them. */
#pragma once

#include "base/text.h"

/* As it is typed: without case, and in whatever width and script its letters and digits are. */
bool password_is_common(struct text password);
