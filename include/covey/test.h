/* Testing an app without a server: a worker and its clients in one thread of the test's process.
 *
 *     static void test_greets(void)
 *     {
 *         covey_test *t = covey_test_new(setup);
 *         const struct covey_test_answer *answer = covey_test_get(t, "/hello/covey");
 *         assert(answer->status == 200);
 *         assert(strcmp(answer->body, "Hello, covey!\n") == 0);
 *         assert(covey_test_free(t) == 0);
 *     }
 *
 * No port, no process, no thread but those of covey_offload(). What lies between is the whole
 * engine: parser, limits, time-outs, middleware, fibers, error pages. While the test does anything
 * else the worker stands still; it runs in the calls below, all of which belong to the thread of
 * covey_test_new(), outside of handlers. docs/testing.md has a whole example.
 */
#ifndef COVEY_TEST_H
#define COVEY_TEST_H

#include <covey/request.h>

typedef struct covey_test covey_test;
typedef struct covey_test_stream covey_test_stream;

/* ---- The worker ---- */

/* Makes a worker: runs setup() and the start listeners, as each process of a server would. Settings
 * may follow, and come from the environment, as with covey_run(): covey_test_new(setup,
 * .request_max_size = 1024). Those of addresses, processes and log files mean nothing here. The log
 * goes to standard error, access lines (.access_log = true) to standard output.
 *
 * Never NULL: if it fails, covey_test_error() tells why, the log too, and each request has no
 * answer. covey_test_free() ends it. */
#define covey_test_new(...)                                                                        \
    covey_test_new_with(&(struct covey_options){__VA_ARGS__, .size = sizeof(struct covey_options)})
COVEY_API covey_test *covey_test_new_with(const struct covey_options *options);

/* Why the worker did not start, as it would stand in the log; "" if it did. As long as `t`. */
COVEY_API const char *covey_test_error(const covey_test *t);

/* The app that setup() was given: for covey_app_ctx(), covey_add_task(). NULL if it did not start.
 */
COVEY_API covey_app *covey_test_app(covey_test *t);

/* Lets the worker run for `ms`: timers pass, tasks go on. */
COVEY_API void covey_test_wait_ms(covey_test *t, int64_t ms);

/* Ends the worker as a stop ends it: open streams are left, what waits is cancelled, the stop
 * listeners run. Frees it with all answers. 0; -EBUSY if handlers, listeners or tasks have gone on
 * although they were cancelled (the log says which; they are leaked); -EIO if it never started or
 * its end has failed. NULL is fine. */
COVEY_API int covey_test_free(covey_test *t);

/* ---- Requests ---- */

#define COVEY_TEST_HEADERS_MAX 32

struct covey_test_request {
    const char *path;   /* as it is sent: "/search?q=red%20fox" */
    size_t size;        /* set by the macros below */
    const char *method; /* "GET" */
    const char *type;   /* Content-Type of the body */
    const void *body;
    size_t len; /* of the body; 0: it is a string */
    /* "Name: value" each. They replace the fields that are sent otherwise: Host ("test"), Cookie,
     * Content-Type, Content-Length, Transfer-Encoding. */
    const char *headers[COVEY_TEST_HEADERS_MAX];
    const char *client_ip; /* where it comes from: "127.0.0.1" */
    int64_t timeout;       /* ms that the test waits for the worker; 0: 60,000 */
};

/* What came back. All of it lives as long as the covey_test. */
struct covey_test_answer {
    int status;        /* 0: nothing came */
    const char *error; /* why there is no answer, or not all of it; "": it is whole */
    const char *head;  /* status line and fields as they came */
    const char *early; /* those of informational answers (103) in front of it; "": none */
    const char *body;  /* without chunks; a NUL follows the last byte */
    size_t len;        /* of the body */
};

