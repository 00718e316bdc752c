/* choice_file.h — measured kernels on disk: text, one line a candidate, "KEY NANOSECONDS
 * ALGORITHM"; the fastest of a key is its choice. Lines are appended in one write, so
 * several processes may share the file; what cannot be parsed is skipped. Private to
 * exec/. */
#ifndef AL_EXEC_CHOICE_FILE_H
#define AL_EXEC_CHOICE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct al_choice_line {
    uint64_t key;
    uint64_t ns;
    const char *name;
};

typedef void (*al_choice_line_fn)(void *arg, const struct al_choice_line *line);

/* Calls fn for every good line; a file that is not there has none. */
void al_choice_file_read(const char *path, al_choice_line_fn fn, void *arg);
void al_choice_file_append(const char *path, const struct al_choice_line *lines,
                           size_t n);

#endif
