#!/usr/bin/python3
"""A text file as a C string: embed.py FILE NAME writes to stdout."""
import pathlib
import sys

data = pathlib.Path(sys.argv[1]).read_bytes() + b"\0"
print(f"extern const char {sys.argv[2]}[];\nconst char {sys.argv[2]}[] = {{")
for i in range(0, len(data), 16):
    print("    " + " ".join(f"(char){byte}," for byte in data[i:i + 16]))
print("};")
