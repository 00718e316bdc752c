/* isa_c8.c — portable C, 8 channels a block. */
#define AL_BLOCK  8
#define ISA       c8
#define ISA_NAME  "c8"
#define ISA_FLAGS 0

#include "engine/kern/tpl_isa.h"
