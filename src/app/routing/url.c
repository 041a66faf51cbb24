/* URLs of routes. See url.h. */
#include "app/routing/url.h"

#include "app/routing/host.h"
#include "http/chars.h"

#include <errno.h>
#include <stdio.h>

/* ---- Percent-coding (RFC 3986) ---- */

static bool is_unreserved(char c)
{
    return cv_chars_is_letter(c) || cv_chars_is_digit(c) ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

/* `also`: what else may stand as it is. */
static int append_coded(struct cv_buf *to, struct cv_span text, const char *also)
{
    static const char digits[] = "0123456789ABCDEF";
    int rc = cv_buf_reserve(to, text.len * 3);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (is_unreserved(c) || (c != '\0' && strchr(also, c) != NULL)) {
            to->at[to->len++] = c;
            continue;
        }
        to->at[to->len++] = '%';
        to->at[to->len++] = digits[(unsigned char)c >> 4];
        to->at[to->len++] = digits[(unsigned char)c & 15];
    }
    return 0;
}

#define IN_SEGMENT "!$&'()*+,;=:@" /* a pchar: section 3.3 */

static int append_segment(struct cv_buf *to, struct cv_span text)
{
    return append_coded(to, text, IN_SEGMENT);
}

/* As a form does it: "+" is a blank. */
static int append_query_part(struct cv_buf *to, struct cv_span text)
{
    int rc = 0;
    while (rc == 0 && text.len > 0) {
        const char *blank = memchr(text.at, ' ', text.len);
        size_t len = blank != NULL ? (size_t)(blank - text.at) : text.len;
        rc = append_coded(to, cv_span(text.at, len), "");
        if (rc == 0 && blank != NULL)
            rc = cv_buf_append(to, CV_SPAN("+"));
        len += blank != NULL;
        text = cv_span(text.at + len, text.len - len);
    }
    return rc;
}

/* ---- The path ---- */

int cv_url_complain(char *reason, size_t cap, const char *why)
{
    (void)snprintf(reason, cap, "%s", why);
    return -EINVAL;
}

/* The value of an argument, or NULL. */
static const char *argument(const struct covey_url *what, struct cv_span name)
{
    for (const char *const *arg = what->args; arg != NULL && arg[0] != NULL; arg += 2) {
        if (cv_span_eq(cv_span_str(arg[0]), name))
            return arg[1];
    }
    return NULL;
}

static bool is_dots(struct cv_span segment)
{
    return cv_span_eq(segment, CV_SPAN(".")) || cv_span_eq(segment, CV_SPAN(".."));
}

/* One segment, or those of a path, each by itself. */
static int append_value(struct cv_buf *to, const struct cv_param_type *type, struct cv_span value,
                        char *reason, size_t cap)
{
    int rc = 0;
    while (rc == 0) {
        const char *slash = type->kind == CV_PARAM_PATH ? memchr(value.at, '/', value.len) : NULL;
        struct cv_span segment = {value.at, slash != NULL ? (size_t)(slash - value.at) : value.len};
        if (is_dots(segment)) {
            (void)snprintf(reason, cap,
                           "\"%.*s\" cannot be a segment: clients take it for a way up or for "
                           "nothing",
                           (int)segment.len, segment.at);
            return -EINVAL;
        }
        rc = append_segment(to, segment);
        if (slash == NULL)
            break;
        if (rc == 0)
            rc = cv_buf_append(to, CV_SPAN("/"));
        value = cv_span(slash + 1, value.len - segment.len - 1);
    }
    return rc;
}

static int refuse_value(const struct cv_segment *segment, struct cv_span value, char *reason,
                        size_t cap)
{
    (void)snprintf(reason, cap, "\"%.*s\" does not fit the parameter <%.*s%.*s>", (int)value.len,
                   value.at, (int)segment->text.len, segment->text.at, (int)segment->type->text.len,
                   segment->type->text.at);
    return -EINVAL;
}

static int append_param(struct cv_buf *to, const struct cv_segment *segment,
                        const struct covey_url *what, char *reason, size_t cap)
{
    const char *text = argument(what, segment->text);
    const char *extension = argument(what, CV_SPAN(CV_PARAM_EXT_NAME));
    bool has_two = cv_param_values(segment->type) > 1;
    if (text == NULL || (has_two && extension == NULL)) {
        (void)snprintf(reason, cap, "the parameter \"%.*s\" is missing",
                       text == NULL ? (int)segment->text.len : 3,
                       text == NULL ? segment->text.at : CV_PARAM_EXT_NAME);
        return -EINVAL;
    }

    struct cv_buf joined;
    struct cv_span values[2];
    cv_buf_init(&joined, to->max);
    int rc = has_two ? cv_buf_printf(&joined, "%s.%s", text, extension) : 0;
    struct cv_span value = has_two ? cv_buf_span(&joined) : cv_span_str(text);
    if (rc == 0)
        rc = cv_param_fits(segment->type, value, values) > 0
                 ? append_value(to, segment->type, value, reason, cap)
                 : refuse_value(segment, value, reason, cap);
    cv_buf_done(&joined);
    return rc;
}

