/* metrics_list.h — every metric, one row each: name, type, what it is counted for, labels
 * beyond those of that, function that writes its samples (sv_metric_x), help. Latencies
 * are histograms; their buckets are 1, 2.5 and 5 times powers of ten, counted to within
 * 1/16 of the boundary. */
#ifndef SV_APP_METRICS_LIST_H
#define SV_APP_METRICS_LIST_H

#include "server/app/metrics_sample.h"

/* What a metric is counted for, and the labels that go with it. */
#define SV_METRIC_PER_LIST(X)       \
    X(SERVER, "")                   \
    X(MODEL, "model, version")      \
    X(EXIT, "model, version, exit") \
    X(STAGE, "model, version, stage")

enum sv_metric_per {
#define X(id, labels) SV_PER_##id,
    SV_METRIC_PER_LIST(X)
#undef X
};

/* clang-format off */
#define SV_METRIC_LIST(X) \
    X("alight_requests_total", "counter", MODEL, "code", requests, "Requests answered, by HTTP status; 499: the client left first.") \
    X("alight_rows_total", "counter", EXIT, "", rows, "Images answered, by the exit they left at.") \
    X("alight_forced_exits_total", "counter", EXIT, "", forced, "Images that a deadline let out before their rule did.") \
    X("alight_rows_failed_total", "counter", MODEL, "", rows_failed, "Images of requests that got no answer.") \
    X("alight_rejected_total", "counter", MODEL, "reason", rejected, "Requests turned away or given up, by reason.") \
    X("alight_request_duration_seconds", "histogram", MODEL, "", request_s, "Arrival to answer of requests answered 200.") \
    X("alight_exit_duration_seconds", "histogram", EXIT, "", exit_s, "Arrival to answer of images, by the exit they left at.") \
    X("alight_queue_duration_seconds", "histogram", MODEL, "", queue_s, "Time a request waited for workers, its longest image.") \
    X("alight_decode_duration_seconds", "histogram", MODEL, "", decode_s, "Time to turn one body into network input.") \
    X("alight_stage_duration_seconds", "histogram", STAGE, "", stage_s, "Time of one run of a stage, a whole batch.") \
    X("alight_helped_runs_total", "counter", STAGE, "", helped_runs, "Runs of a stage whose work idle workers shared.") \
    X("alight_batch_rows", "histogram", STAGE, "", batch_rows, "Images in one run of a stage.") \
    X("alight_exit_score", "histogram", EXIT, "", score, "Score with which images left an exit, 1 is certain.") \
    X("alight_queue_rows", "gauge", STAGE, "", queue_rows, "Images that wait for a stage now.") \
    X("alight_queue_requests", "gauge", MODEL, "", queue_requests, "Requests that wait to be decoded now.") \
    X("alight_inflight_rows", "gauge", SERVER, "", inflight_rows, "Images accepted and not yet answered.") \
    X("alight_inflight_bytes", "gauge", SERVER, "", inflight_bytes, "Memory that accepted requests take.") \
    X("alight_drain_seconds", "gauge", SERVER, "", drain, "Estimated time to work off what waits.") \
    X("alight_inflight_rows_limit", "gauge", SERVER, "", inflight_rows_limit, "Images beyond which requests are refused.") \
    X("alight_inflight_bytes_limit", "gauge", SERVER, "", inflight_bytes_limit, "Memory beyond which requests are refused.") \
    X("alight_body_bytes", "gauge", SERVER, "", body_bytes, "Memory that bodies take which are being received.") \
    X("alight_ready", "gauge", SERVER, "", ready, "1: the server is ready for requests, as /v2/health/ready has it.") \
    X("alight_models", "gauge", SERVER, "state", models, "Versions of models in the repository index, by state.") \
    X("alight_model_loads_total", "counter", SERVER, "result", loads, "Versions of models loaded, and tried in vain.") \
    X("alight_workers", "gauge", SERVER, "", workers, "Worker threads.") \
    X("alight_connections", "gauge", SERVER, "", connections, "Open connections.") \
    X("alight_connections_limit", "gauge", SERVER, "", connections_limit, "Connections beyond which more wait.") \
    X("alight_connections_total", "counter", SERVER, "", connections_total, "Connections accepted.") \
    X("alight_connections_cut_total", "counter", SERVER, "reason", cut, "Connections closed for being too slow, by what was slow.") \
    X("alight_http_answers_total", "counter", SERVER, "code", answers, "HTTP answers by status, refusals before any model included; 499: the client left first.") \
    X("alight_build_info", "gauge", SERVER, "version", build, "Always 1.") \
    X("process_cpu_seconds_total", "counter", SERVER, "", cpu, "User and system time of the process.") \
    X("process_resident_memory_bytes", "gauge", SERVER, "", resident, "Resident memory of the process.") \
    X("process_virtual_memory_bytes", "gauge", SERVER, "", virtual, "Virtual memory of the process.") \
    X("process_open_fds", "gauge", SERVER, "", open_files, "Open file descriptors.") \
    X("process_max_fds", "gauge", SERVER, "", max_files, "Most file descriptors.") \
    X("process_start_time_seconds", "gauge", SERVER, "", start, "Start of the process, seconds of the epoch.")

/* The names that Triton's dashboards ask for; `promtool check metrics` would have them
 * end in _total. Durations are sums. */
#define SV_TRITON_METRIC_LIST(X) \
    X("nv_inference_request_success", "counter", MODEL, "", nv_success, "Requests answered 200.") \
    X("nv_inference_request_failure", "counter", MODEL, "", nv_failure, "Requests that got no answer.") \
    X("nv_inference_count", "counter", MODEL, "", nv_count, "Images answered.") \
    X("nv_inference_exec_count", "counter", MODEL, "", nv_exec, "Runs of a stage.") \
    X("nv_inference_request_duration_us", "counter", MODEL, "", nv_request, "Arrival to answer.") \
    X("nv_inference_queue_duration_us", "counter", MODEL, "", nv_queue, "Waiting for workers.") \
    X("nv_inference_compute_input_duration_us", "counter", MODEL, "", nv_input, "Decoding bodies.") \
    X("nv_inference_compute_infer_duration_us", "counter", MODEL, "", nv_infer, "In the stages.") \
    X("nv_inference_compute_output_duration_us", "counter", MODEL, "", nv_output, "Always 0: answers are not written by batch.")
/* clang-format on */

/* metrics_server.c, metrics_models.c, metrics_triton.c */
#define X(name, type, per, labels, put, help) \
    void sv_metric_##put(struct sv_family *f, const struct sv_metric_at *at);
SV_METRIC_LIST(X)
SV_TRITON_METRIC_LIST(X)
#undef X

#endif
