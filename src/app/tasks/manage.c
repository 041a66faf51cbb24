/* Registration of managed processes. */
#include "app/tasks/manage.h"
#include "app/options.h"

#include "app/app.h"
#include "base/which.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 31

/* What both kinds have in common. */
struct declaration {
    const char *name;
    int workers;
    enum covey_restart restart;
    bool is_transient;
    const char *file;
    int line;
};

static const char *const reserved[] = {"main", "master", "guardian", "worker", "inspector"};

/* What is wrong with a name; NULL: nothing. */
static const char *fault_of_name(const covey_app *app, const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    if (name == NULL || name[0] == '\0')
        return "it has no name";
    if (strlen(name) > NAME_MAX_BYTES)
        return "its name is longer than 31 bytes";
    if (name[strspn(name, allowed)] != '\0')
        return "its name may have letters, digits and \"-_.\" only";
    if (name[strspn(name, "0123456789")] == '\0')
        return "its name is a number, and numbers mean workers";
    for (size_t i = 0; i < CV_COUNT(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return "covey's own processes have that name";
    return cv_app_process(app, name) != NULL ? "that name has been declared before" : NULL;
}

static unsigned count_all(const covey_app *app)
{
    unsigned n = 0;
    for (const struct cv_process *process = app->processes; process != NULL;
         process = process->next)
        n += process->workers;
    return n;
}

static const char *fault_of(const covey_app *app, const struct declaration *declaration)
{
    const char *fault = fault_of_name(app, declaration->name);
    if (fault != NULL)
        return fault;
    if (declaration->workers < 0)
        return "it needs one worker or more";
    unsigned wanted = declaration->workers == 0 ? 1 : (unsigned)declaration->workers;
    if (wanted > COVEY_MANAGED_MAX || count_all(app) + wanted > COVEY_MANAGED_MAX)
        return "there can be 64 managed processes in all";
    if ((unsigned)declaration->restart > COVEY_RESTART_NEVER)
        return "there is no such restart policy";
    return NULL;
}

static void fail(covey_app *app, const struct declaration *declaration, const char *fault)
{
    cv_app_fail(app, "%s:%d: managed process %s: %s", declaration->file, declaration->line,
                declaration->name != NULL ? declaration->name : "without a name", fault);
}

/* Behind the last. NULL if something is wrong: the app has failed. */
static struct cv_process *add(covey_app *app, const struct declaration *declaration)
{
    const char *fault = fault_of(app, declaration);
    struct cv_process *process =
        fault == NULL ? cv_arena_alloc(&app->arena, sizeof(*process)) : NULL;
    const char *name =
        process != NULL ? cv_arena_strndup(&app->arena, cv_span_str(declaration->name)) : NULL;
    if (name == NULL) {
        fail(app, declaration, fault != NULL ? fault : "out of memory");
        return NULL;
    }
    *process = (struct cv_process){
        .name = name,
        .workers = declaration->workers == 0 ? 1 : (unsigned)declaration->workers,
        .restart = declaration->restart,
        .is_transient = declaration->is_transient,
        .file = declaration->file,
        .line = declaration->line};
    struct cv_process **end = &app->processes;
    while (*end != NULL)
        end = &(*end)->next;
    *end = process;
    return process;
}

const struct cv_process *cv_app_process(const covey_app *app, const char *name)
{
    const struct cv_process *process = app->processes;
    while (process != NULL && strcmp(process->name, name) != 0)
        process = process->next;
    return process;
}

void covey_manage_at(covey_app *app, const char *name, const struct covey_process *process,
                     const char *file, int line)
{
    if (!cv_app_can_register(app, "covey_manage", file, line))
        return;
    app = app->root;
    struct covey_process how;
    struct declaration declaration = {.name = name, .file = file, .line = line};
    if (!CV_OPTIONS_READ(&how, process)) {
        fail(app, &declaration, CV_OPTIONS_UNKNOWN);
        return;
    }
    declaration.workers = how.workers;
    declaration.restart = how.restart;
    declaration.is_transient = how.transient;
    if (how.fn == NULL) {
        fail(app, &declaration, "its function is NULL");
        return;
    }
    struct cv_process *added = add(app, &declaration);
    if (added != NULL)
        added->fn = how.fn;
}

/* ---- Commands ---- */

static size_t bytes_of(const char *const *argv)
{
    size_t bytes = 0;
    for (; *argv != NULL; argv++)
        bytes += strlen(*argv) + 1;
    return bytes;
}

static size_t bytes_of_all(const covey_app *app)
{
    size_t bytes = 0;
    for (const struct cv_process *process = app->processes; process != NULL;
         process = process->next)
        bytes += process->words.len;
    return bytes;
}

static const char *fault_of_command(const covey_app *app, const char *const *argv)
{
    char path[PATH_MAX];
    if (argv == NULL || argv[0] == NULL || argv[0][0] == '\0')
        return "it has no command";
    if (bytes_of_all(app) + bytes_of(argv) > CV_PROCESS_WORDS_MAX)
        return "the words of all commands are more than 8192 bytes";
    switch (cv_which(argv[0], path)) {
    case 0: return NULL;
    case -EACCES: return "its program may not be executed";
    default: return "there is no such program";
    }
}

static struct cv_span join(struct cv_arena *arena, const char *const *argv)
{
    size_t len = bytes_of(argv);
    char *words = cv_arena_alloc(arena, len);
    char *at = words;
    for (; words != NULL && *argv != NULL; argv++)
        at = stpcpy(at, *argv) + 1;
    return cv_span(words, words != NULL ? len : 0);
}

void covey_manage_command_at(covey_app *app, const char *name, const struct covey_command *command,
                             const char *file, int line)
{
    if (!cv_app_can_register(app, "covey_manage_command", file, line))
        return;
    app = app->root;
    struct covey_command how;
    struct declaration declaration = {.name = name, .file = file, .line = line};
    if (!CV_OPTIONS_READ(&how, command)) {
        fail(app, &declaration, CV_OPTIONS_UNKNOWN);
        return;
    }
    declaration.workers = how.workers;
    declaration.restart = how.restart;
    declaration.is_transient = how.transient;
    const char *fault = fault_of_command(app, how.argv);
    if (fault != NULL) {
        char text[256];
        const char *program = how.argv != NULL && how.argv[0] != NULL ? how.argv[0] : "";
        (void)snprintf(text, sizeof(text), "%s (\"%s\")", fault, program);
        fail(app, &declaration, text);
        return;
    }
    struct cv_process *added = add(app, &declaration);
    if (added == NULL)
        return;
    added->words = join(&app->arena, how.argv);
    if (added->words.len == 0)
        fail(app, &declaration, "out of memory");
}
