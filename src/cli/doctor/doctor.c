#include "cli/doctor/doctor.h"

#include "base/exit.h"
#include "base/num.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define SETTLE_MS 300    /* between the two looks */
#define PATIENCE_MS 2000 /* from TERM to KILL, as README and docs/doctor.md say */
#define USAGE "covey doctor [--json | --clean [PID or PATH ...]]"

struct options {
    bool is_json;
    bool is_clean;
    bool is_help;
    char **named; /* what to clean, ends in NULL; empty: ask */
};

/* What stands after both looks. */
struct report {
    struct cv_doctor_sight sight;
    struct cv_doctor_finding *findings;
    size_t n;
};

static int usage_error(const char *reason, const char *what)
{
    (void)fprintf(stderr, "covey doctor: %s%s. Usage: " USAGE "\n", reason, what);
    return CV_EXIT_USAGE;
}

static const char *parse(char **argv, struct options *ret)
{
    *ret = (struct options){0};
    for (; *argv != NULL && !ret->is_clean; argv++) {
        if (strcmp(*argv, "--json") == 0)
            ret->is_json = true;
        else if (strcmp(*argv, "--clean") == 0)
            ret->is_clean = true;
        else if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0)
            ret->is_help = true;
        else
            return *argv;
    }
    ret->named = argv;
    for (; *argv != NULL; argv++)
        if ((*argv)[0] == '-')
            return *argv;
    return NULL;
}

static void report_done(struct report *report)
{
    free(report->findings);
    cv_doctor_sight_done(&report->sight);
}

/* One look, and what it shows. 0 or -errno; the caller calls report_done() in any case. */
static int look_once(struct report *ret)
{
    *ret = (struct report){0};
    int rc = cv_doctor_look(&ret->sight);
    if (rc < 0)
        return rc;
    ret->findings = calloc(ret->sight.n_procs + ret->sight.n_files + 1, sizeof(*ret->findings));
    if (ret->findings == NULL)
        return -ENOMEM;
    ret->n = cv_doctor_diagnose(&ret->sight, ret->findings);
    return 0;
}

static int look_twice(struct report *ret)
{
    int rc = look_once(ret);
    if (rc < 0 || ret->n == 0)
        return rc;
    struct report before = *ret;
    (void)poll(NULL, 0, SETTLE_MS);
    rc = look_once(ret);
    if (rc == 0)
        ret->n = cv_doctor_confirm(ret->findings, ret->n, before.findings, before.n);
    report_done(&before);
    return rc;
}

/* ---- Telling ---- */

static int print_line(const struct report *report, const struct cv_doctor_finding *finding)
{
    struct cv_buf line;
    cv_buf_init(&line, 1U << 16);
    int rc = finding != NULL ? cv_doctor_say(&report->sight, finding, &line)
                             : cv_doctor_sum_up(&report->sight, report->findings, report->n, &line);
    if (rc == 0)
        printf("%.*s\n", (int)line.len, line.at);
    cv_buf_done(&line);
    return rc;
}

static int print_all(const struct report *report)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < report->n; i++)
        rc = print_line(report, &report->findings[i]);
    return rc == 0 ? print_line(report, NULL) : rc;
}

static int print_json(const struct report *report)
{
    json_t *all = cv_doctor_json(&report->sight, report->findings, report->n);
    int rc = all != NULL && json_dumpf(all, stdout, JSON_INDENT(2)) == 0 ? 0 : -ENOMEM;
    json_decref(all);
    printf("\n");
    return rc;
}

/* A hint is no finding: scripts may act upon the exit code. */
static int verdict(const struct report *report)
{
    for (size_t i = 0; i < report->n; i++)
        if (report->findings[i].kind != CV_DOCTOR_HINT)
            return 1;
    return CV_EXIT_OK;
}

/* ---- Cleaning ---- */

/* Whether the finding would be made again now: the answer may have taken a while. */
static bool still_stands(const struct cv_doctor_finding *finding)
{
    struct report now;
    bool is_so = look_once(&now) == 0 && cv_doctor_confirm(now.findings, now.n, finding, 1) == 1;
    report_done(&now);
    return is_so;
}

static const char *outcome(int rc, const struct cv_doctor_finding *finding)
{
    bool is_file = finding->file != NULL;
    switch (rc) {
    case 0: return is_file ? "removed" : "ended";
    case -ESRCH:
    case -ENOENT: return "it is gone already, or has changed; left alone";
    case -EPERM:
    case -EACCES: return "it belongs to another user; only that user or root may do this";
    case -EBUSY:
        return is_file ? "in use again; left alone"
                       : "it does not even end by KILL; the kernel holds it";
    default: return strerror(-rc);
    }
}

