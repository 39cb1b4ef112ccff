"""Every header compiles alone, twice included, without a warning.

With --no-exceptions the headers of the given layers are compiled with -fno-exceptions -fno-rtti: those layers are for
real-time and embedded programs too. With --separate it is compiled with TOKENWORKS_SEPARATE, where bodies are missing.
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
    parser.add_argument("--separate", action="store_true")
    options = parser.parse_args()
    tools = Toolchain(options.flags)
    root = Path(tools.own)
    headers = sorted(path.relative_to(root) for path in root.rglob("*.hpp"))
    extra = []
    if options.no_exceptions:
        headers = [h for h in headers if len(h.parts) > 2 and h.parts[1] in options.no_exceptions]
        extra = ["-fno-exceptions", "-fno-rtti"]

    if options.separate:
        extra.append("-DTOKENWORKS_SEPARATE")

    def check(header):
        text = f"#include <{header}>\n#include <{header}>\nint main() {{}}\n"
        flags = ["-fsyntax-only", "-Werror", *tools.warnings, *extra, "-x", "c++", "-"]
        return header, tools.run(flags, text)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, done in pool.map(check, headers):
            if done.returncode != 0:
                failed += 1
                print(f"{header} does not compile alone:\n{done.stderr}")
    print(f"{len(headers)} headers, {failed} failed")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
