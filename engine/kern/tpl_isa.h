/* tpl_isa.h — the tables of one instruction set. The including isa_*.c defines AL_BLOCK,
 * ISA (its suffix in isa.h), ISA_NAME and ISA_FLAGS. */
#ifndef AL_KERN_TPL_ISA_H
#define AL_KERN_TPL_ISA_H

#include "engine/kern/cpu.h"
#include "engine/kern/isa.h"
#include "engine/kern/tpl_attention.h"
#include "engine/kern/tpl_conv.h"
#include "engine/kern/tpl_direct.h"
#include "engine/kern/tpl_fc.h"
#include "engine/kern/tpl_gather.h"
#include "engine/kern/tpl_map.h"
#include "engine/kern/tpl_narrow.h"
#include "engine/kern/tpl_pool.h"
#include "engine/kern/tpl_vector.h"
#include "engine/kern/tpl_winograd.h"

const struct al_kern JOIN(al_kern_, ISA) = { .name = ISA_NAME,
                                             .cpu_flags = ISA_FLAGS,
                                             .block = AL_BLOCK,
#define X(fn, params) .fn = fn,
                                             AL_KERN_LIST(X)
#undef X
};

CONV(direct, EXACT)
CONV(planar, EXACT)
CONV(narrow, EXACT)
CONV(depthwise, EXACT)
CONV(grouped, EXACT)
CONV(winograd2, EXACT)
CONV(winograd4, FAST)
CONV(winograd2k5, FAST)

#endif
