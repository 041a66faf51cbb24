/* How the processes behind the slots are made. See crew.h. */
#include "supervise/crew/crew.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervise/crew/foreign.h"
#include "supervise/process/spawn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

void cv_crew_end_cgroup(const struct cv_crew *crew, uint32_t incarnation)
{
    if (crew->cgroup != NULL)
        cv_cgroup_bury(crew->cgroup, incarnation);
}

static void fill_boot(const struct cv_crew *crew, unsigned slot, struct cv_boot *boot)
{
    cv_boot_init(boot);
    boot->parent = getpid();
    boot->role = slot < crew->capacity    ? CV_ROLE_WORKER
                 : slot == crew->capacity ? CV_ROLE_MAIN
                                          : CV_ROLE_PROCESS;
    boot->slot = slot;
    memcpy(boot->name, crew->members[slot].name, sizeof(boot->name));
    boot->index = crew->members[slot].index;
    boot->slots = crew->slots.count;
    boot->state = crew->slots.fd;
    boot->parent_fd = crew->self;
    boot->nofile = crew->nofile;
}

static void give_listeners(struct cv_crew *crew, const struct cv_supervise *how, int instead_of,
                           struct cv_boot *boot)
{
    bool is_worker = boot->role == CV_ROLE_WORKER;
    if (is_worker && crew->seating != NULL) {
        boot->n_listeners = cv_seating_take(crew->seating, boot->slot, instead_of, boot->listeners);
        return;
    }
    if (!is_worker && boot->role != CV_ROLE_PROCESS)
        return;
    for (int i = 0; i < how->listeners->n; i++)
        if (strcmp(how->listeners->item[i].owner, boot->name) == 0) /* "": of the workers */
            boot->listeners[boot->n_listeners++] = how->listeners->item[i].fd;
}

void cv_crew_give_up_seat(struct cv_crew *crew, unsigned slot)
{
    if (crew->seating != NULL && slot < crew->capacity)
        cv_seats_leave(&crew->seating->seats, slot);
}

/* 0 or -errno. */
static int give_region(struct cv_crew *crew, struct cv_boot *boot)
{
    struct cv_member *member = &crew->members[boot->slot];
    if (boot->role != CV_ROLE_WORKER || crew->region_kind.bytes == 0)
        return 0;
    if (member->region < 0)
        member->region = cv_region_new(&crew->region_kind);
    boot->region = member->region;
    boot->region_layout = crew->region_kind.layout;
    return member->region < 0 ? member->region : 0;
}

static void note_slot_used(struct cv_crew *crew, unsigned slot)
{
    uint32_t used = atomic_load(&crew->slots.head->slots_used);
    if (slot < crew->capacity && slot + 1 > used)
        atomic_store(&crew->slots.head->slots_used, slot + 1);
}

static void born(struct cv_crew *crew, unsigned slot, pid_t pid, uint32_t generation,
                 uint32_t incarnation)
{
    struct cv_member *member = &crew->members[slot];
    member->pid = pid;
    member->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    CV_ASSERT(member->pidfd >= 0 || errno == EMFILE || errno == ENFILE || errno == ENOMEM);
    member->incarnation = incarnation;
    member->generation = generation;
    member->is_foreign = false;
    member->leaves = false;
    member->settles_at = 0;
    member->status[0] = '\0';
    member->is_refused = false;
    member->is_unheard = false;
    member->counted_since = 0;
    member->is_paused = false;
    member->resumed_at = 0;
    member->logs = crew->logs;
    member->keeps_logs = false;
    member->signals_sent = 0;
    member->started_at = cv_clock_ns();
    member->starts++;
}

int cv_crew_open_door(struct cv_crew *crew)
{
    if (crew->cgroup == NULL || crew->cgroup->run < 0)
        return -1;
    int door = cv_cgroup_new(crew->cgroup, crew->incarnations);
    if (door < 0)
        cv_warn("a process runs outside a cgroup of its own: none can be made (%s)",
                strerror(-door));
    return door < 0 ? -1 : door;
}

