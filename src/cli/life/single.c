/* A single process, which nobody supervises. See inside.h. */
#include "cli/life/inside.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

static int single_fd = -1;

static void note_stop(int signal)
{
    (void)signal;
    int saved = errno;
    (void)eventfd_write(single_fd, 1);
    errno = saved;
}

static void catch_stop(int signal)
{
    struct sigaction action = {.sa_handler = note_stop, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal, &action, NULL);
}

/* Until here INT and TERM have had their default action: a blocked start-up ends at once. */
void cv_life_single_ready(void *arg)
{
    const struct life *life = arg;
    catch_stop(SIGINT);
    catch_stop(SIGTERM);
    for (int i = 0; i < life->open->n; i++)
        cv_info("listening on %s (single process)", life->open->item[i].text);
    const struct cv_process *process = cv_native_first_process(life->native);
    for (; process != NULL; process = process->next)
        cv_warn("managed process %s does not run: a single process has nobody to look after it",
                process->name);
    if (life->conf->text[CV_SET_INSPECT][0] != '\0')
        cv_warn("INSPECT: a single process has no inspector");
    cv_conf_warn_unknown(life->conf);
}

/* Asked again: at once. */
static void on_stop(struct cv_watch *watch, unsigned events)
{
    (void)events;
    struct life *life = CV_CONTAINER_OF(watch, struct life, signals);
    eventfd_t count;
    (void)eventfd_read(watch->fd, &count);
    cv_life_drain(life, CV_DRAIN_STOP, life->is_stopping ? cv_clock_ns() : cv_life_grace(life));
}

static int single(struct life *life, const struct cv_app_source *source)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    int code = cv_life_open(life, source);
    if (code != CV_EXIT_OK)
        return code;
    life->signals.ready = on_stop;
    single_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (single_fd < 0 ||
        cv_loop_add(cv_native_loop(life->native), &life->signals, single_fd, CV_READ) < 0)
        return cv_life_failed(life, CV_EXIT_OS, strerror(errno));
    code = cv_native_serve(life->native);
    return cv_life_failed(life, code, cv_native_reason(life->native));
}

int cv_life_single(struct cv_conf *conf, const struct cv_app_source *source,
                   struct cv_listeners *listeners, const struct cv_logs *logs)
{
    static struct life life;
    life = (struct life){.conf = conf,
                         .open = listeners,
                         .access_log = logs->access_fd,
                         .channel.fd = -1,
                         .signals.fd = -1};
    for (int i = 0; i < listeners->n; i++)
        life.listeners[life.n_listeners++] = listeners->item[i].fd;
    int code = single(&life, source);
    if (life.native != NULL)
        cv_native_close(life.native);
    cv_listen_unlink(listeners);
    return code;
}
