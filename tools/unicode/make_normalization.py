#!/usr/bin/env python3
"""Writes include/tokenworks/codec/normalization_table.hpp: decompositions, combining classes, lower case, and where the
classes that Hugging Face's `tokenizers` asks of differ from those of codec/unicode.hpp.

Everything is asked of the library itself, code point by code point, because its tables are of several versions of Unicode.
Combining classes are Python's, each tried on the library: a mark with a class moves where the class says so.

    python3 tools/unicode/make_normalization.py [OUT.hpp]      # needs: pip install tokenizers sentencepiece
"""
import io
import pathlib
import re
import sys
import tempfile
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-"
KNOWN = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]
HANGUL = range(0xAC00, 0xAC00 + 11172)
NFC, NFD, NFKC, NFKD = (kind().normalize_str for kind in (normalizers.NFC, normalizers.NFD, normalizers.NFKC, normalizers.NFKD))


def number(value):
    """Five bits a character, the lowest first; 32 is added where more follow."""
    out = ""
    while value >= 32:
        out += DIGITS[32 + value % 32]
        value //= 32
    return out + DIGITS[value]


def zigzag(value):
    return number(value * 2 if value >= 0 else -value * 2 - 1)


def category_test(pattern):
    """The code points that match a class of codec/unicode.hpp, which is of Oniguruma."""
    keep = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    out = set()
    for start in range(0, len(KNOWN), 4096):
        for piece, _ in keep.pre_tokenize_str("".join(map(chr, KNOWN[start:start + 4096]))):
            out.update(map(ord, piece))
    return out


def ranges(values):
    """Sorted code points as a stream: distance from the last range, length - 1."""
    out, at, values = "", 0, sorted(values)
    count = 0
    while values:
        end = 1
        while end < len(values) and values[end] == values[0] + end:
            end += 1
        out += number(values[0] - at) + number(end - 1)
        at = values[0] + end
        values = values[end:]
        count += 1
    return out, count


def decompositions():
    out, last, count = "", 0, 0
    for cp in KNOWN:
        char = chr(cp)
        if cp in HANGUL:
            continue
        full, compatible = NFD(char), NFKD(char)
        if full != char:
            excluded = NFC(char) != char
            out += number(cp - last) + number(len(full) * 4 + 2 * excluded) + "".join(number(ord(c)) for c in full)
            last, count = cp, count + 1
        if compatible != full:
            out += number(cp - last) + number(len(compatible) * 4 + 1) + "".join(number(ord(c)) for c in compatible)
            last, count = cp, count + 1
    return out, count


def combining_classes():
    out, last, count = "", 0, 0
    pairs = []
    for cp in KNOWN:
        kind = unicodedata.combining(chr(cp))
        # after U+0345, of class 240, everything of a lower class but 0 moves before it; U+0334, of class 1, moves before others
        moves = cp != 0x345 and NFD("\u0345" + chr(cp)) == NFD(chr(cp)) + "\u0345"
        before = NFD(chr(cp) + "\u0334") == "\u0334" + NFD(chr(cp)) and cp != 0x334
        if not moves and not before and kind not in (1, 240):
            kind = 0
        if NFD(chr(cp)) != chr(cp):
            continue
        assert kind or not (moves or before), hex(cp)
        assert not kind or moves == (kind < 240) or cp == 0x345, hex(cp)
        if kind:
            pairs.append((cp, kind))
    while pairs:
        end = 1
        while end < len(pairs) and pairs[end] == (pairs[0][0] + end, pairs[0][1]):
            end += 1
        out += number(pairs[0][0] - last) + number(end - 1) + number(pairs[0][1])
        last = pairs[0][0] + end
        count += 1
        pairs = pairs[end:]
    return out, count


def lowercase():
    lower = normalizers.Lowercase().normalize_str
    out, last, count = "", 0, 0
    for cp in KNOWN:
        text = lower(chr(cp))
        if len(text) == 1 and text != chr(cp):
            out += number(cp - last) + zigzag(ord(text) - cp)
            last, count = cp, count + 1
        else:
            assert text == chr(cp) or cp == 0x130, hex(cp)  # the one of two characters stands in the code
    return out, count


def foldings():
    """Where simple case folding is not lower case; of a folding to more than one character only those that lower case has."""
    lower = normalizers.Lowercase().normalize_str
    out, last, count = "", 0, 0
    for cp in KNOWN:
        fold = chr(cp).casefold()
        if len(fold) == 1 and fold != lower(chr(cp)):
            out += number(cp - last) + zigzag(ord(fold) - cp)
            last, count = cp, count + 1
    return out, count


def word_characters():
    """\\w of Rust's regex crate, as the Whitespace pre-tokenizer shows it."""
    split = pre_tokenizers.Whitespace().pre_tokenize_str
    return {cp for cp in KNOWN if [piece for piece, _ in split("a" + chr(cp))] == ["a" + chr(cp)]}


def joined_in_clusters():
    """What continues a grapheme cluster behind any character, as the Precompiled normalizer shows it."""
    import sentencepiece
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write("61\t58\n")
        rules.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["b c d e f g b c d"]), model_writer=model, model_type="unigram", vocab_size=12,
            normalization_rule_tsv=rules.name, hard_vocab_limit=False, minloglevel=2)
    normal = normalizers.Precompiled(charsmap_of(model.getvalue()))
    assert normal.normalize_str("abc") == "Xbc"
    return {cp for cp in KNOWN if normal.normalize_str("a" + chr(cp)) == "X"}


