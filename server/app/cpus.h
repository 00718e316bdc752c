/* cpus.h — how many CPUs this process may really use. */
#ifndef SV_APP_CPUS_H
#define SV_APP_CPUS_H

#include <stddef.h>

/* The least of: CPUs online, the affinity mask, the cgroup's quota (v2 cpu.max of every
 * level, or v1 cfs_quota) rounded up. At least 1. `root` is "" outside of tests: the
 * folder that /proc and /sys are looked for in. */
size_t sv_usable_cpus(const char *root);

#endif
