#include "cli/command.h"

#include "base/exit.h"
#include "cli/ctl/ctl.h"
#include "cli/doctor/doctor.h"
#include "cli/entry.h"
#include "host/native/load.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define USAGE                                                                                      \
    "covey run FILE.so[:SYMBOL] [flags] [-- what is left to the app], or covey run [flags] -- "    \
    "COMMAND [ARGUMENT...]"

static int usage_error(const char *reason, const char *what)
{
    (void)fprintf(stderr, "covey: %s%s. Usage: " USAGE "\n", reason, what);
    return CV_EXIT_USAGE;
}

/* "shop" for "./build/shop.so". */
static void name_of(const char *file, char *to, size_t cap)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash != NULL ? slash + 1 : file;
    size_t len = strlen(base);
    if (len > 3 && strcmp(base + len - 3, ".so") == 0)
        len -= 3;
    (void)snprintf(to, cap, "%.*s", (int)len, base);
}

static char **find_dashes(char **argv)
{
    while (*argv != NULL && strcmp(*argv, "--") != 0)
        argv++;
    return *argv != NULL ? argv : NULL;
}

/* Any program, as the workers. */
static int run_command(char **flags, char **command)
{
    static char name[64];
    if (command[0] == NULL || command[0][0] == '\0')
        return usage_error("no command is given after --", "");
    struct cv_app_source source = {.command = command};
    name_of(command[0], name, sizeof(name));
    return cv_entry(name, USAGE, flags, NULL, &source);
}

static int run(char **argv)
{
    if (argv[0] == NULL)
        return usage_error("no file is given", "");
    char **dashes = find_dashes(argv);
    if (argv[0][0] == '-' && dashes != NULL)
        return run_command(argv, dashes + 1);
    if (argv[0][0] == '-' && strcmp(argv[0], "--help") != 0)
        return usage_error("the file comes before the flags, or -- and a command after them, not ",
                           argv[0]);
    static char file[PATH_MAX];
    static char name[64];
    struct cv_app_source source = {.object = file};
    if (cv_load_split(argv[0], file, sizeof(file), &source.symbol) < 0)
        return usage_error("the name of the file is too long", "");
    if (strcmp(argv[0], "--help") == 0)
        return cv_entry("covey", USAGE, argv, NULL, &source);
    name_of(file, name, sizeof(name));
    return cv_entry(name, USAGE, argv + 1, NULL, &source);
}

int covey_command(int argc, char **argv)
{
    if (argc < 2)
        return usage_error("no command is given", "");
    if (strcmp(argv[1], "run") == 0)
        return run(argv + 2);
    if (strcmp(argv[1], "doctor") == 0)
        return cv_doctor(argv + 2);
    if (cv_ctl_knows(argv[1]))
        return cv_ctl(argv[1], argv + 2);
    if (strcmp(argv[1], "--version") == 0) {
        printf("covey %s\n", covey_version());
        return CV_EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        printf("Usage: " USAGE "\n       covey doctor [--json | --clean]\n\n"
               "The flags: covey run --help\n\n%s",
               cv_ctl_usage);
        return CV_EXIT_OK;
    }
    return usage_error("unknown command ", argv[1]);
}
