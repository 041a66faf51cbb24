/* cli/conf: options of other versions, the environment, --help. */
#include "cli/settings/conf.h"

#include <fcntl.h>

#include "rig.h"

extern char **environ;

/* ---- Options of other versions ---- */

/* An older program's struct ends earlier: what is behind it is none of ours. */
static void test_options_of_an_older_program_are_read_up_to_their_end(void **state)
{
    (void)state;
    size_t older = offsetof(struct covey_options, start_timeout);
    struct covey_options *options = malloc(older); /* the sanitizer sees one byte too far */
    assert_non_null(options);
    struct covey_options whole = {.size = older, .port = 9000, .access_log = 1};
    memcpy(options, &whole, older);
    int rc = read_all(options, NULL);
    free(options);
    assert_int_equal(rc, 0);
    assert_int_equal(conf.value[CV_SET_PORT], 9000);
    assert_int_equal(conf.value[CV_SET_ACCESS_LOG], 1);
    assert_int_equal(conf.value[CV_SET_START_TIMEOUT], 60000);

    memset(&whole, 0x7f, sizeof(whole)); /* garbage behind the first two fields */
    whole.size = offsetof(struct covey_options, host);
    assert_int_equal(read_all(&whole, NULL), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 8000);
}

static void test_options_of_a_newer_program_are_read_as_far_as_known(void **state)
{
    (void)state;
    struct {
        struct covey_options known;
        char more[64];
    } newer = {.known = {.size = sizeof(newer), .port = 9000}};
    memset(newer.more, 0x7f, sizeof(newer.more));
    assert_int_equal(read_all(&newer.known, NULL), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 9000);
}

static void test_options_that_are_not_given_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_options((struct covey_options){0}), 0);
    for (int i = 0; i < CV_SET_COUNT; i++)
        if (is(rows[i].type, "STR"))
            assert_string_equal(conf.text[i], rows[i].fallback);
    assert_int_equal(conf.value[CV_SET_PORT], 8000);
    assert_int_equal(conf.value[CV_SET_ACCESS_LOG], 0);
}

static void test_every_option_reaches_its_setting(void **state)
{
    (void)state;
    struct covey_options options = {.host = "h",
                                    .port = 1,
                                    .listen = "unix:x",
                                    .workers = COVEY_WORKERS_FAST,
                                    .start_method = "fork",
                                    .log_level = "error",
                                    .access_log = 1,
                                    .start_timeout = 11,
                                    .graceful_shutdown_timeout = 12,
                                    .request_timeout = 13,
                                    .response_timeout = 14,
                                    .keep_alive_timeout = 15,
                                    .request_max_size = 16,
                                    .request_max_header_size = 1700,
                                    .fibers_max = 18,
                                    .config = "",
                                    .pidfile = "p",
                                    .user = "u",
                                    .log_file = "l",
                                    .access_log_file = "a",
                                    .daemon = 1,
                                    .strict_slashes = 1};
    assert_int_equal(read_options(options), 0);
    assert_string_equal(conf.text[CV_SET_HOST], "h");
    assert_string_equal(conf.text[CV_SET_LISTEN], "unix:x");
    assert_string_equal(conf.text[CV_SET_PIDFILE], "p");
    assert_string_equal(conf.text[CV_SET_USER], "u");
    assert_string_equal(conf.text[CV_SET_LOG_FILE], "l");
    assert_string_equal(conf.text[CV_SET_ACCESS_LOG_FILE], "a");
    assert_int_equal(conf.value[CV_SET_DAEMON], 1);
    assert_int_equal(conf.value[CV_SET_STRICT_SLASHES], 1);
    assert_in_range(conf.value[CV_SET_WORKERS], 1, 1000);
    assert_int_equal(conf.value[CV_SET_START_METHOD], 1);
    assert_int_equal(conf.value[CV_SET_LOG_LEVEL], CV_LOG_ERROR);
    assert_int_equal(conf.value[CV_SET_ACCESS_LOG], 1);
    assert_int_equal(conf.value[CV_SET_START_TIMEOUT], 11);
    assert_int_equal(conf.value[CV_SET_GRACEFUL_SHUTDOWN_TIMEOUT], 12);
    assert_int_equal(conf.value[CV_SET_REQUEST_TIMEOUT], 13);
    assert_int_equal(conf.value[CV_SET_RESPONSE_TIMEOUT], 14);
    assert_int_equal(conf.value[CV_SET_KEEP_ALIVE_TIMEOUT], 15);
    assert_int_equal(conf.value[CV_SET_REQUEST_MAX_SIZE], 16);
    assert_int_equal(conf.value[CV_SET_REQUEST_MAX_HEADER_SIZE], 1700);
    assert_int_equal(conf.value[CV_SET_FIBERS_MAX], 18);
}

