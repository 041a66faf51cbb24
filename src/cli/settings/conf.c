#include "cli/settings/conf.h"

#include "base/num.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

enum type { STR, INT, BOOL, TIME, SIZE, CHOICE };

struct setting {
    const char *name;
    enum type type;
    const char *fallback;
    int64_t least;
    int64_t most; /* 0: no limit */
    const char *sentence;
};

#define SETTING(name, type, fallback, least, most, text) {#name, type, fallback, least, most, text},
static const struct setting settings[] = {CV_SETTINGS(SETTING)};
#undef SETTING

/* The words of each CHOICE; a value is the place in its list. */
static const char *const start_methods[] = {"spawn", "fork", "preload", NULL};
static const char *const containments[] = {"auto", "none", "cgroup", "pidns", NULL};
static const char *const log_levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

static const char *const max_actions[] = {"wait", "refuse", NULL};
static const char *const error_formats[] = {"auto", "html", "json", "text", "problem", NULL};
static const char *const stop_signals[] = {"TERM", "INT",  "QUIT",  "HUP",
                                           "USR1", "USR2", "WINCH", NULL};

static const char *const *choices_of(enum cv_setting id)
{
    return id == CV_SET_START_METHOD             ? start_methods
           : id == CV_SET_CONTAINMENT            ? containments
           : id == CV_SET_STOP_SIGNAL            ? stop_signals
           : id == CV_SET_LOG_FORMAT             ? log_formats
           : id == CV_SET_FALLBACK_ERROR_FORMAT  ? error_formats
           : id == CV_SET_CONNECTIONS_MAX_ACTION ? max_actions
                                                 : log_levels;
}

/* ---- One value ---- */

static int cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int parse_bool(const char *text, int64_t *ret)
{
    static const char *const words[2][5] = {{"0", "false", "no", "off", "f"},
                                            {"1", "true", "yes", "on", "t"}};
    for (int value = 0; value < 2; value++)
        for (size_t i = 0; i < CV_COUNT(words[value]); i++)
            if (cv_string_ieq(text, words[value][i])) {
                *ret = value;
                return 0;
            }
    return -EINVAL;
}

static int parse_choice(enum cv_setting id, const char *text, int64_t *ret)
{
    const char *const *words = choices_of(id);
    for (int i = 0; words[i] != NULL; i++)
        if (cv_string_ieq(text, words[i])) {
            *ret = i;
            return 0;
        }
    return -EINVAL;
}

static int parse(enum cv_setting id, const char *text, int64_t *ret)
{
    const struct setting *setting = &settings[id];
    struct cv_span span = cv_span_str(text);
    int rc = 0;
    switch (setting->type) {
    case STR: return span.len < (size_t)setting->least ? -EINVAL : 0;
    case BOOL: return parse_bool(text, ret);
    case CHOICE: return parse_choice(id, text, ret);
    case INT:
        if (id == CV_SET_WORKERS && (strcmp(text, "auto") == 0 || strcmp(text, "fast") == 0)) {
            *ret = cpus();
            return 0;
        }
        rc = cv_num_i64(span, ret);
        break;
    case TIME:
    case SIZE:
        if (strcmp(text, "off") == 0) {
            *ret = CV_CONF_OFF;
            return 0;
        }
        rc = setting->type == TIME ? cv_num_duration_ms(span, ret) : cv_num_size(span, ret);
        break;
    }
    if (rc == 0 && (*ret < setting->least || (setting->most > 0 && *ret > setting->most)))
        rc = -ERANGE;
    return rc;
}

/* " from 1 to 10 bytes", " of at least 1 byte", "": what a number may be. */
static void put_limits(const struct setting *setting, char *to, size_t cap)
{
    const char *unit = setting->type == TIME ? " ms" : setting->type == SIZE ? " bytes" : "";
    to[0] = '\0';
    if (setting->most > 0)
        (void)snprintf(to, cap, " from %lld to %lld%s", (long long)setting->least,
                       (long long)setting->most, unit);
    else if (setting->type == SIZE)
        (void)snprintf(to, cap, " of at least %lld%s", (long long)setting->least, unit);
}

