/* Finds the setup function in a shared object. See load.h. */
#include "host/native/load.h"

#include "base/exit.h"
#include "http/chars.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

static bool is_c_name(const char *text)
{
    if (!cv_chars_is_letter(*text) && *text != '_')
        return false;
    for (; *text != '\0'; text++) {
        if (!cv_chars_is_letter(*text) && !cv_chars_is_digit(*text) && *text != '_')
            return false;
    }
    return true;
}

int cv_load_split(const char *spec, char *ret_file, size_t cap, const char **ret_symbol)
{
    const char *colon = strrchr(spec, ':');
    bool has_symbol = colon != NULL && is_c_name(colon + 1) && access(spec, F_OK) < 0;
    size_t len = has_symbol ? (size_t)(colon - spec) : strlen(spec);

    if (len >= cap)
        return -ENAMETOOLONG;
    memcpy(ret_file, spec, len);
    ret_file[len] = '\0';
    *ret_symbol = has_symbol ? colon + 1 : NULL;
    return 0;
}

/* How the user knows the file: a descriptor's path says nothing. */
static const char *name_of(const char *path, char *to, size_t cap)
{
    if (strncmp(path, "/proc/self/fd/", 14) != 0)
        return path;
    ssize_t len = readlink(path, to, cap - 1);
    if (len < 0)
        return path;
    to[len] = '\0';
    return to;
}

/* Without a slash dlopen() would search the system's libraries. */
static void *open_object(const char *path)
{
    char here[PATH_MAX];
    if (strchr(path, '/') != NULL)
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    int len = snprintf(here, sizeof(here), "./%s", path);
    return len < (int)sizeof(here) ? dlopen(here, RTLD_NOW | RTLD_LOCAL) : NULL;
}

/* dlerror() begins with the path once more. */
static const char *why_not(const char *path)
{
    const char *error = dlerror();
    const char *found = error != NULL ? strstr(error, path) : NULL;
    if (found != error || found == NULL)
        return error != NULL ? error : "unknown error";
    found += strlen(path);
    return strncmp(found, ": ", 2) == 0 ? found + 2 : error;
}

/* A function of that name is no entry: reading it as one would give a wrong reason. */
static bool is_entry(const void *at)
{
    Dl_info info;
    void *extra = NULL;
    if (dladdr1(at, &info, &extra, RTLD_DL_SYMENT) == 0 || extra == NULL)
        return false;
    const ElfW(Sym) *symbol = extra;
    return ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT && symbol->st_size >= 2 * sizeof(uint32_t);
}

static int check(const struct covey_entry *entry, const char *name, char *reason, size_t cap)
{
    if (entry->abi != COVEY_ABI || entry->size != sizeof(*entry)) {
        (void)snprintf(reason, cap,
                       "%s was built for another covey (ABI %u, entry of %u bytes); this one has "
                       "ABI %u and %zu bytes: rebuild it",
                       name, entry->abi, entry->size, (unsigned)COVEY_ABI, sizeof(*entry));
        return CV_EXIT_CONFIG;
    }
    if (entry->setup == NULL) {
        (void)snprintf(reason, cap, "%s: the setup function is NULL", name);
        return CV_EXIT_LOAD;
    }
    return CV_EXIT_OK;
}

int cv_load(const char *path, const char *symbol, covey_setup_fn **ret, char *reason, size_t cap)
{
    char buffer[PATH_MAX];
    const char *name = name_of(path, buffer, sizeof(buffer));
    const char *wanted = symbol != NULL ? symbol : CV_LOAD_SYMBOL;

    if (access(path, R_OK) < 0) {
        (void)snprintf(reason, cap, "cannot load %s: %s", name, strerror(errno));
        return CV_EXIT_LOAD;
    }
    void *object = open_object(path);
    if (object == NULL) {
        (void)snprintf(reason, cap, "cannot load %s: %s", name, why_not(path));
        return CV_EXIT_LOAD;
    }

    const struct covey_entry *entry = dlsym(object, wanted);
    if (entry == NULL || !is_entry(entry)) {
        if (symbol == NULL)
            (void)snprintf(reason, cap, "%s is no covey app: COVEY_APP(setup) is missing in it",
                           name);
        else
            (void)snprintf(reason, cap, "%s has no app \"%s\" (COVEY_APP_AS(%s, setup))", name,
                           symbol, symbol);
        return CV_EXIT_LOAD;
    }
    int rc = check(entry, name, reason, cap);
    if (rc == CV_EXIT_OK)
        *ret = entry->setup;
    return rc;
}
