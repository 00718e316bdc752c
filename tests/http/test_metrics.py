"""What /metrics says after answers, refusals, time-outs and clients that left: sound to
promtool (where it is installed), every histogram consistent, nothing lost between counters."""
import json
import re
import shutil
import socket
import subprocess
import unittest

from daemon import IMAGE, MODEL, ROOT, DaemonCase, main, nap

CLASSIFY = f"/v1/models/{MODEL}:classify"
SLEEP = "/v2/models/sleep/infer"
BROWSER = """
const made = { server: {}, models: { replaceChildren(...children) { this.children = children; } } };
const document = {
  getElementById: id => made[id],
  createElement: name => ({ children: [], append(...more) { this.children.push(...more); } }),
};
const fetch = async () => ({ json: async () => (%s) });
const setTimeout = () => {};
%s
const text = e => ({ text: e.textContent, children: e.children.map(text) });
look().then(() => process.stdout.write(JSON.stringify(
  { server: made.server.textContent, models: made.models.children.map(text) })));
"""
SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')


def samples(text):
    """{(name, labels): value}; labels as a frozenset of key="value" texts."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            key = name, frozenset(re.findall(r'\w+="(?:[^"\\]|\\.)*"', labels or ""))
            if key in found:
                raise AssertionError(f"twice: {line}")
            found[key] = float(value)
    return found


class Metrics(DaemonCase):
    options = {"test_models": "true", "workers": 2, "max_queue_rows": 8}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        d = cls.daemon
        for query in ("", "?max_loss=0", "?max_loss=0.05"):
            for _ in range(20):
                d.ask("POST", CLASSIFY + query, IMAGE)
        d.ask("POST", CLASSIFY, b"no image")
        d.ask("POST", SLEEP, nap(300, deadline_us=50000))
        request = nap(300).encode()
        head = f"POST {SLEEP} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(request)}\r\n\r\n"
        left = [socket.create_connection(("127.0.0.1", d.port)) for _ in range(12)]
        for s in left:
            s.sendall(head.encode() + request)
        d.ask("POST", SLEEP, nap(1))
        for s in left:
            s.close()
        d.wait_until(lambda: d.stats()["in_flight"]["images"] == 0)
        cls.text = d.ask("GET", "/metrics")[2].decode()
        cls.samples = samples(cls.text)

    def total(self, name, *labels):
        return sum(v for (n, ls), v in self.samples.items() if n == name and set(labels) <= ls)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_finds_nothing_to_complain_about(self):
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text, text=True,
                              capture_output=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_buckets_never_fall_and_end_at_the_count(self):
        series = {}
        for (name, labels), value in self.samples.items():
            if name.endswith("_bucket"):
                le = next(l for l in labels if l.startswith("le="))
                bound = float(le[4:-1].replace("+Inf", "inf"))
                series.setdefault((name[:-7], labels - {le}), []).append((bound, value))
        self.assertGreater(len(series), 5)
        for (name, labels), buckets in series.items():
            counts = [value for _, value in sorted(buckets)]
            self.assertEqual(counts, sorted(counts), name)
            self.assertEqual(sorted(buckets)[-1][0], float("inf"), name)
            self.assertEqual(counts[-1], self.samples[name + "_count", labels], name)

    def test_every_image_accepted_is_in_exactly_one_counter(self):
        models = {m["name"]: m for m in self.daemon.stats()["models"]}
        for name in (MODEL, "sleep"):
            label = f'model="{name}"'
            rows = self.total("alight_rows_total", label)
            failed = self.total("alight_rows_failed_total", label)
            self.assertEqual(rows + failed, models[name]["images"]["accepted"], name)
            self.assertEqual(self.total("alight_exit_duration_seconds_count", label), rows)
        self.assertEqual(self.total("alight_rows_total", f'model="{MODEL}"'), 60)
        self.assertEqual(self.total("alight_inflight_rows"), 0)

    def test_the_page_for_operators_names_what_there_is(self):
        page = (ROOT / "docs/operations.md").read_text()
        named = set(re.findall(r"\balight_[a-z_]+", page))
        self.assertGreater(len(named), 12)
        self.assertLessEqual(named, {name for name, _ in self.samples})
        reasons = {label[8:-1] for name, labels in self.samples if name == "alight_rejected_total"
                   for label in labels if label.startswith("reason=")}
        listed = page.split("## Why requests are turned away")[1]
        self.assertEqual(set(re.findall(r"`(\w+)`(?:,| \|)", listed)) & reasons, reasons)

    def test_the_page_is_whole_and_asks_nobody_else(self):
        status, headers, page = self.ask("GET", "/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(page, (ROOT / "server/app/page.html").read_bytes())
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_the_page_shows_every_model_and_exit(self):
        stats = self.daemon.stats()
        page = re.search("<script>(.*)</script>", self.ask("GET", "/")[2].decode(), re.S)[1]
        done = subprocess.run(["node", "-"], input=BROWSER % (json.dumps(stats), page), text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotRegex(done.stdout, r"undefined|NaN|\[object")
        shown = json.loads(done.stdout)
        self.assertTrue(shown["server"].startswith("ready, "), shown["server"])
        titles, texts, tables = (shown["models"][i::3] for i in range(3))
        self.assertEqual([t["text"] for t in titles],
                         [f"{m['name']} {m['version']}" for m in stats["models"]])
        for table, m in zip(tables, stats["models"]):
            head, *rows = [[cell["text"] for cell in row["children"]] for row in table["children"]]
            self.assertEqual([row[0] for row in rows], [e["name"] for e in m["exits"]])
            self.assertEqual({len(row) for row in rows}, {len(head)})
        sleep = next(text["text"] for title, text in zip(titles, texts) if title["text"] == "sleep 1")
        self.assertRegex(sleep, r"turned away: queue_rows \d+, deadline 1, cancelled \d+")

    def test_every_way_to_fail_has_its_reason(self):
        def rejected(model, reason):
            return self.total("alight_rejected_total", f'model="{model}"', f'reason="{reason}"')
        self.assertEqual(rejected(MODEL, "decode"), 1)
        self.assertEqual(rejected("sleep", "deadline"), 1)
        self.assertGreaterEqual(rejected("sleep", "queue_rows"), 1)
        self.assertGreaterEqual(rejected("sleep", "cancelled"), 1)


if __name__ == "__main__":
    main()
