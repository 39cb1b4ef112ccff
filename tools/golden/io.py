#!/usr/bin/env python3
"""Makes tests/golden/io/: small GGUF and safetensors files as the reference Python packages write them.

Made with gguf 0.19.0, safetensors 0.8.0, numpy 2.4.6 and no random numbers; the files do not change from run to run.
Usage: tools/golden/io.py [FOLDER]
"""

import json
import struct
import sys
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

VALUES = ["", "a", "é", "three words here"] + [f"t{i}" for i in range(40)]


def ramp(*shape):
    return (np.arange(np.prod(shape), dtype=np.float32) / 8 - 3).reshape(shape)


def add_tensors(writer):
    writer.add_tensor("f32", ramp(2, 3))
    writer.add_tensor("f16", ramp(5).astype(np.float16))
    writer.add_tensor("i32", np.arange(7, dtype=np.int32))
    writer.add_tensor("q8_0", gguf.quantize(ramp(2, 64), gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("rank4", ramp(2, 1, 3, 4))


def values(folder):
    path = folder / "values.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("u8", 200)
    writer.add_int8("i8", -3)
    writer.add_uint16("u16", 60000)
    writer.add_int16("i16", -300)
    writer.add_uint32("u32", 4_000_000_000)
    writer.add_int32("i32", -7)
    writer.add_float32("f32", 1.5)
    writer.add_bool("bool", True)
    writer.add_string("string", "text with é")
    writer.add_uint64("u64", 2**60)
    writer.add_int64("i64", -(2**60))
    writer.add_float64("f64", 0.1)
    writer.add_array("strings", VALUES)
    writer.add_array("ints", [1, -2, 3])
    writer.add_array("floats", [0.5, -1.25])
    writer.add_array("flags", [True, False])
    add_tensors(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    # Version 2 has the same layout.
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", 2)
    (folder / "values_v2.gguf").write_bytes(data)


def aligned(folder):
    writer = gguf.GGUFWriter(folder / "aligned.gguf", "llama")
    writer.add_custom_alignment(128)
    add_tensors(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def split(folder):
    writer = gguf.GGUFWriter(folder / "split.gguf", "llama", split_max_tensors=2)
    writer.add_uint32("llama.block_count", 1)
    add_tensors(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(folder):
    arrays = {
        "f32": ramp(2, 3),
        "f16": ramp(5).astype(np.float16),
        "i64": np.arange(3, dtype=np.int64),
        "u8": np.arange(5, dtype=np.uint8),
        "bool": np.array([True, False, True]),
        "scalar": np.array(2.5),
        "none": np.zeros((0, 4), dtype=np.float32),
        "né\n\"": np.ones(1, dtype=np.int16),
    }
    save_file(arrays, folder / "tensors.safetensors", metadata={"format": "np", "é": "a\"b\\"})
    save_file({"a": ramp(2)}, folder / "model-00001-of-00002.safetensors", metadata={"format": "pt"})
    save_file({"b": ramp(3), "c": ramp(1)}, folder / "model-00002-of-00002.safetensors", metadata={"format": "pt"})
    index = {"metadata": {"total_size": 24}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def main():
    default = Path(__file__).resolve().parents[2] / "tests" / "golden" / "io"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    values(folder)
    aligned(folder)
    split(folder)
    tensors(folder)
    for made in folder.iterdir():
        made.chmod(0o644)
    versions = {name: version(name) for name in ("gguf", "safetensors", "numpy")}
    (folder / "versions.json").write_text(json.dumps(versions) + "\n")


if __name__ == "__main__":
    main()
