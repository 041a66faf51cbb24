/* The switch for x86-64 (System V ABI). See fiber_switch.h for the contract.
 *
 * A call may clobber all registers but those below, so the compiler has saved the rest already.
 * A suspended context is its stack pointer; from there up lie
 *
 *       0  MXCSR      rounding and exception masks of SSE: the status flags in it belong to nobody,
 *                     the control bits to the caller
 *       4  x87 CW     the same for long double
 *       8  r15        the callee-saved registers: whoever called cv_context_switch expects
 *      16  r14        them back unchanged
 *      24  r13
 *      32  r12
 *      40  rbx
 *      48  rbp
 *      56  where to go on
 *
 * The direction flag is clear on every call by the ABI; nothing has to be done for it. The signal
 * mask belongs to the thread and is left alone. This object carries no CET note: a shadow stack
 * would have to be switched too, so the linker must not claim that the program can live with one.
 */
#if defined(__x86_64__) && !defined(__ILP32__) && !defined(CV_FIBER_UCONTEXT)

        .text

/* void cv_context_switch(struct cv_context *from (rdi), const struct cv_context *to (rsi)) */
        .globl  cv_context_switch
        .hidden cv_context_switch
        .type   cv_context_switch, @function
        .p2align 4
cv_context_switch:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movl    (%rsp), %eax
        movzwl  4(%rsp), %edx

        movq    %rsp, (%rdi)            /* from->sp */
        movq    (%rsi), %rsp            /* to->sp: its frame looks like ours, so the CFI holds */

        /* Loading a changed MXCSR costs some 50 ns, and one inexact division changes a status flag:
         * so only if the control bits differ, which they hardly ever do. */
        xorl    (%rsp), %eax
        testl   $0xffc0, %eax
        jne     3f
1:      cmpw    %dx, 4(%rsp)
        jne     4f
2:      .cfi_remember_state
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        /* Not ret: the processor predicts that one from the calls it has seen, and this address is
         * from another stack's. */
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        jmpq    *%rcx
        .cfi_restore_state
3:      ldmxcsr (%rsp)
        jmp     1b
4:      fldcw   4(%rsp)
        jmp     2b
        .cfi_endproc
        .size   cv_context_switch, . - cv_context_switch

/* Where a new context begins, with entry in r12 and its argument in r13. Backtraces end here. */
        .type   begin, @function
        .p2align 4
begin:
        .cfi_startproc
        .cfi_undefined %rip
        endbr64
        movq    %r13, %rdi
        callq   *%r12
        ud2                             /* entry never returns */
        .cfi_endproc
        .size   begin, . - begin

/* void cv_context_make(struct cv_context *context (rdi), void *low (rsi), size_t size (rdx),
 *                      void (*entry)(void *) (rcx), void *arg (r8)) */
        .globl  cv_context_make
        .hidden cv_context_make
        .type   cv_context_make, @function
        .p2align 4
cv_context_make:
        .cfi_startproc
        endbr64
        leaq    (%rsi,%rdx), %rax       /* the top: the ABI wants it aligned to 16 at a call */
        andq    $-16, %rax
        subq    $64, %rax
        movl    $0x1f80, (%rax)         /* MXCSR and CW as a program starts with them, whatever the */
        movl    $0x037f, 4(%rax)        /* code that happens to start the fiber has set */
        movq    $0, 8(%rax)
        movq    $0, 16(%rax)
        movq    %r8, 24(%rax)           /* r13 */
        movq    %rcx, 32(%rax)          /* r12 */
        movq    $0, 40(%rax)
        movq    $0, 48(%rax)            /* rbp: no frame above, for those who follow frame pointers */
        leaq    begin(%rip), %rcx
        movq    %rcx, 56(%rax)
        movq    %rax, (%rdi)
        retq
        .cfi_endproc
        .size   cv_context_make, . - cv_context_make

#endif

        .section .note.GNU-stack, "", @progbits