static void test_every_setting_can_be_given_by_its_name(void **state)
{
    (void)state;
    struct covey_options options = {
        COVEY_SETTINGS("PROXIES_COUNT", "2", "real_ip_header", "X-Real", "stop_timeout", "2m")};
    assert_int_equal(read_options(options), 0);
    assert_int_equal(conf.value[CV_SET_PROXIES_COUNT], 2);
    assert_string_equal(conf.text[CV_SET_REAL_IP_HEADER], "X-Real");
    assert_int_equal(conf.value[CV_SET_STOP_TIMEOUT], 120000);

    (void)setenv("COVEY_PROXIES_COUNT", "3", 1);
    assert_int_equal(read_options(options), 0);
    assert_int_equal(conf.value[CV_SET_PROXIES_COUNT], 3);

    options = (struct covey_options){COVEY_SETTINGS("DSN", "db://x", "CITY", "Ulm")};
    assert_int_equal(read_options(options), 0);
    assert_string_equal(cv_conf_lookup(&conf, "DSN"), "db://x"); /* the app's own */
    assert_null(cv_conf_lookup(&conf, "dsn"));
    (void)setenv("COVEY_DSN", "db://y", 1);
    assert_string_equal(cv_conf_lookup(&conf, "DSN"), "db://y");

    options = (struct covey_options){COVEY_SETTINGS("PORT", "many")};
    assert_int_equal(read_options(options), -EINVAL);
    assert_non_null(strstr(conf.reason, "option .settings: PORT: \"many\" is not a number"));
    options = (struct covey_options){COVEY_SETTINGS("PORT", "1", "DEBUG")};
    assert_int_equal(read_options(options), -EINVAL);
    assert_string_equal(conf.reason, "option .settings: DEBUG: it has no value");
}

/* ---- The environment ---- */

static void test_another_prefix_reads_other_variables(void **state)
{
    (void)state;
    (void)setenv("COVEY_PORT", "1", 1);
    (void)setenv("SHOP_PORT", "2", 1);
    assert_int_equal(read_options((struct covey_options){.env_prefix = "SHOP_"}), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 2);
    assert_int_equal(read_options((struct covey_options){0}), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 1);
}

static void test_an_empty_prefix_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_options((struct covey_options){.env_prefix = ""}), -EINVAL);
    assert_non_null(strstr(conf.reason, ".env_prefix"));
}

static void test_the_app_looks_up_settings_and_its_own_variables(void **state)
{
    (void)state;
    (void)setenv("COVEY_DELAY", "3", 1);
    (void)setenv("COVEY_STOP_TIMEOUT", "2m", 1);
    assert_int_equal(read_flags("--port 81"), 0);
    assert_string_equal(cv_conf_lookup(&conf, "PORT"), "81");
    assert_string_equal(cv_conf_lookup(&conf, "STOP_TIMEOUT"), "120000");
    assert_string_equal(cv_conf_lookup(&conf, "DELAY"), "3");
    assert_null(cv_conf_lookup(&conf, "NOT_SET"));
    assert_null(cv_conf_lookup(&conf, "port"));
    assert_null(cv_conf_lookup(&conf, ""));
}

