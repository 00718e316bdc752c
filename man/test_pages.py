#!/usr/bin/python3
"""Every option that --help lists stands in the man page, and groff has nothing to say.

usage: test_pages.py ALIGHT ALIGHTD PAGE...
"""
import pathlib
import re
import shutil
import subprocess
import sys

alight, alightd, *pages = sys.argv[1:]
failures = []
for page in map(pathlib.Path, pages):
    program = [alightd] if page.stem == "alightd" else [alight, *page.stem.split("-")[1:]]
    help_text = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True).stdout
    text = page.read_text().replace("\\-", "-")
    missing = [o for o in set(re.findall(r"--[a-z-]+", help_text)) if o not in text]
    if missing:
        failures.append(f"{page.name} lacks {', '.join(sorted(missing))}")
    if shutil.which("groff"):
        found = subprocess.run(["groff", "-man", "-ww", "-z", page], capture_output=True, text=True)
        if found.stderr:
            failures.append(found.stderr)
print(*failures or [f"{len(pages)} pages"], sep="\n")
sys.exit(bool(failures))
