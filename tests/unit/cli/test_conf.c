#include "cli/settings/conf.h"

#include "base/rand.h"
#include "rig.h"

static bool is_number(const struct row *row)
{
    return is(row->type, "INT") || is(row->type, "TIME") || is(row->type, "SIZE");
}

/* A value of a row in the unit of the command line. */
static void put_value(const struct row *row, int64_t value, const char *flag, char to[128])
{
    (void)snprintf(to, 128, "%s=%lld%s", flag, (long long)value, is(row->type, "TIME") ? "ms" : "");
}

/* ---- What is refused ---- */

static void test_each_wrong_value_is_answered_by_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *flags;
        const char *says;
    } cases[] = {
        {"--port=x", "--port: \"x\" is not a number from 0 to 65535 (port to listen on"},
        {"--port=", "--port: \"\" is not a number"},
        {"--port -1", "--port: \"-1\" is not a number from 0"},
        {"--port 65536", "--port: \"65536\" is not a number from 0 to 65535"},
        {"--port 99999999999999999999", "is not a number"},
        {"--port 80 --port 8x", "\"8x\""},
        {"--workers=many",
         "--workers: \"many\" is not a number from 1 to 1000 (worker processes; auto"},
        {"--workers=0", "from 1 to 1000"},
        {"--debug=maybe", "--debug: \"maybe\" is not true or false"},
        {"--debug=", "is not true or false"},
        {"--start-timeout=soon",
         "is not a time like 30, 1.5s, 250ms, 2m or off from 1 to 86400000 ms"},
        {"--start-timeout=0", "--start-timeout: \"0\" is not a time"},
        {"--start-timeout=25h", "\"25h\""},
        {"--start-timeout=-1", "\"-1\""},
        {"--request-max-size=big", "is not a size like 8192, 64k, 10M or off of at least 1 bytes"},
        {"--request-max-size=0", "of at least 1"},
        {"--request-max-header-size=255", "from 256 to 65536 bytes"},
        {"--start-method=thread", "--start-method: \"thread\" is not one of the words (spawn"},
        {"--log-level=loud", "is not one of the words (debug, info, warn, error or off)"},
        {"--host=", "--host: \"\" is not a name or address"},
    };
    for (size_t i = 0; i < CV_COUNT(cases); i++) {
        assert_int_equal(read_flags(cases[i].flags), -EINVAL);
        assert_says(cases[i].says);
    }
}

static void test_unknown_flags_and_arguments_are_named(void **state)
{
    (void)state;
    static const char *const flags[] = {"--prot=1",
                                        "--",
                                        "-p",
                                        "-",
                                        "--=1",
                                        "--Port=1",
                                        "--PORT=1",
                                        "--no-port",
                                        "--no-",
                                        "--no-such",
                                        "--request_timeout=1",
                                        "--no-debug=1",
                                        "---port=1",
                                        "--portx",
                                        "--por"};
    for (size_t i = 0; i < CV_COUNT(flags); i++) {
        if (is(flags[i], "--"))
            continue;
        assert_int_equal(read_flags(flags[i]), -EINVAL);
        assert_says("unknown flag");
        assert_says(flags[i]);
        assert_says("--help");
    }
    assert_int_equal(read_flags("serve"), -EINVAL);
    assert_says("unknown argument \"serve\"");
    assert_int_equal(read_flags("--port 80 81"), -EINVAL);
    assert_says("unknown argument \"81\"");
}

static void test_a_flag_without_its_value_says_what_it_is_for(void **state)
{
    (void)state;
    assert_int_equal(read_flags("--port"), -EINVAL);
    assert_says("--port needs a value (port to listen on");
    assert_int_equal(read_flags("--debug --host"), -EINVAL);
    assert_says("--host needs a value");
}

static void test_a_wrong_variable_is_named_with_its_prefix(void **state)
{
    (void)state;
    (void)setenv("COVEY_PORT", "eighty", 1);
    assert_int_equal(read_flags("--port=80"), -EINVAL); /* though a flag overrides it */
    assert_says("COVEY_PORT in the environment: \"eighty\" is not a number");
    (void)setenv("SHOP_WORKERS", "0", 1);
    assert_int_equal(read_all(&(struct covey_options){.size = sizeof(struct covey_options),
                                                      .env_prefix = "SHOP_"},
                              NULL),
                     -EINVAL);
    assert_says("SHOP_WORKERS in the environment");
}

