#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets gguf, gguf_model, safetensors, packed, tokenizer_json, regex,
sentencepiece_model, chat_template, model_folder, lora, importance_matrix, image_processor and saved_prefixes into corpus/<target>/, next
to this file.

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
    """tensors: name, extents, type number, offset or None for the next free place, data or how many bytes of them."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    head += b"".join(text(key) + value for key, value in values)
    data = b""
    for name, extents, kind, offset, content in tensors:
        head += text(name) + struct.pack(f"<I{len(extents)}Q", len(extents), *extents)
        head += struct.pack("<IQ", kind, len(data) if offset is None else offset)
        data += content if isinstance(content, bytes) else bytes(i * 7 % 251 for i in range(content))
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


def weights(kind, count, seed):
    """Bytes of a tensor of small values. Scales of blocks, halves mostly, are left small: no NaN among them."""
    number, elements, size = TENSORS[kind]
    if kind in ("f32", "f64"):
        code = {"f32": "f", "f64": "d"}[kind]
        return struct.pack(f"<{count}{code}", *(((i * 37 + seed * 11) % 101 - 50) / 100 for i in range(count)))
    data = bytearray((i * 7 + seed * 13) % 251 for i in range(count // elements * size))
    for i in range(1, len(data), 2):
        data[i] &= 0x2F
    return bytes(data)


def model(architecture, kind="f32", width=4, layers=2, heads=2, kv_heads=1, head=2, hidden=6, vocab=5, tied=True, extra=(), vectors="f32"):
    """A whole model of random weights, without a tokenizer."""
    key = architecture + "."
    gemma = architecture == "gemma3"
    values = [("general.architecture", string(architecture))]
    values += [(key + name, plain("u32", value)) for name, value in (
        ("context_length", 16), ("embedding_length", width), ("block_count", layers), ("feed_forward_length", hidden),
        ("attention.head_count", heads), ("attention.head_count_kv", kv_heads), ("attention.key_length", head),
        ("attention.value_length", head))]
    values.append((key + "attention.layer_norm_rms_epsilon", plain("f32", 1e-5)))
    if gemma:
        values.append((key + "attention.sliding_window", plain("u32", 1)))
    values += [(key + name, value) for name, value in extra]
    shapes = [("token_embd.weight", [width, vocab]), ("output_norm.weight", [width])]
    shapes += [] if tied else [("output.weight", [width, vocab]), ("output.bias", [vocab])]
    for i in range(layers):
        shapes += [(f"blk.{i}.{name}.weight", shape) for name, shape in (
            ("attn_norm", [width]), ("ffn_norm", [width]), ("attn_q", [width, heads * head]), ("attn_k", [width, kv_heads * head]),
            ("attn_v", [width, kv_heads * head]), ("attn_output", [heads * head, width]), ("ffn_gate", [width, hidden]),
            ("ffn_up", [width, hidden]), ("ffn_down", [hidden, width]))]
        if gemma:
            shapes += [(f"blk.{i}.{name}.weight", [n]) for name, n in (
                ("post_attention_norm", width), ("post_ffw_norm", width), ("attn_q_norm", head), ("attn_k_norm", head))]
    tensors = []
    for i, (name, shape) in enumerate(shapes):
        is_vector = len(shape) == 1
        count = shape[0] * (1 if is_vector else shape[1])
        type_name = vectors if is_vector else kind if shape[0] % TENSORS[kind][1] == 0 else "f16"
        tensors.append((name, shape, TENSORS[type_name][0], None, weights(type_name, count, i)))
    return gguf(values, tensors)


def gguf_model_seeds():
    yield "llama", model("llama")
    yield "llama_head", model("llama", tied=False)
    yield "gemma3", model("gemma3")
    for kind in ("f16", "bf16", "f64"):
        yield f"llama_{kind}", model("llama", kind)
    for kind in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "iq4_nl", "mxfp4"):
        yield f"llama_{kind}", model("llama", kind, width=32, layers=1, heads=1, head=32, hidden=32, vocab=2)
    yield "llama_nvfp4", model("llama", "nvfp4", width=64, layers=1, heads=1, head=64, hidden=64, vocab=1)
    for kind, (_, elements, _) in TENSORS.items():
        if elements == 256 or kind == "q8_1":
            yield f"llama_{kind}", model("llama", kind, width=256, layers=1, heads=1, hidden=4, vocab=2)
    yield "llama_vectors_f16", model("llama", vectors="f16")
    yield "llama_vectors_i8", model("llama", vectors="i8")
    yield "llama_rope_linear", model("llama", extra=[("rope.scaling.type", string("linear")), ("rope.scaling.factor", plain("f32", 2.0))])
    yield "llama_rope_yarn", model("llama", extra=[("rope.scaling.type", string("yarn")), ("rope.scaling.factor", plain("f32", 4.0)),
                                                   ("rope.scaling.original_context_length", plain("u32", 4)),
                                                   ("rope.freq_base", plain("f32", 500.0)), ("rope.dimension_count", plain("u32", 2))])
    yield "llama_window", model("llama", extra=[("attention.sliding_window", plain("u32", 1)), ("vocab_size", plain("u32", 5))])
    yield "llama_attn_factor", model("llama", layers=1, extra=[("rope.scaling.attn_factor", plain("f32", 0.5))])
    yield "gemma3_caps", model("gemma3", layers=6, extra=[("attn_logit_softcapping", plain("f32", 5.0)), ("final_logit_softcapping", plain("f32", 3.0)),
                                                          ("attention.sliding_window_pattern", plain("u32", 2)),
                                                          ("rope.freq_base_swa", plain("f32", 100.0))])
    yield "llama_no_layers", gguf([("general.architecture", string("llama"))])
    yield "unknown", gguf([("general.architecture", string("mamba"))])


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


def checksum(data):
    """io::checksum: eight lanes of 64 bits."""
    mask, factor = 2**64 - 1, 0x9E3779B97F4A7C15

    def mix(value, word):
        value = (value ^ word) * factor & mask
        return (value << 29 | value >> 35) & mask

    lanes = list(range(8))
    padded = data + b"\0" * (-len(data) % 64)
    for i, (word,) in enumerate(struct.iter_unpack("<Q", padded)):
        lanes[i % 8] = mix(lanes[i % 8], word)
    total = mix(0, len(data))
    for lane in lanes:
        total = mix(total, lane)
    return (total ^ total >> 32) * factor & mask


def packed(entries, version=1, order=0x01020304, count=None, table_edit=lambda t: t, start=None):
    """entries: name, type number, rows, columns, data, offset or None for the next place"""
    out, table = b"TWPACKED" + bytes(56), b""
    for name, kind, rows, columns, data, offset in entries:
        table += struct.pack("<IIQQQQ", len(name), kind, rows, columns, len(out) if offset is None else offset, len(data))
        table += name.encode() + b"".join(struct.pack("<Q", checksum(data[i : i + 2**16])) for i in range(0, len(data), 2**16))
        out += data + b"\0" * (-len(data) % 64)
    table = table_edit(table)
    footer = b"TWPACKED" + struct.pack("<IIQQQQQ", version, order, 7, len(out) if start is None else start, len(table),
                                       len(entries) if count is None else count, checksum(table))
    return out + table + footer + struct.pack("<Q", checksum(footer))


def packed_seeds():
    a, b = ("a", 2, 16, 32, b"x" * 288, None), ("blk.0.ffn_up.weight", 1, 16, 2, b"y" * 64, None)
    yield "none", packed([])
    yield "one", packed([a])
    yield "two", packed([a, b])
    yield "no_bytes", packed([("a", 0, 0, 32, b"", None), b])
    yield "twice", packed([a, a])
    yield "no_name", packed([("", 2, 16, 32, b"x" * 288, None)])
    yield "type_unknown", packed([("a", 4, 16, 32, b"x" * 288, None)])
    for name, offset in (("zero", 0), ("behind", 128), ("wrap", 2**64 - 64)):
        yield f"offset_{name}", packed([("a", 2, 16, 32, b"x" * 288, offset)])
    yield "bytes_wrap", packed([a], table_edit=lambda t: t[:32] + struct.pack("<Q", 2**64 - 1) + t[40:])
    yield "name_long", packed([a], table_edit=lambda t: struct.pack("<I", 2**32 - 1) + t[4:])
    yield "count_more", packed([a], count=2)
    yield "count_huge", packed([a], count=2**63)
    yield "count_less", packed([a, b], count=1)
    yield "version_2", packed([a], version=2)
    yield "order_other", packed([a], order=0x04030201)
    yield "start_wrap", packed([a], start=2**64 - 64)
    yield "tail", packed([a]) + b"\0"
    yield "cut", packed([a])[:-1]
    yield "short", b"TWPACKED"


def saved_prefixes_seeds():
    """Pages of 512 bytes: those of the target's pool."""
    def page(name, fill, size=512):
        return name, 0, 1, size, fill * size, None

    def saved(rows, pages=None, tail=b""):
        tree = b"".join(struct.pack("<66i", parent, count, *range(first, first + max(count, 0)), *[0] * (64 - max(count, 0)))
                        for parent, count, first in rows) + tail
        return packed([("tree", 26, len(rows), 66, tree, None), *(pages or [page(str(i), b"p") for i in range(len(rows))])])

    yield "none", saved([])
    yield "one", saved([(-1, 5, 0)])
    yield "tree", saved([(-1, 64, 0), (0, 64, 64), (1, 3, 128), (0, 7, 500), (-1, 64, 900), (4, 64, 0)])
    yield "twice", saved([(-1, 64, 0), (0, 9, 5), (0, 9, 5), (-1, 64, 0)])
    yield "many", saved([(-1, 64, 0), *((i, 64, 0) for i in range(24))])
    yield "behind_part", saved([(-1, 63, 0), (0, 5, 0)])
    yield "behind_itself", saved([(0, 64, 0)])
    yield "behind_later", saved([(1, 64, 0), (-1, 64, 9)])
    yield "count_none", saved([(-1, 0, 0)])
    yield "count_less", saved([(-1, -1, 0)])
    yield "half_a_row", saved([(-1, 5, 0)], tail=b"\0" * 4)
    yield "no_page", saved([(-1, 5, 0)], [page("1", b"p")])
    yield "page_of_another_size", saved([(-1, 5, 0)], [page("0", b"p", 256)])
    yield "page_more", saved([(-1, 5, 0)], [page("0", b"p"), page("1", b"p")])
    yield "no_tree", packed([page("0", b"p")])


