/* A folder of class folders of pictures, one level deep, in alphabetical order. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/data_source.h"

struct tl_source {
    int fd; /* of the folder */
};

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static enum al_status list_class(int root, const char *folder, struct tl_list *list,
                                 struct al_error *err)
{
    struct dirent **names = NULL;
    const int n = scandirat(root, folder, &names, visible, alphasort);
    enum al_status s = AL_OK;

    if (n < 0)
        return al_fail(err, AL_IO, "%s: %s", folder, strerrordesc_np(errno));
    for (int i = 0; s == AL_OK && i < n; i++) {
        char path[TL_MAX_NAME_BYTES];

        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        s = tl_list_add_path(list, path, 0, 0, err);
    }
    free_names(names, n);
    return s;
}

static bool is_folder(int root, const char *name)
{
    struct stat st;

    return fstatat(root, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static enum al_status dir_open(const char *spec, struct tl_list *list,
                               struct tl_source **ret, struct al_error *err)
{
    struct dirent **names = NULL;
    struct tl_source *source = calloc(1, sizeof(*source));
    enum al_status s = AL_OK;

    if (!source)
        return al_fail(err, AL_NO_MEMORY, "folder");
    source->fd = open(spec, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret = source;
    const int n =
        source->fd < 0 ? -1 : scandirat(source->fd, ".", &names, visible, alphasort);

    if (n < 0)
        return al_fail(err, AL_IO, "%s", strerrordesc_np(errno));
    for (int i = 0; s == AL_OK && i < n; i++) {
        if (is_folder(source->fd, names[i]->d_name))
            s = list_class(source->fd, names[i]->d_name, list, err);
    }
    free_names(names, n);
    return s;
}

static enum al_status read_file(int fd, struct tl_buffer *buf, struct al_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return al_fail(err, AL_IO, "%s", strerrordesc_np(errno));
    if (!S_ISREG(st.st_mode))
        return al_fail(err, AL_INVALID, "not a regular file");
    if ((uint64_t)st.st_size > TL_MAX_IMAGE_BYTES)
        return al_fail(err, AL_TOO_LARGE, "%lld bytes, limit %zu", (long long)st.st_size,
                       TL_MAX_IMAGE_BYTES);
    const enum al_status s = tl_buffer_reserve(buf, (size_t)st.st_size, err);

    if (s != AL_OK)
        return s;
    if (pread(fd, buf->data, buf->size, 0) != (ssize_t)buf->size)
        return al_fail(err, AL_IO, "cannot read all %zu bytes", buf->size);
    return AL_OK;
}

static enum al_status dir_read(const struct tl_source *s, const struct tl_item *item,
                               struct tl_buffer *buf, struct al_error *err)
{
    const int fd = openat(s->fd, item->name,
                          O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */

    if (fd < 0)
        return al_fail(err, AL_IO, "%s", strerrordesc_np(errno));
    const enum al_status status = read_file(fd, buf, err);

    (void)close(fd);
    return status;
}

static void dir_close(struct tl_source *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
}

const struct tl_source_kind tl_source_dir = { dir_open, dir_read, dir_close };
