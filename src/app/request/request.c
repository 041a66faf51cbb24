/* What a handler is given: strings out of the head, copied only when asked for.
 *
 * The head is copied once into the request's arena at the first getter; each string then gets its
 * NUL in place, because behind every name and value stands a byte that nobody reads.
 */
#include "app/request/request.h"

#include "base/num.h"
#include "base/utf8.h"
#include "http/parameters.h"
#include "http/target.h"
#include "http/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* The copy of the head, or NULL. */
static char *head_copy(struct covey_req *req)
{
    if (req->head == NULL) {
        size_t len = cv_exchange_head(req->x)->len;
        req->head = cv_arena_alloc(req->arena, len + 1);
        if (req->head != NULL)
            memcpy(req->head, cv_exchange_bytes(req->x), len);
    }
    return req->head;
}

/* A piece of the head as a string. */
static const char *head_string(struct covey_req *req, uint32_t at, uint32_t len)
{
    char *head = head_copy(req);
    if (head == NULL)
        return NULL;
    head[at + len] = '\0';
    return head + at;
}

const char *covey_method(const covey_req *req)
{
    if (!cv_req_here(req))
        return NULL;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *name = cv_method_name((enum cv_method)head->method);
    if (name == NULL)
        name = head_string(req->self, head->method_at, head->method_len);
    return name != NULL ? name : "";
}

const char *covey_path(const covey_req *req)
{
    if (!cv_req_here(req))
        return NULL;
    if (req->path == NULL) {
        const struct cv_h1_head *head = cv_exchange_head(req->x);
        /* Not in the head's copy: what follows the path of an absolute-form may be its authority's.
         */
        struct cv_span path = cv_h1_span(cv_exchange_bytes(req->x), head->path_at, head->path_len);
        req->self->path = cv_arena_strndup(req->arena, path);
    }
    return req->path != NULL ? req->path : "";
}

/* ---- The head as it came ---- */

const char *covey_target(covey_req *req)
{
    if (!cv_req_here(req))
        return NULL;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    return head_string(req, head->target_at, head->target_len);
}

const char *covey_query_string(covey_req *req)
{
    if (!cv_req_here(req))
        return NULL;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    return head->query_len > 0 ? head_string(req, head->query_at, head->query_len) : "";
}

const char *covey_head(const covey_req *req, size_t *len)
{
    *len = 0;
    if (!cv_req_here(req))
        return NULL;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    *len = head->len - head->method_at; /* empty lines in front are no part of it */
    return cv_exchange_bytes(req->x) + head->method_at;
}

const char *covey_http_version(const covey_req *req)
{
    return cv_req_here(req) && cv_exchange_head(req->x)->minor == 0 ? "1.0" : "1.1";
}

/* Whether the method is one of these, a bit each. */
static bool is_among(const struct covey_req *req, unsigned methods, const char *call)
{
    return cv_req_may(req, call) && (methods & 1u << cv_exchange_head(req->x)->method) != 0;
}

#define SAFE                                                                                       \
    (1u << CV_METHOD_GET | 1u << CV_METHOD_HEAD | 1u << CV_METHOD_OPTIONS | 1u << CV_METHOD_TRACE)

bool covey_is_safe(const covey_req *req)
{
    return is_among(req, SAFE, __func__);
}

bool covey_is_idempotent(const covey_req *req)
{
    return is_among(req, SAFE | 1u << CV_METHOD_PUT | 1u << CV_METHOD_DELETE, __func__);
}

bool covey_is_cacheable(const covey_req *req)
{
    return is_among(req, 1u << CV_METHOD_GET | 1u << CV_METHOD_HEAD | 1u << CV_METHOD_POST,
                    __func__);
}

/* ---- Parameters ---- */

const char *covey_param(covey_req *req, const char *name)
{
    if (!cv_req_here(req) || req->route == NULL)
        return NULL;
    for (uint32_t i = 0; i < req->route->n_params; i++) {
        if (strcmp(req->route->params[i].name, name) == 0)
            return req->params[i];
    }
    return NULL;
}

int64_t covey_param_int(covey_req *req, const char *name)
{
    const char *text = covey_param(req, name);
    int64_t number = 0;
    if (text == NULL || cv_num_i64(cv_span_str(text), &number) < 0)
        return 0;
    return number;
}

/* ---- Header fields ---- */

static bool is_named(const struct covey_req *req, const struct cv_h1_field *field,
                     struct cv_span name)
{
    const char *bytes = cv_exchange_bytes(req->x);
    return cv_span_ieq(cv_h1_span(bytes, field->name_at, field->name_len), name);
}

/* The first field of that name from index `from` on; n_fields if there is none. */
static uint32_t find_field(const struct covey_req *req, struct cv_span name, uint32_t from)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    while (from < head->n_fields && !is_named(req, &head->fields[from], name))
        from++;
    return from;
}

