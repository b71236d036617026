#include "base/clock.h"

#include <time.h>

#include "base/check.h"

#define SECONDS_PER_DAY    INT64_C(86400)
#define YEAR_ZERO_SECONDS  INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define YEAR_END_SECONDS   INT64_C(253402300800) /* 10000-01-01T00:00:00Z */
#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_EPOCH      719468 /* from 0000-03-01 to 1970-01-01 */

static int64_t read_clock_us(clockid_t which) {
    struct timespec time;
    CHECK(clock_gettime(which, &time) == 0);
    return (int64_t)time.tv_sec * CLOCK_SECOND_US + time.tv_nsec / 1000;
}

static int64_t system_now_us(void *context) {
    (void)context;
    return read_clock_us(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void *context) {
    (void)context;
    return read_clock_us(CLOCK_MONOTONIC);
}

const struct clock clock_system = {.now_us = system_now_us, .monotonic_us = system_monotonic_us, .context = NULL};

struct date {
    int64_t year;
    int64_t month; /* 1..12 */
    int64_t day;   /* 1..31 */
};

/* The proleptic Gregorian calendar, counted in years that begin in March, so that the leap day is a year's last. */
static struct date date_of_days(int64_t days_since_epoch) {
    int64_t days = days_since_epoch + DAYS_TO_EPOCH;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_400_YEARS - 1)) / DAYS_PER_400_YEARS;
    int64_t day_of_era = days - era * DAYS_PER_400_YEARS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct date){
        .year = era * 400 + year_of_era + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
    };
}

static int64_t days_of_date(struct date date) {
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t march_month = date.month > 2 ? date.month - 3 : date.month + 9;
    int64_t day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
    return era * DAYS_PER_400_YEARS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - DAYS_TO_EPOCH;
}

static int64_t days_in_month(int64_t year, int64_t month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

static void put_digits(char *text, int width, int64_t value) {
    for (int i = width - 1; i >= 0; i--) {
        text[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_format(int64_t time_us, char text[CLOCK_TEXT_BYTES]) {
    CHECK(time_us >= YEAR_ZERO_SECONDS * CLOCK_SECOND_US && time_us < YEAR_END_SECONDS * CLOCK_SECOND_US);
    int64_t from_zero_us = time_us - YEAR_ZERO_SECONDS * CLOCK_SECOND_US; /* not negative: divisions round down */
    int64_t second = from_zero_us / CLOCK_SECOND_US;
    int64_t second_of_day = second % SECONDS_PER_DAY;
    struct date date = date_of_days(second / SECONDS_PER_DAY + YEAR_ZERO_SECONDS / SECONDS_PER_DAY);
    put_digits(text, 4, date.year);
    text[4] = '-';
    put_digits(text + 5, 2, date.month);
    text[7] = '-';
    put_digits(text + 8, 2, date.day);
    text[10] = 'T';
    put_digits(text + 11, 2, second_of_day / 3600);
    text[13] = ':';
    put_digits(text + 14, 2, second_of_day / 60 % 60);
    text[16] = ':';
    put_digits(text + 17, 2, second_of_day % 60);
    text[19] = '.';
    put_digits(text + 20, 6, from_zero_us % CLOCK_SECOND_US);
    text[26] = 'Z';
}

struct reader {
    struct text text;
    size_t at;
    bool failed;
};

static char read_byte(struct reader *reader) {
    if (reader->at >= reader->text.size) {
        reader->failed = true;
        return '\0';
    }
    return reader->text.data[reader->at++];
}

static void read_exactly(struct reader *reader, char expected) {
    if (read_byte(reader) != expected) reader->failed = true;
}

static int64_t read_number(struct reader *reader, int digits, int64_t min, int64_t max) {
    int64_t value = 0;
    for (int i = 0; i < digits; i++) {
        char byte = read_byte(reader);
        if (byte < '0' || byte > '9') {
            reader->failed = true;
            return min;
        }
        value = value * 10 + (byte - '0');
    }
    if (value < min || value > max) {
        reader->failed = true;
        return min;
    }
    return value;
}

static bool next_is(const struct reader *reader, char byte) {
    return reader->at < reader->text.size && reader->text.data[reader->at] == byte;
}

static int64_t read_fraction_us(struct reader *reader) {
    if (!next_is(reader, '.')) return 0;
    reader->at++;
    int64_t fraction_us = 0, weight = CLOCK_SECOND_US / 10;
    int digits = 0;
    while (reader->at < reader->text.size && reader->text.data[reader->at] >= '0' && reader->text.data[reader->at] <= '9') {
        fraction_us += weight * (reader->text.data[reader->at++] - '0');
        weight /= 10;
        digits++;
    }
    if (digits < 1 || digits > 9) reader->failed = true;
    return fraction_us;
}

static int64_t read_offset_seconds(struct reader *reader) {
    char sign = read_byte(reader);
    if (sign == 'Z' || sign == 'z') return 0;
    if (sign != '+' && sign != '-') {
        reader->failed = true;
        return 0;
    }
    int64_t hours = read_number(reader, 2, 0, 23);
    read_exactly(reader, ':');
    int64_t seconds = hours * 3600 + read_number(reader, 2, 0, 59) * 60;
    return sign == '-' ? -seconds : seconds;
}

struct result clock_parse(struct text text, int64_t *ret_time_us) {
    struct reader reader = {.text = text};
    struct date date;
    date.year = read_number(&reader, 4, 0, 9999);
    read_exactly(&reader, '-');
    date.month = read_number(&reader, 2, 1, 12);
    read_exactly(&reader, '-');
    date.day = read_number(&reader, 2, 1, days_in_month(date.year, date.month));
    char separator = read_byte(&reader);
    if (separator != 'T' && separator != 't') reader.failed = true;
    int64_t hour = read_number(&reader, 2, 0, 23);
    read_exactly(&reader, ':');
    int64_t minute = read_number(&reader, 2, 0, 59);
    read_exactly(&reader, ':');
    int64_t second = read_number(&reader, 2, 0, 59); /* no leap seconds: our time has no place for them */
    int64_t fraction_us = read_fraction_us(&reader);
    int64_t offset_seconds = read_offset_seconds(&reader);
    if (reader.failed || reader.at != text.size) return result_error(RESULT_INVALID);

    int64_t seconds = days_of_date(date) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset_seconds;
    if (seconds < YEAR_ZERO_SECONDS || seconds >= YEAR_END_SECONDS) return result_error(RESULT_INVALID);
    *ret_time_us = seconds * CLOCK_SECOND_US + fraction_us;
    return result_ok();
}
