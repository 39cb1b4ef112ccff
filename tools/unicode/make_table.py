#!/usr/bin/env python3
"""Writes include/tokenworks/codec/unicode_table.hpp: the general category of every code point.

Categories are asked of the regular expressions in Hugging Face's `tokenizers` (Oniguruma), because those decide how the
reference tokenizers split text. They are then compared with Python's own unicodedata: a code point that both know must
have the same category, apart from the few that Unicode has moved since.

    python3 tools/unicode/make_table.py [OUT.hpp]      # needs: pip install tokenizers (0.23.3 made the committed file)
"""
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, pre_tokenizers

# Order of enum class general_category in codec/unicode.hpp. Cs and Co are ranges, tested in code, not in the table.
NAMES = ("Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf").split()
PAGE = 128
BASE = 28  # '@' to '[': no character of these needs escaping in a string literal
UNICODE = {141028: "16.0.0"}  # number of letters -> version of the Unicode standard


def categories():
    """One index into NAMES for each code point."""
    known = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]
    table = [0] * 0x110000
    for index, name in enumerate(NAMES):
        if name == "Cn":
            continue
        keep = pre_tokenizers.Split(Regex(r"\p{%s}" % name), "removed", invert=True)
        for start in range(0, len(known), 4096):
            text = "".join(map(chr, known[start:start + 4096]))
            for piece, _ in keep.pre_tokenize_str(text):
                for char in piece:
                    assert table[ord(char)] == 0, hex(ord(char))
                    table[ord(char)] = index
    return table


def check(table):
    moved = []
    for cp, index in enumerate(table):
        mine, theirs = NAMES[index], unicodedata.category(chr(cp))
        if theirs not in ("Cn", "Cs", "Co") and mine != theirs:
            moved.append(f"U+{cp:04X} {theirs}->{mine}")
    assert len(moved) < 20, moved
    return moved


def lines(text, width=110):
    return "\n".join(f'    "{text[i:i + width]}"' for i in range(0, len(text), width))


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                       pathlib.Path(__file__).parents[2] / "include/tokenworks/codec/unicode_table.hpp")
    table = categories()
    moved = check(table)
    letters = sum(1 for index in table if NAMES[index][0] == "L")
    version = UNICODE.get(letters, f"unknown ({letters} letters)")
    pages, order, index = {}, [], []
    limit = max(cp for cp in range(0xE0000) if table[cp]) + 1
    limit = -(-limit // PAGE) * PAGE
    for start in list(range(0, limit, PAGE)) + list(range(0xE0000, 0xE0200, PAGE)):
        page = "".join(chr(64 + category) for category in table[start:start + PAGE])
        if page not in pages:
            pages[page] = len(order)
            order.append(page)
        index.append(pages[page])
    for cp in range(limit, 0x110000):
        assert table[cp] == 0 or 0xE0000 <= cp < 0xE0200, hex(cp)
    assert len(order) <= BASE * BASE
    codes = "".join(chr(64 + i // BASE) + chr(64 + i % BASE) for i in index)
    body = f"""// The general category of every code point: data for codec/unicode.hpp, nothing to use directly.
//
// Made by tools/unicode/make_table.py from the character classes of Hugging Face's tokenizers {tokenizers.__version__}:
// Unicode {version}. Two levels: unicode_index has two characters for each page of {PAGE} code points, the page's number
// in base {BASE} above '@'; unicode_pages has one character for each code point of a page, its category above '@'.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {{

inline constexpr std::uint32_t unicode_page_size = {PAGE};
inline constexpr std::uint32_t unicode_base = {BASE};
/// Code points from here on are unassigned, but for the pages at 0xE0000, which follow in the index.
inline constexpr std::uint32_t unicode_limit = 0x{limit:X};
inline constexpr std::uint32_t unicode_tags_begin = 0xE0000;
inline constexpr std::uint32_t unicode_tags_end = 0xE0200;
inline constexpr std::size_t unicode_page_count = {len(order)};

// clang-format off
inline constexpr char unicode_index[] =
{lines(codes)};

inline constexpr char unicode_pages[] =
{lines("".join(order))};
// clang-format on

}} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
"""
    out.write_text(body)
    print(f"{out}: {len(body)} bytes, {len(order)} pages, Unicode {version}; changed since {unicodedata.unidata_version}: "
          f"{', '.join(moved) or 'none'}")


main()
