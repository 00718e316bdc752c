/* Runs a fuzz target over stored inputs, so that a build without a fuzzing engine still
 * tests every input that ever mattered. Arguments are files and folders of files. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes are copied to a block of their own size: a sanitizer sees any read past it.
 */
static int replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *data = malloc(size > 0 ? size : 1);
    int rc = EXIT_FAILURE;

    if (!f || !data || fread(data, 1, size, f) != size)
        perror(path);
    else
        rc = LLVMFuzzerTestOneInput(data, size);
    free(data);
    if (f)
        (void)fclose(f);
    return rc;
}

static int replay(const char *path, size_t *n_files);

static int replay_folder(const char *path, size_t *n_files)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    int rc = n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

    for (int i = 0; i < n; i++) {
        char child[4096];

        (void)snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            rc |= replay(child, n_files);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return rc;
}

static int replay(const char *path, size_t *n_files)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        perror(path);
        return EXIT_FAILURE;
    }
    if (S_ISDIR(st.st_mode))
        return replay_folder(path, n_files);
    ++*n_files;
    return replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    size_t n_files = 0;
    int rc = EXIT_SUCCESS;

    for (int i = 1; i < argc; i++)
        rc |= replay(argv[i], &n_files);
    printf("%zu inputs\n", n_files);
    return n_files > 0 ? rc : EXIT_FAILURE;
}