/* What the warning about unknown variables writes. */
static const char *warned(void)
{
    static char text[4096];
    int fds[2];
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    (void)dup2(fds[1], STDERR_FILENO);
    (void)close(fds[1]);
    cv_log_open("test", CV_LOG_INFO);
    cv_conf_warn_unknown(&conf);
    (void)dup2(saved, STDERR_FILENO);
    cv_log_open("test", CV_LOG_INFO);
    (void)close(saved);
    ssize_t len = read(fds[0], text, sizeof(text) - 1);
    (void)close(fds[0]);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void test_a_name_given_in_code_that_nobody_reads_is_warned_of(void **state)
{
    (void)state;
    struct covey_options options = {
        COVEY_SETTINGS("PROXY_COUNT", "1", "CODE_CITY", "Ulm", "PORT", "7")};
    assert_int_equal(read_options(options), 0);
    assert_string_equal(cv_conf_lookup(&conf, "CODE_CITY"), "Ulm");
    const char *text = warned();
    assert_non_null(strstr(text, "option .settings: PROXY_COUNT is no setting of covey"));
    assert_null(strstr(text, "CITY"));
    assert_null(strstr(text, "PORT "));

    const char *many[2 * CV_CONF_OWN_MAX + 4] = {NULL};
    for (size_t i = 0; i < 2 * CV_CONF_OWN_MAX + 2; i++)
        many[i] = "X";
    assert_int_equal(read_options((struct covey_options){.settings = many}), -EINVAL);
    assert_non_null(strstr(conf.reason, "too many names"));
}

static void test_a_misspelt_variable_is_warned_of(void **state)
{
    (void)state;
    static const char long_name[] =
        "A_NAME_THAT_IS_SO_LONG_THAT_IT_IS_NOT_KEPT_WHOLE_BUT_FOR_ITS_BEGINNING";
    char full[128];
    (void)snprintf(full, sizeof(full), "COVEY_%s", long_name);
    (void)setenv("COVEY_WORKRES", "4", 1);
    (void)setenv("COVEY_WORKERS", "4", 1);
    (void)setenv("COVEY_ASKED_FOR", "1", 1);
    (void)setenv("OTHER_VARIABLE", "1", 1);
    (void)setenv(full, "1", 1);
    assert_int_equal(read_flags(NULL), 0);
    for (int i = 0; i < 1000; i++) /* the same names fill nothing up */
        (void)cv_conf_lookup(&conf, i % 2 == 0 ? "ASKED_FOR" : long_name);
    (void)cv_conf_lookup(&conf, "LAST");
    (void)setenv("COVEY_LAST", "1", 1);
    const char *text = warned();
    assert_non_null(strstr(text, "COVEY_WORKRES"));
    assert_null(strstr(text, "COVEY_WORKERS"));
    assert_null(strstr(text, "COVEY_ASKED_FOR"));
    assert_null(strstr(text, "COVEY_LAST"));
    assert_null(strstr(text, "OTHER"));
    assert_null(strstr(text, "A_NAME"));
}

static void test_no_environment_at_all_is_fine(void **state)
{
    (void)state;
    assert_int_equal(clearenv(), 0);
    assert_null(environ);
    assert_int_equal(read_flags(NULL), 0);
    assert_string_equal(warned(), "");
}

/* ---- Help ---- */

static void test_help_names_every_flag_with_its_default(void **state)
{
    (void)state;
    static char text[1 << 15];
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(read_flags("--help"), 0);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    (void)dup2(fds[1], STDOUT_FILENO);
    cv_conf_help(&conf, "app [flags]");
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    (void)close(fds[1]);
    ssize_t len = read(fds[0], text, sizeof(text) - 1);
    (void)close(fds[0]);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "Usage: app [flags]\n"));
    assert_non_null(strstr(text, "COVEY_NAME"));
    for (size_t i = 0; i < CV_COUNT(rows); i++) {
        char flag[64];
        flag_of(&rows[i], flag);
        const char *at = strstr(text, flag);
        assert_non_null(at);
        assert_non_null(strstr(text, rows[i].sentence));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        conf_test(test_options_of_an_older_program_are_read_up_to_their_end),
        conf_test(test_options_of_a_newer_program_are_read_as_far_as_known),
        conf_test(test_options_that_are_not_given_change_nothing),
        conf_test(test_every_option_reaches_its_setting),
        conf_test(test_every_setting_can_be_given_by_its_name),
        conf_test(test_another_prefix_reads_other_variables),
        conf_test(test_an_empty_prefix_is_refused),
        conf_test(test_the_app_looks_up_settings_and_its_own_variables),
        conf_test(test_a_name_given_in_code_that_nobody_reads_is_warned_of),
        conf_test(test_a_misspelt_variable_is_warned_of),
        conf_test(test_no_environment_at_all_is_fine),
        conf_test(test_help_names_every_flag_with_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
