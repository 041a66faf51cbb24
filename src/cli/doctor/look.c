/* Reads /proc into a sight. What goes away meanwhile is left out, what may not be read is marked as
 * unknown. */
#include "cli/doctor/doctor.h"

#include "base/fd.h"
#include "base/num.h"
#include "supervise/shared/boot.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_MAX (1U << 28) /* bytes of one array of a sight */
#define ARGS_MAX 4096        /* bytes of a command line that are looked at */
#define ENVIRON_MAX (1U << 17)
#define KERNEL_THREAD 0x00200000UL /* PF_KTHREAD of linux/sched.h */

/* A listening socket, of whichever process. */
struct listener {
    uint64_t inode;
    const char *address;
};

/* What grows while the machine is looked at: arrays as bytes. */
struct look {
    struct cv_doctor_sight *sight;
    struct cv_buf procs;
    struct cv_buf listens;
    struct cv_buf listeners;
    struct cv_buf files;
    struct cv_buf pipes; /* of one process at a time */
};

static int add(struct cv_buf *array, const void *item, size_t size)
{
    return cv_buf_append(array, cv_span(item, size));
}

/* ---- Sockets that listen ---- */

static int add_listener(struct look *look, uint64_t inode, const char *address)
{
    struct listener one = {inode, address};
    return address != NULL ? add(&look->listeners, &one, sizeof(one)) : -ENOMEM;
}

/* "0100007F" or four such words: each is an int of this machine that holds bytes in network order.
 */
static const char *tcp_address(struct cv_arena *arena, const char *hex, unsigned port)
{
    uint32_t words[4] = {0};
    char text[INET6_ADDRSTRLEN] = "?";
    size_t n = strlen(hex) / 8;
    for (size_t i = 0; i < n && i < CV_COUNT(words); i++)
        (void)sscanf(hex + i * 8, "%8" SCNx32, &words[i]);
    bool is_v6 = n == 4;
    (void)inet_ntop(is_v6 ? AF_INET6 : AF_INET, words, text, sizeof(text));
    return cv_arena_printf(arena, is_v6 ? "[%s]:%u" : "%s:%u", text, port);
}

static int take_tcp(struct look *look, const char *line)
{
    char hex[33];
    unsigned port;
    unsigned state;
    uint64_t inode;
    if (sscanf(line, " %*d: %32[0-9A-F]:%x %*s %x %*s %*s %*s %*u %*d %" SCNu64, hex, &port, &state,
               &inode) != 4 ||
        state != 0x0A)
        return 0;
    return add_listener(look, inode, tcp_address(&look->sight->arena, hex, port));
}

static int take_unix(struct look *look, const char *line)
{
    unsigned long flags;
    uint64_t inode;
    int path = 0;
    if (sscanf(line, "%*s %*s %*s %lx %*s %*s %" SCNu64 " %n", &flags, &inode, &path) != 2 ||
        (flags & 0x10000) == 0 || line[path] == '\0') /* __SO_ACCEPTCON */
        return 0;
    return add_listener(look, inode, cv_arena_printf(&look->sight->arena, "unix:%s", line + path));
}

/* A table that is not there (no IPv6) is an empty one. */
static int read_table(struct look *look, const char *path,
                      int (*take)(struct look *look, const char *line))
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    char *line = NULL;
    size_t cap = 0;
    int rc = 0;
    ssize_t len;
    while (rc == 0 && (len = getline(&line, &cap, file)) > 0) {
        line[len - 1] = '\0';
        rc = take(look, line);
    }
    free(line);
    (void)fclose(file);
    return rc;
}

static int by_inode(const void *a, const void *b)
{
    const struct listener *left = a;
    const struct listener *right = b;
    return (left->inode > right->inode) - (left->inode < right->inode);
}

static int look_at_listeners(struct look *look)
{
    int rc = read_table(look, "/proc/net/tcp", take_tcp);
    if (rc == 0)
        rc = read_table(look, "/proc/net/tcp6", take_tcp);
    if (rc == 0)
        rc = read_table(look, "/proc/net/unix", take_unix);
    if (look->listeners.len > 0)
        qsort(look->listeners.at, look->listeners.len / sizeof(struct listener),
              sizeof(struct listener), by_inode);
    return rc;
}

/* ---- One process ---- */

int cv_doctor_read_stat(char *text, struct cv_doctor_proc *ret)
{
    char *open = strchr(text, '(');
    char *close = strrchr(text, ')'); /* the name may hold blanks and parentheses */
    if (open == NULL || close == NULL || close < open)
        return -EINVAL;
    int pid;
    int ppid;
    int pgrp;
    char state;
    unsigned long flags;
    unsigned threads;
    uint64_t start;
    if (sscanf(text, "%d", &pid) != 1 ||
        sscanf(close + 1,
               " %c %d %d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %u %*d %" SCNu64,
               &state, &ppid, &pgrp, &flags, &threads, &start) != 6)
        return -EINVAL;
    *close = '\0';
    ret->pid = pid;
    ret->ppid = ppid;
    ret->pgrp = pgrp;
    ret->state = state;
    ret->is_kernel = (flags & KERNEL_THREAD) != 0;
    ret->threads = threads;
    ret->start = start;
    ret->comm = open + 1;
    return 0;
}

