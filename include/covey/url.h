/* URLs of an app's own routes, by their names. */
#ifndef COVEY_URL_H
#define COVEY_URL_H

#include <covey/app.h>

/* What covey_url_for() is to build. */
struct covey_url {
    const char *name; /* of the route: its .name, or else its pattern */
    size_t size;      /* set by the macros below */
    /* Names and values in turn, NULL at the end: COVEY_ARGS(). Those that the pattern has as
     * parameters fill them, each must be there and fit its type (for an ext the whole name needs
     * both, the parameter and "ext"; where a regular expression has a group, the whole segment is
     * to be given); the others are the query, in this order. All are coded as their place
     * demands. */
    const char *const *args;
    const char *anchor; /* what follows '#' */
    bool external;      /* with scheme and server in front; .server and .host imply it */
    const char *scheme; /* "https"; only for an external one */
    const char *server; /* "example.com:8080" or "https://example.com" */
    const char *host;   /* which of the route's .host; to be given if it has several */
};

/* .args of these: COVEY_ARGS("id", "7", "page", "2") */
#define COVEY_ARGS(...)                                                                            \
    .args = (const char *const[])                                                                  \
    {                                                                                              \
        __VA_ARGS__, NULL, NULL                                                                    \
    }

/* The URL of a route: covey_url_for(req, "user", COVEY_ARGS("id", "7"), .anchor = "top"). An
 * external one has the server that .server, the route's .host, or else covey_host() names, in this
 * order; its scheme is that of .scheme, .server or else covey_scheme(). Without SERVER_NAME the
 * host is the client's choice: set it where the URL goes to others (mails, caches).
 *
 * In the request's memory. NULL, with a sentence in the log, if there is no such route, if a
 * parameter is missing or does not fit, or if there is no memory. */
#define covey_url_for(req, ...)                                                                    \
    covey_url_for_with((req), &(struct covey_url){__VA_ARGS__, .size = sizeof(struct covey_url)})
COVEY_API const char *covey_url_for_with(covey_req *req, const struct covey_url *what);

/* The same without a request (in tasks and listeners), from SERVER_NAME; to be freed with free().
 */
#define covey_app_url_for(app, ...)                                                                \
    covey_app_url_for_with((app),                                                                  \
                           &(struct covey_url){__VA_ARGS__, .size = sizeof(struct covey_url)})
COVEY_API char *covey_app_url_for_with(covey_app *app, const struct covey_url *what);

#endif
