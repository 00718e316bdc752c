#include "engine/base/reader.h"

bool al_reader_bytes(struct al_reader *r, size_t n, const uint8_t **ret)
{
    if (n > al_reader_left(r))
        return false;
    *ret = r->data + r->pos;
    r->pos += n;
    return true;
}

/* Reads `n` <= 8 bytes, least significant first. */
static bool read_le(struct al_reader *r, size_t n, uint64_t *ret)
{
    const uint8_t *p;
    uint64_t v = 0;

    if (!al_reader_bytes(r, n, &p))
        return false;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | p[i];
    *ret = v;
    return true;
}

bool al_reader_u8(struct al_reader *r, uint8_t *ret)
{
    uint64_t v;

    if (!read_le(r, 1, &v))
        return false;
    *ret = (uint8_t)v;
    return true;
}

bool al_reader_u16(struct al_reader *r, uint16_t *ret)
{
    uint64_t v;

    if (!read_le(r, 2, &v))
        return false;
    *ret = (uint16_t)v;
    return true;
}

bool al_reader_u32(struct al_reader *r, uint32_t *ret)
{
    uint64_t v;

    if (!read_le(r, 4, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

bool al_reader_u64(struct al_reader *r, uint64_t *ret)
{
    return read_le(r, 8, ret);
}

bool al_reader_u32be(struct al_reader *r, uint32_t *ret)
{
    uint32_t v;

    if (!al_reader_u32(r, &v))
        return false;
    *ret = __builtin_bswap32(v);
    return true;
}
