/* covey_static(): a tree of files under a path. */
#include "app/files/file.h"
#include "app/files/file_list.h"
#include "app/files/listing.h"
#include "app/options.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct tree {
    const char *root; /* absolute; NULL: it is one file, this one */
    const char *file;
    const char *index;
    int64_t max_age;
    const char *type;
    bool precompressed;
    bool hidden;
    bool listing;
};

/* ---- Serving ---- */

/* "%2F" and "%5C": a slash that is no slash for the router, or a backslash. */
static bool has_escaped_slash(struct cv_span raw)
{
    for (size_t i = 0; i + 2 < raw.len; i++) {
        struct cv_span escape = cv_span(raw.at + i, 3);
        if (cv_span_ieq(escape, CV_SPAN("%2f")) || cv_span_ieq(escape, CV_SPAN("%5c")))
            return true;
    }
    return false;
}

/* "." and ".." never name a file; names with a dot in front are not meant for others (.git, .env),
 * but for RFC 8615's. */
static bool is_segment(const struct tree *tree, struct cv_span segment)
{
    if (segment.len == 0 || segment.at[0] != '.')
        return segment.len > 0;
    if (cv_span_eq(segment, CV_SPAN(".")) || cv_span_eq(segment, CV_SPAN("..")))
        return false;
    return tree->hidden || cv_span_eq(segment, CV_SPAN(".well-known"));
}

/* One spelling per file, and none of the tricks; what leads out of the root is the kernel's matter
 * (serve/file.c). The last segment may be empty: a directory. */
static bool is_acceptable(const struct covey_req *req, const struct tree *tree, const char *path)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    struct cv_span raw = cv_h1_span(cv_exchange_bytes(req->x), head->path_at, head->path_len);
    if (has_escaped_slash(raw) || !cv_file_is_plain(path))
        return false;
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (!is_segment(tree, cv_span(at, len)))
            return false;
        at += len + (at[len] == '/');
    }
    return true;
}

/* So that the index page's relative links mean what its author meant. */
static int redirect_to_directory(struct covey_req *req)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    const char *to = cv_arena_printf(req->arena, "%.*s/%s%.*s", (int)head->path_len,
                                     bytes + head->path_at, head->query_len > 0 ? "?" : "",
                                     (int)head->query_len, bytes + head->query_at);
    return to != NULL ? covey_redirect(req, 301, to) : -ENOMEM;
}

static int send_path(struct covey_req *req, const struct tree *tree, const char *path,
                     int *ret_error)
{
    const struct covey_file what = {.path = path,
                                    .root = tree->root,
                                    .type = tree->type,
                                    .max_age = tree->max_age,
                                    .precompressed = tree->precompressed};
    return cv_req_send_file(req, &what, ret_error);
}

/* Its index, else its listing; `path` is "" or ends in a slash. */
static int serve_directory(struct covey_req *req, const struct tree *tree, const char *path)
{
    int error = -EISDIR;
    int rc = 0;
    if (tree->index != NULL) {
        const char *index = cv_arena_printf(req->arena, "%s%s", path, tree->index);
        if (index == NULL)
            return -ENOMEM;
        error = 0;
        rc = send_path(req, tree, index, &error);
    }
    if (tree->listing && (error == -EISDIR || error == -ENOENT)) {
        error = 0;
        rc = cv_req_send_listing(req, tree->root, path, tree->hidden, &error);
    }
    return error < 0 ? cv_req_file_error(req, path, error) : rc;
}

static int serve(covey_req *req)
{
    const struct tree *tree = req->route->data;
    const char *path = covey_param(req, "path");
    if (path == NULL)
        path = ""; /* the tree itself */
    if (!is_acceptable(req, tree, path))
        return cv_req_file_error(req, path, -ENOENT);
    size_t len = strlen(path);
    if (len == 0 || path[len - 1] == '/')
        return serve_directory(req, tree, path);
    int error = 0;
    int rc = send_path(req, tree, path, &error);
    if (error == -EISDIR && (tree->index != NULL || tree->listing))
        return redirect_to_directory(req);
    return error < 0 ? cv_req_file_error(req, path, error) : rc;
}

/* Of a file there is no root: its path is the app's. */
static int serve_file(covey_req *req)
{
    const struct tree *tree = req->route->data;
    int error = 0;
    int rc = send_path(req, tree, tree->file, &error);
    return error < 0 ? cv_req_file_error(req, tree->file, error) : rc;
}

static int redirect(covey_req *req)
{
    return redirect_to_directory(req);
}

/* ---- Registering ---- */

