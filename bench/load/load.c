/* The client of the benchmarks: asks one request again and again, as cheaply as it can, so that
 * what is measured is the server. (wrk parses every answer and is saturated before a good server
 * is.)
 *
 *     load PORT CONNECTIONS DEPTH SECONDS FILE [close] [kinds COUNT]
 *
 * FILE has one request, or COUNT of one length, which are asked in turn. Each of the connections
 * sends DEPTH at once and waits for all answers; `close`: a new connection for each request (which
 * must ask for that itself).
 *
 * The first answer is parsed; every other one must be 200 and have the same length. Says `ready`
 * when each connection has been answered once, begins when a line comes on standard input, says
 * what it found as JSON when all that it has asked for is answered, and ends, which closes the
 * connections, when its input ends. Anything that goes wrong ends it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, ROOM = 1 << 20, BUCKETS = 400, MS = 1000000 };

static struct {
    struct sockaddr_in server;
    size_t connections, depth, kinds;
    double seconds;
    bool close;
} opt = {.kinds = 1};

static char *requests; /* one of each kind, and again from the first on as many as go out at once */
static size_t request_size; /* of one */
static size_t next_kind;
static size_t answer_size; /* of one; 0: not known yet */
static char input[ROOM];

static struct conn {
    int fd;
    size_t left;    /* bytes of answers that are still to come */
    uint64_t asked; /* when, ns */
    bool open;      /* with `close`: it is there, and has asked */
} * conns;

static int epoll;
static uint64_t now, until; /* ns; asks nothing more after `until` */
static size_t waiting;      /* connections with an answer to come */
static uint64_t answered;
static uint64_t
    latency[BUCKETS]; /* how many took so long; 20 buckets for a factor of ten, from 1 us on */

static uint64_t clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 * MS + (uint64_t)time.tv_nsec;
}

/* Sends so many, beginning with the kind whose turn it is. */
static void send_requests(int fd, size_t count)
{
    size_t size = request_size * count;
    if (send(fd, requests + next_kind * request_size, size, MSG_NOSIGNAL) != (ssize_t)size)
        err(1, "send");
    next_kind = (next_kind + count) % opt.kinds;
}

static void ask(struct conn *conn)
{
    send_requests(conn->fd, opt.depth);
    conn->left = answer_size * opt.depth;
}

