/* What fields of the head say: cookies, credentials, what the client prefers. */
#include "app/request/request.h"

#include "http/cookie.h"
#include "http/credentials.h"
#include "http/parameters.h"
#include "http/text.h"

#include <covey/fields.h>

#include <errno.h>

/* ---- Cookies ---- */

static int add_cookie(struct covey_req *req, struct cv_args *args, struct cv_span name,
                      struct cv_span value)
{
    char *plain = cv_arena_alloc(req->arena, value.len + 1);
    const char *own_name = cv_arena_strndup(req->arena, name);
    if (plain == NULL || own_name == NULL)
        return -ENOMEM;
    plain[cv_cookie_unquote(value, plain)] = '\0';
    return cv_args_add(args, own_name, plain);
}

/* How many there may be is bounded by the head's length. */
static struct cv_args *read_cookies(struct covey_req *req)
{
    struct cv_args *args = cv_req_args(req, UINT32_MAX);
    const char *text = covey_header(req, "Cookie");
    struct cv_span field = cv_span_str(text != NULL ? text : "");
    struct cv_span name, value;
    int rc = args != NULL ? 0 : -ENOMEM;
    for (size_t at = 0; rc == 0 && cv_cookie_next(field, &at, &name, &value);)
        rc = add_cookie(req, args, name, value);
    return rc == 0 ? args : NULL;
}

/* NULL when out of memory, or if the caller is in a wrong thread. */
static const struct cv_args *cookies_of(struct covey_req *req, const char *call)
{
    struct cv_req_more *more = cv_req_may(req, call) ? cv_req_more(req) : NULL;
    if (more == NULL)
        return NULL;
    if (more->cookies == NULL)
        more->cookies = read_cookies(req);
    return more->cookies;
}

/* The name under which there are some. */
static const char *prefixed(struct covey_req *req, const struct cv_args *cookies, const char *name)
{
    static const char *const prefixes[] = {"__Host-", "__Secure-"};
    for (size_t i = 0; cookies != NULL && cookies->n > 0 && i < CV_COUNT(prefixes); i++) {
        const char *longer = cv_arena_printf(req->arena, "%s%s", prefixes[i], name);
        if (longer != NULL && cv_args_find(cookies, longer) != NULL)
            return longer;
    }
    return name;
}

const char *covey_cookie_list(covey_req *req, const char *name, size_t *at)
{
    const struct cv_args *cookies = cookies_of(req, __func__);
    return cv_args_list(cookies, *at == 0 ? prefixed(req, cookies, name) : name, at);
}

const char *covey_cookie(covey_req *req, const char *name)
{
    size_t at = 0;
    return covey_cookie_list(req, name, &at);
}

bool covey_cookie_next(covey_req *req, size_t *at, const char **ret_name, const char **ret_value)
{
    return cv_args_each(cookies_of(req, __func__), at, ret_name, ret_value);
}

/* ---- Credentials ---- */

struct cv_span cv_req_only_field(const struct covey_req *req, struct cv_span name)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    unsigned n = 0;
    for (unsigned i = 0; i < head->n_fields; i++)
        n +=
            cv_span_ieq(cv_h1_span(bytes, head->fields[i].name_at, head->fields[i].name_len), name);
    return n == 1 ? cv_req_field(req, name) : cv_span(NULL, 0);
}

static bool is_scheme(const struct covey_credentials *credentials, const char *scheme)
{
    return cv_string_ieq(credentials->scheme, scheme);
}

static struct covey_credentials *read_credentials(struct covey_req *req)
{
    struct cv_span field = cv_req_only_field(req, CV_SPAN("Authorization"));
    struct cv_span scheme, token;
    if (field.at == NULL || !cv_credentials_read(field, &scheme, &token))
        return NULL;
    struct covey_credentials *found = cv_arena_alloc(req->arena, sizeof(*found));
    char *basic = cv_arena_alloc(req->arena, token.len + 1);
    if (found == NULL || basic == NULL)
        return NULL;
    *found = (struct covey_credentials){.scheme = cv_arena_strndup(req->arena, scheme),
                                        .token = cv_arena_strndup(req->arena, token)};
    if (found->scheme == NULL || found->token == NULL)
        return NULL;
    if (is_scheme(found, "Basic"))
        (void)cv_basic_read(token, basic, &found->username, &found->password);
    return found;
}

const struct covey_credentials *covey_credentials(covey_req *req)
{
    struct cv_req_more *more = cv_req_here(req) ? cv_req_more(req) : NULL;
    if (more == NULL)
        return NULL;
    if (more->credentials == NULL)
        more->credentials = read_credentials(req);
    return more->credentials;
}

const char *covey_token(covey_req *req)
{
    const struct covey_credentials *found = covey_credentials(req);
    if (found == NULL || found->token[0] == '\0')
        return NULL;
    return is_scheme(found, "Bearer") || is_scheme(found, "Token") ? found->token : NULL;
}

/* ---- The body ---- */

const char *covey_content_type(covey_req *req)
{
    const char *type = covey_header(req, "Content-Type");
    return type != NULL ? type : "application/octet-stream";
}

const char *covey_charset(covey_req *req)
{
    struct cv_parameter charset;
    struct cv_span type =
        cv_req_here(req) ? cv_req_field(req, CV_SPAN("Content-Type")) : cv_span(NULL, 0);
    if (type.at == NULL || !cv_parameter_find(type, CV_SPAN("charset"), &charset) ||
        charset.value.at == NULL)
        return NULL;
    return cv_arena_strndup(req->arena, charset.value);
}

/* ---- What the client prefers ---- */

const char *covey_accepts_of(covey_req *req, const char *const *types)
{
    const char *field = covey_header(req, "Accept"); /* checks the thread */
    struct cv_span accept = field != NULL ? cv_span_str(field) : CV_SPAN("*/*");
    const char *best = NULL;
    int best_weight = 0;
    for (; *types != NULL; types++) {
        int weight = cv_accept_weight(accept, cv_span_str(*types));
        if (weight > best_weight) {
            best = *types;
            best_weight = weight;
        }
    }
    return best;
}