/* Relative to where the server was started, whatever the app does later. */
static const char *absolute(struct cv_arena *arena, const char *path)
{
    if (path[0] == '/')
        return cv_arena_strndup(arena, cv_span_str(path));
    CV_AUTOFREE char *here = getcwd(NULL, 0);
    return here != NULL ? cv_arena_printf(arena, "%s/%s", here, path) : NULL;
}

static struct tree *tree_new(struct cv_arena *arena, const struct covey_static *how)
{
    struct tree *tree = cv_arena_alloc(arena, sizeof(*tree));
    if (tree == NULL)
        return NULL;
    *tree = (struct tree){.root = absolute(arena, how->directory),
                          .max_age = how->max_age,
                          .precompressed = how->precompressed,
                          .hidden = how->hidden,
                          .listing = how->listing};
    if (how->index != NULL)
        tree->index = cv_arena_strndup(arena, cv_span_str(how->index));
    if (how->type != NULL)
        tree->type = cv_arena_strndup(arena, cv_span_str(how->type));
    bool complete = tree->root != NULL && (how->index == NULL || tree->index != NULL) &&
                    (how->type == NULL || tree->type != NULL);
    return complete ? tree : NULL;
}

/* Whether it is a file; then it has no root. */
static bool is_file(struct tree *tree)
{
    struct stat st;
    if (stat(tree->root, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    tree->file = tree->root;
    tree->root = NULL;
    return true;
}

static void add_file(covey_app *app, const char *path, const struct covey_static *how,
                     const struct tree *tree, const char *file, int line)
{
    const struct covey_route route = {
        .handler = serve_file, .size = sizeof(route), .name = how->name, .host = how->host};
    if (how->index != NULL || how->listing)
        cv_app_fail(app, "%s:%d: static %s: %s is a file: .index and .listing are for directories",
                    file, line, path, tree->file);
    else
        cv_app_add_route(app, "GET", path, &route, tree, file, line);
}

static void add_routes(covey_app *app, const char *base, const struct covey_static *how,
                       const struct tree *tree, const char *file, int line)
{
    struct covey_route route = {.handler = serve,
                                .size = sizeof(route),
                                .name = how->name,
                                .host = how->host,
                                .strict_slashes = 1}; /* for relative links */
    char path[1024];
    if (snprintf(path, sizeof(path), "%s/<path:path>", base) >= (int)sizeof(path)) {
        cv_app_fail(app, "%s:%d: static %.64s...: the path is too long", file, line, base);
        return;
    }
    cv_app_add_route(app, "GET", path, &route, tree, file, line);
    if (tree->index == NULL && !tree->listing)
        return;
    route.name = NULL; /* that of the files */
    (void)snprintf(path, sizeof(path), "%s/", base);
    cv_app_add_route(app, "GET", path, &route, tree, file, line);
    route.handler = redirect;
    if (base[0] != '\0' || app->prefix[0] != '\0')
        cv_app_add_route(app, "GET", base, &route, tree, file, line);
}

void covey_static_at(covey_app *app, const char *path, const struct covey_static *how,
                     const char *file, int line)
{
    struct covey_static known;

    if (!cv_app_can_register(app, "covey_static", file, line))
        return;
    if (!CV_OPTIONS_READ(&known, how)) {
        cv_app_fail(app, "%s:%d: static %s: " CV_OPTIONS_UNKNOWN, file, line,
                    path != NULL ? path : "");
        return;
    }
    if (path == NULL || path[0] != '/' || known.directory == NULL) {
        cv_app_fail(app, "%s:%d: static %s: it needs a path that begins with / and a directory",
                    file, line, path != NULL ? path : "");
        return;
    }
    struct tree *tree = tree_new(&app->root->arena, &known);
    struct cv_span base = cv_span_str(path);
    while (base.len > 0 && base.at[base.len - 1] == '/')
        base.len--;
    const char *prefix = cv_arena_strndup(&app->root->arena, base);
    if (tree == NULL || prefix == NULL) {
        cv_app_fail(app, "%s:%d: static %s: out of memory", file, line, path);
        return;
    }
    if (is_file(tree)) {
        add_file(app, path, &known, tree, file, line);
        return;
    }
    int rc = cv_app_file_root(app->root, tree->root);
    if (rc == 0)
        add_routes(app, prefix, &known, tree, file, line);
    else
        cv_app_fail(app, "%s:%d: static %s: %s: %s", file, line, path, tree->root,
                    rc == -ENOSYS ? "this kernel (before Linux 5.6) or a filter of system calls "
                                    "does not allow openat2(), without which no path is safe"
                                  : strerror(-rc));
}
