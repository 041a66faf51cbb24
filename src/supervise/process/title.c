#include "supervise/process/title.h"

#include "base/fd.h"

#include <linux/prctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define TITLE_BYTES 256

extern char **environ;

/* The memory map as /proc/self/stat tells it (proc(5): fields 26-28 and 45-51). False if it cannot
 * be read. */
static bool read_map(struct prctl_mm_map *map)
{
    char stat[2048];
    if (cv_fd_slurp("/proc/self/stat", stat, sizeof(stat)) < 0)
        return false;
    char *at = strrchr(stat, ')'); /* the name may hold blanks and parentheses */
    if (at == NULL)
        return false;
    uint64_t field[52] = {0};
    int n = 3;
    char *save = NULL;
    for (char *word = strtok_r(at + 1, " ", &save); word != NULL && n < 52;
         word = strtok_r(NULL, " ", &save))
        field[n++] = strtoull(word, NULL, 10);
    if (n < 52)
        return false;
    *map = (struct prctl_mm_map){.start_code = field[26],
                                 .end_code = field[27],
                                 .start_stack = field[28],
                                 .start_data = field[45],
                                 .end_data = field[46],
                                 .start_brk = field[47],
                                 .arg_start = field[48],
                                 .arg_end = field[49],
                                 .env_start = field[50],
                                 .env_end = field[51],
                                 .brk = (uint64_t)(uintptr_t)sbrk(0),
                                 .exe_fd = UINT32_MAX};
    return map->arg_start != 0;
}

/* The environment as one block with `variable` behind it. */
static void lay_out_environment(char *at, const char *variable, struct prctl_mm_map *map)
{
    map->env_start = (uint64_t)(uintptr_t)at;
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        size_t len = strlen(*entry) + 1;
        memcpy(at, *entry, len);
        at += len;
    }
    size_t len = strlen(variable) + 1;
    memcpy(at, variable, len);
    map->env_end = (uint64_t)(uintptr_t)(at + len);
}

static size_t environment_bytes(void)
{
    size_t total = 0;
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        total += strlen(*entry) + 1;
    return total;
}

/* Gives title (and environment) an area of their own. It stays mapped as long as the process lives.
 */
static void move_out(const char *title, const char *variable, struct prctl_mm_map *map)
{
    size_t bytes = TITLE_BYTES;
    if (variable != NULL)
        bytes += environment_bytes() + strlen(variable) + 1;
    char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        return;
    (void)snprintf(area, TITLE_BYTES, "%s", title);
    map->arg_start = (uint64_t)(uintptr_t)area;
    map->arg_end = map->arg_start + strlen(area) + 1;
    if (variable != NULL)
        lay_out_environment(area + TITLE_BYTES, variable, map);
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, map, sizeof(*map), 0) < 0)
        (void)munmap(area, bytes);
}

void cv_title_set(const char *name, const char *what, const char *variable)
{
    char title[TITLE_BYTES];
    (void)snprintf(title, sizeof(title), "%s: %s", name, what);
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);

    struct prctl_mm_map map;
    if (read_map(&map))
        move_out(title, variable, &map);
}
