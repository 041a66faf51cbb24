/* The smallest app, in C++20: lambdas as handlers, options by name, memory that a request owns, and
 * an exception that is a 500. */
#include <covey/covey.hpp>

#include <stdexcept>
#include <string>

static int twice(covey_req *req)
{
    int number = std::stoi(std::string(covey::body(req))); /* throws where there is none */
    int result = covey::offload([number] { return 2 * number; });
    return covey_textf(req, 200, "%d", result);
}

static int setup(covey_app *app)
{
    covey::get(app, "/", [](covey_req *req) { return covey::text(req, 200, "Hello, World!"); });

    covey::get(app, "/hello/<name>", [](covey_req *req) {
        auto *greeting = covey::make<std::string>(req, "Hello, ");
        *greeting += covey_param(req, "name");
        return covey::text(req, 200, *greeting + "!");
    });

    covey::post(app, "/double", covey::caught<twice>, {.body_max = 100});
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey::main(argc, argv, setup); }
