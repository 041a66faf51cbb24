/* Virtual hosts: the same paths, answered by the name the client has asked for.
 *
 *     curl -H 'Host: shop.example' http://127.0.0.1:8000/     the shop
 *     curl -H 'Host: blog.example' http://127.0.0.1:8000/     the blog
 *     curl http://127.0.0.1:8000/                             any other name
 */
#include <covey/covey.h>

static int shop(covey_req *req) { return covey_text(req, 200, "Welcome to the shop!\n"); }

static int blog(covey_req *req) { return covey_text(req, 200, "Welcome to the blog!\n"); }

static int others(covey_req *req)
{
    return covey_textf(req, 404, "Nobody called %s lives here.\n", covey_header(req, "Host"));
}

static int setup(covey_app *app)
{
    covey_get(app, "/", shop, .host = "shop.example, www.shop.example");
    covey_get(app, "/", blog, .host = "blog.example");
    covey_get(app, "/", others);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
