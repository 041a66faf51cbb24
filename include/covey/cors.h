/* Cross-origin sharing: which pages of other origins may use an app from a browser. */
#ifndef COVEY_CORS_H
#define COVEY_CORS_H

#include <covey/app.h>

/* Whether an origin ("https://a.example", as its page's browser says it) is let in. Called before
 * the request is handled, with what covey_cors() was given: it must not wait. Never asked about
 * "null". */
typedef bool covey_origin_fn(covey_app *app, const char *origin);

/* Who is let in, and what for (Fetch standard, section 3.3). Lists have blanks or commas in
 * between. */
struct covey_cors {
    /* "https://shop.example", "http://localhost:3000", as the browser shows them, without a path;
     * "*." in front of a host: all below it; ":*" behind it: any port. "null": pages that have no
     * origin. "*": all. "": nobody, also where what lies around it lets some in. */
    const char *origins;
    size_t size;            /* set by the macro */
    covey_origin_fn *allow; /* lets in others, too */
    const char *methods;    /* "PUT, DELETE"; default: all that are asked for */
    const char *headers;    /* fields of requests: "X-Token"; default: all that are asked for */
    const char *expose;     /* fields of answers that pages may read; default: a few common ones */
    int64_t max_age;        /* seconds for which a browser need not ask again; 0: what it thinks
                             * fit (5); COVEY_OFF: it always asks */
    bool credentials;       /* with the user's cookies: the page acts as the user */
    const char *routes;     /* names of routes, with blanks or commas in between: for these only */
};

/* Lets pages of other origins use all routes of the app or blueprint, in setup() only:
 * covey_cors(app, "https://shop.example", .credentials = true). A blueprint's stands before its
 * parent's, one with .routes before those without; an app's is also for what has no route. Errors
 * and streams carry its fields, too, but for an answer that has been given
 * Access-Control-Allow-Origin otherwise. A browser's question (a preflight) is answered before any
 * middleware, whether there is a route for OPTIONS or not. It keeps nobody from sending requests:
 * it is browsers that keep pages from it. docs/cors.md. */
#define covey_cors(app, ...)                                                                       \
    covey_cors_at((app), &(struct covey_cors){__VA_ARGS__, .size = sizeof(struct covey_cors)},     \
                  __FILE__, __LINE__)
COVEY_API void covey_cors_at(covey_app *app, const struct covey_cors *how, const char *file,
                             int line);

#endif