/* One request on a connection of its own; the worker runs until it is answered. `path` is the first
 * field, others may follow: covey_test_post(t, "/up", .body = "a=1", .type = "text/plain",
 * .headers = {"Accept: text/html"}). Never NULL. Cookies are kept and sent as a browser would,
 * redirects are not followed. */
#define covey_test_request(t, ...)                                                                 \
    covey_test_request_with(                                                                       \
        (t), &(struct covey_test_request){__VA_ARGS__, .size = sizeof(struct covey_test_request)})
#define covey_test_get(t, ...) covey_test_request(t, __VA_ARGS__, .method = "GET")
#define covey_test_head(t, ...) covey_test_request(t, __VA_ARGS__, .method = "HEAD")
#define covey_test_post(t, ...) covey_test_request(t, __VA_ARGS__, .method = "POST")
#define covey_test_put(t, ...) covey_test_request(t, __VA_ARGS__, .method = "PUT")
#define covey_test_patch(t, ...) covey_test_request(t, __VA_ARGS__, .method = "PATCH")
#define covey_test_delete(t, ...) covey_test_request(t, __VA_ARGS__, .method = "DELETE")
#define covey_test_options(t, ...) covey_test_request(t, __VA_ARGS__, .method = "OPTIONS")
COVEY_API const struct covey_test_answer *
covey_test_request_with(covey_test *t, const struct covey_test_request *request);

/* A header field of an answer by name (case does not matter), the first of several; NULL: none. */
COVEY_API const char *covey_test_header(const struct covey_test_answer *answer, const char *name);

/* All header fields in order: start with *at = 0; false at the end. */
COVEY_API bool covey_test_header_next(const struct covey_test_answer *answer, size_t *at,
                                      const char **ret_name, const char **ret_value);

/* ---- Cookies ---- */

/* The value of a cookie that answers have set and that is neither deleted nor expired, or NULL.
 * Domain and Secure are not looked at. Valid until the next request. */
COVEY_API const char *covey_test_cookie(const covey_test *t, const char *name);

/* Sets a cookie for all paths; `value` NULL: deletes those of that name. 0, -EIO (it never
 * started) or -ENOMEM. */
COVEY_API int covey_test_set_cookie(covey_test *t, const char *name, const char *value);

/* ---- Bit by bit ---- */

/* Sends a request without its body and gives what goes on; never NULL. With .len exactly so many
 * bytes must follow; else POST, PUT and PATCH have a body in chunks, and other methods none. Ends
 * with covey_test_finish() or covey_test_leave(). */
#define covey_test_open(t, ...)                                                                    \
    covey_test_open_with(                                                                          \
        (t), &(struct covey_test_request){__VA_ARGS__, .size = sizeof(struct covey_test_request)})
COVEY_API covey_test_stream *covey_test_open_with(covey_test *t,
                                                  const struct covey_test_request *request);

/* Sends a piece of the body (len 0: its end) and lets the worker run until it is on its way. 0,
 * -ECONNRESET (the server has closed), -ETIMEDOUT (it does not read), -EINVAL: the request has no
 * (more) body. */
COVEY_API int covey_test_write(covey_test_stream *stream, const void *bytes, size_t len);

/* Waits until the answer's head has come. What the answer has by then, and further ones. */
COVEY_API const struct covey_test_answer *covey_test_look(covey_test_stream *stream);

/* The next bytes of the answer's body, waiting for them: > 0 bytes, 0 at the end, -ECONNRESET (it
 * was cut), -ETIMEDOUT. */
COVEY_API ssize_t covey_test_read(covey_test_stream *stream, void *to, size_t cap);

/* Ends the body and waits for the whole answer, in which all is that was read before, too. Frees
 * the stream. */
COVEY_API const struct covey_test_answer *covey_test_finish(covey_test_stream *stream);

/* The client goes away, in the middle of whatever it is; the worker sees it. Frees the stream. */
COVEY_API void covey_test_leave(covey_test_stream *stream);

#endif
