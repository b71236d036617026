/* The claims of a token (RFC 7519, section 4) whose signature is known to be good. Private to src/auth. */
#pragma once

#include "auth/token.h"
#include "auth/token_cache.h"
#include "base/json/json.h"

/* All that they say about who and when, into the proof; its key is the caller's. TOKEN_VALID: nothing is missing or wrong, whatever the time is. Of a
 * service only what api/wallet.yaml names is required. */
enum token_verdict claims_read(const struct json_value *claims, struct text audience, const struct trusted_issuer *issuer,
                               struct token_proof *proof);
/* TOKEN_VALID, TOKEN_EXPIRED or TOKEN_NOT_YET_VALID; clocks may differ by the leeway, either way. */
enum token_verdict claims_judge_time(const struct token_proof *proof, int64_t now_us, int64_t leeway_us);
