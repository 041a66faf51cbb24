#include "cli/status/status.h"

#include "supervise/shared/region.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static int take_fleet(struct cv_ctl_status *status, struct cv_message *message)
{
    const char *listeners;
    int rc = cv_control_read_fleet(&status->fleet, &listeners, message);
    size_t len = message->body_len - sizeof(status->fleet);
    if (rc < 0 || len > sizeof(status->listeners))
        return -EBADMSG;
    memcpy(status->listeners, listeners, len);
    return 0;
}

static int take_slots(struct cv_ctl_status *status, const struct cv_message *message)
{
    struct cv_control_slot slot;
    size_t more = message->body_len / sizeof(slot);
    void *grown = realloc(status->slots, (status->n + more + 1) * sizeof(slot));
    if (grown == NULL)
        return -ENOMEM;
    status->slots = grown;
    for (size_t i = 0; cv_control_read_slot(&slot, message, i); i++)
        status->slots[status->n++] = slot;
    return 0;
}

static int take_page(struct cv_ctl_status *status, uint32_t slot,
                     const struct cv_metrics_page *page)
{
    struct cv_ctl_counts *counts = &status->counts[status->n_counts++];
    *counts = (struct cv_ctl_counts){.slot = slot};
    int rc = cv_sum_add(&counts->sum, page);
    return rc == 0 ? cv_sum_add(&status->total, page) : rc;
}

/* One message's. */
static int take_regions(struct cv_ctl_status *status, const struct cv_message *message,
                        const struct cv_files *files)
{
    void *grown =
        realloc(status->counts, (status->n_counts + files->n + 1) * sizeof(*status->counts));
    if (grown == NULL)
        return -ENOMEM;
    status->counts = grown;
    uint32_t slot;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && cv_control_read_region(&slot, message, i); i++) {
        if (i >= files->n)
            return -EMFILE;
        struct cv_metrics_page *page =
            cv_region_map(files->fd[i], sizeof(struct cv_metrics_page), false);
        rc = page != NULL ? take_page(status, slot, page) : -EBADMSG;
        if (page != NULL)
            (void)munmap(page, sizeof(*page));
    }
    return rc;
}

static int take(struct cv_ctl_status *status, struct cv_message *message,
                const struct cv_files *files)
{
    switch (message->kind) {
    case CV_CONTROL_FLEET: return take_fleet(status, message);
    case CV_CONTROL_SLOTS: return take_slots(status, message);
    case CV_CONTROL_REGIONS:
        return cv_control_layout(message) == CV_METRICS_LAYOUT
                   ? take_regions(status, message, files)
                   : 0; /* of another covey: as if there were none */
    case CV_CONTROL_DONE: return CV_CTL_STATUS_DONE;
    default: return -EBADMSG;
    }
}

int cv_ctl_status_take(struct cv_ctl_status *status, struct cv_message *message,
                       struct cv_files *files)
{
    int rc = take(status, message, files);
    for (unsigned i = 0; i < files->n; i++)
        (void)close(files->fd[i]);
    files->n = 0;
    return rc;
}

void cv_ctl_status_clear(struct cv_ctl_status *status)
{
    for (size_t i = 0; i < status->n_counts; i++)
        cv_sum_done(&status->counts[i].sum);
    cv_sum_done(&status->total);
    free(status->counts);
    free(status->slots);
    *status = (struct cv_ctl_status){0};
}
