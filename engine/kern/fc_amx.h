/* fc_amx.h — fully connected layers by tiles of AMX, for layers of many rows: as those of
 * fc.h, in the precision of every mode. */
#ifndef AL_KERN_FC_AMX_H
#define AL_KERN_FC_AMX_H

#include "engine/kern/fc.h"

/* In the precision asked for; NULL where the CPU has no tiles. */
const struct al_fc_algo *al_fc_amx(unsigned cpu_flags, enum al_conv_precision precision);

#endif
