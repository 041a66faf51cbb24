/* Puts findings into words: a line for people, an object for programs. */
#include "cli/doctor/doctor.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#define SHOWN_MAX 72 /* bytes of a command line in a line for people */

static const struct {
    const char *kind;
    const char *what;
    const char *plural; /* of kind */
} words[] = {
    [CV_DOCTOR_ZOMBIE] = {"zombie", "a process that has ended", "zombies"},
    [CV_DOCTOR_STRAY] = {"orphan", "left by a worker of covey", "orphans"},
    [CV_DOCTOR_WORKER] = {"orphan", "a worker without its master", "orphans"},
    [CV_DOCTOR_MP_WORKER] = {"orphan", "a worker of Python's multiprocessing", "orphans"},
    [CV_DOCTOR_MP_FORKSERVER] = {"orphan", "a fork server of Python's multiprocessing", "orphans"},
    [CV_DOCTOR_MP_TRACKER] = {"orphan", "a resource tracker of Python's multiprocessing",
                              "orphans"},
    [CV_DOCTOR_HINT] = {"hint", "perhaps a worker without its master", "hints"},
    [CV_DOCTOR_SOCKET] = {"socket", "a socket file", "socket files"},
    [CV_DOCTOR_MEMORY] = {"memory", "shared memory or a semaphore of Python", "pieces of memory"},
};

/* ---- Text that others chose ---- */

static bool is_utf8(const char *text, size_t len)
{
    json_t *value = json_stringn(text, len);
    json_decref(value);
    return value != NULL;
}

/* Makes it harmless for a terminal and for JSON, in place: command lines and paths are anybody's
 * bytes. What is cut ends in "...". */
static void tame(char *text, size_t len, size_t max)
{
    bool is_cut = len > max;
    if (is_cut)
        len = max - 3;
    while (is_cut && len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    bool is_text = is_utf8(text, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_control = c < 0x20 || c == 0x7F ||
                          (c == 0xC2 && i + 1 < len && (unsigned char)text[i + 1] < 0xA0);
        if (c == 0xC2 && is_control)
            text[i + 1] = '?';
        if (c == '\0')
            text[i] = ' ';
        else if (is_control || (c >= 0x80 && !is_text))
            text[i] = '?';
    }
    (void)snprintf(text + len, is_cut ? 4 : 1, "...");
}

/* The command line; "[name]" for what has none (any more). */
static const char *command_of(const struct cv_doctor_proc *proc, size_t max, char *to, size_t cap)
{
    size_t len = proc->args.len;
    while (len > 0 && (proc->args.at[len - 1] == '\0' || proc->args.at[len - 1] == ' '))
        len--;
    if (len >= cap)
        len = cap - 1;
    if (len > 0) {
        memcpy(to, proc->args.at, len);
        to[len] = '\0';
    } else {
        len = (size_t)snprintf(to, cap, "[%s]", proc->comm);
    }
    tame(to, len, max);
    return to;
}

static const char *path_of(const struct cv_doctor_file *file, char *to, size_t cap)
{
    (void)snprintf(to, cap, "%s", file->path);
    tame(to, strlen(to), cap);
    return to;
}

static const char *user_name(uid_t uid, char *to, size_t cap)
{
    const struct passwd *user = getpwuid(uid);
    if (user != NULL)
        (void)snprintf(to, cap, "%s", user->pw_name);
    else
        (void)snprintf(to, cap, "%u", uid);
    return to;
}

/* ---- Facts ---- */

static uid_t owner_of(const struct cv_doctor_finding *finding)
{
    return finding->proc != NULL ? finding->proc->uid : finding->file->uid;
}

/* Seconds since it began, or was changed. */
static int64_t age_of(const struct cv_doctor_sight *sight, const struct cv_doctor_finding *finding)
{
    int64_t age = finding->file != NULL ? sight->wall_s - finding->file->changed_s : 0;
    if (finding->proc != NULL && sight->now > finding->proc->start)
        age = (int64_t)((sight->now - finding->proc->start) / sight->ticks_per_s);
    return age > 0 ? age : 0;
}

static const char *age_text(int64_t age, char *to, size_t cap)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (i + 1 < CV_COUNT(units) && age < 2 * units[i].seconds)
        i++;
    (void)snprintf(to, cap, "%" PRId64 " %s", age / units[i].seconds, units[i].unit);
    return to;
}