static ssize_t slurp(pid_t pid, const char *name, char *to, size_t cap)
{
    char path[48];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return cv_fd_slurp(path, to, cap);
}

/* The effective user, whom the owner of /proc/PID does not always tell. */
static uid_t user_of(pid_t pid)
{
    char status[2048];
    unsigned user = 0;
    if (slurp(pid, "status", status, sizeof(status)) < 0)
        return 0;
    const char *line = strstr(status, "\nUid:");
    return line != NULL && sscanf(line + 5, "%*u %u", &user) == 1 ? user : 0;
}

static const char *tag_of(struct cv_arena *arena, pid_t pid)
{
    static char block[ENVIRON_MAX];
    static const char name[] = CV_TAG_VARIABLE "=";
    ssize_t len = slurp(pid, "environ", block, sizeof(block));
    for (const char *at = block; len > 0 && at < block + len; at += strlen(at) + 1)
        if (strncmp(at, name, sizeof(name) - 1) == 0)
            return cv_arena_strndup(arena, cv_span_str(at + sizeof(name) - 1));
    return NULL;
}

static int take_descriptor(struct look *look, pid_t pid, const char *link)
{
    uint64_t inode;
    if (sscanf(link, "pipe:[%" SCNu64 "]", &inode) == 1)
        return add(&look->pipes, &inode, sizeof(inode));
    if (sscanf(link, "socket:[%" SCNu64 "]", &inode) != 1 || look->listeners.len == 0)
        return 0;
    struct listener wanted = {.inode = inode};
    const struct listener *found =
        bsearch(&wanted, look->listeners.at, look->listeners.len / sizeof(wanted), sizeof(wanted),
                by_inode);
    if (found == NULL)
        return 0;
    struct cv_doctor_listen listen = {pid, found->address};
    return add(&look->listens, &listen, sizeof(listen));
}

/* Pipes and listening sockets. Standard streams do not count as pipes: they say nothing about who
 * started whom. */
static int look_at_descriptors(struct look *look, struct cv_doctor_proc *proc)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", proc->pid);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        look->sight->n_hidden += errno == EACCES || errno == EPERM;
        return 0;
    }
    look->pipes.len = 0;
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        char link[64];
        ssize_t len = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);
        if (len <= 0)
            continue;
        link[len] = '\0';
        bool is_standard = entry->d_name[1] == '\0' && entry->d_name[0] <= '2';
        if (!is_standard || link[0] == 's')
            rc = take_descriptor(look, proc->pid, link);
    }
    (void)closedir(folder);
    if (rc < 0)
        return rc;
    uint64_t *pipes = cv_arena_alloc(&look->sight->arena, look->pipes.len + 1);
    if (pipes == NULL)
        return -ENOMEM;
    if (look->pipes.len > 0)
        memcpy(pipes, look->pipes.at, look->pipes.len);
    proc->pipes = pipes;
    proc->n_pipes = look->pipes.len / sizeof(*pipes);
    proc->has_known_pipes = true;
    return 0;
}

/* Whether it may have mapped what cannot be seen to be mapped. Some systems hide PID 1 even from
 * root; an init uses no memory of Python's. */
static bool may_use(const struct cv_doctor_proc *proc, const struct cv_doctor_file *file)
{
    bool is_init = proc->pid == 1 && strncmp(proc->comm, "python", 6) != 0;
    return !file->is_socket && file->uid == proc->uid && !is_init;
}

/* Marks the files that it has mapped as used; with maps that cannot be read, all of its user. */
static void look_at_maps(struct look *look, const struct cv_doctor_proc *proc)
{
    struct cv_doctor_file *files = (struct cv_doctor_file *)(void *)look->files.at;
    size_t n = look->files.len / sizeof(*files);
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/maps", proc->pid);
    FILE *maps = fopen(path, "re");
    for (size_t i = 0; maps == NULL && i < n; i++)
        files[i].is_used |= errno == EACCES && may_use(proc, &files[i]);
    if (maps == NULL)
        return;
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, maps) > 0) {
        unsigned high;
        unsigned low;
        uint64_t inode;
        if (sscanf(line, "%*s %*s %*s %x:%x %" SCNu64, &high, &low, &inode) != 3 || inode == 0)
            continue;
        for (size_t i = 0; i < n; i++)
            files[i].is_used |= files[i].ino == inode && files[i].dev == makedev(high, low);
    }
    free(line);
    (void)fclose(maps);
}

