/* geometry.h — how the convolution algorithms see a shape: groups of output blocks that
 * read the same input channels, and the cut of the work into tiles. Internal to kern. */
#ifndef AL_KERN_GEOMETRY_H
#define AL_KERN_GEOMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kern/conv.h"

/* Consecutive output blocks that one kernel call computes together. Input channels are
 * [c_begin, c_end): the union of what its channels' groups read, the weights of foreign
 * groups being zero. */
struct al_conv_group {
    int32_t index;    /* of the group */
    int32_t block;    /* its first output block */
    int32_t n_blocks; /* 1 to 4; 0 after the last group */
    int32_t c_begin, c_end;
    size_t weights; /* offset of its packed weights, in floats */
};

/* The first group, and the one after `g`. `kb` bounds n_blocks. */
struct al_conv_group al_conv_group_first(const struct al_conv_shape *s, int32_t block,
                                         int32_t kb);
void al_conv_group_next(const struct al_conv_shape *s, int32_t block, int32_t kb,
                        struct al_conv_group *g);
int32_t al_conv_n_groups(const struct al_conv_shape *s, int32_t block, int32_t kb);
/* Floats of the packed weights of all groups. */
size_t al_conv_group_floats(const struct al_conv_shape *s, int32_t block, int32_t kb);
/* Weight of output channel k for input channel c (of the whole input) at tap (r, q);
 * zero when they belong to different groups or lie past the channels. */
float al_conv_weight(const struct al_conv_shape *s, const float *weights, int32_t k,
                     int32_t c, int32_t r, int32_t q);

/* Whether the input's halo holds everything the windows reach. */
bool al_conv_halo_suffices(const struct al_conv_shape *s);
/* Last input row or column a window reaches, plus one, counted from -pad. */
int32_t al_conv_reach_h(const struct al_conv_shape *s);
int32_t al_conv_reach_w(const struct al_conv_shape *s);

/* A row's work cut in chunks of weight groups by chunks of output lines. Tile index =
 * (group chunk * n_rows + row) * n_line_chunks + line chunk: neighbours share weights. */
struct al_conv_cut {
    int32_t groups_per_chunk, n_group_chunks;
    int32_t lines_per_chunk, n_line_chunks;
};

struct al_conv_cut al_conv_cut(const struct al_conv_shape *s, int32_t n_groups,
                               int32_t n_lines, size_t weight_floats);

struct al_conv_tile {
    size_t row;
    int32_t group_begin, group_end; /* indices of groups */
    int32_t line_begin, line_end;
};

struct al_conv_tile al_conv_tile(const struct al_conv_cut *cut, size_t n_rows,
                                 int32_t n_groups, int32_t n_lines, size_t tile);

#endif
