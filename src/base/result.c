#include "base/result.h"

const char *result_name(struct result result) {
    switch (result.code) {
    case RESULT_OK: return "ok";
    case RESULT_INVALID: return "invalid";
    case RESULT_NOT_FOUND: return "not_found";
    case RESULT_CONFLICT: return "conflict";
    case RESULT_DENIED: return "denied";
    case RESULT_FULL: return "full";
    case RESULT_IO: return "io";
    case RESULT_CORRUPT: return "corrupt";
    case RESULT_UNAVAILABLE: return "unavailable";
    case RESULT_TIMEOUT: return "timeout";
    }
    return "unknown";
}