/* `flags`: with SOCK_NONBLOCK it is there when it is writable. */
static void open_connection(struct conn *conn, int flags)
{
    int on = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    if (conn->fd < 0)
        err(1, "socket");
    if (connect(conn->fd, (struct sockaddr *)&opt.server, sizeof(opt.server)) < 0 &&
        errno != EINPROGRESS)
        err(1, "connect");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void watch(struct conn *conn, uint32_t what)
{
    struct epoll_event event = {.events = what | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        err(1, "epoll_ctl");
}

/* One answer, whole; its length. */
static size_t read_first(int fd)
{
    size_t size = 0, whole = 0;
    do {
        ssize_t got = recv(fd, input + size, ROOM - 1 - size, 0);
        if (got <= 0)
            errx(1, "no answer: %s", got < 0 ? strerror(errno) : "closed");
        input[size += (size_t)got] = '\0';
        char *end = strstr(input, "\r\n\r\n"), *length = strcasestr(input, "\r\nContent-Length:");
        if (end != NULL && (length == NULL || length > end))
            errx(1, "an answer without Content-Length: %.*s", (int)(end - input), input);
        if (end != NULL)
            whole = (size_t)(end + 4 - input) + strtoul(length + 17, NULL, 10);
    } while (whole == 0 || size < whole);
    if (size != whole || strncmp(input, "HTTP/1.1 200 ", 13) != 0)
        errx(1, "%zu bytes instead of %zu: %.80s", size, whole, input);
    return whole;
}

/* Asks once on a new connection. */
static void warm_up(struct conn *conn)
{
    open_connection(conn, 0);
    send_requests(conn->fd, 1);
    size_t size = read_first(conn->fd);
    if (answer_size != 0 && answer_size != size)
        errx(1, "an answer has %zu bytes, another %zu", size, answer_size);
    answer_size = size;
}

static void note_latency(uint64_t ns)
{
    size_t bucket = 0;
    for (double limit = 1000; bucket < BUCKETS - 1 && (double)ns > limit;
         limit *= 1.1220184543) /* 10^(1/20) */
        bucket++;
    latency[bucket]++;
}

/* With `close` it asks one turn later, when the connection is there, as every client does that does
 * not block: the server sees the connection first, its request some time later. */
static void begin(struct conn *conn)
{
    if (now >= until) {
        waiting--;
        return;
    }
    conn->asked = now;
    if (!opt.close) {
        ask(conn);
        return;
    }
    open_connection(conn, SOCK_NONBLOCK);
    watch(conn, EPOLLIN | EPOLLOUT);
    conn->open = false;
}

/* All answers are there: the next. */
static void done(struct conn *conn)
{
    answered += opt.depth;
    if (answered / opt.depth % 16 == 0) /* finding the bucket has its price */
        note_latency(now - conn->asked);
    if (opt.close)
        close(conn->fd);
    begin(conn);
}

/* False: there is nothing more for now. */
static bool hear(struct conn *conn)
{
    ssize_t got = recv(conn->fd, input, ROOM, 0);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got < 0 || (got == 0 && !(opt.close && conn->left == 0)))
        errx(1, "the connection is lost: %s", got < 0 ? strerror(errno) : "closed");
    if (got == 0) {
        done(conn);
        return false;
    }
    if (conn->left == answer_size * opt.depth &&
        (got < 13 || memcmp(input, "HTTP/1.1 200 ", 13) != 0))
        errx(1, "not 200: %.*s", (int)got, input);
    if ((size_t)got > conn->left)
        errx(1, "%zd bytes instead of %zu", got, conn->left);
    conn->left -= (size_t)got;
    if (conn->left == 0 && !opt.close)
        done(conn);
    return conn->left == 0 && opt.close; /* its end may be there already */
}

static void turn(struct conn *conn)
{
    if (opt.close && !conn->open) {
        conn->open = true;
        ask(conn);
    } else {
        while (hear(conn))
            ;
    }
}

static void run(void)
{
    struct epoll_event events[BATCH];
    now = clock_ns();
    until = now + (uint64_t)(opt.seconds * 1000 * MS);
    waiting = opt.connections;
    for (size_t i = 0; i < opt.connections; i++)
        begin(&conns[i]);
    while (waiting > 0) {
        int count = epoll_wait(epoll, events, BATCH, 10000);
        if (count == 0)
            errx(1, "no answer for 10 s");
        now = clock_ns();
        for (int i = 0; i < count; i++)
            turn(events[i].data.ptr);
    }
}

static double latency_us(double share)
{
    uint64_t all = 0, below = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        all += latency[i];
    double us = 1;
    for (size_t i = 0; i < BUCKETS; i++, us *= 1.1220184543)
        if ((double)(below += latency[i]) >= share * (double)all)
            return us;
    return us;
}

static double cpu_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void read_requests(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        err(1, "%s", path);
    size_t size = fread(input, 1, ROOM, file);
    fclose(file);
    if (size == 0 || opt.kinds == 0 || size % opt.kinds != 0)
        errx(1, "%s: %zu bytes are not %zu requests of one length", path, size, opt.kinds);
    request_size = size / opt.kinds;
    requests = malloc(request_size * (opt.kinds + opt.depth));
    conns = calloc(opt.connections, sizeof(*conns));
    if (requests == NULL || conns == NULL)
        errx(1, "no memory");
    for (size_t i = 0; i < opt.kinds + opt.depth; i++)
        memcpy(requests + i * request_size, input + i % opt.kinds * request_size, request_size);
}

static void understand(int argc, char **argv)
{
    if (argc < 6)
        errx(2, "usage: load PORT CONNECTIONS DEPTH SECONDS FILE [close] [kinds COUNT]");
    opt.server.sin_family = AF_INET;
    opt.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    opt.server.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    opt.connections = strtoul(argv[2], NULL, 10);
    opt.depth = strtoul(argv[3], NULL, 10);
    opt.seconds = strtod(argv[4], NULL);
    for (char **word = argv + 6; *word != NULL; word++) {
        if (strcmp(*word, "close") == 0)
            opt.close = true;
        else if (strcmp(*word, "kinds") == 0 && word[1] != NULL)
            opt.kinds = strtoul(*++word, NULL, 10);
        else
            errx(2, "what is '%s'?", *word);
    }
    read_requests(argv[5]);
}

/* Asks for some time; says what it found. */
static void measure(void)
{
    double cpu = cpu_seconds();
    uint64_t began = clock_ns();
    answered = 0;
    memset(latency, 0, sizeof(latency));
    run();
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"client_cpu\": %.6f, \"p50_us\": %.0f, "
           "\"p99_us\": %.0f}\n",
           (unsigned long long)answered, (double)(clock_ns() - began) / 1e9, cpu_seconds() - cpu,
           latency_us(0.5), latency_us(0.99));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    understand(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(0);
    for (size_t i = 0; i < opt.connections; i++) {
        warm_up(&conns[i]);
        if (opt.close)
            close(conns[i].fd);
        else
            watch(&conns[i], EPOLLIN);
    }
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF) /* a line that is empty but for its end */
        measure();
    return 0;
}
