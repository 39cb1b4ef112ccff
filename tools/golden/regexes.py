#!/usr/bin/env python3
"""Makes tests/golden/codec/regexes.txt: regular expressions, and which of a set of texts Python's re takes for each.

    python tools/golden/regexes.py

Expressions are drawn at random from what codec/regex_automaton.hpp and Python mean the same by. The texts are all of up to
three characters of an alphabet, the empty one first, then by length and the alphabet's order. A line has the bits of
re.fullmatch, those of re.search, in hexadecimal, the first text's the lowest of the first digit, and the expression. Needs
the standard library.
"""
import itertools
import pathlib
import platform
import random
import re

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "codec" / "regexes.txt"
ALPHABET = ["a", "b", "B", "1", " ", "\u00e9"]
COUNT = 240


def draw(dice, depth):
    """An expression of some depth."""
    kind = dice.randrange(10 if depth > 0 else 4)
    if kind < 2:
        return dice.choice(ALPHABET)
    if kind == 2:
        return dice.choice([".", r"\d", r"\w", r"\s", r"\x61", r"\ "])
    if kind == 3:
        inside = "".join(dice.choice(["a", "b", "B", "1", "\u00e9", "a-b", "A-Z", "0-9", r"\d", r"\s", "\u00e0-\u00ff"])
                         for _ in range(dice.randint(1, 3)))
        # What is not in \\d or \\s is narrower here than in Python: such classes are not negated.
        return f"[{'^' if chr(92) not in inside and dice.random() < 0.4 else ''}{inside}]"
    if kind < 6:
        return "".join(draw(dice, depth - 1) for _ in range(dice.randint(2, 3)))
    if kind == 6:
        return f"(?:{draw(dice, depth - 1)}|{draw(dice, depth - 1)})"
    if kind == 7:
        return f"(?i:{draw(dice, depth - 1)})"
    if kind == 8:
        return dice.choice(["(^{}|{})", "({}$|{})", "({}|){}"]).format(draw(dice, depth - 1), draw(dice, depth - 1))
    inner = f"(?:{draw(dice, depth - 1)})"
    return inner + dice.choice(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??", "{2,3}?"])


def bits(hits):
    text = ""
    for at in range(0, len(hits), 4):
        text += format(sum(1 << i for i, hit in enumerate(hits[at:at + 4]) if hit), "x")
    return text


def main():
    dice = random.Random(7)
    texts = ["".join(each) for length in range(4) for each in itertools.product(ALPHABET, repeat=length)]
    rows = []
    while len(rows) < COUNT:
        pattern = draw(dice, 4)
        if len(pattern) > 60:
            continue
        compiled = re.compile(pattern, re.ASCII)
        whole = [compiled.fullmatch(text) is not None for text in texts]
        found = [compiled.search(text) is not None for text in texts]
        if not any(whole) or pattern in [row[2] for row in rows]:
            continue
        rows.append((bits(whole), bits(found), pattern))
    head = f"# tools/golden/regexes.py, Python {platform.python_version()}; texts of: {' '.join(map(repr, ALPHABET))}\n"
    OUT.write_text(head + "".join(f"{whole} {found} {pattern}\n" for whole, found, pattern in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