static int spawn_foreign(struct cv_crew *crew, const struct cv_supervise *how,
                         const struct cv_run *run, unsigned slot, size_t at,
                         const struct cv_boot *boot)
{
    CV_AUTOCLOSE int door = cv_crew_open_door(crew);
    pid_t pid = cv_crew_start_foreign(crew, how, run, slot, at, boot, door);
    if (pid < 0) {
        cv_crew_give_up_seat(crew, slot);
        cv_crew_end_cgroup(crew, crew->incarnations);
        return pid;
    }
    born(crew, slot, pid, boot->generation, crew->incarnations);
    crew->members[slot].is_foreign = true;
    return 0;
}

/* Everything that the process of a slot is told; its end of the channel is in *ret_boot, ours is
 * *ret_ours (NULL: there is none). 0 or -errno. */
static int prepare(struct cv_crew *crew, const struct cv_supervise *how, const struct cv_run *run,
                   unsigned slot, const struct cv_pinned *pinned, int instead_of,
                   struct cv_boot *ret_boot, int *ret_ours)
{
    int pair[2] = {-1, -1};
    fill_boot(crew, slot, ret_boot);
    int rc = give_region(crew, ret_boot);
    if (rc == 0 && ret_ours != NULL)
        rc = cv_channel_pair(pair);
    if (rc < 0)
        return rc;
    size_t at = (size_t)(pinned - crew->pinned);
    give_listeners(crew, how, instead_of, ret_boot);
    ret_boot->generation = crew->pinned_generation[at];
    ret_boot->channel = pair[1];
    ret_boot->access_log = how->logs->access_fd;
    ret_boot->object = pinned->object;
    ret_boot->settings = crew->pinned_settings[at];
    cv_run_tag(run, ++crew->incarnations, ret_boot->tag);
    note_slot_used(crew, slot);
    if (ret_ours != NULL)
        *ret_ours = pair[0];
    return 0;
}

int cv_crew_spawn(struct cv_crew *crew, const struct cv_supervise *how, const struct cv_run *run,
                  unsigned slot, uint32_t generation, int instead_of, struct cv_boot *ret_boot)
{
    struct cv_member *member = &crew->members[slot];
    const struct cv_pinned *pinned = cv_crew_find_pinned(crew, generation);
    CV_ASSERT(pinned != NULL && member->pid == 0);
    size_t at = (size_t)(pinned - crew->pinned);
    member->oom_count = cv_oom_count(&crew->oom);
    CV_AUTOCLOSE int ours = -1;
    bool is_foreign = cv_crew_is_foreign(crew, how, slot, at);
    int rc = prepare(crew, how, run, slot, pinned, instead_of, ret_boot, is_foreign ? NULL : &ours);
    if (rc < 0)
        return rc;
    if (is_foreign)
        return spawn_foreign(crew, how, run, slot, at, ret_boot);
    CV_AUTOCLOSE int theirs = ret_boot->channel;
    CV_AUTOCLOSE int door = cv_crew_open_door(crew);
    pid_t pid = how->method == CV_START_FORK ? cv_spawn_fork(door)
                                             : cv_spawn_exec(pinned, ret_boot, how->argv, door);
    if (pid == 0) {
        (void)cv_take_fd(&theirs);
        return CV_CREW_IN_CHILD;
    }
    if (pid < 0) {
        cv_crew_give_up_seat(crew, slot);
        cv_crew_end_cgroup(crew, crew->incarnations);
        return pid;
    }
    born(crew, slot, pid, generation, crew->incarnations);
    member->channel = cv_take_fd(&ours);
    return 0;
}

/* ---- Birth from a template ---- */

