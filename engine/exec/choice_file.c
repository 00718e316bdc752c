#include "engine/exec/choice_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 128
#define FILE_MAX_LINES 20000 /* beyond, the file is not ours */
#define MAX_FILE_BYTES ((off_t)LINE_MAX_BYTES * FILE_MAX_LINES)

/* Splits "KEY NANOSECONDS NAME\n" in place. */
static bool parse_line(char *text, struct al_choice_line *ret)
{
    char *end;
    size_t length = strlen(text);

    if (!length || text[length - 1] != '\n')
        return false;
    text[length - 1] = '\0';
    errno = 0;
    ret->key = strtoull(text, &end, 16);
    if (end == text || *end != ' ' || errno)
        return false;
    text = end;
    ret->ns = strtoull(text, &end, 10);
    if (end == text || *end != ' ' || errno)
        return false;
    ret->name = end + 1;
    return *ret->name != '\0';
}

void al_choice_file_read(const char *path, al_choice_line_fn fn, void *arg)
{
    FILE *f = fopen(path, "re");
    char text[LINE_MAX_BYTES];

    if (!f)
        return;
    for (int i = 0; i < FILE_MAX_LINES && fgets(text, sizeof(text), f); i++) {
        struct al_choice_line line;

        if (parse_line(text, &line))
            fn(arg, &line);
    }
    (void)fclose(f);
}

void al_choice_file_append(const char *path, const struct al_choice_line *lines, size_t n)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    char *text = malloc(n * LINE_MAX_BYTES + 1);
    size_t used = 0;

    for (size_t i = 0; text && i < n; i++)
        used += (size_t)snprintf(text + used, LINE_MAX_BYTES,
                                 "%016" PRIx64 " %" PRIu64 " %.80s\n", lines[i].key,
                                 lines[i].ns, lines[i].name);
    if (fd >= 0 && text && lseek(fd, 0, SEEK_END) < MAX_FILE_BYTES) {
        ssize_t written = write(fd, text, used);
        (void)written; /* a torn line is skipped by the reader */
    }
    free(text);
    if (fd >= 0)
        (void)close(fd);
}