/* COVEY_HOST= is what a forgotten variable leaves; it must not mean every interface. */
static void test_an_empty_host_in_the_environment_is_refused(void **state)
{
    (void)state;
    (void)setenv("COVEY_HOST", "", 1);
    assert_int_equal(read_flags(NULL), -EINVAL);
    assert_says("COVEY_HOST");
}

static void test_wrong_options_are_named_with_their_limits(void **state)
{
    (void)state;
    assert_int_equal(read_options((struct covey_options){.port = 65536}), -EINVAL);
    assert_says("option .port: 65536 is not from 0 to 65535");
    assert_int_equal(read_options((struct covey_options){.port = -1}), -EINVAL);
    assert_says("option .port: -1");
    assert_int_equal(read_options((struct covey_options){.workers = -2}), -EINVAL);
    assert_says("option .workers: -2 is not from 1 to 1000");
    assert_int_equal(read_options((struct covey_options){.start_timeout = -2}), -EINVAL);
    assert_says("option .start_timeout: -2 is not from 1 to 86400000 ms");
    assert_int_equal(read_options((struct covey_options){.request_max_size = -2}), -EINVAL);
    assert_says("option .request_max_size: -2 is not of at least 1 bytes");
    assert_int_equal(read_options((struct covey_options){.fibers_max = COVEY_OFF}), -EINVAL);
    assert_says("option .fibers_max: -1");
    assert_int_equal(read_options((struct covey_options){.start_method = "thread"}), -EINVAL);
    assert_says("option .start_method: \"thread\"");
    assert_int_equal(read_options((struct covey_options){.host = ""}), -EINVAL);
    assert_says("option .host");
}

static void test_long_nonsense_is_cut_not_run_over(void **state)
{
    (void)state;
    static char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    char *argv[] = {text, NULL};
    memcpy(text, "--", 2);
    assert_int_equal(cv_conf_read(&conf, "app", NULL, argv, &request), -EINVAL);
    memcpy(text, "--port=", 7);
    assert_int_equal(cv_conf_read(&conf, "app", NULL, argv, &request), -EINVAL);
    assert_says("--port: \"xxx");
    static char prefix[500];
    memset(prefix, 'P', sizeof(prefix) - 1);
    assert_int_equal(read_options((struct covey_options){.env_prefix = prefix}), 0);
    assert_null(cv_conf_lookup(&conf, "OWN"));
}

static void test_random_flags_are_read_or_refused(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "--",   "port", "debug",         "no-", "=",    "1", "off",  "-",
        "host", "auto", "start-timeout", "s",   "help", "",  "true", "250ms"};
    uint64_t random = 5;
    for (int round = 0; round < 50000; round++) {
        char words[4][64];
        char *argv[5] = {NULL};
        size_t n = (size_t)(cv_rand_next(&random) % 5);
        for (size_t i = 0; i < n; i++) {
            size_t len = 0;
            for (int part = 0; part < 4; part++)
                len += (size_t)snprintf(words[i] + len, sizeof(words[i]) - len, "%s",
                                        parts[cv_rand_next(&random) % CV_COUNT(parts)]);
            argv[i] = words[i];
        }
        int rc = cv_conf_read(&conf, "app", NULL, argv, &request);
        assert_true(rc == 0 || (rc == -EINVAL && conf.reason[0] != '\0'));
    }
}

/* ---- Ranges, for every setting there is ---- */

