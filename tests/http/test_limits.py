"""Limits other than the built-in ones: what is beyond each is refused, with the number."""
import json
import os
import pathlib
import re
import socket
import tempfile
import unittest

from daemon import IMAGE, MODEL, MODELS, ROOT, Daemon, DaemonCase, main, png, read_all

CLASSIFY = f"/v1/models/{MODEL}:classify"
INFER = f"/v2/models/{MODEL}/infer"


def images(n):
    """A multipart body of n images and its headers."""
    body = b"".join(b"--b\r\n\r\n" + IMAGE + b"\r\n" for _ in range(n)) + b"--b--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=b"}


class Bodies(DaemonCase):
    options = {"max_image_side": 64, "max_image_pixels": 2000, "max_json_depth": 6,
               "max_json_values": 40, "max_request_rows": 3, "max_header_bytes": 4096,
               "max_bodies_bytes": 65536}

    def test_images(self):
        self.assertEqual(self.ask("POST", CLASSIFY, png(b"\0" * 1920, 64, 30))[0], 200)
        self.assert_error(self.ask("POST", CLASSIFY, png(b"\0" * 65, 65, 1)), 413, "65", "64")
        self.assert_error(self.ask("POST", CLASSIFY, png(b"\0" * 2500, 50, 50)), 413, "2000")

    def test_json(self):
        self.assert_error(self.ask("POST", INFER, '{"a":' + "[" * 6 + "]" * 6 + "}"), 400, "deeper than 6")
        self.assert_error(self.ask("POST", INFER, json.dumps({"a": list(range(50))})), 413, "40 values")

    def test_rows(self):
        self.assertEqual(self.ask("POST", CLASSIFY, *images(3))[0], 200)
        self.assert_error(self.ask("POST", CLASSIFY, *images(4)), 413, "3")

    def test_headers(self):
        def status(size):
            return self.daemon.raw(b"GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: "
                                   + b"x" * size + b"\r\n\r\n")[9:12]
        self.assertEqual(status(1000), b"200")
        self.assertEqual(status(5000), b"431")

    def test_bodies_of_all_connections(self):
        held = self.daemon.open(f"POST {CLASSIFY} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                "Content-Length: 60000\r\n\r\n".encode() + b"x" * 40000)
        self.daemon.wait_until(lambda: self.daemon.metric("alight_body_bytes") > 30000)
        refused = self.ask("POST", CLASSIFY, b"x" * 50000)
        self.assert_error(refused, 503, "bodies")
        self.assertEqual(refused[1]["Retry-After"], "1")
        held.sendall(b"x" * 20000)
        self.assertEqual(read_all(held)[9:12], b"415")
        held.close()
        self.assertEqual(self.ask("POST", CLASSIFY, b"x" * 50000)[0], 415)
        self.assertEqual(self.daemon.metric("alight_body_bytes"), 0)


class Slow(DaemonCase):
    options = {"test_models": "true", "write_timeout_ms": 300}

    def test_who_does_not_read_his_answer_is_cut(self):
        size = 16 << 20  # more than sockets buffer
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(60)
            s.connect(("127.0.0.1", self.daemon.port))
            s.sendall(b"POST /v2/models/identity_fp32/infer HTTP/1.1\r\nHost: a\r\n"
                      b"Inference-Header-Content-Length: 0\r\n"
                      b"Content-Length: %d\r\n\r\n" % size + bytes(size))
            self.daemon.wait_until(
                lambda: self.daemon.metric('alight_connections_cut_total{reason="write"}') == 1)
            self.assertLess(len(read_all(s)), size)


class Workers(unittest.TestCase):
    def test_batches_kept_whole_give_the_same_answers(self):
        answers = []
        for whole in ("true", "false"):
            d = Daemon(whole_batches=whole)
            answers.append(d.json("POST", CLASSIFY, *images(8))[1]["predictions"])
            self.assertEqual(d.stop(), 0)
        self.assertEqual(*answers)

    def test_their_number_and_niceness_can_be_chosen(self):
        d = Daemon(workers=3, worker_nice=7)
        tasks = pathlib.Path(f"/proc/{d.process.pid}/task").glob("*/stat")
        nice = [int(t.read_text().rsplit(")", 1)[1].split()[16]) for t in tasks]
        self.assertEqual(nice.count(min(19, os.nice(0) + 7)), 3)
        self.assertEqual(d.stop(), 0)


class AccessLog(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.models = pathlib.Path(self.folder.name, "models")
        self.models.mkdir()
        (self.models / MODEL).symlink_to(MODELS / MODEL)

    def lines(self, listen="127.0.0.1:0", requests=(), **options):
        """The log's lines of raw requests to the last of the addresses."""
        path = f"{self.folder.name}/access.log"
        d = Daemon(listen=listen, access_log=path, log_format="json", models=self.models, **options)
        events = [json.loads(line) for line in d.text().splitlines()]
        address = [e["address"] for e in events if e["event"] == "listening"][-1]
        for request in requests:
            with socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])), 30) as s:
                s.sendall(request)
                read_all(s)
        self.assertEqual(d.stop(), 0)
        return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]

    def clients(self, *forwarded, **options):
        heads = ["".join(f"X-Forwarded-For: {v}\r\n" for v in values) for values in forwarded]
        requests = [f"GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n".encode()
                    for head in heads]
        return [line["client"] for line in self.lines(requests=requests, **options)]

    def test_a_trusted_proxy_says_who_its_client_is(self):
        self.assertEqual(
            self.clients([], ["1.1.1.1"], ["1.1.1.1, 2.2.2.2"], ["1.1.1.1", "3.3.3.3"], ["::5"],
                         ["<script>"], trusted_proxies="10.0.0.1,127.0.0.1"),
            ["127.0.0.1", "1.1.1.1", "2.2.2.2", "3.3.3.3", "::5", "127.0.0.1"])

    def test_nobody_else_does(self):
        self.assertEqual(self.clients(["1.1.1.1"], trusted_proxies="10.0.0.1"), ["127.0.0.1"])

    @unittest.skipUnless(pathlib.Path("/proc/net/if_inet6").exists(), "no IPv6 here")
    def test_a_socket_of_both_families_writes_its_clients_as_they_are(self):
        self.assertEqual(self.clients(["1.1.1.1"], listen="[::]:0", trusted_proxies="127.0.0.1"),
                         ["1.1.1.1"])

    def test_a_line_tells_where_the_time_went(self):
        request = (f"POST {CLASSIFY} HTTP/1.1\r\nHost: a\r\nConnection: close\r\ntraceparent: 00-7\r\n"
                   f"Content-Length: {len(IMAGE)}\r\n\r\n".encode() + IMAGE)
        line, = self.lines(requests=[request])
        self.assertEqual((line["status"], line["bytes_in"], line["sent"], line["traceparent"]),
                         (200, len(IMAGE), True, "00-7"))
        self.assertGreater(line["bytes_out"], 100)
        self.assertRegex(line["timing_ms"], r"^decode;dur=[\d.]+, queue;dur=[\d.]+, compute;dur=[\d.]+$")

    def test_requests_that_came_to_no_answer_are_told_apart(self):
        lines = self.lines(requests=[
            b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
            b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: unfinished"], header_timeout_ms=1000)
        self.assertEqual([(line["status"], line["sent"]) for line in lines],
                         [(400, False), (499, False)])  # the first one had a 431 of libmicrohttpd's

    def test_one_that_cannot_be_opened_again_is_complained_of(self):
        folder = pathlib.Path(self.folder.name, "logs")
        folder.mkdir()
        d = Daemon(access_log=folder / "access.log", models=self.models)
        folder.rename(self.folder.name + "/gone")
        d.process.send_signal(1)  # SIGHUP
        d.wait_event('"access log not reopened"')
        self.assertEqual(d.ask("GET", "/v2")[0], 200)
        self.assertEqual(d.stop(), 0)
        self.assertIn('uri="/v2"', pathlib.Path(self.folder.name, "gone/access.log").read_text())


class Every(unittest.TestCase):
    def test_setting_is_given_another_value_by_some_test(self):
        keys = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/configuration.md").read_text(), re.M)
        tests = "".join(p.read_text() for p in (ROOT / "tests/http").glob("*.py"))
        self.assertGreater(len(keys), 30)
        self.assertEqual([k for k in keys if not re.search(
            rf'\b{k}(=|"|-)|--{k.replace("_", "-")}\b', tests)], [])


if __name__ == "__main__":
    main()
