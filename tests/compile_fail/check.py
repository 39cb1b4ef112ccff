"""Compiles one source that must work as it stands and must fail, with the right message, where an error is asked for."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "build"))
from toolchain import parse_source  # noqa: E402


def main():
    tools, source = parse_source()
    expected = re.findall(r"^\s*// error: (.+?)\s*$", source.read_text(encoding="utf-8"), re.MULTILINE)
    if not expected:
        print(f"{source}: holds no line `// error: <regular expression>`")
        return 1

    plain = tools.run(["-fsyntax-only", str(source)])
    if plain.returncode != 0:
        print(f"does not compile without TOKENWORKS_EXPECT_ERROR:\n{plain.stderr}")
        return 1
    failed = 0
    for number, pattern in enumerate(expected, 1):
        done = tools.run(["-fsyntax-only", f"-DTOKENWORKS_EXPECT_ERROR={number}", str(source)])
        if done.returncode == 0:
            failed += 1
            print(f"error {number}: compiles, and should not")
        elif not re.search(pattern, done.stderr):
            failed += 1
            print(f"error {number}: no message matches {pattern!r}:\n{done.stderr}")
    print(f"{len(expected)} errors asked for, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
