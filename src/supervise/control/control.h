/* The master's side of the control socket: clients, one command each.
 *
 * At most a handful at once, in a table. Only the server's own user and root are heard. A client
 * that sends nonsense, or does not read what it is told, is dropped; nothing here ever waits.
 */
#ifndef CV_SUPERVISE_CONTROL_H
#define CV_SUPERVISE_CONTROL_H

#include "supervise/control/wait.h"

#define CV_CONTROL_CLIENTS 8

/* What the kernel is asked to hold for a client: the status of a full table, with what a datagram
 * costs beside its bytes. Its usual 208 KiB are less than that of a thousand workers, and a
 * client may be late to read on a busy machine. */
#define CV_CONTROL_ANSWER_BYTES (1 << 20)

struct cv_control_client {
    int fd;    /* -1: free */
    int epoll; /* where it is watched */
    uint64_t arrival;
    struct cv_control_wait wait;
};

struct cv_control {
    int epoll; /* readable when there is something to do; -1: there is no control socket */
    int listener;
    int64_t accept_at; /* there was no descriptor for a client that waits; CV_NEVER: none waits */
    uint64_t arrivals;
    struct cv_control_client client[CV_CONTROL_CLIENTS];
};

/* Takes over `listener` (-1: there is none, and nothing ever happens). 0, or -errno: then it is
 * closed, so that clients are refused. */
CV_MUST_CHECK int cv_control_start(struct cv_control *control, int listener);

/* The same with the clients that stand in the table already, after an upgrade. */
CV_MUST_CHECK int cv_control_resume(struct cv_control *control, int listener);

/* In a forked child, or at the end: closes everything. */
void cv_control_done(struct cv_control *control);

/* When to ask for commands although `epoll` is not readable; CV_NEVER: not. */
int64_t cv_control_deadline(const struct cv_control *control);

/* Lets clients in and hears them: true with the next command and who gave it; false if there is
 * none. A client's `wait` is the caller's to fill in. */
bool cv_control_next(struct cv_control *control, struct cv_control_request *ret,
                     struct cv_control_client **ret_client);

/* Takes leave of a client, who has been told everything on its `fd`, or does not listen. */
void cv_control_drop(struct cv_control_client *client);

/* Gives the result of its command, and takes leave. */
void cv_control_answer(struct cv_control_client *client, bool is_done, const char *sentence);

#endif
