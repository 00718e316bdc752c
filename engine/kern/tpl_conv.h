/* tpl_conv.h — CONV(family, accuracy): the table row of a family of convolutions for the
 * instruction set that the including isa_*.c defines by AL_BLOCK, ISA (its suffix in
 * isa.h), ISA_NAME and ISA_FLAGS. */
#ifndef AL_KERN_TPL_CONV_H
#define AL_KERN_TPL_CONV_H

#include "engine/kern/isa.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

#define CONV(family, accuracy)                                   \
    const struct al_conv_algo JOIN(al_conv_##family##_, ISA) = { \
        .name = #family "-" ISA_NAME,                            \
        .cpu_flags = ISA_FLAGS,                                  \
        .block = AL_BLOCK,                                       \
        .precision = AL_CONV_##accuracy,                         \
        .fits = family##_fits,                                   \
        .packed_floats = family##_packed_floats,                 \
        .pack = family##_pack,                                   \
        .scratch_bytes = family##_scratch_bytes,                 \
        .n_tiles = family##_tiles,                               \
        .run = family##_run,                                     \
    };

#endif