/* Appends ". It still listens on A, B" if it does. */
static int say_listens(const struct cv_doctor_sight *sight, pid_t pid, struct cv_buf *to)
{
    int rc = 0;
    int n = 0;
    for (size_t i = 0; rc == 0 && i < sight->n_listens; i++) {
        if (sight->listens[i].pid != pid)
            continue;
        char address[128];
        (void)snprintf(address, sizeof(address), "%s", sight->listens[i].address);
        tame(address, strlen(address), sizeof(address));
        rc = cv_buf_printf(to, "%s%s", n++ == 0 ? ". It still listens on " : ", ", address);
    }
    return rc;
}

/* "12 (python3 app.py)"; the parent of an orphan is who took it in. */
static const char *parent_text(const struct cv_doctor_finding *finding, char *to, size_t cap)
{
    char command[SHOWN_MAX + 1];
    if (finding->parent == NULL)
        (void)snprintf(to, cap, "%d", finding->proc->ppid);
    else
        (void)snprintf(to, cap, "%d (%s)", finding->parent->pid,
                       command_of(finding->parent, SHOWN_MAX / 2, command, sizeof(command)));
    return to;
}

/* ---- Why, and what to do ---- */

static int say_why(const struct cv_doctor_sight *sight, const struct cv_doctor_finding *finding,
                   struct cv_buf *to)
{
    char parent[128];
    int rc = 0;
    switch (finding->kind) {
    case CV_DOCTOR_ZOMBIE:
        return cv_buf_printf(
            to, "it has ended, but its parent %s%s has not asked how; until then it keeps its pid",
            parent_text(finding, parent, sizeof(parent)),
            finding->parent != NULL && finding->parent->state == 'T' ? ", which is stopped," : "");
    case CV_DOCTOR_STRAY:
        rc = cv_buf_printf(to, "a worker of covey had started it, and that server is gone");
        break;
    case CV_DOCTOR_WORKER:
    case CV_DOCTOR_MP_WORKER:
    case CV_DOCTOR_MP_FORKSERVER:
    case CV_DOCTOR_MP_TRACKER:
        rc = cv_buf_printf(to, "%s whose parent is gone; %s has taken it in",
                           words[finding->kind].what, parent_text(finding, parent, sizeof(parent)));
        break;
    case CV_DOCTOR_HINT:
        rc = cv_buf_printf(to,
                           "it looks like one of several workers whose master %d is gone; that is "
                           "no proof",
                           finding->proc->pgrp);
        break;
    case CV_DOCTOR_SOCKET:
        return cv_buf_printf(to, "nobody has this socket open any more, who connects is refused");
    case CV_DOCTOR_MEMORY:
        return cv_buf_printf(to, "%" PRId64 " bytes of memory that no process has mapped",
                             finding->file->size);
    }
    return rc == 0 ? say_listens(sight, finding->proc->pid, to) : rc;
}

static int say_what_to_do(const struct cv_doctor_finding *finding, struct cv_buf *to)
{
    switch (finding->kind) {
    case CV_DOCTOR_ZOMBIE:
        if (finding->proc->ppid == 1)
            return cv_buf_printf(to, "give the container an init that reaps (docker run --init)");
        return cv_buf_printf(to,
                             "nothing ends a zombie; this is a bug of %d: end that, and init "
                             "takes the zombie away",
                             finding->proc->ppid);
    case CV_DOCTOR_STRAY:
    case CV_DOCTOR_WORKER:
    case CV_DOCTOR_MP_WORKER:
    case CV_DOCTOR_MP_FORKSERVER: return cv_buf_printf(to, "kill %d", finding->proc->pid);
    case CV_DOCTOR_MP_TRACKER:
        return cv_buf_printf(to,
                             "end its workers first, then it tidies up and ends by itself; it "
                             "ignores all but kill -KILL %d",
                             finding->proc->pid);
    case CV_DOCTOR_HINT:
        return cv_buf_printf(to, "look at it, then perhaps kill %d", finding->proc->pid);
    case CV_DOCTOR_SOCKET: return cv_buf_printf(to, "remove the file");
    case CV_DOCTOR_MEMORY:
        return cv_buf_printf(to, "remove the file, unless a program is to open it again");
    }
    return 0;
}