def charsmap_of(model):
    """precompiled_charsmap (field 2) of normalizer_spec (field 3) of a SentencePiece model."""
    def fields(data):
        at = 0
        while at < len(data):
            def varint():
                nonlocal at
                value = shift = 0
                while True:
                    byte = data[at]
                    at += 1
                    value |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        return value
            key = varint()
            if key & 7 == 2:
                size = varint()
                yield key >> 3, data[at:at + size]
                at += size
            elif key & 7 == 5:
                at += 4
            elif key & 7 == 0:
                varint()
            else:
                raise ValueError(key)
    spec = next(value for number, value in fields(model) if number == 3)
    return next(value for number, value in fields(spec) if number == 2)


def bert(**options):
    names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    return normalizers.BertNormalizer(**{name: options.get(name, False) for name in names}).normalize_str


def lines(text, width=110):
    return "\n".join(f'    "{text[i:i + width]}"' for i in range(0, max(1, len(text)), width))


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                       pathlib.Path(__file__).parents[2] / "include/tokenworks/codec/normalization_table.hpp")
    tables = []

    def table(name, comment, stream):
        tables.append((name, comment, *stream))

    table("decompositions", "code point, 4 * length + 2 where nothing composes to it + 1 for a compatibility one, characters",
          decompositions())
    table("combining_classes", "first code point, further ones, class", combining_classes())
    table("lowercase", "code point, distance of its lower case", lowercase())
    table("foldings", "code point, distance of its simple case folding where that is not the lower case", foldings())
    marks, nonspacing = category_test(r"\p{M}"), category_test(r"\p{Mn}")
    punctuation, other = category_test(r"\p{P}") | set(map(ord, "$+<=>^`|~")), category_test(r"[\p{Cc}\p{Cf}\p{Co}]")
    strip, mn, clean = normalizers.StripAccents().normalize_str, bert(strip_accents=True), bert(clean_text=True)
    punct = pre_tokenizers.Punctuation().pre_tokenize_str
    ranges_of = "distance from the end of the last range, further code points"
    table("accent_changes", f"StripAccents beside \\p{{M}}: {ranges_of}",
          ranges({cp for cp in KNOWN if strip(chr(cp)) == ""} ^ marks))
    table("nonspacing_changes", "BertNormalizer's accents beside \\p{Mn}",
          ranges({cp for cp in KNOWN if mn(chr(cp)) == ""} ^ nonspacing))
    table("control_changes", "BertNormalizer's control characters beside \\p{Cc}, \\p{Cf} and \\p{Co}",
          ranges({cp for cp in KNOWN if clean(chr(cp)) == ""} ^ (other | {0xFFFD})))
    table("punctuation_changes", "Punctuation and BertPreTokenizer beside \\p{P} and the symbols of ASCII",
          ranges({cp for cp in KNOWN if len(punct("a" + chr(cp))) == 2} ^ punctuation))
    table("word_changes", "\\w of Whitespace and of added tokens beside [\\p{L}\\p{M}\\p{Nd}\\p{Pc}]",
          ranges(word_characters() ^ category_test(r"[\p{L}\p{M}\p{Nd}\p{Pc}]")))
    digits = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str
    table("numeric_changes", "Digits beside \\p{N}",
          ranges({cp for cp in KNOWN if len(digits("a" + chr(cp))) == 2} ^ category_test(r"\p{N}")))
    table("cluster_changes", "what continues a grapheme cluster beside \\p{M}", ranges(joined_in_clusters() ^ marks))
    for name, pattern, beside in (
            ("alphabetic_changes", r"\p{Alpha}", r"[\p{L}\p{Nl}]"), ("uppercase_changes", r"\p{Upper}", r"\p{Lu}"),
            ("lowercase_changes", r"\p{Lower}", r"\p{Ll}"), ("regex_word_changes", r"[[:word:]]", r"[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]")):
        table(name, f"{pattern} beside {beside}", ranges(category_test(pattern) ^ category_test(beside)))
    for script in "Han Hiragana Katakana Hangul Latin Greek Cyrillic Arabic Hebrew Thai Devanagari".split():
        table(f"script_{script.lower()}", f"\\p{{{script}}}", ranges(category_test(r"\p{%s}" % script)))
    whitespace = {cp for cp in KNOWN if pre_tokenizers.WhitespaceSplit().pre_tokenize_str(chr(cp)) == []}
    assert whitespace == category_test(r"\s"), whitespace ^ category_test(r"\s")
    body = f"""// Decompositions, combining classes, lower case, and classes of characters that differ from the general categories: data
// for codec/normalization.hpp, nothing to use directly.
//
// Made by tools/unicode/make_normalization.py from Hugging Face's tokenizers {tokenizers.__version__}. Each table is a
// stream of numbers, five bits a character ('0' to '9', 'A' to 'Z', 'a' to 'z', '+', '-'), the lowest first; 32 is added to
// a digit where more follow. Code points are distances from the one before. Signed numbers are 2n, or -2n - 1 below zero.
#pragma once

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {{

// clang-format off
""" + "\n\n".join(f"/// {comment}: {count} entries.\ninline constexpr char {name}[] =\n{lines(text)};"
                  for name, comment, text, count in tables) + """
// clang-format on

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
"""
    out.write_text(body)
    print(f"{out}: {len(body)} bytes; " + ", ".join(f"{name} {count}" for name, _, _, count in tables))


main()