NORMALIZERS = {
    "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
    "lowercase": {"type": "Lowercase"}, "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "accents": {"type": "StripAccents"}, "nmt": {"type": "Nmt"}, "bytes": {"type": "ByteLevel"},
    "replace": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    "replace_regex": {"type": "Replace", "pattern": {"Regex": " {2,}|\\s$"}, "content": "bb"},
    "prepend": {"type": "Prepend", "prepend": "\u2581"},
    "bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    # a double array with one key, "a", that becomes "bb"
    "precompiled": {"type": "Precompiled", "precompiled_charsmap": None},
}
SPLITTERS = {
    "byte_level": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "whitespace": {"type": "Whitespace"}, "whitespace_split": {"type": "WhitespaceSplit"}, "bert": {"type": "BertPreTokenizer"},
    "punctuation": {"type": "Punctuation", "behavior": "Contiguous"}, "digits": {"type": "Digits", "individual_digits": False},
    "metaspace": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "b"},
    "split_known": {"type": "Split", "pattern": {"Regex": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
                    "\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": False},
    "split_other": {"type": "Split", "pattern": {"Regex": "(?i:'s|a)+?|[^\\r\\n\\p{L}&&[b-y]]?+\\p{Lu}*(?<=b)|\\s+(?!\\S)|(?>a|b){1,3}"},
                    "behavior": "MergedWithNext", "invert": True},
}
DECODERS = {
    "byte_level": {"type": "ByteLevel"}, "metaspace": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"},
    "wordpiece": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "bpe": {"type": "BPEDecoder", "suffix": "</w>"},
    "fallback": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
}
PROCESSORS = {
    "bert": {"type": "BertProcessing", "sep": ["b", 1], "cls": ["a", 0]},
    "roberta": {"type": "RobertaProcessing", "sep": ["b", 1], "cls": ["a", 0], "trim_offsets": True, "add_prefix_space": True},
    "template": {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"a": {"id": "a", "ids": [0, 1], "tokens": ["a", "b"]}}}]},
}
MODELS = {
    "bpe": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "\u0120": 3, "abab": 4}, "merges": [["a", "b"], "ab ab"]},
    "bpe_bytes": {"type": "BPE", "unk_token": "u", "fuse_unk": True, "byte_fallback": True,
                  "vocab": {"u": 0, "<0x61>": 1, "\u2581": 2, "b": 3}, "merges": []},
    "bpe_affixes": {"type": "BPE", "unk_token": "a", "continuing_subword_prefix": "@@", "end_of_word_suffix": "</w>",
                    "ignore_merges": True, "vocab": {"a": 0, "@@b": 1, "@@b</w>": 2, "ab": 3}, "merges": [["a", "@@b"]]},
    "wordpiece": {"type": "WordPiece", "unk_token": "u", "continuing_subword_prefix": "##", "max_input_chars_per_word": 5,
                  "vocab": {"u": 0, "a": 1, "##b": 2, "##a": 3}},
    "wordlevel": {"type": "WordLevel", "unk_token": "u", "vocab": {"u": 0, "ab": 1}},
    "unigram": {"type": "Unigram", "unk_id": 0, "byte_fallback": True,
                "vocab": [["u", 0], ["a", -1.5], ["b", -2], ["ab", -2.25e0], ["<0x63>", -9]]},
}
TEXT = "ab  abab, Abc12'S\n \t\u00e9 \u2581\u4e2d\U0001f642<s>a\u0301 ab"


