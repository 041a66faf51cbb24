/* Files as answers: one file, and a tree of them. */
#ifndef COVEY_FILES_H
#define COVEY_FILES_H

#include <covey/request.h>

/* What covey_file() is to send. */
struct covey_file {
    /* Under `root`, or else any path, and then it must not come from a client. */
    const char *path;
    size_t size; /* set by the macro */
    /* A directory that `path` cannot lead out of, whatever it consists of (absolute paths, "..",
     * symbolic links): it may come from a client then. A link inside may point to what is inside.
     */
    const char *root;
    int status;           /* default 200; with any other, conditions and ranges are not looked at */
    const char *type;     /* Content-Type; default: by the extension, text as UTF-8 */
    const char *download; /* the name under which a browser is to save it (Content-Disposition) */
    int64_t max_age;      /* Cache-Control: max-age, in seconds; COVEY_OFF: no-store */
    bool precompressed;   /* send path.br, .zst or .gz where there is one as new, and the client
                             takes it */
};

/* Answers with a file: covey_file(req, "report.pdf", .download = "Report.pdf"). With its ETag and
 * Last-Modified it answers conditional requests (304, 412) and, where they still hold, requests for
 * ranges (206, 416); fields of that name that were set before are replaced. A file of up to 16 KiB
 * leaves as it was when it was opened; one that becomes shorter while it is being sent cuts the
 * connection. An opened file is kept for further requests, and looked at again after
 * FILE_CACHE_VALID. Waits only for a disk, and only on a fiber.
 *
 * 0, or a negative code that may be returned: 404 (no such regular file, or outside `root`), 403,
 * 503 (descriptors or memory have run out), 500; -EALREADY (answered before); -EINVAL, -EPERM,
 * -ENOMEM as for covey_bytes(); -ECANCELED. */
#define covey_file(req, ...)                                                                       \
    covey_file_with((req), &(struct covey_file){__VA_ARGS__, .size = sizeof(struct covey_file)})
COVEY_API int covey_file_with(covey_req *req, const struct covey_file *what);

/* A tree of files, or one file, as covey_static() serves it. */
struct covey_static {
    const char *directory; /* or a file; relative ones from where the server was started */
    size_t size;           /* set by the macro */
    const char *host;      /* only for requests to it, as of a route; default: any */
    const char *index;     /* "index.html": what a path that ends in a slash means; default: 404 */
    const char *name;      /* for logs; default: the pattern */
    int64_t max_age;       /* as in covey_file() */
    bool precompressed;    /* as in covey_file() */
    bool hidden;           /* also names that begin with a dot (.well-known is always served) */
    bool listing;          /* a path that ends in a slash is a page with what is in the directory,
                              where there is no index in it */
    const char *type;      /* Content-Type of all of its files; default: by their extensions */
};

/* Serves a directory: covey_static(app, "/assets", "public", .index = "index.html") answers GET and
 * HEAD of /assets/app.css with public/app.css, as covey_file() does with a root. With an index, the
 * path of a directory without its last slash is redirected (301) to the one with it. 404 for
 * whatever is no regular file inside, for "." and "..", empty segments, escaped slashes and
 * backslashes. With .listing a directory's page has its regular files and directories, up to 10,000
 * of them. Of a file (covey_static(app, "/favicon.ico", "public/icon.ico")) that path alone is
 * served. The directory, or file, must exist when the server starts; another one put in its place
 * later is noticed. */
#define covey_static(app, path, ...)                                                               \
    covey_static_at((app), (path),                                                                 \
                    &(struct covey_static){__VA_ARGS__, .size = sizeof(struct covey_static)},      \
                    __FILE__, __LINE__)
COVEY_API void covey_static_at(covey_app *app, const char *path, const struct covey_static *how,
                               const char *file, int line);

#endif
