#include "supervise/crew/crew.h"

#include "supervise/containment/pidns.h"
#include "supervise/process/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define CHILDREN_MAX 4096

int cv_crew_make(struct cv_crew *crew, unsigned capacity, unsigned slots)
{
    *crew = (struct cv_crew){.capacity = capacity,
                             .self = -1,
                             .outer_proc = -1,
                             .slots = {.fd = -1},
                             .oom = {.counter = -1}};
    for (size_t i = 0; i < CV_COUNT(crew->pinned); i++) {
        crew->pinned[i] = (struct cv_pinned){.program = -1, .object = -1};
        crew->pinned_settings[i] = -1;
    }
    crew->members = calloc(slots, sizeof(*crew->members));
    if (crew->members == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < slots; i++) {
        crew->members[i].pidfd = crew->members[i].channel = crew->members[i].region = -1;
        crew->members[i].who = cv_words_who(i, capacity);
    }
    return 0;
}

int cv_crew_new(struct cv_crew *crew, const struct cv_fleet_config *fleet, const char *object)
{
    unsigned slots = cv_fleet_slots(fleet);
    int rc = cv_crew_make(crew, fleet->capacity, slots);
    if (rc == 0)
        rc = cv_program_find(&crew->program, object);
    if (rc < 0)
        return rc;
    crew->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (crew->self < 0)
        return -errno;
    cv_oom_open(&crew->oom);
    return cv_slots_new(&crew->slots, slots);
}

void cv_crew_name(struct cv_crew *crew, unsigned slot, const char *name, unsigned index)
{
    struct cv_member *member = &crew->members[slot];
    (void)snprintf(member->name, sizeof(member->name), "%s", name);
    member->index = index;
    member->who = cv_words_managed(name, index);
}

/* ---- Generations ---- */

struct cv_pinned *cv_crew_find_pinned(struct cv_crew *crew, uint32_t generation)
{
    for (size_t i = 0; i < CV_COUNT(crew->pinned); i++)
        if (crew->pinned[i].program >= 0 && crew->pinned_generation[i] == generation)
            return &crew->pinned[i];
    return NULL;
}

static void unpin(struct cv_crew *crew, size_t at)
{
    cv_program_unpin(&crew->pinned[at]);
    if (crew->pinned_settings[at] >= 0)
        (void)close(crew->pinned_settings[at]);
    crew->pinned_settings[at] = -1;
    memset(&crew->commands[at], 0, sizeof(crew->commands[at]));
}

void cv_crew_keep_commands(struct cv_crew *crew, uint32_t generation,
                           const struct cv_commands *commands)
{
    const struct cv_pinned *pinned = cv_crew_find_pinned(crew, generation);
    if (pinned != NULL)
        crew->commands[pinned - crew->pinned] = *commands;
}

/* Forked workers have their settings from the master. */
static int pin(struct cv_crew *crew, const struct cv_supervise *how, size_t at, char *reason,
               size_t cap)
{
    int rc = cv_program_pin(&crew->program, &crew->pinned[at], reason, cap);
    if (rc < 0 || how->settings == NULL || how->method == CV_START_FORK)
        return rc;
    crew->pinned_settings[at] = cv_snapshot(how->settings, reason, cap);
    if (crew->pinned_settings[at] >= 0)
        return 0;
    rc = crew->pinned_settings[at];
    unpin(crew, at);
    return rc;
}

int cv_crew_pin(struct cv_crew *crew, const struct cv_supervise *how, uint32_t generation,
                char *reason, size_t cap)
{
    bool is_own = generation == 1 || generation == crew->own_generation;
    if (!is_own && how->method == CV_START_FORK && how->object == NULL) {
        (void)snprintf(reason, cap,
                       "workers are forked from the program that runs already, so a new one on "
                       "disk would not be seen; use covey upgrade or --start-method spawn");
        return -ENOTSUP;
    }
    for (size_t i = 0; i < CV_COUNT(crew->pinned); i++) {
        if (crew->pinned[i].program >= 0)
            continue;
        crew->pinned_generation[i] = generation;
        crew->last_reason[0] = '\0';
        return pin(crew, how, i, reason, cap);
    }
    (void)snprintf(reason, cap, "older generations are still running");
    return -EBUSY;
}

void cv_crew_drop(struct cv_crew *crew, uint32_t generation)
{
    const struct cv_pinned *pinned = cv_crew_find_pinned(crew, generation);
    if (pinned != NULL)
        unpin(crew, (size_t)(pinned - crew->pinned));
}

void cv_crew_bury_template(struct cv_crew *crew, struct cv_template *template)
{
    cv_crew_end_cgroup(crew, template->incarnation);
    (void)close(template->channel);
    if (template->pidfd >= 0)
        (void)close(template->pidfd);
    *template = (struct cv_template){0};
}