def charsmap_of_one():
    """A Darts-clone double array of the key "a" and its text."""
    import base64
    units = [0] * 512
    units[0] = 1 << 10  # the children of the root begin at 1
    place = 1 ^ ord("a")
    units[place] = ord("a") | 1 << 8 | (1 << 10)  # a value follows, at place ^ 1
    units[place ^ 1] = 1 << 31 | 0
    return base64.b64encode(struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + b"bb\0").decode()


def tokenizer_json_seeds():
    added = [{"id": 9, "content": "<s>", "single_word": True, "lstrip": True, "rstrip": True, "normalized": False, "special": True},
             {"id": 10, "content": "AB", "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}]

    def document(**parts):
        parts = {"version": "1.0", "added_tokens": added, "model": MODELS["bpe"], **parts}
        return json.dumps(parts, ensure_ascii=False).encode() + b"\0" + TEXT.encode() + b"\xff"

    NORMALIZERS["precompiled"]["precompiled_charsmap"] = charsmap_of_one()
    for key, kinds in (("normalizer", NORMALIZERS), ("pre_tokenizer", SPLITTERS), ("decoder", DECODERS),
                       ("post_processor", PROCESSORS)):
        for name, value in kinds.items():
            yield f"{key}_{name}", document(**{key: value})
    for name, model in MODELS.items():
        yield f"model_{name}", document(model=model)
        yield f"model_{name}_whole", document(
            model=model, normalizer={"type": "Sequence", "normalizers": [NORMALIZERS["nfc"], NORMALIZERS["replace"]]},
            pre_tokenizer={"type": "Sequence", "pretokenizers": [SPLITTERS["split_other"], SPLITTERS["metaspace"]]},
            decoder=DECODERS["fallback"], post_processor=PROCESSORS["bert"])


def regex_seeds():
    for number, pattern in enumerate(["a|b|", "(a*)*b", "(?:a+a+)+b", "[a-c[x-z]&&[^b]]+", "(?i:'s|k)", "\\s+(?!\\S)|\\s+", "(?<=a|bc)x??",
                                      "(?<!\\w)\\w{2,3}?", "\\p{^L}+|[[:alpha:]]*+", "^a.$|\\A\\b\\z", "((?:a|b)|c)+?d", "x{2}{3}(?>a|ab)c",
                                      "(?i)\u017f|\u00df", "[\\x{4e00}-\\x{9fff}]+"]):
        yield f"pattern_{number}", pattern.encode() + b"\0" + (TEXT + "aaaaaaaaaaaaaaaaaaaab xabcx").encode()


def sentencepiece_seeds():
    def field(number, value):
        data = bytes([number << 3 | 2 & 7]) if number < 16 else bytes([(number << 3 | 2) & 127 | 128, number >> 4])
        return data + varint(len(value)) + value

    def varint(value):
        out = b""
        while value >= 128:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    def whole(number, value):
        return varint(number << 3) + varint(value)

    def piece(text, score, kind=1):
        return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + whole(3, kind))

    pieces = (piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("a", -1) + piece("b", -2) + piece("ab", -1.5)
              + piece("\u2581", -3) + piece("<x>", 0, 4) + piece("<0x63>", 0, 6))
    text = TEXT.encode()[:60]
    for name, kind in (("unigram", 1), ("bpe", 2)):
        for rest, normalizer in (("plain", b""), ("raw", whole(3, 0) + whole(4, 0) + whole(5, 0))):
            model = pieces + field(2, whole(3, kind) + whole(35, 1) + whole(24, 1 if rest == "raw" else 0)) + field(3, normalizer)
            yield f"{name}_{rest}", bytes([len(text)]) + model + text


def chat_template_seeds():
    """Every third template of the golden cases of tools/golden/jinja.py."""
    lines = (CORPUS.parents[1] / "golden/codec/jinja.txt").read_text().splitlines()
    templates = [bytes.fromhex(line[2:]) for line in lines if line.startswith("T ")]
    for index in range(0, len(templates), 3):
        yield f"golden_{index:03}", templates[index]


def two_files(config, tensors):
    """tensors: name -> shape; all of bf16."""
    header, data = {}, b""
    for name, shape in tensors.items():
        count = 1
        for extent in shape:
            count *= extent
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [len(data), len(data) + 2 * count]}
        data += b"".join(struct.pack("<H", 0x3C00 + i * 37 % 511 + i % 2 * 0x8000) for i in range(count))
    text = json.dumps(config).encode()
    return struct.pack("<I", len(text)) + text + safetensors(header, data)


