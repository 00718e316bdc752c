"""Starts the real daemon for the tests of this folder and talks to it.

Addresses are of the loopback only, ports are free ones; every wait is bounded.
"""
import atexit
import ctypes
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

ALIGHTD = os.environ.get("ALIGHTD", "build/server/app/alightd")
ROOT = pathlib.Path(os.environ.get("ALIGHT_ROOT", pathlib.Path(__file__).resolve().parents[2]))
MODELS = ROOT / "models"
MODEL = "fashion-blenet"
SKIP = 77


def png(pixels, width, height):
    """A gray 8-bit PNG of `pixels` (bytes, row-major)."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    rows = b"".join(b"\0" + pixels[y * width:(y + 1) * width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def sample(seed=0):
    """28x28 pixels that look like nothing in particular."""
    state, out = 12345 + seed, bytearray()
    for _ in range(784):
        state = (1103515245 * state + 12345) & 0x7FFFFFFF
        out.append(state >> 16 & 255)
    return bytes(out)


IMAGE = png(sample(), 28, 28)


def tensor(values, shape, **parameters):
    """A request for a test model."""
    return json.dumps({"parameters": parameters, "inputs": [
        {"name": "INPUT0", "datatype": "FP32", "shape": shape, "data": values}]})


def nap(ms, **parameters):
    """A request that holds a worker of the model `sleep` for so long."""
    return tensor([ms], [1, 1], **parameters)


def die_with_parent():
    """A test that is killed leaves no daemon behind (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Daemon:
    """One alightd process. Options are flags without the dashes."""

    def __init__(self, wait=True, env=None, pass_fds=(), **options):
        self.log = tempfile.TemporaryFile("ab")
        flags = [f"--{k.replace('_', '-')}={v}" for k, v in options.items()]
        if "models" not in options:
            flags.append(f"--models={MODELS}")
        if "listen" not in options:
            flags.append("--listen=127.0.0.1:0")
        self.started = time.monotonic()
        self.process = subprocess.Popen([ALIGHTD] + flags, stderr=self.log, pass_fds=pass_fds,
                                        env={**os.environ, **(env or {})},
                                        preexec_fn=die_with_parent)
        self.port = None
        atexit.register(self.kill)
        if wait:
            self.wait_ready()

    def text(self):
        """The log so far. The daemon shares the file's offset: neither may rely on it."""
        path = f"/proc/self/fd/{self.log.fileno()}"
        return pathlib.Path(path).read_bytes().decode(errors="replace")

    def wait_ready(self, limit=60):
        """Until the log says ready; the seconds that took."""
        while time.monotonic() < self.started + limit:
            text = self.text()
            if re.search(r'event"?[=:]"?ready', text):  # logfmt or JSON
                found = re.search(r'address"?[=:]"?127\.0\.0\.1:(\d+)', text)
                self.port = int(found.group(1)) if found else None
                return time.monotonic() - self.started
            if self.process.poll() is not None:
                raise RuntimeError("alightd ended:\n" + text)
            time.sleep(0.005)
        raise RuntimeError("alightd is not ready:\n" + self.text())

    def stop(self, limit=60):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(limit)
        finally:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def connect(self, timeout=30):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body) on a connection of its own."""
        c = self.connect()
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def json(self, method, path, body=None, headers=None):
        status, _, text = self.ask(method, path, body, headers)
        return status, json.loads(text)

    def raw(self, data, timeout=30):
        """Sends bytes as they are; all that comes back until the end or the time-out."""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as s:
            s.sendall(data)
            return read_all(s)

    def open(self, data=b""):
        """A connection on which `data` has been sent."""
        s = socket.create_connection(("127.0.0.1", self.port), 30)
        s.sendall(data)
        return s

    def stats(self):
        return self.json("GET", "/stats")[1]

    def metric(self, name):
        """The sum of a metric over its labels."""
        text = self.ask("GET", "/metrics")[2].decode()
        return sum(float(line.split()[-1]) for line in text.splitlines()
                   if re.match(name + r"[ {}]", line))

    def wait_until(self, holds, limit=60):
        """Until `holds()`; fails when that takes longer than `limit` seconds."""
        end = time.monotonic() + limit
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"did not come about within {limit} s:\n" + self.text())
            time.sleep(0.01)

    def wait_event(self, event, limit=60):
        """Until the log tells of `event`."""
        self.wait_until(lambda: f"event={event}" in self.text(), limit)


class Request(threading.Thread):
    """One request on its own connection; `answer` is (status, headers, body)."""

    def __init__(self, daemon, *request):
        super().__init__()
        self.daemon_asked, self.request, self.answer = daemon, request, None
        self.start()

    def run(self):
        self.answer = self.daemon_asked.ask(*self.request)


def read_all(s):
    out = b""
    try:
        while True:
            data = s.recv(65536)
            if not data:
                return out
            out += data
    except (socket.timeout, ConnectionError):
        return out


class DaemonCase(unittest.TestCase):
    """A test case with one daemon for all its tests."""
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(**cls.options)

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        text = cls.daemon.text()
        if status != 0 or "ERROR:" in text or "WARNING: ThreadSanitizer" in text:
            raise AssertionError(f"alightd ended with {status}:\n{text}")

    def ask(self, *args, **kwargs):
        return self.daemon.ask(*args, **kwargs)

    def assert_error(self, answer, status, *words):
        self.assertEqual(answer[0], status, answer[2])
        text = json.loads(answer[2])["error"]
        for word in words:
            self.assertIn(word, text)


def main():
    if not (MODELS / MODEL / "1" / "model.onnx").exists():
        print("skipped: models/fashion-blenet is not there")
        sys.exit(SKIP)
    unittest.main(verbosity=2, warnings="ignore")
