/* reader.h — bounded reading of foreign bytes. A read past the end returns false and
 * leaves the reader where it was; nothing is ever read outside [data, data+size).
 * Little-endian. */
#ifndef AL_BASE_READER_H
#define AL_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct al_reader {
    const uint8_t *data; /* not owned */
    size_t size;
    size_t pos;
};

static inline struct al_reader al_reader_of(const void *data, size_t size)
{
    return (struct al_reader){ .data = (const uint8_t *)data, .size = size, .pos = 0 };
}

static inline size_t al_reader_left(const struct al_reader *r)
{
    return r->size - r->pos;
}

/* A view of the next `n` bytes, then moves past them. */
bool al_reader_bytes(struct al_reader *r, size_t n, const uint8_t **ret);
bool al_reader_u8(struct al_reader *r, uint8_t *ret);
bool al_reader_u16(struct al_reader *r, uint16_t *ret);
bool al_reader_u32(struct al_reader *r, uint32_t *ret);
bool al_reader_u64(struct al_reader *r, uint64_t *ret);
bool al_reader_u32be(struct al_reader *r, uint32_t *ret);

#endif
