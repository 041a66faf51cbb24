/* CORS: pages of one other origin may use this API; browsers keep all others away from it.
 *
 *     curl -i -H 'Origin: https://shop.example' http://127.0.0.1:8000/price
 */
#include <covey/covey.h>

#include <string.h>

static const char *const allowed = "https://shop.example";

static int cors(covey_req *req)
{
    const char *origin = covey_header(req, "Origin");
    int rc = covey_add_header(req, "Vary", "Origin");
    if (rc == 0 && origin != NULL && strcmp(origin, allowed) == 0)
        rc = covey_set_header(req, "Access-Control-Allow-Origin", allowed);
    if (rc == 0 && covey_header(req, "Access-Control-Request-Method") != NULL) {
        rc = covey_set_header(req, "Access-Control-Allow-Methods", "GET, PUT");
        if (rc == 0) /* the browser's question before a PUT; covey answers OPTIONS itself */
            rc = covey_set_header(req, "Access-Control-Allow-Headers", "Content-Type");
    }
    return rc;
}

static int price(covey_req *req) { return covey_jsonf(req, 200, "{s:i}", "price", 42); }

static int setup(covey_app *app)
{
    covey_middleware(app, COVEY_RESPONSE, cors);
    covey_route(app, "GET, PUT", "/price", price);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
