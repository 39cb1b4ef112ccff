"""Runs one example with the arguments that its source names, and looks at what it prints.

In the source, both optional:
    // run: {smollm2} "Why is the sky blue?"     arguments; {smollm2} and {gemma3} are real models, {out} an empty folder,
                                                  {models} that of the shipped ones
    // prints: 4 8 15                            a line that must be part of the output; may stand several times
Exit code 77 tells CTest that the model is not on this machine.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import real_models


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("source", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    text = options.source.read_text(encoding="utf-8")
    line = re.search(r"^// run:(.*)$", text, re.MULTILINE)
    folder = real_models.folder(options.models)

    with tempfile.TemporaryDirectory() as out:
        values = {name: str(folder / file) for name, file in real_models.FILES.items()} | {"out": out, "models": str(options.models)}
        arguments = []
        for word in shlex.split(line.group(1)) if line else []:
            for name in real_models.FILES:
                if f"{{{name}}}" in word and not os.path.exists(values[name]):
                    print(f"skipped: {values[name]} is not there; {real_models.HOW_TO_GET}")
                    return 77
            arguments.append(re.sub(r"\{(\w+)\}", lambda found: values[found.group(1)], word))
        done = subprocess.run(
            options.command + arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, cwd=out
        )
    printed = done.stdout.decode("utf-8", "replace")
    print(printed + done.stderr.decode("utf-8", "replace"))
    if done.returncode != 0:
        print(f"exit code {done.returncode}")
        return 1
    wanted = re.findall(r"^// prints: ?(.*)$", text, re.MULTILINE)
    missing = [w for w in wanted if w.strip() not in printed]
    for want in missing:
        print(f"not printed: {want}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
