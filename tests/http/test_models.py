"""Models at run time: a watched folder, unloading with requests in flight, a full queue."""
import os
import pathlib
import shutil
import tempfile
import unittest

from daemon import IMAGE, MODEL, MODELS, Daemon, DaemonCase, Request, main, nap

SLEEP = "/v2/models/sleep/infer"


def classify(name=MODEL):
    return f"/v1/models/{name}:classify"


def state(daemon, name):
    """As the repository index has it."""
    index = daemon.json("POST", "/v2/repository/index")[1]
    return next(m["state"] for m in index if m["name"] == name)


def hold_worker(daemon, ms):
    """A nap, once the daemon's only worker, which has nothing else to do, is asleep: it takes the
    row in the same instant that it counts its decoding."""
    def n_decoded():
        return daemon.metric('alight_decode_duration_seconds_count.*"sleep",version="1"')

    before = n_decoded()
    request = Request(daemon, "POST", SLEEP, nap(ms))
    daemon.wait_until(lambda: n_decoded() > before)
    return request


class Watched(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.models = pathlib.Path(self.folder.name)
        shutil.copytree(MODELS / MODEL, self.models / MODEL)
        self.daemon = Daemon(models=self.models, poll_models_ms=50)

    def tearDown(self):
        self.assertEqual(self.daemon.stop(), 0)
        self.folder.cleanup()

    def status(self, name=MODEL):
        return self.daemon.ask("POST", classify(name), IMAGE)[0]

    def test_packages_that_come_change_and_go_are_noticed(self):
        self.assertEqual(self.status("other"), 404)
        shutil.copytree(MODELS / MODEL, self.models / "coming")
        (self.models / "coming").rename(self.models / "other")  # whole, or not at all
        self.daemon.wait_until(lambda: self.status("other") == 200)
        loads = self.daemon.text().count('event="model loaded" model=other')
        os.utime(self.models / "other/1/model.onnx")
        self.daemon.wait_until(lambda: self.daemon.text().count('event="model loaded" model=other') > loads)
        self.assertEqual(self.status("other"), 200)
        (self.models / "other").rename(self.models.parent / f"{self.models.name}-gone")
        self.daemon.wait_until(lambda: self.status("other") != 200)
        shutil.rmtree(self.models.parent / f"{self.models.name}-gone")
        self.assertEqual(self.status(), 200)

    def test_a_change_that_cannot_be_loaded_leaves_the_old_one_serving(self):
        fresh = self.models / MODEL / "1/fresh"
        fresh.write_bytes(b"no model")
        fresh.rename(self.models / MODEL / "1/model.onnx")
        self.daemon.wait_until(lambda: "level=error" in self.daemon.text())
        self.assertEqual(self.status(), 200)


class InFlight(DaemonCase):
    options = {"test_models": "true", "workers": 1}

    def test_an_unloaded_model_answers_what_it_had_accepted(self):
        d = self.daemon
        busy = hold_worker(d, 5000)
        waiting = [Request(d, "POST", classify(), IMAGE) for _ in range(3)]
        d.wait_until(lambda: d.stats()["in_flight"]["images"] == 4)
        unload = Request(d, "POST", f"/v2/repository/models/{MODEL}/unload")
        d.wait_until(lambda: state(d, MODEL) == "UNLOADING")
        self.assertEqual(d.ask("POST", classify(), IMAGE)[0], 503)
        self.assertTrue(unload.is_alive(), "answered while requests held the model")
        self.assertEqual(d.stats()["in_flight"]["images"], 4)
        unload.join()
        self.assertEqual(unload.answer[0], 200)
        self.assertEqual(state(d, MODEL), "UNAVAILABLE")
        for request in [busy, *waiting]:
            request.join()
            self.assertEqual(request.answer[0], 200)
        self.assertEqual(d.ask("POST", f"/v2/repository/models/{MODEL}/load")[0], 200)

    def test_a_load_may_overtake_an_unload(self):
        d = self.daemon
        busy = hold_worker(d, 5000)
        waiting = Request(d, "POST", classify(), IMAGE)
        d.wait_until(lambda: d.stats()["in_flight"]["images"] == 2)
        unload = Request(d, "POST", f"/v2/repository/models/{MODEL}/unload")
        d.wait_until(lambda: state(d, MODEL) == "UNLOADING")
        load = Request(d, "POST", f"/v2/repository/models/{MODEL}/load")
        for request in (busy, waiting, unload, load):
            request.join()
            self.assertEqual(request.answer[0], 200)
        self.assertEqual(state(d, MODEL), "READY")


class Held(DaemonCase):
    options = {"test_models": "true", "workers": 1, "deadline_ms": 500}

    def test_an_unload_that_waits_too_long_says_so(self):
        d = self.daemon
        busy = hold_worker(d, 4000)
        unload = d.ask("POST", "/v2/repository/models/sleep/unload")
        self.assert_error(unload, 504, "'sleep'", "1 s")
        self.assertEqual(state(d, "sleep"), "UNAVAILABLE")
        busy.join()
        self.assertEqual(busy.answer[0], 504)

    def test_the_end_of_the_server_ends_the_wait(self):
        d = Daemon(test_models="true", workers=1, lame_duck_ms=0)
        busy = hold_worker(d, 2000)
        unload = Request(d, "POST", "/v2/repository/models/sleep/unload")
        d.wait_until(lambda: state(d, "sleep") == "UNLOADING")
        self.assertEqual(d.stop(), 0)
        unload.join()
        busy.join()
        self.assertEqual((unload.answer[0], busy.answer[0]), (503, 200))


class Bytes(DaemonCase):
    options = {"test_models": "true", "workers": 1, "max_queue_bytes": 2000000}

    def test_a_queue_full_of_bytes_refuses_and_one_that_never_fits_is_too_large(self):
        d = self.daemon
        large = nap(1000) + " " * 600000
        under_way = [Request(d, "POST", SLEEP, large) for _ in range(3)]
        d.wait_until(lambda: d.stats()["in_flight"]["images"] == 3)
        status, headers, body = d.ask("POST", SLEEP, large)
        self.assertEqual(status, 503, body)
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        self.assertEqual(d.ask("POST", SLEEP, nap(1))[0], 200)  # a small one still fits
        self.assert_error(d.ask("POST", SLEEP, nap(1) + " " * 2500000), 413)
        for request in under_way:
            request.join()
            self.assertEqual(request.answer[0], 200)


if __name__ == "__main__":
    main()
