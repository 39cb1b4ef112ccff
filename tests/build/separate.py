"""Whether TOKENWORKS_SEPARATE keeps the large functions out of a small program.

Three things are looked at, none of which depends on the speed of the machine:
  every header that leaves functions to separate.hpp is included by the part of it that defines them, else they would be
  defined nowhere;
  the object of the program defines few functions, and no kernel;
  linked with an object of separate.hpp the program is complete.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from toolchain import parse_source

FUNCTIONS = 150  # of the program's object; 47 with GCC 12, hundreds without TOKENWORKS_SEPARATE
KERNELS = ("call_avx", "call_neon", "call_portable", "code_product_", "row_dots_avx")


def functions(symbols):
    return [name for kind, name in symbols if kind in "tTwW"]


def symbols_of(path):
    """(kind, name) of every symbol that an object defines, constructors and destructors once each."""
    done = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=True)
    return [tuple(line.split(" ", 2)[1:]) for line in sorted(set(done.stdout.splitlines()))]


PART = {"core": 1, "quant": 1, "kernels": 1, "io": 2, "codec": 2}  # of separate.hpp, by folder; all else is in 3


def missing_from(tools, separate):
    """The headers with functions that are defined in one unit only, and that their part of separate.hpp does not reach."""
    root = Path(tools.own)
    cut = [path for path in sorted(root.rglob("*.hpp")) if "TOKENWORKS_FUNCTION" in path.read_text(encoding="utf-8")]
    problems = []
    for part in (1, 2, 3):
        done = tools.run([f"-DTOKENWORKS_SEPARATE_PART={part}", "-M", "-x", "c++", "-"], separate)
        if done.returncode != 0:
            return [done.stderr]
        reached = {os.path.realpath(word) for word in done.stdout.split()}
        problems += [f"{path.relative_to(root)} is not included by part {part} of tokenworks/separate.hpp" for path in cut
                     if PART.get(path.parent.name, 3) == part and os.path.realpath(path) not in reached]
    return problems


def main():
    tools, source = parse_source()
    separate = "#include <tokenworks/separate.hpp>\n"
    problems = missing_from(tools, separate)
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "program")
        compiled = tools.run(["-O2", "-DTOKENWORKS_SEPARATE", "-c", str(source), "-o", f"{program}.o"])
        # Without optimisation: this object is only there to be linked with. That the parts make a whole is seen wherever
        # tokenworks::compiled is linked.
        library = tools.run(["-O0", "-c", "-x", "c++", "-", "-o", f"{program}_separate.o"], separate)
        for done in (compiled, library):
            if done.returncode != 0:
                print(done.stderr)
                return 1
        found = functions(symbols_of(f"{program}.o"))
        kernels = [name for name in found if any(part in name for part in KERNELS)]
        if len(found) > FUNCTIONS:
            problems.append(f"{source.name} defines {len(found)} functions, at most {FUNCTIONS} were expected")
        problems += [f"{source.name} defines a kernel: {name}" for name in kernels]
        linked = tools.run([f"{program}.o", f"{program}_separate.o", "-o", program, "-pthread"])
        if linked.returncode != 0:
            problems.append(linked.stderr)
    print(f"{source.name}: {len(found)} functions (limit {FUNCTIONS}), {len(kernels)} kernels")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
