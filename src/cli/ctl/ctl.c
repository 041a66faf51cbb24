#include "cli/ctl/ctl.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/num.h"
#include "cli/ctl/target.h"
#include "cli/ctl/wake.h"
#include "cli/status/show.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>

/* A status is answered at once, unless the master does not run. */
#define STATUS_TIMEOUT_MS 5000
#define TOP_EVERY_MS 1000
#define ENDING_TIMEOUT_MS 30000

/* A server that is to stop is looked at so often, and is given up after so many times in which it
 * was found stopped by a signal although it had been continued. */
#define WAKE_EVERY_MS 500
#define WAKES_MAX 6

const char cv_ctl_usage[] =
    "covey status [--json] [SERVER]     what its processes are and do\n"
    "covey top [SERVER]                 the same, every second\n"
    "covey scale N [SERVER]             N workers; done when they are ready\n"
    "covey reload [SERVER]              run what is on disk now; done when it serves\n"
    "covey upgrade [SERVER]             the same for covey itself: guardian and master too\n"
    "covey restart WHO [SERVER]         replace one: a worker's number, main, or NAME\n"
    "covey logs reopen [SERVER]         open the log files anew; done when all write there\n"
    "covey stop [--now] [SERVER]        done when everything is gone\n"
    "SERVER: a name, a pid or the path of a control socket; none: the only one of this user\n";

struct command {
    const char *name;
    const char *flag; /* the one it has; NULL: none */
    const char *word; /* there is one before SERVER: the question where it is missing; NULL: none */
    int (*run)(const char *word, bool has_flag, const char *server);
};

static int wrong(const char *reason, const char *what)
{
    (void)fprintf(stderr, "covey: %s%s. Usage:\n%s", reason, what, cv_ctl_usage);
    return CV_EXIT_USAGE;
}

static int failed(const struct cv_ctl_server *server, const char *why)
{
    (void)fprintf(stderr, "covey: %s: %s\n", server->label, why);
    return CV_EXIT_INTERNAL;
}

/* ---- Talking ---- */

static struct cv_message message;
static struct cv_files came; /* along with it */

/* 0 or -errno. */
static int ask(const struct cv_ctl_server *server, const struct cv_control_request *request)
{
    cv_control_write(&message, request);
    return cv_channel_send(server->fd, &message);
}

/* The next message: 1, 0 at the end of the connection, -ETIMEDOUT, -errno. */
static int hear(const struct cv_ctl_server *server, int timeout_ms)
{
    struct pollfd fd = {.fd = server->fd, .events = POLLIN};
    for (;;) {
        int n = poll(&fd, 1, timeout_ms);
        if (n == 0)
            return -ETIMEDOUT;
        if (n < 0 && errno != EINTR)
            return -errno;
        int rc = cv_channel_receive_files(server->fd, &message, &came);
        /* A server that refuses before it has read resets the connection, and its last words come
         * behind that. */
        if (rc == 0)
            rc = cv_channel_receive_files(server->fd, &message, &came);
        if (rc != -EAGAIN)
            return rc;
    }
}

static const char *why_silent(const struct cv_ctl_server *server, int rc)
{
    static char stopped[128];
    const char *what;
    pid_t pid = rc == -ETIMEDOUT ? cv_ctl_stopped(server->pid, &what) : 0;
    if (pid != 0) {
        (void)snprintf(stopped, sizeof(stopped),
                       "the server does not answer: its %s, process %d, is stopped by a signal or "
                       "a debugger (kill -CONT, or fg)",
                       what, pid);
        return stopped;
    }

    switch (rc) {
    case 0: return "the server has ended meanwhile";
    case -ETIMEDOUT: return "the server does not answer";
    case -EBADMSG: return "the server is another version of covey than the command";
    default: return strerror(-rc);
    }
}

/* The sentence that came with DONE goes where it belongs. */
static int conclude(const struct cv_ctl_server *server)
{
    char sentence[1024];
    (void)snprintf(sentence, sizeof(sentence), "%.*s", (int)message.body_len, message.body);
    if (message.word[0] != 0)
        return failed(server, sentence);
    if (sentence[0] != '\0')
        (void)printf("%s: %s\n", server->label, sentence);
    return CV_EXIT_OK;
}

/* One command from beginning to end. */
static int command(const char *target, struct cv_control_request request)
{
    struct cv_ctl_server server;
    int code = cv_ctl_reach(target, &server);
    if (code != 0)
        return code;
    (void)ask(&server, &request); /* a server that has refused us already has also said why */
    int rc = hear(&server, -1);
    code = rc == 1 && message.kind == CV_CONTROL_DONE ? conclude(&server)
                                                      : failed(&server, why_silent(&server, rc));
    (void)close(server.fd);
    return code;
}

/* ---- status, top ---- */

