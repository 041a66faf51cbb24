/* The switch for aarch64 (AAPCS64). See fiber_switch.h for the contract.
 *
 * A call may clobber all registers but those below, so the compiler has saved the rest already.
 * A suspended context is its stack pointer; from there up lie
 *
 *       0  FPCR       rounding and exception masks: they belong to the caller (the status flags are
 *                     in FPSR and belong to nobody); 8 bytes behind it keep what follows aligned
 *      16  x19..x28   the callee-saved registers: whoever called cv_context_switch expects them
 *      96  x29        back unchanged
 *     104  x30        where to go on, signed with the stack pointer at 176
 *     112  d8..d15    the lower halves of v8..v15, which alone belong to the caller
 *
 * x18 is the platform's, TPIDR_EL0 and the signal mask are the thread's: they are left alone.
 *
 * Return addresses are signed, and indirect calls land on a pad, where the processor can check that
 * (PAC, BTI). Elsewhere these instructions do nothing; they are written as hints, so that every
 * assembler knows them. We leave with ret, which needs no pad where it arrives, although the
 * processor predicts it wrong. A guarded control stack would have to be switched too: the note at
 * the end does not claim that the program can live with one.
 */
#if defined(__aarch64__) && !defined(__ILP32__) && !defined(CV_FIBER_UCONTEXT)

#define FRAME     176
#define PACIASP   hint #25              /* signs x30 with sp; also a pad for calls */
#define AUTIASP   hint #29
#define PACIA1716 hint #8               /* signs x17 with x16 */
#define BTI_C     hint #34

        .text

/* void cv_context_switch(struct cv_context *from (x0), const struct cv_context *to (x1)) */
        .globl  cv_context_switch
        .hidden cv_context_switch
        .type   cv_context_switch, %function
        .p2align 4
cv_context_switch:
        .cfi_startproc
        PACIASP
        .cfi_negate_ra_state
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        mrs     x2, fpcr
        str     x2, [sp]
        stp     x19, x20, [sp, #16]
        .cfi_rel_offset x19, 16
        .cfi_rel_offset x20, 24
        stp     x21, x22, [sp, #32]
        .cfi_rel_offset x21, 32
        .cfi_rel_offset x22, 40
        stp     x23, x24, [sp, #48]
        .cfi_rel_offset x23, 48
        .cfi_rel_offset x24, 56
        stp     x25, x26, [sp, #64]
        .cfi_rel_offset x25, 64
        .cfi_rel_offset x26, 72
        stp     x27, x28, [sp, #80]
        .cfi_rel_offset x27, 80
        .cfi_rel_offset x28, 88
        stp     x29, x30, [sp, #96]
        .cfi_rel_offset x29, 96
        .cfi_rel_offset x30, 104
        stp     d8, d9, [sp, #112]
        .cfi_rel_offset d8, 112
        .cfi_rel_offset d9, 120
        stp     d10, d11, [sp, #128]
        .cfi_rel_offset d10, 128
        .cfi_rel_offset d11, 136
        stp     d12, d13, [sp, #144]
        .cfi_rel_offset d12, 144
        .cfi_rel_offset d13, 152
        stp     d14, d15, [sp, #160]
        .cfi_rel_offset d14, 160
        .cfi_rel_offset d15, 168

        mov     x3, sp
        str     x3, [x0]                /* from->sp */
        ldr     x3, [x1]                /* to->sp: its frame looks like ours, so the CFI holds */
        mov     sp, x3

        /* Writing FPCR makes the processor wait for what is under way: so only if it differs, which
         * it hardly ever does. */
        ldr     x3, [sp]
        cmp     x2, x3
        b.ne    2f
1:      ldp     d14, d15, [sp, #160]
        ldp     d12, d13, [sp, #144]
        ldp     d10, d11, [sp, #128]
        ldp     d8, d9, [sp, #112]
        ldp     x29, x30, [sp, #96]
        ldp     x27, x28, [sp, #80]
        ldp     x25, x26, [sp, #64]
        ldp     x23, x24, [sp, #48]
        ldp     x21, x22, [sp, #32]
        ldp     x19, x20, [sp, #16]
        .cfi_remember_state
        add     sp, sp, #FRAME
        .cfi_def_cfa_offset 0
        .cfi_restore d14
        .cfi_restore d15
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x19
        .cfi_restore x20
        AUTIASP
        .cfi_negate_ra_state
        ret
        .cfi_restore_state
2:      msr     fpcr, x3
        b       1b
        .cfi_endproc
        .size   cv_context_switch, . - cv_context_switch

/* Where a new context begins, with entry in x19 and its argument in x20. Backtraces end here. */
        .type   begin, %function
        .p2align 4
begin:
        .cfi_startproc
        .cfi_undefined x30
        mov     x0, x20
        blr     x19
        brk     #1                      /* entry never returns */
        .cfi_endproc
        .size   begin, . - begin

/* void cv_context_make(struct cv_context *context (x0), void *low (x1), size_t size (x2),
 *                      void (*entry)(void *) (x3), void *arg (x4)) */
        .globl  cv_context_make
        .hidden cv_context_make
        .type   cv_context_make, %function
        .p2align 4
cv_context_make:
        .cfi_startproc
        BTI_C
        add     x16, x1, x2             /* the top: sp must always be aligned to 16 */
        and     x16, x16, #-16
        adr     x17, begin
        PACIA1716
        sub     x5, x16, #FRAME
        stp     xzr, xzr, [x5]          /* FPCR as a program starts with it, whatever the code that */
        stp     x3, x4, [x5, #16]       /* happens to start the fiber has set */
        stp     xzr, xzr, [x5, #32]
        stp     xzr, xzr, [x5, #48]
        stp     xzr, xzr, [x5, #64]
        stp     xzr, xzr, [x5, #80]
        stp     xzr, x17, [x5, #96]     /* x29: no frame above, for those who follow frame pointers */
        stp     xzr, xzr, [x5, #112]
        stp     xzr, xzr, [x5, #128]
        stp     xzr, xzr, [x5, #144]
        stp     xzr, xzr, [x5, #160]
        str     x5, [x0]
        ret
        .cfi_endproc
        .size   cv_context_make, . - cv_context_make

#endif

        .section .note.GNU-stack, "", %progbits

/* This object keeps to BTI (1) and PAC (2); the linker marks what is made only of such. */
        .section .note.gnu.property, "a", %note
        .balign 8
        .long   4, 16, 5                /* name, descriptor, NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000000, 4, 3, 0     /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
