#include "base/source.h"

#include "base/log.h"
#include "base/macros.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <stdint.h>
#include <stdio.h>

static struct {
    __typeof__(&dwfl_begin) begin;
    __typeof__(&dwfl_report_begin) report_begin;
    __typeof__(&dwfl_linux_proc_report) proc_report;
    __typeof__(&dwfl_linux_proc_find_elf) find_elf;
    __typeof__(&dwfl_report_end) report_end;
    __typeof__(&dwfl_addrmodule) addrmodule;
    __typeof__(&dwfl_module_getsrc) getsrc;
    __typeof__(&dwfl_lineinfo) lineinfo;
    __typeof__(&dwfl_line_comp_dir) comp_dir;
} dw;

static const struct {
    const char *name;
    void *at;
} functions[] = {
    {"dwfl_begin", &dw.begin},
    {"dwfl_report_begin", &dw.report_begin},
    {"dwfl_linux_proc_report", &dw.proc_report},
    {"dwfl_linux_proc_find_elf", &dw.find_elf},
    {"dwfl_report_end", &dw.report_end},
    {"dwfl_addrmodule", &dw.addrmodule},
    {"dwfl_module_getsrc", &dw.getsrc},
    {"dwfl_lineinfo", &dw.lineinfo},
    {"dwfl_line_comp_dir", &dw.comp_dir},
};

static bool load(void)
{
    void *library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library != NULL && i < CV_COUNT(functions); i++) {
        void *found = dlsym(library, functions[i].name);
        if (found == NULL)
            return false;
        *(void **)functions[i].at = found;
    }
    return library != NULL;
}

/* Only what the program itself carries: elfutils' own search may ask servers. */
static int no_other_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                         const char *file, const char *link, GElf_Word crc, char **ret)
{
    (void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)ret;
    return -1;
}

static bool report(Dwfl *session)
{
    dw.report_begin(session);
    bool is_read = dw.proc_report(session, getpid()) == 0;
    return dw.report_end(session, NULL, NULL) == 0 && is_read;
}

/* The one session of this process, which is kept: the maps are read once, and again for what has
 * been loaded since. */
static Dwfl_Module *module_of(Dwarf_Addr address)
{
    static Dwfl_Callbacks callbacks = {.find_debuginfo = no_other_file};
    static Dwfl *session;
    static pid_t owner; /* after a fork the maps are another process's */
    if (session == NULL || owner != getpid()) {
        callbacks.find_elf = dw.find_elf;
        session = dw.begin(&callbacks);
        owner = getpid();
        if (session == NULL || !report(session))
            return NULL;
    }
    Dwfl_Module *module = dw.addrmodule(session, address);
    if (module == NULL && report(session))
        module = dw.addrmodule(session, address);
    return module;
}

bool cv_source_find(const void *address, char *file, size_t cap, int *ret_line)
{
    static enum { NOT_TRIED, LOADED, MISSING } library;
    if (library == NOT_TRIED) {
        library = load() ? LOADED : MISSING;
        if (library == MISSING)
            cv_info("backtraces have no source lines, because libdw.so.1 cannot be loaded (Debian "
                    "package libdw1)");
    }
    Dwfl_Module *module = library == LOADED ? module_of((uintptr_t)address) : NULL;
    Dwfl_Line *line = module != NULL ? dw.getsrc(module, (uintptr_t)address) : NULL;
    const char *name = line != NULL ? dw.lineinfo(line, NULL, ret_line, NULL, NULL, NULL) : NULL;
    if (name == NULL)
        return false;
    const char *folder = name[0] != '/' ? dw.comp_dir(line) : NULL;
    (void)snprintf(file, cap, "%s%s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "",
                   name);
    return true;
}
