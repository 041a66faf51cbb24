/* Where requests come from. See origin.h; what proxies say is taken apart in http/forwarded.c. */
#include "app/request/request.h"

#include "base/num.h"
#include "http/forwarded.h"

#include <covey/origin.h>

#include <errno.h>

/* ---- What proxies say ---- */

/* The last field of that name: what is nearest has added it. at == NULL: there is none. */
static struct cv_span last_field(const struct covey_req *req, const char *name)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    struct cv_span wanted = cv_span_str(name);
    for (unsigned i = head->n_fields; i-- > 0;) {
        const struct cv_h1_field *field = &head->fields[i];
        if (cv_span_ieq(cv_h1_span(bytes, field->name_at, field->name_len), wanted))
            return cv_h1_span(bytes, field->value_at, field->value_len);
    }
    return cv_span(NULL, 0);
}

/* Adds what a value is taken for, unless it is nothing. 0 or -ENOMEM. */
static int add(struct covey_req *req, struct cv_args *args, struct cv_span name,
               struct cv_span value)
{
    if (value.at == NULL)
        return 0;
    char *text = cv_arena_alloc(req->arena, value.len + 1);
    char *own_name = cv_arena_strndup(req->arena, name);
    if (text == NULL || own_name == NULL)
        return -ENOMEM;
    for (char *at = own_name; *at != '\0'; at++)
        *at = cv_lower(*at);
    return cv_forwarded_write(name, value, text) ? cv_args_add(args, own_name, text) : 0;
}

/* From Forwarded. 1, 0 (nothing is believed), or -ENOMEM. */
static int read_forwarded(struct covey_req *req, struct cv_args *args)
{
    struct cv_forwarded_pair pairs[CV_FORWARDED_PAIRS_MAX];
    struct cv_span secret = cv_span_str(req->app->rules.forwarded_secret);
    const char *field = secret.len > 0 ? covey_header(req, "Forwarded") : NULL;
    int n = field != NULL ? cv_forwarded_find(cv_span_str(field), secret, pairs) : 0;
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++) {
        if (!cv_span_ieq(pairs[i].name, CV_SPAN("secret")))
            rc = add(req, args, pairs[i].name, pairs[i].value);
    }
    return rc < 0 ? rc : n > 0;
}

/* The client's address as REAL_IP_HEADER or PROXIES_COUNT have it; at == NULL: nothing is believed.
 */
static struct cv_span believed_address(struct covey_req *req)
{
    const struct cv_rules *rules = &req->app->rules;
    struct cv_span address = cv_span(NULL, 0);
    if (rules->real_ip_header[0] != '\0')
        address = last_field(req, rules->real_ip_header);
    if (address.len > 0 || rules->proxies_count == 0)
        return address.len > 0 ? address : cv_span(NULL, 0);
    const char *list = covey_header(req, rules->forwarded_for_header);
    return list != NULL ? cv_forwarded_member(cv_span_str(list), rules->proxies_count) : address;
}

static int read_x_forwarded(struct covey_req *req, struct cv_args *args)
{
    static const char *const others[][2] = {{"proto", "X-Forwarded-Proto"},
                                            {"proto", "X-Scheme"},
                                            {"host", "X-Forwarded-Host"},
                                            {"port", "X-Forwarded-Port"},
                                            {"path", "X-Forwarded-Path"}};
    struct cv_span address = believed_address(req);
    if (address.at == NULL)
        return 0;
    int rc = add(req, args, CV_SPAN("for"), address);
    for (size_t i = 0; i < CV_COUNT(others) && rc == 0; i++)
        rc = add(req, args, cv_span_str(others[i][0]), last_field(req, others[i][1]));
    return rc;
}

static bool are_proxies_believed(const struct cv_rules *rules)
{
    return rules->forwarded_secret[0] != '\0' || rules->real_ip_header[0] != '\0' ||
           rules->proxies_count > 0;
}

