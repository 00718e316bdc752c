/* commands.h — the toolbox's commands, one file each. */
#ifndef TL_COMMANDS_H
#define TL_COMMANDS_H

#include "tools/options.h"

extern const struct tl_command tl_cmd_calibrate;
extern const struct tl_command tl_cmd_evaluate;
extern const struct tl_command tl_cmd_run;
extern const struct tl_command tl_cmd_inspect;
extern const struct tl_command tl_cmd_bench;

#endif
