#include "cli/inspect.h"

#include "cli/ctl_show.h"
#include "cli/prometheus.h"

#include <covey/covey.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct cv_inspect_source source;

void cv_inspect_from(const struct cv_inspect_source *from)
{
    source = *from;
}

static int look(covey_req *req, const struct cv_ctl_status **ret)
{
    int rc = source.look(source.arg, ret);
    if (rc == 0 || rc == -ECANCELED)
        return rc;
    const char *why = rc == -ETIMEDOUT ? "it does not answer" : strerror(-rc);
    (void)covey_textf(req, 503, "the master could not be asked: %s\n", why);
    return rc;
}

/* Takes `text`, which a stream has made. */
static int answer(covey_req *req, const char *type, FILE *stream, char *const *text,
                  const size_t *len, bool is_whole)
{
    bool is_written = fclose(stream) == 0 && is_whole;
    if (!is_written) {
        free(*text);
        return -ENOMEM;
    }
    (void)covey_set_header(req, "Cache-Control", "no-store");
    return covey_bytes_take(req, 200, type, *text, *len, free);
}

static int metrics(covey_req *req)
{
    const struct cv_ctl_status *status;
    if (look(req, &status) < 0)
        return 0;
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    if (stream == NULL)
        return -ENOMEM;
    cv_prometheus_write(stream, status);
    return answer(req, CV_PROMETHEUS_TYPE, stream, &text, &len, ferror(stream) == 0);
}

static int status_json(covey_req *req)
{
    const struct cv_ctl_status *status;
    if (look(req, &status) < 0)
        return 0;
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    if (stream == NULL)
        return -ENOMEM;
    int rc = cv_ctl_show_json(stream, status);
    return answer(req, "application/json", stream, &text, &len, rc == 0 && ferror(stream) == 0);
}

static int healthz(covey_req *req)
{
    const struct cv_ctl_status *status;
    if (look(req, &status) < 0)
        return 0;
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
