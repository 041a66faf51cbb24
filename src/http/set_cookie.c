#include "http/set_cookie.h"

#include "base/macros.h"
#include "base/num.h"
#include "http/chars.h"
#include "http/date.h"
#include "http/text.h"

static const struct cv_span same_sites[] = {{"Lax", 3}, {"Strict", 6}, {"None", 4}};

/* ---- Checks ---- */

/* cookie-octet: visible ASCII but '"', ',', ';' and '\' (section 4.1.1). */
static bool is_octet(char c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static bool is_value(struct cv_span value)
{
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
        value = cv_span(value.at + 1, value.len - 2);
    for (size_t i = 0; i < value.len; i++) {
        if (!is_octet(value.at[i]))
            return false;
    }
    return true;
}

static bool is_path(struct cv_span path)
{
    if (path.len > 0 && path.at[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] < 0x20 || path.at[i] >= 0x7f || path.at[i] == ';')
            return false;
    }
    return true;
}

static bool is_domain(struct cv_span domain)
{
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.at[i];
        if (!cv_chars_is_letter(c) && !cv_chars_is_digit(c) && c != '-' && c != '.')
            return false;
    }
    return true;
}

/* As it is written; empty: there is none such. */
static struct cv_span find_same_site(struct cv_span name)
{
    for (size_t i = 0; i < CV_COUNT(same_sites); i++) {
        if (cv_span_ieq(name, same_sites[i]))
            return same_sites[i];
    }
    return cv_span(NULL, 0);
}

static bool starts_with(struct cv_span name, struct cv_span prefix)
{
    return name.len >= prefix.len && cv_span_ieq(cv_span(name.at, prefix.len), prefix);
}

/* Browsers compare them without regard to case, and refuse what breaks their rules (section
 * 4.1.3). */
static const char *check_prefix(const struct cv_set_cookie *cookie)
{
    bool is_host_http = starts_with(cookie->name, CV_SPAN("__Host-Http-"));
    bool is_host = starts_with(cookie->name, CV_SPAN("__Host-"));
    bool is_http = is_host_http || starts_with(cookie->name, CV_SPAN("__Http-"));
    bool is_any = is_host || is_http || starts_with(cookie->name, CV_SPAN("__Secure-"));

    if (is_any && !cookie->secure)
        return "a name that begins with __Secure-, __Host- or __Http- needs .secure";
    if (is_host && cookie->domain.len > 0)
        return "a name that begins with __Host- excludes .domain";
    if (is_host && !cv_span_eq(cookie->path, CV_SPAN("/")))
        return "a name that begins with __Host- needs the path \"/\"";
    if (is_http && !cookie->http_only)
        return "a name that begins with __Http- or __Host-Http- needs .httponly";
    return NULL;
}

static const char *check_flags(const struct cv_set_cookie *cookie)
{
    if (cookie->same_site.len > 0 && find_same_site(cookie->same_site).len == 0)
        return ".samesite is Lax, Strict, None or \"\"";
    if (cv_span_ieq(cookie->same_site, CV_SPAN("None")) && !cookie->secure)
        return ".samesite = \"None\" needs .secure";
    if (cookie->partitioned && !cookie->secure)
        return ".partitioned needs .secure";
    return check_prefix(cookie);
}

const char *cv_set_cookie_check(const struct cv_set_cookie *cookie)
{
    if (!cv_is_token(cookie->name))
        return "the name is no token: letters, digits and !#$%&'*+-.^_`|~";
    if (!is_value(cookie->value))
        return "the value holds a blank, a comma, a semicolon, a quote, a backslash or what is no "
               "ASCII: encode it, in base64url for instance";
    if (cookie->name.len + cookie->value.len > CV_COOKIE_MAX)
        return "name and value are longer than 4096 bytes, more than browsers keep";
    if (cookie->path.len > CV_COOKIE_ATTRIBUTE_MAX || !is_path(cookie->path))
        return "the path does not begin with a slash, holds a semicolon or control characters, or "
               "is longer than 1024 bytes";
    if (cookie->domain.len > CV_COOKIE_ATTRIBUTE_MAX || !is_domain(cookie->domain))
        return "the domain is no host name";
    if (cookie->max_age < 0)
        return ".max_age is negative: covey_delete_cookie() deletes one";
    if (cookie->expires < 0)
        return ".expires lies before 1970: covey_delete_cookie() deletes one";
    return check_flags(cookie);
}

