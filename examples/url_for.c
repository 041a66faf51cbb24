/* URLs by the names of routes: where a pattern changes, the links to it follow.
 *
 *     curl http://127.0.0.1:8000/
 */
#include <covey/covey.h>

#include <errno.h>

static int links(covey_req *req)
{
    const char *user = covey_url_for(req, "user", COVEY_ARGS("id", "7"));
    const char *mail =
        covey_url_for(req, "user", COVEY_ARGS("id", "7", "tab", "mail box"), .anchor = "unread");
    const char *away = covey_url_for(req, "blog.post", COVEY_ARGS("title", "what-is-new"),
                                     .server = "https://example.com");
    const char *file = covey_url_for(req, "files", COVEY_ARGS("path", "css/my style.css"));
    if (user == NULL || mail == NULL || away == NULL || file == NULL)
        return -EINVAL; /* the log says why */
    return covey_textf(req, 200, "%s\n%s\n%s\n%s\n", user, mail, away, file);
}

static int page(covey_req *req)
{
    return covey_textf(req, 200, "This is %s.\n", covey_route_name(req));
}

static int setup(covey_app *app)
{
    covey_get(app, "/", links);
    covey_get(app, "/users/<id:int>", page, .name = "user");
    covey_static(app, "/files", ".", .name = "files");
    covey_app *blog = covey_blueprint(app, "blog", .prefix = "/blog");
    covey_get(blog, "/<title:slug>", page, .name = "post");
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