static void test_every_number_has_its_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++) {
        char flag[64];
        char text[128];
        if (!is_number(&rows[i]))
            continue;
        flag_of(&rows[i], flag);
        put_value(&rows[i], rows[i].least, flag, text);
        assert_int_equal(read_flags(text), 0);
        assert_true(conf.value[i] == rows[i].least);
        put_value(&rows[i], rows[i].least - 1, flag, text);
        assert_int_equal(read_flags(text), -EINVAL);
        assert_says(rows[i].sentence);
        int64_t most = rows[i].most > 0 ? rows[i].most : INT64_C(1) << 40;
        put_value(&rows[i], most, flag, text);
        assert_int_equal(read_flags(text), 0);
        assert_true(conf.value[i] == most);
        put_value(&rows[i], rows[i].most + 1, flag, text);
        assert_int_equal(read_flags(text), rows[i].most > 0 ? -EINVAL : 0);
    }
}

static void test_times_and_sizes_may_be_off_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++) {
        char flag[64];
        char text[128];
        flag_of(&rows[i], flag);
        (void)snprintf(text, sizeof(text), "%s=off", flag);
        int rc = read_flags(text);
        if (is(rows[i].type, "TIME") || is(rows[i].type, "SIZE"))
            assert_true(rc == 0 && conf.value[i] == CV_CONF_OFF && is(conf.text[i], "-1"));
        else if (is(rows[i].type, "INT"))
            assert_int_equal(rc, -EINVAL);
    }
    struct covey_options off = {.start_timeout = COVEY_OFF, .request_max_size = COVEY_OFF};
    assert_int_equal(read_options(off), 0);
    assert_true(conf.value[CV_SET_START_TIMEOUT] == CV_CONF_OFF);
    assert_true(conf.value[CV_SET_REQUEST_MAX_SIZE] == CV_CONF_OFF);
}

/* ---- What wins ---- */

static void test_a_flag_wins_over_the_environment_over_options_over_defaults(void **state)
{
    (void)state;
    struct covey_options options = {.size = sizeof(options), .port = 1, .host = "h1", .workers = 7};
    assert_int_equal(read_all(NULL, NULL), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 8000);
    assert_int_equal(read_all(&options, NULL), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 1);
    (void)setenv("COVEY_PORT", "2", 1);
    (void)setenv("COVEY_HOST", "h2", 1);
    assert_int_equal(read_all(&options, NULL), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 2);
    assert_string_equal(conf.text[CV_SET_HOST], "h2");
    assert_int_equal(read_all(&options, "--port 3 --host=h3"), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 3);
    assert_string_equal(conf.text[CV_SET_PORT], "3");
    assert_string_equal(conf.text[CV_SET_HOST], "h3");
    assert_int_equal(conf.value[CV_SET_WORKERS], 7); /* nobody else has said anything */
    assert_int_equal(read_all(&options, "--port 3 --port=4"), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 4);
}

static void test_without_flags_the_command_line_is_not_looked_at(void **state)
{
    (void)state;
    (void)setenv("COVEY_PORT", "2", 1);
    assert_int_equal(cv_conf_read(&conf, "app", NULL, NULL, &request), 0);
    assert_int_equal(request, CV_CONF_RUN);
    assert_int_equal(conf.value[CV_SET_PORT], 2);
}

static void test_what_follows_two_dashes_is_the_apps(void **state)
{
    (void)state;
    assert_int_equal(read_flags("--port 3 -- --port 4 --no-such thing"), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 3);
    assert_int_equal(read_flags("--"), 0);
}

static void test_help_and_version_are_requests(void **state)
{
    (void)state;
    static const char *const help[] = {"--help", "-h", "--port 3 --help", "--help --no-such"};
    static const char *const version[] = {"--version", "-V"};
    for (size_t i = 0; i < CV_COUNT(help); i++) {
        assert_int_equal(read_flags(help[i]), 0);
        assert_int_equal(request, CV_CONF_HELP);
    }
    for (size_t i = 0; i < CV_COUNT(version); i++) {
        assert_int_equal(read_flags(version[i]), 0);
        assert_int_equal(request, CV_CONF_VERSION);
    }
    assert_int_equal(read_flags("-- --help"), 0);
    assert_int_equal(request, CV_CONF_RUN);
}

