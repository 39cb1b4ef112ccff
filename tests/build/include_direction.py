"""Holds the rules on includes: which layer may include which, what comes from outside, no cycles, no stray macros.

Called with the include folder it checks the tree; with --self-test it checks itself on small made-up trees.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

# "A: B" reads "A may include B" and, with it, all that B may include.
MAY_INCLUDE = {
    "core": [],
    "quant": ["core"],
    "kernels": ["quant"],
    "nn": ["kernels"],
    "sampling": ["kernels"],
    "io": ["quant"],
    "codec": ["core"],
    "models": ["nn", "io", "codec"],
    "runtime": ["models", "sampling"],
    "serve": ["runtime"],
}
BASE = {"config.hpp", "version.hpp"}  # every layer may include them; they include nothing but each other

# Folders of other libraries, and where they may be included. The rest must be the standard library or the system's.
OUTSIDE = {
    "Eigen": re.compile(r"core/eigen\.hpp|kernels/.*"),
    "xsimd": re.compile(r"core/simd\.hpp|kernels/.*"),
    "nlohmann": re.compile(r"io/.*|codec/.*|models/.*|runtime/.*|serve/.*"),
    "png.h": re.compile(r"io/png\.hpp"),
}
# What a header that includes them must name in its first comment.
ANNOUNCED = {"nlohmann": "nlohmann-json", "png.h": "libpng"}
SYSTEM = re.compile(
    r"[a-z_]+"  # the standard library: no dot, no slash
    r"|(immintrin|cpuid|arm_neon|fcntl|unistd|pthread|sched|errno|signal|poll|netdb)\.h"
    r"|(sys|netinet|arpa|asm|linux)/[a-z_]+\.h"
)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
UNDEF = re.compile(r"^[ \t]*#[ \t]*undef[ \t]+(\w+)", re.MULTILINE)


def reachable(layer):
    """The layer itself and all layers below it."""
    seen, waiting = set(), [layer]
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += MAY_INCLUDE[here]
    return seen


def layer_of(name):
    """The layer of a header, by its path under include/tokenworks; None for a header at the root."""
    parts = Path(name).parts
    if len(parts) > 1:
        return parts[0]
    stem = Path(name).stem
    return stem if stem in MAY_INCLUDE else None  # <layer>.hpp gathers the headers of that layer


def check(root):
    """All breaches of the rules in the headers under root/tokenworks, as sentences."""
    top = Path(root) / "tokenworks"
    files = {path.relative_to(top).as_posix(): path.read_text(encoding="utf-8") for path in sorted(top.rglob("*.hpp"))}
    problems = []
    graph = {}
    for name, text in files.items():
        layer = layer_of(name)
        if len(Path(name).parts) > 1 and layer not in MAY_INCLUDE:
            problems.append(f"{name}: {layer} is no layer")
            continue
        graph[name] = []
        for kind, target in INCLUDE.findall(text):
            if not target.startswith("tokenworks/"):
                problems += check_outside(name, text, kind, target)
                continue
            target = target.removeprefix("tokenworks/")
            if kind != "<":
                problems.append(f"{name}: include <tokenworks/{target}> with angle brackets")
            if target not in files:
                problems.append(f"{name}: includes tokenworks/{target}, which does not exist")
                continue
            graph[name].append(target)
            below = layer_of(target)
            if target in BASE:
                continue
            if name in BASE:
                problems.append(f"{name}: includes {target}; it may include {sorted(BASE)} only")
            elif layer is not None and (below is None or below not in reachable(layer)):
                problems.append(f"{name}: layer {layer} may not include {target} (layer {below or 'root'})")
            elif layer is not None and "/" in name and "/" not in target:
                problems.append(f"{name}: includes the gathering header {target}; name the headers that are needed")
        if name not in BASE:
            for macro in sorted(set(DEFINE.findall(text)) - set(UNDEF.findall(text))):
                problems.append(f"{name}: leaves the macro {macro} defined; macros live in config.hpp")
    return problems + cycles(graph)


def check_outside(name, text, kind, target):
    """Breaches by one include of something that is not ours."""
    folder = target.split("/")[0]
    if folder in OUTSIDE:
        if not OUTSIDE[folder].fullmatch(name):
            return [f"{name}: may not include {target}"]
        if folder in ANNOUNCED and ANNOUNCED[folder] not in first_comment(text):
            return [f"{name}: needs {ANNOUNCED[folder]} and does not say so in its first comment"]
        return []
    if kind == "<" and SYSTEM.fullmatch(target):
        return []
    return [f"{name}: includes {target}, which is neither ours, nor a dependency, nor the system's"]


def first_comment(text):
    """The lines before the first that is no comment."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line)
    return "\n".join(lines)


