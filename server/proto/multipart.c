#include "server/proto/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool read_boundary(const char *content_type, char *ret)
{
    const char *p = strcasestr(content_type, "boundary=");
    bool quoted;
    size_t n;

    if (!p)
        return false;
    p += strlen("boundary=");
    quoted = *p == '"';
    p += quoted;
    n = strcspn(p, quoted ? "\"" : "; \t");
    if (n == 0 || n > SV_BOUNDARY_MAX)
        return false;
    memcpy(ret, p, n);
    ret[n] = '\0';
    return true;
}

enum al_status sv_multipart_init(struct sv_multipart *m, const char *content_type,
                                 const char *body, size_t size, struct al_error *err)
{
    char boundary[SV_BOUNDARY_MAX + 1];
    const char *first;

    if (!read_boundary(content_type, boundary))
        return al_fail(err, AL_INVALID, "multipart: Content-Type names no boundary");
    m->delimiter_size =
        (size_t)snprintf(m->delimiter, sizeof(m->delimiter), "\r\n--%s", boundary);
    m->end = body + size;
    first = size ? memmem(body, size, m->delimiter + 2, m->delimiter_size - 2) : NULL;
    if (!first || (first != body && (first < body + 2 || first[-1] != '\n')))
        return al_fail(err, AL_INVALID, "multipart: the body has no part");
    m->at = first + m->delimiter_size - 2;
    return AL_OK;
}

bool sv_multipart_next(struct sv_multipart *m, const char **ret, size_t *ret_size)
{
    size_t left = (size_t)(m->end - m->at);
    const char *content, *behind;

    if (left < 2 || memcmp(m->at, "--", 2) == 0)
        return false;
    content = memmem(m->at, left, "\r\n\r\n", 4);
    if (!content)
        return false;
    content += 4;
    behind = memmem(content, (size_t)(m->end - content), m->delimiter, m->delimiter_size);
    if (!behind)
        return false;
    *ret = content;
    *ret_size = (size_t)(behind - content);
    m->at = behind + m->delimiter_size;
    return true;
}

enum al_status sv_multipart_count(struct sv_multipart m, size_t max, size_t *ret,
                                  struct al_error *err)
{
    const char *part;
    size_t size, n = 0;

    while (sv_multipart_next(&m, &part, &size))
        if (++n > max)
            return al_fail(err, AL_TOO_LARGE, "multipart: more than %zu parts", max);
    if (m.end - m.at < 2 || memcmp(m.at, "--", 2) != 0)
        return al_fail(err, AL_INVALID, "multipart: part %zu is not closed", n);
    *ret = n;
    return AL_OK;
}
