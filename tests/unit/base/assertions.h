/* cmocka, and what our own types need on top. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

#define assert_text(actual, expected)                              \
    do {                                                           \
        struct text actual_ = (actual);                            \
        assert_int_equal(actual_.size, strlen(expected));          \
        assert_memory_equal(actual_.data, expected, actual_.size); \
    } while (0)
#define assert_result(expression, expected_code) assert_int_equal((expression).code, (expected_code))
#define assert_ok(expression)                    assert_result(expression, RESULT_OK)