static bool has_memory(const struct look *look)
{
    const struct cv_doctor_file *files = (const struct cv_doctor_file *)(void *)look->files.at;
    for (size_t i = 0; i < look->files.len / sizeof(*files); i++)
        if (!files[i].is_socket)
            return true;
    return false;
}

/* A process that has gone meanwhile is left out. */
static int look_at_process(struct look *look, pid_t pid)
{
    struct cv_arena *arena = &look->sight->arena;
    struct cv_doctor_proc proc = {0};
    char text[ARGS_MAX];
    if (slurp(pid, "stat", text, sizeof(text)) < 0 || cv_doctor_read_stat(text, &proc) < 0)
        return 0;
    proc.comm = cv_arena_strndup(arena, cv_span_str(proc.comm));
    proc.uid = user_of(pid);
    ssize_t len = slurp(pid, "cmdline", text, sizeof(text));
    proc.args = cv_span(cv_arena_strndup(arena, cv_span(text, len > 0 ? (size_t)len : 0)),
                        len > 0 ? (size_t)len : 0);
    if (proc.comm == NULL || proc.args.at == NULL)
        return -ENOMEM;
    if (!proc.is_kernel && proc.state != 'Z') {
        proc.tag = tag_of(arena, pid);
        int rc = look_at_descriptors(look, &proc);
        if (rc < 0)
            return rc;
        if (has_memory(look))
            look_at_maps(look, &proc);
    }
    return add(&look->procs, &proc, sizeof(proc));
}

/* ---- All ---- */

static int by_pid(const void *a, const void *b)
{
    const struct cv_doctor_proc *left = a;
    const struct cv_doctor_proc *right = b;
    return (left->pid > right->pid) - (left->pid < right->pid);
}

static int look_at_processes(struct look *look)
{
    DIR *folder = opendir("/proc");
    if (folder == NULL)
        return -errno;
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        uint64_t pid;
        if (cv_num_u64(cv_span_str(entry->d_name), INT32_MAX, &pid) == 0)
            rc = look_at_process(look, (pid_t)pid);
    }
    (void)closedir(folder);
    if (rc == 0 && look->procs.len == 0)
        return -ENOENT; /* /proc is not mounted */
    if (rc == 0)
        qsort(look->procs.at, look->procs.len / sizeof(struct cv_doctor_proc),
              sizeof(struct cv_doctor_proc), by_pid);
    return rc;
}

/* Moves an array into the arena. */
static int settle(struct cv_arena *arena, const struct cv_buf *array, void *ret)
{
    void *copy = cv_arena_alloc(arena, array->len + 1);
    if (copy == NULL)
        return -ENOMEM;
    if (array->len > 0)
        memcpy(copy, array->at, array->len);
    *(void **)ret = copy;
    return 0;
}

static int settle_all(struct look *look)
{
    struct cv_doctor_sight *sight = look->sight;
    sight->n_procs = look->procs.len / sizeof(*sight->procs);
    sight->n_listens = look->listens.len / sizeof(*sight->listens);
    sight->n_files = look->files.len / sizeof(*sight->files);
    int rc = settle(&sight->arena, &look->procs, &sight->procs);
    if (rc == 0)
        rc = settle(&sight->arena, &look->listens, &sight->listens);
    return rc == 0 ? settle(&sight->arena, &look->files, &sight->files) : rc;
}

int cv_doctor_look(struct cv_doctor_sight *sight)
{
    *sight = (struct cv_doctor_sight){0};
    cv_arena_init(&sight->arena);
    struct look look = {.sight = sight};
    struct cv_buf *arrays[] = {&look.procs, &look.listens, &look.listeners, &look.files,
                               &look.pipes};
    for (size_t i = 0; i < CV_COUNT(arrays); i++)
        cv_buf_init(arrays[i], ARRAY_MAX);

    int rc = cv_doctor_look_at_files(&sight->arena, &look.files);
    if (rc == 0)
        rc = look_at_listeners(&look);
    if (rc == 0)
        rc = look_at_processes(&look);
    if (rc == 0)
        rc = settle_all(&look);
    for (size_t i = 0; i < CV_COUNT(arrays); i++)
        cv_buf_done(arrays[i]);

    struct timespec up;
    (void)clock_gettime(CLOCK_BOOTTIME, &up);
    sight->ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
    sight->now = (uint64_t)up.tv_sec * sight->ticks_per_s +
                 (uint64_t)up.tv_nsec * sight->ticks_per_s / 1000000000U;
    sight->wall_s = (int64_t)time(NULL);
    return rc;
}

void cv_doctor_sight_done(struct cv_doctor_sight *sight)
{
    cv_arena_done(&sight->arena);
}
