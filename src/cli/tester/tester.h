/* A worker and its clients in one thread, for the tests of apps (<covey/test.h>).
 *
 *     life/tested.c    the worker: begun, turned and ended by the calls of its clients
 *     tester.c         clients: each is one end of a pair of sockets, the worker has the other
 *     answer.c         what comes back
 *     jar.c            cookies
 */
#ifndef CV_CLI_TESTER_H
#define CV_CLI_TESTER_H

#include "base/list.h"
#include "cli/tester/answer.h"
#include "cli/tester/jar.h"

#include <pthread.h>

struct cv_native;
struct cv_peer;
struct life;

struct covey_test {
    struct life *life;
    struct cv_native *native; /* NULL: there is none */
    bool is_serving;
    pthread_t thread;
    struct cv_link streams;
    struct cv_tester_answer *answers; /* all of them, newest first */
    struct cv_jar jar;
    char error[1024];
};

struct covey_test_stream {
    struct cv_link link;
    covey_test *test;
    struct cv_tester_answer *answer;
    char *path; /* of the request */
    int fd;     /* -1: closed */
    int error;  /* why no more of the request can be sent; 0: it can */
    bool in_chunks;
    uint64_t left;  /* bytes of the request's body that may still come */
    size_t read_at; /* bytes of the answer's body that were read */
    int64_t timeout;
};

/* NULL if the worker may be turned now, else why not. */
const char *cv_tester_refuse(const covey_test *t);

/* One step of the worker: see cv_native_turn(). */
CV_MUST_CHECK int cv_tester_turn(covey_test *t, int64_t until);

/* Gives the worker a connection: its end of the pair. 0 or -ENOMEM (closed). */
CV_MUST_CHECK int cv_tester_connect(covey_test *t, int fd, const struct cv_peer *peer);

#endif
