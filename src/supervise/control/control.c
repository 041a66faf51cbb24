#include "supervise/control/control.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define LISTENER_KEY UINT64_MAX

/* At once, so that a flood of clients keeps the master from nothing. */
#define EVENTS_MAX 16
#define ARRIVALS_MAX 64

/* So long a client waits that there is no descriptor for. */
#define SHORTAGE_PAUSE (100 * CV_MS)

static int watch(const struct cv_control *control, int fd, uint32_t events, uint64_t key)
{
    struct epoll_event event = {.events = events, .data.u64 = key};
    return epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int open_epoll(struct cv_control *control, int listener)
{
    control->epoll = -1;
    control->listener = listener;
    control->accept_at = CV_NEVER;
    if (listener < 0)
        return 0;
    control->epoll = epoll_create1(EPOLL_CLOEXEC);
    int rc =
        control->epoll >= 0 ? watch(control, listener, EPOLLIN | EPOLLET, LISTENER_KEY) : -errno;
    if (rc < 0)
        cv_control_done(control);
    return rc;
}

int64_t cv_control_deadline(const struct cv_control *control)
{
    return control->accept_at;
}

int cv_control_start(struct cv_control *control, int listener)
{
    *control = (struct cv_control){0};
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++)
        control->client[i].fd = -1;
    return open_epoll(control, listener);
}

static void forget(struct cv_control_client *client)
{
    if (client->fd >= 0)
        (void)close(client->fd);
    *client = (struct cv_control_client){.fd = -1};
}

/* A child that was forked a moment ago may still have the connection: closing it alone would not
 * end the events. */
void cv_control_drop(struct cv_control_client *client)
{
    if (client->fd >= 0)
        (void)epoll_ctl(client->epoll, EPOLL_CTL_DEL, client->fd, NULL);
    forget(client);
}

int cv_control_resume(struct cv_control *control, int listener)
{
    int rc = open_epoll(control, listener);
    for (unsigned i = 0; i < CV_CONTROL_CLIENTS; i++) {
        struct cv_control_client *client = &control->client[i];
        client->epoll = control->epoll;
        if (client->fd >= 0 && (rc < 0 || watch(control, client->fd, EPOLLIN, i) < 0))
            cv_control_drop(client);
    }
    return rc;
}

void cv_control_done(struct cv_control *control)
{
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++)
        forget(&control->client[i]); /* in a child the epoll is the master's */
    if (control->listener >= 0)
        (void)close(control->listener);
    if (control->epoll >= 0)
        (void)close(control->epoll);
    control->epoll = control->listener = -1;
    control->accept_at = CV_NEVER;
}

/* ---- Answers ---- */

void cv_control_answer(struct cv_control_client *client, bool is_done, const char *sentence)
{
    static struct cv_message message;
    cv_control_write_done(&message, is_done, sentence);
    (void)cv_channel_send(client->fd, &message);
    cv_control_drop(client);
}

/* ---- Clients ---- */

static bool is_permitted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* A free place; else that of the client that has been silent for longest. NULL if all of them wait
 * for the end of a command. */
static struct cv_control_client *find_place(struct cv_control *control)
{
    struct cv_control_client *found = NULL;
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
        struct cv_control_client *client = &control->client[i];
        if (client->fd < 0)
            return client;
        if (client->wait.command == 0 && (found == NULL || client->arrival < found->arrival))
            found = client;
    }
    if (found != NULL)
        cv_control_drop(found);
    return found;
}

static void refuse(int fd, const char *sentence)
{
    static struct cv_message message;
    cv_control_write_done(&message, false, sentence);
    (void)cv_channel_send(fd, &message);
}

/* False if there is nobody, or no descriptor for one: then it waits a moment. */
static bool let_in(struct cv_control *control)
{
    CV_AUTOCLOSE int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        control->accept_at = cv_clock_ns() + SHORTAGE_PAUSE;
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR;
    if (!is_permitted(fd)) {
        cv_warn("a command of another user is refused");
        refuse(fd, "only the user who runs the server, and root, may do that");
        return true;
    }
    struct cv_control_client *client = find_place(control);
    if (client == NULL) {
        refuse(fd, "too many commands are waiting for their end");
        return true;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){CV_CONTROL_ANSWER_BYTES}, sizeof(int));
    *client = (struct cv_control_client){
        .fd = -1, .epoll = control->epoll, .arrival = ++control->arrivals};
    if (watch(control, fd, EPOLLIN, (uint64_t)(client - control->client)) == 0)
        client->fd = cv_take_fd(&fd);
    return true;
}

/* The listener tells of each arrival once: one that cannot be let in does not keep the master
 * awake. */
static void let_all_in(struct cv_control *control)
{
    control->accept_at = CV_NEVER;
    for (int i = 0; i < ARRIVALS_MAX; i++)
        if (!let_in(control))
            return;
    control->accept_at = cv_clock_ns(); /* more may be waiting */
}

/* True with a command. One that comes behind another is nonsense too: a connection is for one. */
static bool hear(struct cv_control_client *client, struct cv_control_request *ret)
{
    static struct cv_message message;
    int rc = cv_channel_receive(client->fd, &message);
    if (rc == -EAGAIN)
        return false;
    if (rc == 1 && client->wait.command == 0)
        rc = cv_control_read(ret, &message);
    else if (rc >= 0)
        rc = rc == 0 ? -EPIPE : -EBADMSG;
    if (rc == 0)
        return true;
    if (rc == -EPROTO) {
        cv_control_answer(client, false, "the server is another version of covey than the command");
        return false;
    }
    if (rc != -EPIPE)
        cv_warn("a control client sends nonsense: dropped");
    cv_control_drop(client);
    return false;
}

bool cv_control_next(struct cv_control *control, struct cv_control_request *ret,
                     struct cv_control_client **ret_client)
{
    struct epoll_event event;
    if (control->accept_at <= cv_clock_ns())
        let_all_in(control);
    for (int i = 0; control->epoll >= 0 && i < EVENTS_MAX; i++) {
        if (epoll_wait(control->epoll, &event, 1, 0) != 1)
            return false;
        if (event.data.u64 == LISTENER_KEY) {
            let_all_in(control);
            continue;
        }
        struct cv_control_client *client = &control->client[event.data.u64];
        if (hear(client, ret)) {
            *ret_client = client;
            return true;
        }
    }
    return false;
}
