"""What the front end must hold beside its rate: work done by all workers while pings pass, a
tensor read from JSON, refusals that reach clients through proxies, clients that attack.

Each gate is a function from Setting to a row of the table: name, what was measured, the
bound, and whether it was held. All talk to the real server.
"""
import contextlib
import json
import os
import pathlib
import re
import socket
import statistics
import struct
import subprocess
import threading
import time
from typing import NamedTuple

WORK_US = 500
BUSY_MS = 5
LUA = """
wrk.method = "POST"
wrk.body = "%s"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.headers["Inference-Header-Content-Length"] = "0"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() refused = 0; mute = 0 end
function response(status, headers)
  if status == 503 then
    refused = refused + 1
    if not (headers["Retry-After"] or headers["retry-after"]) then mute = mute + 1 end
  elseif status ~= 200 then mute = mute + 1 end
end
function done()
  local refused, mute = 0, 0
  for _, t in ipairs(threads) do refused = refused + t:get("refused"); mute = mute + t:get("mute") end
  print("refused " .. refused .. " mute " .. mute)
end
"""
NGINX = """daemon off; master_process off; worker_processes 1; pid {dir}/proxy.pid; error_log {dir}/error;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;
fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e; keepalive_requests 100000000;
upstream alight {{ server 127.0.0.1:{server}; keepalive 64; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port};
location / {{ proxy_pass http://alight; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
"""
HAPROXY = """defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen alight
  bind 127.0.0.1:{port}
  server one 127.0.0.1:{server}
"""


class Setting(NamedTuple):
    folder: pathlib.Path
    build: pathlib.Path
    rounds: int
    seconds: int


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(name, process, port):
    for _ in range(400):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if process.poll() is not None:
            break
        time.sleep(0.025)
    raise SystemExit(f"{name} does not start")


class Port(int):
    """Where a process listens."""

    def __new__(cls, number, pid):
        port = super().__new__(cls, number)
        port.pid = pid
        return port


@contextlib.contextmanager
def running(name, port, command):
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    try:
        wait_for(name, process, port)
        yield Port(port, process.pid)
    finally:
        process.kill()
        process.wait()


def alightd(setting, models, *flags):
    port = free_port()
    return running("alightd", port, [setting.build / "alightd", f"--listen=127.0.0.1:{port}",
                                     f"--models={models}", "--test-models", "--log-level=error",
                                     *flags])


class Load(NamedTuple):
    rate: float
    answers: int
    errors: int   # of sockets
    refused: int  # 503 with Retry-After
    mute: int     # answers that were neither that nor 200


def wrk(setting, port, path, connections, body=None):
    """One visit. `body`: bytes, posted as a raw request."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{setting.seconds}s"]
    if body is not None:
        script = setting.folder / "load.lua"
        script.write_text(LUA % "".join(f"\\{b:03d}" for b in body))
        command += ["-s", script]
    text = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], capture_output=True,
                          text=True, check=True).stdout
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    told = re.search(r"refused (\d+) mute (\d+)", text)
    return Load(float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
                int(re.search(r"(\d+) requests in", text).group(1)),
                sum(map(int, errors.groups())) if errors else 0,
                int(told.group(1)) if told else 0, int(told.group(2)) if told else 0)


# ---- two workers ----

class Pings(threading.Thread):
    """Health checks on one connection while something else goes on."""

    def __init__(self, port):
        super().__init__()
        self.port, self.over, self.times_s = int(port), threading.Event(), []
        self.start()

    def run(self):
        request = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), 60) as s:
            while not self.over.wait(0.005):
                begin = time.monotonic()
                s.sendall(request)
                if not s.recv(4096).startswith(b"HTTP/1.1 200"):
                    raise SystemExit("a ping was not answered")
                self.times_s.append(time.monotonic() - begin)

    def p99_ms(self):
        self.over.set()
        self.join()
        ordered = sorted(self.times_s)
        return 1000 * ordered[int(len(ordered) * 0.99)]


class Processors:
    """Processor time that nobody but this benchmark took, of two cores, since it was made."""

    def __init__(self, pid):
        self.pid, self.begin_s = pid, time.monotonic()
        self.others_s = self.busy_s() - self.own_s()

    @staticmethod
    def busy_s():
        user, nice, system, _, _, *interrupts = map(
            int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
        return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")

    def own_s(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return ((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                + sum(os.times()[:4]))

    def left_s(self):
        wall = time.monotonic() - self.begin_s
        others = self.busy_s() - self.own_s() - self.others_s
        return min(2 * wall, os.cpu_count() * wall - others)


def work(setting):
    """Images of two workers that compute 500 us for each, of as many as two cores could
    have computed in the time that nobody else took."""
    shares, pings = [], []
    with alightd(setting, setting.folder / "models", "--workers=2") as port:
        for _ in range(setting.rounds):
            processors = Processors(port.pid)
            ping = Pings(port)
            load = wrk(setting, port, "/v2/models/work/infer", 16, struct.pack("<f", WORK_US))
            shares.append(load.answers * WORK_US * 1e-6 / processors.left_s())
            pings.append(ping.p99_ms())
    share, ping = statistics.median(shares), statistics.median(pings)
    return ["2 workers, 500 µs of processor time an image; pings meanwhile",
            f"{share:.0%} of ideal; p99 {ping:.1f} ms", "≥ 85 %; ≤ 10 ms",
            share >= 0.85 and ping <= 10]


# ---- JSON ----

def json_tensor(setting):
    """Processor time of the server's decoder for 28x28 numbers as JSON text."""
    program = setting.build / "scripts/bench/oip_decode"
    rounds = [json.loads(subprocess.run([program], capture_output=True, text=True,
                                        check=True).stdout) for _ in range(setting.rounds)]
    us = statistics.median(r["us"] for r in rounds)
    return [f"JSON tensor 28×28, {rounds[0]['bytes']} bytes: decoding", f"{us:.1f} µs", "≤ 30 µs",
            us <= 30]


