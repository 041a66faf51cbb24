#include "supervise/crew/foreign.h"

#include "base/which.h"
#include "supervise/notify/hearing.h"
#include "supervise/process/foreign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Commands of managed processes ---- */

/* NULL: the slot runs the app itself. */
static const struct cv_command *command_of(const struct cv_crew *crew, unsigned slot, size_t at)
{
    const struct cv_commands *commands = &crew->commands[at];
    for (size_t i = 0; slot > crew->capacity && i < CV_COUNT(commands->of); i++)
        if (commands->of[i].n > 0 && strcmp(commands->of[i].name, crew->members[slot].name) == 0)
            return &commands->of[i];
    return NULL;
}

static char **split(const struct cv_commands *commands, const struct cv_command *command)
{
    char **argv = calloc((size_t)command->n + 1, sizeof(*argv));
    const char *at = commands->bytes + command->at;
    for (size_t i = 0; argv != NULL && i < command->n; i++) {
        argv[i] = (char *)(uintptr_t)at;
        at += strlen(at) + 1;
    }
    return argv;
}

static int start_command(const struct cv_crew *crew, const struct cv_supervise *how,
                         const struct cv_boot *boot, int door, const struct cv_commands *commands,
                         const struct cv_command *command)
{
    char path[PATH_MAX];
    char entry[sizeof(CV_TAG_VARIABLE) + CV_TAG_BYTES];
    int rc = cv_which(commands->bytes + command->at, path);
    if (rc < 0)
        return rc;
    (void)snprintf(entry, sizeof(entry), CV_TAG_VARIABLE "=%s", boot->tag);
    CV_AUTOFREE char **argv = split(commands, command);
    CV_AUTOFREE char **envp = cv_foreign_environment((char *[]){entry, NULL});
    if (argv == NULL || envp == NULL)
        return -ENOMEM;
    struct cv_foreign foreign = {.program = -1,
                                 .path = path,
                                 .argv = argv,
                                 .envp = envp,
                                 .user = how->user,
                                 .nofile = crew->nofile,
                                 .door = door};
    return cv_foreign_start(&foreign);
}

/* ---- Workers of `covey run -- COMMAND` ---- */

/* What a foreign worker has in its environment. */
struct foreign_env {
    char tag[sizeof(CV_TAG_VARIABLE) + CV_TAG_BYTES];
    char fds[24];
    char pid[sizeof("LISTEN_PID=") + CV_FOREIGN_PID_BYTES];
    char names[sizeof("LISTEN_FDNAMES=") + CV_BOOT_LISTENERS_MAX * sizeof("listener64")];
    char notify[sizeof("NOTIFY_SOCKET=") + sizeof(struct cv_hearing_name)];
    char watchdog[48];
    char *entry[8];
};

static void describe_environment(const struct cv_supervise *how, const struct cv_run *run,
                                 const struct cv_boot *boot, struct foreign_env *env)
{
    struct cv_hearing_name name = cv_hearing_name(run);
    size_t n = 0;
    *env = (struct foreign_env){.pid = "LISTEN_PID=", .names = "LISTEN_FDNAMES="};
    (void)snprintf(env->tag, sizeof(env->tag), CV_TAG_VARIABLE "=%s", boot->tag);
    (void)snprintf(env->fds, sizeof(env->fds), "LISTEN_FDS=%u", boot->n_listeners);
    (void)snprintf(env->notify, sizeof(env->notify), "NOTIFY_SOCKET=%s", name.text);
    (void)snprintf(env->watchdog, sizeof(env->watchdog), "WATCHDOG_USEC=%lld",
                   (long long)(how->fleet.pause_timeout / 1000));
    char *at = env->names + strlen(env->names);
    for (uint32_t i = 0; i < boot->n_listeners; i++)
        at += snprintf(at, sizeof("listener64") + 1, "%slistener%u", i > 0 ? ":" : "", i);
    env->entry[n++] = env->tag;
    env->entry[n++] = env->fds;
    env->entry[n++] = env->pid;
    env->entry[n++] = env->names;
    env->entry[n++] = env->notify;
    if (how->foreign->notify)
        env->entry[n++] = env->watchdog;
}

static int start_worker(const struct cv_crew *crew, const struct cv_supervise *how,
                        const struct cv_run *run, const struct cv_pinned *pinned,
                        const struct cv_boot *boot, int door)
{
    struct foreign_env env;
    describe_environment(how, run, boot, &env);
    CV_AUTOFREE char **envp = cv_foreign_environment(env.entry);
    if (envp == NULL)
        return -ENOMEM;
    struct cv_foreign foreign = {.program = pinned->is_script ? -1 : pinned->program,
                                 .path = crew->program.path,
                                 .argv = how->foreign->argv,
                                 .envp = envp,
                                 .pid_text = env.pid + sizeof("LISTEN_PID=") - 1,
                                 .listeners = boot->listeners,
                                 .n_listeners = (int)boot->n_listeners,
                                 .user = how->user,
                                 .nofile = crew->nofile,
                                 .door = door};
    return cv_foreign_start(&foreign);
}

/* ---- Both ---- */

bool cv_crew_is_foreign(const struct cv_crew *crew, const struct cv_supervise *how, unsigned slot,
                        size_t at)
{
    return how->foreign != NULL || command_of(crew, slot, at) != NULL;
}

pid_t cv_crew_start_foreign(const struct cv_crew *crew, const struct cv_supervise *how,
                            const struct cv_run *run, unsigned slot, size_t at,
                            const struct cv_boot *boot, int door)
{
    const struct cv_command *command = command_of(crew, slot, at);
    if (command != NULL)
        return start_command(crew, how, boot, door, &crew->commands[at], command);
    return start_worker(crew, how, run, &crew->pinned[at], boot, door);
}
