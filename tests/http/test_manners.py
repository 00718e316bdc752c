"""Framing tricks, slow and absent clients, limits."""
import os
import pathlib
import resource
import socket
import struct
import threading
import time
import unittest

from daemon import IMAGE, MODEL, Daemon, DaemonCase, main, read_all

CLASSIFY = f"/v1/models/{MODEL}:classify"


def post(path, body, *headers):
    lines = [f"POST {path} HTTP/1.1", "Host: a", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status_of(answer):
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None


class Framing(DaemonCase):
    def test_ambiguous_framing_is_refused(self):
        for request in (
                post("/v2", b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"),
                post("/v2", b"ab", "Content-Length: 2", "Content-Length: 3"),
                post("/v2", b"", "Content-Length : 0"),
                post("/v2", b"ab", "Content-Length: 2", "Content-Length: 2"),
                post("/v2", b"", "Transfer-Encoding: gzip"),
                post("/v2", b"0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
                post("/v2", b"ab", "Content-Length: +2"),
                b"POST /v2 HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                b"GET /v2 HTTP/1.1\r\n\r\n",
                b"GET /v2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                b"GET /v2%00/x HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET /v2\0/x HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET\0 /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET /v2 HTTP/1.1\r\nHost: a\0\r\n\r\n",
                b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: b\0\0c\r\nY: d\r\n\r\n",
                b"GET /v2 HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
                b"GET /v2 HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
                b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
                b"GET  /v2 HTTP/1.1\r\nHost: a\r\n\r\n"):
            answer = self.daemon.raw(request)
            self.assertEqual(status_of(answer), 400, (request, answer))

    def test_headers_of_every_form_that_is_sound_are_taken(self):
        for request in (
                b"GET /v2 HTTP/1.1\r\nHost:a\r\nX:\r\nY:   b \t \r\nCookie: a=1; b=\"2\"\r\n\r\n",
                b"GET /v2?a=%41&b=c+d HTTP/1.1\r\nHost: a\r\n\r\n",
                b"\r\nGET /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET /v2 HTTP/1.0\r\n\r\n",
                b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n" * 2):
            answer = self.daemon.raw(request[:-2] + b"Connection: close\r\n\r\n")
            self.assertEqual(status_of(answer), 200, (request, answer))

    def test_an_unknown_expectation_is_refused(self):
        answer = self.daemon.raw(post("/v2", b"", "Expect: tea", "Content-Length: 0"))
        self.assertEqual(status_of(answer), 417)

    def test_headers_larger_than_the_pool_are_refused(self):
        answer = self.daemon.raw(b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100000)
        self.assertEqual(status_of(answer), 431)

    def test_headers_that_nearly_fill_the_pool_are_read_without_pauses(self):
        request = b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 11000 + b"\r\n\r\n"
        begin = time.monotonic()
        with self.daemon.open() as s:
            for _ in range(200):
                s.sendall(request)
                self.assertEqual(status_of(s.recv(4096)), 200)
        self.assertLess(time.monotonic() - begin, 15)

    def test_expect_100_continue(self):
        with socket.create_connection(("127.0.0.1", self.daemon.port), 30) as s:
            s.sendall(post(CLASSIFY, b"", f"Content-Length: {len(IMAGE)}", "Expect: 100-continue"))
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 100"))
            s.sendall(IMAGE)
            self.assertEqual(status_of(s.recv(10000)), 200)
        with socket.create_connection(("127.0.0.1", self.daemon.port), 30) as s:
            s.sendall(post("/none", b"", "Content-Length: 9", "Expect: 100-continue"))
            self.assertEqual(status_of(read_all(s)), 404)

    def test_chunked_bodies(self):
        body = b"".join(b"%x\r\n%s\r\n" % (len(IMAGE[i:i + 7]), IMAGE[i:i + 7])
                        for i in range(0, len(IMAGE), 7)) + b"0\r\n\r\n"
        answer = self.daemon.raw(post(CLASSIFY, body, "Transfer-Encoding: chunked",
                                      "Connection: close"))
        self.assertEqual(status_of(answer), 200, answer)

    def test_pipelined_requests_are_answered_in_order(self):
        one = post(CLASSIFY + "?top=1", IMAGE, f"Content-Length: {len(IMAGE)}")
        two = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answer = self.daemon.raw((one + two) * 20 + last)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 40)
        self.assertEqual(answer.count(b'"predictions"'), 20)
        self.assertTrue(answer.rstrip().endswith(b'}'))
        self.assertIn(b"HTTP/1.1 404", answer.split(b"HTTP/1.1 200 OK")[-1])

    def test_clients_that_leave_in_the_middle_harm_nobody(self):
        for n in range(0, 400, 7):
            with socket.create_connection(("127.0.0.1", self.daemon.port), 30) as s:
                s.sendall(post(CLASSIFY, IMAGE, f"Content-Length: {len(IMAGE)}")[:n + 1])
                if n % 2:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.assertEqual(self.ask("POST", CLASSIFY, IMAGE)[0], 200)
        # Nor does anything of them stay: their time-outs are 10 s and more away.
        self.daemon.wait_until(lambda: self.daemon.metric("alight_connections") == 1, 8)

    def test_clients_that_reset_at_any_moment_of_their_answer_harm_nobody(self):
        at_once = struct.pack("ii", 1, 0)
        request = post(CLASSIFY, IMAGE, f"Content-Length: {len(IMAGE)}")
        for n in range(600):
            with socket.create_connection(("127.0.0.1", self.daemon.port), 30) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                s.sendall(request * (1 + n % 2))
                time.sleep(n % 30 * 1e-5)
        self.assertEqual(self.ask("POST", CLASSIFY, IMAGE)[0], 200)
        self.daemon.wait_until(lambda: self.daemon.metric("alight_connections") == 1, 8)
        self.daemon.wait_until(lambda: self.daemon.metric("alight_inflight_bytes") == 0, 8)


class Limits(DaemonCase):
    options = {"max_body_bytes": 20000, "max_chunks": 50, "max_connections": 40}

    def test_bodies_over_the_limit_are_refused(self):
        self.assert_error(self.ask("POST", CLASSIFY, b"x" * 20001), 413, "20001", "20000")
        c = self.daemon.connect()
        c.request("POST", CLASSIFY, b"x" * 50000)
        self.assertEqual(c.getresponse().status, 413)
        c.close()
        huge = self.daemon.raw(post(CLASSIFY, b"x", "Content-Length: 99999999999"))
        self.assertEqual(status_of(huge), 413)
        chunked = self.daemon.raw(post(CLASSIFY, b"7530\r\n" + b"x" * 30000 + b"\r\n0\r\n\r\n",
                                       "Transfer-Encoding: chunked", "Connection: close"))
        self.assertEqual(status_of(chunked), 413)

    def test_too_many_chunks_are_refused(self):
        answer = self.daemon.raw(post(CLASSIFY, b"1\r\nx\r\n" * 60 + b"0\r\n\r\n",
                                      "Transfer-Encoding: chunked", "Connection: close"))
        self.assertEqual(status_of(answer), 413)
        self.assertIn(b"50 chunks", answer)

    def test_long_chunk_lines_do_not_stop_the_others(self):
        bad = post(CLASSIFY, b"1;" + b"a" * 300000, "Transfer-Encoding: chunked")
        threads = [threading.Thread(target=self.daemon.raw, args=(bad, 2)) for _ in range(10)]
        for t in threads:
            t.start()
        begin = time.monotonic()
        for _ in range(30):
            self.assertEqual(self.ask("GET", "/v2/health/live")[0], 200)
        self.assertLess(time.monotonic() - begin, 20)
        for t in threads:
            t.join()

    def test_more_connections_than_the_limit_wait_their_turn(self):
        held = [self.daemon.open() for _ in range(40)]
        late = self.daemon.open(b"GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for s in held:
            s.close()
        late.settimeout(30)
        self.assertEqual(status_of(read_all(late)), 200)
        late.close()


class Files(DaemonCase):
    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.daemon.process.pid}/stat").read_text().split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def test_no_file_descriptors_left_is_no_reason_to_spin(self):
        pid = self.daemon.process.pid
        left = len(os.listdir(f"/proc/{pid}/fd")) + 10
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (left, left))
        held = [self.daemon.open() for _ in range(30)]
        begin = self.cpu_s()
        time.sleep(2)
        self.assertLess(self.cpu_s() - begin, 0.2)
        for s in held[:25]:
            s.close()
        self.assertEqual(self.ask("GET", "/v2")[0], 200)
        for s in held[25:]:
            s.close()


class Timeouts(DaemonCase):
    options = {"header_timeout_ms": 300, "body_timeout_ms": 500, "idle_timeout_ms": 800}

    def assert_closed(self, sockets, trickle=b"", limit=30):
        """All are closed by the server, though a byte now and then keeps time-outs of
        inactivity away."""
        end = time.monotonic() + limit
        while sockets:
            self.assertLess(time.monotonic(), end, f"{len(sockets)} connections live on")
            sockets = [s for s in sockets if not self.is_closed(s, trickle)]
            time.sleep(0.05)

    def is_closed(self, s, trickle):
        try:
            s.settimeout(0.001)
            s.sendall(trickle)
            return not s.recv(65536)
        except socket.timeout:
            return False
        except OSError:
            return True

    def assert_serves(self):
        """A client that is stalled for 300 ms itself may try again."""
        for _ in range(20):
            try:
                return self.assertEqual(self.ask("GET", "/v2")[0], 200)
            except OSError:
                pass
        self.fail("no answer in 20 trials")

    def test_slow_headers_are_cut(self):
        head = b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: "
        self.assert_closed([self.daemon.open(head) for _ in range(20)], b"x")
        self.assert_serves()

    def test_slow_bodies_are_cut(self):
        head = post(CLASSIFY, b"", "Content-Length: 10000")
        self.assert_closed([self.daemon.open(head) for _ in range(20)], b"x")
        self.assert_serves()

    def test_idle_connections_are_closed(self):
        self.assert_closed([self.daemon.open(b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n")
                            for _ in range(5)])
        self.assert_closed([self.daemon.open() for _ in range(5)])


class Listening(unittest.TestCase):
    def test_several_addresses_and_a_unix_socket(self):
        path = f"/tmp/alight-test-{os.getpid()}.sock"
        d = Daemon(listen=f"127.0.0.1:0,unix:{path}")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(path)
            s.sendall(b"GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual(status_of(read_all(s)), 200)
        self.assertEqual(d.ask("GET", "/v2")[0], 200)
        self.assertEqual(d.stop(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_bad_address_stops_the_start(self):
        for address, status in (("127.0.0.1", 2), ("300.0.0.1:80", 1), ("127.0.0.1:x", 1), ("", 2)):
            d = Daemon(wait=False, listen=address)
            self.assertEqual(d.process.wait(20), status)
            self.assertIn("alightd: ", d.text())


if __name__ == "__main__":
    main()
