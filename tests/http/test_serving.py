"""Overload, deadlines, absent clients, models that come and go, other protocols."""
import base64
import gzip
import json
import os
import pathlib
import shutil
import socket
import struct
import tempfile
import threading
import unittest
import zlib

from daemon import (IMAGE, MODEL, MODELS, Daemon, DaemonCase, Request, main, nap, sample,
                    tensor)

CLASSIFY = f"/v1/models/{MODEL}:classify"
SLEEP = "/v2/models/sleep/infer"


class Overload(DaemonCase):
    """A stalled machine must not end a nap before its time: what is to happen meanwhile is
    told by the naps that still go on, not by a clock."""
    WORKERS = 2
    options = {"test_models": "true", "workers": WORKERS, "max_queue_rows": 12,
               "deadline_ms": 60000}

    def is_taken(self, n):
        """n rows are on their way, of which workers hold all there are workers for."""
        waiting = (self.daemon.metric("alight_queue_rows")
                   + self.daemon.metric("alight_queue_requests"))
        return (self.daemon.metric("alight_inflight_rows") == n
                and waiting == max(0, n - self.WORKERS))

    def occupy(self, n, ms=4000):
        """n naps, the first of which hold one worker each."""
        threads = []
        for i in range(n):
            threads.append(Request(self.daemon, "POST", SLEEP, nap(ms)))
            if i < self.WORKERS or i == n - 1:
                self.daemon.wait_until(lambda: self.is_taken(len(threads)))
        return threads

    def assert_asleep(self, threads):
        self.assertTrue(all(t.is_alive() for t in threads), "answered only when naps were over")

    def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(self):
        threads = self.occupy(12)
        status, headers, body = self.ask("POST", SLEEP, nap(1))
        self.assertEqual(status, 503, body)
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        self.assertEqual(self.ask("GET", "/v2/health/ready")[0], 200)
        self.assert_asleep(threads)
        for t in threads:
            t.join()
            self.assertEqual(t.answer[0], 200)
        self.assertEqual(self.ask("POST", SLEEP, nap(1))[0], 200)

    def test_a_refusal_known_from_the_body_says_when_to_come_again(self):
        running = Request(self.daemon, "POST", SLEEP, nap(700))
        self.daemon.wait_until(lambda: self.daemon.metric("alight_inflight_rows") == 1)
        answer = self.ask("POST", SLEEP, tensor([1] * 12, [12, 1]))
        self.assert_error(answer, 503, "12 rows", "max_queue_rows is 12")
        self.assertGreaterEqual(int(answer[1]["Retry-After"]), 1)
        running.join()

    def test_a_deadline_is_kept_while_every_worker_is_busy(self):
        threads = self.occupy(self.WORKERS)
        status, _, body = self.ask("POST", f"{CLASSIFY}?deadline_ms=100", IMAGE)
        self.assertEqual(status, 504, body)
        self.assertEqual(self.ask("POST", SLEEP, nap(1, deadline_us=200000))[0], 504)
        self.assert_asleep(threads)
        for t in threads:
            t.join()

    def test_requests_of_clients_that_left_are_dropped(self):
        threads = self.occupy(self.WORKERS)
        request = nap(50000).encode()
        head = f"POST {SLEEP} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(request)}\r\n\r\n"
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", self.daemon.port)) as s:
                s.sendall(head.encode() + request)
        self.daemon.wait_until(lambda: self.cancelled() == 6)
        for t in threads:
            t.join()
        self.assertEqual(self.ask("POST", SLEEP, nap(1))[0], 200)  # not behind naps of 50 s

    def cancelled(self):
        return self.daemon.metric("alight_rejected_total.*\"sleep\".*\"cancelled\"")

    def test_health_stays_fast(self):
        threads = self.occupy(10)
        for _ in range(10):
            self.assertEqual(self.ask("GET", "/v2/health/live")[0], 200)
        self.assert_asleep(threads)
        for t in threads:
            t.join()