def model_folder_seeds():
    """Tiny models of tools/golden/families.py, one of each form."""
    for group, names in (("families", ("llama", "gpt2", "qwen3_moe", "falcon_grouped", "deepseek_v3", "gpt_oss")),
                         ("encoders", ("bert", "modernbert")), ("encoder_decoders", ("t5", "bart")),
                         ("image_encoders", ("vit", "clip"))):
        for name in names:
            golden = json.loads((CORPUS.parents[1] / f"golden/{group}/{name}.json").read_text())
            yield name, two_files(golden["config"], {row[0]: row[1] for row in golden["tensors"]})


def lora_seeds():
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "use_rslora": False, "modules_to_save": None}
    def pair(module, rows, columns, rank=2):
        name = "base_model.model." + module
        return {name + ".lora_A.weight": [rank, columns], name + ".lora_B.weight": [rows, rank]}
    layer = "model.layers.0."
    yield "plain", two_files(config, {**pair("lm_head", 4, 6), **pair(layer + "mlp.up_proj", 4, 6)})
    yield "turned", two_files({**config, "use_rslora": True}, pair(layer + "self_attn.q_proj", 4, 6))
    yield "fused", two_files(config, {**pair(layer + "self_attn.qkv", 8, 6), **pair("model.layers.1.self_attn.qkv", 16, 6, 3)})
    yield "patterns", two_files({**config, "alpha_pattern": {"q_proj": 8, "layers\\.\\d+.*": 2}, "rank_pattern": {"q_proj": 2}},
                                pair(layer + "self_attn.q_proj", 4, 6))
    yield "dora", two_files({**config, "use_dora": True}, pair("lm_head", 4, 6))


