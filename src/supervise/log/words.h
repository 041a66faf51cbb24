/* What guardian and master say to the user: one place for the sentences. */
#ifndef CV_SUPERVISE_WORDS_H
#define CV_SUPERVISE_WORDS_H

#include "supervise/policy/fleet.h"
#include "supervise/sockets/listen.h"

/* "worker 3", "main". */
struct cv_who {
    char text[48];
};
struct cv_who cv_words_who(unsigned slot, unsigned capacity);

/* "queue 0". */
struct cv_who cv_words_managed(const char *name, unsigned index);

/* "exit code 3", "signal 11 (Segmentation fault), core dumped", "signal 9 (Killed), sent by covey".
 */
struct cv_how {
    char text[96];
};
struct cv_how cv_words_exit(struct cv_fleet_exit exit);

/* What the fleet wants said, as a line in the log. `who` is the action's slot, `last` how its
 * process ended (CV_SAY_FAILED, CV_SAY_DONE). */
void cv_words_say(const struct cv_action *action, const char *who, struct cv_fleet_exit last,
                  const struct cv_listeners *listeners);

#endif