int cv_doctor_say(const struct cv_doctor_sight *sight, const struct cv_doctor_finding *finding,
                  struct cv_buf *to)
{
    char user[64];
    char age[32];
    char name[4096];
    bool is_zombie = finding->kind == CV_DOCTOR_ZOMBIE;
    (void)user_name(owner_of(finding), user, sizeof(user));
    (void)age_text(age_of(sight, finding), age, sizeof(age));
    int rc = cv_buf_printf(to, "%s ", words[finding->kind].kind);
    if (rc == 0 && finding->proc != NULL)
        rc = cv_buf_printf(to, "%d %s", finding->proc->pid,
                           command_of(finding->proc, SHOWN_MAX, name, sizeof(name)));
    if (rc == 0 && finding->file != NULL)
        rc = cv_buf_printf(to, "%s", path_of(finding->file, name, sizeof(name)));
    if (rc == 0)
        rc = cv_buf_printf(to, " (%s, %s%s): ", user, is_zombie ? "started before " : "", age);
    if (rc == 0)
        rc = say_why(sight, finding, to);
    if (rc == 0)
        rc = cv_buf_append(to, CV_SPAN(". To do: "));
    return rc == 0 ? say_what_to_do(finding, to) : rc;
}

int cv_doctor_sum_up(const struct cv_doctor_sight *sight, const struct cv_doctor_finding *findings,
                     size_t n, struct cv_buf *to)
{
    int rc = n == 0 ? cv_buf_printf(to, "nothing is left behind") : 0;
    for (size_t i = 0, first = 0; rc == 0 && i < n; i++) {
        const char *kind = words[findings[i].kind].kind;
        if (i + 1 < n && strcmp(words[findings[i + 1].kind].kind, kind) == 0)
            continue;
        size_t count = i + 1 - first;
        rc = cv_buf_printf(to, "%s%zu %s", first > 0 ? ", " : "", count,
                           count == 1 ? kind : words[findings[i].kind].plural);
        first = i + 1;
    }
    if (rc == 0 && sight->n_hidden > 0)
        rc = cv_buf_printf(to,
                           " (%zu processes of others could not be looked into: as root there "
                           "may be more)",
                           sight->n_hidden);
    return rc;
}

/* ---- JSON ---- */

static json_t *text_json(int rc, const struct cv_buf *text)
{
    return rc == 0 ? json_stringn(text->at, text->len) : NULL;
}

static json_t *listens_json(const struct cv_doctor_sight *sight, pid_t pid)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sight->n_listens; i++) {
        char address[128];
        (void)snprintf(address, sizeof(address), "%s", sight->listens[i].address);
        tame(address, strlen(address), sizeof(address));
        if (sight->listens[i].pid == pid)
            (void)json_array_append_new(list, json_string(address));
    }
    return list;
}

/* The fields that only processes, or only files, have. */
static int add_details(const struct cv_doctor_sight *sight, const struct cv_doctor_finding *finding,
                       json_t *to)
{
    char name[4096];
    const struct cv_doctor_proc *proc = finding->proc;
    json_t *details =
        proc != NULL ? json_pack("{s:i, s:i, s:s, s:o}", "pid", proc->pid, "ppid", proc->ppid,
                                 "command", command_of(proc, sizeof(name), name, sizeof(name)),
                                 "listens", listens_json(sight, proc->pid))
                     : json_pack("{s:s, s:I}", "path", path_of(finding->file, name, sizeof(name)),
                                 "size", (json_int_t)finding->file->size);
    int rc = json_object_update(to, details);
    json_decref(details);
    return rc;
}

static json_t *finding_json(const struct cv_doctor_sight *sight,
                            const struct cv_doctor_finding *finding)
{
    char user[64];
    struct cv_buf why;
    struct cv_buf to_do;
    cv_buf_init(&why, 1U << 16);
    cv_buf_init(&to_do, 1U << 16);
    json_t *value = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "kind", words[finding->kind].kind, "what",
        words[finding->kind].what, "user", user_name(owner_of(finding), user, sizeof(user)), "uid",
        (json_int_t)owner_of(finding), "age_s", (json_int_t)age_of(sight, finding), "why",
        text_json(say_why(sight, finding, &why), &why), "to_do",
        text_json(say_what_to_do(finding, &to_do), &to_do));
    cv_buf_done(&why);
    cv_buf_done(&to_do);
    if (value != NULL && add_details(sight, finding, value) < 0) {
        json_decref(value);
        return NULL;
    }
    return value;
}

json_t *cv_doctor_json(const struct cv_doctor_sight *sight,
                       const struct cv_doctor_finding *findings, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n; i++) {
        if (json_array_append_new(list, finding_json(sight, &findings[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:o, s:I}", "findings", list, "hidden", (json_int_t)sight->n_hidden);
}