def cycles(graph):
    """Include cycles: #pragma once hides them, and what is declared then depends on who came first."""
    state, problems = {}, []

    def visit(name, path):
        state[name] = "open"
        for target in graph.get(name, []):
            if state.get(target) == "open":
                problems.append("include cycle: " + " -> ".join([*path[path.index(target) :], target]))
            elif target not in state:
                visit(target, [*path, target])
        state[name] = "done"

    for name in graph:
        if name not in state:
            visit(name, [name])
    return problems


def self_test():
    """Each rule, broken once in a tree of its own; and a tree that keeps them all."""
    good = {
        "config.hpp": "#include <tokenworks/version.hpp>\n#define TOKENWORKS_X 1\n",
        "version.hpp": "",
        "core/error.hpp": "#include <string>\n#include <tokenworks/config.hpp>\n",
        "core/eigen.hpp": "#include <Eigen/Core>\n",
        "kernels/dot.hpp": "#include <tokenworks/core/error.hpp>\n#define TMP 1\n#undef TMP\n",
        "io/safetensors.hpp": "// Needs nlohmann-json.\n#include <nlohmann/json.hpp>\n#include <sys/mman.h>\n",
        "io/png.hpp": "// Needs libpng.\n#include <png.h>\n",
        "models/llama.hpp": "#include <tokenworks/io/safetensors.hpp>\n#include <tokenworks/kernels/dot.hpp>\n",
        "core.hpp": "#include <tokenworks/core/error.hpp>\n",
        "tokenworks.hpp": "#include <tokenworks/core.hpp>\n#include <tokenworks/models/llama.hpp>\n",
    }
    bad = {
        "core may not include kernels": {"core/a.hpp": "#include <tokenworks/kernels/dot.hpp>\n"},
        "codec may not include io": {"codec/a.hpp": "#include <tokenworks/io/safetensors.hpp>\n"},
        "sampling may not include io": {"sampling/a.hpp": "  #  include <tokenworks/io/safetensors.hpp>\n"},
        "the umbrella is for users": {"models/a.hpp": "#include <tokenworks/tokenworks.hpp>\n"},
        "gathering headers are for users": {"models/a.hpp": "#include <tokenworks/core.hpp>\n"},
        "Eigen stays in its places": {"nn/a.hpp": "#include <Eigen/Core>\n"},
        "xsimd stays in its places": {"core/a.hpp": "#include <xsimd/xsimd.hpp>\n"},
        "json is announced": {"io/a.hpp": "// Reads.\n#include <nlohmann/json.hpp>\n"},
        "libpng stays in its place": {"models/a.hpp": "// Needs libpng.\n#include <png.h>\n"},
        "libpng is announced": {"io/png.hpp": "// Reads.\n#include <png.h>\n"},
        "no other library": {"io/a.hpp": "#include <boost/any.hpp>\n"},
        "no quotes": {"core/a.hpp": '#include "error.hpp"\n'},
        "missing header": {"core/a.hpp": "#include <tokenworks/core/gone.hpp>\n"},
        "unknown layer": {"extra/a.hpp": "\n"},
        "cycle": {
            "core/a.hpp": "#include <tokenworks/core/b.hpp>\n",
            "core/b.hpp": "#include <tokenworks/core/a.hpp>\n",
        },
        "macro": {"core/a.hpp": "#define A 1\n"},
        "base includes a layer": {"version.hpp": "#include <tokenworks/core/error.hpp>\n"},
    }
    failed = 0
    for title, change in {"good": {}, **bad}.items():
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**good, **change}.items():
                path = Path(folder) / "tokenworks" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            found = check(folder)
        if bool(found) != (title != "good"):
            failed += 1
            print(f"self-test: {title}: found {found}")
    print(f"self-test: {len(bad) + 1} trees, {failed} wrong")
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("include", nargs="?")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return 1 if self_test() else 0
    problems = check(options.include)
    print("\n".join(problems) if problems else "all includes point the right way")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
