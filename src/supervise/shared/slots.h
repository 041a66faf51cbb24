/* The state pages: shared memory of one 4 KiB page per slot, one writer each, no lock, no name.
 *
 * A worker maps its own page for writing and the whole table for reading. Every field is an atomic
 * word, so that a writer killed half-way leaves nothing torn. What a worker has written is hostile
 * data to everyone else: readers take numbers for decisions that hurt nobody when they lie.
 */
#ifndef CV_SUPERVISE_SLOTS_H
#define CV_SUPERVISE_SLOTS_H

#include "base/macros.h"

#include <stdatomic.h>
#include <stdint.h>

#define CV_SLOT_PAGE_BYTES 4096

/* One slot's page. */
struct cv_slot_page {
    _Atomic uint32_t
        pid; /* 0: nobody serves here. Written by the master's side only when it reaps */
    _Atomic uint32_t generation;
    _Atomic int64_t
        running_since;        /* the beat: CLOCK_MONOTONIC ns of the last wait's end; 0: waiting */
    _Atomic uint32_t serving; /* 1 from READY until it drains */
    _Atomic uint32_t connections; /* open */
    _Atomic uint64_t requests;    /* so far */
    _Alignas(CV_SLOT_PAGE_BYTES) char end[];
};
_Static_assert(sizeof(struct cv_slot_page) == CV_SLOT_PAGE_BYTES, "a slot is a page");

/* The page in front of the slots, written by the master. */
struct cv_slots_head {
    _Atomic uint32_t looking;    /* the master looks for workers that hang (beat.h) */
    _Atomic uint32_t slots_used; /* slots from here on have never been used */
    _Alignas(CV_SLOT_PAGE_BYTES) char end[];
};
_Static_assert(sizeof(struct cv_slots_head) == CV_SLOT_PAGE_BYTES, "the head is a page");

struct cv_slots {
    int fd;
    unsigned count;
    struct cv_slots_head *head;       /* NULL in workers */
    const struct cv_slots_head *seen; /* the same, for reading */
    struct cv_slot_page *pages;       /* NULL in workers */
    const struct cv_slot_page *table; /* the pages, for reading */
    struct cv_slot_page *own;         /* a worker's own page */
};

/* The master's side: makes a sealed memfd for `count` slots and maps it. 0 or -errno. */
CV_MUST_CHECK int cv_slots_new(struct cv_slots *slots, unsigned count);

/* The same for a memfd that was made by it: `fd` and `count` are given. 0 or -errno. */
CV_MUST_CHECK int cv_slots_map(struct cv_slots *slots);

/* A worker's side: maps the table for reading and page `slot` for writing, then closes `fd`. 0 or
 * -errno. */
CV_MUST_CHECK int cv_slots_join(struct cv_slots *slots, int fd, unsigned count, unsigned slot);

void cv_slots_done(struct cv_slots *slots);

#endif
