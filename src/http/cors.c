#include "http/cors.h"

#include "base/num.h"
#include "http/scan.h"
#include "http/text.h"

#include <errno.h>
#include <stdio.h>

/* ---- Lists ---- */

/* The next member of a list with blanks and commas in between; at NULL behind the last. */
static struct cv_span next_member(struct cv_span *list)
{
    while (list->len > 0 && memchr(" \t,", list->at[0], 3) != NULL)
        *list = cv_span(list->at + 1, list->len - 1);
    if (list->len == 0)
        return cv_span(NULL, 0);
    size_t len = 0;
    while (len < list->len && memchr(" \t,", list->at[len], 3) == NULL)
        len++;
    struct cv_span member = {list->at, len};
    *list = cv_span(list->at + len, list->len - len);
    return member;
}

int64_t cv_cors_list(struct cv_span list, char *to)
{
    size_t len = 0;
    for (struct cv_span member; (member = next_member(&list)).at != NULL;) {
        if (!cv_is_token(member))
            return -EINVAL;
        if (len > 0) {
            memcpy(to + len, ", ", 2);
            len += 2;
        }
        memcpy(to + len, member.at, member.len);
        len += member.len;
    }
    return (int64_t)len;
}

static bool is_all(const char *origins)
{
    return cv_span_eq(cv_span_str(origins), CV_SPAN("*"));
}

/* ---- Origins (Fetch standard, section 3.2; RFC 6454, section 7.1) ---- */

/* Scheme, host and port of an origin, or of a pattern for some. */
struct parts {
    struct cv_span scheme;
    struct cv_span host;
    struct cv_span port; /* at NULL: none is named */
};

static bool split(struct cv_span text, struct parts *ret)
{
    struct cv_scan in = {text.at, text.at + text.len};
    ret->scheme = cv_scan_token(&in);
    if (!cv_scan_take(&in, ':') || !cv_scan_take(&in, '/') || !cv_scan_take(&in, '/'))
        return false;
    const char *end = in.at; /* where a colon is a port's */
    if (end < in.end && *end == '[')
        end = memchr(end, ']', (size_t)(in.end - end));
    if (end == NULL)
        return false;
    const char *colon = memchr(end, ':', (size_t)(in.end - end));
    const char *host_end = colon != NULL ? colon : in.end;
    ret->host = cv_span(in.at, (size_t)(host_end - in.at));
    ret->port = colon != NULL ? cv_span(colon + 1, (size_t)(in.end - colon) - 1) : cv_span(NULL, 0);
    return true;
}

