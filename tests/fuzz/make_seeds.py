#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets gguf and safetensors into corpus/<target>/, next to this file.

One seed for each value type, each tensor type and each edge of the formats, made from the formats' descriptions with
nothing but the standard library. Run it again after a change; names are stable.
"""

import json
import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"

# GGUF value types: number, struct code, a value
PLAIN = {
    "u8": (0, "B", 200), "i8": (1, "b", -3), "u16": (2, "H", 60000), "i16": (3, "h", -300), "u32": (4, "I", 7),
    "i32": (5, "i", -7), "f32": (6, "f", 1.5), "bool": (7, "B", 1), "u64": (10, "Q", 2**40), "i64": (11, "q", -(2**40)),
    "f64": (12, "d", 0.25),
}
# GGUF tensor types: number, elements and bytes of a block
TENSORS = {
    "f32": (0, 1, 4), "f16": (1, 1, 2), "q4_0": (2, 32, 18), "q4_1": (3, 32, 20), "q5_0": (6, 32, 22), "q5_1": (7, 32, 24),
    "q8_0": (8, 32, 34), "q8_1": (9, 32, 36), "q2_k": (10, 256, 84), "q3_k": (11, 256, 110), "q4_k": (12, 256, 144),
    "q5_k": (13, 256, 176), "q6_k": (14, 256, 210), "q8_k": (15, 256, 292), "iq2_xxs": (16, 256, 66),
    "iq2_xs": (17, 256, 74), "iq3_xxs": (18, 256, 98), "iq1_s": (19, 256, 50), "iq4_nl": (20, 32, 18),
    "iq3_s": (21, 256, 110), "iq2_s": (22, 256, 82), "iq4_xs": (23, 256, 136), "i8": (24, 1, 1), "i16": (25, 1, 2),
    "i32": (26, 1, 4), "i64": (27, 1, 8), "f64": (28, 1, 8), "iq1_m": (29, 256, 56), "bf16": (30, 1, 2),
    "tq1_0": (34, 256, 54), "tq2_0": (35, 256, 66), "mxfp4": (39, 32, 17), "nvfp4": (40, 64, 36),
}


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def plain(name, value=None):
    number, code, sample = PLAIN[name]
    return struct.pack("<I", number) + struct.pack("<" + code, sample if value is None else value)


def string(value):
    return struct.pack("<I", 8) + text(value)


def array(name, values):
    if name == "string":
        return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(text(v) for v in values)
    number, code, _ = PLAIN[name]
    return struct.pack("<IIQ", 9, number, len(values)) + struct.pack(f"<{len(values)}{code}", *values)


def gguf(values=(), tensors=(), version=3, alignment=32, tail=b"", pad_end=True):
    """tensors: name, extents, type number, offset or None for the next free place, bytes of data."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    head += b"".join(text(key) + value for key, value in values)
    data = b""
    for name, extents, kind, offset, size in tensors:
        head += text(name) + struct.pack(f"<I{len(extents)}Q", len(extents), *extents)
        head += struct.pack("<IQ", kind, len(data) if offset is None else offset)
        data += bytes(i * 7 % 251 for i in range(size))
        data += b"\0" * (-len(data) % alignment)
    if tensors:
        head += b"\0" * (-len(head) % alignment)
    if not pad_end and tensors:
        data = data[: len(data) - (-tensors[-1][4] % alignment)]
    return head + data + tail


def safetensors(header, data=b"", tail_of_header=b""):
    head = (header if isinstance(header, bytes) else json.dumps(header, ensure_ascii=False).encode()) + tail_of_header
    return struct.pack("<Q", len(head)) + head + data