/* What is believed; NULL: nothing. */
static const struct cv_args *forwarded(struct covey_req *req)
{
    if (!are_proxies_believed(&req->app->rules))
        return NULL;
    struct cv_req_more *more = cv_req_more(req);
    if (more == NULL || more->forwarded != NULL)
        return more != NULL ? more->forwarded : NULL;
    struct cv_args *args = cv_req_args(req, UINT32_MAX);
    if (args == NULL)
        return NULL;
    int rc = read_forwarded(req, args);
    if (rc == 0)
        rc = read_x_forwarded(req, args);
    if (rc >= 0)
        more->forwarded = args;
    return more->forwarded;
}

const char *covey_forwarded(covey_req *req, const char *name)
{
    return cv_req_here(req) ? cv_args_value(forwarded(req), name) : NULL;
}

/* ---- The client ---- */

const char *covey_ip(covey_req *req)
{
    return cv_req_here(req) ? cv_exchange_peer(req->x) : "";
}

const char *covey_remote_addr(covey_req *req)
{
    const char *address = covey_forwarded(req, "for");
    return address != NULL ? address : "";
}

const char *covey_client_ip(covey_req *req)
{
    const char *address = covey_forwarded(req, "for");
    return address != NULL ? address : covey_ip(req);
}

/* ---- The URL ---- */

/* SERVER_NAME as scheme, which may be empty, and host. */
static void split_server_name(const struct covey_req *req, struct cv_span *ret_scheme,
                              struct cv_span *ret_host)
{
    const char *name = req->app->rules.server_name;
    const char *colon = strstr(name, "://");
    *ret_scheme = cv_span(name, colon != NULL ? (size_t)(colon - name) : 0);
    const char *host = colon != NULL ? colon + 3 : name;
    *ret_host = cv_span(host, strcspn(host, "/"));
}

/* A copy; "" when out of memory. */
static const char *keep(struct covey_req *req, struct cv_span text)
{
    const char *copy = cv_arena_strndup(req->arena, text);
    return copy != NULL ? copy : "";
}

const char *covey_scheme(covey_req *req)
{
    struct cv_span scheme, host;
    if (!cv_req_here(req))
        return "";
    split_server_name(req, &scheme, &host);
    if (scheme.len > 0)
        return keep(req, scheme);
    const char *proto = covey_forwarded(req, "proto");
    return proto != NULL ? proto : "http";
}

const char *covey_host(covey_req *req)
{
    struct cv_span scheme, host;
    if (!cv_req_here(req))
        return "";
    split_server_name(req, &scheme, &host);
    if (host.len > 0)
        return keep(req, host);
    const char *found = covey_forwarded(req, "host");
    if (found == NULL)
        found = covey_header(req, "Host");
    return found != NULL ? found : keep(req, cv_req_host(req));
}

/* How long the name in "name:port" is. */
static size_t name_len(const char *host)
{
    const char *bracket = strrchr(host, ']');
    const char *colon = strrchr(bracket != NULL ? bracket : host, ':');
    return colon != NULL ? (size_t)(colon - host) : strlen(host);
}

const char *covey_server_name(covey_req *req)
{
    const char *host = covey_host(req);
    size_t len = name_len(host);
    return host[len] != '\0' ? keep(req, cv_span(host, len)) : host;
}

int covey_server_port(covey_req *req)
{
    const char *port = covey_forwarded(req, "port");
    const char *host = covey_host(req);
    size_t len = name_len(host);
    uint64_t number;
    if (port == NULL && host[len] == ':')
        port = host + len + 1;
    if (port != NULL && cv_num_u64(cv_span_str(port), 65535, &number) == 0)
        return (int)number;
    const char *scheme = covey_scheme(req);
    return strcmp(scheme, "http") == 0 || strcmp(scheme, "ws") == 0 ? 80 : 443;
}

const char *covey_server_path(covey_req *req)
{
    const char *path = covey_forwarded(req, "path");
    if (path == NULL)
        path = covey_path(req);
    return path != NULL ? path : ""; /* on another thread */
}

const char *covey_url(covey_req *req)
{
    if (!cv_req_here(req))
        return NULL;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    return cv_arena_printf(req->arena, "%s://%s%.*s%s%.*s", covey_scheme(req), covey_host(req),
                           (int)head->path_len, bytes + head->path_at,
                           head->query_len > 0 ? "?" : "", (int)head->query_len,
                           bytes + head->query_at);
}
