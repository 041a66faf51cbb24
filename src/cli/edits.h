/* AUTO_RELOAD: whether the program, or the shared object of `covey run`, has been built anew.
 *
 * Their folders are watched, not they: a linker puts another file in the place of the old one. A
 * file counts once it is closed, or has been moved there.
 */
#ifndef CV_CLI_EDITS_H
#define CV_CLI_EDITS_H

#include "supervise/supervise.h"

extern const struct cv_edits cv_edits;

#endif
