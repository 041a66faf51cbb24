#include "supervise/containment/cgroup_handover.h"

#include <string.h>

static const struct cv_handover_field cgroup_fields[] = {
    CV_FIELD_FD(struct cv_cgroup, own),     CV_FIELD_FD(struct cv_cgroup, run),
    CV_FIELD_TEXT(struct cv_cgroup, name),  CV_FIELD_LEFT(struct cv_cgroup, epoll), /* made anew */
    CV_FIELD_LEFT(struct cv_cgroup, grave), /* a field of its own: the incarnations */
};

void cv_cgroup_export(const struct cv_cgroup *cgroup, struct cv_handover *to)
{
    uint32_t graves[CV_CGROUP_GRAVES];
    size_t n = 0;
    for (size_t i = 0; i < CV_CGROUP_GRAVES; i++)
        if (cgroup->grave[i].incarnation != 0)
            graves[n++] = cgroup->grave[i].incarnation;
    cv_handover_section(to, "cgroup");
    cv_handover_put_fields(to, cgroup_fields, CV_COUNT(cgroup_fields), cgroup);
    cv_handover_put_bytes(to, "graves", cv_span(graves, n * sizeof(*graves)));
}

int cv_cgroup_import(struct cv_cgroup *cgroup, struct cv_span record)
{
    struct cv_handover_section section = cv_handover_find(record, "cgroup");
    cv_cgroup_none(cgroup);
    return cv_handover_get_fields(&section, cgroup_fields, CV_COUNT(cgroup_fields), cgroup);
}

void cv_cgroup_rebury(struct cv_cgroup *cgroup, struct cv_span record)
{
    struct cv_handover_section section = cv_handover_find(record, "cgroup");
    struct cv_span graves = cv_handover_get_bytes(&section, "graves");
    for (size_t at = 0; at + sizeof(uint32_t) <= graves.len; at += sizeof(uint32_t)) {
        uint32_t incarnation;
        memcpy(&incarnation, graves.at + at, sizeof(incarnation));
        cv_cgroup_bury(cgroup, incarnation);
    }
}
