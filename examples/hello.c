/* The smallest app. `./dev run`, or `./build/examples/hello --workers 4`; then
 * http://127.0.0.1:8000/ */
#include <covey/covey.h>

static int hello(covey_req *req) { return covey_text(req, 200, "Hello, World!"); }

static int setup(covey_app *app)
{
    covey_get(app, "/", hello);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
