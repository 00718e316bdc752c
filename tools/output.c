#include "tools/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum al_status fail(const struct tl_output *o, int code, struct al_error *err)
{
    return al_fail(err, AL_IO, "%s: %s", o->path, strerrordesc_np(code));
}

static bool is_replaceable(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

static void release(struct tl_output *o)
{
    free(o->path);
    free(o->temporary);
    memset(o, 0, sizeof(*o));
}

static enum al_status open_temporary(struct tl_output *o, struct al_error *err)
{
    if (asprintf(&o->temporary, "%s.%ld.part", o->path, (long)getpid()) < 0) {
        o->temporary = NULL; /* asprintf leaves it undefined */
        return al_fail(err, AL_NO_MEMORY, "%s", o->path);
    }
    const int fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return fail(o, errno, err);
    o->file = fdopen(fd, "w");
    if (o->file)
        return AL_OK;
    (void)close(fd);
    (void)unlink(o->temporary);
    return al_fail(err, AL_NO_MEMORY, "%s", o->path);
}

enum al_status tl_output_open(const char *path, struct tl_output *ret,
                              struct al_error *err)
{
    struct tl_output o = { .path = strdup(path) };
    enum al_status s = AL_OK;

    if (!o.path)
        return al_fail(err, AL_NO_MEMORY, "%s", path);
    if (is_replaceable(path))
        s = open_temporary(&o, err);
    else if (!(o.file = fopen(path, "we")))
        s = fail(&o, errno, err);
    if (s != AL_OK) {
        release(&o);
        return s;
    }
    *ret = o;
    return AL_OK;
}

enum al_status tl_output_commit(struct tl_output *o, struct al_error *err)
{
    const bool written = ferror(o->file) == 0 && fflush(o->file) == 0;
    const int code = errno;
    enum al_status s = AL_OK;

    if (!written)
        s = fail(o, code, err);
    if (fclose(o->file) != 0 && s == AL_OK)
        s = fail(o, errno, err);
    if (s == AL_OK && o->temporary && rename(o->temporary, o->path) != 0)
        s = fail(o, errno, err);
    if (s != AL_OK && o->temporary)
        (void)unlink(o->temporary);
    release(o);
    return s;
}

void tl_output_drop(struct tl_output *o)
{
    if (!o->file)
        return;
    (void)fclose(o->file);
    if (o->temporary)
        (void)unlink(o->temporary);
    release(o);
}
