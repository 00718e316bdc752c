#include "server/app/cpus.h"

#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool read_line(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(buf, (int)size, f);

    if (f)
        (void)fclose(f);
    if (ok)
        buf[strcspn(buf, "\n")] = '\0';
    return ok;
}

static size_t at_least_one(double quota, double period)
{
    double cpus = ceil(quota / period);

    return cpus < 1 ? 1 : (size_t)cpus;
}

/* "200000 100000", or "max 100000" for no limit. */
static size_t quota_v2(const char *folder)
{
    char path[PATH_MAX], line[128];
    double quota, period;

    if (snprintf(path, sizeof(path), "%s/cpu.max", folder) >= (int)sizeof(path) ||
        !read_line(path, line, sizeof(line)) ||
        sscanf(line, "%lf %lf", &quota, &period) != 2 || period <= 0)
        return SIZE_MAX;
    return at_least_one(quota, period);
}

static size_t quota_v1(const char *root)
{
    char path[PATH_MAX], line[64];
    double quota, period;

    (void)snprintf(path, sizeof(path), "%s/sys/fs/cgroup/cpu/cpu.cfs_quota_us", root);
    if (!read_line(path, line, sizeof(line)) || sscanf(line, "%lf", &quota) != 1 ||
        quota <= 0)
        return SIZE_MAX;
    (void)snprintf(path, sizeof(path), "%s/sys/fs/cgroup/cpu/cpu.cfs_period_us", root);
    if (!read_line(path, line, sizeof(line)) || sscanf(line, "%lf", &period) != 1 ||
        period <= 0)
        return SIZE_MAX;
    return at_least_one(quota, period);
}

/* The quota of our group and of those above it: each level may be the tightest. */
static size_t quota_of_group(const char *root)
{
    char path[PATH_MAX], line[PATH_MAX / 2];
    size_t least = quota_v1(root), base;

    (void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    if (!read_line(path, line, sizeof(line)) || strncmp(line, "0::", 3) != 0)
        return least;
    (void)snprintf(path, sizeof(path), "%s/sys/fs/cgroup", root);
    base = strlen(path);
    (void)snprintf(path + base, sizeof(path) - base, "%s", line + 3);
    for (;;) {
        size_t quota = quota_v2(path);
        char *slash = strrchr(path, '/');

        least = quota < least ? quota : least;
        if (strlen(path) <= base || !slash)
            return least;
        *slash = '\0';
    }
}

size_t sv_usable_cpus(const char *root)
{
    cpu_set_t set;
    size_t quota = quota_of_group(root);
    size_t n = 1;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = (size_t)CPU_COUNT(&set);
    n = n < quota ? n : quota;
    return n < 1 ? 1 : n;
}
