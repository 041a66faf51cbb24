#include "base/threads.h"

#include <dirent.h>
#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define CV_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CV_UNDER_TSAN 1
#endif
#endif

bool cv_threads_any(void)
{
#ifdef CV_UNDER_TSAN
    return false; /* it has a thread of its own */
#else
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;
    while (tasks != NULL && readdir(tasks) != NULL)
        n++;
    if (tasks != NULL)
        (void)closedir(tasks);
    return n > 3; /* ".", ".." and this one */
#endif
}
