/* framing.c — refuses requests whose end could be read in two ways, or that a proxy
 * before us may have read otherwise (request smuggling). libmicrohttpd lets them pass.
 *
 * Of a line with a NUL it shows what stands before that; lines may also end with a bare
 * LF or be folded. All that tells is the size of request line and headers, which lie in
 * one piece of memory: it must be what the parts shown take, with CR LF behind each. (As
 * many bytes may hide as there are bare LFs beside them: proxies refuse both.) */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/net/internal.h"

struct framing {
    size_t n_hosts, n_lengths, n_encodings, n_expects;
    const char *length, *encoding, *expect;
    const char *fault;
    size_t n_shown; /* bytes of the headers, ends of lines included */
};

static void note(size_t *count, const char **first, const char *value)
{
    if (*count == 0)
        *first = value ? value : "";
    ++*count;
}

static bool is_token(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("!#$%&'*+-.^_`|~", name[i]))
            return false;
    return size > 0;
}

static enum MHD_Result look(void *cls, enum MHD_ValueKind kind, const char *name,
                            size_t name_size, const char *value, size_t value_size)
{
    struct framing *f = cls;
    const char *host = NULL;

    (void)kind;
    f->n_shown += (size_t)(value ? value + value_size - name : (ptrdiff_t)name_size) + 2;
    if (!is_token(name, name_size))
        f->fault = "a header name holds a character that is not allowed";
    else if (strcasecmp(name, "Host") == 0)
        note(&f->n_hosts, &host, value);
    else if (strcasecmp(name, "Content-Length") == 0)
        note(&f->n_lengths, &f->length, value);
    else if (strcasecmp(name, "Transfer-Encoding") == 0)
        note(&f->n_encodings, &f->encoding, value);
    else if (strcasecmp(name, "Expect") == 0)
        note(&f->n_expects, &f->expect, value);
    return MHD_YES;
}

static bool is_number(const char *text)
{
    size_t n = strspn(text, "0123456789");

    return n > 0 && n < 20 && text[n] == '\0';
}

/* Whether "METHOD URI VERSION", the headers and an empty line are all there is. */
static bool is_all_shown(const struct framing *f, const struct sv_exchange *x,
                         const char *method, const char *version)
{
    size_t line = strlen(method) + 1 + strlen(x->uri) + 1 + strlen(version) + 2;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info && info->header_size == line + f->n_shown + 2;
}

static const char *fault_of(const struct framing *f, const struct sv_exchange *x,
                            const char *version)
{
    if (f->fault)
        return f->fault;
    if (strcmp(version, "HTTP/1.1") == 0 && f->n_hosts != 1)
        return f->n_hosts ? "more than one Host header" : "no Host header";
    if (f->n_lengths > 1)
        return "more than one Content-Length header";
    if (f->n_encodings > 1)
        return "more than one Transfer-Encoding header";
    if (f->n_lengths && f->n_encodings)
        return "both Content-Length and Transfer-Encoding";
    if (f->n_lengths && !is_number(f->length))
        return "Content-Length is not a number";
    if (f->n_encodings && strcasecmp(f->encoding, "chunked") != 0)
        return "a Transfer-Encoding other than chunked";
    if (f->n_encodings && strcmp(version, "HTTP/1.0") == 0)
        return "a Transfer-Encoding in HTTP/1.0, which knows none"; /* RFC 9112 6.1 */
    if (strstr(x->uri, "%00"))
        return "a NUL byte in the path";
    return NULL;
}

bool sv_framing_check(struct sv_exchange *x, const char *method, const char *version)
{
    struct framing f = { 0 };
    const char *fault;
    char text[128];

    (void)MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, look, &f);
    x->chunked = f.n_encodings > 0;
    fault = fault_of(&f, x, version);
    if (!fault && !is_all_shown(&f, x, method, version))
        fault = "a NUL byte, a folded line, or one that does not end with CR LF";
    if (!fault && f.length)
        x->content_length = strtoull(f.length, NULL, 10);
    if (fault) {
        (void)snprintf(text, sizeof(text), "bad request framing: %s", fault);
        sv_reply_error(&x->reply, 400, text);
        return false;
    }
    if (f.n_expects && strcasecmp(f.expect, "100-continue") != 0) {
        sv_reply_error(&x->reply, 417, "the only expectation met is 100-continue");
        return false;
    }
    return true;
}
