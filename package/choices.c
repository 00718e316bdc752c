#include "package/choices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A variable that names an absolute path; NULL otherwise. */
static const char *folder_in(const char *variable)
{
    const char *value = getenv(variable); // NOLINT(concurrency-mt-unsafe): see choices.h

    return value && value[0] == '/' ? value : NULL;
}

/* Makes every folder of `path` above its last component. */
static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return true;
}

bool pk_choices_path(char *path, size_t size)
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        { "CACHE_DIRECTORY", "kernels" },
        { "XDG_CACHE_HOME", "alight/kernels" },
        { "HOME", ".cache/alight/kernels" },
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *folder = folder_in(places[i].variable);
        if (!folder)
            continue;
        int n = snprintf(path, size, "%s/%s", folder, places[i].below);
        return n > 0 && (size_t)n < size && make_folders(path);
    }
    return false;
}
