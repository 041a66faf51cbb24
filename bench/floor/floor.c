/* The floor: what a request costs a server that does nothing but receive and send. Everything else
 * is measured against it (docs/benchmarks.md).
 *
 *     floor PORT REQUEST BODY [close] [defer] [echo HEAD] [sendfile FILE] [workers N]
 *
 * One process, one epoll, edge-triggered. It knows that a request has REQUEST bytes and counts
 * them; it never looks at one. Its answer is a constant with BODY bytes, and for all that one recv
 * brought there is one send. `close`: a connection per request, read as soon as it is accepted,
 * watched only if there was nothing yet; `defer`: the listener has TCP_DEFER_ACCEPT. `echo`: the
 * body is that of the request, whose head has HEAD bytes. `sendfile`: the body comes from a file
 * that is open (64 KiB: half as dear as sending them from memory). `workers`: as many processes,
 * each with a listener of its own, to which the kernel deals connections out (SO_REUSEPORT). What a
 * real server must do it leaves out: time-outs, limits, memory for what is torn (only counted
 * here), errors (it ends with a word).
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 65536, BATCH = 64, ROOM = 256 * 1024, INPUT = ROOM / 2 };

static struct {
    size_t request, head, body, echo, workers;
    bool close, defer;
    int file;
} opt = {.workers = 1, .file = -1};

static char *answers;    /* BATCH times the answer; with a file only its head */
static size_t answer;    /* bytes of one */
static char input[ROOM]; /* of whoever is being read, from INPUT on: before it there is room for an
                            answer's head */
static struct {
    size_t got;  /* bytes of a torn request */
    size_t left; /* bytes of a file that did not fit into the socket */
} conns[CONNECTIONS];

static void make_answers(void)
{
    char head[256];
    opt.head =
        (size_t)snprintf(head, sizeof(head),
                         "HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 04:39:17 GMT\r\n%s"
                         "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n\r\n",
                         opt.close ? "Connection: close\r\n" : "", opt.body);
    answer = opt.head + (opt.file < 0 ? opt.body : 0);
    answers = malloc(BATCH * answer);
    if (answers == NULL)
        err(1, "no memory");
    for (size_t i = 0; i < BATCH; i++) {
        memcpy(answers + i * answer, head, opt.head);
        memset(answers + i * answer + opt.head, '.', answer - opt.head);
    }
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, seconds = 5;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* what is accepted inherits it */
    if (opt.defer)
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0)
        err(1, "port %d", port);
    return fd;
}

/* Sends what is left of the body, as far as the socket takes it. */
static void send_file(int fd)
{
    off_t at = (off_t)(opt.body - conns[fd].left);
    ssize_t sent = sendfile(fd, opt.file, &at, conns[fd].left);
    if (sent < 0 && errno != EAGAIN)
        err(1, "sendfile");
    conns[fd].left -= sent > 0 ? (size_t)sent : 0;
}

static void respond_with_file(int fd)
{
    if (send(fd, answers, opt.head, MSG_MORE | MSG_NOSIGNAL) != (ssize_t)opt.head)
        err(1, "send");
    conns[fd].left = opt.body;
    send_file(fd);
}

static void respond(int fd, size_t got)
{
    const char *from = answers;
    size_t size = answer, count = 1;
    if (opt.echo > 0) {
        if (got != opt.request)
            errx(1, "a torn request");
        /* The head of the answer goes right before the body, over that of the request. */
        from = memcpy(input + INPUT + opt.echo - opt.head, answers, opt.head);
        size = opt.head + opt.body;
    } else if (got != opt.request) {
        got += conns[fd].got;
        count = got / opt.request;
        conns[fd].got = got % opt.request;
        size *= count;
    }
    if (count > BATCH)
        errx(1, "more than %d requests at once", BATCH);
    if (count > 0 && send(fd, from, size, MSG_NOSIGNAL) != (ssize_t)size)
        err(1, "send");
}

/* False: the connection is closed. */
static bool serve(int fd)
{
    if (conns[fd].left > 0) {
        send_file(fd);
        return true;
    }
    ssize_t got = recv(fd, input + INPUT, ROOM - INPUT, 0);
    if (got < 0 && errno == EAGAIN)
        return true;
    if (got > 0 && opt.file >= 0)
        respond_with_file(fd);
    else if (got > 0)
        respond(fd, (size_t)got);
    if (got <= 0 || opt.close) {
        close(fd);
        return false;
    }
    return true;
}

static void take(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS)
            errx(1, "too many connections");
        memset(&conns[fd], 0, sizeof(conns[fd]));
        struct epoll_event event = {.events = EPOLLIN | EPOLLET | (opt.file >= 0 ? EPOLLOUT : 0),
                                    .data.fd = fd};
        if ((!opt.close || serve(fd)) && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            err(1, "epoll_ctl");
    }
}

static void understand(char **words)
{
    opt.request = strtoul(words[2], NULL, 10);
    opt.body = strtoul(words[3], NULL, 10);
    for (words += 4; *words != NULL; words++) {
        if (strcmp(*words, "close") == 0)
            opt.close = true;
        else if (strcmp(*words, "defer") == 0)
            opt.defer = true;
        else if (strcmp(*words, "echo") == 0 && words[1] != NULL)
            opt.echo = strtoul(*++words, NULL, 10);
        else if (strcmp(*words, "workers") == 0 && words[1] != NULL)
            opt.workers = strtoul(*++words, NULL, 10);
        else if (strcmp(*words, "sendfile") == 0 && words[1] != NULL) {
            if ((opt.file = open(*++words, O_RDONLY)) < 0)
                err(1, "%s", *words);
        } else
            errx(2, "what is '%s'?", *words);
    }
}

/* This process's own listener of those of all workers, which end with the first process. */
static int listen_and_fork(int port)
{
    pid_t first = getpid();
    int listeners[opt.workers];
    for (size_t i = 0; i < opt.workers; i++)
        listeners[i] = listen_on(port);
    size_t own = opt.workers - 1;
    for (size_t i = 0; i + 1 < opt.workers && getpid() == first; i++) {
        pid_t child = fork();
        if (child < 0)
            err(1, "fork");
        if (child > 0)
            continue;
        own = i;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != first)
            errx(1, "the first process has ended");
    }
    return listeners[own];
}

int main(int argc, char **argv)
{
    if (argc < 4)
        errx(2, "usage: floor PORT REQUEST BODY [close] [defer] [echo HEAD] [sendfile FILE] "
                "[workers N]");
    understand(argv);
    make_answers();
    int listener = listen_and_fork((int)strtoul(argv[1], NULL, 10)), epoll = epoll_create1(0);
    struct epoll_event events[BATCH], event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                take(epoll, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
