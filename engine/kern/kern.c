#include "engine/kern/kern.h"

#include "engine/kern/cpu.h"
#include "engine/kern/isa.h"

/* By rising preference. */
static const struct al_kern *const tables[] = {
#define X(isa) &al_kern_##isa,
    AL_ISA_LIST(X)
#undef X
};
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

const struct al_kern *al_kern_get(unsigned cpu_flags, int32_t block)
{
    const struct al_kern *best = NULL;

    for (size_t i = 0; i < N_TABLES; i++) {
        if (tables[i]->block == block && (tables[i]->cpu_flags & ~cpu_flags) == 0)
            best = tables[i];
    }
    return best;
}

size_t al_map_floats(const struct al_map *m, int32_t block)
{
    const size_t rows = (size_t)(m->halo.top + m->h + m->halo.bottom);
    const size_t columns = (size_t)(m->halo.left + m->w + m->halo.right);

    return (size_t)((m->c + block - 1) / block) * rows * columns * (size_t)block;
}

size_t al_fc_tiles(size_t n_out)
{
    return (n_out + AL_FC_TILE - 1) / AL_FC_TILE;
}

size_t al_fc_whole_lanes(size_t n_out)
{
    return (n_out + 15) / 16 * 16;
}

/* Where the reduction of a dot product costs less than chains that wait for one another:
 * few outputs, twice as many inputs at least. */
size_t al_fc_dots(size_t n_in, size_t n_out)
{
    const size_t last = n_out % AL_FC_TILE;

    return last <= AL_FC_TILE / 2 && n_in >= 2 * last ? last : 0;
}

size_t al_fc_packed_floats(size_t n_in, size_t n_out)
{
    const size_t dots = al_fc_dots(n_in, n_out);

    return n_in * al_fc_whole_lanes(n_out - dots) + dots * al_fc_whole_lanes(n_in);
}

/* Packed keys and values; two bias tiles; scores; results of a tile. */
size_t al_attention_floats(const struct al_attention *a)
{
    const size_t keys = al_fc_whole_lanes(a->n_keys);

    return a->n_features * keys + a->n_keys * al_fc_whole_lanes(a->n_values) + keys +
           AL_FC_TILE + AL_ATTENTION_ROWS * (keys + AL_FC_TILE);
}
