#include "cli/settings/conf_file.h"

#include "rig.h"

#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static char flags[128];

static int begin(void **state)
{
    (void)snprintf(path, sizeof(path), "/tmp/covey-conf-%d.ini", (int)getpid());
    (void)snprintf(flags, sizeof(flags), "--config %s", path);
    return start(state);
}

static int end(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static void write_bytes(const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int read_text(const char *text)
{
    write_bytes(text, strlen(text));
    return read_flags(flags);
}

static void assert_refused(const char *text, int line, const char *what)
{
    char sentence[256];
    assert_int_equal(read_text(text), -EBADMSG);
    (void)snprintf(sentence, sizeof(sentence), "%s:%d: %s", path, line, what);
    assert_says(sentence);
}

/* ---- What is refused ---- */

static void test_the_first_wrong_line_is_named(void **state)
{
    (void)state;
    assert_refused("port = 1\nprot = 2\n", 2, "there is no setting \"prot\"");
    assert_refused("prot = 2\nport = x\n", 1, "there is no setting \"prot\"");
    assert_refused("\n# c\n; c\nport = x\n", 4, "port: \"x\" is not a number from 0 to 65535");
    assert_refused("port 80\nprot = 2\n", 1, "neither \"name = value\" nor a comment");
    assert_refused("port = 1\nport\n", 2, "neither");
    assert_refused("port = 1\nprot = 2\nport\n", 2, "there is no setting");
    assert_refused("[covey\nport = 1\n", 1, "neither");
    assert_refused("port =\n", 1, "port: \"\" is not a number");
    assert_refused("=\n", 1, "there is no setting \"\"");
    assert_refused("port\n", 1, "neither");
    assert_refused("port", 1, "neither");
}

static void test_other_sections_are_refused(void **state)
{
    (void)state;
    assert_refused("[server]\nport = 1\n", 2, "the only section there is, is [covey]");
    assert_refused("[Covey]\nport = 1\n", 2, "the only section");
    assert_refused("port = 1\n[coveys]\nport = 2\n", 3, "the only section");
}

static void test_file_that_names_another_is_refused(void **state)
{
    (void)state;
    assert_refused("config = /etc/other\n", 1, "a file cannot name another");
    assert_refused("CONFIG =\n", 1, "a file cannot name another");
}

static void test_lines_that_the_parser_would_break_are_refused(void **state)
{
    (void)state;
    char text[512];
    int len = snprintf(text, sizeof(text), "port = 1\n#%0*d\nworkers = 2\n", 300, 0);
    write_bytes(text, (size_t)len);
    assert_int_equal(read_flags(flags), -EBADMSG);
    assert_says(":2: the line is too long");
    static const char with_nul[] = "port = 1\nworkers = 2\0 3\nport = 2\n";
    write_bytes(with_nul, sizeof(with_nul) - 1);
    assert_int_equal(read_flags(flags), -EBADMSG);
    assert_says(":2: the line is too long, or holds a NUL");
}

static void test_what_is_no_regular_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_flags("--config /nowhere/at.all"), -EBADMSG);
    assert_says("cannot read the settings in /nowhere/at.all: No such file");
    assert_int_equal(read_flags("--config /tmp"), -EBADMSG);
    assert_says("/tmp: it is no regular file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_flags(flags), -EBADMSG);
    assert_says("it is no regular file");
}

static void test_sentence_about_a_long_path_tells_its_end(void **state)
{
    (void)state;
    char dots[401];
    char folder[600];
    for (size_t i = 0; i < sizeof(dots); i++)
        dots[i] = i % 2 == 0 ? '/' : '.';
    dots[sizeof(dots) - 1] = '\0';
    (void)snprintf(folder, sizeof(folder), "--config /tmp%s%s", dots, path + strlen("/tmp"));
    write_bytes("port = x\n", 9);
    assert_int_equal(read_flags(folder), -EBADMSG);
    assert_says("...");
    assert_says(".ini:1: port: \"x\" is not a number");
}

/* ---- What is taken ---- */

static void test_names_are_taken_in_lower_and_upper_case(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("port = 81\nWORKERS=3\n[covey]\n host = ::1 ; why\n\tStop_Timeout : 2m"), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 81);
    assert_int_equal(conf.value[CV_SET_WORKERS], 3);
    assert_string_equal(conf.text[CV_SET_HOST], "::1");
    assert_int_equal(conf.value[CV_SET_STOP_TIMEOUT], 120000);
}

