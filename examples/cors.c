/* CORS: pages of one other origin may use this API; browsers keep all others away from it.
 *
 *     curl -i -H 'Origin: https://shop.example' http://127.0.0.1:8000/price
 */
#include <covey/covey.h>

static int price(covey_req *req) { return covey_jsonf(req, 200, "{s:i}", "price", 42); }

static int setup(covey_app *app)
{
    covey_cors(app, "https://shop.example", .methods = "PUT", .headers = "Content-Type");
    covey_route(app, "GET, PUT", "/price", price);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
