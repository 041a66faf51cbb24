/* What covey's own tests drive: one route per situation a worker can be in when it is stopped.
 *
 *     GET  /               Hello, World!
 *     POST /echo           the request's body
 *     GET  /hello/<name>   Hello, <name>!
 *     GET  /pid            the worker's pid
 *     GET  /slow           waits 1 s on a fiber; the worker serves others meanwhile
 *     GET  /block          blocks the whole worker for 1 s
 *     GET  /child          starts `sleep 300` and leaves it running; answers with the worker's pid
 *     GET  /child?double=1 the same in a session of its own, its parent already gone
 *
 * COVEY_BOOT_DELAY=SECONDS blocks each worker's start-up.
 */
#include <covey/covey.h>

#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int block_start(covey_app *app)
{
    unsigned left = (unsigned)covey_config_int(app, "BOOT_DELAY", 0);
    while (left > 0)
        left = sleep(left);
    return 0;
}

static int root(covey_req *req) { return covey_text(req, 200, "Hello, World!"); }

static int hello(covey_req *req)
{
    return covey_textf(req, 200, "Hello, %s!", covey_param(req, "name"));
}

static int echo(covey_req *req)
{
    size_t len = 0;
    const void *body = covey_body(req, &len);
    const char *type = covey_header(req, "Content-Type");
    return covey_bytes(req, 200, type != NULL ? type : "application/octet-stream", body, len);
}

static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }

static int slow(covey_req *req)
{
    int rc = covey_sleep_ms(1000);
    return rc < 0 ? rc : covey_text(req, 200, "slow");
}

static int block(covey_req *req)
{
    sleep(1);
    return covey_text(req, 200, "blocked");
}

/* Has a shell run a command; 0 or an error number. */
static int run(char *command, pid_t *ret_pid)
{
    char shell[] = "sh", option[] = "-c";
    char *argv[] = {shell, option, command, NULL};
    return posix_spawnp(ret_pid, shell, NULL, NULL, argv, environ);
}

static int child(covey_req *req)
{
    char plain[] = "exec sleep 300";
    char orphan[] = "setsid sleep 300 &";
    bool is_double = covey_query(req, "double") != NULL;

    pid_t started;
    int error = run(is_double ? orphan : plain, &started);
    if (error != 0)
        return covey_fail(req, 500, "cannot start a child: %s", strerror(error));
    if (is_double)
        waitpid(started, NULL, 0); /* the shell, which ends at once */
    return pid(req);
}

static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, block_start);
    covey_get(app, "/", root);
    covey_post(app, "/echo", echo);
    covey_get(app, "/hello/<name>", hello);
    covey_get(app, "/pid", pid);
    covey_get(app, "/slow", slow);
    covey_get(app, "/block", block);
    covey_get(app, "/child", child);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
