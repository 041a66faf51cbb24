/* Every allocation and system call of a worker that serves is made to fail: once, and from there on
 * until the conversation is over; and every read and write to move one byte only.
 *
 * Each time a worker lives a whole life. It never crashes, hangs or spins; no client takes a wrong
 * or a cut answer for a whole one; afterwards a request is answered; and of memory, mappings and
 * descriptors nothing is left.
 */
#include "unit/host/native/wrapped.h"

#include "base/exit.h"
#include "base/log.h"
#include "base/source.h"
#include "host/native/inside.h"
#include "unit/host/native/talks_rich.h"

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PROBE (TALK_CLIENTS - 1)

/* More than all time-outs of a conversation, and more turns than it has bytes. */
#define PATIENCE (150 * CV_SECOND)
#define TURNS_MAX 500000

/* ---- One life ---- */

/* What each ends with, unless the worker has been told to end by then. */
static const struct talk_act finale[] = {
    OPEN(PROBE), SAY(PROBE, GET("/hello")), HEAR(PROBE, 1, 200), STOP, {TALK_END}};

static struct cv_native *native;
static const struct talk_act *act;
static bool is_finale;
static bool is_stopped;
static bool is_born_faulty; /* calls fail from its first moment on, not from when it accepts */
static covey_setup_fn *app; /* of the worker */
static bool is_debug;       /* DEBUG */
static bool is_clean;       /* each answer is to be as the conversation says */
static unsigned armed;      /* which call is to fail; UINT_MAX: none */
static unsigned calls;      /* that could fail there have been */
static int64_t began;
static int64_t nap_ends;
static unsigned turns;
static char wrong[256];

static CV_PRINTF(1, 2) void note_wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (wrong[0] == '\0')
        (void)vsnprintf(wrong, sizeof(wrong), format, args);
    va_end(args);
}

static void arm(void)
{
    wrapped_calls = 0;
    wrapped_fail_at = armed;
}

static void disarm(void)
{
    calls = wrapped_calls;
    wrapped_fail_at = 0;
}

static void stop(void)
{
    is_stopped = true;
    wrapped_aside = false;
    cv_native_drain(native, CV_DRAIN_STOP, cv_clock_ns() + 2 * CV_SECOND);
    wrapped_aside = true;
}

static void hear(struct talk_client *c)
{
    if (!c->is_deaf)
        return;
    c->is_deaf = false;
    talk_exchange(c);
}

static bool has_heard(const struct talk_client *c)
{
    bool has_come = c->answers >= act->n;
    if ((is_clean || is_finale) && (has_come ? c->status != act->status : c->has_ended))
        note_wrong("client %d has %u answers, not %u, the last a %d, not a %d", act->who,
                   c->answers, act->n, c->status, act->status);
    return has_come || c->has_ended;
}

static bool has_napped(void)
{
    if (nap_ends == CV_NEVER)
        nap_ends = cv_clock_ns() + act->n * CV_MS;
    if (cv_clock_ns() < nap_ends)
        return false;
    nap_ends = CV_NEVER;
    return true;
}

/* False: later. */
static bool perform(void)
{
    struct talk_client *c = &talk[act->who];
    switch (act->what) {
    case TALK_OPEN: talk_open(c); return true;
    case TALK_SAY:
        if (c->unsaid.len == 0)
            c->unsaid = act->bytes;
        talk_exchange(c);
        return c->unsaid.len == 0 || c->has_ended;
    case TALK_HEAR: hear(c); return has_heard(c);
    case TALK_ENDED: hear(c); return c->has_ended;
    case TALK_DEAF: c->is_deaf = true; return true;
    case TALK_NAP: return has_napped();
    case TALK_SHUT: (void)shutdown(c->fd, SHUT_WR); return true;
    case TALK_LEAVE:
        c->has_left = true;
        talk_close(c);
        return true;
    case TALK_STOP: stop(); return true;
    case TALK_END: break;
    }
    return false;
}

/* The conversation is over. What comes now must work. */
static void calm(void)
{
    disarm();
    for (int i = 0; i < TALK_CLIENTS; i++)
        talk_close(&talk[i]);
    is_finale = true;
    act = finale;
    began = cv_clock_ns();
    nap_ends = CV_NEVER;
}

/* True: the worker has just been told to end. */
static bool play(void)
{
    bool was_stopped = is_stopped;
    if (++turns > TURNS_MAX)
        fail_msg("spins");
    for (int i = 0; i < TALK_CLIENTS; i++)
        talk_exchange(&talk[i]);
    while (act->what != TALK_END && perform())
        act++;
    if (act->what != TALK_END || is_stopped)
        return is_stopped && !was_stopped;
    calm();
    return play();
}

static int64_t idle(int64_t left)
{
    if (nap_ends != CV_NEVER && nap_ends - cv_clock_ns() < left)
        return nap_ends - cv_clock_ns();
    if (left != CV_NEVER && cv_clock_ns() - began < PATIENCE)
        return left;
    if (left != CV_NEVER && wrapped_goes_on && wrapped_fail_at != 0) {
        calm(); /* nobody can be served for so long */
        return 0;
    }
    if (wrong[0] != '\0')
        fail_msg("%s, and does not end", wrong);
    note_wrong("client %d waits for ever for answer %u", act->who, act->n);
    stop();
    return 0;
}

