/* examples/static_files.c serves a directory, and nothing beside it. */
#define main static_files_main
#include "static_files.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

int main(void)
{
    char folder[] = "/tmp/covey-static-XXXXXX";
    assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
    write_file("index.html", "<h1>Hello</h1>");
    write_file("style.css", "h1 { color: red }");
    setenv("COVEY_ROOT", folder, 1);

    covey_test *t = covey_test_new(setup);
    assert(strcmp(covey_test_get(t, "/")->body, "<h1>Hello</h1>") == 0);
    const struct covey_test_answer *style = covey_test_get(t, "/style.css");
    assert(strcmp(covey_test_header(style, "Content-Type"), "text/css; charset=utf-8") == 0);
    assert(covey_test_get(t, "/style.css", .headers = {"Range: bytes=0-1"})->len == 2);
    assert(covey_test_get(t, "/nothing")->status == 404);
    assert(covey_test_get(t, "/../../etc/passwd")->status == 404);
    assert(covey_test_free(t) == 0);

    assert(unlink("index.html") == 0 && unlink("style.css") == 0 && rmdir(folder) == 0);
}
