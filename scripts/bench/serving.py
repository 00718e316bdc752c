"""What the benchmarks of a running server share: daemons, load, pictures to send.

http_load (scripts/bench/http_load.c) is built with the tests; see there for what it counts.
"""
import contextlib
import gzip
import json
import os
import pathlib
import socket
import subprocess
import sys
import tarfile
import time

from common import FASHION, ROOT, need

sys.path.insert(0, str(ROOT / "tests/http"))


def build_folder(text):
    """Type of the option --build: a folder with alightd and http_load."""
    build = pathlib.Path(text).resolve()
    for program in ("alightd", "scripts/bench/http_load"):
        if not (build / program).exists():
            raise SystemExit(f"{build / program} is missing: build with -Dtests=true first")
    return build


@contextlib.contextmanager
def alightd(build, **options):
    """A running daemon (tests/http/daemon.py) with these options, stopped at the end."""
    os.environ["ALIGHTD"] = str(build / "alightd")
    import daemon
    daemon.ALIGHTD = os.environ["ALIGHTD"]
    server = daemon.Daemon(**options)
    try:
        yield server
    finally:
        server.kill()


def load_command(build, port, path, files=(), **options):
    command = [str(build / "scripts/bench/http_load"), f"--port={port}", f"--path={path}"]
    command += [f"--{name}={value}" for name, value in options.items()]
    return command + [str(f) for f in files]


def http_load(*arguments, **options):
    """What http_load reports, as an object; `us` are microseconds of answers 200."""
    done = subprocess.run(load_command(*arguments, **options), capture_output=True, text=True,
                          check=True)
    return json.loads(done.stdout)


def start_http_load(*arguments, **options):
    """The same, under way: give it to finish_http_load."""
    return subprocess.Popen(load_command(*arguments, **options), stdout=subprocess.PIPE, text=True)


def finish_http_load(process):
    text, _ = process.communicate(timeout=300)
    return json.loads(text)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(process, port, limit=60):
    end = time.monotonic() + limit
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("a server does not start")


def write_jpegs(archive, folder, n):
    """`n` pictures of a tar, evenly spread over it."""
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.isfile()]
        for i in range(n):
            member = members[i * len(members) // n]
            (folder / f"{i:04}.jpg").write_bytes(tar.extractfile(member).read())


def write_pngs(folder, n):
    """The first `n` pictures of Fashion-MNIST's test set, which is in random order."""
    from PIL import Image
    images = FASHION / "t10k-images-idx3-ubyte.gz"
    need(images)
    pixels = gzip.decompress(images.read_bytes())[16:]
    for i in range(n):
        one = Image.frombytes("L", (28, 28), pixels[784 * i:784 * (i + 1)])
        one.save(folder / f"{i:04}.png")


def pictures(data, folder, n=1000):
    """Files to send and their Content-Type: of the tar `data`, or Fashion-MNIST without it."""
    folder.mkdir()
    if data:
        write_jpegs(data, folder, n)
    else:
        write_pngs(folder, n)
    return sorted(folder.iterdir()), "image/jpeg" if data else "image/png"
