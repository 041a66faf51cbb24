#include "http/date.h"

#include "base/macros.h"

/* 1970-01-01 was a Thursday. */
static const char *const weekdays[] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                       "Monday",   "Tuesday", "Wednesday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* ---- Writing ---- */

/* Writes `value` with `digits` digits. */
static char *put_number(char *at, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* Years begin in March here, so that the leap day is a year's last (Howard Hinnant, "chrono-
 * compatible low-level date algorithms"). */
static void civil_date(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day)
{
    days += 719468; /* since 0000-03-01 */
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    *ret_day = day_of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 2 : month - 10; /* January is 0 */
    *ret_year = era * 400 + year_of_era + (*ret_month < 2);
}

void cv_date_write(char *at, int64_t seconds)
{
    const int64_t last = 253402300799; /* of the year 9999 */
    int64_t year, month, day;

    seconds = seconds < 0 ? 0 : seconds > last ? last : seconds;
    civil_date(seconds / 86400, &year, &month, &day);
    at = put_text(at, weekdays[seconds / 86400 % 7], 3);
    at = put_text(at, ", ", 2);
    at = put_number(at, day, 2);
    *at++ = ' ';
    at = put_text(at, months[month], 3);
    *at++ = ' ';
    at = put_number(at, year, 4);
    *at++ = ' ';
    at = put_number(at, seconds / 3600 % 24, 2);
    *at++ = ':';
    at = put_number(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_number(at, seconds % 60, 2);
    (void)put_text(at, " GMT", 4);
}

/* ---- Reading ---- */

/* What strptime() calls %a %A %b %d %e %Y %y %H %M %S; strptime() itself takes far more than that,
 * and knows locales. */
static const char *const forms[] = {
    "%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate */
    "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
    "%a %b %e %H:%M:%S %Y",      /* asctime() */
};

struct parts {
    int64_t year, month, day, hour, minute, second;
    bool short_year;
};

static bool take_text(struct cv_span *in, const char *text, size_t len)
{
    if (in->len < len || memcmp(in->at, text, len) != 0)
        return false;
    *in = cv_span(in->at + len, in->len - len);
    return true;
}

static bool take_weekday(struct cv_span *in, bool whole)
{
    for (size_t i = 0; i < CV_COUNT(weekdays); i++) {
        if (take_text(in, weekdays[i], whole ? strlen(weekdays[i]) : 3))
            return true;
    }
    return false;
}

static bool take_month(struct cv_span *in, int64_t *ret)
{
    for (size_t i = 0; i < CV_COUNT(months); i++) {
        if (take_text(in, months[i], 3)) {
            *ret = (int64_t)i;
            return true;
        }
    }
    return false;
}

/* Exactly so many digits; the first may be a blank if `padded`. */
static bool take_number(struct cv_span *in, size_t digits, bool padded, int64_t *ret)
{
    if (in->len < digits)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = in->at[i];
        if (padded && i == 0 && c == ' ')
            continue;
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *in = cv_span(in->at + digits, in->len - digits);
    *ret = value;
    return true;
}

static bool take_part(struct cv_span *in, char what, struct parts *ret)
{
    switch (what) {
    case 'a': return take_weekday(in, false);
    case 'A': return take_weekday(in, true);
    case 'b': return take_month(in, &ret->month);
    case 'd': return take_number(in, 2, false, &ret->day);
    case 'e': return take_number(in, 2, true, &ret->day);
    case 'Y': return take_number(in, 4, false, &ret->year);
    case 'y': ret->short_year = true; return take_number(in, 2, false, &ret->year);
    case 'H': return take_number(in, 2, false, &ret->hour);
    case 'M': return take_number(in, 2, false, &ret->minute);
    case 'S': return take_number(in, 2, false, &ret->second);
    default: return false;
    }
}

static bool read_form(const char *form, struct cv_span in, struct parts *ret)
{
    *ret = (struct parts){0};
    for (; *form != '\0'; form++) {
        bool taken = *form == '%' ? take_part(&in, *++form, ret) : take_text(&in, form, 1);
        if (!taken)
            return false;
    }
    return in.len == 0;
}

/* The inverse of civil_date(). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month < 2;
    int64_t era = year / 400;
    int64_t year_of_era = year % 400;
    int64_t day_of_year = (153 * (month < 2 ? month + 10 : month - 2) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* Exists in the calendar. A leap second (60) is allowed. */
static bool exists(const struct parts *at)
{
    int64_t year, month, day;
    if (at->day < 1 || at->day > 31 || at->hour > 23 || at->minute > 59 || at->second > 60)
        return false;
    if (at->year < 1)
        return false; /* the arithmetic begins in March of the year 0 */
    civil_date(days_of(at->year, at->month, at->day), &year, &month, &day);
    return day == at->day;
}

/* The latest year with these two digits that lies at most 50 years ahead. */
static int64_t full_year(int64_t two_digits, int64_t now)
{
    int64_t year, month, day;
    civil_date(now / 86400, &year, &month, &day);
    int64_t latest = year + 50;
    return latest - (latest - two_digits) % 100;
}

bool cv_date_read(struct cv_span text, int64_t now, int64_t *ret_seconds)
{
    struct parts at;
    size_t form = 0;
    while (form < CV_COUNT(forms) && !read_form(forms[form], text, &at))
        form++;
    if (form == CV_COUNT(forms))
        return false;
    if (at.short_year)
        at.year = full_year(at.year, now);
    if (!exists(&at))
        return false;
    *ret_seconds =
        days_of(at.year, at.month, at.day) * 86400 + at.hour * 3600 + at.minute * 60 + at.second;
    return true;
}
