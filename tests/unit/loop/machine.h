/* What of the processor belongs to a fiber and must be the same after a switch.
 *
 * MODES: how floating-point numbers are rounded and what traps, as a program starts with it;
 * MODES_UP: with rounding upwards. GENERAL, FLOATING: the registers that a call must leave as they
 * are, numbered. MACHINE_KNOWN: all this is defined. */
#ifndef TESTS_UNIT_LOOP_MACHINE_H
#define TESTS_UNIT_LOOP_MACHINE_H

#include <stdint.h>

#if defined(__x86_64__)
#define MACHINE_KNOWN 1
#define MODES UINT64_C(0x1f80037f) /* the control bits of MXCSR, the control word of x87 */
#define MODES_UP UINT64_C(0x5f800b7f)

static inline uint64_t machine_modes(void)
{
    uint16_t x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (uint64_t)(__builtin_ia32_stmxcsr() & 0xffc0) << 16 | x87;
}

static inline void machine_set_modes(uint64_t modes)
{
    uint16_t x87 = (uint16_t)modes;
    __builtin_ia32_ldmxcsr((unsigned)(modes >> 16));
    __asm__ volatile("fldcw %0" : : "m"(x87));
}

#define GENERAL(EACH) EACH(rbx, 1), EACH(r12, 2), EACH(r13, 3), EACH(r14, 4), EACH(r15, 5)

#elif defined(__aarch64__)
#define MACHINE_KNOWN 1
#define MODES UINT64_C(0) /* FPCR */
#define MODES_UP UINT64_C(0x400000)

static inline uint64_t machine_modes(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

static inline void machine_set_modes(uint64_t modes)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(modes));
}

#define GENERAL(EACH)                                                                              \
    EACH(x19, 1), EACH(x20, 2), EACH(x21, 3), EACH(x22, 4), EACH(x23, 5), EACH(x24, 6),            \
        EACH(x25, 7), EACH(x26, 8), EACH(x27, 9), EACH(x28, 10)
#define FLOATING(EACH)                                                                             \
    EACH(d8, 1), EACH(d9, 2), EACH(d10, 3), EACH(d11, 4), EACH(d12, 5), EACH(d13, 6),              \
        EACH(d14, 7), EACH(d15, 8)
#endif

#endif
