#include "supervise/process/child.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "supervise/log/logs.h"
#include "supervise/shared/beat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define EXTEND_LEAST_MS 10

static bool is_over(int pidfd)
{
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    int n;
    do
        n = poll(&gone, 1, 0);
    while (n < 0 && errno == EINTR); /* also without a wait, if a handler has to run */
    return n != 0;
}

/* The order matters: a master that dies after the arming kills us, one that died before is seen by
 * the check. */
static int arm(int parent_fd)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    return is_over(parent_fd) ? -ESRCH : 0;
}

static int join(struct cv_child *child)
{
    const struct cv_boot *boot = &child->boot;
    int rc = arm(boot->parent_fd);
    if (rc < 0)
        return rc;
    child->channel = boot->channel;
    child->own_stdout = -1;
    child->extended_until = 0;
    if (boot->role == CV_ROLE_TEMPLATE)
        return 0; /* it has no slot */
    rc = cv_slots_join(&child->slots, boot->state, boot->slots, boot->slot);
    if (rc < 0)
        return rc;
    atomic_store(&child->slots.own->connections, 0);
    atomic_store(&child->slots.own->requests, 0);
    atomic_store(&child->slots.own->running_since, 0);
    atomic_store(&child->slots.own->generation, boot->generation);
    atomic_store(&child->slots.own->pid, (uint32_t)getpid());
    return 0;
}

int cv_child_boot(struct cv_child *ret)
{
    int rc = cv_boot_read(&ret->boot);
    if (rc <= 0)
        return rc;
    const struct cv_boot *boot = &ret->boot;
    cv_fd_set_cloexec(boot->channel, 1);
    cv_fd_set_cloexec(boot->state, 1);
    cv_fd_set_cloexec(boot->parent_fd, 1);
    if (boot->object >= 0)
        cv_fd_set_cloexec(boot->object, 1);
    if (boot->settings >= 0)
        cv_fd_set_cloexec(boot->settings, 1);
    if (boot->access_log >= 0)
        cv_fd_set_cloexec(boot->access_log, 1);
    if (boot->region >= 0)
        cv_fd_set_cloexec(boot->region, 1);
    for (uint32_t i = 0; i < boot->n_listeners; i++)
        cv_fd_set_cloexec(boot->listeners[i], 1);
    rc = join(ret);
    return rc < 0 ? rc : 1;
}

int cv_child_forked(struct cv_child *ret, const struct cv_boot *boot)
{
    ret->boot = *boot;
    return join(ret);
}

struct cv_who cv_child_who(const struct cv_boot *boot)
{
    switch ((enum cv_role)boot->role) {
    case CV_ROLE_WORKER: return cv_words_who(boot->slot, UINT32_MAX);
    case CV_ROLE_MAIN: break;
    case CV_ROLE_PROCESS: return cv_words_managed(boot->name, boot->index);
    case CV_ROLE_TEMPLATE: return (struct cv_who){"template"};
    }
    return cv_words_who(boot->slot, boot->slot);
}

int cv_child_become(const struct cv_child *child, const struct cv_privilege *privilege)
{
    int rc = cv_privilege_drop(privilege);
    return rc < 0 ? rc : arm(child->boot.parent_fd);
}

static void nothing(int signal)
{
    (void)signal;
}

static void handle_with(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal, &action, NULL);
}

static void handle(int signal, void (*handler)(int))
{
    handle_with(signal, handler, SA_RESTART);
}

void cv_child_signals(void)
{
    handle(SIGINT, nothing);
    handle(SIGHUP, nothing);
    handle(SIGQUIT, nothing);
    handle(SIGPIPE, nothing);
    handle(SIGXFSZ, nothing); /* write() says EFBIG */
    handle(SIGTERM, SIG_DFL);
    /* A handler would not do here: the kernel would restart the terminal call for ever. */
    handle(SIGTTIN, SIG_IGN);
    handle(SIGTTOU, SIG_IGN);
}

static uint64_t nofile;

static void restore_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = nofile;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

void cv_child_restore_limit_in_forks(const struct cv_child *child)
{
    nofile = child->boot.nofile;
    if (nofile != 0)
        (void)pthread_atfork(NULL, NULL, restore_limit);
}

static int term_fd = -1;
static volatile sig_atomic_t has_term;

static void note_term(int signal)
{
    (void)signal;
    int saved = errno;
    has_term = 1;
    (void)eventfd_write(term_fd, 1);
    errno = saved;
}

bool cv_child_has_term(void)
{
    return has_term != 0;
}

