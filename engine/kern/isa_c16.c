/* isa_c16.c — portable C, 16 channels a block. */
#define AL_BLOCK  16
#define ISA       c16
#define ISA_NAME  "c16"
#define ISA_FLAGS 0

#include "engine/kern/tpl_isa.h"
