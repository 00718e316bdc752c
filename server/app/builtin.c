#include "server/app/builtin.h"

#include <time.h>

#define MAX_SLEEP_MS 60000

/* Sleeps as long as the longest of the rows asks for. */
static void sleep_for(size_t n, const struct al_stage_row *rows)
{
    float ms = 0;

    for (size_t i = 0; i < n; i++) {
        float asked = *(const float *)rows[i].row;

        ms = asked > ms ? asked : ms;
    }
    ms = ms > MAX_SLEEP_MS ? MAX_SLEEP_MS : ms;
    struct timespec t = { .tv_sec = (time_t)ms / 1000,
                          .tv_nsec = (long)((ms - (float)((time_t)ms / 1000 * 1000)) *
                                            1e6F) };

    (void)nanosleep(&t, NULL);
}

void sv_builtin_run(const struct sv_served *m, size_t n, struct al_stage_row *rows)
{
    if (m->builtin == SV_BUILTIN_SLEEP)
        sleep_for(n, rows);
    for (size_t i = 0; i < n; i++) {
        rows[i].evaluated = rows[i].leave = true;
        rows[i].score = 1;
        rows[i].top = 0;
    }
}