def gguf_seeds():
    f32 = ("t", [2, 3], 0, None, 24)
    yield "empty_v2", gguf(version=2)
    yield "empty_v3", gguf()
    for name in PLAIN:
        yield f"value_{name}", gguf([("k." + name, plain(name))])
        sample = PLAIN[name][2]
        yield f"array_{name}", gguf([("k", array(name, [sample] * 5))])
        yield f"array_{name}_none", gguf([("k", array(name, []))])
    yield "value_string", gguf([("k", string("text"))])
    yield "value_string_none", gguf([("k", string(""))])
    yield "value_string_nul", gguf([("k\0x", string(b"a\0b\xff"))])
    yield "array_string", gguf([("k", array("string", ["", "a", "bc"] * 23))])
    yield "array_string_none", gguf([("k", array("string", []))])
    yield "array_nested", gguf([("k", struct.pack("<IIQ", 9, 9, 1) + array("u8", [1])[4:])])
    yield "bool_2", gguf([("k", plain("bool", 2))])
    for name, (number, elements, size) in TENSORS.items():
        yield f"tensor_{name}", gguf([], [(name, [elements, 2], number, None, 2 * size)])
    yield "tensor_rank_1", gguf([], [("t", [5], 0, None, 20)])
    yield "tensor_rank_4", gguf([], [("t", [2, 1, 3, 1], 0, None, 24)])
    yield "tensor_rank_5", gguf([], [("t", [1, 1, 1, 1, 1], 0, None, 4)])
    yield "tensors_some", gguf([("general.architecture", string("llama"))], [f32, ("u", [32], 8, None, 34), ("v", [1], 26, None, 4)])
    yield "tensors_no_end", gguf([], [f32], pad_end=False)
    yield "tensors_tail", gguf([], [f32], tail=b"x" * 100)
    yield "tensors_order", gguf([], [("a", [1], 0, 32, 4), ("b", [1], 0, 0, 4)])
    yield "tensors_gap", gguf([], [("a", [1], 0, 0, 4), ("b", [1], 0, 64, 4)], tail=b"\0" * 32)
    yield "tensors_overlap", gguf([], [("a", [16], 0, 0, 64), ("b", [1], 0, 32, 4)])
    yield "tensors_twice", gguf([], [f32, f32])
    for n in (8, 64, 4096):
        yield f"alignment_{n}", gguf([("general.alignment", plain("u32", n))], [f32, ("u", [1], 0, None, 4)], alignment=n)
    for n in (0, 4, 24, 1 << 21):
        yield f"alignment_{n}_bad", gguf([("general.alignment", plain("u32", n))], [f32])
    yield "key_twice", gguf([("k", plain("u8")), ("k", plain("u8"))])
    yield "split", gguf([("split.no", plain("u16", 0)), ("split.count", plain("u16", 2))])
    yield "wrap_dims", gguf([], [("t", [2**32, 2**32], 0, 0, 4)])
    yield "wrap_bytes", gguf([], [("t", [2**62, 1], 27, 0, 4)])
    yield "wrap_offset", gguf([], [("t", [1], 0, 2**64 - 32, 4)])


def safetensors_seeds():
    def entry(kind, shape, begin, end):
        return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}

    yield "empty", safetensors({})
    yield "scalar", safetensors({"t": entry("F32", [], 0, 4)}, b"abcd")
    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
             "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "C64": 8, "F8_E8M0": 1, "F4": 1, "NO": 1}
    for kind, size in sizes.items():
        yield f"type_{kind}", safetensors({"t": entry(kind, [2, 3], 0, 6 * size)}, bytes(6 * size))
    yield "metadata", safetensors({"__metadata__": {"format": "pt", "é": "\n\"\\"}, "t": entry("U8", [3], 0, 3)}, b"abc")
    yield "metadata_number", safetensors({"__metadata__": {"format": 1}})
    yield "zero_size", safetensors({"a": entry("F32", [0, 5], 0, 0), "b": entry("U8", [2], 0, 2), "c": entry("U8", [0], 2, 2)}, b"ab")
    yield "order", safetensors({"b": entry("U8", [2], 3, 5), "a": entry("U8", [3], 0, 3)}, b"abcde")
    yield "escaped", safetensors(b'{"\\u0061\\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
    yield "twice_escaped", safetensors(b'{"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"ab")
    yield "spaces", safetensors({"t": entry("U8", [1], 0, 1)}, b"a", b"   ")
    yield "nul", safetensors({"t": entry("U8", [1], 0, 1)}, b"a", b"\0")
    yield "two", safetensors({}, b"", b"{}")
    yield "hole", safetensors({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, b"abc")
    yield "overlap", safetensors({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, b"abc")
    yield "tail", safetensors({"a": entry("U8", [1], 0, 1)}, b"ab")
    yield "nested", safetensors(b'{"a":' + b"[" * 70 + b"]" * 70 + b"}")
    yield "index", json.dumps({"metadata": {"total_size": 3}, "weight_map": {"a": "x-1.safetensors", "b": "x-2.safetensors"}}).encode()
    yield "index_escape", json.dumps({"weight_map": {"a": "../x.safetensors"}}).encode()


def main():
    for target, seeds in (("gguf", gguf_seeds()), ("safetensors", safetensors_seeds())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds:
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
