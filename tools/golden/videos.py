#!/usr/bin/env python3
"""Makes tests/golden/videos: a tiny model of videos with the logits that torch computes, by the code that trains such
models (tools/train/video.py), in float32 and with torch's own attention.

    python tools/golden/videos.py

Needs torch, numpy, safetensors (versions in VERSIONS beside the file). Weights are hashed from their names, as in
families.py.
"""
import importlib.util
import json
import pathlib
import sys

import numpy as np
import torch
from families import OUT, mean_and_scale, weights

path = pathlib.Path(__file__).resolve().parents[1] / "train" / "video.py"
spec = importlib.util.spec_from_file_location("video", path)
video = importlib.util.module_from_spec(spec)
spec.loader.exec_module(video)

ROWS, COLUMNS, PATCH = 2, 3, 2
sizes = dict(PATCH=PATCH, FRAMES=3, CODES=20, SIDE=COLUMNS, CELLS=ROWS * COLUMNS, CLASSES=["up", "down"], WIDTH=48, LAYERS=2,
             HEADS=4, HIDDEN=64, SECTIONS=[1, 2, 3], BASE=30.0, CONTEXT=1 + 3 * ROWS * COLUMNS)
for name, value in sizes.items():
    setattr(video, name, value)
config = {**video.CONFIG, "vocab_size": 22, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 4, "rope_theta": 30.0, "max_position_embeddings": video.CONTEXT,
          "tokenworks_video_codes": 20, "tokenworks_video_classes": video.CLASSES, "tokenworks_video_frames": 3,
          "tokenworks_video_rows": ROWS, "tokenworks_video_columns": COLUMNS, "tokenworks_video_patch": PATCH,
          "tokenworks_video_rope_sections": video.SECTIONS}

model = video.Video().eval()
rows, state = [], {}
for name, tensor in model.state_dict().items():
    if name.startswith("at_"):
        continue
    stored = ("" if name.startswith("lm_head") else "model.") + name
    mean, scale = mean_and_scale(stored, list(tensor.shape), "videos")
    rows.append([stored, list(tensor.shape), mean, scale])
    state[name] = torch.from_numpy(weights(stored, list(tensor.shape), mean, scale).reshape(tuple(tensor.shape)))
missing = model.load_state_dict(state, strict=False).missing_keys
assert set(missing) == {"at_frame.weight", "at_cell.weight"}, missing
stored, shape = "model.embed_positions.weight", [video.CONTEXT, 48]
rows.append([stored, shape, 0.0, 2.0**-6])
table = torch.from_numpy(weights(stored, shape, 0.0, 2.0**-6).reshape(shape))
model.places = lambda: table
rows.append(["model.codebook.weight", [20, PATCH * PATCH * 3], 128.0, 1.0])

rng = np.random.default_rng(7)
ids = [21] + rng.integers(0, 20, 3 * ROWS * COLUMNS - 1).tolist()
with torch.no_grad():
    logits = model(torch.tensor([ids]))[0].numpy()
document = dict(config=config, tensors=rows, ids=ids, logits=[[float(f"{x:.7g}") for x in row] for row in logits])
group = OUT / "videos"
group.mkdir(parents=True, exist_ok=True)
(group / "video.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
(group / "VERSIONS").write_text(f"torch {torch.__version__}\nnumpy {np.__version__}\npython {sys.version.split()[0]}\n")
print((group / "video.json").stat().st_size)