# ---- shedding ----

def proxies(setting, server):
    """(name, port, command) of each proxy in front of `server`."""
    out = []
    for name, text, command in (("nginx", NGINX, ["/usr/sbin/nginx", "-p", setting.folder, "-c"]),
                                ("HAProxy", HAPROXY, ["/usr/sbin/haproxy", "-db", "-f"])):
        port, path = free_port(), setting.folder / f"{name}.conf"
        path.write_text(text.format(dir=setting.folder, port=port, server=server))
        out.append((name, port, [*command, path]))
    return out


def shed(setting):
    """Refusals of a queue that is full all the time, seen through two proxies."""
    faults = refused = 0
    with alightd(setting, setting.folder / "models", "--max-queue-rows=8") as server:
        for name, port, command in proxies(setting, server):
            with running(name, port, command):
                for _ in range(setting.rounds):
                    load = wrk(setting, port, "/v2/models/work/infer", 64,
                               struct.pack("<f", 1000 * BUSY_MS))
                    faults += load.errors + load.mute
                    refused += load.refused
    return ["overload through nginx and HAProxy: refusals with Retry-After; faults",
            f"{refused}; {faults}", "all; 0", refused > 0 and faults == 0]


# ---- attack ----

class Attack(threading.Thread):
    """20 clients that send a chunk line without end, and come again when cut."""

    LINE = (b"POST /v2/models/null/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;"
            + b"a" * 100000)

    def __init__(self, port):
        super().__init__()
        self.port, self.over = int(port), threading.Event()
        self.clients = []
        self.start()

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), 60)
        s.setblocking(False)
        with contextlib.suppress(OSError):
            s.send(self.LINE)
        return s

    @staticmethod
    def is_cut(s):
        try:
            return not s.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def run(self):
        self.clients = [self.connect() for _ in range(20)]
        while not self.over.wait(0.02):
            self.clients = [self.connect() if self.is_cut(s) else s for s in self.clients]

    def stop(self):
        self.over.set()
        self.join()
        for s in self.clients:
            s.close()


def attack(setting):
    """GET rate while the attack goes on, of the rate without."""
    shares = []
    with alightd(setting, setting.folder / "models") as port:
        for _ in range(setting.rounds):
            idle = wrk(setting, port, "/v2/health/live", 64)
            attackers = Attack(port)
            time.sleep(0.3)
            under = wrk(setting, port, "/v2/health/live", 64)
            attackers.stop()
            shares.append(under.rate / idle.rate if not under.errors else 0)
    share = statistics.median(shares)
    return ["GET while 20 clients send chunk lines without end", f"{share:.2f} of idle", "≥ 0.5",
            share >= 0.5]


GATES = {"work": work, "json": json_tensor, "shed": shed, "attack": attack}