/* 0, or an exit code with the reason written. */
static int fetch_status(const char *target, enum cv_control_command what,
                        struct cv_ctl_status *status)
{
    struct cv_ctl_server server;
    int code = cv_ctl_reach(target, &server);
    if (code != 0)
        return code;
    cv_ctl_status_clear(status);
    (void)ask(&server, &(struct cv_control_request){.command = what});
    int rc;
    do
        rc = hear(&server, STATUS_TIMEOUT_MS);
    while (rc == 1 && (rc = cv_ctl_status_take(status, &message, &came)) == CV_CTL_STATUS_MORE);
    code = rc == CV_CTL_STATUS_DONE ? conclude(&server) : failed(&server, why_silent(&server, rc));
    (void)close(server.fd);
    return code;
}

static struct cv_ctl_status status;

static int run_status(const char *word, bool as_json, const char *server)
{
    (void)word;
    int code = fetch_status(server, CV_CONTROL_METRICS, &status);
    if (code == CV_EXIT_OK && as_json)
        code = cv_ctl_show_json(stdout, &status) < 0 ? CV_EXIT_OS : CV_EXIT_OK;
    else if (code == CV_EXIT_OK)
        cv_ctl_show(stdout, &status);
    cv_ctl_status_clear(&status);
    return code;
}

/* Until it is interrupted, or the server is gone. */
static int run_top(const char *word, bool has_flag, const char *server)
{
    (void)word;
    (void)has_flag;
    int code = fetch_status(server, CV_CONTROL_METRICS, &status);
    bool is_terminal = isatty(STDOUT_FILENO) != 0;
    while (code == CV_EXIT_OK) {
        if (is_terminal)
            (void)fputs("\033[H\033[2J", stdout);
        cv_ctl_show(stdout, &status);
        if (fflush(stdout) != 0)
            break; /* nobody reads it any more */
        (void)poll(NULL, 0, TOP_EVERY_MS);
        code = fetch_status(server, CV_CONTROL_METRICS, &status);
    }
    cv_ctl_status_clear(&status);
    return code;
}

/* ---- The others ---- */

static int run_scale(const char *word, bool has_flag, const char *server)
{
    (void)has_flag;
    uint64_t number;
    if (cv_num_u64(cv_span_str(word), UINT32_MAX, &number) < 0)
        return wrong("this is no number of workers: ", word);
    return command(server, (struct cv_control_request){CV_CONTROL_SCALE, (uint32_t)number});
}

static int run_reload(const char *word, bool has_flag, const char *server)
{
    (void)word;
    (void)has_flag;
    return command(server, (struct cv_control_request){CV_CONTROL_RELOAD, 0});
}

static int run_logs(const char *word, bool has_flag, const char *server)
{
    (void)has_flag;
    if (strcmp(word, "reopen") != 0)
        return wrong("logs can be reopened only, not: ", word);
    return command(server, (struct cv_control_request){CV_CONTROL_LOGS, 0});
}

/* "queue 1", or "queue" if there is but one of that name. */
static bool is_named(const struct cv_control_slot *slot, const char *word, bool with_number)
{
    const char *space = strrchr(slot->who, ' ');
    size_t len = with_number || space == NULL ? strlen(slot->who) : (size_t)(space - slot->who);
    return slot->kind == CV_KIND_MANAGED && strlen(word) == len &&
           memcmp(slot->who, word, len) == 0;
}

static int find_managed(const char *server, const char *word, uint32_t *ret_slot)
{
    int code = fetch_status(server, CV_CONTROL_STATUS, &status);
    unsigned found = 0;
    for (size_t i = 0; code == CV_EXIT_OK && i < status.n; i++) {
        bool is_exact = is_named(&status.slots[i], word, true);
        if (!is_exact && !is_named(&status.slots[i], word, false))
            continue;
        *ret_slot = status.slots[i].slot;
        found = is_exact ? 1 : found + 1;
        if (is_exact)
            break;
    }
    cv_ctl_status_clear(&status);
    if (code != CV_EXIT_OK || found == 1)
        return code;
    return found == 0 ? wrong("this is no worker and no managed process that runs: ", word)
                      : wrong("there are several of that name, say which, with its number: ", word);
}

static int run_upgrade(const char *word, bool has_flag, const char *server)
{
    (void)word;
    (void)has_flag;
    return command(server, (struct cv_control_request){CV_CONTROL_UPGRADE, 0});
}

static int run_restart(const char *word, bool has_flag, const char *server)
{
    (void)has_flag;
    uint64_t number;
    uint32_t slot = CV_CONTROL_MAIN;
    if (cv_num_u64(cv_span_str(word), CV_CONTROL_MAIN - 1, &number) == 0)
        slot = (uint32_t)number;
    else if (strcmp(word, "main") != 0) {
        int code = find_managed(server, word, &slot);
        if (code != CV_EXIT_OK)
            return code;
    }
    return command(server, (struct cv_control_request){CV_CONTROL_RESTART, slot});
}

