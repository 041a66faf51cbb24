#include "cli/status/inspect.h"

#include "cli/status/prometheus.h"
#include "cli/status/show.h"

#include <covey/covey.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct cv_inspect_source source;

void cv_inspect_from(const struct cv_inspect_source *from)
{
    source = *from;
}

/* 1: it is told. Else what the handler is to return. */
static int look(covey_req *req, const struct cv_ctl_status **ret)
{
    int rc = source.look(source.arg, ret);
    if (rc == 0)
        return 1;
    if (rc == -ECANCELED)
        return rc;
    const char *why = rc == -ETIMEDOUT ? "it does not answer" : strerror(-rc);
    return covey_textf(req, 503, "the master could not be asked: %s\n", why);
}

/* `write` returns 0, or negative if memory has run out. */
static int show(covey_req *req, const char *type,
                int (*write)(FILE *to, const struct cv_ctl_status *status))
{
    const struct cv_ctl_status *status;
    int rc = look(req, &status);
    if (rc <= 0)
        return rc;
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    if (stream == NULL)
        return -ENOMEM;
    bool is_whole = write(stream, status) == 0 && ferror(stream) == 0;
    if (fclose(stream) != 0 || !is_whole) {
        free(text);
        return -ENOMEM;
    }
    (void)covey_set_header(req, "Cache-Control", "no-store");
    return covey_bytes_take(req, 200, type, text, len, free);
}

static int write_metrics(FILE *to, const struct cv_ctl_status *status)
{
    cv_prometheus_write(to, status);
    return 0;
}

static int metrics(covey_req *req)
{
    return show(req, CV_PROMETHEUS_TYPE, write_metrics);
}

static int status_json(covey_req *req)
{
    return show(req, "application/json", cv_ctl_show_json);
}

static int healthz(covey_req *req)
{
    const struct cv_ctl_status *status;
    int rc = look(req, &status);
    if (rc <= 0)
        return rc;
    return covey_textf(req, status->fleet.ready > 0 ? 200 : 503, "%u of %u workers are ready\n",
                       status->fleet.ready, status->fleet.wanted);
}

int cv_inspect_setup(covey_app *app)
{
    covey_get(app, "/metrics", metrics);
    covey_get(app, "/status", status_json);
    covey_get(app, "/healthz", healthz);
    return 0;
}