/* Acts on one finding that the user has confirmed; says what came of it. Whether it is gone. */
static bool act(const struct report *report, const struct cv_doctor_finding *finding)
{
    const char *refusal =
        finding->proc != NULL ? cv_doctor_refusal(&report->sight, finding->proc, getpid()) : NULL;
    if (refusal != NULL) {
        printf("  left alone: %s\n", refusal);
        return false;
    }
    int rc = -ESRCH;
    if (still_stands(finding))
        rc = finding->proc != NULL ? cv_doctor_end(finding->proc, PATIENCE_MS)
                                   : cv_doctor_remove(finding->file);
    printf("  %s\n", outcome(rc, finding));
    return rc == 0 || rc == -ESRCH || rc == -ENOENT;
}

static bool is_yes(const char *answer)
{
    return cv_string_ieq(answer, "y\n") || cv_string_ieq(answer, "yes\n");
}

static int clean_by_asking(const struct report *report)
{
    bool is_all_gone = true;
    bool is_over = false;
    for (size_t i = 0; i < report->n; i++) {
        const struct cv_doctor_finding *finding = &report->findings[i];
        int rc = print_line(report, finding);
        if (rc < 0)
            return rc;
        char answer[16] = "";
        if (finding->kind == CV_DOCTOR_ZOMBIE) {
            printf("  left alone: %s\n",
                   cv_doctor_refusal(&report->sight, finding->proc, getpid()));
        } else if (!is_over) {
            printf("  %s [y/N] ", finding->proc != NULL ? "End it?" : "Remove it?");
            (void)fflush(stdout);
            is_over = fgets(answer, sizeof(answer), stdin) == NULL;
        }
        bool is_gone = is_yes(answer) && act(report, finding);
        is_all_gone &= is_gone || finding->kind == CV_DOCTOR_HINT;
    }
    return is_all_gone ? 0 : 1;
}

static const struct cv_doctor_finding *named(const struct report *report, const char *name)
{
    uint64_t pid = 0;
    (void)!cv_num_u64(cv_span_str(name), INT32_MAX, &pid);
    for (size_t i = 0; i < report->n; i++) {
        const struct cv_doctor_finding *finding = &report->findings[i];
        if (finding->proc != NULL ? (uint64_t)finding->proc->pid == pid
                                  : strcmp(finding->file->path, name) == 0)
            return finding;
    }
    return NULL;
}

/* What is not among the findings is never touched, whatever it is. */
static int clean_named(const struct report *report, char **names)
{
    bool is_all_gone = true;
    for (; *names != NULL; names++) {
        const struct cv_doctor_finding *finding = named(report, *names);
        if (finding == NULL) {
            printf("%s: not among what is left behind; left alone\n", *names);
            is_all_gone = false;
            continue;
        }
        int rc = print_line(report, finding);
        if (rc < 0)
            return rc;
        is_all_gone &= act(report, finding);
    }
    return is_all_gone ? 0 : 1;
}

/* ---- The command ---- */

/* The exit code, or -errno. */
static int answer(const struct report *report, const struct options *options)
{
    if (options->is_clean && *options->named != NULL)
        return clean_named(report, options->named);
    if (options->is_clean)
        return clean_by_asking(report);
    int rc = options->is_json ? print_json(report) : print_all(report);
    return rc < 0 ? rc : verdict(report);
}

int cv_doctor(char **argv)
{
    struct options options;
    const char *wrong = parse(argv, &options);
    if (wrong != NULL)
        return usage_error("unknown word ", wrong);
    if (options.is_help) {
        printf("Usage: " USAGE
               "\n\nFinds zombies, orphans, and socket files and shared memory that "
               "programs have left behind.\n--clean asks before each; or name what shall go.\n");
        return CV_EXIT_OK;
    }
    if (options.is_json && options.is_clean)
        return usage_error("--json and --clean exclude each other", "");
    if (options.is_clean && *options.named == NULL && !isatty(STDIN_FILENO))
        return usage_error("--clean asks on a terminal; where there is none, name what shall go",
                           "");

    struct report report;
    int rc = look_twice(&report);
    if (rc == 0)
        rc = answer(&report, &options);
    report_done(&report);
    if (rc >= 0)
        return rc;
    (void)fprintf(stderr, "covey doctor: cannot look at the processes: %s\n", strerror(-rc));
    return CV_EXIT_OS;
}