static int stays_stopped(const struct cv_ctl_server *server, pid_t pid, const char *what)
{
    char why[160];
    (void)snprintf(
        why, sizeof(why),
        "its %s, process %d, stays stopped although it was continued: does a debugger hold it?",
        what, pid);
    return failed(server, why);
}

static bool is_over(int pidfd)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    return poll(&fd, 1, 0) != 0;
}

/* As hear(), but until the server has ended or said something, and with a server that does not
 * stay stopped. 1, 0, -errno; -EBUSY: it does stay so, and that has been said. */
static int hear_end(const struct cv_ctl_server *server, int guardian)
{
    for (int wakes = 0;;) {
        const char *what;
        pid_t stopped = is_over(guardian) ? 0 : cv_ctl_stopped(server->pid, &what);
        wakes = stopped != 0 ? wakes + 1 : 0;
        if (wakes > WAKES_MAX) {
            (void)stays_stopped(server, stopped, what);
            return -EBUSY;
        }
        if (stopped != 0)
            cv_ctl_continue(server->pid);
        int rc = hear(server, WAKE_EVERY_MS);
        if (rc != -ETIMEDOUT)
            return rc;
    }
}

/* The connection ends with the master; the guardian sweeps behind it and ends a moment later. */
static int wait_for_end(const struct cv_ctl_server *server, int guardian)
{
    int rc = hear_end(server, guardian);
    if (rc == -EBUSY)
        return CV_EXIT_INTERNAL;
    if (rc == 1)
        return message.kind == CV_CONTROL_DONE ? conclude(server)
                                               : failed(server, why_silent(server, rc));
    if (rc < 0 && rc != -EBADMSG)
        return failed(server, strerror(-rc));
    struct pollfd fd = {.fd = guardian, .events = POLLIN};
    for (int waited = 0; guardian >= 0 && poll(&fd, 1, WAKE_EVERY_MS) == 0;) {
        const char *what;
        waited += WAKE_EVERY_MS;
        pid_t stopped = cv_ctl_stopped(server->pid, &what);
        if (stopped != 0 && waited > WAKES_MAX * WAKE_EVERY_MS)
            return stays_stopped(server, stopped, what);
        if (waited >= ENDING_TIMEOUT_MS)
            return failed(server, "something of it cannot be ended; the log says what");
        cv_ctl_continue(server->pid);
    }
    (void)printf("%s: stopped\n", server->label);
    return CV_EXIT_OK;
}

static int run_stop(const char *word, bool at_once, const char *target)
{
    (void)word;
    struct cv_ctl_server server;
    int code = cv_ctl_reach(target, &server);
    if (code != 0)
        return code;
    /* Not there: in another PID namespace, or gone just now. */
    CV_AUTOCLOSE int guardian = server.pid > 0 ? (int)syscall(SYS_pidfd_open, server.pid, 0) : -1;
    (void)ask(&server,
              &(struct cv_control_request){CV_CONTROL_STOP, at_once ? CV_STOP_QUIT : CV_STOP_TERM});
    code = wait_for_end(&server, guardian);
    (void)close(server.fd);
    return code;
}

/* ---- Words ---- */

static const struct command commands[] = {
    {"status", "--json", NULL, run_status},
    {"top", NULL, NULL, run_top},
    {"scale", NULL, "how many workers?", run_scale},
    {"reload", NULL, NULL, run_reload},
    {"upgrade", NULL, NULL, run_upgrade},
    {"restart", NULL, "which worker?", run_restart},
    {"logs", NULL, "what about them? reopen", run_logs},
    {"stop", "--now", NULL, run_stop},
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < CV_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int cv_ctl_knows(const char *name)
{
    return find(name) != NULL;
}

int cv_ctl(const char *name, char *const *words)
{
    const struct command *command = find(name);
    const char *plain[2] = {NULL, NULL};
    size_t n = 0;
    bool has_flag = false;
    for (; *words != NULL; words++) {
        if (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0) {
            (void)printf("Usage:\n%s", cv_ctl_usage);
            return CV_EXIT_OK;
        }
        if (command->flag != NULL && strcmp(*words, command->flag) == 0)
            has_flag = true;
        else if ((*words)[0] == '-')
            return wrong("unknown flag ", *words);
        else if (n < (command->word != NULL ? 2 : 1))
            plain[n++] = *words;
        else
            return wrong("one word too many: ", *words);
    }
    if (command->word != NULL && n == 0)
        return wrong(command->word, "");
    return command->run(command->word != NULL ? plain[0] : NULL, has_flag,
                        command->word != NULL ? plain[1] : plain[0]);
}