static int append_segments(struct cv_router *router, const struct cv_route *route,
                           const struct covey_url *what, struct cv_buf *to, char *reason,
                           size_t cap)
{
    struct cv_pattern pattern;
    int rc = cv_pattern_parse(&router->types, route->pattern, &pattern, reason, cap);
    for (size_t i = 0; i < pattern.n && rc == 0; i++) {
        const struct cv_segment *segment = &pattern.segments[i];
        rc = cv_buf_append(to, CV_SPAN("/"));
        if (rc == 0)
            rc = segment->type != NULL ? append_param(to, segment, what, reason, cap)
                                       : append_segment(to, segment->text);
    }
    return rc;
}

/* ---- Query and anchor ---- */

static bool is_parameter(const struct cv_route *route, const char *name)
{
    for (uint32_t i = 0; i < route->n_params; i++) {
        if (strcmp(route->params[i].name, name) == 0)
            return true;
    }
    return false;
}

static int append_query(const struct cv_route *route, const struct covey_url *what,
                        struct cv_buf *to, char *reason, size_t cap)
{
    struct cv_span separator = CV_SPAN("?");
    for (const char *const *arg = what->args; arg != NULL && arg[0] != NULL; arg += 2) {
        if (arg[1] == NULL) {
            (void)snprintf(reason, cap, "the argument \"%s\" has no value", arg[0]);
            return -EINVAL;
        }
        if (is_parameter(route, arg[0]))
            continue;
        int rc = cv_buf_append(to, separator);
        if (rc == 0)
            rc = append_query_part(to, cv_span_str(arg[0]));
        if (rc == 0)
            rc = cv_buf_append(to, CV_SPAN("="));
        if (rc == 0)
            rc = append_query_part(to, cv_span_str(arg[1]));
        if (rc < 0)
            return rc;
        separator = CV_SPAN("&");
    }
    return 0;
}

int cv_url_path(struct cv_router *router, const struct cv_route *route,
                const struct covey_url *what, struct cv_buf *to, char *reason, size_t cap)
{
    size_t before = to->len;
    int rc = append_segments(router, route, what, to, reason, cap);
    if (rc == 0 && before == 0 && to->len > 1 && to->at[1] == '/')
        return cv_url_complain(reason, cap, "it would begin with //, which names a server");
    if (rc == 0)
        rc = append_query(route, what, to, reason, cap);
    if (rc == 0 && what->anchor != NULL)
        rc = cv_buf_append(to, CV_SPAN("#"));
    if (rc == 0 && what->anchor != NULL)
        rc = append_coded(to, cv_span_str(what->anchor), IN_SEGMENT "/?");
    if (rc == -ENOMEM || rc == -EMSGSIZE)
        (void)snprintf(reason, cap, "it is too long, or memory has run out");
    return rc;
}

/* ---- Scheme and server ---- */

bool cv_url_is_external(const struct covey_url *what)
{
    return what->external || what->host != NULL || what->server != NULL;
}

/* The host among those of the route; an empty one where it has none. */
static int host_of(const struct cv_route *route, const char *wanted, struct cv_span *ret,
                   char *reason, size_t cap)
{
    const char *at = route->how.host;
    *ret = cv_span_str(wanted != NULL ? wanted : "");
    if (at == NULL)
        return 0;
    struct cv_span first = cv_host_next(&at);
    if (wanted == NULL) {
        *ret = first;
        if (cv_host_next(&at).len == 0)
            return 0;
        (void)snprintf(reason, cap, "the route has several hosts (%s): choose with .host",
                       route->how.host);
        return -EINVAL;
    }
    for (struct cv_span host = first; host.len > 0; host = cv_host_next(&at)) {
        if (cv_span_ieq(host, *ret))
            return 0;
    }
    (void)snprintf(reason, cap, "\"%s\" is none of the route's hosts (%s)", wanted,
                   route->how.host);
    return -EINVAL;
}

static bool is_scheme(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_unreserved(text.at[i]) && text.at[i] != '+')
            return false;
    }
    return text.len > 0;
}

/* Takes the scheme off "https://example.com"; *scheme stays as it is where there is none. */
static struct cv_span without_scheme(struct cv_span server, struct cv_span *scheme)
{
    const char *colon = memmem(server.at, server.len, "://", 3);
    if (colon == NULL)
        return server;
    *scheme = cv_span(server.at, (size_t)(colon - server.at));
    return cv_span(colon + 3, server.len - scheme->len - 3);
}

int cv_url_origin(const struct cv_route *route, const struct covey_url *what,
                  struct cv_span fallback, struct cv_buf *to, char *reason, size_t cap)
{
    struct cv_span host, scheme = CV_SPAN("http");
    char name[CV_HOST_MAX];

    int rc = host_of(route, what->host, &host, reason, cap);
    if (rc < 0)
        return rc;
    struct cv_span server = without_scheme(fallback, &scheme);
    if (what->server != NULL)
        server = without_scheme(cv_span_str(what->server), &scheme);
    else if (host.len > 0)
        server = host;
    if (server.len == 0)
        return cv_url_complain(reason, cap, "no server is known: give .server, or set SERVER_NAME");
    if (what->scheme != NULL)
        scheme = cv_span_str(what->scheme);
    size_t len = cv_host_write(server, name);
    if (len == 0 || !is_scheme(scheme)) {
        (void)snprintf(reason, cap, "\"%.*s://%.*s\" is no scheme with a server", (int)scheme.len,
                       scheme.at, (int)server.len, server.at);
        return -EINVAL;
    }
    return cv_buf_printf(to, "%.*s://%.*s", (int)scheme.len, scheme.at, (int)len, name);
}
