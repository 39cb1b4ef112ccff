#!/usr/bin/env python3
"""Golden data of the quant layer, from the reference implementations.

    quant.py vectors DIR    writes DIR/*.bin and DIR/VERSIONS (DIR is tests/golden/quant)
    quant.py tables         prints include/tokenworks/quant/iq_tables.hpp

Needs the Python packages numpy, gguf 0.19 and llama-cpp-python (its libggml-base is called through ctypes: it decodes
what gguf does not, and it is the reference for encoding).

A decode file DIR/decode_TYPE.bin holds n blocks, then for each the 64-bit hash of its decoded float32 values (see
value_hash; values would take ten times the space). An encode file DIR/encode_TYPE.bin holds n * block_size float32
values, then n blocks. Both start with n as uint32. All little-endian.
"""

import argparse
import ctypes
import pathlib
import sys
from importlib.metadata import version

import gguf
import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf import quants

DECODED = """Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ4_NL
IQ4_XS TQ1_0 TQ2_0 MXFP4 NVFP4 Q8_K""".split()
ENCODED = "Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K IQ4_NL".split()

# Where a format keeps its half-precision scales (byte offsets in a block).
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ1_S": [0], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0],
    "IQ3_XXS": [0], "IQ3_S": [0], "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64],
}
# Zeros, smallest and largest denormals, smallest and largest normals, one, infinities, NaNs.
SPECIAL_HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00, 0xBC00,
                  0x7C00, 0xFC00, 0x7C01, 0x7E00, 0xFFFF]
SPECIAL_FLOATS = [0x00000000, 0x80000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x3F800000,
                  0xBF800000, 0x7F800000, 0xFF800000, 0x7F800001, 0x7FC00000]


def reference_library():
    import llama_cpp

    folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
    name = {"darwin": "libggml-base.dylib", "win32": "ggml-base.dll"}.get(sys.platform, "libggml-base.so")
    library = ctypes.CDLL(str(folder / name))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_version.restype = ctypes.c_char_p
    return library


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def library_decode(library, kind, blocks):
    size, _ = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    out = np.empty((len(blocks), size), np.float32)
    function = getattr(library, "dequantize_row_" + kind.lower().replace("_k", "_K"))
    function(pointer(blocks), pointer(out), ctypes.c_int64(out.size))
    return out


def random_blocks(kind, rng):
    """Random bytes, with every special scale value in front."""
    _, width = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    blocks = rng.integers(0, 256, (256 if kind.startswith("IQ1") or kind == "MXFP4" else 96, width), dtype=np.uint8)
    rows = iter(range(len(blocks)))
    halves = HALVES.get(kind, [])

    def set_half(row, offset, bits):
        blocks[row, offset : offset + 2] = [bits & 255, bits >> 8]

    for offset in halves:
        for bits in SPECIAL_HALVES:
            row = next(rows)
            for other in halves:
                set_half(row, other, 0x34CD)  # about 0.3
            set_half(row, offset, bits)
    if len(halves) == 2:  # infinities that meet
        for first, second in ((0x7C00, 0x7C00), (0x7C00, 0xFC00), (0xFC00, 0x7C00), (0x8000, 0x8000), (0x8000, 0x0000)):
            row = next(rows)
            set_half(row, halves[0], first)
            set_half(row, halves[1], second)
    if kind == "MXFP4":
        blocks[:, 0] = np.arange(256)
    elif kind == "NVFP4":
        blocks[:64, :4] = np.arange(256, dtype=np.uint8).reshape(64, 4)
    elif kind == "IQ1_M":
        for bits in SPECIAL_HALVES:  # the scale is spread over the top nibbles of four 16-bit words
            row = next(rows)
            for word in range(4):
                at = 48 + 2 * word + 1
                blocks[row, at] = (blocks[row, at] & 0x0F) | ((bits >> (4 * word)) & 15) << 4
    elif kind == "Q8_K":
        for bits in SPECIAL_FLOATS:
            blocks[next(rows), :4] = np.frombuffer(np.uint32(bits).tobytes(), np.uint8)
    return blocks


def value_hash(values):
    """FNV-1a over the bit patterns as 32-bit words, a NaN counting as 0x7fc00000; one hash a row."""
    words = np.where(np.isnan(values), np.uint32(0x7FC00000), values.view(np.uint32)).astype(np.uint64)
    out = np.full(len(words), 0xCBF29CE484222325, np.uint64)
    for column in words.T:
        out = (out ^ column) * np.uint64(0x100000001B3)
    return out


