"""What the umbrella header costs: how long a small program takes to compile at -O2 (aim: 10 s), and its size.

The test fails above 80 s, since a busy machine takes twice as long as a quiet one, and above 3 MB. With
TOKENWORKS_SEPARATE, where the large functions come from a library, the program must compile in less than half of the time.

The time is processor time, so that other work on the machine does not count, and the best of up to three tries.
"""

import os
import resource
import sys
import tempfile

from toolchain import parse_source

AIM = 10.0
SECONDS = 100.0
SEPARATE = 0.5  # of the time of the header-only program
BYTES = 3_000_000


def seconds_of(tools, arguments):
    """Processor time of one compilation; nothing where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = tools.run(arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        print(done.stderr)
        return None
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    tools, source = parse_source()
    best = separate = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "program")
        for _ in range(3):
            whole = seconds_of(tools, ["-O2", str(source), "-o", program, "-pthread"])
            part = seconds_of(tools, ["-O2", "-DTOKENWORKS_SEPARATE", "-c", str(source), "-o", f"{program}.o"])
            if whole is None or part is None:
                return 1
            best, separate = min(best, whole), min(separate, part)
            if best < SECONDS and separate < SEPARATE * best:
                break
        size = os.path.getsize(program)
    print(f"{source.name}: compiled in {best:.1f} s (aim {AIM:.0f}, limit {SECONDS:.0f}), {size / 1e6:.2f} MB (limit {BYTES / 1e6:.0f})")
    print(f"with TOKENWORKS_SEPARATE: in {separate:.1f} s (limit {SEPARATE * best:.1f})")
    return 0 if best < SECONDS and size < BYTES and separate < SEPARATE * best else 1


if __name__ == "__main__":
    sys.exit(main())
