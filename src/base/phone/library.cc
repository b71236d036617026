#include "base/phone/library.h"

#include <cstring>
#include <string>

#include <phonenumbers/phonenumberutil.h>

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace {

bool parse(const std::string &typed, const std::string &region, std::string *ret_e164) {
    const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
    PhoneNumber number;
    if (util.Parse(typed, region, &number) != PhoneNumberUtil::NO_PARSING_ERROR) return false;
    if (util.IsPossibleNumberWithReason(number) != PhoneNumberUtil::IS_POSSIBLE) return false;
    util.Format(number, PhoneNumberUtil::E164, ret_e164);
    return true;
}

} // namespace

// No memory is the only exception there is: no number then.
extern "C" bool phone_library_parse(const char *typed, size_t typed_bytes, const char *region, char *buffer, size_t capacity,
                                    size_t *ret_size) {
    try {
        std::string e164, again;
        if (!parse(std::string(typed, typed_bytes), region == nullptr ? "ZZ" : region, &e164)) return false;
        // One number has one form: what would be read otherwise the next time is none.
        bool is_fixed = e164.compare(0, std::string::npos, typed, typed_bytes) == 0 || (parse(e164, "ZZ", &again) && again == e164);
        if (!is_fixed || e164.size() > capacity) return false;
        std::memcpy(buffer, e164.data(), e164.size());
        *ret_size = e164.size();
        return true;
    } catch (...) {
        return false;
    }
}

extern "C" bool phone_library_knows_region(const char *region) {
    try {
        return PhoneNumberUtil::GetInstance()->GetCountryCodeForRegion(region) != 0;
    } catch (...) {
        return false;
    }
}
