/* A worker that lives in a test, as long as its clients turn it. See inside.h and
 * tester/tester.h. */
#include "cli/life/inside.h"

#include "app/app.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "cli/tester/tester.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* ---- Turning ---- */

const char *cv_tester_refuse(const covey_test *t)
{
    if (!t->is_serving)
        return t->error;
    if (!pthread_equal(t->thread, pthread_self()))
        return "covey_test calls belong to the thread that has called covey_test_new()";
    if (cv_fiber_self() != NULL)
        return "covey_test calls cannot be made by the app's own functions, which the worker runs";
    return NULL;
}

/* There may be several workers in a thread: the app's calls are those of the one that is turned. */
static covey_app *enter(covey_test *t)
{
    covey_app *app = cv_native_app(t->native);
    cv_app_enter(app);
    return app;
}

int cv_tester_turn(covey_test *t, int64_t until)
{
    (void)enter(t);
    return cv_native_turn(t->native, until);
}

int cv_tester_connect(covey_test *t, int fd, const struct cv_peer *peer)
{
    (void)enter(t);
    return cv_native_take(t->native, fd, peer);
}

void covey_test_wait_ms(covey_test *t, int64_t ms)
{
    int64_t until = cv_clock_ns() + ms * CV_MS;
    while (cv_tester_refuse(t) == NULL && cv_clock_ns() < until) {
        if (cv_tester_turn(t, until) < 0)
            return;
    }
}

/* ---- Life ---- */

static int fail(covey_test *t, const char *reason)
{
    (void)snprintf(t->error, sizeof(t->error), "%s", reason);
    cv_error("the app under test did not start: %s", reason);
    return -1;
}

static int read_settings(covey_test *t, const struct covey_options *options)
{
    struct cv_conf *conf = t->life->conf;
    enum cv_conf_request request;
    if (cv_conf_read(conf, program_invocation_name, options, NULL, &request) < 0)
        return fail(t, conf->reason);
    cv_conf_open_log(conf, conf->name, "test");
    return 0;
}

static int begin(covey_test *t, const struct covey_options *options)
{
    if (read_settings(t, options) < 0)
        return -1;
    (void)signal(SIGPIPE, SIG_IGN); /* as in a server */
    cv_life_open_access_log(t->life);
    struct cv_native_config config = cv_life_config(t->life, options->setup);
    int code = cv_native_open(&config, &t->native);
    if (code == CV_EXIT_OK)
        code = cv_native_begin(t->native);
    if (code != CV_EXIT_OK)
        return fail(t, cv_native_reason(t->native));
    t->is_serving = true;
    return 0;
}

static covey_test no_memory = {.error = "out of memory",
                               .streams = {&no_memory.streams, &no_memory.streams}};

covey_test *covey_test_new_with(const struct covey_options *options)
{
    covey_test *t = calloc(1, sizeof(*t));
    struct life *life = calloc(1, sizeof(*life));
    struct cv_conf *conf = calloc(1, sizeof(*conf));
    if (t == NULL || life == NULL || conf == NULL) {
        free(t);
        free(life);
        free(conf);
        return &no_memory;
    }
    *life = (struct life){.conf = conf, .access_log = -1};
    t->life = life;
    t->thread = pthread_self();
    cv_list_init(&t->streams);
    (void)begin(t, options);
    return t;
}

/* 0, or what stands in test.h. */
static int end(covey_test *t)
{
    (void)enter(t);
    cv_native_drain(t->native, CV_DRAIN_STOP, cv_life_grace(t->life));
    int code = cv_native_end(t->native);
    if (cv_native_fibers(t->native) > 0)
        return -EBUSY;
    if (code == CV_EXIT_OK)
        return 0;
    cv_error("the app under test did not end well: %s", cv_native_reason(t->native));
    return -EIO;
}

int covey_test_free(covey_test *t)
{
    if (t == NULL || t == &no_memory)
        return t == NULL ? 0 : -EIO;
    while (!cv_list_empty(&t->streams))
        covey_test_leave(CV_CONTAINER_OF(t->streams.next, covey_test_stream, link));
    int rc = t->is_serving ? end(t) : -EIO;
    cv_native_close(t->native);
    if (t->life->access_log >= 0)
        (void)close(t->life->access_log);
    while (t->answers != NULL) {
        struct cv_tester_answer *answer = t->answers;
        t->answers = answer->next;
        cv_tester_answer_done(answer);
        free(answer);
    }
    cv_jar_done(&t->jar);
    free(t->life->conf);
    free(t->life);
    free(t);
    return rc;
}

const char *covey_test_error(const covey_test *t)
{
    return t->error;
}

covey_app *covey_test_app(covey_test *t)
{
    return t->is_serving ? enter(t) : NULL;
}
