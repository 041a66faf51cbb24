#include "base/symbol.h"

#include "base/macros.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A file mapped for reading; everything in it is checked against `size`. */
struct image {
    const char *at;
    size_t size;
};

static bool map_file(const char *path, struct image *ret)
{
    CV_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(ElfW(Ehdr)))
        return false;
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return false;
    *ret = (struct image){at, (size_t)st.st_size};
    return true;
}

static const void *part(const struct image *image, size_t offset, size_t len)
{
    bool is_inside = offset <= image->size && len <= image->size - offset;
    return is_inside ? image->at + offset : NULL;
}

static const ElfW(Shdr) * section(const struct image *image, const ElfW(Ehdr) * head, size_t i)
{
    if (i >= head->e_shnum || head->e_shentsize != sizeof(ElfW(Shdr)))
        return NULL;
    return part(image, head->e_shoff + i * sizeof(ElfW(Shdr)), sizeof(ElfW(Shdr)));
}

/* The function that `offset` lies in, by one symbol table; NULL if none does. */
static const char *search(const struct image *image, const ElfW(Shdr) * table,
                          const ElfW(Shdr) * names, uintptr_t offset)
{
    const ElfW(Sym) *symbols = part(image, table->sh_offset, table->sh_size);
    for (size_t i = 0; symbols != NULL && i < table->sh_size / sizeof(ElfW(Sym)); i++) {
        const ElfW(Sym) *symbol = &symbols[i];
        if ((symbol->st_info & 0xf) != STT_FUNC || offset < symbol->st_value ||
            offset - symbol->st_value >= symbol->st_size || symbol->st_name >= names->sh_size)
            continue;
        const char *name = part(image, names->sh_offset + symbol->st_name, 1);
        size_t room = names->sh_size - symbol->st_name;
        if (name != NULL && part(image, names->sh_offset, names->sh_size) != NULL &&
            memchr(name, '\0', room) != NULL)
            return name;
    }
    return NULL;
}

static const char *search_image(const struct image *image, uintptr_t offset)
{
    const ElfW(Ehdr) *head = part(image, 0, sizeof(*head));
    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
        return NULL;
    for (size_t i = 0; i < head->e_shnum; i++) {
        const ElfW(Shdr) *table = section(image, head, i);
        if (table == NULL || table->sh_type != SHT_SYMTAB)
            continue;
        const ElfW(Shdr) *names = section(image, head, table->sh_link);
        return names != NULL ? search(image, table, names, offset) : NULL;
    }
    return NULL;
}

static void write_name(const char *name, const char *file, uintptr_t offset, char *to, size_t cap)
{
    const char *slash = strrchr(file, '/');
    (void)snprintf(to, cap, "%s (%s+0x%lx)", name != NULL ? name : "??",
                   slash != NULL ? slash + 1 : file, (unsigned long)offset);
}

void cv_symbol_write(const void *address, char *to, size_t cap)
{
    Dl_info info;
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        (void)snprintf(to, cap, "??");
        return;
    }
    uintptr_t offset = (uintptr_t)address - (uintptr_t)info.dli_fbase;
    struct image image;
    if (!map_file(info.dli_fname, &image)) {
        write_name(info.dli_sname, info.dli_fname, offset, to, cap);
        return;
    }
    /* The table's addresses are relative to the base only in what can be loaded anywhere. */
    const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)(const void *)image.at;
    const char *name = search_image(&image, head->e_type == ET_DYN ? offset : (uintptr_t)address);
    write_name(name != NULL ? name : info.dli_sname, info.dli_fname, offset, to, cap);
    (void)munmap((void *)(uintptr_t)image.at, image.size);
}