def importance_matrix_seeds():
    def floats(*values):
        return struct.pack(f"<{len(values)}f", *values)
    def tensor(name, extents, *values):
        return (name, extents, 0, None, floats(*values))
    values = [("general.type", string("imatrix")), ("imatrix.datasets", array("string", ["a.txt"])),
              ("imatrix.chunk_count", plain("u32", 2)), ("imatrix.chunk_size", plain("u32", 512))]
    yield "dense", gguf(values, [tensor("blk.0.attn_q.weight.in_sum2", [3, 1], 1, 2, 3), tensor("blk.0.attn_q.weight.counts", [1, 1], 4)])
    yield "experts", gguf(values, [tensor("blk.0.ffn_up_exps.weight.in_sum2", [2, 2], 1, 2, 3, 4),
                                   tensor("blk.0.ffn_up_exps.weight.counts", [1, 2], 4, 0)])
    yield "no_counts", gguf(values, [tensor("a.in_sum2", [2], 1, 2)])
    yield "binary", struct.pack("<ii1sii", 1, 1, b"a", 2, 2) + floats(1, 4)
    yield "binary_two", (struct.pack("<ii1sii", 2, 1, b"a", 2, 2) + floats(1, 4) + struct.pack("<i", 19)
                         + b"blk.0.attn_q.weight" + struct.pack("<ii", 0, 1) + floats(3))


