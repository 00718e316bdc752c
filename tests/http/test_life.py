"""Start, drain, signals, and answers that are never lost."""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
import unittest.mock

from daemon import (ALIGHTD, IMAGE, MODEL, MODELS, ROOT, Daemon, Request, die_with_parent, main,
                    nap)

CLASSIFY = f"/v1/models/{MODEL}:classify"


class Load(threading.Thread):
    """Sends images over one connection at a time until it ends; counts what came of it."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon_under_test = daemon
        self.answered = self.lost = 0
        self.statuses = set()

    def run(self):
        while True:
            try:
                c = self.daemon_under_test.connect(20)
                c.connect()
            except OSError:
                return
            if not self.use(c):
                return

    def use(self, c):
        """False when a request got no answer although it had been sent whole."""
        first = True
        while True:
            try:
                c.request("POST", CLASSIFY, IMAGE)
                answer = c.getresponse()
                answer.read()
            except OSError:
                # On a connection that was idle the server may close first: not its loss.
                self.lost += first
                return not first
            self.statuses.add(answer.status)
            self.answered += 1
            first = False
            if answer.headers["Connection"] == "close":
                c.close()
                return True


class Life(unittest.TestCase):
    def test_sigterm_under_load_answers_every_request(self):
        d = Daemon()
        load = [Load(d) for _ in range(8)]
        for t in load:
            t.start()
        d.wait_until(lambda: all(t.answered for t in load))
        self.assertEqual(d.stop(), 0)
        for t in load:
            t.join()
        self.assertEqual(sum(t.lost for t in load), 0)
        self.assertEqual(set().union(*(t.statuses for t in load)), {200})

    def test_a_draining_server_is_live_but_not_ready(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "alightd.json")
            config.write_text('{"lame_duck_ms": 300000}')
            d = Daemon(config=config)
            d.process.send_signal(signal.SIGTERM)
            d.wait_event("draining")
            status, headers, body = d.ask("GET", "/v2/health/ready")
            self.assertEqual((status, json.loads(body)), (503, {"ready": False}))
            self.assertEqual(headers["Connection"], "close")
            self.assertEqual(d.ask("GET", "/v2/health/live")[0], 200)
            self.assertEqual(d.ask("POST", CLASSIFY, IMAGE)[0], 200)
            self.assertIsNone(d.process.poll())
            config.write_text('{"lame_duck_ms": 0}')  # enough of that
            d.process.send_signal(signal.SIGHUP)
            self.assertEqual(d.process.wait(60), 0)

    def test_a_second_signal_ends_at_once(self):
        d = Daemon(lame_duck_ms=60000)
        d.process.send_signal(signal.SIGTERM)
        d.wait_event("draining")
        d.process.send_signal(signal.SIGTERM)
        self.assertEqual(d.process.wait(30), 1)

    def test_sighup_applies_what_may_change_and_names_the_rest(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write("{}")
            f.flush()
            d = Daemon(config=f.name)
            f.seek(0)
            f.write('{"max_body_bytes": 5000, "workers": 7}')
            f.flush()
            d.process.send_signal(signal.SIGHUP)
            d.wait_until(lambda: 'event="setting needs a restart" key=workers' in d.text())
            self.assertIn('event="setting changed" key=max_body_bytes', d.text())
            self.assertEqual(d.ask("POST", CLASSIFY, b"x" * 5001)[0], 413)
            self.assertEqual(d.stop(), 0)

    def test_only_the_versions_that_the_setting_names_are_served(self):
        def served(d):
            return d.json("GET", f"/v2/models/{MODEL}")[1].get("versions")

        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(MODELS / MODEL, f"{folder}/{MODEL}")
            for version in (2, 5):
                os.symlink("1", f"{folder}/{MODEL}/{version}")
            config = pathlib.Path(folder, "alightd.json")
            config.write_text('{"versions": "latest:1"}')
            d = Daemon(models=folder, config=config)
            self.assertEqual(served(d), ["5"])
            self.assertEqual(d.ask("POST", f"/v1/models/{MODEL}/versions/1:classify", IMAGE)[0], 404)
            for rules, versions in ((f"latest:1,{MODEL}=1+2", ["1", "2"]), ("all", ["1", "2", "5"]),
                                    ("5", ["5"])):
                config.write_text(json.dumps({"versions": rules}))
                d.process.send_signal(signal.SIGHUP)
                d.wait_until(lambda: served(d) == versions)
            config.write_text('{"versions": "7"}')  # what serves goes on serving
            d.process.send_signal(signal.SIGHUP)
            d.wait_event('"model not loaded"')
            self.assertEqual((served(d), d.ask("POST", CLASSIFY, IMAGE)[0]), (["5"], 200))
            self.assertEqual(d.stop(), 0)

    def test_a_broken_package_does_not_stop_the_others(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(MODELS / MODEL, f"{folder}/{MODEL}")
            os.makedirs(f"{folder}/broken/1")
            pathlib.Path(f"{folder}/broken/1/model.onnx").write_bytes(b"no model")
            d = Daemon(models=folder)
            self.assertEqual(d.ask("POST", CLASSIFY, IMAGE)[0], 200)
            status, answer = d.json("GET", "/v2/models/broken")
            self.assertEqual(status, 503)
            self.assertIn("broken", answer["error"])
            self.assertEqual(d.stop(), 0)

    def test_a_policy_certified_in_another_precision_is_warned_of(self):
        d = Daemon(precision="strict")
        self.assertIn('event="policy certified in another precision"', d.text())
        self.assertIn("certified=default runs=strict", d.text())
        self.assertEqual(d.stop(), 0)
        d = Daemon()
        self.assertNotIn("another precision", d.text())
        self.assertEqual(d.stop(), 0)

    def test_inherited_sockets_are_served(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen(10)
            port = s.getsockname()[1]
            shell = f'exec 3<&{s.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@"'
            # bash: dash knows descriptors of one digit only
            p = subprocess.Popen(["bash", "-c", shell, ALIGHTD, f"--models={MODELS}"],
                                 pass_fds=[s.fileno()], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        d = Daemon.__new__(Daemon)
        d.port = port
        self.assertEqual(d.ask("GET", "/v2")[0], 200)  # waits in the backlog until it serves
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(20), 0)

    def test_the_service_manager_is_told(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX,
                                                                    socket.SOCK_DGRAM) as s:
            s.bind(f"{folder}/notify")
            s.settimeout(20)
            d = Daemon(env={"NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "100000"})
            heard = s.recv(1000)
            self.assertTrue(heard.startswith(b"READY=1"), heard)
            self.assertEqual(s.recv(1000), b"WATCHDOG=1")
            self.fill(f"{folder}/notify")  # a deaf manager must not stop the loop
            begin = d.stats()["up_s"]
            d.wait_until(lambda: d.stats()["up_s"] > begin + 0.3)
            s.setblocking(False)
            self.assertRaises(BlockingIOError, lambda: [s.recv(1000) for _ in range(1 << 20)])
            s.settimeout(20)
            d.process.send_signal(signal.SIGTERM)
            while not heard.startswith(b"STOPPING=1"):
                heard = s.recv(1000)
            self.assertEqual(d.process.wait(20), 0)

    def fill(self, path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.setblocking(False)
            s.connect(path)
            self.assertRaises(BlockingIOError, lambda: [s.send(b"x") for _ in range(1 << 20)])

    def test_a_draining_server_does_not_say_ready_again(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX,
                                                                    socket.SOCK_DGRAM) as s:
            s.bind(f"{folder}/notify")
            s.settimeout(20)
            config = pathlib.Path(folder, "alightd.json")
            config.write_text('{"lame_duck_ms": 300000}')
            d = Daemon(config=config, env={"NOTIFY_SOCKET": f"{folder}/notify"})
            d.process.send_signal(signal.SIGTERM)
            d.wait_event("draining")
            config.write_text('{"lame_duck_ms": 0}')
            d.process.send_signal(signal.SIGHUP)
            self.assertEqual(d.process.wait(60), 0)
            s.setblocking(False)
            heard = []
            try:
                while True:
                    heard.append(s.recv(1000).split(b"\n")[0])
            except BlockingIOError:
                self.assertEqual(heard, [b"READY=1", b"STOPPING=1"])

    def test_past_the_drain_limit_clients_are_told(self):
        d = Daemon(test_models="true", workers=1, lame_duck_ms=0, drain_timeout_ms=100)
        clients = [Request(d, "POST", "/v2/models/sleep/infer", nap(6000)) for _ in range(2)]
        d.wait_until(lambda: d.metric("alight_inflight_rows") == 2)
        d.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join()
            status, headers, body = client.answer
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            self.assertIn("stopping", json.loads(body)["error"])
        self.assertEqual(d.process.wait(60), 0)
        self.assertEqual(d.text().count("drain limit passed"), 1)

    def test_sigterm_does_not_wait_for_models_not_yet_begun(self):
        n = 60
        with tempfile.TemporaryDirectory() as folder:
            for i in range(n):
                os.symlink(MODELS / MODEL, f"{folder}/m{i}")
            d = Daemon(wait=False, models=folder, lame_duck_ms=0, drain_timeout_ms=0)
            d.wait_event('"model loaded"')
            d.port = int(re.search(r"address=127\.0\.0\.1:(\d+)", d.text()).group(1))
            d.wait_until(lambda: "LOADING" in [m["state"] for m in d.json(
                "POST", "/v2/repository/index")[1]])
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(60), 0)
            self.assertLess(d.text().count("model loaded"), n)
            self.assertLessEqual(d.text().count("drain limit passed"), 1)

    def test_loads_that_wait_are_bounded(self):
        with tempfile.TemporaryDirectory() as folder:
            for i in range(400):
                os.symlink(MODELS / MODEL, f"{folder}/m{i}")
            d = Daemon(wait=False, models=folder, lame_duck_ms=0, drain_timeout_ms=0)
            d.wait_event("listening")
            d.port = int(re.search(r"address=127\.0\.0\.1:(\d+)", d.text()).group(1))
            load = b"POST /v2/repository/models/m0/load HTTP/1.1\r\nHost: a\r\n\r\n"
            waiting = [d.open(load) for _ in range(70)]  # behind the scan of the folder
            status, headers, body = d.ask("POST", "/v2/repository/models/m0/load")
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            self.assertIn("64", json.loads(body)["error"])
            self.assertEqual(d.ask("GET", "/v2/health/live")[0], 200)
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(60), 0)
            answers = [s.recv(1000)[9:12] for s in waiting]
            self.assertEqual(answers, [b"503"] * 70)  # too many, or stopping
            for s in waiting:
                s.close()

    def test_without_any_model_the_server_is_not_ready(self):
        with tempfile.TemporaryDirectory() as folder:
            d = Daemon(models=folder)
            self.assertEqual(d.json("GET", "/v2/health/ready"), (200, {"ready": True}))  # so be it
            os.makedirs(f"{folder}/broken/1")
            d.process.send_signal(signal.SIGHUP)
            d.wait_event('"model not loaded"')
            self.assertEqual(d.json("GET", "/v2/health/ready"),
                             (503, {"ready": False, "failed": ["broken"]}))
            shutil.copytree(MODELS / MODEL, f"{folder}/{MODEL}")
            d.process.send_signal(signal.SIGHUP)
            d.wait_event('"model loaded"')
            self.assertEqual(d.ask("GET", "/v2/health/ready")[0], 200)
            self.assertEqual(d.stop(), 0)

    def test_a_folder_that_cannot_be_a_package_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/my model/1")
            os.makedirs(f"{folder}/.hidden/1")
            d = Daemon(models=folder)
            self.assertEqual(d.text().count("folder passed over"), 1)
            self.assertIn('"my model"', d.text())
            self.assertEqual(d.json("POST", "/v2/repository/index")[1], [])
            self.assertEqual(d.stop(), 0)

    def test_a_folder_that_goes_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            models = pathlib.Path(folder, "models")
            models.mkdir()
            d = Daemon(models=models)
            models.rmdir()
            d.process.send_signal(signal.SIGHUP)
            d.wait_event('"models not read"')
            self.assertEqual(d.ask("GET", "/v2/health/ready")[0], 503)
            self.assertEqual(d.stop(), 0)

    def test_a_start_that_fails_says_why_and_leaves_no_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            for flags, says in ((["--models=/nowhere"], "'/nowhere': No such file"),
                                ([f"--models={folder}", "--access-log=/nowhere/log"], "/nowhere/log")):
                done = subprocess.run([ALIGHTD, f"--listen=unix:{path}", *flags], capture_output=True,
                                      text=True, timeout=60)
                self.assertEqual(done.returncode, 1)
                self.assertIn(says, done.stderr)
                self.assertFalse(os.path.exists(path))

    def test_polling_tries_a_broken_package_once(self):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as aside:
            def add(name):  # at once: half a package is a broken one
                shutil.copytree(MODELS / MODEL, f"{aside}/{name}")
                os.rename(f"{aside}/{name}", f"{folder}/{name}")

            os.makedirs(f"{folder}/a-broken/1")
            os.makedirs(f"{folder}/b-empty")
            d = Daemon(models=folder, poll_models_ms=20)
            add(MODEL)
            d.wait_event('"model loaded"')
            self.assertEqual(d.text().count("not loaded"), 2)
            pathlib.Path(f"{folder}/a-broken/1/model.onnx").write_bytes(b"no model")
            d.wait_until(lambda: d.text().count("not loaded") == 3)
            mended = '"model loaded" model=a-broken'
            shutil.copytree(MODELS / MODEL, f"{folder}/a-broken", dirs_exist_ok=True)
            d.wait_until(lambda: mended in d.text())
            loaded = []
            for name in ("y", "z"):  # each tells of a poll that has passed by a-broken
                add(name)
                d.wait_until(lambda: f'"model loaded" model={name}' in d.text())
                loaded.append(d.text().count(mended))
            self.assertEqual(loaded[0], loaded[1])
            self.assertEqual(d.stop(), 0)

    def test_a_unix_socket_belongs_to_one_server(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(path)  # and nobody listens any more
            d = Daemon(listen=f"unix:{path},127.0.0.1:0", models=folder)
            second = subprocess.run([ALIGHTD, f"--listen=unix:{path}", f"--models={folder}"],
                                    capture_output=True, text=True, timeout=60)
            self.assertEqual(second.returncode, 1)
            self.assertIn("in use", second.stderr)
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(30)
                s.connect(path)
                s.sendall(b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200"))
            self.assertEqual(d.stop(), 0)
            self.assertFalse(os.path.exists(path))

    def test_connections_leave_descriptors_for_other_files(self):
        def few():
            die_with_parent()
            resource.setrlimit(resource.RLIMIT_NOFILE, (150, 150))
        with unittest.mock.patch("daemon.die_with_parent", few):
            d = Daemon()
        self.assertIn('event="max_connections lowered" limit=86 wanted=10000', d.text())
        held = [socket.create_connection(("127.0.0.1", d.port), 30) for _ in range(60)]
        self.assertEqual(d.ask("POST", CLASSIFY, IMAGE)[0], 200)
        for s in held:
            s.close()
        self.assertEqual(d.stop(), 0)


class Options(unittest.TestCase):
    def test_committed_pages_are_current(self):
        for flag, path in (("--print-page", "docs/configuration.md"),
                           ("--print-schema", "config/alightd.schema.json")):
            made = subprocess.run([ALIGHTD, flag], capture_output=True, text=True, check=True)
            self.assertEqual(made.stdout, (ROOT / path).read_text(), path)

    def test_the_sample_is_sound_and_fits_the_schema(self):
        sample = ROOT / "config/alightd.json"
        done = subprocess.run([ALIGHTD, f"--config={sample}", "--check"], capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        schema = json.loads((ROOT / "config/alightd.schema.json").read_text())
        for key in json.loads(sample.read_text()):
            self.assertIn(key, schema["properties"])

    def test_bad_options_are_named(self):
        for flag, word in (("--wrokers=2", "--wrokers"), ("--log-level=loud", "warning"),
                           ("--log-format=xml", "log_format"), ("--precision=q", "precision"),
                           ("--cpu-mask=zz", "cpu_mask"), ("--listen=nonsense", "nonsense"),
                           ("--versions=newest", "newest"), ("--trusted-proxies=10.0.0.0/8", "10.0.0.0/8"),
                           ("--trusted-proxies=::1,0:0::1", "'::1'"),
                           ("--listen=127.0.0.1:70000", "70000"), ("--listen=unix:" + "x" * 200, "107")):
            for also in ((), ("--check",)):
                done = subprocess.run([ALIGHTD, flag, *also], capture_output=True, text=True)
                self.assertEqual(done.returncode, 2, flag)
                self.assertIn(word, done.stderr)

    def test_a_reload_with_a_bad_option_changes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "alightd.json")
            config.write_text("{}")
            d = Daemon(config=config)
            config.write_text('{"log_level": "loud", "max_body_bytes": 5000}')
            d.process.send_signal(signal.SIGHUP)
            d.wait_event('"configuration not reloaded"')
            self.assertNotIn("setting changed", d.text())
            self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    main()
