/* Leaving one stack and going on on another.
 *
 * On x86-64 and aarch64 a few dozen instructions (fiber_x86_64.S, fiber_aarch64.S); elsewhere, and
 * where CV_FIBER_UCONTEXT is defined (meson setup -Dc_args=-DCV_FIBER_UCONTEXT), libc's ucontext,
 * which also makes a system call to save the signal mask.
 */
#ifndef CV_LOOP_FIBER_SWITCH_H
#define CV_LOOP_FIBER_SWITCH_H

#include <stddef.h>
#include <stdint.h>

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(__ILP32__) &&                        \
    !defined(CV_FIBER_UCONTEXT)

struct cv_context {
    void *sp; /* everything else is saved on the stack it points to */
};

/* Gives a context that is suspended the floating-point modes with which a program starts. */
#define CV_CONTEXT_CALMS 1
static inline void cv_context_calm(struct cv_context *context)
{
#if defined(__x86_64__)
    uint32_t *saved = context->sp;
    saved[0] = 0x1f80; /* MXCSR */
    saved[1] = 0x037f; /* x87 CW */
#else
    uint64_t *saved = context->sp;
    saved[0] = 0; /* FPCR */
#endif
}

/* The same for the context that runs. They hardly ever are others, and loading them is slow. */
static inline void cv_context_calm_self(void)
{
#if defined(__x86_64__)
    uint32_t mxcsr;
    uint16_t cw;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(cw));
    if ((mxcsr & 0xffc0) != 0x1f80) {
        mxcsr = 0x1f80;
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    }
    if (cw != 0x037f) {
        cw = 0x037f;
        __asm__ volatile("fldcw %0" : : "m"(cw));
    }
#else
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    if (fpcr != 0)
        __asm__ volatile("msr fpcr, xzr");
#endif
}

#else
#define CV_CONTEXT_IS_LIBCS 1
#include <ucontext.h>

struct cv_context {
    ucontext_t machine;
};

#define CV_CONTEXT_CALMS 0
static inline void cv_context_calm(struct cv_context *context)
{
    (void)context;
}
static inline void cv_context_calm_self(void)
{
}

#endif

/* Prepares `context` so that the first switch to it calls entry(arg) on the stack [low, low +
 * size). `entry` must never return. */
void cv_context_make(struct cv_context *context, void *low, size_t size, void (*entry)(void *arg),
                     void *arg);

/* Saves where we are in `from` and goes on where `to` was saved. Returns when somebody switches
 * back to `from`. */
void cv_context_switch(struct cv_context *from, const struct cv_context *to);

#endif
