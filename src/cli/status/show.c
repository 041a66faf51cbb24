#include "cli/status/show.h"

#include "cli/status/metrics_json.h"
#include "supervise/log/words.h"

#include <errno.h>
#include <jansson.h>

struct cv_ctl_time cv_ctl_time(int64_t ms)
{
    struct cv_ctl_time ret;
    long long s = ms > 0 ? ms / 1000 : 0;
    if (s < 60)
        (void)snprintf(ret.text, sizeof(ret.text), "%llds", s);
    else if (s < 3600)
        (void)snprintf(ret.text, sizeof(ret.text), "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(ret.text, sizeof(ret.text), "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        (void)snprintf(ret.text, sizeof(ret.text), "%lldd%02lldh", s / 86400, s / 3600 % 24);
    return ret;
}

static const char *role_of(const struct cv_control_slot *slot)
{
    switch (slot->kind) {
    case CV_KIND_WORKER: return "worker";
    case CV_KIND_MAIN: return "main";
    case CV_CONTROL_TEMPLATE: return "template";
    default: return "managed";
    }
}

static uint32_t restarts(const struct cv_control_slot *slot)
{
    return slot->starts > 0 ? slot->starts - 1 : 0;
}

/* ---- For people ---- */

static void show_fleet(FILE *to, const struct cv_ctl_status *status)
{
    const struct cv_control_fleet *fleet = &status->fleet;
    (void)fprintf(to, "%s (pid %d), up %s: %u of %u workers ready, generation %u", fleet->name,
                  (int)fleet->guardian, cv_ctl_time(fleet->uptime_ms).text, fleet->ready,
                  fleet->wanted, fleet->generation);
    if (fleet->upgrades > 0)
        (void)fprintf(to, ", %u upgrade%s", fleet->upgrades, fleet->upgrades == 1 ? "" : "s");
    (void)fprintf(to, "\n");
    const char *listener = status->listeners;
    for (uint32_t i = 0; i < fleet->n_listeners; i++, listener += strlen(listener) + 1)
        (void)fprintf(to, "listening on %s\n", listener);
    if (fleet->is_stopping)
        (void)fprintf(to, "stopping\n");
    if (strcmp(fleet->reload, "none") != 0)
        (void)fprintf(to, "reload: %s\n", fleet->reload);
    if (fleet->reload_waits)
        (void)fprintf(to, "another reload is waiting\n");
}

static void show_requests(FILE *to, const struct cv_sum *sum)
{
    (void)fprintf(to, "requests since the start:");
    for (unsigned i = CV_METRICS_CLASSES; i-- > 0;)
        if (sum->requests[i] > 0 || i == CV_METRICS_2XX)
            (void)fprintf(to, " %s %llu,", cv_sum_class_name(i),
                          (unsigned long long)sum->requests[i]);
    (void)fprintf(to, " latency p50 %.3g ms, p90 %.3g ms, p99 %.3g ms\n",
                  cv_sum_quantile(&sum->latency, 0.5) / 1e6,
                  cv_sum_quantile(&sum->latency, 0.9) / 1e6,
                  cv_sum_quantile(&sum->latency, 0.99) / 1e6);
}

/* Only what there has been. */
static void show_not_done(FILE *to, const struct cv_sum *sum)
{
    const char *before = "not done: ";
    for (unsigned i = 0; i < CV_REFUSED_COUNT; i++) {
        if (sum->refused[i] == 0)
            continue;
        (void)fprintf(to, "%s%s %llu", before, cv_sum_refused_name(i),
                      (unsigned long long)sum->refused[i]);
        before = ", ";
    }
    if (before[0] == ',')
        (void)fprintf(to, "\n");
}

void cv_ctl_show(FILE *to, const struct cv_ctl_status *status)
{
    show_fleet(to, status);
    if (status->counts != NULL) {
        show_requests(to, &status->total);
        show_not_done(to, &status->total);
    }
    (void)fprintf(to, "\n%-12s %8s  %-9s %4s %7s %6s %10s %8s %8s  %s\n", "WHO", "PID", "STATE",
                  "GEN", "UP", "CONNS", "REQUESTS", "RESTARTS", "FAILURES", "LAST END");
    for (size_t i = 0; i < status->n; i++) {
        const struct cv_control_slot *slot = &status->slots[i];
        (void)fprintf(to, "%-12s %8d  %-9s %4u %7s %6u %10llu %8u %8u  %s\n", slot->who,
                      (int)slot->pid, slot->state, slot->generation,
                      slot->pid != 0 ? cv_ctl_time(slot->uptime_ms).text : "-", slot->connections,
                      (unsigned long long)slot->requests, restarts(slot), slot->failures,
                      slot->has_exit ? cv_words_exit(slot->exit).text : "-");
        if (slot->says[0] != '\0')
            (void)fprintf(to, "%-12s \"%s\"\n", "", slot->says);
    }
}

/* ---- For programs ---- */

static json_t *slot_to_json(const struct cv_control_slot *slot)
{
    bool is_worker = slot->kind == CV_KIND_WORKER;
    json_t *last = slot->has_exit ? json_string(cv_words_exit(slot->exit).text) : json_null();
    return json_pack(
        "{s:s, s:s, s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "role", role_of(slot),
        "name", slot->who, "slot", is_worker ? json_integer(slot->slot) : json_null(), "pid",
        (json_int_t)slot->pid, "state", slot->state, "generation", (json_int_t)slot->generation,
        "uptime_ms", (json_int_t)slot->uptime_ms, "connections", (json_int_t)slot->connections,
        "requests", (json_int_t)slot->requests, "restarts", (json_int_t)restarts(slot), "failures",
        (json_int_t)slot->failures, "last_exit", last, "says",
        slot->says[0] != '\0' ? json_string_nocheck(slot->says) : json_null());
}

static json_t *listeners_to_json(const struct cv_ctl_status *status)
{
    json_t *list = json_array();
    const char *listener = status->listeners;
    for (uint32_t i = 0; i < status->fleet.n_listeners; i++, listener += strlen(listener) + 1)
        (void)json_array_append_new(list, json_string(listener));
    return list;
}

static json_t *slots_to_json(const struct cv_ctl_status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < status->n; i++)
        (void)json_array_append_new(list, slot_to_json(&status->slots[i]));
    return list;
}

int cv_ctl_show_json(FILE *to, const struct cv_ctl_status *status)
{
    const struct cv_control_fleet *fleet = &status->fleet;
    json_t *all = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:b, s:s, s:o, s:o, s:o}", "name",
        fleet->name, "pid", (json_int_t)fleet->guardian, "master", (json_int_t)fleet->master,
        "uptime_ms", (json_int_t)fleet->uptime_ms, "wanted", (json_int_t)fleet->wanted, "ready",
        (json_int_t)fleet->ready, "generation", (json_int_t)fleet->generation, "upgrades",
        (json_int_t)fleet->upgrades, "stopping", fleet->is_stopping != 0, "reload", fleet->reload,
        "reload_waits", fleet->reload_waits != 0, "containment", fleet->containment, "listeners",
        listeners_to_json(status), "workers", slots_to_json(status), "metrics",
        status->counts != NULL ? cv_metrics_json(status) : json_null());
    if (all == NULL)
        return -ENOMEM;
    int rc = json_dumpf(all, to, JSON_INDENT(2));
    json_decref(all);
    (void)fputc('\n', to);
    return rc == 0 ? 0 : -ENOMEM;
}
