/* The switch where there is none in assembler. See fiber_switch.h for the contract. */
#include "loop/fiber_switch.h"

#ifdef CV_CONTEXT_IS_LIBCS

#include <stdint.h>

#include "base/assert.h"

typedef void (*entry_fn)(void *arg);

/* makecontext() passes ints only: two pointers travel as two halves each. */
static uintptr_t join(unsigned high, unsigned low)
{
    return (uintptr_t)((uint64_t)high << 32 | low);
}

static void begin(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
    /* POSIX lets function pointers pass through integers of their size. */
    entry_fn entry = (entry_fn)join(entry_high, entry_low);
    entry((void *)join(arg_high, arg_low));
}

void cv_context_make(struct cv_context *context, void *low, size_t size, void (*entry)(void *arg),
                     void *arg)
{
    int rc = getcontext(&context->machine);
    CV_ASSERT(rc == 0); /* fails on no system that has it */
    context->machine.uc_stack.ss_sp = low;
    context->machine.uc_stack.ss_size = size;
    context->machine.uc_link = NULL;
    uint64_t from = (uintptr_t)entry;
    uint64_t to = (uintptr_t)arg;
    makecontext(&context->machine, (void (*)(void))begin, 4, (unsigned)(from >> 32), (unsigned)from,
                (unsigned)(to >> 32), (unsigned)to);
}

void cv_context_switch(struct cv_context *from, const struct cv_context *to)
{
    int rc = swapcontext(&from->machine, &to->machine);
    CV_ASSERT(rc == 0);
}

#endif