/* What would have been right. */
static void explain(struct cv_conf *conf, const char *where, enum cv_setting id, const char *text)
{
    static const char *const kinds[] = {[STR] = "a name or address",
                                        [INT] = "a number",
                                        [BOOL] = "true or false",
                                        [TIME] = "a time like 30, 1.5s, 250ms, 2m or off",
                                        [SIZE] = "a size like 8192, 64k, 10M or off",
                                        [CHOICE] = "one of the words"};
    const struct setting *setting = &settings[id];
    char limits[80];
    put_limits(setting, limits, sizeof(limits));
    (void)snprintf(conf->reason, sizeof(conf->reason), "%s: \"%.100s\" is not %s%s (%s)", where,
                   text, kinds[setting->type], limits, setting->sentence);
}

static void keep_number(struct cv_conf *conf, enum cv_setting id, int64_t value)
{
    (void)snprintf(conf->digits[id], sizeof(conf->digits[id]), "%lld", (long long)value);
    conf->value[id] = value;
    conf->text[id] = conf->digits[id];
}

static int set(struct cv_conf *conf, enum cv_setting id, const char *text, const char *where)
{
    int64_t value = 0;
    int rc = parse(id, text, &value);
    if (rc < 0) {
        explain(conf, where, id, text);
        return -EINVAL;
    }
    keep_number(conf, id, value);
    if (settings[id].type == STR || settings[id].type == CHOICE)
        conf->text[id] = text;
    return 0;
}

/* ---- The sources, the weakest first ---- */