static void test_truth_has_its_forms(void **state)
{
    (void)state;
    static const char *const yes[] = {"--debug",     "--debug=true", "--debug=1",
                                      "--debug=YES", "--debug=on",   "--no-debug --debug"};
    static const char *const no[] = {"--no-debug", "--debug=false", "--debug=0",
                                     "--debug=No", "--debug=off",   "--debug --no-debug"};
    for (size_t i = 0; i < CV_COUNT(yes); i++) {
        assert_int_equal(read_flags(yes[i]), 0);
        assert_int_equal(conf.value[CV_SET_DEBUG], 1);
        assert_int_equal(read_flags(no[i]), 0);
        assert_int_equal(conf.value[CV_SET_DEBUG], 0);
    }
    assert_int_equal(read_flags("--debug --port 3"), 0); /* it takes no value away */
    assert_int_equal(conf.value[CV_SET_PORT], 3);
    assert_int_equal(read_flags("--no-keep-alive"), 0);
    assert_int_equal(conf.value[CV_SET_KEEP_ALIVE], 0);
}

static void test_values_of_each_type_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_flags("--start-timeout=1.5 --keep-alive-timeout 250ms --stop-timeout=2m "
                                "--request-max-size=64k --start-method FORK --log-level=Warn"),
                     0);
    assert_int_equal(conf.value[CV_SET_START_TIMEOUT], 1500);
    assert_string_equal(conf.text[CV_SET_START_TIMEOUT], "1500");
    assert_int_equal(conf.value[CV_SET_KEEP_ALIVE_TIMEOUT], 250);
    assert_int_equal(conf.value[CV_SET_STOP_TIMEOUT], 120000);
    assert_int_equal(conf.value[CV_SET_REQUEST_MAX_SIZE], 65536);
    assert_int_equal(conf.value[CV_SET_START_METHOD], 1);
    assert_int_equal(cv_conf_log_level(&conf), CV_LOG_WARN);
    assert_int_equal(read_flags("--workers=auto"), 0);
    assert_in_range(conf.value[CV_SET_WORKERS], 1, 1000);
    assert_int_equal(read_flags("--log-level=error --debug"), 0);
    assert_int_equal(cv_conf_log_level(&conf), CV_LOG_DEBUG);
    assert_int_equal(read_flags("--log-level=off"), 0);
    assert_int_equal(cv_conf_log_level(&conf), CV_LOG_OFF);
}

static void test_every_default_is_right_and_every_text_there(void **state)
{
    (void)state;
    assert_int_equal(read_flags(NULL), 0);
    for (int i = 0; i < CV_SET_COUNT; i++) {
        assert_non_null(conf.text[i]);
        if (is_number(&rows[i])) {
            char text[32];
            (void)snprintf(text, sizeof(text), "%lld", (long long)conf.value[i]);
            assert_string_equal(conf.text[i], text);
        }
    }
    assert_string_equal(conf.name, "app");
    assert_string_equal(conf.text[CV_SET_HOST], "127.0.0.1");
    assert_int_equal(conf.value[CV_SET_GRACEFUL_SHUTDOWN_TIMEOUT], 15000);
    assert_int_equal(conf.value[CV_SET_KEEP_ALIVE], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        conf_test(test_each_wrong_value_is_answered_by_what_would_be_right),
        conf_test(test_unknown_flags_and_arguments_are_named),
        conf_test(test_a_flag_without_its_value_says_what_it_is_for),
        conf_test(test_a_wrong_variable_is_named_with_its_prefix),
        conf_test(test_an_empty_host_in_the_environment_is_refused),
        conf_test(test_wrong_options_are_named_with_their_limits),
        conf_test(test_long_nonsense_is_cut_not_run_over),
        conf_test(test_random_flags_are_read_or_refused),
        conf_test(test_every_number_has_its_ends),
        conf_test(test_times_and_sizes_may_be_off_and_nothing_else),
        conf_test(test_a_flag_wins_over_the_environment_over_options_over_defaults),
        conf_test(test_without_flags_the_command_line_is_not_looked_at),
        conf_test(test_what_follows_two_dashes_is_the_apps),
        conf_test(test_help_and_version_are_requests),
        conf_test(test_truth_has_its_forms),
        conf_test(test_values_of_each_type_are_read),
        conf_test(test_every_default_is_right_and_every_text_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
