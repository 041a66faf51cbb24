/* Clients that no server wants, by the thousand.
 *
 *     clients slow PORT NUMBER            a third each sends a head byte by byte, sends a body byte
 * by byte, and asks for a large answer without reading it; no other answer is read either. Says
 * `open` when all are, and goes on until its input ends. clients reset PORT SECONDS RATE     opens
 * and resets so many connections in each second, every other one after a request; says how many it
 * has opened.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
#define GET_MUCH "GET /much HTTP/1.1\r\nHost: x\r\n\r\n"

/* What a client that sends its head byte by byte sends, over and over. */
static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: yes, very slow indeed\r\nY: ";

static struct sockaddr_in server;

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- Slow ones ---- */

static int open_slow(int kind)
{
    int room = 2048;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) < 0 ||
        connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
        err(1, "cannot connect");
    if (kind == 1)
        say(fd, POST);
    else if (kind == 2)
        say(fd, GET_MUCH);
    return fd;
}

/* A byte from each that sends, every second, until the input ends. */
static void drip(const int *fds, int number)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    for (size_t at = 0; poll(&input, 1, 1000) == 0; at++) {
        for (int i = 0; i < number; i++) {
            if (i % 3 != 2)
                (void)!send(fds[i], &head[at % (sizeof(head) - 1)], 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
}

static void be_slow(int number)
{
    int *fds = calloc((size_t)number, sizeof(*fds));
    for (int i = 0; i < number && fds != NULL; i++) {
        fds[i] = open_slow(i % 3);
        if (i % 3 == 0)
            say(fds[i], "G");
    }
    (void)puts("open");
    (void)fflush(stdout);
    drip(fds, number);
}

/* ---- Those that reset ---- */

#define BATCH 50

static int begin(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0)
        err(1, "no socket");
    if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
        err(1, "cannot connect");
    return fd;
}

/* Whether it had come to be open. */
static bool end(int fd, bool asks)
{
    struct linger at_once = {.l_onoff = 1};
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    bool opened = poll(&ready, 1, 1000) == 1 && ready.revents == POLLOUT;
    if (asks)
        say(fd, GET);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)close(fd);
    return opened;
}

static long open_and_reset(void)
{
    int fds[BATCH];
    long opened = 0;
    for (int i = 0; i < BATCH; i++)
        fds[i] = begin();
    for (int i = 0; i < BATCH; i++)
        opened += end(fds[i], i % 2 != 0);
    return opened;
}

static void reset(double seconds, double rate)
{
    double begun = now();
    long tried = 0;
    long opened = 0;
    for (double passed = 0; passed < seconds; passed = now() - begun) {
        for (; (double)tried < passed * rate; tried += BATCH)
            opened += open_and_reset();
        (void)poll(NULL, 0, 1);
    }
    (void)printf("%ld\n", opened);
}

int main(int argc, char **argv)
{
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (argc < 4)
        errx(2, "usage: clients slow PORT NUMBER | clients reset PORT SECONDS RATE");
    server.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
    if (strcmp(argv[1], "slow") == 0)
        be_slow((int)strtol(argv[3], NULL, 10));
    else if (argc == 5)
        reset(strtod(argv[3], NULL), strtod(argv[4], NULL));
    return 0;
}
