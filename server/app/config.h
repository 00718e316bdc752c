/* config.h — every setting of alightd, in one table. Precedence: built-in < JSON file <
 * ALIGHT_* environment < flags. The table gives defaults, bounds, --help, the
 * configuration page and the JSON schema. Read by one thread before the others start; a
 * reload builds a second struct and copies what may change while running. */
#ifndef SV_APP_CONFIG_H
#define SV_APP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/status.h"

/* TEXT(key, default, reload, help)
 * UINT(key, default, min, max, reload, help)   the unit is in the key's name
 * FLAG(key, default, reload, help)
 * reload: whether SIGHUP applies a new value. Key k is "k" in the file, --k with dashes
 * as a flag and ALIGHT_K in the environment. */
/* clang-format off */
#define SV_CONFIG_LIST(TEXT, UINT, FLAG)                                                        \
    TEXT(listen, "127.0.0.1:8000", false, "addresses to serve, comma-separated: HOST:PORT, [IPV6]:PORT or unix:PATH; sockets inherited by LISTEN_FDS take their place") \
    TEXT(models, "models", false, "folder whose subfolders are model packages")                 \
    TEXT(versions, "all", true, "versions of the packages to serve: all, latest:N or N+N+... for just these; NAME= before it says so for one package, and commas separate rules") \
    UINT(poll_models_ms, 0, 0, 86400000, true, "how often to look for new, changed and removed packages; 0: only on POST and SIGHUP") \
    TEXT(precision, "", false, "rounding of the kernels: strict, default or bf16; empty: what each package says") \
    TEXT(cpu_mask, "native", false, "instruction sets the kernels may use")                        \
    UINT(workers, 0, 0, 1024, false, "worker threads; 0: one per usable core (affinity and cgroup quota respected)") \
    UINT(worker_nice, 5, 0, 19, false, "added niceness of the workers, so that the event loop gets its turn") \
    UINT(team_threads, 8, 1, 64, false, "workers that may share the work of one run while they have nothing else to do; 1: every run stays with its worker") \
    FLAG(whole_batches, false, false, "keep a batch together to its last exit instead of regrouping survivors; to measure what regrouping is worth") \
    UINT(max_queue_rows, 4096, 1, 10000000, false, "rows on their way at one time; more is answered 503") \
    UINT(max_queue_bytes, 536870912, 65536, 1099511627776, false, "memory of requests on their way; more is answered 503") \
    UINT(max_request_rows, 256, 1, 1000000, true, "rows of one request; more is answered 413")    \
    UINT(deadline_ms, 30000, 1, 3600000, true, "deadline of a request that names none, and the longest one may ask for") \
    UINT(max_connections, 10000, 1, 1000000, false, "open connections; more wait in the backlog") \
    UINT(max_header_bytes, 16384, 4096, 1048576, false, "memory of one connection for its headers and read buffer; headers that need more are answered 431, by libmicrohttpd and in HTML") \
    UINT(max_body_bytes, 67108864, 1024, 17179869184, true, "body of one request, decompressed too; more is answered 413") \
    UINT(max_bodies_bytes, 536870912, 65536, 1099511627776, true, "bodies being received at one time; more is answered 503") \
    UINT(max_chunks, 65536, 16, 100000000, true, "chunks of one chunked body")                  \
    UINT(max_json_depth, 100, 4, 1000, true, "nesting of a JSON body; deeper is answered 400")  \
    UINT(max_json_values, 65536, 16, 100000000, true, "values of a JSON body outside of its arrays of numbers; more is answered 413") \
    UINT(max_image_side, 16384, 16, 65535, true, "pixels along one side of an image")           \
    UINT(max_image_pixels, 40000000, 256, 4000000000, true, "pixels of one image")              \
    UINT(header_timeout_ms, 10000, 100, 600000, true, "from a new connection, or a request line, to the end of the headers") \
    UINT(body_timeout_ms, 60000, 100, 3600000, true, "from the headers to the end of the body") \
    UINT(write_timeout_ms, 60000, 100, 3600000, true, "from the answer to its last byte taken by the client") \
    UINT(idle_timeout_ms, 75000, 100, 3600000, true, "between two requests of a connection; longer than the proxy's") \
    TEXT(trusted_proxies, "", true, "addresses whose X-Forwarded-For is believed, comma-separated; unix: whoever uses a Unix socket") \
    FLAG(admin, true, true, "whether clients may load and unload models and change log settings; false: 403, and models come and go by the folder alone") \
    UINT(lame_duck_ms, 200, 0, 600000, true, "after SIGTERM: not ready any more, but still accepting") \
    UINT(drain_timeout_ms, 30000, 0, 3600000, true, "after that: longest wait for requests in flight") \
    TEXT(log_level, "info", true, "error, warning, info or debug")                              \
    TEXT(log_format, "logfmt", false, "logfmt or json")                                         \
    FLAG(triton_metrics, false, true, "add nv_inference_* to /metrics, for dashboards made for Triton") \
    TEXT(access_log, "", false, "one line a request: a file, - for stderr, empty for none")     \
    FLAG(test_models, false, false, "serve identity_fp32, null, sleep, two_exits and work, to test clients, queues and time-outs with") \
    TEXT(test_model_alias, "", false, "a further name for identity_fp32")
/* clang-format on */

struct sv_config {
#define TEXT(key, value, reload, help)           char *key;
#define UINT(key, value, min, max, reload, help) uint64_t key;
#define FLAG(key, value, reload, help)           bool key;
    SV_CONFIG_LIST(TEXT, UINT, FLAG)
#undef TEXT
#undef UINT
#undef FLAG
};

/* What the command line asks for besides serving. */
enum sv_command {
    SV_COMMAND_SERVE,
    SV_COMMAND_HELP,
    SV_COMMAND_VERSION,
    SV_COMMAND_CHECK,         /* read the configuration, say whether it is sound */
    SV_COMMAND_PRINT_METRICS, /* docs/metrics.md */
    SV_COMMAND_PRINT_PAGE,    /* docs/configuration.md */
    SV_COMMAND_PRINT_SCHEMA,  /* config/alightd.schema.json */
};

/* Built-in values, file (--config or ALIGHT_CONFIG), environment, flags. `ret` is to be
 * freed with sv_config_done, also after a failure. Errors name the source and the key. */
AL_MUST_CHECK enum al_status sv_config_load(int argc, char **argv, struct sv_config *ret,
                                            enum sv_command *ret_command,
                                            struct al_error *err);
/* The text of a configuration file, over the built-in values. As above. */
AL_MUST_CHECK enum al_status sv_config_parse(const char *text, size_t size,
                                             struct sv_config *ret, struct al_error *err);
void sv_config_done(struct sv_config *c);
/* Moves what may change while running from `fresh` to `c`, calling `changed` for every
 * key that differs, with whether it was applied. */
void sv_config_apply(struct sv_config *c, struct sv_config *fresh,
                     void (*changed)(void *arg, const char *key, bool applied),
                     void *arg);

/* config_docs.c */
void sv_config_print_help(FILE *to);
void sv_config_print_page(FILE *to);
void sv_config_print_schema(FILE *to);

#endif
