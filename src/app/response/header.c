/* Header fields of the answer: what may be set, and where they are kept. */
#include "app/request/request.h"

#include "base/log.h"
#include "http/set_cookie.h"
#include "http/text.h"

#include <errno.h>
#include <string.h>

/* What the server itself decides. Two opinions on a message's length are a security hole. */
static bool is_own(struct cv_span name)
{
    return cv_span_ieq(name, CV_SPAN("Content-Length")) ||
           cv_span_ieq(name, CV_SPAN("Transfer-Encoding")) ||
           cv_span_ieq(name, CV_SPAN("Connection")) || cv_span_ieq(name, CV_SPAN("Date"));
}

static int refuse(struct covey_req *req, const char *name, int code, const char *why)
{
    cv_error("%s: header field \"%.64s\" was refused: %s", cv_req_name(req), name, why);
    return code;
}

int cv_field_may_change(struct covey_req *req, const char *name)
{
    if (req->stream != CV_STREAM_NOT)
        return refuse(req, name, -EPERM, "the head has left");
    return 0;
}

static int check(struct covey_req *req, const char *name, const char *value)
{
    if (name == NULL || value == NULL)
        return refuse(req, name != NULL ? name : "", -EINVAL, "name or value is NULL");
    if (!cv_is_token(cv_span_str(name)))
        return refuse(req, name, -EINVAL, "the name is no token");
    if (!cv_is_field_value(cv_span_str(value)))
        return refuse(req, name, -EINVAL, "control characters in the value");
    if (is_own(cv_span_str(name)))
        return refuse(req, name, -EPERM, "it is covey's own");
    return cv_field_may_change(req, name);
}

/* Room for one field more. */
static int grow(struct covey_req *req)
{
    if (req->n_fields < req->cap_fields)
        return 0;
    size_t cap = req->cap_fields == 0 ? 8 : req->cap_fields * 2;
    struct cv_answer_field *more = cv_arena_alloc(req->arena, cap * sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    if (req->n_fields > 0)
        memcpy(more, req->fields, req->n_fields * sizeof(*more));
    req->fields = more;
    req->cap_fields = cap;
    return 0;
}

static int add(struct covey_req *req, const char *name, const char *value)
{
    if (grow(req) < 0)
        return -ENOMEM;
    struct cv_answer_field field = {cv_span_str(name), cv_span_str(value)};
    field.name.at = cv_arena_strndup(req->arena, field.name);
    field.value.at = cv_arena_strndup(req->arena, field.value);
    if (field.name.at == NULL || field.value.at == NULL)
        return -ENOMEM;
    req->fields[req->n_fields++] = field;
    return 0;
}

static void drop_if(struct covey_req *req,
                    bool (*is_dropped)(const struct cv_answer_field *, struct cv_span),
                    struct cv_span with)
{
    size_t kept = 0;
    for (size_t i = 0; i < req->n_fields; i++) {
        if (!is_dropped(&req->fields[i], with))
            req->fields[kept++] = req->fields[i];
    }
    req->n_fields = kept;
}

static bool is_named(const struct cv_answer_field *field, struct cv_span name)
{
    return cv_span_ieq(field->name, name);
}

int cv_field_set(struct covey_req *req, const char *name, const char *value)
{
    size_t before = req->n_fields;
    int rc = add(req, name, value);
    if (rc < 0)
        return rc;
    /* The new one is complete, so the old ones may go. */
    struct cv_answer_field added = req->fields[before];
    req->n_fields = before;
    drop_if(req, is_named, added.name);
    req->fields[req->n_fields++] = added;
    return 0;
}

int cv_field_put(struct covey_req *req, struct cv_span name, struct cv_span value)
{
    drop_if(req, is_named, name);
    return cv_field_append(req, name, value);
}

/* Fields that speak of the body: false of any other body. */
static bool is_entity(const struct cv_answer_field *field, struct cv_span unused)
{
    static const char *const names[] = {
        "Content-Encoding", "Content-Language",    "Content-Location",
        "Content-Range",    "Content-Disposition", "ETag",
        "Last-Modified",    "Cache-Control",       "Accept-Ranges"};

    (void)unused;
    for (size_t i = 0; i < CV_COUNT(names); i++) {
        if (cv_span_ieq(field->name, cv_span_str(names[i])))
            return true;
    }
    return false;
}

void cv_field_drop_entity(struct covey_req *req)
{
    drop_if(req, is_entity, cv_span(NULL, 0));
}

static bool is_cookie(const struct cv_answer_field *field, struct cv_span value)
{
    return cv_span_ieq(field->name, CV_SPAN("Set-Cookie")) &&
           cv_set_cookie_is_same(field->value, value);
}

int cv_field_put_cookie(struct covey_req *req, struct cv_span value)
{
    if (grow(req) < 0)
        return -ENOMEM; /* the one before stays */
    drop_if(req, is_cookie, value);
    return cv_field_append(req, CV_SPAN("Set-Cookie"), value);
}

struct cv_span cv_field_value(const struct covey_req *req, struct cv_span name)
{
    for (size_t i = 0; i < req->n_fields; i++) {
        if (is_named(&req->fields[i], name))
            return req->fields[i].value;
    }
    return cv_span(NULL, 0);
}

bool cv_field_lists(const struct covey_req *req, struct cv_span name, struct cv_span token)
{
    for (size_t i = 0; i < req->n_fields; i++) {
        if (is_named(&req->fields[i], name) && cv_list_has(req->fields[i].value, token))
            return true;
    }
    return false;
}

int cv_field_append(struct covey_req *req, struct cv_span name, struct cv_span value)
{
    if (grow(req) < 0)
        return -ENOMEM;
    req->fields[req->n_fields++] = (struct cv_answer_field){name, value};
    return 0;
}

int cv_field_vary(struct covey_req *req, struct cv_span on)
{
    if (cv_field_lists(req, CV_SPAN("Vary"), on) ||
        cv_field_lists(req, CV_SPAN("Vary"), CV_SPAN("*")))
        return 0;
    return cv_field_append(req, CV_SPAN("Vary"), on);
}

static int set_type(struct covey_req *req, const char *value)
{
    const char *copy = cv_arena_strndup(req->arena, cv_span_str(value));
    if (copy == NULL)
        return -ENOMEM;
    req->type = copy;
    return 0;
}

int covey_set_header(covey_req *req, const char *name, const char *value)
{
    if (!cv_req_here(req))
        return -EPERM;
    int rc = check(req, name, value);
    if (rc < 0)
        return rc;
    /* One place decides the type, whichever comes first, this or covey_text(). */
    if (cv_string_ieq(name, "Content-Type"))
        return set_type(req, value);
    return cv_field_set(req, name, value);
}

int covey_add_header(covey_req *req, const char *name, const char *value)
{
    if (!cv_req_here(req))
        return -EPERM;
    int rc = check(req, name, value);
    if (rc < 0)
        return rc;
    if (cv_string_ieq(name, "Content-Type"))
        return set_type(req, value);
    return add(req, name, value);
}

int covey_remove_header(covey_req *req, const char *name)
{
    if (!cv_req_here(req))
        return -EPERM;
    int rc = check(req, name, "");
    if (rc < 0)
        return rc;
    if (cv_string_ieq(name, "Content-Type"))
        req->type = NULL;
    drop_if(req, is_named, cv_span_str(name));
    return 0;
}
