/* What an app, and each part of it, keeps with a request. */
#include "app/request/request.h"

#include <errno.h>
#include <string.h>

void covey_set_ctx(covey_req *req, void *ctx)
{
    if (cv_req_here(req))
        req->ctx = ctx;
}

void *covey_ctx(const covey_req *req)
{
    return cv_req_here(req) ? req->ctx : NULL;
}

static struct cv_named_ctx *find(const struct covey_req *req, const char *name)
{
    struct cv_named_ctx *at = req->more != NULL ? req->more->contexts : NULL;
    while (at != NULL && strcmp(at->name, name) != 0)
        at = at->next;
    return at;
}

/* NULL when out of memory. */
static struct cv_named_ctx *add(struct covey_req *req, const char *name)
{
    struct cv_req_more *more = cv_req_more(req);
    struct cv_named_ctx *named = cv_arena_alloc(req->arena, sizeof(*named));
    const char *copy = cv_arena_strndup(req->arena, cv_span_str(name));
    if (more == NULL || named == NULL || copy == NULL)
        return NULL;
    *named = (struct cv_named_ctx){.next = more->contexts, .name = copy};
    more->contexts = named;
    return named;
}

int covey_set_ctx_of(covey_req *req, const char *name, void *ctx)
{
    if (!cv_req_here(req))
        return -EPERM;
    if (name == NULL)
        return -EINVAL;
    struct cv_named_ctx *named = find(req, name);
    if (named == NULL)
        named = add(req, name);
    if (named == NULL)
        return -ENOMEM;
    named->ctx = ctx;
    return 0;
}

void *covey_ctx_of(const covey_req *req, const char *name)
{
    const struct cv_named_ctx *named = cv_req_here(req) && name != NULL ? find(req, name) : NULL;
    return named != NULL ? named->ctx : NULL;
}
