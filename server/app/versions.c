#include "server/app/versions.h"

#include <stdbool.h>
#include <string.h>

#define LATEST "latest:"

/* A piece of the text of the setting. */
struct piece {
    const char *text;
    size_t n;
};

struct rule {
    struct piece name; /* n 0: for all */
    struct piece policy;
};

/* Takes what stands before `separator` off the front of `rest`. */
static struct piece take(struct piece *rest, char separator)
{
    const char *end = memchr(rest->text, separator, rest->n);
    struct piece first = { rest->text, end ? (size_t)(end - rest->text) : rest->n };
    size_t used = first.n + (end != NULL);

    rest->text += used;
    rest->n -= used;
    return first;
}

static struct rule read_rule(struct piece text)
{
    struct rule r = { .policy = text };

    if (memchr(text.text, '=', text.n))
        r.name = take(&r.policy, '=');
    return r;
}

static bool is(struct piece p, const char *text)
{
    return strlen(text) == p.n && memcmp(p.text, text, p.n) == 0;
}

static bool begins(struct piece p, const char *text)
{
    return p.n >= strlen(text) && memcmp(p.text, text, strlen(text)) == 0;
}

/* 1 to UINT32_MAX; 0: it is no such number. */
static uint32_t number(struct piece p)
{
    uint64_t value = 0;

    for (size_t i = 0; i < p.n; i++) {
        if (p.text[i] < '0' || p.text[i] > '9')
            return 0;
        value = value * 10 + (uint64_t)(p.text[i] - '0');
        if (value > UINT32_MAX)
            return 0;
    }
    return (uint32_t)value;
}

static uint32_t latest(struct piece policy)
{
    policy.text += strlen(LATEST);
    policy.n -= strlen(LATEST);
    return number(policy);
}

static bool is_sound(struct rule r)
{
    struct piece rest = r.policy;
    bool sound = rest.n > 0;

    if (is(r.policy, "all"))
        return true;
    if (begins(r.policy, LATEST))
        return latest(r.policy) > 0;
    sound &= rest.n == 0 || rest.text[rest.n - 1] != '+';
    while (rest.n > 0)
        sound &= number(take(&rest, '+')) > 0;
    return sound;
}

enum al_status sv_versions_check(const char *rules, struct al_error *err)
{
    struct piece rest = { rules, strlen(rules) };

    while (rest.n > 0) {
        struct piece text = take(&rest, ',');

        if (!is_sound(read_rule(text)))
            return al_fail(err, AL_INVALID,
                           "versions: '%.*s' is neither all, latest:N nor N+N+..., "
                           "with NAME= before it or not",
                           (int)text.n, text.text);
    }
    return AL_OK;
}

/* The policy for a package: that of its name, else the one without. */
static struct piece policy_of(const char *rules, const char *package)
{
    struct piece rest = { rules, strlen(rules) }, found = { "all", 3 };

    while (rest.n > 0) {
        struct rule r = read_rule(take(&rest, ','));

        if (is(r.name, package))
            return r.policy;
        if (r.name.n == 0)
            found = r.policy;
    }
    return found;
}

static bool is_listed(struct piece policy, uint32_t version)
{
    while (policy.n > 0)
        if (number(take(&policy, '+')) == version)
            return true;
    return false;
}

size_t sv_versions_keep(const char *rules, const char *package, uint32_t *versions,
                        size_t n)
{
    struct piece policy = policy_of(rules, package);
    bool newest = begins(policy, LATEST);
    size_t kept = 0, most = newest ? latest(policy) : n;

    if (is(policy, "all"))
        return n;
    for (size_t i = 0; i < n; i++)
        if (newest ? n - i <= most : is_listed(policy, versions[i]))
            versions[kept++] = versions[i];
    return kept;
}