struct cv_span cv_req_field(const struct covey_req *req, struct cv_span name)
{
    return cv_exchange_field(req->x, name);
}

struct cv_span cv_req_host(const struct covey_req *req)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    struct cv_span target =
        cv_h1_span(cv_exchange_bytes(req->x), head->target_at, head->target_len);
    struct cv_span host = cv_req_field(req, CV_SPAN("Host"));
    struct cv_target parts;
    if (host.at != NULL)
        return host;
    bool says = cv_target_split(target, (enum cv_method)head->method, &parts) == 0;
    return says && parts.authority.len > 0 ? parts.authority : cv_span(NULL, 0);
}

/* Several fields of one name mean their list. */
static const char *join(struct covey_req *req, struct cv_span name, uint32_t first)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    const char *comma = cv_span_ieq(name, CV_SPAN("Cookie")) ? "; " : ", ";

    size_t len = 1;
    for (uint32_t i = first; i < head->n_fields; i = find_field(req, name, i + 1))
        len += head->fields[i].value_len + 2;
    char *joined = cv_arena_alloc(req->arena, len);
    if (joined == NULL)
        return NULL;
    char *out = joined;
    for (uint32_t i = first; i < head->n_fields; i = find_field(req, name, i + 1)) {
        if (i != first) {
            memcpy(out, comma, 2);
            out += 2;
        }
        memcpy(out, bytes + head->fields[i].value_at, head->fields[i].value_len);
        out += head->fields[i].value_len;
    }
    *out = '\0';
    return joined;
}

const char *covey_header(covey_req *req, const char *name)
{
    if (!cv_req_here(req))
        return NULL;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    struct cv_span wanted = cv_span_str(name);
    uint32_t first = find_field(req, wanted, 0);
    if (first == head->n_fields)
        return NULL;
    if (find_field(req, wanted, first + 1) < head->n_fields)
        return join(req, wanted, first);
    return head_string(req, head->fields[first].value_at, head->fields[first].value_len);
}

struct cv_span cv_req_fields(struct covey_req *req, const char *name)
{
    const char *value = covey_header(req, name);
    return value != NULL ? cv_span_str(value) : cv_span(NULL, 0);
}

bool cv_req_has_type(const struct covey_req *req, struct cv_span type)
{
    struct cv_scan rest;
    struct cv_span field = cv_req_only_field(req, CV_SPAN("Content-Type"));
    return field.at != NULL && cv_span_ieq(cv_parameters_begin(field, &rest), type);
}

bool covey_header_next(covey_req *req, size_t *at, const char **ret_name, const char **ret_value)
{
    if (!cv_req_here(req))
        return false;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    if (*at >= head->n_fields || head_copy(req) == NULL)
        return false;
    const struct cv_h1_field *field = &head->fields[(*at)++];
    *ret_name = head_string(req, field->name_at, field->name_len);
    *ret_value = head_string(req, field->value_at, field->value_len);
    return true;
}

/* ---- What lives as long as the request ---- */

void *covey_alloc(covey_req *req, size_t size)
{
    return cv_req_here(req) ? cv_arena_alloc(req->arena, size) : NULL;
}

char *covey_sprintf(covey_req *req, const char *format, ...)
{
    if (!cv_req_here(req))
        return NULL;
    va_list args;
    va_start(args, format);
    char *text = cv_arena_vprintf(req->arena, format, args);
    va_end(args);
    return text;
}

const char *covey_utf8(covey_req *req, const char *text)
{
    if (!cv_req_here(req) || text == NULL)
        return NULL;
    struct cv_span given = cv_span_str(text);
    if (cv_utf8_valid(given) == given.len)
        return text;
    char *repaired = cv_arena_alloc(req->arena, 3 * given.len + 1);
    if (repaired != NULL)
        repaired[cv_utf8_repair(given, repaired)] = '\0';
    return repaired;
}

int covey_defer(covey_req *req, void (*fn)(void *arg), void *arg)
{
    if (!cv_req_here(req))
        return -EPERM;
    struct cv_defer *defer = cv_arena_alloc(req->arena, sizeof(*defer));
    if (defer == NULL) {
        fn(arg);
        return -ENOMEM;
    }
    *defer = (struct cv_defer){req->defers, fn, arg};
    req->defers = defer;
    return 0;
}

covey_app *covey_app_of(const covey_req *req)
{
    if (!cv_req_has_ended(req))
        return req->app; /* also on other threads, which may add tasks to it */
    (void)cv_req_complain(req, __func__);
    return NULL;
}

covey_app *covey_blueprint_of(const covey_req *req)
{
    covey_app *app = covey_app_of(req);
    return app != NULL && req->route != NULL ? req->route->of : app;
}