def hard_values(size, rng):
    """Rows of one block each that an encoder may stumble over."""
    normal = rng.standard_normal
    rows = [normal(size) for _ in range(10)]
    rows += [normal(size) * 10.0**e for e in (-30, -12, -6, -4, 3)]
    rows += [rng.uniform(0, 1, size), rng.uniform(-1, 0, size), rng.uniform(5, 6, size), rng.uniform(-6, -5, size)]
    rows += [np.zeros(size), np.full(size, 0.7), np.full(size, -0.7), np.full(size, 1e-16)]
    rows += [rng.standard_cauchy(size), rng.laplace(size=size) ** 3, rng.integers(-8, 8, size).astype(float)]
    rows += [(rng.integers(-127, 128, size) + 0.5) * 0.25]  # ties
    one = np.zeros(size)
    one[size // 2] = -3.25
    half = normal(size)
    half[: size // 2] = 0
    rows += [one, half, np.sort(normal(size)), np.where(normal(size) > 0, 1.0, -1.0)]
    rows += [normal(size) * np.repeat(10.0 ** rng.uniform(-4, 1, size // 16), 16)]  # groups of different size
    return np.stack(rows).astype(np.float32)


def write(path, *arrays):
    with open(path, "wb") as file:
        for array in arrays:
            file.write(np.ascontiguousarray(array).tobytes())


def vectors(folder):
    folder.mkdir(parents=True, exist_ok=True)
    library = reference_library()
    np.seterr(all="ignore")
    for kind in DECODED:
        rng = np.random.default_rng(list(kind.encode()))
        blocks = random_blocks(kind, rng)
        values = library_decode(library, kind, blocks)
        if kind != "Q8_K":  # which gguf does not decode; elsewhere it is the reference
            values_gguf = quants.dequantize(blocks, GGMLQuantizationType[kind]).reshape(values.shape)
            same = (values.view(np.uint32) == values_gguf.view(np.uint32)) | (np.isnan(values) & np.isnan(values_gguf))
            assert same.all(), f"{kind}: gguf and ggml disagree"
            values = values_gguf
        write(folder / f"decode_{kind.lower()}.bin", np.uint32(len(blocks)), blocks, value_hash(values))
    for kind in ENCODED:
        number = GGMLQuantizationType[kind]
        size, width = GGML_QUANT_SIZES[number]
        values = hard_values(size, np.random.default_rng([1, *kind.encode()]))
        blocks = np.empty((len(values), width), np.uint8)
        library.ggml_quantize_chunk(ctypes.c_int(number), pointer(values), pointer(blocks), ctypes.c_int64(0),
                                    ctypes.c_int64(len(values)), ctypes.c_int64(size), None)
        write(folder / f"encode_{kind.lower()}.bin", np.uint32(len(values)), values, blocks)
    lines = [f"{name} {version(name)}" for name in ("gguf", "llama-cpp-python", "numpy")]
    lines.append(f"ggml {library.ggml_version().decode()}")
    (folder / "VERSIONS").write_text("Made by tools/golden/quant.py with\n" + "\n".join(lines) + "\n")


def grid(kind):
    """A codebook as 16-bit words: eight 2-bit (IQ1, IQ2) or four 4-bit (IQ3) indices each, the first value lowest."""
    return np.frombuffer(bytes.fromhex(getattr(quants, kind).grid_hex.decode()), "<u2")


def tables():
    print(f"""// The codebooks of the IQ formats: which combinations of magnitudes eight (or four) neighbouring elements may take.
//
// Each 16-bit word is one combination: eight fields of 2 bits (IQ1, IQ2) or four of 4 bits (IQ3), the first element in
// the lowest bits. A field is an index into the format's few magnitudes, which iq_quants.hpp computes in registers, so
// the tables stay small enough for the first-level cache. Facts of the file format (ggml-common.h of ggml).
// Printed by `tools/golden/quant.py tables` from the Python package gguf {version("gguf")}; do not edit.
#pragma once

#include <array>
#include <cstdint>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant::detail {{
""")
    names = {"IQ1_S": "IQ1_S and IQ1_M", "IQ2_XXS": "IQ2_XXS", "IQ2_XS": "IQ2_XS", "IQ2_S": "IQ2_S",
             "IQ3_XXS": "IQ3_XXS", "IQ3_S": "IQ3_S"}
    for kind, text in names.items():
        words = grid(kind)
        print(f"/// {text}.")
        print(f"inline constexpr std::array<std::uint16_t, {len(words)}> {kind.lower()}_grid{{")
        for start in range(0, len(words), 14):
            print("    " + ", ".join(f"0x{word:04x}" for word in words[start : start + 14]) + ",")
        print("};\n")
    print("} // namespace tokenworks::inline TOKENWORKS_ABI::quant::detail")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("vectors").add_argument("folder", type=pathlib.Path)
    commands.add_parser("tables")
    arguments = parser.parse_args()
    if arguments.command == "tables":
        tables()
    else:
        vectors(arguments.folder)


if __name__ == "__main__":
    main()
