/* Where a request comes from, and what it was sent to: as the connection tells, and as proxies do.
 *
 * What proxies say is believed only as far as settings allow, as in Sanic: the element of Forwarded
 * with FORWARDED_SECRET; else the address in REAL_IP_HEADER; else the one that PROXIES_COUNT
 * proxies have added to FORWARDED_FOR_HEADER, counted from the right. With an address from either
 * of the last two, X-Forwarded-Proto (else X-Scheme), -Host, -Port and -Path are believed too. By
 * default none of it is. Strings are never NULL unless it says so.
 */
#ifndef COVEY_ORIGIN_H
#define COVEY_ORIGIN_H

#include <covey/request.h>

/* The client's address: as proxies tell, else the peer's; "" for a Unix socket. */
COVEY_API const char *covey_client_ip(covey_req *req);

/* The same as proxies tell only: without port and brackets, or a name they have given it ("_a1");
 * "" if none is believed. */
COVEY_API const char *covey_remote_addr(covey_req *req);

/* The address of the connection's other end ("127.0.0.1", "::1"), "" for a Unix socket. */
COVEY_API const char *covey_ip(covey_req *req);

/* What is believed of what proxies say, by name: "for", "by", "proto", "host", "port", "path", or
 * any other that Forwarded has. NULL: nothing. */
COVEY_API const char *covey_forwarded(covey_req *req, const char *name);

/* The URL as the client sees it, and its parts: the scheme ("http", "https"), host as it was given
 * ("example.com:8443"; "" if it was not), its name without port (an IPv6 address has brackets), its
 * port (80 or 443 where none was given), its path, decoded. From SERVER_NAME, else proxies, else
 * the request. covey_url() is NULL when out of memory. */
COVEY_API const char *covey_scheme(covey_req *req);
COVEY_API const char *covey_host(covey_req *req);
COVEY_API const char *covey_server_name(covey_req *req);
COVEY_API int covey_server_port(covey_req *req);
COVEY_API const char *covey_server_path(covey_req *req);
COVEY_API const char *covey_url(covey_req *req);

/* The connection, and both of its ends. */
struct covey_conn_info {
    const char *client_ip; /* "" for a Unix socket */
    int client_port;       /* 0 for a Unix socket */
    const char *server_ip; /* the address that the client has connected to; "" for a Unix socket */
    int server_port;
    const char *server; /* "127.0.0.1:8000", "[::1]:8000", or the Unix socket's path */
    unsigned requests;  /* that have come on it, this one included (modulo 2^32) */
};

/* As the kernel knows it when it is first asked; empty, and 0, once the client is gone. NULL when
 * out of memory. */
COVEY_API const struct covey_conn_info *covey_conn_info(covey_req *req);

/* An id of the request: what REQUEST_ID_HEADER says, if that is up to 128 visible characters, else
 * a random UUID. NULL when out of memory. */
COVEY_API const char *covey_request_id(covey_req *req);

#endif
