"""Complete model folders for tests of the program: a tiny model of a golden file with random weights, and a tokenizer."""

import json
import random
import shutil
import struct
from pathlib import Path


def write(golden, group, name, tokenizer, tokens, folder):
    """The model tests/golden/<group>/<name>.json with tables of so many tokens; returns the folder as a text. A model of
    images alone has neither tokens nor a tokenizer: None."""
    folder = Path(folder)
    folder.mkdir()
    model = json.loads((golden / group / f"{name}.json").read_text(encoding="utf-8"))
    before = model["config"].get("vocab_size")
    config = model["config"] if tokens is None else dict(model["config"], vocab_size=tokens)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if tokenizer is not None:
        shutil.copy(golden / "tokenizers" / f"{tokenizer}.json", folder / "tokenizer.json")
    header, data = {}, b""
    for tensor, shape, mean, scale in model["tensors"]:
        shape = [tokens if before is not None and extent == before else extent for extent in shape]
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