static void test_indented_line_is_a_setting_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(read_text("host = a\n  port = 82\n"), 0);
    assert_string_equal(conf.text[CV_SET_HOST], "a");
    assert_int_equal(conf.value[CV_SET_PORT], 82);
}

static void test_every_setting_can_stand_in_a_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++) {
        char text[256];
        if (is(rows[i].name, "CONFIG"))
            continue;
        (void)snprintf(text, sizeof(text), "%s = %s\n", rows[i].name, rows[i].fallback);
        assert_int_equal(read_text(text), 0);
        assert_string_equal(cv_conf_lookup(&conf, rows[i].name), conf.text[i]);
    }
}

static void test_empty_file_and_crlf_and_bom_are_fine(void **state)
{
    (void)state;
    assert_int_equal(read_text(""), 0);
    assert_int_equal(read_text("\xef\xbb\xbfport = 83\r\nhost = b\r\n"), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 83);
    assert_string_equal(conf.text[CV_SET_HOST], "b");
}

static void test_longest_line_is_kept_whole(void **state)
{
    (void)state;
    char text[256];
    int len = snprintf(text, sizeof(text), "listen = %0*d\n", 198 - 9, 7);
    assert_int_equal(len, 199);
    assert_int_equal(read_text(text), 0);
    assert_int_equal(strlen(conf.text[CV_SET_LISTEN]), 189);
}

static void test_file_stands_between_options_and_environment(void **state)
{
    (void)state;
    write_bytes("port = 2\nworkers = 2\nbacklog = 2\nhost = file\n", 46);
    (void)setenv("COVEY_WORKERS", "3", 1);
    (void)setenv("COVEY_BACKLOG", "3", 1);
    char all[160];
    (void)snprintf(all, sizeof(all), "%s --backlog 4", flags);
    struct covey_options options = {.size = sizeof(options), .port = 1, .workers = 1, .host = "c"};
    assert_int_equal(read_all(&options, all), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 2);
    assert_int_equal(conf.value[CV_SET_WORKERS], 3);
    assert_int_equal(conf.value[CV_SET_BACKLOG], 4);
    assert_string_equal(conf.text[CV_SET_HOST], "file");
}

static void test_environment_can_name_the_file(void **state)
{
    (void)state;
    write_bytes("port = 84\n", 10);
    (void)setenv("COVEY_CONFIG", path, 1);
    assert_int_equal(read_flags(""), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 84);
    assert_int_equal(read_flags("--config="), 0);
    assert_int_equal(conf.value[CV_SET_PORT], 8000);
}

static void test_help_needs_no_file(void **state)
{
    (void)state;
    assert_int_equal(read_flags("--config /nowhere --help"), 0);
    assert_int_equal(request, CV_CONF_HELP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_wrong_line_is_named, begin, end),
        cmocka_unit_test_setup_teardown(test_other_sections_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_file_that_names_another_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_lines_that_the_parser_would_break_are_refused, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_what_is_no_regular_file_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_sentence_about_a_long_path_tells_its_end, begin, end),
        cmocka_unit_test_setup_teardown(test_names_are_taken_in_lower_and_upper_case, begin, end),
        cmocka_unit_test_setup_teardown(test_indented_line_is_a_setting_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(test_every_setting_can_stand_in_a_file, begin, end),
        cmocka_unit_test_setup_teardown(test_empty_file_and_crlf_and_bom_are_fine, begin, end),
        cmocka_unit_test_setup_teardown(test_longest_line_is_kept_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_file_stands_between_options_and_environment, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_environment_can_name_the_file, begin, end),
        cmocka_unit_test_setup_teardown(test_help_needs_no_file, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
