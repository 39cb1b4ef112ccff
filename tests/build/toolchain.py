"""The compiler and the flags of the build that runs the tests, for scripts that compile something themselves."""

import argparse
import json
import os
import subprocess
from pathlib import Path


class Toolchain:
    """Reads the file that CMake writes at tests/compiler.json of the build folder."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as source:
            values = json.load(source)
        self.own = values["own"]
        implicit = set(filter(None, values["implicit"].split(";")))
        folders = [f for f in values["include"].split(";") if f and f != self.own and f not in implicit]
        # Sanitizers are left out: these scripts look at what compiles, not at what runs.
        self.warnings = [w for w in values["warnings"].split(";") if w.startswith("-W") and w != "-Werror"]
        self.base = [values["compiler"], *values["flags"].split(), "-std=c++20", f"-I{self.own}"]
        for folder in dict.fromkeys(folders):
            self.base += ["-isystem", folder]

    def run(self, arguments, text=None):
        """Compiles in the C locale, with `text` as standard input; returns the finished process."""
        return subprocess.run(
            self.base + list(arguments),
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
        )


def parse_source():
    """The toolchain that --flags names, and the source that a script is called with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flags", required=True)
    parser.add_argument("source", type=Path)
    options = parser.parse_args()
    return Toolchain(options.flags), options.source
