"""Every header compiles alone, twice included, without a warning.

With --no-exceptions the headers of the given layers are compiled with -fno-exceptions -fno-rtti: those layers are for
real-time and embedded programs too. A header whose large functions TOKENWORKS_SEPARATE leaves out is compiled with and
without them, every other one the stricter way: what it includes brings less then.
"""

import argparse
import concurrent.futures
import os
import sys
from pathlib import Path

from toolchain import Toolchain


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flags", required=True)
    parser.add_argument("--no-exceptions", nargs="*", default=[], metavar="LAYER")
    parser.add_argument("--without", nargs="*", default=[], metavar="HEADER", help="what it needs is not at hand")
    options = parser.parse_args()
    tools = Toolchain(options.flags)
    root = Path(tools.own)
    headers = sorted(path.relative_to(root) for path in root.rglob("*.hpp"))
    headers = [h for h in headers if h.relative_to("tokenworks").as_posix() not in options.without]
    extra = []
    if options.no_exceptions:
        headers = [h for h in headers if len(h.parts) > 2 and h.parts[1] in options.no_exceptions]
        extra = ["-fno-exceptions", "-fno-rtti"]

    jobs = []
    for header in headers:
        if header.name != "separate.hpp":
            jobs.append((header, ["-DTOKENWORKS_SEPARATE"]))
        if header.name == "separate.hpp" or "#if TOKENWORKS_DEFINITIONS" in (root / header).read_text(encoding="utf-8"):
            jobs.append((header, []))

    def check(job):
        header, mode = job
        text = f"#include <{header}>\n#include <{header}>\nint main() {{}}\n"
        flags = ["-fsyntax-only", "-Werror", *tools.warnings, *extra, *mode, "-x", "c++", "-"]
        return f"{header} {''.join(mode)}", tools.run(flags, text)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, done in pool.map(check, jobs):
            if done.returncode != 0:
                failed += 1
                print(f"{header} does not compile alone:\n{done.stderr}")
    print(f"{len(headers)} headers, {len(jobs)} ways, {failed} failed")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
