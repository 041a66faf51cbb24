/* Assertions that stay in every build.
 *
 * A failed one means covey itself is wrong: the process says where and dies, and whoever supervises
 * it replaces it. Never used on input, on memory or on the results of system calls.
 */
#ifndef CV_BASE_ASSERT_H
#define CV_BASE_ASSERT_H

#define CV_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : cv_assert_failed(#condition, __FILE__, __LINE__, __func__))

/* Writes one line by write(2) to standard error and aborts. */
_Noreturn void cv_assert_failed(const char *condition, const char *file, int line,
                                const char *function);

#endif
