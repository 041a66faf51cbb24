/* The connection's ends, and a request's id. See origin.h. */
#include "app/request/request.h"

#include "base/rand.h"
#include "serve/peer.h"

#include <covey/origin.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sys/un.h>

#define ID_MAX 128

/* ---- Both ends ---- */

/* An address as text, in the request's memory; "" for none, and when out of memory. */
static const char *ip_of(struct covey_req *req, const struct sockaddr_storage *address)
{
    char text[CV_PEER_TEXT];
    struct cv_peer peer = cv_peer_of(address);
    cv_peer_write(&peer, text);
    const char *copy = cv_arena_strndup(req->arena, cv_span_str(text));
    return copy != NULL ? copy : "";
}

static int port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}

/* NULL when out of memory. */
static const char *server_of(struct covey_req *req, const struct sockaddr_storage *local,
                             const struct covey_conn_info *info)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)local;
    if (local->ss_family == AF_UNIX)
        return cv_arena_printf(req->arena, "%.*s", (int)sizeof(un->sun_path), un->sun_path);
    if (info->server_ip[0] == '\0')
        return "";
    bool is_v6 = strchr(info->server_ip, ':') != NULL;
    return cv_arena_printf(req->arena, is_v6 ? "[%s]:%d" : "%s:%d", info->server_ip,
                           info->server_port);
}

static struct covey_conn_info *read_info(struct covey_req *req)
{
    struct sockaddr_storage peer, local;
    struct covey_conn_info *info = cv_arena_alloc(req->arena, sizeof(*info));
    if (info == NULL)
        return NULL;
    *info = (struct covey_conn_info){.client_ip = cv_exchange_peer(req->x),
                                     .server_ip = "",
                                     .server = "",
                                     .requests = cv_exchange_number(req->x)};
    if (cv_exchange_ends(req->x, &peer, &local) < 0)
        return info;
    info->client_port = port_of(&peer);
    info->server_ip = ip_of(req, &local);
    info->server_port = port_of(&local);
    info->server = server_of(req, &local, info);
    return info->server != NULL ? info : NULL;
}

const struct covey_conn_info *covey_conn_info(covey_req *req)
{
    struct cv_req_more *more = cv_req_here(req) ? cv_req_more(req) : NULL;
    if (more == NULL)
        return NULL;
    if (more->conn_info == NULL)
        more->conn_info = read_info(req);
    return more->conn_info;
}

/* ---- Ids ---- */

/* What may stand in a log line. */
static bool is_id(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] >= 0x7f)
            return false;
    }
    return text.len > 0 && text.len <= ID_MAX;
}

/* A random UUID (RFC 9562, section 5.4). */
static const char *make_id(struct covey_req *req)
{
    uint8_t b[16];
    cv_rand_bytes(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    return cv_arena_printf(req->arena,
                           "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                           b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                           b[12], b[13], b[14], b[15]);
}

const char *covey_request_id(covey_req *req)
{
    struct cv_req_more *more = cv_req_here(req) ? cv_req_more(req) : NULL;
    if (more == NULL)
        return NULL;
    if (more->id == NULL) {
        struct cv_span given = cv_req_field(req, cv_span_str(req->app->rules.request_id_header));
        more->id = is_id(given) ? cv_arena_strndup(req->arena, given) : make_id(req);
        cv_exchange_set_id(req->x, more->id);
    }
    return more->id;
}
