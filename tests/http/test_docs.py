"""The documents' commands, run as they stand, answer what the documents say.

Blocks of shell commands are run with the address of the test's daemon, but for the lines
that start scripts of the repository. A block of JSON behind one is its answer: keys, texts
and lengths are compared, a text that an ellipsis shortens as far as it goes, numbers to
four digits (three within texts), durations not at all.
"""
import json
import math
import re
import shutil
import subprocess
import sys

from daemon import ROOT, SKIP, DaemonCase, main

ADDRESS = "127.0.0.1:8000"
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:(?:(?!```).)*```json\n(.*?)```)?", re.S)
SHELL = 'curl() { command curl --silent --show-error --fail-with-body "$@"; }\n'


def rounded(text):
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.3f}", text)


def differences(shown, real, where="answer"):
    """Where the real answer is not what is shown."""
    if isinstance(shown, dict) and isinstance(real, dict) and shown.keys() == real.keys():
        return [d for key in shown if key != "timing_us" for d in differences(shown[key], real[key], f"{where}.{key}")]
    if isinstance(shown, list) and isinstance(real, list) and len(shown) == len(real):
        return [d for i, pair in enumerate(zip(shown, real)) for d in differences(*pair, f"{where}[{i}]")]
    if isinstance(shown, str) and isinstance(real, str) and shown.endswith("…"):
        same = real.startswith(shown[:-1])
    elif isinstance(shown, str) and isinstance(real, str):
        same = rounded(shown) == rounded(real)
    elif isinstance(shown, float) and isinstance(real, (int, float)):
        same = math.isclose(shown, real, rel_tol=1e-4)
    else:
        same = shown == real
    return [] if same else [f"{where}: shown {shown!r}, is {real!r}"]


class Documents(DaemonCase):
    def run_block(self, block):
        lines = [line for line in block.splitlines() if not line.startswith("scripts/")]
        script = SHELL + "\n".join(lines).replace(ADDRESS, f"127.0.0.1:{self.daemon.port}")
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=ROOT, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 0, block + done.stdout + done.stderr)
        return done.stdout

    def check_page(self, name):
        blocks = BLOCK.findall((ROOT / name).read_text())
        self.assertTrue(any(shown for _, shown in blocks))
        for block, shown in blocks:
            with self.subTest(block=block):
                answer = self.run_block(block)
                if shown:
                    self.assertEqual(differences(json.loads(shown), json.loads(answer)), [])

    def test_readme(self):
        self.check_page("README.md")

    def test_http(self):
        self.check_page("docs/http.md")


if __name__ == "__main__":
    if not shutil.which("curl"):
        print("skipped: curl is missing")
        sys.exit(SKIP)
    main()
