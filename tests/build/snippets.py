"""Compiles and runs the code in a Markdown page, so that what people copy works.

A fenced block is checked by its language; an HTML comment on the line above it may say how:
    ```cpp    a program (it has a main) is compiled and linked; anything else is put into a function and compiled
    ```cmake  the end of a CMakeLists.txt that has a program `app`, with a checkout in tokenworks/; configured
    ```sh     run by `bash -e` in a folder that looks like a checkout with a finished build in build/
    <!-- snippet: run -->             a program is run too
    <!-- snippet: same-as FILE -->    the block is the whole of FILE, leading comments and blank lines aside
    <!-- snippet: part-of FILE -->    the lines of the block stand in FILE, one after the other, however indented
    <!-- snippet: skip: REASON -->    not checked
Other languages are checked only where a comment asks for it. A command that needs a real model which is not on this
machine is skipped, and says so.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import real_models
from toolchain import Toolchain

FENCE = re.compile(
    r"^(?:<!-- snippet: (?P<how>.*?) -->\n\n?)?^```(?P<language>[a-z+]+)[^\n]*\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL
)


class Page:
    """One page and what its snippets may use."""

    def __init__(self, text, tools, source, build):
        self.text, self.tools, self.source, self.build = text, tools, Path(source), Path(build)

    def check(self):
        """Checks every snippet; returns the counts of those that worked, failed and were skipped."""
        counts = {"ok": 0, "failed": 0, "skipped": 0}
        for found in FENCE.finditer(self.text):
            line = self.text.count("\n", 0, found.start("code")) + 1
            how = found["how"] or ""
            try:
                result, detail = self.check_one(how, found["language"], found["code"])
            except subprocess.TimeoutExpired as error:
                result, detail = "failed", str(error)
            if result is not None:
                counts[result] += 1
                print(f"line {line} ({found['language']}{', ' + how if how else ''}): {result}" + (f"\n{detail}" if detail else ""))
        return counts

    def check_one(self, how, language, code):
        word, _, rest = how.partition(" ")
        if word == "skip:" and rest:
            return "skipped", ""
        if word in ("same-as", "part-of"):
            return self.compare(word, self.source / rest, code)
        if language == "cpp" and how in ("", "run"):
            return self.compile(code, how == "run")
        if language == "sh" and how in ("", "run"):
            return self.shell(code)
        if language == "cmake" and how == "":
            return self.configure(code)
        if how == "":
            return None, ""
        return "failed", f"snippet comment not understood: {how}"

    @staticmethod
    def compare(word, path, code):
        if not path.is_file():
            return "failed", f"{path} does not exist"
        text = path.read_text(encoding="utf-8")
        if word == "same-as":
            body = re.sub(r"\A(?:(?://[^\n]*)?\n)*", "", text)
            return ("ok", "") if body.strip() == code.strip() else ("failed", f"differs from {path.name}")
        strip = lambda lines: "\n" + "\n".join(line.strip() for line in lines.strip().splitlines()) + "\n"
        return ("ok", "") if strip(code) in strip(text) else ("failed", f"not found in {path.name}")

    def compile(self, code, run):
        if "main(" not in code:
            hoisted = "".join(re.findall(r"^#.*\n", code, re.MULTILINE))
            rest = re.sub(r"^#.*\n", "", code, flags=re.MULTILINE)
            code = (
                "#include <iostream>\n#include <string_view>\n#include <vector>\n#include <tokenworks/tokenworks.hpp>\n"
                f"{hoisted}void snippet() {{\n{rest}\n}}\nint main() {{}}\n"
            )
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "snippet")
            # Where the build has the library's large functions as an archive, a snippet need not compile them again.
            archive = self.build / "libtokenworks_compiled.a"
            separate = archive.is_file() and "tokenworks/separate.hpp" not in code
            flags = ["-DTOKENWORKS_SEPARATE"] if separate else []
            end = ["-x", "none", str(archive)] if separate else []
            done = self.tools.run(["-O0", *flags, "-x", "c++", "-", *end, "-o", program, "-pthread"], code)
            if done.returncode != 0:
                return "failed", done.stderr
            if run:
                ran = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
                if ran.returncode != 0:
                    return "failed", f"exit code {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return "ok", ""

    def configure(self, code):
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder)
            (here / "tokenworks").symlink_to(self.source.absolute())
            (here / "main.cpp").write_text("int main() {}\n", encoding="utf-8")
            start = "cmake_minimum_required(VERSION 3.24)\nproject(app LANGUAGES CXX)\nadd_executable(app main.cpp)\n"
            (here / "CMakeLists.txt").write_text(start + code, encoding="utf-8")
            commands = [["cmake", "-S", folder, "-B", f"{folder}/build", f"-DCMAKE_PREFIX_PATH={folder}/prefix"]]
            if "find_package" in code:
                commands.insert(0, ["cmake", "--install", str(self.build), "--prefix", f"{folder}/prefix"])
            for command in commands:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
                if done.returncode != 0:
                    return "failed", done.stdout + done.stderr
        return "ok", ""

    def shell(self, code):
        models = real_models.folder(self.source / "models")
        for name in re.findall(r"models/downloaded/(\S+)", code):
            if not (models / name).exists():
                return "skipped", f"{name} is not on this machine; {real_models.HOW_TO_GET}"
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder)
            for entry in self.source.iterdir():
                if not entry.name.startswith((".git", "build")) and entry.name != "models":
                    (here / entry.name).symlink_to(entry)
            (here / "build").symlink_to(self.build)
            (here / "models").mkdir()
            if (self.source / "models").is_dir():
                for entry in (self.source / "models").iterdir():
                    if entry.name != "downloaded":
                        (here / "models" / entry.name).symlink_to(entry)
            if models.is_dir():
                (here / "models" / "downloaded").symlink_to(models.absolute())
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", code],
                cwd=here, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=600,
            )
        if done.returncode != 0:
            return "failed", f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return "ok", ""


SELF_TEST = """
```cpp
int main() { return 1; }
```
<!-- snippet: run -->
```cpp
int main() { return 1; }
```
```cpp
int main() { return missing; }
```
```sh
test -e build && test -e tools/get-model && test ! -e .git
```
```sh
false
```
```sh
cat models/downloaded/no-such-model.gguf
```
<!-- snippet: skip: it is only here to be skipped -->
```sh
false
```
<!-- snippet: part-of .gitignore -->
```text
__pycache__/
*.pyc
```
<!-- snippet: part-of .gitignore -->
```text
no such line
```
```cmake
find_package(no_such_package REQUIRED)
```
<!-- snippet: perhaps -->
```text
```
```text
nothing to check
```
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flags", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("page", type=Path, nargs="?")
    options = parser.parse_args()
    tools = Toolchain(options.flags)
    if options.self_test:
        counts = Page(SELF_TEST, tools, options.source, options.build).check()
        print(counts)
        return 0 if counts == {"ok": 3, "failed": 6, "skipped": 2} else 1
    counts = Page(options.page.read_text(encoding="utf-8"), tools, options.source, options.build).check()
    print(f"{options.page.name}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
