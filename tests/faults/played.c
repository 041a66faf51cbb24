/* The app of the plays that need more than examples/testbed has: a main process, two managed ones,
 * a start that reports what it does.
 *
 *     GET /pid             the worker's pid
 *     GET /child?double=1  leaves a daemon behind
 */
#include <covey/covey.h>

#include <sys/wait.h>
#include <unistd.h>

static int begin(covey_app *app)
{
    covey_extend_start(app, 2000);
    return 0;
}

static int work(covey_app *app)
{
    while (!covey_is_stopping(app))
        if (covey_sleep_ms(1000) < 0)
            return 0;
    return 0;
}

static int pid(covey_req *req)
{
    return covey_textf(req, 200, "%d", (int)getpid());
}

static int child(covey_req *req)
{
    pid_t started = fork();
    if (started == 0) {
        if (fork() == 0 && setsid() > 0)
            (void)execlp("sleep", "sleep", "300", (char *)NULL);
        _exit(0);
    }
    waitpid(started, NULL, 0);
    return pid(req);
}

static int setup(covey_app *app)
{
    static const char *const sleeper[] = {"sleep", "1000", NULL};
    covey_listener(app, COVEY_MAIN_PROCESS_START, begin);
    covey_listener(app, COVEY_BEFORE_SERVER_START, begin);
    covey_manage(app, "queue", work, .transient = true);
    covey_manage_command(app, "cache", sleeper);
    covey_get(app, "/pid", pid);
    covey_get(app, "/child", child);
    return 0;
}

int main(int argc, char **argv)
{
    return covey_main(argc, argv, setup);
}