int cv_crew_start_template(struct cv_crew *crew, const struct cv_supervise *how,
                           const struct cv_run *run, uint32_t generation, struct cv_template **ret)
{
    const struct cv_pinned *pinned = cv_crew_find_pinned(crew, generation);
    CV_ASSERT(pinned != NULL);
    size_t at = (size_t)(pinned - crew->pinned);
    struct cv_template *template = &crew->templates[at];
    CV_ASSERT(template->pid == 0);

    int pair[2];
    int rc = cv_channel_pair(pair);
    if (rc < 0)
        return rc;
    CV_AUTOCLOSE int ours = pair[0];
    CV_AUTOCLOSE int theirs = pair[1];
    struct cv_boot boot;
    fill_boot(crew, 0, &boot);
    boot.role = CV_ROLE_TEMPLATE;
    boot.generation = generation;
    boot.channel = theirs;
    boot.object = pinned->object;
    boot.settings = crew->pinned_settings[at];
    boot.access_log = how->logs->access_fd;
    cv_run_tag(run, ++crew->incarnations, boot.tag);
    CV_AUTOCLOSE int door = cv_crew_open_door(crew);
    pid_t pid = cv_spawn_exec(pinned, &boot, how->argv, door);
    if (pid < 0) {
        cv_crew_end_cgroup(crew, crew->incarnations);
        return pid;
    }
    *template = (struct cv_template){.pid = pid,
                                     .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
                                     .channel = cv_take_fd(&ours),
                                     .generation = generation,
                                     .incarnation = crew->incarnations,
                                     .started_at = cv_clock_ns()};
    *ret = template;
    return 0;
}

int cv_crew_order(struct cv_crew *crew, const struct cv_supervise *how, const struct cv_run *run,
                  unsigned slot, int instead_of, struct cv_template *template)
{
    struct cv_order *order = &crew->members[slot].order;
    const struct cv_pinned *pinned = cv_crew_find_pinned(crew, template->generation);
    CV_ASSERT(pinned != NULL && crew->members[slot].pid == 0 && !order->is_sent);

    struct cv_boot boot;
    CV_AUTOCLOSE int ours = -1;
    int rc = prepare(crew, how, run, slot, pinned, instead_of, &boot, &ours);
    if (rc < 0)
        return rc;
    CV_AUTOCLOSE int theirs = boot.channel;
    CV_AUTOCLOSE int door = cv_crew_open_door(crew);
    crew->members[slot].oom_count = cv_oom_count(&crew->oom);
    rc = cv_template_ask(template, &boot, slot, crew->incarnations, door);
    if (rc < 0) {
        cv_crew_give_up_seat(crew, slot);
        cv_crew_end_cgroup(crew, crew->incarnations);
        return rc;
    }
    order->is_sent = true;
    order->channel = cv_take_fd(&ours);
    order->incarnation = crew->incarnations;
    order->logs = crew->logs;
    return 0;
}

/* A template's word is not enough: the pid must be that of a child of ours that is nobody else. */
static bool is_new_child(const struct cv_crew *crew, pid_t pid)
{
    siginfo_t info;
    if (pid <= 0 || cv_crew_find(crew, pid) >= 0)
        return false;
    for (size_t i = 0; i < CV_COUNT(crew->templates); i++)
        if (crew->templates[i].pid == pid)
            return false;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int cv_crew_delivered(struct cv_crew *crew, unsigned slot, pid_t pid)
{
    struct cv_order order = crew->members[slot].order;
    if (!is_new_child(crew, pid))
        return -ESRCH;
    crew->members[slot].order = (struct cv_order){0};
    born(crew, slot, pid, order.generation, order.incarnation);
    crew->members[slot].channel = order.channel;
    crew->members[slot].logs = order.logs;
    return 0;
}

void cv_crew_withdraw(struct cv_crew *crew, unsigned slot)
{
    struct cv_order *order = &crew->members[slot].order;
    if (order->is_sent) {
        (void)close(order->channel);
        cv_crew_give_up_seat(crew, slot);
        cv_crew_end_cgroup(crew, order->incarnation);
    }
    *order = (struct cv_order){0};
}
