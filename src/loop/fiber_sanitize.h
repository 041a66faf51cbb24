/* Tells the sanitizers about stack switches; nothing in other builds.
 *
 * AddressSanitizer has to know which stack it is on, ThreadSanitizer that this is still one thread.
 * Each switch is cv_sanitize_leave(), the switch itself, and cv_sanitize_arrive() on the other
 * side.
 */
#ifndef CV_LOOP_FIBER_SANITIZE_H
#define CV_LOOP_FIBER_SANITIZE_H

#include "loop/fiber_switch.h"

#include <stdbool.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define CV_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define CV_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define CV_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define CV_TSAN 1
#endif

#if defined(CV_ASAN) || defined(CV_TSAN)
#define CV_SANITIZED 1
#else
#define CV_SANITIZED 0
#endif

#ifdef CV_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CV_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* One side of a switch: a fiber, or the thread outside of them. */
struct cv_side {
    struct cv_context context;
    const void *low; /* its stack; of the thread only what AddressSanitizer has told us */
    size_t size;
    void *fake_stack; /* AddressSanitizer's, while switched away */
    void *tsan;       /* ThreadSanitizer's */
};

/* A fiber begins to exist, before the first switch to it, and has ended. */
static inline void cv_sanitize_born(struct cv_side *side)
{
#ifdef CV_TSAN
    side->tsan = __tsan_create_fiber(0);
#else
    (void)side;
#endif
}

static inline void cv_sanitize_gone(struct cv_side *side)
{
#ifdef CV_TSAN
    __tsan_destroy_fiber(side->tsan);
#else
    (void)side;
#endif
}

/* Right before switching from `from`, which `ends` if nobody will ever switch back. */
static inline void cv_sanitize_leave(struct cv_side *from, const struct cv_side *to, bool ends)
{
#ifdef CV_ASAN
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack, to->low, to->size);
#endif
#ifdef CV_TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    (void)from;
    (void)to;
    (void)ends;
}

/* Right after arriving on `here`, from `from` (NULL: not of interest). */
static inline void cv_sanitize_arrive(struct cv_side *here, struct cv_side *from)
{
#ifdef CV_ASAN
    const void *low;
    size_t size;
    __sanitizer_finish_switch_fiber(here->fake_stack, &low, &size);
    if (from != NULL) {
        from->low = low;
        from->size = size;
    }
#endif
    (void)here;
    (void)from;
}

/* The thread itself is about to switch for the first time. */
static inline void cv_sanitize_thread(struct cv_side *outside)
{
#ifdef CV_TSAN
    outside->tsan = __tsan_get_current_fiber();
#else
    (void)outside;
#endif
}

/* Nothing lives in this memory any more. */
static inline void cv_sanitize_forget(void *low, size_t size)
{
#ifdef CV_ASAN
    __asan_unpoison_memory_region(low, size);
#else
    (void)low;
    (void)size;
#endif
}

#endif