void cv_crew_forget(struct cv_crew *crew, const struct cv_boot *own)
{
    if (crew->cgroup != NULL)
        cv_cgroup_forget(crew->cgroup);
    cv_oom_close(&crew->oom);
    if (crew->outer_proc >= 0)
        (void)close(crew->outer_proc);
    for (unsigned i = 0; i < crew->slots.count; i++) {
        if (crew->members[i].channel >= 0)
            (void)close(crew->members[i].channel);
        if (crew->members[i].pidfd >= 0)
            (void)close(crew->members[i].pidfd);
        if (crew->members[i].region >= 0 && crew->members[i].region != own->region)
            (void)close(crew->members[i].region);
    }
    for (size_t i = 0; i < CV_COUNT(crew->pinned); i++) {
        if (crew->pinned[i].object == own->object)
            crew->pinned[i].object = -1; /* it is about to be loaded */
        unpin(crew, i);
    }
    if (crew->seating != NULL)
        cv_seating_close(crew->seating, own->listeners, own->n_listeners);
    int state = crew->slots.fd;
    crew->slots.fd = -1;
    cv_slots_done(&crew->slots);
    crew->slots.fd = state; /* the child maps its page from it */
}

/* ---- Life and death ---- */

pid_t cv_crew_shown_pid(const struct cv_crew *crew, int pidfd, pid_t pid)
{
    return crew->outer_proc < 0 || pid == 0 ? pid : cv_pidns_outer(crew->outer_proc, pidfd);
}

int cv_crew_find(const struct cv_crew *crew, pid_t pid)
{
    for (unsigned i = 0; i < crew->slots.count; i++)
        if (crew->members[i].pid == pid)
            return (int)i;
    return -1;
}

static uint64_t signal_bit(int signal)
{
    return UINT64_C(1) << (signal & 63);
}

bool cv_member_was_sent(const struct cv_member *member, int signal)
{
    return (member->signals_sent & signal_bit(signal)) != 0;
}

void cv_member_signal(struct cv_member *member, int signal)
{
    if (member->pid == 0)
        return;
    member->signals_sent |= signal_bit(signal);
    /* Without a pidfd (no descriptor was to be had), or where it fails, the pid is as good: it is
     * our child and not yet reaped. */
    if (member->pidfd < 0 || syscall(SYS_pidfd_send_signal, member->pidfd, signal, NULL, 0) < 0)
        (void)kill(member->pid, signal);
}

void cv_crew_bury(struct cv_crew *crew, unsigned slot, struct cv_fleet_exit exit)
{
    struct cv_member *member = &crew->members[slot];
    if (member->channel >= 0)
        (void)close(member->channel);
    if (member->pidfd >= 0)
        (void)close(member->pidfd);
    member->pidfd = member->channel = -1;
    member->pid = 0;
    cv_crew_give_up_seat(crew, slot);
    member->has_ended = true;
    member->last_exit = exit;
    member->last_exit.by_us = exit.signaled && cv_member_was_sent(member, exit.code);
    if (exit.signaled && exit.code == SIGKILL && !member->last_exit.by_us)
        member->last_exit.oom = cv_oom_judge(&crew->oom, member->oom_count);
    cv_crew_end_cgroup(crew, member->incarnation);
    struct cv_slot_page *page = &crew->slots.pages[slot];
    atomic_store(&page->serving, 0);
    atomic_store(&page->connections, 0);
    atomic_store(&page->requests, 0);
    atomic_store(&page->running_since, 0);
    atomic_store(&page->pid, 0);
    if (member->region >= 0)
        cv_region_clear(member->region, &crew->region_kind);
}

int cv_crew_find_incarnation(const struct cv_crew *crew, uint32_t incarnation)
{
    for (unsigned i = 0; incarnation != 0 && i < crew->slots.count; i++)
        if (crew->members[i].pid != 0 && crew->members[i].incarnation == incarnation)
            return (int)i;
    return -1;
}

static bool is_alive(const struct cv_crew *crew, uint32_t incarnation)
{
    if (incarnation == crew->trial || cv_crew_find_incarnation(crew, incarnation) >= 0)
        return true;
    for (unsigned i = 0; i < crew->slots.count; i++) {
        const struct cv_order *order = &crew->members[i].order;
        if (order->is_sent && order->incarnation == incarnation)
            return true;
    }
    for (size_t i = 0; i < CV_COUNT(crew->templates); i++)
        if (crew->templates[i].pid != 0 && crew->templates[i].incarnation == incarnation)
            return true;
    return false;
}

/* A tagged process that forks while we look is found when it is dead: its death brings us here
 * again. */
void cv_crew_end_strays(struct cv_crew *crew, const struct cv_run *run)
{
    static pid_t children[CHILDREN_MAX];
    int n = cv_strays_list(children, CHILDREN_MAX);
    for (int i = 0; i < n; i++) {
        if (cv_crew_find(crew, children[i]) >= 0)
            continue;
        uint32_t incarnation = cv_strays_incarnation(run, children[i]);
        if (incarnation != 0 && !is_alive(crew, incarnation))
            (void)cv_strays_kill(children[i]);
    }
}

bool cv_crew_is_new_reason(struct cv_crew *crew, struct cv_span reason)
{
    if (reason.len >= sizeof(crew->last_reason))
        reason.len = sizeof(crew->last_reason) - 1;
    bool is_new = !cv_span_eq(reason, cv_span_str(crew->last_reason));
    memcpy(crew->last_reason, reason.at, reason.len);
    crew->last_reason[reason.len] = '\0';
    return is_new;
}
