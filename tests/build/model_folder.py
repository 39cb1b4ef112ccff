"""Complete model folders for tests of the program: a tiny model of a golden file with random weights, and a tokenizer."""

import json
import random
import shutil
import struct
from pathlib import Path


def write(golden, group, name, tokenizer, tokens, folder):
    """The model tests/golden/<group>/<name>.json with tables of so many tokens; returns the folder as a text."""
    folder = Path(folder)
    folder.mkdir()
    model = json.loads((golden / group / f"{name}.json").read_text(encoding="utf-8"))
    before = model["config"]["vocab_size"]
    (folder / "config.json").write_text(json.dumps(dict(model["config"], vocab_size=tokens)), encoding="utf-8")
    shutil.copy(golden / "tokenizers" / f"{tokenizer}.json", folder / "tokenizer.json")
    header, data = {}, b""
    for tensor, shape, mean, scale in model["tensors"]:
        shape = [tokens if extent == before else extent for extent in shape]
        count = 1
        for extent in shape:
            count *= extent
        draw = random.Random(tensor)
        values = struct.pack(f"<{count}f", *(mean + scale * draw.uniform(-64, 64) for _ in range(count)))
        header[tensor] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    return str(folder)