class TooLate(DaemonCase):
    """One worker; a nap of 0.4 s is what it knows of the model's cost, 2 s are allowed."""
    options = {"test_models": "true", "workers": 1, "deadline_ms": 2000}

    def test_who_would_come_too_late_is_refused_at_once(self):
        self.assertEqual(self.ask("POST", SLEEP, nap(400))[0], 200)
        asked = [Request(self.daemon, "POST", SLEEP, nap(4000))]
        self.daemon.wait_until(lambda: self.daemon.metric("alight_inflight_rows") == 1)
        while asked[-1].answer is None and len(asked) < 30:
            asked.append(Request(self.daemon, "POST", SLEEP, nap(1)))
            self.daemon.wait_until(lambda: asked[-1].answer or self.waiting() == len(asked) - 1)
        *admitted, refused = asked
        self.assert_error(refused.answer, 503, "too long for the deadline")
        self.assertGreaterEqual(int(refused.answer[1]["Retry-After"]), 1)
        self.assertGreaterEqual(len(admitted), 2)
        self.assertTrue(all(t.answer is None for t in admitted), "refused only at the deadline")
        self.assertEqual(self.daemon.metric('alight_rejected_total.*"sleep".*"queue_time"'), 1)
        for t in admitted:
            t.join()
            self.assertEqual(t.answer[0], 504)

    def waiting(self):
        return self.daemon.metric("alight_queue_requests")


class Forced(DaemonCase):
    """The deadline passes while the only worker is before the second exit: what is known goes out."""
    options = {"test_models": "true", "workers": 1}
    PATH = "/v2/models/two_exits/infer"

    def setUp(self):
        self.assertEqual(self.ask("POST", SLEEP, nap(1))[0], 200)  # the worker is free
        self.runs = self.last_runs()

    def last_runs(self):
        """Runs of the last stage that are over."""
        return self.daemon.metric('alight_stage_duration_seconds_count.*two_exits.*stage="1"')

    def two_exits(self, ms, n=1, **parameters):
        """Exit indices and scores of n rows."""
        body = json.loads(tensor([ms] * n, [n, 1], **parameters))
        body["outputs"] = [{"name": "exit_index"}, {"name": "exit_score"}]
        status, a = self.daemon.json("POST", self.PATH, json.dumps(body))
        self.assertEqual(status, 200, a)
        return [o["data"] for o in a["outputs"]]

    def test_the_best_answers_so_far_go_out_at_the_deadline(self):
        for n in (1, 32):  # one batch
            self.setUp()
            forced = self.daemon.metric("alight_forced_exits_total")
            self.assertEqual(self.two_exits(4000, n, deadline_us=500000), [[0] * n, [1] * n])
            self.assertEqual(self.last_runs(), self.runs, "answered only when the run was over")
            self.assertEqual(self.daemon.metric("alight_forced_exits_total"), forced + n)

    def test_an_answer_says_that_it_was_forced(self):
        status, a = self.daemon.json("POST", self.PATH, nap(4000, deadline_us=500000))
        self.assertEqual(status, 200, a)
        self.assertEqual(a["parameters"],
                         {"exit": 0, "exit_name": "first", "score": 1, "forced": True})

    def test_with_time_enough_the_last_exit_answers(self):
        self.assertEqual(self.two_exits(1, 3), [[1] * 3, [1] * 3])
        self.assertEqual(self.last_runs(), self.runs + 1)


