/* Serves the files of a directory:
 *
 *     COVEY_ROOT=public ./static_files
 */
#include <covey/covey.h>

static int setup(covey_app *app)
{
    covey_static(app, "/", covey_config_str(app, "ROOT", "."), .index = "index.html",
                 .precompressed = true);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