/* ---- Writing ---- */

static char *put(char *to, struct cv_span text)
{
    memcpy(to, text.at, text.len);
    return to + text.len;
}

static char *put_if(char *to, struct cv_span name, struct cv_span value)
{
    return value.len > 0 ? put(put(to, name), value) : to;
}

static char *put_expires(char *to, int64_t at)
{
    to = put(to, CV_SPAN("; Expires="));
    cv_date_write(to, at);
    return to + CV_DATE_LEN;
}

static char *put_end_of_life(char *to, const struct cv_set_cookie *cookie)
{
    if (cookie->is_over) /* the date for what does not know Max-Age */
        return put_expires(put(to, CV_SPAN("; Max-Age=0")), 0);
    if (cookie->max_age > 0) {
        to = put(to, CV_SPAN("; Max-Age="));
        to += cv_num_write_u64(to, (uint64_t)cookie->max_age);
    }
    return cookie->expires > 0 ? put_expires(to, cookie->expires) : to;
}

/* Path and Domain first, for cv_set_cookie_is_same(). */
size_t cv_set_cookie_write(const struct cv_set_cookie *cookie, char *to)
{
    char *at = put(to, cookie->name);
    at = put(at, CV_SPAN("="));
    if (cookie->value.len > 0)
        at = put(at, cookie->value);
    at = put_if(at, CV_SPAN("; Path="), cookie->path);
    at = put_if(at, CV_SPAN("; Domain="), cookie->domain);
    at = put_end_of_life(at, cookie);
    at = put_if(at, CV_SPAN("; SameSite="), find_same_site(cookie->same_site));
    if (cookie->secure)
        at = put(at, CV_SPAN("; Secure"));
    if (cookie->http_only)
        at = put(at, CV_SPAN("; HttpOnly"));
    if (cookie->partitioned)
        at = put(at, CV_SPAN("; Partitioned"));
    return (size_t)(at - to);
}

/* ---- Comparing ---- */

/* What stands before the next semicolon; moves `in` behind it and the blank. */
static struct cv_span take_part(struct cv_span *in)
{
    const char *end = in->len > 0 ? memchr(in->at, ';', in->len) : NULL;
    struct cv_span part = cv_span(in->at, end != NULL ? (size_t)(end - in->at) : in->len);
    size_t used = end != NULL ? part.len + 2 : part.len;
    *in = used < in->len ? cv_span(in->at + used, in->len - used) : cv_span(NULL, 0);
    return part;
}

/* The attribute, if it is the next one. */
static struct cv_span take_if(struct cv_span *in, struct cv_span name)
{
    if (!starts_with(*in, name))
        return cv_span(NULL, 0);
    return take_part(in);
}

bool cv_set_cookie_is_same(struct cv_span a, struct cv_span b)
{
    struct cv_span first = take_part(&a), other = take_part(&b);
    const char *end = first.len > 0 ? memchr(first.at, '=', first.len) : NULL;
    if (end == NULL)
        return false;
    size_t len = (size_t)(end - first.at) + 1;
    if (other.len < len || !cv_span_eq(cv_span(first.at, len), cv_span(other.at, len)))
        return false;
    return cv_span_eq(take_if(&a, CV_SPAN("Path=")), take_if(&b, CV_SPAN("Path="))) &&
           cv_span_ieq(take_if(&a, CV_SPAN("Domain=")), take_if(&b, CV_SPAN("Domain=")));
}
