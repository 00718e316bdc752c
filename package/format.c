#include <stdbool.h>
#include <string.h>

#include "package/image.h"

static bool starts_with(const uint8_t *data, size_t size, const char *magic, size_t n)
{
    return size >= n && memcmp(data, magic, n) == 0;
}

static bool is_pnm(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6' &&
           strchr(" \t\r\n#", data[2]) && data[2] != '\0';
}

enum pk_format pk_image_format(const void *data, size_t size)
{
    const uint8_t *d = data;

    if (starts_with(d, size, "\xff\xd8\xff", 3))
        return PK_FORMAT_JPEG;
    if (starts_with(d, size, "\x89PNG\r\n\x1a\n", 8))
        return PK_FORMAT_PNG;
    if (starts_with(d, size, "RIFF", 4) && size >= 12 && memcmp(d + 8, "WEBP", 4) == 0)
        return PK_FORMAT_WEBP;
    return is_pnm(d, size) ? PK_FORMAT_PNM : PK_FORMAT_UNKNOWN;
}