def image_processor_seeds():
    for name, config in (
            ("vit", {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 8, "width": 6}, "resample": 2,
                     "do_rescale": True, "rescale_factor": 0.00392156862745098, "do_normalize": True, "image_mean": [0.5, 0.5, 0.5],
                     "image_std": [0.5, 0.5, 0.5]}),
            ("clip", {"feature_extractor_type": "CLIPFeatureExtractor", "size": {"shortest_edge": 9}, "crop_size": {"height": 8, "width": 8},
                      "do_center_crop": True, "resample": 3}),
            ("old", {"feature_extractor_type": "CLIPFeatureExtractor", "size": 9, "crop_size": 12, "image_mean": 0.1, "image_std": 2}),
            ("none", {"do_resize": False, "do_center_crop": True, "crop_size": 4, "do_rescale": False, "do_normalize": False}),
            ("empty", {})):
        yield name, json.dumps(config).encode()


def http_request_seeds():
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    chat = json.dumps({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "n": 2, "stop": ["x"],
                       "logit_bias": {"1": -2}, "seed": -1, "logprobs": True, "top_logprobs": 2, "stream": True,
                       "stream_options": {"include_usage": True},
                       "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
                       "tool_choice": "auto"}).encode()
    completion = json.dumps({"prompt": [[1, 2], "a"], "echo": True, "logprobs": 1, "response_format": {
        "type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}}).encode()
    for name, body in (("chat", chat), ("completion", completion)):
        yield name, head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        yield name + "_body", body
    yield "chunks", head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n" % len(part) + part + b"\r\n" for part in (chat[:9], chat[9:])) + b"0\r\nA: b\r\n\r\n"
    yield "old", b"\r\nGET /health?x=y HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    yield "many", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 9 + b"\r\n"
    yield "lengths", head + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello, and more"
    yield "calls", b'so <tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call> and <tool_call>{'
    yield "call", b'[{"name": "f", "parameters": {}}, {"name": "g", "arguments": {}}]'


def main():
    for target, seeds in (("gguf", gguf_seeds()), ("gguf_model", gguf_model_seeds()), ("safetensors", safetensors_seeds()),
                          ("packed", packed_seeds()), ("tokenizer_json", tokenizer_json_seeds()), ("regex", regex_seeds()),
                          ("sentencepiece_model", sentencepiece_seeds()), ("chat_template", chat_template_seeds()),
                          ("model_folder", model_folder_seeds()), ("lora", lora_seeds()),
                          ("importance_matrix", importance_matrix_seeds()), ("image_processor", image_processor_seeds()),
                          ("http_request", http_request_seeds()), ("saved_prefixes", saved_prefixes_seeds())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds:
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