int cv_child_catch_term(bool interrupts, int *ret_fd)
{
    CV_ASSERT(term_fd < 0);
    term_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (term_fd < 0)
        return -errno;
    handle_with(SIGTERM, note_term, interrupts ? 0 : SA_RESTART);
    *ret_fd = term_fd;
    return 0;
}

void cv_child_ignore_term(void)
{
    handle(SIGTERM, nothing);
}

int cv_child_hello(struct cv_child *child, uint32_t abi, struct cv_span manifest)
{
    static struct cv_message hello;
    if (manifest.len > sizeof(hello.body))
        return -EMSGSIZE;
    int death = 0;
    if (prctl(PR_GET_PDEATHSIG, &death) < 0)
        return -errno;
    hello.kind = CV_MSG_HELLO;
    hello.word[0] = abi;
    hello.word[1] = CV_BOOT_LAYOUT;
    hello.word[2] = (uint32_t)death;
    hello.body_len = (uint32_t)manifest.len;
    if (manifest.len > 0)
        memcpy(hello.body, manifest.at, manifest.len);
    return cv_channel_send(child->channel, &hello);
}

int cv_child_wait_go(struct cv_child *child)
{
    static struct cv_message message;
    for (;;) {
        struct pollfd ready = {.fd = child->channel, .events = POLLIN};
        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            return -errno;
        int rc = cv_child_hear(child, &message);
        if (rc == -EAGAIN)
            continue;
        if (rc <= 0)
            return -EPIPE;
        if (message.kind == CV_MSG_GO)
            return 0;
        if (message.kind == CV_MSG_DRAIN)
            return -ECANCELED;
    }
}

void cv_child_tell(struct cv_child *child, enum cv_message_kind kind)
{
    cv_channel_tell(child->channel, kind, 0, 0);
}

static void send_text(const struct cv_child *child, enum cv_message_kind kind, int code,
                      const char *text)
{
    static struct cv_message message;
    message.kind = kind;
    message.word[0] = (uint32_t)code;
    int len = snprintf(message.body, sizeof(message.body), "%s", text);
    message.body_len = len < (int)sizeof(message.body) ? (uint32_t)len : sizeof(message.body) - 1;
    cv_channel_send(child->channel, &message);
}

void cv_child_failed(struct cv_child *child, int code, const char *reason)
{
    send_text(child, CV_MSG_FAILED, code, reason);
}

void cv_child_doing(struct cv_child *child, const char *what)
{
    send_text(child, CV_MSG_STATUS, 0, what);
}

/* An app that reports each row it loads is not to flood the channel: what would move the deadline
 * on by next to nothing is not sent. */
void cv_child_extend(struct cv_child *child, int64_t ms)
{
    ms = ms < UINT32_MAX ? ms : UINT32_MAX;
    int64_t until = cv_clock_ns() / CV_MS + ms;
    if (until - child->extended_until < EXTEND_LEAST_MS)
        return;
    child->extended_until = until;
    cv_channel_tell(child->channel, CV_MSG_EXTEND, (uint32_t)ms, 0);
}

void cv_child_beat(struct cv_child *child, int64_t running_since)
{
    if (cv_beat_write(&child->slots.own->running_since, &child->slots.seen->looking, running_since))
        cv_channel_tell(child->channel, CV_MSG_BEAT, 0, 0);
}

/* One that may have no more descriptors writes on to the old files, and the master knows. */
static void take_logs(const struct cv_child *child, const struct cv_message *message,
                      const struct cv_files *came)
{
    struct cv_log_files files;
    const struct cv_logs logs = {.access_fd = child->boot.access_log};
    bool have_come = cv_logs_received(message, came, &files);
    bool follows = cv_logs_replace(&logs, &files);
    if (follows && child->own_stdout >= 0) {
        CV_AUTOCLOSE int own = cv_log_reopen(STDOUT_FILENO);
        if (own >= 0)
            (void)dup3(own, child->own_stdout, O_CLOEXEC);
    }
    struct cv_message answer = {.kind = CV_MSG_REOPENED,
                                .word = {message->word[0], have_come ? 0 : 1}};
    cv_channel_send(child->channel, &answer);
}

int cv_child_hear_files(struct cv_child *child, struct cv_message *ret, struct cv_files *ret_files)
{
    int rc = cv_channel_receive_files(child->channel, ret, ret_files);
    if (rc != 1 || ret->kind != CV_MSG_LOGS)
        return rc;
    take_logs(child, ret, ret_files);
    ret_files->n = 0;
    return rc;
}

int cv_child_hear(struct cv_child *child, struct cv_message *ret)
{
    struct cv_files came;
    return cv_child_hear_files(child, ret, &came);
}
