/* Process titles: what ps, top and /proc/PID/cmdline show ("hello: worker 2"). */
#ifndef CV_SUPERVISE_TITLE_H
#define CV_SUPERVISE_TITLE_H

/* Shows "NAME: WHAT". The title gets memory of its own (PR_SET_MM_MAP, no privilege needed);
 * where the kernel cannot do that, only the name changes: argv's memory is the app's. `variable`
 * ("NAME=value", or NULL) is added to what /proc/PID/environ shows, for a process that has not been
 * exec'd with it; the process's own environ is not touched. */
void cv_title_set(const char *name, const char *what, const char *variable);

#endif
