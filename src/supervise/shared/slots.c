#include "supervise/shared/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static size_t bytes_of(unsigned count)
{
    return sizeof(struct cv_slots_head) + (size_t)count * CV_SLOT_PAGE_BYTES;
}

int cv_slots_map(struct cv_slots *slots)
{
    size_t bytes = bytes_of(slots->count);
    struct stat st;
    if (fstat(slots->fd, &st) < 0)
        return -errno;
    if ((size_t)st.st_size != bytes) /* past its end there is only a signal */
        return -EBADMSG;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slots->fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    slots->head = at;
    slots->seen = slots->head;
    slots->pages = (struct cv_slot_page *)(void *)(slots->head + 1);
    slots->table = slots->pages;
    return 0;
}

int cv_slots_new(struct cv_slots *slots, unsigned count)
{
    CV_AUTOCLOSE int fd = memfd_create("covey-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)bytes_of(count)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    *slots = (struct cv_slots){.fd = fd, .count = count};
    int rc = cv_slots_map(slots);
    if (rc == 0)
        (void)cv_take_fd(&fd);
    return rc;
}

int cv_slots_join(struct cv_slots *slots, int fd, unsigned count, unsigned slot)
{
    CV_AUTOCLOSE int owned = fd;
    void *table = mmap(NULL, bytes_of(count), PROT_READ, MAP_SHARED, owned, 0);
    if (table == MAP_FAILED)
        return -errno;
    off_t at = (off_t)bytes_of(slot);
    void *own = mmap(NULL, CV_SLOT_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, owned, at);
    if (own == MAP_FAILED) {
        int rc = -errno;
        (void)munmap(table, bytes_of(count));
        return rc;
    }
    const struct cv_slots_head *head = table;
    *slots = (struct cv_slots){.fd = -1,
                               .count = count,
                               .seen = head,
                               .table = (const struct cv_slot_page *)(const void *)(head + 1),
                               .own = own};
    return 0;
}

void cv_slots_done(struct cv_slots *slots)
{
    if (slots->seen != NULL)
        (void)munmap((void *)(uintptr_t)slots->seen, bytes_of(slots->count));
    if (slots->own != NULL)
        (void)munmap(slots->own, CV_SLOT_PAGE_BYTES);
    if (slots->fd >= 0)
        (void)close(slots->fd);
    *slots = (struct cv_slots){.fd = -1};
}
