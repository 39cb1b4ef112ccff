"""Every header compiles alone, twice included, without a warning.

The headers of the layers that --no-exceptions names are compiled with -fno-exceptions -fno-rtti: those layers are for
real-time and embedded programs too. All are compiled with TOKENWORKS_SEPARATE, the stricter way: what a header includes
brings less then. A header that so leaves out large functions is compiled with its own, behind what it includes; or, where
that is nothing without bodies, with all of them.
"""

import argparse
import concurrent.futures
import os
import re
import sys
from pathlib import Path

from toolchain import Toolchain

WITH_BODIES = """#undef TOKENWORKS_DEFINITIONS
#undef TOKENWORKS_FUNCTION
#define TOKENWORKS_DEFINITIONS 1
#define TOKENWORKS_FUNCTION inline"""


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

    def flags_of(header):
        plain = len(header.parts) > 2 and header.parts[1] in options.no_exceptions
        mode = [] if header.name == "separate.hpp" else ["-DTOKENWORKS_SEPARATE"]
        return ["-fsyntax-only", "-Werror", *tools.warnings, *(["-fno-exceptions", "-fno-rtti"] if plain else []), *mode]

    def check(header):
        content = (root / header).read_text(encoding="utf-8")
        before = ""
        if "#if TOKENWORKS_DEFINITIONS" in content:
            includes = re.findall(r"^#include <tokenworks/[^>]*>$", content, re.MULTILINE)
            before = "\n".join(["#include <tokenworks/config.hpp>", *includes, WITH_BODIES, ""])
        flags = [*flags_of(header), "-x", "c++", "-"]
        done = tools.run(flags, f"{before}#include <{header}>\n#include <{header}>\nint main() {{}}\n")
        if done.returncode != 0 and before:
            flags.remove("-DTOKENWORKS_SEPARATE")
            done = tools.run(flags, f"#include <{header}>\n")
        return header, done

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
