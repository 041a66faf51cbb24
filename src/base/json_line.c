#include "base/json_line.h"

#include "base/utf8.h"

/* What must always find room: the end of a string, of the object, of the line. */
#define END_MAX 3

#define TIME_LEN 24

/* ---- Characters ---- */

static size_t put_escape(uint32_t point, char to[CV_JSON_CHAR_MAX])
{
    static const char digits[] = "0123456789abcdef";
    to[0] = '\\';
    to[1] = 'u';
    for (int i = 0; i < 4; i++)
        to[2 + i] = digits[point >> (12 - 4 * i) & 15];
    return 6;
}

size_t cv_json_char(struct cv_span *text, char to[CV_JSON_CHAR_MAX])
{
    uint32_t point = 0xfffd;
    size_t len = cv_utf8_len(*text, &point);
    struct cv_span c = cv_span(text->at, len);
    size_t used = len > 0 ? len : 1;
    *text = cv_span(text->at + used, text->len - used);
    if (len == 0)
        return put_escape(0xfffd, to);
    bool is_control = point < 0x20 || (point >= 0x7f && point <= 0x9f);
    if (is_control || point == '"' || point == '\\')
        return put_escape(point, to);
    memcpy(to, c.at, len);
    return len;
}

/* ---- Members ---- */

static size_t room(const struct cv_json_line *line)
{
    return line->cap - END_MAX - line->len;
}

static void put(struct cv_json_line *line, struct cv_span text)
{
    memcpy(line->to + line->len, text.at, text.len);
    line->len += text.len;
}

/* Writes the name if `least` bytes behind it find room, too. */
static bool put_name(struct cv_json_line *line, const char *name, size_t least)
{
    struct cv_span text = cv_span_str(name);
    if (text.len + 4 + least > room(line))
        return false;
    put(line, line->len > 1 ? CV_SPAN(",\"") : CV_SPAN("\""));
    put(line, text);
    put(line, CV_SPAN("\":"));
    return true;
}

void cv_json_open(struct cv_json_line *line, char *to, size_t cap)
{
    *line = (struct cv_json_line){.to = to, .cap = cap};
    put(line, CV_SPAN("{"));
}

void cv_json_number(struct cv_json_line *line, const char *name, struct cv_span number)
{
    if (put_name(line, name, number.len))
        put(line, number);
}

void cv_json_text(struct cv_json_line *line, const char *name, struct cv_span text, size_t most)
{
    if (text.at == NULL) {
        cv_json_number(line, name, CV_SPAN("null"));
        return;
    }
    if (!put_name(line, name, 2))
        return;
    put(line, CV_SPAN("\""));
    while (text.len > 0) {
        char c[CV_JSON_CHAR_MAX];
        size_t len = cv_json_char(&text, c);
        if (len > most || len + 1 > room(line))
            break;
        put(line, cv_span(c, len));
        most -= len;
    }
    put(line, CV_SPAN("\""));
}

size_t cv_json_close(struct cv_json_line *line)
{
    put(line, CV_SPAN("}\n"));
    return line->len;
}

/* ---- Time ---- */

static char *put_digits(char *to, int64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + n;
}

/* Writes the date of a day, counted from 1970, in the calendar whose years begin in March: then
 * the day that comes and goes is the last one. From 1970 to 9999. */
static char *put_date(char *to, int64_t day)
{
    day += 719468; /* since 0000-03-01 */
    int64_t of_era = day % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    to = put_digits(to, day / 146097 * 400 + year_of_era + (month <= 2), 4);
    *to++ = '-';
    to = put_digits(to, month, 2);
    *to++ = '-';
    return put_digits(to, of_year - (153 * from_march + 2) / 5 + 1, 2);
}

void cv_json_time(struct cv_json_line *line, const char *name, const struct timespec *at)
{
    char text[TIME_LEN];
    int64_t second = at->tv_sec > 0 ? at->tv_sec : 0;
    char *to = put_date(text, second / 86400);
    *to++ = 'T';
    to = put_digits(to, second / 3600 % 24, 2);
    *to++ = ':';
    to = put_digits(to, second / 60 % 60, 2);
    *to++ = ':';
    to = put_digits(to, second % 60, 2);
    *to++ = '.';
    to = put_digits(to, at->tv_nsec / 1000000, 3);
    *to++ = 'Z';
    cv_json_text(line, name, cv_span(text, (size_t)(to - text)), TIME_LEN);
}