static bool consists_of(struct cv_span text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        char lower = (char)(c | 0x20);
        bool is_common = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
        if (!is_common && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return text.len > 0;
}

static bool is_host(struct cv_span host)
{
    if (host.len > 2 && host.at[0] == '[')
        return host.at[host.len - 1] == ']' &&
               consists_of(cv_span(host.at + 1, host.len - 2), ":.");
    return consists_of(host, "-._");
}

static bool is_port(struct cv_span port)
{
    uint64_t number;
    return port.at == NULL || cv_num_u64(port, 65535, &number) == 0;
}

bool cv_cors_is_origin(struct cv_span text)
{
    struct parts parts;
    return text.len <= CV_CORS_ORIGIN_MAX && split(text, &parts) &&
           consists_of(parts.scheme, "+-.") && is_host(parts.host) && is_port(parts.port);
}

/* What stands behind the '*' of "*.shop.example"; at NULL: there is none. */
static struct cv_span below(struct cv_span host)
{
    bool is_pattern = host.len > 2 && host.at[0] == '*' && host.at[1] == '.';
    return is_pattern ? cv_span(host.at + 1, host.len - 1) : cv_span(NULL, 0);
}

static bool matches(struct cv_span pattern, const struct parts *origin)
{
    struct parts parts;
    if (!split(pattern, &parts) || !cv_span_ieq(parts.scheme, origin->scheme))
        return false;
    if (!cv_span_eq(parts.port, CV_SPAN("*")) && !cv_span_eq(parts.port, origin->port))
        return false;
    struct cv_span tail = below(parts.host);
    if (tail.at == NULL)
        return cv_span_ieq(parts.host, origin->host);
    struct cv_span host = origin->host;
    return host.len > tail.len &&
           cv_span_ieq(cv_span(host.at + host.len - tail.len, tail.len), tail);
}

bool cv_cors_lists(const char *origins, struct cv_span origin)
{
    struct parts parts = {.port = {NULL, 0}};
    bool is_null = cv_span_eq(origin, CV_SPAN("null"));
    if (origin.at == NULL)
        return false;
    if (is_all(origins))
        return true;
    if (!is_null && (!cv_cors_is_origin(origin) || !split(origin, &parts)))
        return false;
    struct cv_span list = cv_span_str(origins);
    for (struct cv_span member; (member = next_member(&list)).at != NULL;) {
        if (is_null ? cv_span_eq(member, origin) : matches(member, &parts))
            return true;
    }
    return false;
}

/* ---- What is registered ---- */

static bool is_default_port(const struct parts *parts)
{
    return (cv_span_ieq(parts->scheme, CV_SPAN("https")) &&
            cv_span_eq(parts->port, CV_SPAN("443"))) ||
           (cv_span_ieq(parts->scheme, CV_SPAN("http")) && cv_span_eq(parts->port, CV_SPAN("80")));
}

/* What is wrong with a member of the list; NULL: nothing. */
static const char *fault_of(struct cv_span member)
{
    struct parts parts;
    if (cv_span_eq(member, CV_SPAN("*")))
        return "it lets all in: it stands alone, and without .allow";
    if (cv_span_eq(member, CV_SPAN("null")))
        return NULL;
    bool is_split = split(member, &parts) && consists_of(parts.scheme, "+-.");
    if (is_split && below(parts.host).at != NULL)
        parts.host = cv_span(parts.host.at + 2, parts.host.len - 2);
    if (!is_split || !is_host(parts.host) ||
        !(cv_span_eq(parts.port, CV_SPAN("*")) || is_port(parts.port)))
        return "it is no origin: scheme://host or scheme://host:port, without a path or a slash at "
               "the end; \"*.\" may stand in front of the host, and \"*\" for the port";
    if (is_default_port(&parts))
        return "browsers leave out the port that the scheme has anyway, and so must you";
    return NULL;
}

static int refuse_credentials(const struct cv_cors *cors, char *reason, size_t cap)
{
    struct cv_span list = cors->expose;
    bool exposes_all = false;
    for (struct cv_span member; (member = next_member(&list)).at != NULL;)
        exposes_all |= cv_span_eq(member, CV_SPAN("*"));
    if (is_all(cors->origins))
        (void)snprintf(reason, cap,
                       "with .credentials, \"*\" would let every page act as its "
                       "reader, and browsers refuse it: name the origins");
    else if (cv_cors_lists(cors->origins, CV_SPAN("null")))
        (void)snprintf(reason, cap,
                       "with .credentials, \"null\" would let every page act as its "
                       "reader, for each can have that origin (a sandboxed frame)");
    else if (exposes_all)
        (void)snprintf(reason, cap,
                       "with .credentials, browsers take the \"*\" of .expose for a "
                       "field of that name: name the fields");
    else
        return 0;
    return -EINVAL;
}

int cv_cors_check(const struct cv_cors *cors, char *reason, size_t cap)
{
    struct cv_span list = cv_span_str(is_all(cors->origins) ? "" : cors->origins);
    for (struct cv_span member; (member = next_member(&list)).at != NULL;) {
        const char *fault = fault_of(member);
        if (fault != NULL) {
            (void)snprintf(reason, cap, "\"%.*s\": %s", (int)(member.len > 100 ? 100 : member.len),
                           member.at, fault);
            return -EINVAL;
        }
    }
    return cors->credentials ? refuse_credentials(cors, reason, cap) : 0;
}

/* ---- Answers ---- */

bool cv_cors_is_preflight(const struct cv_cors_asked *asked)
{
    return asked->is_options && asked->origin.at != NULL && asked->method.at != NULL;
}

/* The fields that a preflight asks for, if they are any; what is no such list is not repeated. */
static bool is_list(struct cv_span list)
{
    bool is_any = false;
    for (struct cv_span member; (member = next_member(&list)).at != NULL;) {
        if (!cv_is_token(member))
            return false;
        is_any = true;
    }
    return is_any;
}

static void put(struct cv_cors_field fields[CV_CORS_FIELDS_MAX], size_t *n, struct cv_span name,
                struct cv_span value)
{
    if (value.len > 0)
        fields[(*n)++] = (struct cv_cors_field){name, value};
}

static void put_permission(const struct cv_cors *cors, const struct cv_cors_asked *asked,
                           struct cv_cors_field fields[CV_CORS_FIELDS_MAX], size_t *n)
{
    struct cv_span methods = cors->methods;
    struct cv_span headers = cors->headers;
    if (methods.at == NULL && cv_is_token(asked->method))
        methods = asked->method;
    if (headers.at == NULL && is_list(asked->headers))
        headers = asked->headers;
    put(fields, n, CV_SPAN("Access-Control-Allow-Methods"), methods);
    put(fields, n, CV_SPAN("Access-Control-Allow-Headers"), headers);
    put(fields, n, CV_SPAN("Access-Control-Max-Age"), cors->max_age);
}

size_t cv_cors_fields(const struct cv_cors *cors, const struct cv_cors_asked *asked, bool is_let_in,
                      struct cv_cors_field fields[CV_CORS_FIELDS_MAX])
{
    bool is_preflight = cv_cors_is_preflight(asked);
    bool lets_all_in = is_all(cors->origins);
    size_t n = 0;
    if (is_preflight)
        put(fields, &n, CV_SPAN("Vary"),
            CV_SPAN("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
    else if (!lets_all_in)
        put(fields, &n, CV_SPAN("Vary"), CV_SPAN("Origin"));
    if (!lets_all_in && !is_let_in)
        return n;
    put(fields, &n, CV_SPAN("Access-Control-Allow-Origin"),
        lets_all_in ? CV_SPAN("*") : asked->origin);
    if (cors->credentials)
        put(fields, &n, CV_SPAN("Access-Control-Allow-Credentials"), CV_SPAN("true"));
    if (is_preflight)
        put_permission(cors, asked, fields, &n);
    else
        put(fields, &n, CV_SPAN("Access-Control-Expose-Headers"), cors->expose);
    return n;
}
