/* What the servers are compared with, for covey; the peers' apps answer the same. bench/servers.py compiles it.
 *
 *     GET /       Hello, World!
 *     GET /pid    the worker's pid
 *     GET /slow   waits 1 s without blocking, if the server can do that
 *     GET /block  blocks the worker for longer than anything waits
 *     GET /child  leaves one `sleep 300` running, however often it is asked; the worker's pid
 *
 * For bench/shapes.py also
 *
 *     GET /hello.txt  Hello, World!
 *     GET /1k.txt     1 KiB
 *     GET /64k.txt    the file of that name in the folder BENCH_FILES
 *     POST /echo      what was sent
 *
 * COVEY_BOOT_DELAY=SECONDS blocks each worker's start-up. COVEY_ROUTES=COUNT adds so many routes of either kind, which say
 * hello, too: /exact/00000 and so on, and /param/00000/<id:int>.
 */
#include <spawn.h>

extern char **environ;

static int block_start(covey_app *app)
{
    sleep((unsigned)covey_config_int(app, "BOOT_DELAY", 0));
    return 0;
}

static int hello(covey_req *req) { return covey_text(req, 200, "Hello, World!"); }

static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }

static int slow(covey_req *req)
{
    int rc = covey_sleep_ms(1000);
    return rc < 0 ? rc : pid(req);
}

static int block(covey_req *req)
{
    sleep(1000);
    return pid(req);
}

static int child(covey_req *req)
{
    static pid_t started;
    char program[] = "sleep", seconds[] = "300";
    char *argv[] = {program, seconds, NULL};
    if (started == 0 && posix_spawnp(&started, program, NULL, NULL, argv, environ) != 0)
        return covey_fail(req, 500, "cannot start a child");
    return pid(req);
}

static const char large[1024] = {[0 ... 1023] = 'k'};

static int kilobyte(covey_req *req) { return covey_bytes(req, 200, "text/plain; charset=utf-8", large, sizeof(large)); }

static int file(covey_req *req) { return covey_file(req, "64k.txt", .root = getenv("BENCH_FILES")); }

static int echo(covey_req *req)
{
    size_t len;
    const void *body = covey_body(req, &len);
    return covey_bytes(req, 200, "text/plain; charset=utf-8", body, len);
}

static void many_routes(covey_app *app)
{
    long count = (long)covey_config_int(app, "ROUTES", 0);
    for (long i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/exact/%05ld", i);
        covey_get(app, path, hello);
        snprintf(path, sizeof(path), "/param/%05ld/<id:int>", i);
        covey_get(app, path, hello);
    }
}

static int setup(covey_app *app)
{
    many_routes(app);
    covey_get(app, "/hello.txt", hello);
    covey_get(app, "/1k.txt", kilobyte);
    covey_get(app, "/64k.txt", file);
    covey_post(app, "/echo", echo);
    covey_listener(app, COVEY_BEFORE_SERVER_START, block_start);
    covey_get(app, "/", hello);
    covey_get(app, "/pid", pid);
    covey_get(app, "/slow", slow);
    covey_get(app, "/block", block);
    covey_get(app, "/child", child);
    return 0;
}