static void on_ready(void *arg)
{
    (void)arg;
    if (!is_born_faulty)
        arm();
}

static void begin(const struct talk_act *script)
{
    for (int i = 0; i < TALK_CLIENTS; i++) {
        talk_close(&talk[i]);
        memset(&talk[i], 0, offsetof(struct talk_client, got));
        talk[i].fd = -1;
    }
    talk[0].is_head = script == heads || script == codings;
    bool is_rich = script == rich_life || script == asked || script == wrongs || script == trees ||
                   script == codings || script == origins;
    app = is_rich ? setup_rich : script == parts_of_it ? setup_heard : setup;
    is_debug = script == wrongs;
    rich_overwritten = false;
    wrong[0] = '\0';
    act = script;
    is_finale = is_stopped = false;
    nap_ends = CV_NEVER;
    turns = 0;
    wrapped_variants = 1;
    wrapped_error = 0;
    memset(wrapped_fds, 0, sizeof(wrapped_fds));
}

/* A worker's life with these clients; its exit code. */
static int live(void)
{
    int access_log = open("/dev/null", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    int listener = talk_listen();
    assert_true(listener >= 0);
    const struct cv_native_config config = {
        .setup = app,
        .setting = app == setup_rich ? rich_setting : NULL,
        .debug = is_debug,
        .server = {.limits = {.head = {.head_max = 2048, .target_max = 1024, .fields_max = 100},
                              .head_timeout = 30000,
                              .request_timeout = 30000,
                              .response_timeout = 30000,
                              .send_timeout = 30000,
                              .rate_span = 30000,
                              .keep_alive_timeout = 30000,
                              .body_max = 1 << 20,
                              .linger_timeout = 1000,
                              .connections_max = 1000,
                              .fibers_max = 1000},
                   .listeners = &listener,
                   .n_listeners = 1,
                   .keep_alive = true,
                   .access_log = access_log},
        .offload_threads = 2,
        .stop_timeout = 5000,
        .ready = on_ready,
    };
    began = cv_clock_ns();
    wrapped_fail_at = 0;
    if (is_born_faulty)
        arm();
    int code = cv_native_open(&config, &native);
    if (code == 0)
        code = cv_native_serve(native);
    cv_native_close(native);
    if (wrapped_fail_at != 0)
        disarm();
    (void)close(access_log);
    if (code != 0 && fcntl(listener, F_GETFD) >= 0)
        (void)close(listener);
    return code;
}

/* ---- What is left ---- */

static unsigned count_descriptors(void)
{
    DIR *entries = opendir("/proc/self/fd");
    unsigned n = 0;
    while (readdir(entries) != NULL)
        n++;
    (void)closedir(entries);
    return n;
}

/* Arenas keep chunks for the next, which is no leak: all of them are taken into `to`, so that the
 * next allocation must be one of malloc's. How many `to` has then. */
static int take_kept_chunks(struct cv_arena *to)
{
    int n = 0;
    int before;
    cv_arena_init(to);
    do {
        before = wrapped_blocks;
        n += cv_arena_alloc(to, 4000) != NULL;
    } while (wrapped_blocks == before);
    return n;
}

/* A whole life, after which nothing may be left. */
static int attempt(const struct talk_act *script)
{
    struct cv_arena before;
    struct cv_arena after;
    begin(script);
    (void)take_kept_chunks(&before);
    unsigned fds = count_descriptors();
    int blocks = wrapped_blocks;
    int maps = wrapped_maps;
    int code = live();
    bool may_end = is_born_faulty && !is_clean;
    if (code != 0 &&
        !(may_end && (code == CV_EXIT_OS || code == CV_EXIT_BOOT || code == CV_EXIT_LOAD)))
        note_wrong("exit code %d", code);
    for (int i = 0; i < TALK_CLIENTS; i++)
        talk_close(&talk[i]);
    int left = wrapped_blocks - blocks - take_kept_chunks(&after) + 1;
    if (left != 0 || wrapped_maps != maps || count_descriptors() != fds)
        note_wrong("%d blocks, %d mappings, %d descriptors are left", left, wrapped_maps - maps,
                   (int)(count_descriptors() - fds));
    cv_arena_done(&before);
    cv_arena_done(&after);
    return code;
}

/* ---- The tests ---- */

/* A conversation without faults. */
static struct talk_client good[TALK_CLIENTS];
static unsigned good_calls;

static void check(bool exactly)
{
    for (int i = 0; i < TALK_CLIENTS - 1; i++) {
        const char *error = talk_compare(&talk[i], &good[i], exactly);
        if (error != NULL)
            note_wrong("client %d: %s", i, error);
    }
    if (rich_overwritten)
        note_wrong("a condition was overlooked");
    if (wrong[0] != '\0')
        fail_msg("call %u%s fails, error %u: %s", armed, wrapped_goes_on ? " and all after it" : "",
                 wrapped_variant, wrong);
}

/* Without faults. What comes now is what must come. */
static void play_well(const struct talk_act *script)
{
    armed = UINT_MAX;
    wrapped_goes_on = wrapped_aside = false;
    is_clean = true;
    (void)attempt(script);
    is_clean = false;
    memcpy(good, talk, sizeof(good));
    good_calls = calls;
    check(true);
}

/* The n-th call fails, until there are no more. How many lives that took. A call that is only to be
 * made again changes nothing for the clients. */
static unsigned fail_each(const struct talk_act *script, bool goes_on)
{
    unsigned lives = 0;
    unsigned most = good_calls;
    wrapped_goes_on = goes_on;
    for (armed = 1; armed <= most; armed++) {
        unsigned variants = 1;
        for (wrapped_variant = 0; wrapped_variant < variants; wrapped_variant++, lives++) {
            bool was_served = attempt(script) == 0;
            check(was_served && !goes_on && (wrapped_error == EINTR || wrapped_error == EAGAIN));
            if (wrapped_variant == 0)
                variants = goes_on ? 2 : wrapped_variants;
            if (calls > most && !goes_on)
                most = calls; /* some are made because another has failed */
        }
    }
    return lives;
}

static void fail_all(void **state)
{
    const struct talk_act *script = *state;
    is_born_faulty = script == life || script == rich_life;
    play_well(script);
    unsigned once = fail_each(script, false);
    unsigned on = fail_each(script, true);
    print_message("%u calls; %u lives in which one failed, %u in which all after it did\n",
                  good_calls, once, on);
}

static void move_bytewise(void **state)
{
    const struct talk_act *script = *state;
    is_born_faulty = false;
    play_well(script);
    wrapped_bytewise = true;
    (void)attempt(script);
    wrapped_bytewise = false;
    check(true);
}

static int make_file(const char *name, int size)
{
    FILE *to = fopen(name, "w");
    for (int i = 0; i < size; i++)
        (void)fputc('a' + i % 26, to);
    return fclose(to);
}

/* What describes calls on the stack is loaded once for each file that they lie in, and stays. */
static void load_symbols(void)
{
    const uintptr_t functions[] = {(uintptr_t)load_symbols, (uintptr_t)_cmocka_run_group_tests,
                                   (uintptr_t)abort};
    char file[PATH_MAX];
    int line;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        (void)cv_source_find((const void *)functions[i], file, sizeof(file), &line);
}

/* The log has a description of standard error of its own: thousands of lines are thrown away. */
static int silence_log(void)
{
    int own = dup(STDERR_FILENO);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(nowhere, STDERR_FILENO);
    cv_log_open("worker", CV_LOG_INFO);
    int rc = dup2(own, STDERR_FILENO);
    (void)close(own);
    (void)close(nowhere);
    return rc < 0;
}

static int set_up(void **state)
{
    (void)state;
    wrapped_play = play;
    wrapped_idle = idle;
    for (int i = 0; i < TALK_CLIENTS; i++)
        talk[i].fd = -1;
    if (mkdtemp(talks_folder) == NULL || chdir(talks_folder) < 0)
        return -1;
    load_symbols();
    return silence_log() || setenv("TMPDIR", talks_folder, 1) < 0 ||
           make_file("small", TALKS_SMALL) < 0 || make_file("small.gz", TALKS_SMALL) < 0 ||
           make_file("large", TALKS_LARGE) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink("small") < 0 || unlink("small.gz") < 0 || unlink("large") < 0 ||
           rmdir(talks_folder) < 0;
}

#define CONVERSATIONS(X)                                                                           \
    X(life)                                                                                        \
    X(kept)                                                                                        \
    X(pipelined)                                                                                   \
    X(bodies)                                                                                      \
    X(streams)                                                                                     \
    X(on_disk)                                                                                     \
    X(files)                                                                                       \
    X(forms)                                                                                       \
    X(heads)                                                                                       \
    X(parts_of_it)                                                                                 \
    X(late)                                                                                        \
    X(deaf)                                                                                        \
    X(refused)                                                                                     \
    X(leaving)                                                                                     \
    X(crowd)                                                                                       \
    X(drain)                                                                                       \
    X(rich_life)                                                                                   \
    X(asked)                                                                                       \
    X(origins)                                                                                     \
    X(wrongs)                                                                                      \
    X(trees)                                                                                       \
    X(codings)

int main(void)
{
#ifdef __SANITIZE_THREAD__
    return 77; /* skipped: it takes five minutes there, and nearly all is on one thread */
#endif
    const struct CMUnitTest tests[] = {
#define FAULTS(name) {#name ": each call fails", fail_all, NULL, NULL, (void *)(uintptr_t)name},
        CONVERSATIONS(FAULTS)
#undef FAULTS
#define BYTES(name) {#name ": byte by byte", move_bytewise, NULL, NULL, (void *)(uintptr_t)name},
            CONVERSATIONS(BYTES)
#undef BYTES
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
