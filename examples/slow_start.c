/* The program that started covey: a listener blocks each worker's start-up, with a plain sleep(),
 * for COVEY_CUSTOM_DELAY seconds. One Ctrl+C meanwhile, or any other end, must leave no process
 * behind.
 *
 *     COVEY_CUSTOM_DELAY=100 ./build/examples/slow_start
 */
#include <covey/covey.h>

#include <unistd.h>

static int init(covey_app *app)
{
    unsigned delay = (unsigned)covey_config_int(app, "CUSTOM_DELAY", 1);
    covey_info("going to sleep for %u seconds", delay);
    sleep(delay);
    covey_info("finished initialization");
    return 0;
}

static int hello(covey_req *req)
{
    return covey_textf(req, 200, "Hello, %s!\n", covey_param(req, "name"));
}

static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, init);
    covey_get(app, "/hello/<name:str>", hello);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
