"""alightd behind nginx and HAProxy while it reloads, restarts and hands over.

The listening socket is the parent's, as systemd's would be: it is inherited by every
generation of the daemon (LISTEN_FDS), so that connections wait in its backlog meanwhile.
Clients post images through both proxies all the time; what is not answered 200 has failed.
The proxies repeat a request only when its connection could not be used at all.
"""
import http.client
import multiprocessing
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from daemon import ALIGHTD, IMAGE, MODEL, MODELS, die_with_parent

NGINX = """daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;
fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
upstream alight {{ server 127.0.0.1:{server}; keepalive 32; }}
server {{ listen 127.0.0.1:{port};
  location / {{ proxy_pass http://alight; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_next_upstream error non_idempotent; }} }} }}
"""
HAPROXY = """global
  maxconn 1024
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  retries 3
  retry-on conn-failure empty-response
frontend f
  bind 127.0.0.1:{port}
  default_backend alight
backend alight
  http-reuse always
  server a 127.0.0.1:{server}
"""
PATH = f"/v1/models/{MODEL}:classify"
CLIENTS = 4  # of each proxy


def missing():
    """Names of the proxies that are not installed."""
    return [name for name in ("nginx", "haproxy") if not program(name)]


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemons:
    """Generations of alightd on one inherited socket."""

    def __init__(self, models):
        self.models = models
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(4096)
        self.port = self.socket.getsockname()[1]
        self.log = tempfile.TemporaryFile("w+")
        self.process = self.start()

    def start(self):
        shell = (f"exec 3<&{self.socket.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; "
                 'exec "$0" "$@"')
        before = self.text().count("event=ready")
        process = subprocess.Popen(["bash", "-c", shell, ALIGHTD, f"--models={self.models}"],
                                   pass_fds=[self.socket.fileno()], stderr=self.log,
                                   preexec_fn=die_with_parent)
        end = time.monotonic() + 60
        while self.text().count("event=ready") == before and time.monotonic() < end:
            time.sleep(0.01)
        return process

    def text(self):
        """All that every generation logged; they write at the end of one file."""
        return os.pread(self.log.fileno(), 1 << 24, 0).decode()

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
        if status != 0:
            raise AssertionError(f"alightd ended with {status}:\n{self.text()}")

    def load(self):
        """A new version of the model, by POST."""
        os.utime(pathlib.Path(self.models) / MODEL / "1/model.onnx")
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request("POST", f"/v2/repository/models/{MODEL}/load")
        answer = c.getresponse()
        text = answer.read()
        c.close()
        if answer.status != 200:
            raise AssertionError(f"load: {answer.status} {text}")

    def hang_up(self):
        """SIGHUP reads settings and models again."""
        os.utime(pathlib.Path(self.models) / MODEL / "1/model.onnx")
        self.process.send_signal(signal.SIGHUP)

    def restart(self):
        """Drain, end, start again: connections wait in the backlog of the socket."""
        self.stop(self.process)
        self.process = self.start()

    def hand_over(self):
        """The next generation serves before the last one drains."""
        old, self.process = self.process, self.start()
        self.stop(old)

    def close(self):
        self.stop(self.process)
        self.socket.close()


RELOADS = [Daemons.load, Daemons.hang_up]
RESTARTS = [Daemons.restart, Daemons.hand_over]


def start_proxies(folder, server_port):
    """[(process, port)] of nginx and HAProxy in front of `server_port`."""
    running = []
    for name, text in (("nginx", NGINX), ("haproxy", HAPROXY)):
        port, conf = free_port(), pathlib.Path(folder) / f"{name}.conf"
        conf.write_text(text.format(dir=folder, port=port, server=server_port))
        options = ["-c", conf, "-p", folder] if name == "nginx" else ["-db", "-f", conf]
        process = subprocess.Popen([program(name), *options], stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)
        running.append((process, port))
    return running


def wait_for(port):
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def client(port, n, done, failures):
    """Posts `n` images over one connection, opened anew when the proxy says so."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(n):
        try:
            c.request("POST", PATH, IMAGE, {"Content-Type": "image/png"})
            answer = c.getresponse()
            text = answer.read()
            if answer.status != 200:
                failures.put(f"port {port}: {answer.status} {text[:200]}")
        except OSError as error:
            failures.put(f"port {port}: {error!r}")
            c.close()
        with done.get_lock():
            done.value += 1


def run_clients(ports, n, daemons, events):
    """Posts n images in all, the events spread evenly among them; how many, and failures."""
    done, failures = multiprocessing.Value("L", 0), multiprocessing.SimpleQueue()
    share = n // (len(ports) * CLIENTS)
    clients = [multiprocessing.Process(target=client, args=(port, share, done, failures))
               for port in ports for _ in range(CLIENTS)]
    for c in clients:
        c.start()
    total, found = share * len(clients), []
    for i, event in enumerate(events, 1):
        while done.value < total * i // (len(events) + 1):
            take_all(failures, found)
            time.sleep(0.005)
        event(daemons)
    while any(c.is_alive() for c in clients):
        take_all(failures, found)
        time.sleep(0.02)
    take_all(failures, found)
    if done.value != total:
        found.append(f"{total - done.value} requests were not sent")
    return total, found


def take_all(queue, found):
    while not queue.empty():
        found.append(queue.get())


def check(n, events):
    """(requests sent, failures) of about `n` requests through both proxies."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(MODELS / MODEL, f"{folder}/models/{MODEL}")
        daemons = Daemons(f"{folder}/models")
        proxies = start_proxies(folder, daemons.port)
        try:
            for _, port in proxies:
                wait_for(port)
            total, failures = run_clients([port for _, port in proxies], n, daemons,
                                          events)
            daemons.close()
        finally:
            daemons.process.kill()
            for process, _ in proxies:
                process.kill()
                process.wait()
        return total, failures
