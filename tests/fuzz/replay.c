/* Runs a fuzz target over files: what the tests do with its corpus where libFuzzer is not linked.
 *
 *     TARGET_replay FILE-OR-FOLDER...
 *
 * A folder that does not exist is an empty one, but no input at all is a failure. Prints how many
 * inputs were run; a target reports a failure by dying, and the last name on stderr says with what.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void die(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(1);
}

/* The input is copied to memory of its exact size, so that a read past it is seen by ASan. */
static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path);
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL || fread(bytes, 1, size, file) != size)
        die(path);
    fclose(file);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
}

static int run(const char *path);

static int run_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        die(path);
    int inputs = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char inside[4096];
        snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        inputs += run(inside);
    }
    closedir(folder);
    return inputs;
}

static int run(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        if (errno == ENOENT)
            return 0;
        die(path);
    }
    if (S_ISDIR(st.st_mode))
        return run_folder(path);
    run_file(path, (size_t)st.st_size);
    return 1;
}

int main(int argc, char **argv)
{
    int inputs = 0;
    for (int i = 1; i < argc; i++)
        inputs += run(argv[i]);
    printf("%d inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}