class TestModels(DaemonCase):
    options = {"test_models": "true", "test_model_alias": "echo"}

    def test_identity_answers_what_it_is_given(self):
        for name in ("identity_fp32", "echo"):
            for shape in ([4], [2, 2], [1, 1, 1, 4]):
                status, a = self.daemon.json("POST", f"/v2/models/{name}/infer",
                                             tensor([1, -2.5, 0, 1e-3], shape))
                self.assertEqual(status, 200)
                self.assertEqual(a["outputs"][0]["shape"], shape)
                self.assertEqual([struct.pack("<f", v) for v in a["outputs"][0]["data"]],
                                 [struct.pack("<f", v) for v in (1, -2.5, 0, 1e-3)])

    def test_null_answers_zero_whatever_comes(self):
        status, _, body = self.ask("POST", "/v2/models/null/infer", b"x" * 3001,
                                   {"Inference-Header-Content-Length": "0"})
        self.assertEqual((status, body[-4:]), (200, b"\0\0\0\0"))

    def test_nan_never_makes_invalid_json(self):
        raw = struct.pack("<2f", float("nan"), float("inf"))
        head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [2],
                                       "parameters": {"binary_data_size": 8}}]}).encode()
        status, a = self.daemon.json("POST", "/v2/models/echo/infer", head + raw,
                                     {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual((status, a["outputs"][0]["data"]), (200, [None, None]))

    def test_every_datatype_in_binary(self):
        values = [0, 1]
        for datatype, code in (("FP32", "f"), ("FP64", "d"), ("INT8", "b"), ("UINT8", "B"),
                               ("INT16", "h"), ("UINT16", "H"), ("INT32", "i"), ("UINT32", "I"),
                               ("INT64", "q"), ("UINT64", "Q"), ("BOOL", "B"), ("FP16", "e")):
            raw = struct.pack(f"<2{code}", *values)
            head = json.dumps({"inputs": [{
                "name": "INPUT0", "datatype": datatype, "shape": [2, 1],
                "parameters": {"binary_data_size": len(raw)}}]}).encode()
            status, a = self.daemon.json("POST", SLEEP, head + raw,
                                         {"Inference-Header-Content-Length": str(len(head))})
            self.assertEqual((status, a["outputs"][0]["data"]), (200, values), datatype)

    def test_bfloat16_is_the_upper_half_of_a_float(self):
        raw = struct.pack("<2H", 0x3F80, 0x3FC0)
        head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "BF16", "shape": [2, 1],
                                       "parameters": {"binary_data_size": 4}}]}).encode()
        status, a = self.daemon.json("POST", SLEEP, head + raw,
                                     {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual((status, a["outputs"][0]["data"]), (200, [1, 1.5]))

    def test_compressed_bodies_both_ways(self):
        body = tensor(list(range(2000)), [2000]).encode()
        for name, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
            status, headers, answer = self.ask("POST", "/v2/models/echo/infer", packed,
                                               {"Content-Encoding": name, "Accept-Encoding": "gzip"})
            self.assertEqual((status, headers["Content-Encoding"]), (200, "gzip"))
            self.assertEqual(len(json.loads(gzip.decompress(answer))["outputs"][0]["data"]), 2000)
        self.assert_error(self.ask("POST", "/v2/models/echo/infer", body,
                                   {"Content-Encoding": "br"}), 415, "br")
        self.assert_error(self.ask("POST", "/v2/models/echo/infer", b"junk",
                                   {"Content-Encoding": "gzip"}), 400, "decompress")
        self.assert_error(self.ask("POST", "/v2/models/echo/infer", gzip.compress(body)[:-20],
                                   {"Content-Encoding": "gzip"}), 400, "decompress")


class Bombs(DaemonCase):
    options = {"max_body_bytes": 1000000}

    def test_a_decompression_bomb_is_refused(self):
        bomb = gzip.compress(b"[" * 50000000)
        self.assert_error(self.ask("POST", f"/v2/models/{MODEL}/infer", bomb,
                                   {"Content-Encoding": "gzip"}), 413, "1000000")

    def test_a_megabyte_of_brackets_is_refused(self):
        self.assert_error(self.ask("POST", f"/v2/models/{MODEL}/infer", b"[" * 1000000), 400, "100")

    def test_a_bomb_of_tiny_values_is_refused(self):
        bomb = gzip.compress(b'{"x":[' + b"{}," * 300000 + b"{}]}")
        self.assert_error(self.ask("POST", f"/v2/models/{MODEL}/infer", bomb,
                                   {"Content-Encoding": "gzip"}), 413, "65536 values")

    def test_images_of_absurd_size_are_refused(self):
        head = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
        chunk = b"IHDR" + head
        image = (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
                 + struct.pack(">I", zlib.crc32(chunk)) + b"\0" * 100)
        self.assertEqual(self.ask("POST", CLASSIFY, image)[0], 413)


class Budget(DaemonCase):
    options = {"test_models": "true", "max_queue_bytes": 1000000}

    def test_what_a_body_decompresses_to_counts(self):
        body = tensor([0] * 100000, [100000]).encode()
        for size, status in ((len(body), 200), (1100000, 413)):
            packed = gzip.compress(body + b" " * (size - len(body)))
            answer = self.ask("POST", "/v2/models/identity_fp32/infer", packed,
                              {"Content-Encoding": "gzip"})
            self.assertEqual(answer[0], status, answer[2][:200])
        self.assertEqual(self.daemon.metric("alight_inflight_bytes"), 0)

    def test_tritons_names_are_there_when_asked_for(self):
        self.assertNotIn("nv_inference", self.ask("GET", "/metrics")[2].decode())
        d = Daemon(triton_metrics="true", test_models="true")
        self.assertEqual(d.ask("POST", SLEEP, nap(1))[0], 200)
        self.assertEqual(d.metric("nv_inference_request_success"), 1)
        self.assertEqual(d.metric("nv_inference_count"), 1)
        self.assertGreaterEqual(d.metric("nv_inference_compute_infer_duration_us"), 1000)
        self.assertEqual(d.stop(), 0)


class Protocols(DaemonCase):
    def test_tensorflow_serving(self):
        d = self.daemon
        floats = [((p / 255) - 0.286) / 0.353 for p in sample()]
        nested = [[[floats[i:i + 28] for i in range(0, 784, 28)]]] * 2
        path = f"/v1/models/{MODEL}:predict"
        a = d.json("POST", path, json.dumps({"instances": nested}))[1]["predictions"]
        self.assertEqual([len(p) for p in a], [10, 10])
        b64 = {"b64": base64.b64encode(IMAGE).decode()}
        b = d.json("POST", path, json.dumps({"instances": [b64, {"image": b64}]}))[1]["predictions"]
        self.assertEqual(b[0], b[1])
        for body in ({}, {"instances": []}, {"instances": [1, 2]}, {"instances": [{"b64": "*"}]},
                     {"instances": ["x"]}, {"instances": 3}):
            self.assert_error(self.ask("POST", path, json.dumps(body)), 400)
        for instances, *words in (([floats[:392], floats + floats[:392]], "instance 0", "392", "784"),
                                  ([floats, floats[:-1]], "instance 1", "783"), (floats, "instance 0")):
            self.assert_error(self.ask("POST", path, json.dumps({"instances": instances})), 400, *words)
        state = d.json("GET", f"/v1/models/{MODEL}")[1]["model_version_status"][0]
        self.assertEqual((state["version"], state["state"]), ("1", "AVAILABLE"))
        self.assert_error(self.ask("GET", "/v1/models/none"), 404, "'none'")
        self.assert_error(self.ask("GET", f"/v1/models/{MODEL}/versions/7"), 404, "'7'")

    def test_openapi_describes_every_route(self):
        doc = self.daemon.json("GET", "/openapi.json")[1]
        for path, operations in doc["paths"].items():
            for operation in operations.values():
                places = [p["in"] for p in operation["parameters"]]
                self.assertEqual(path.count("{"), places.count("path"))
        classify = doc["paths"]["/v1/models/{model}:classify"]["post"]
        query = {p["name"]: p["schema"] for p in classify["parameters"] if p["in"] == "query"}
        self.assertEqual(query["max_loss"], {"type": "number", "minimum": 0, "maximum": 1})
        self.assertEqual(query["top"]["type"], "integer")
        self.assertIn("image/png", classify["requestBody"]["content"])
        logging = doc["paths"]["/v2/logging"]
        self.assertNotIn("requestBody", logging["get"])
        self.assertEqual(list(logging["post"]["requestBody"]["content"]), ["application/json"])

    def test_logging_can_be_changed(self):
        self.assertFalse(self.daemon.json("POST", "/v2/logging", '{"log_info":false}')[1]["log_info"])
        self.assertTrue(self.daemon.json("POST", "/v2/logging", '{"log_info":true}')[1]["log_info"])
        self.assert_error(self.ask("POST", "/v2/logging", "[]"), 400)


class ReadOnly(DaemonCase):
    options = {"admin": "false"}

    def test_clients_change_nothing(self):
        for path in (f"/v2/repository/models/{MODEL}/load", f"/v2/repository/models/{MODEL}/unload",
                     "/v2/logging"):
            self.assert_error(self.ask("POST", path, b"{}"), 403, "admin")
        self.assertEqual(self.ask("GET", "/v2/logging")[0], 200)
        self.assertEqual(self.ask("POST", "/v2/repository/index")[0], 200)
        self.assertEqual(self.ask("POST", CLASSIFY, IMAGE)[0], 200)


class Repository(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        shutil.copytree(MODELS / MODEL, f"{self.folder.name}/{MODEL}")
        self.log = f"{self.folder.name}/access.log"
        self.daemon = Daemon(models=self.folder.name, access_log=self.log)

    def tearDown(self):
        self.assertEqual(self.daemon.stop(), 0)
        self.folder.cleanup()

    def states(self):
        return {(m["name"], m.get("version")): m["state"]
                for m in self.daemon.json("POST", "/v2/repository/index")[1]}

    def repository(self, what, name=MODEL, body=None):
        return self.daemon.ask("POST", f"/v2/repository/models/{name}/{what}", body)[0]

    def test_unload_load_versions_and_failures(self):
        d = self.daemon
        self.assertEqual(self.states(), {(MODEL, "1"): "READY"})
        self.assertEqual(self.repository("unload"), 200)
        self.assertEqual(d.ask("POST", CLASSIFY, IMAGE)[0], 503)
        self.assertEqual(self.states(), {(MODEL, "1"): "UNAVAILABLE"})
        self.assertEqual(self.repository("load"), 200)
        shutil.copytree(f"{self.folder.name}/{MODEL}/1", f"{self.folder.name}/{MODEL}/3")
        self.assertEqual(self.repository("load"), 200)
        self.assertEqual(d.json("POST", CLASSIFY, IMAGE)[1]["version"], "3")
        self.assertEqual(d.ask("POST", f"/v1/models/{MODEL}/versions/1:classify", IMAGE)[0], 200)
        pathlib.Path(f"{self.folder.name}/{MODEL}/3/model.onnx").write_bytes(b"broken")
        self.assertNotEqual(self.repository("load"), 200)
        self.assertEqual(d.json("POST", CLASSIFY, IMAGE)[1]["version"], "3")  # the old one serves
        shutil.rmtree(f"{self.folder.name}/{MODEL}/3")
        self.assertEqual(self.repository("load"), 200)
        self.assertEqual(d.json("POST", CLASSIFY, IMAGE)[1]["version"], "1")

    def test_a_broken_version_is_no_excuse_for_another(self):
        broken = f"{self.folder.name}/{MODEL}/2"
        os.mkdir(broken)
        pathlib.Path(broken, "model.onnx").write_bytes(b"broken")
        self.assertNotEqual(self.repository("load"), 200)
        ask = self.daemon.ask
        self.assertEqual(ask("POST", f"/v1/models/{MODEL}/versions/2:classify", IMAGE)[0], 503)
        self.assertEqual(ask("POST", f"/v1/models/{MODEL}/versions/9:classify", IMAGE)[0], 404)
        self.assertEqual(self.daemon.json("POST", CLASSIFY, IMAGE)[1]["version"], "1")
        for version, state in (("1", "AVAILABLE"), ("2", "END")):
            found = self.daemon.json("GET", f"/v1/models/{MODEL}/versions/{version}")[1]
            self.assertEqual([(s["version"], s["state"]) for s in found["model_version_status"]],
                             [(version, state)])

    def test_only_names_of_packages_are_loaded(self):
        self.assertEqual(self.repository("load", "none"), 404)
        self.assertEqual(self.states(), {(MODEL, "1"): "READY"})  # a name of a client is no model
        self.assertIn(self.repository("load", "..%2f..%2fetc"), (400, 404))
        for name in ("..", ".hidden", "stats"):
            self.assertEqual(self.repository("load", name), 400)
        self.assertEqual(self.repository("load", MODEL, '{"parameters":{"file:1/model.onnx":"x"}}'),
                         400)
        self.assertEqual(self.repository("unload", "none"), 404)

    def test_of_too_many_versions_the_newest_are_served(self):
        for version in range(2, 67):
            os.symlink("1", f"{self.folder.name}/{MODEL}/{version}")
        self.assertEqual(self.repository("load"), 200)
        self.assertEqual(self.daemon.json("POST", CLASSIFY, IMAGE)[1]["version"], "66")
        self.assertIn("skipped=2 limit=64", self.daemon.text())

    def test_reloading_under_load_loses_nothing(self):
        statuses, over = set(), threading.Event()

        def client():
            c = self.daemon.connect()
            while not over.is_set():
                c.request("POST", CLASSIFY, IMAGE)
                r = c.getresponse()
                r.read()
                statuses.add(r.status)
            c.close()

        threads = [threading.Thread(target=client) for _ in range(4)]
        for t in threads:
            t.start()
        for _ in range(5):
            answered = self.daemon.metric("alight_requests_total")
            self.daemon.wait_until(
                lambda: self.daemon.metric("alight_requests_total") > answered)
            answered = self.daemon.metric("alight_requests_total")
            os.utime(f"{self.folder.name}/{MODEL}/1/model.onnx")
            self.assertEqual(self.repository("load"), 200)
            self.assertGreaterEqual(self.daemon.metric("alight_requests_total"), answered,
                                    "a reload made a counter fall")
        over.set()
        for t in threads:
            t.join()
        self.assertEqual(statuses, {200})

    def test_every_request_is_in_the_access_log(self):
        self.daemon.ask("GET", "/v2?x=%22\"1", headers={"X-Request-Id": "log-1"})
        self.daemon.ask("GET", "/none", headers={"X-Request-Id": "log-2"})
        self.daemon.stop()
        text = pathlib.Path(self.log).read_text()
        self.assertRegex(text, r'status=404 .*request_id="log-2"')
        self.assertEqual(len(text.splitlines()), 2)


if __name__ == "__main__":
    main()
