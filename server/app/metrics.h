/* metrics.h — a snapshot in Prometheus' text format (version 0.0.4). One table names
 * every metric; the answer, docs/metrics.md and the tests come from it. */
#ifndef SV_APP_METRICS_H
#define SV_APP_METRICS_H

#include <stdio.h>

#include "server/app/snapshot.h"
#include "server/proto/text.h"

/* One row a metric: name, type, labels (all of a model's carry model and version too),
 * function that writes its samples, help. Latencies are histograms; their buckets are
 * 1, 2.5 and 5 times powers of ten, counted to within 1/16 of the boundary. */
#define SV_METRIC_LIST(X)                                                              \
    X("alight_requests_total", "counter", "model, version, code", put_requests,        \
      "Requests answered, by HTTP status; 499: the client left first.")                \
    X("alight_rows_total", "counter", "model, version, exit", put_rows,                \
      "Images answered, by the exit they left at.")                                    \
    X("alight_forced_exits_total", "counter", "model, version, exit", put_forced,      \
      "Images that a deadline let out before their rule did.")                         \
    X("alight_rows_failed_total", "counter", "model, version", put_rows_failed,        \
      "Images of requests that got no answer.")                                        \
    X("alight_rejected_total", "counter", "model, version, reason", put_rejected,      \
      "Requests turned away or given up, by reason.")                                  \
    X("alight_request_duration_seconds", "histogram", "model, version", put_request_s, \
      "Arrival to answer of requests answered 200.")                                   \
    X("alight_exit_duration_seconds", "histogram", "model, version, exit", put_exit_s, \
      "Arrival to answer of images, by the exit they left at.")                        \
    X("alight_queue_duration_seconds", "histogram", "model, version", put_queue_s,     \
      "Time a request waited for workers, its longest image.")                         \
    X("alight_decode_duration_seconds", "histogram", "model, version", put_decode_s,   \
      "Time to turn one body into network input.")                                     \
    X("alight_stage_duration_seconds", "histogram", "model, version, stage",           \
      put_stage_s, "Time of one run of a stage, a whole batch.")                       \
    X("alight_batch_rows", "histogram", "model, version, stage", put_batch_rows,       \
      "Images in one run of a stage.")                                                 \
    X("alight_exit_score", "histogram", "model, version, exit", put_score,             \
      "Score with which images left an exit, 1 is certain.")                           \
    X("alight_queue_rows", "gauge", "model, version, stage", put_queue_rows,           \
      "Images that wait for a stage now.")                                             \
    X("alight_queue_requests", "gauge", "model, version", put_queue_requests,          \
      "Requests that wait to be decoded now.")                                         \
    X("alight_inflight_rows", "gauge", "", put_inflight_rows,                          \
      "Images accepted and not yet answered.")                                         \
    X("alight_inflight_bytes", "gauge", "", put_inflight_bytes,                        \
      "Memory that accepted requests take.")                                           \
    X("alight_drain_seconds", "gauge", "", put_drain,                                  \
      "Estimated time to work off what waits.")                                        \
    X("alight_workers", "gauge", "", put_workers, "Worker threads.")                   \
    X("alight_connections", "gauge", "", put_connections, "Open connections.")         \
    X("alight_connections_total", "counter", "", put_connections_total,                \
      "Connections accepted.")                                                         \
    X("alight_connections_cut_total", "counter", "reason", put_cut,                    \
      "Connections closed for being too slow, by what was slow.")                      \
    X("alight_http_answers_total", "counter", "code", put_answers,                     \
      "HTTP answers by status, refusals before any model included.")                   \
    X("alight_build_info", "gauge", "version", put_build, "Always 1.")                 \
    X("process_cpu_seconds_total", "counter", "", put_cpu,                             \
      "User and system time of the process.")                                          \
    X("process_resident_memory_bytes", "gauge", "", put_resident,                      \
      "Resident memory of the process.")                                               \
    X("process_virtual_memory_bytes", "gauge", "", put_virtual,                        \
      "Virtual memory of the process.")                                                \
    X("process_open_fds", "gauge", "", put_open_files, "Open file descriptors.")       \
    X("process_max_fds", "gauge", "", put_max_files, "Most file descriptors.")         \
    X("process_start_time_seconds", "gauge", "", put_start,                            \
      "Start of the process, seconds of the epoch.")

/* The names that Triton's dashboards ask for; `promtool check metrics` would have them
 * end in _total. Durations are sums. */
#define SV_TRITON_METRIC_LIST(X)                                                       \
    X("nv_inference_request_success", "counter", "model, version", put_nv_success,     \
      "Requests answered 200.")                                                        \
    X("nv_inference_request_failure", "counter", "model, version", put_nv_failure,     \
      "Requests that got no answer.")                                                  \
    X("nv_inference_count", "counter", "model, version", put_nv_count,                 \
      "Images answered.")                                                              \
    X("nv_inference_exec_count", "counter", "model, version", put_nv_exec,             \
      "Runs of a stage.")                                                              \
    X("nv_inference_request_duration_us", "counter", "model, version", put_nv_request, \
      "Arrival to answer.")                                                            \
    X("nv_inference_queue_duration_us", "counter", "model, version", put_nv_queue,     \
      "Waiting for workers.")                                                          \
    X("nv_inference_compute_input_duration_us", "counter", "model, version",           \
      put_nv_input, "Decoding bodies.")                                                \
    X("nv_inference_compute_infer_duration_us", "counter", "model, version",           \
      put_nv_infer, "In the stages.")                                                  \
    X("nv_inference_compute_output_duration_us", "counter", "model, version",          \
      put_nv_output, "Always 0: answers are not written by batch.")

void sv_metrics_text(struct sv_text *t, const struct sv_snapshot *s);
void sv_metrics_triton_text(struct sv_text *t, const struct sv_snapshot *s);
/* docs/metrics.md */
void sv_metrics_print_page(FILE *to);

#endif
