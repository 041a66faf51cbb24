/* What master and worker (and guardian and master) say to each other: one SEQPACKET datagram a
 * message, of a fixed form, length-checked. What a worker has sent is hostile data.
 */
#ifndef CV_SUPERVISE_CHANNEL_H
#define CV_SUPERVISE_CHANNEL_H

#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum cv_message_kind {
    /* worker -> master */
    CV_MSG_HELLO =
        1, /* word[0]: ABI, word[1]: layout, word[2]: parent-death signal; body: manifest */
    CV_MSG_READY,
    CV_MSG_DRAINED,
    CV_MSG_LEAVING,  /* somebody sent it TERM: it drains by itself and wants to be replaced */
    CV_MSG_FAILED,   /* word[0]: the exit code that follows; body: why, as text */
    CV_MSG_EXTEND,   /* word[0]: ms more to start */
    CV_MSG_STATUS,   /* body: what it is doing that may take long, as text; empty: nothing */
    CV_MSG_BEAT,     /* it runs on while nobody looks (beat.h) */
    CV_MSG_SPENT,    /* it has served for long enough and wants a successor */
    CV_MSG_REOPENED, /* word[0]: as of LOGS; word[1]: 1 if it has no descriptor left for the files.
                        The guardian's answer too */
    /* master -> worker */
    CV_MSG_GO = 32,
    CV_MSG_DRAIN, /* word[0]: enum cv_drain_word; time: until when, CLOCK_MONOTONIC ns */
    CV_MSG_LOOK,  /* a worker has died: a connection may wait that had woken it alone */
    /* master -> template; along with it: the sealed boot, the channel, the listeners */
    CV_MSG_MAKE = 48, /* word[0]: slot, word[1]: incarnation */
    /* template -> master */
    CV_MSG_MADE, /* word[0], word[1]: as asked; word[2]: pid, or word[3]: error */
    /* guardian -> master */
    CV_MSG_STOP = 64, /* word[0]: enum cv_fleet_stop */
    CV_MSG_RELOAD,
    CV_MSG_SCALE,  /* word[0]: 1 more, 0 fewer */
    CV_MSG_PING,   /* to be answered by PONG: does the master's loop run? */
    CV_MSG_REOPEN, /* the log files */
    CV_MSG_UPGRADE,
    /* master -> guardian */
    CV_MSG_NEWS = 96, /* word[0]: enum cv_news, word[1]: its value; time: when it happened */
    CV_MSG_PONG,
    CV_MSG_UPGRADED, /* the master runs another program now; word[0]: 1 + the number of its
                        descriptor of the file of settings, 0: none */
    /* master -> worker, master -> guardian */
    CV_MSG_LOGS = 112, /* the log files, opened anew: see logs.h; word[0]: the how-manieth time */
};

/* How it is to go. */
enum cv_drain_word {
    CV_DRAIN_WORD_STOP,    /* with everything */
    CV_DRAIN_WORD_RETIRE,  /* alone: others go on serving */
    CV_DRAIN_WORD_FOREWARN /* not yet: it serves on, and says that it will go */
};

#define CV_MESSAGE_BODY_MAX 32768

struct cv_message {
    uint32_t kind;
    uint32_t body_len;
    uint32_t word[4];
    int64_t time;
    char body[CV_MESSAGE_BODY_MAX];
};

/* Descriptors that go along with a message. */
#define CV_CHANNEL_FILES_MAX 72
struct cv_files {
    unsigned n;
    int fd[CV_CHANNEL_FILES_MAX]; /* -1 from n on, when received */
};

/* A connected pair, close-on-exec and non-blocking. 0 or -errno. */
CV_MUST_CHECK int cv_channel_pair(int ret_fds[2]);

/* Sends one message; `message->body` is used up to body_len. 0, -EAGAIN (the other side does not
 * read), -errno. */
int cv_channel_send(int fd, const struct cv_message *message);

/* The same with descriptors along, which stay the caller's. Also -ETOOMANYREFS: too many are on
 * their way. */
CV_MUST_CHECK int cv_channel_send_files(int fd, const struct cv_message *message,
                                        const struct cv_files *files);

/* A message without a body. */
int cv_channel_tell(int fd, enum cv_message_kind kind, uint32_t word, int64_t time);

/* Receives one message. 1: *ret is valid; 0: the other side has closed; -EAGAIN: nothing there, or
 * no memory for it now; -EBADMSG: not of the form above; -errno. Descriptors that come along are
 * dropped. */
CV_MUST_CHECK int cv_channel_receive(int fd, struct cv_message *ret);

/* The same from one who is trusted, with the descriptors that come along: close-on-exec, now the
 * caller's, and fewer than were sent if this process may have no more. */
CV_MUST_CHECK int cv_channel_receive_files(int fd, struct cv_message *ret,
                                           struct cv_files *ret_files);

#endif
