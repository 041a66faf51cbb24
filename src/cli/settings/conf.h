/* Settings: default < options in code < file < environment < flags, all from conf.def. */
#ifndef CV_CLI_CONF_H
#define CV_CLI_CONF_H

#include "base/log.h"
#include "cli/settings/conf.def"
#include "cli/settings/conf_file.h"

#include <covey/app.h>

#define CV_CONF_NAME(name, type, fallback, least, most, text) CV_SET_##name,
enum cv_setting { CV_SETTINGS(CV_CONF_NAME) CV_SET_COUNT };
#undef CV_CONF_NAME

#define CV_CONF_OFF (-1) /* the value of a TIME or SIZE that is off */
#define CV_CONF_OWN_MAX 64

struct cv_conf_own {
    const char *name, *value;
};

struct cv_conf {
    int64_t value[CV_SET_COUNT]; /* INT, TIME (ms), SIZE (bytes), BOOL (0, 1), CHOICE (its place) */
    const char
        *text[CV_SET_COUNT]; /* STR, CHOICE: as given; others: `value` in decimal. Never NULL */
    char digits[CV_SET_COUNT][24];                   /* where `text` of numbers stands */
    char file_text[CV_SET_COUNT][CV_CONF_FILE_LINE]; /* where `text` from the file stands */
    const char *prefix;                              /* of environment variables */
    struct cv_conf_own own[CV_CONF_OWN_MAX];         /* given in code, under the app's own names */
    size_t n_own;
    char name[64];    /* of the program, for titles, logs and messages */
    char reason[512]; /* what was wrong */
};

/* What the command line asks for besides settings. */
enum cv_conf_request { CV_CONF_RUN, CV_CONF_HELP, CV_CONF_VERSION };

/* Reads everything. `options` may be NULL, `argv` (NULL-terminated, without the program's name)
 * too. Strings that argv and environment hold are referred to, not copied. 0 with *ret_request set;
 * -EINVAL: reason says what is wrong with which flag or variable; -EBADMSG: with which line of the
 * file. */
CV_MUST_CHECK int cv_conf_read(struct cv_conf *conf, const char *program,
                               const struct covey_options *options, char *const *argv,
                               enum cv_conf_request *ret_request);

/* The same with what the file of settings held when this generation was pinned; `pinned` -1: as it
 * is now. */
CV_MUST_CHECK int cv_conf_read_pinned(struct cv_conf *conf, const char *program,
                                      const struct covey_options *options, int pinned,
                                      char *const *argv, enum cv_conf_request *ret_request);

/* The value of a setting by its name (upper case), or of a variable prefix + NAME, else what the
 * program has given under that name; NULL if there is none. */
const char *cv_conf_lookup(struct cv_conf *conf, const char *name);

/* Logs a warning for each variable with the prefix, and each name given in code, that neither covey
 * nor the app has asked for. */
void cv_conf_warn_unknown(const struct cv_conf *conf);

/* Writes the list of settings to standard output. */
void cv_conf_help(const struct cv_conf *conf, const char *usage);

enum cv_log_level cv_conf_log_level(const struct cv_conf *conf);

/* Opens the log as LOG_LEVEL and LOG_FORMAT have it: who stands in lines of text, and which process
 * of the server in others. */
void cv_conf_open_log(const struct cv_conf *conf, const char *who, const char *process);

#endif
