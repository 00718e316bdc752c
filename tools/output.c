#include "tools/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The temporary file there is, for the signal handler, which is given nothing else. Who
 * takes the name out of here owns it: its output, or the handler. */
static _Atomic(char *) unfinished;

/* ---- signals ---- */

static void tidy(int number)
{
    char *temporary = atomic_exchange(&unfinished, NULL);

    if (temporary)
        (void)unlink(temporary);
    (void)raise(number); /* SA_RESETHAND: ends the process now, as it would have */
}

void tl_output_tidy_on_signals(void)
{
    static const int ending[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE,
                                  SIGTERM, SIGXCPU, SIGXFSZ };
    const struct sigaction action = { .sa_handler = tidy, .sa_flags = SA_RESETHAND };
    struct sigaction now;

    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        if (sigaction(ending[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            (void)sigaction(ending[i], &action, NULL);
}

/* ---- one file ---- */

static enum al_status fail(const struct tl_output *o, int code, struct al_error *err)
{
    return al_fail(err, AL_IO, "%s: %s", o->path, strerrordesc_np(code));
}

/* Links in these folders lead to files that others hold open. */
static bool names_a_descriptor(const char *path)
{
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
}

static bool is_replaceable(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0 || S_ISREG(st.st_mode))
        return true;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && !names_a_descriptor(path);
}

void tl_output_drop(struct tl_output *o)
{
    if (o->file)
        (void)fclose(o->file);
    if (o->temporary) {
        (void)unlink(o->temporary);
        free(atomic_exchange(&unfinished, NULL));
    }
    free(o->place);
    free(o->path);
    memset(o, 0, sizeof(*o));
}

/* The name is known to the handler before there is a file, and until there is none. */
static enum al_status open_temporary(struct tl_output *o, struct al_error *err)
{
    o->place = realpath(o->path, NULL);
    if (!o->place && !(o->place = strdup(o->path)))
        return al_fail(err, AL_NO_MEMORY, "%s", o->path);
    if (asprintf(&o->temporary, "%s.%ld.part", o->place, (long)getpid()) < 0) {
        o->temporary = NULL; /* asprintf leaves it undefined */
        return al_fail(err, AL_NO_MEMORY, "%s", o->path);
    }
    assert(!atomic_load(&unfinished));
    atomic_store(&unfinished, o->temporary);
    o->file = fopen(o->temporary, "wxe");
    return o->file ? AL_OK : fail(o, errno, err);
}

static enum al_status open_in_place(struct tl_output *o, struct al_error *err)
{
    o->file = fopen(o->path, "we");
    return o->file ? AL_OK : fail(o, errno, err);
}

enum al_status tl_output_open(const char *path, struct tl_output *ret,
                              struct al_error *err)
{
    struct tl_output o = { .path = strdup(path) };

    if (!o.path)
        return al_fail(err, AL_NO_MEMORY, "%s", path);
    const enum al_status s =
        is_replaceable(path) ? open_temporary(&o, err) : open_in_place(&o, err);

    if (s != AL_OK) {
        tl_output_drop(&o);
        return s;
    }
    *ret = o;
    return AL_OK;
}

static bool is_written(const struct tl_output *o)
{
    return ferror(o->file) == 0 && fflush(o->file) == 0 &&
           (!o->temporary || fsync(fileno(o->file)) == 0);
}

enum al_status tl_output_commit(struct tl_output *o, struct al_error *err)
{
    enum al_status s = is_written(o) ? AL_OK : fail(o, errno, err);
    FILE *file = o->file;

    o->file = NULL;
    if (fclose(file) != 0 && s == AL_OK)
        s = fail(o, errno, err);
    if (s == AL_OK && o->temporary && rename(o->temporary, o->place) != 0)
        s = fail(o, errno, err);
    tl_output_drop(o); /* all that is left: names */
    return s;
}
