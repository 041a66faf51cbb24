/* Loading apps from shared objects: what goes wrong is said in one sentence, with the right code.
 * The objects are made here, with cc, from what COVEY_APP expands to. */
#include "host/native/load.h"

#include "base/exit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char dir[] = "/tmp/covey-load-XXXXXX";
static char reason[512];
static covey_setup_fn *loaded;

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* A shared object out of these lines. */
static const char *build(const char *name, const char *source)
{
    char command[512];
    const char *path = in_dir(name);
    write_file(in_dir("source.c"), source);
    snprintf(command, sizeof(command), "cc -shared -fPIC -o %s %s/source.c", path, dir);
    assert_int_equal(system(command), 0);
    return path;
}

static int load(const char *path, const char *symbol)
{
    reason[0] = '\0';
    loaded = NULL;
    return cv_load(path, symbol, &loaded, reason, sizeof(reason));
}

static void assert_says(const char *text)
{
    if (strstr(reason, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, text);
}

#define ENTRY "struct { unsigned abi, size; int (*setup)(void *); } const "

static void test_a_missing_file_is_exit_4(void **state)
{
    (void)state;
    assert_int_equal(load(in_dir("none.so"), NULL), CV_EXIT_LOAD);
    assert_says("cannot load /tmp/covey-load-");
    assert_says("/none.so: No such file or directory");
}

static void test_what_is_no_shared_object_is_exit_4(void **state)
{
    (void)state;
    write_file(in_dir("text.so"),
               "this is text, long enough to be looked at as an ELF header.....");
    assert_int_equal(load(in_dir("text.so"), NULL), CV_EXIT_LOAD);
    assert_says("text.so: ");
    assert_int_equal(load(dir, NULL), CV_EXIT_LOAD);
    assert_says("cannot load");
}

static void test_a_missing_symbol_is_exit_4(void **state)
{
    (void)state;
    const char *path = build("plain.so", "int other;");
    assert_int_equal(load(path, NULL), CV_EXIT_LOAD);
    assert_says("is no covey app: COVEY_APP(setup) is missing");
    assert_int_equal(load(path, "mine"), CV_EXIT_LOAD);
    assert_says("has no app \"mine\"");
}

static void test_a_symbol_that_is_no_entry_is_exit_4(void **state)
{
    (void)state;
    const char *path = build("function.so", "int mine(void) { return 0; } char tiny;");
    assert_int_equal(load(path, "mine"), CV_EXIT_LOAD);
    assert_says("has no app \"mine\"");
    assert_int_equal(load(path, "tiny"), CV_EXIT_LOAD);
}

static void test_unresolved_symbols_are_exit_4_and_named(void **state)
{
    (void)state;
    const char *path = build("open.so", "int nowhere_to_be_found(void);"
                                        "int f(void) { return nowhere_to_be_found(); }");
    assert_int_equal(load(path, NULL), CV_EXIT_LOAD);
    assert_says("nowhere_to_be_found");
}

static void test_another_abi_or_size_is_exit_78(void **state)
{
    (void)state;
    const char *path = build("abi.so", ENTRY "covey_app_entry = {99, 16, 0};");
    assert_int_equal(load(path, NULL), CV_EXIT_CONFIG);
    assert_says("was built for another covey (ABI 99, entry of 16 bytes)");
    path = build("size.so", ENTRY "covey_app_entry = {1, 24, 0};");
    assert_int_equal(load(path, NULL), CV_EXIT_CONFIG);
    assert_says("entry of 24 bytes");
}

static void test_a_null_setup_is_exit_4(void **state)
{
    (void)state;
    const char *path = build("null.so", ENTRY "covey_app_entry = {1, 16, 0};");
    assert_int_equal(load(path, NULL), CV_EXIT_LOAD);
    assert_says("the setup function is NULL");
}

static void test_apps_are_found_by_default_and_by_name(void **state)
{
    (void)state;
    const char *path =
        build("app.so", "static int one(void *app) { return app ? 1 : 11; }\n"
                        "static int two(void *app) { return app ? 2 : 22; }\n" ENTRY
                        "covey_app_entry = {1, 16, one};\n" ENTRY "other = {1, 16, two};");
    assert_int_equal(load(path, NULL), 0);
    assert_int_equal(loaded(NULL), 11);
    assert_int_equal(load(path, "other"), 0);
    assert_int_equal(loaded(NULL), 22);
}

static void test_a_descriptors_path_is_named_by_its_file(void **state)
{
    (void)state;
    FILE *file = fopen(build("fd.so", "int other;"), "r");
    char path[64];
    assert_non_null(file);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
    assert_int_equal(load(path, NULL), CV_EXIT_LOAD);
    assert_says("/fd.so is no covey app");
    fclose(file);
}

static void assert_split(const char *spec, const char *file, const char *symbol)
{
    char name[64];
    const char *found;
    assert_int_equal(cv_load_split(spec, name, sizeof(name), &found), 0);
    assert_string_equal(name, file);
    if (symbol == NULL)
        assert_null(found);
    else
        assert_string_equal(found, symbol);
}

static void test_a_spec_is_split_before_a_c_name(void **state)
{
    (void)state;
    assert_split("./app.so", "./app.so", NULL);
    assert_split("./app.so:main_app", "./app.so", "main_app");
    assert_split("a:b:c", "a:b", "c");
    assert_split("a:1x", "a:1x", NULL);
    assert_split("a:", "a:", NULL);
    write_file(in_dir("x:y"), "");
    assert_split(in_dir("x:y"), in_dir("x:y"), NULL);

    char small[4];
    const char *symbol;
    assert_int_equal(cv_load_split("long.so", small, sizeof(small), &symbol), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_missing_file_is_exit_4),
        cmocka_unit_test(test_what_is_no_shared_object_is_exit_4),
        cmocka_unit_test(test_a_missing_symbol_is_exit_4),
        cmocka_unit_test(test_a_symbol_that_is_no_entry_is_exit_4),
        cmocka_unit_test(test_unresolved_symbols_are_exit_4_and_named),
        cmocka_unit_test(test_another_abi_or_size_is_exit_78),
        cmocka_unit_test(test_a_null_setup_is_exit_4),
        cmocka_unit_test(test_apps_are_found_by_default_and_by_name),
        cmocka_unit_test(test_a_descriptors_path_is_named_by_its_file),
        cmocka_unit_test(test_a_spec_is_split_before_a_c_name),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
