#include "app/files/listing.h"

#include "app/files/file.h"
#include "app/response/html.h"
#include "http/date.h"
#include "http/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#define PAGE_MAX (16 << 20) /* entries are bounded, and names */

/* ---- The page ---- */

static int put(struct cv_buf *to, const char *text)
{
    return cv_buf_append(to, cv_span_str(text));
}

/* "./" keeps a name from being taken for a scheme or a host. */
static int put_link(struct cv_buf *to, const struct cv_file_entry *entry)
{
    char escaped[3 * NAME_MAX + 1];
    size_t len = cv_percent_escape(cv_span_str(entry->name), escaped);
    int rc = put(to, "<tr><td><a href=\"./");
    if (rc == 0)
        rc = cv_buf_append(to, cv_span(escaped, len));
    if (rc == 0)
        rc = put(to, entry->is_directory ? "/\">" : "\">");
    if (rc == 0)
        rc = cv_html_write(to, entry->name);
    return rc == 0 ? put(to, entry->is_directory ? "/</a>" : "</a>") : rc;
}

static int put_entry(struct cv_buf *to, const struct cv_file_entry *entry)
{
    char date[CV_DATE_LEN + 1] = "";
    cv_date_write(date, entry->modified);
    int rc = put_link(to, entry);
    if (rc == 0 && entry->is_directory)
        rc = cv_buf_printf(to, "<td><td>%s\n", date);
    else if (rc == 0)
        rc = cv_buf_printf(to, "<td>%llu<td>%s\n", (unsigned long long)entry->size, date);
    return rc;
}

static int put_head(struct cv_buf *to, const char *path)
{
    int rc = put(to, "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>");
    if (rc == 0)
        rc = cv_html_write(to, path);
    if (rc == 0)
        rc = put(to, "</title>\n<h1>");
    if (rc == 0)
        rc = cv_html_write(to, path);
    return rc == 0 ? put(to, "</h1>\n<table>\n<tr><td><a href=\"../\">../</a><td><td>\n") : rc;
}

int cv_listing_write(struct cv_buf *to, const char *path, const struct cv_file_list *list)
{
    int rc = put_head(to, path);
    for (size_t i = 0; i < list->n && rc == 0; i++)
        rc = put_entry(to, &list->at[i]);
    if (rc == 0)
        rc = put(to, "</table>\n");
    if (rc == 0 && list->is_cut)
        rc = cv_buf_printf(to, "<p>Only %d of them are listed.</p>\n", CV_FILE_LIST_MAX);
    return rc;
}

/* ---- The answer ---- */

struct job {
    int root;
    const char *path;
    bool hidden;
    struct cv_file_list list;
};

static int run(void *arg)
{
    struct job *job = arg;
    return cv_file_list_read(job->root, job->path, job->hidden, &job->list);
}

static int read_list(struct covey_req *req, struct job *job)
{
    int rc = cv_offload(req->app->offload, run, job);
    return rc == -EAGAIN ? run(job) : rc; /* no thread can be had */
}

static int send_page(struct covey_req *req, const struct cv_file_list *list)
{
    struct cv_buf page;
    cv_buf_init(&page, PAGE_MAX);
    int rc = cv_listing_write(&page, covey_path(req), list);
    if (rc < 0) {
        cv_buf_done(&page);
        return rc;
    }
    return covey_bytes_take(req, 200, "text/html; charset=utf-8", page.at, page.len, free);
}

int cv_req_send_listing(struct covey_req *req, const char *root, const char *path, bool hidden,
                        int *ret_error)
{
    struct job job = {.path = path, .hidden = hidden};
    /* A descriptor of its own, because the root's may be replaced meanwhile. */
    CV_AUTOCLOSE int fd = cv_app_file_root_dup(req->app, root);
    if (fd < 0)
        return *ret_error = fd;
    job.root = fd;
    int rc = read_list(req, &job);
    if (rc < 0)
        *ret_error = rc;
    else
        rc = send_page(req, &job.list);
    cv_file_list_done(&job.list);
    return rc;
}