static int read_defaults(struct cv_conf *conf)
{
    for (int id = 0; id < CV_SET_COUNT; id++) {
        int rc = set(conf, (enum cv_setting)id, settings[id].fallback, "default");
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A number given in code: 0 is "not given". */
static int set_number(struct cv_conf *conf, enum cv_setting id, int64_t value, const char *where)
{
    const struct setting *setting = &settings[id];
    bool is_off = value == COVEY_OFF && (setting->type == TIME || setting->type == SIZE);
    bool is_within = value >= setting->least && (setting->most == 0 || value <= setting->most);
    if (value == 0)
        return 0;
    if (!is_off && !is_within) {
        char limits[80];
        put_limits(setting, limits, sizeof(limits));
        (void)snprintf(conf->reason, sizeof(conf->reason), "option .%s: %lld is not%s (%s)", where,
                       (long long)value, limits, setting->sentence);
        return -EINVAL;
    }
    keep_number(conf, id, is_off ? CV_CONF_OFF : value);
    return 0;
}

static int find_name(const char *name)
{
    for (int id = 0; id < CV_SET_COUNT; id++)
        if (cv_string_ieq(settings[id].name, name))
            return id;
    return CV_SET_COUNT;
}

/* The array is the caller's, who may be gone when the app asks. */
static const char *keep_own(struct cv_conf *conf, const char *name, const char *value)
{
    if (conf->n_own == CV_CONF_OWN_MAX)
        return "too many names of the app's own";
    conf->own[conf->n_own++] = (struct cv_conf_own){name, value};
    return NULL;
}

/* Names and values in turn. Names that are none of ours are the app's own: see cv_conf_lookup(). */
static int read_pairs(struct cv_conf *conf, const char *const *pairs)
{
    int rc = 0;
    for (; rc == 0 && pairs != NULL && pairs[0] != NULL; pairs += 2) {
        int id = find_name(pairs[0]);
        char where[128];
        (void)snprintf(where, sizeof(where), "option .settings: %.64s", pairs[0]);
        const char *fault = NULL;
        if (pairs[1] == NULL)
            fault = "it has no value";
        else if (id == CV_SET_COUNT)
            fault = keep_own(conf, pairs[0], pairs[1]);
        else
            rc = set(conf, (enum cv_setting)id, pairs[1], where);
        if (fault != NULL) {
            (void)snprintf(conf->reason, sizeof(conf->reason), "%s: %s", where, fault);
            rc = -EINVAL;
        }
    }
    return rc;
}

static int read_options(struct cv_conf *conf, const struct covey_options *given)
{
    struct covey_options options = {0};
    size_t size = given->size < sizeof(options) ? given->size : sizeof(options);
    memcpy(&options, given, size); /* an older program's struct ends earlier */

    if (options.env_prefix != NULL)
        conf->prefix = options.env_prefix;
    if (conf->prefix[0] == '\0') {
        (void)snprintf(conf->reason, sizeof(conf->reason),
                       "option .env_prefix is empty: USER, HOST and others would be taken from "
                       "variables that mean something else");
        return -EINVAL;
    }
    if (options.workers == COVEY_WORKERS_FAST)
        options.workers = cpus();
    const struct {
        enum cv_setting id;
        const char *text;
        const char *where;
    } texts[] = {{CV_SET_HOST, options.host, "option .host"},
                 {CV_SET_LISTEN, options.listen, "option .listen"},
                 {CV_SET_START_METHOD, options.start_method, "option .start_method"},
                 {CV_SET_LOG_LEVEL, options.log_level, "option .log_level"},
                 {CV_SET_CONFIG, options.config, "option .config"},
                 {CV_SET_PIDFILE, options.pidfile, "option .pidfile"},
                 {CV_SET_USER, options.user, "option .user"},
                 {CV_SET_LOG_FILE, options.log_file, "option .log_file"},
                 {CV_SET_ACCESS_LOG_FILE, options.access_log_file, "option .access_log_file"}};
    const struct {
        enum cv_setting id;
        int64_t value;
        const char *where;
    } numbers[] = {{CV_SET_PORT, options.port, "port"},
                   {CV_SET_WORKERS, options.workers, "workers"},
                   {CV_SET_START_TIMEOUT, options.start_timeout, "start_timeout"},
                   {CV_SET_GRACEFUL_SHUTDOWN_TIMEOUT, options.graceful_shutdown_timeout,
                    "graceful_shutdown_timeout"},
                   {CV_SET_REQUEST_TIMEOUT, options.request_timeout, "request_timeout"},
                   {CV_SET_RESPONSE_TIMEOUT, options.response_timeout, "response_timeout"},
                   {CV_SET_KEEP_ALIVE_TIMEOUT, options.keep_alive_timeout, "keep_alive_timeout"},
                   {CV_SET_REQUEST_MAX_SIZE, options.request_max_size, "request_max_size"},
                   {CV_SET_REQUEST_MAX_HEADER_SIZE, options.request_max_header_size,
                    "request_max_header_size"},
                   {CV_SET_FIBERS_MAX, options.fibers_max, "fibers_max"}};
    int rc = read_pairs(conf, options.settings);
    for (size_t i = 0; rc == 0 && i < CV_COUNT(texts); i++)
        if (texts[i].text != NULL)
            rc = set(conf, texts[i].id, texts[i].text, texts[i].where);
    for (size_t i = 0; rc == 0 && i < CV_COUNT(numbers); i++)
        rc = set_number(conf, numbers[i].id, numbers[i].value, numbers[i].where);
    if (rc == 0 && options.strict_slashes != 0)
        keep_number(conf, CV_SET_STRICT_SLASHES, options.strict_slashes > 0);
    if (rc == 0 && options.access_log != 0)
        keep_number(conf, CV_SET_ACCESS_LOG, options.access_log > 0);
    if (rc == 0 && options.daemon != 0)
        keep_number(conf, CV_SET_DAEMON, options.daemon > 0);
    return rc;
}

static int take_from_file(void *arg, const char *name, const char *value, const char *where)
{
    struct cv_conf *conf = arg;
    int id = find_name(name);
    if (id == CV_SET_COUNT || id == CV_SET_CONFIG) {
        (void)snprintf(conf->reason, sizeof(conf->reason), "%s: %s \"%.100s\"", where,
                       id == CV_SET_CONFIG ? "a file cannot name another:" : "there is no setting",
                       name);
        return -EINVAL;
    }
    char place[320];
    (void)snprintf(place, sizeof(place), "%s: %s", where, name);
    (void)snprintf(conf->file_text[id], sizeof(conf->file_text[id]), "%s", value);
    return set(conf, (enum cv_setting)id, conf->file_text[id], place);
}

static const char *variable(const struct cv_conf *conf, const char *name)
{
    char full[128];
    int n = snprintf(full, sizeof(full), "%s%s", conf->prefix, name);
    return n < (int)sizeof(full) ? getenv(full) : NULL;
}

static int read_environment(struct cv_conf *conf)
{
    for (int id = 0; id < CV_SET_COUNT; id++) {
        const char *text = variable(conf, settings[id].name);
        if (text == NULL)
            continue;
        char where[128];
        (void)snprintf(where, sizeof(where), "%s%s in the environment", conf->prefix,
                       settings[id].name);
        int rc = set(conf, (enum cv_setting)id, text, where);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The setting of a flag's name (between "--" and "=", "no-" cut off), or CV_SET_COUNT. */
static int find_flag(struct cv_span flag)
{
    for (int id = 0; id < CV_SET_COUNT; id++) {
        const char *name = settings[id].name;
        if (strlen(name) != flag.len)
            continue;
        size_t i = 0;
        while (i < flag.len && (name[i] == '_' ? '-' : cv_lower(name[i])) == flag.at[i])
            i++;
        if (i == flag.len)
            return id;
    }
    return CV_SET_COUNT;
}

static int unknown_flag(struct cv_conf *conf, const char *argument)
{
    (void)snprintf(
        conf->reason, sizeof(conf->reason),
        "unknown %s \"%.100s\": --help lists the flags; what follows -- is left to the app",
        argument[0] == '-' ? "flag" : "argument", argument);
    return -EINVAL;
}

/* Reads one flag at *at and moves it behind its value. */
static int read_flag(struct cv_conf *conf, char *const **at)
{
    const char *argument = *(*at)++;
    if (strncmp(argument, "--", 2) != 0)
        return unknown_flag(conf, argument);
    const char *value = strchr(argument, '=');
    size_t len = value != NULL ? (size_t)(value++ - argument) : strlen(argument);
    struct cv_span flag = cv_span(argument + 2, len - 2);

    int id = find_flag(flag);
    if (id < CV_SET_COUNT && value == NULL && settings[id].type == BOOL)
        value = "true";
    if (id == CV_SET_COUNT && value == NULL && flag.len > 3 && memcmp(flag.at, "no-", 3) == 0) {
        id = find_flag(cv_span(flag.at + 3, flag.len - 3));
        if (id < CV_SET_COUNT && settings[id].type != BOOL)
            id = CV_SET_COUNT;
        value = "false";
    }
    if (id == CV_SET_COUNT)
        return unknown_flag(conf, argument);
    if (value == NULL)
        value = *(*at);
    if (value == NULL) {
        (void)snprintf(conf->reason, sizeof(conf->reason), "%s needs a value (%s)", argument,
                       settings[id].sentence);
        return -EINVAL;
    }
    if (value == *(*at))
        (*at)++;
    char where[64];
    (void)snprintf(where, sizeof(where), "--%.*s", (int)flag.len, flag.at);
    return set(conf, (enum cv_setting)id, value, where);
}

static int read_flags(struct cv_conf *conf, char *const *argv, enum cv_conf_request *ret_request)
{
    while (*argv != NULL && strcmp(*argv, "--") != 0) {
        if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0) {
            *ret_request = CV_CONF_HELP;
            return 0;
        }
        if (strcmp(*argv, "--version") == 0 || strcmp(*argv, "-V") == 0) {
            *ret_request = CV_CONF_VERSION;
            return 0;
        }
        int rc = read_flag(conf, &argv);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_all(struct cv_conf *conf, const struct covey_options *options, const char *file,
                    int pinned, char *const *argv, enum cv_conf_request *ret_request)
{
    conf->n_own = 0;
    int rc = read_defaults(conf);
    if (rc == 0 && options != NULL)
        rc = read_options(conf, options);
    if (rc == 0 && file != NULL)
        rc = cv_conf_file_read(file, pinned, take_from_file, conf, conf->reason,
                               sizeof(conf->reason));
    if (rc == 0)
        rc = read_environment(conf);
    if (rc == 0 && argv != NULL)
        rc = read_flags(conf, argv, ret_request);
    return rc;
}

/* Which file it is, the stronger sources say: they are read once more after it. */
int cv_conf_read_pinned(struct cv_conf *conf, const char *program,
                        const struct covey_options *options, int pinned, char *const *argv,
                        enum cv_conf_request *ret_request)
{
    *conf = (struct cv_conf){.prefix = "COVEY_"};
    const char *slash = strrchr(program, '/');
    (void)snprintf(conf->name, sizeof(conf->name), "%s", slash != NULL ? slash + 1 : program);
    *ret_request = CV_CONF_RUN;

    int rc = read_all(conf, options, NULL, -1, argv, ret_request);
    const char *file = rc == 0 ? conf->text[CV_SET_CONFIG] : "";
    if (file[0] != '\0' && *ret_request == CV_CONF_RUN)
        rc = read_all(conf, options, file, pinned, argv, ret_request);
    return rc;
}

int cv_conf_read(struct cv_conf *conf, const char *program, const struct covey_options *options,
                 char *const *argv, enum cv_conf_request *ret_request)
{
    return cv_conf_read_pinned(conf, program, options, -1, argv, ret_request);
}

/* ---- For the app ---- */

/* Names the app has asked for, so that a misspelt variable can be told from the app's own. Longer
 * ones are told apart by their beginnings. */
#define ASKED_MAX 256
#define ASKED_BYTES 64
static char asked[ASKED_MAX][ASKED_BYTES];
static int n_asked;

static bool has_asked(const char *name)
{
    for (int i = 0; i < n_asked; i++)
        if (strncmp(asked[i], name, ASKED_BYTES - 1) == 0)
            return true;
    return false;
}

/* The last of that name given in code; NULL: none is. */
static const char *own_of(const struct cv_conf *conf, const char *name)
{
    size_t i = conf->n_own;
    while (i > 0 && strcmp(conf->own[i - 1].name, name) != 0)
        i--;
    return i > 0 ? conf->own[i - 1].value : NULL;
}

const char *cv_conf_lookup(struct cv_conf *conf, const char *name)
{
    for (int id = 0; id < CV_SET_COUNT; id++)
        if (strcmp(settings[id].name, name) == 0)
            return conf->text[id];
    if (n_asked < ASKED_MAX && !has_asked(name))
        (void)snprintf(asked[n_asked++], sizeof(asked[0]), "%s", name);
    const char *value = variable(conf, name);
    return value != NULL ? value : own_of(conf, name);
}

static bool is_setting(const char *name)
{
    for (int id = 0; id < CV_SET_COUNT; id++)
        if (strcmp(settings[id].name, name) == 0)
            return true;
    return false;
}

void cv_conf_warn_unknown(const struct cv_conf *conf)
{
    for (size_t i = 0; i < conf->n_own; i++) {
        if (!has_asked(conf->own[i].name))
            cv_warn("option .settings: %.64s is no setting of covey, nor has the app read it",
                    conf->own[i].name);
    }
    size_t len = strlen(conf->prefix);
    for (char **entry = environ; len > 0 && entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, conf->prefix, len) != 0)
            continue;
        char name[ASKED_BYTES];
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(*entry + len, "="), *entry + len);
        if (!is_setting(name) && !has_asked(name))
            cv_warn("%s%s is set, but no setting of covey, nor has the app read it", conf->prefix,
                    name);
    }
}

/* ---- --help ---- */

void cv_conf_help(const struct cv_conf *conf, const char *usage)
{
    printf("Usage: %s\n\nSettings, as flags or, in the environment, as %sNAME:\n\n", usage,
           conf->prefix);
    for (int id = 0; id < CV_SET_COUNT; id++) {
        char flag[64];
        size_t len = 0;
        for (const char *at = settings[id].name; *at != '\0' && len < sizeof(flag) - 1; at++)
            flag[len++] = *at == '_' ? '-' : cv_lower(*at);
        flag[len] = '\0';
        printf("  --%-27s %s [%s]\n", flag, settings[id].sentence, settings[id].fallback);
    }
    printf("\n  --%-27s %s\n  --%-27s %s\n", "help", "this list", "version", "which covey this is");
    printf(
        "\nTimes are seconds, or with a unit: 250ms, 90s, 2m, 1h. Sizes are bytes, or 64k, 10M, "
        "1g.\n"
        "A flag wins over the environment, that over the file, that over what the program sets.\n");
}

void cv_conf_open_log(const struct cv_conf *conf, const char *who, const char *process)
{
    cv_log_process(process);
    cv_log_json(conf->value[CV_SET_LOG_FORMAT] != 0 ? conf->name : NULL);
    cv_log_open(who, cv_conf_log_level(conf));
}

enum cv_log_level cv_conf_log_level(const struct cv_conf *conf)
{
    return conf->value[CV_SET_DEBUG] != 0 ? CV_LOG_DEBUG
                                          : (enum cv_log_level)conf->value[CV_SET_LOG_LEVEL];
}
