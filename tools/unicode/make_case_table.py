#!/usr/bin/env python3
"""Writes include/tokenworks/codec/unicode_case_table.hpp: what str.lower(), str.upper() and str.title() of Python make of
one character. Chat templates are written for Python, so Python is the reference.

    python3 tools/unicode/make_case_table.py [OUT.hpp]      # Python 3.11 made the committed file
"""
import pathlib
import sys
import unicodedata

CHARACTERS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(change):
    """Runs of characters a stride apart that all move by the same distance: (first, count, stride, distance)."""
    runs = []
    for code in CHARACTERS:
        changed = change(chr(code))
        if len(changed) != 1 or changed == chr(code):
            continue
        distance = ord(changed) - code
        if runs and runs[-1][3] == distance:
            first, count, stride, _ = runs[-1]
            gap = code - (first + (count - 1) * stride)
            if count == 1 and gap <= 2 or count > 1 and gap == stride:
                runs[-1] = (first, count + 1, gap, distance)
                continue
        runs.append((code, 1, 1, distance))
    return runs


def several(change):
    """Characters that become more than one: (code, three codes or zeros)."""
    found = [(code, [ord(c) for c in change(chr(code))]) for code in CHARACTERS if len(change(chr(code))) > 1]
    assert all(len(codes) <= 3 for _, codes in found)
    return [(code, "{" + ", ".join(map(str, codes + [0] * (3 - len(codes)))) + "}") for code, codes in found]


def rows(table):
    out, line = [], "   "
    for row in table:
        item = " {" + ", ".join(map(str, row)) + "},"
        if len(line) + len(item) > 118:
            out.append(line)
            line = "   "
        line += item
    return "\n".join([*out, line])


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                       pathlib.Path(__file__).parents[2] / "include/tokenworks/codec/unicode_case_table.hpp")
    parts = []
    for name, change in (("lower", str.lower), ("upper", str.upper), ("title", str.title)):
        parts.append(f"inline constexpr case_run {name}_runs[] = {{\n{rows(ranges(change))}\n}};")
        parts.append(f"inline constexpr case_several {name}_several[] = {{\n{rows(several(change))}\n}};")
    out.write_text(f"""// Upper, lower and title case: data for codec/unicode_case.hpp, nothing to use directly.
//
// Made by tools/unicode/make_case_table.py from Python {sys.version.split()[0]}: Unicode {unicodedata.unidata_version}.
#pragma once

#include <cstdint>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {{

/// `count` characters from `first` on, `stride` apart, each moves by `distance`.
struct case_run {{
    std::uint32_t first;
    std::uint16_t count;
    std::uint16_t stride;
    std::int32_t distance;
}};

/// A character that becomes two or three.
struct case_several {{
    std::uint32_t code;
    char32_t made[3];
}};

// clang-format off
{chr(10).join(parts)}
// clang-format on

}} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
""")


main()
