#!/usr/bin/env python3
"""Trains the model of meshes that ships with the project: a small GPT-2 over the tokens of codec/mesh_tokens.hpp, on
generated solids only.

    OMP_NUM_THREADS=1 python tools/train/mesh.py --out build/mesh --minutes 15

Writes a Hugging Face folder (config.json, model.safetensors), every minute and at the end. Needs torch, numpy,
safetensors. models/README.md says how the shipped file was made from it.

A mesh is its class, the corners as three levels each (up, depth, across; sorted, as PolyGen does it), a mark, the
triangles as three corners each (the smallest first, counterclockwise seen from outside, sorted), and an end.
"""
import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

LEVELS, MOST_VERTICES = 64, 64
CLASSES = ["box", "bipyramid", "chair", "cone", "cylinder", "prism", "pyramid", "sphere", "table", "torus"]
END, FACES, FIRST_CLASS = 0, 1, 2
FIRST_LEVEL = FIRST_CLASS + len(CLASSES)
FIRST_VERTEX = FIRST_LEVEL + LEVELS
VOCAB = FIRST_VERTEX + MOST_VERTICES
CONTEXT = 512
CONFIG = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": VOCAB, "n_positions": CONTEXT,
          "n_embd": 128, "n_layer": 4, "n_head": 4, "n_inner": 512, "activation_function": "gelu_new",
          "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True, "bos_token_id": FIRST_CLASS, "eos_token_id": END,
          "torch_dtype": "float32",
          "tokenworks_mesh_levels": LEVELS, "tokenworks_mesh_vertices": MOST_VERTICES, "tokenworks_mesh_classes": CLASSES}


# --------------------------------------------------------------------------------------------------------- the solids

def fan(ring, tip, out):
    """Triangles from a ring, counterclockwise seen from the tip."""
    for i in range(len(ring)):
        out.append((ring[i], ring[(i + 1) % len(ring)], tip))


def strip(low, high, out):
    """Between two rings that run counterclockwise seen from above."""
    n = len(low)
    for i in range(n):
        j = (i + 1) % n
        out.append((low[i], low[j], high[j]))
        out.append((low[i], high[j], high[i]))


def cap(ring, out):
    """A flat polygon, counterclockwise seen from outside."""
    for i in range(1, len(ring) - 1):
        out.append((ring[0], ring[i], ring[i + 1]))


def ring(n, rx, rz, y, turn=0.0):
    """Counterclockwise seen from above: x to the right, z towards the viewer."""
    t = turn + 2 * math.pi * np.arange(n) / n
    return np.stack([rx * np.cos(t), np.full(n, y), -rz * np.sin(t)], 1)


def extruded(n, rx, rz, h, turn=0.0):
    points = np.concatenate([ring(n, rx, rz, 0, turn), ring(n, rx, rz, h, turn)])
    low, high, faces = list(range(n)), list(range(n, 2 * n)), []
    strip(low, high, faces)
    cap(high, faces)
    cap(low[::-1], faces)
    return points, faces


def pointed(n, rx, rz, h, turn=0.0):
    points = np.concatenate([ring(n, rx, rz, 0, turn), [[0, h, 0]]])
    faces = []
    fan(list(range(n)), n, faces)
    cap(list(range(n))[::-1], faces)
    return points, faces


def boxes(parts):
    points, faces = [], []
    for (x0, y0, z0), (x1, y1, z1) in parts:
        base = 8 * len(points)
        box = np.array([(x1, y, z0) if k == 0 else (x0, y, z0) if k == 1 else (x0, y, z1) if k == 2 else (x1, y, z1)
                        for y in (y0, y1) for k in range(4)], float)
        own = []
        strip([0, 1, 2, 3], [4, 5, 6, 7], own)
        cap([4, 5, 6, 7], own)
        cap([3, 2, 1, 0], own)
        points.append(box)
        faces += [tuple(base + i for i in f) for f in own]
    return np.concatenate(points), faces


def solid(name, rng):
    u = lambda low, high: rng.uniform(low, high)
    quarter = math.pi / 4
    if name == "box":
        return boxes([((0, 0, 0), (u(0.25, 1), u(0.25, 1), u(0.25, 1)))])
    if name == "prism":
        return extruded(3, u(0.4, 1), u(0.4, 1), u(0.4, 2), math.pi / 2)
    if name == "cylinder":
        return extruded(int(rng.choice([10, 12])), u(0.4, 1), u(0.4, 1), u(0.5, 2.2))
    if name == "cone":
        return pointed(int(rng.choice([10, 12])), u(0.4, 1), u(0.4, 1), u(0.6, 2.2))
    if name == "pyramid":
        return pointed(4, u(0.5, 1), u(0.5, 1), u(0.5, 2), quarter)
    if name == "bipyramid":
        n, r, s, h, d = int(rng.choice([4, 6])), u(0.5, 1), u(0.5, 1), u(0.5, 1.5), u(0.5, 1.5)
        points = np.concatenate([ring(n, r, s, 0), [[0, h, 0], [0, -d, 0]]])
        faces = []
        fan(list(range(n)), n, faces)
        fan(list(range(n))[::-1], n + 1, faces)
        return points, faces
    if name == "sphere":
        n, rings, (a, b, c) = 8, 5, rng.uniform(0.75, 1, 3)
        points, faces = [], []
        for k in range(1, rings + 1):
            t = math.pi * k / (rings + 1)
            points.append(ring(n, a * math.sin(t), c * math.sin(t), -b * math.cos(t)))
        points = np.concatenate(points + [[[0, b, 0], [0, -b, 0]]])
        level = lambda k: list(range(n * k, n * k + n))
        for k in range(rings - 1):
            strip(level(k), level(k + 1), faces)
        fan(level(rings - 1), n * rings, faces)
        fan(level(0)[::-1], n * rings + 1, faces)
        return points, faces
    if name == "torus":
        n, m, big, small = int(rng.choice([8, 10])), 5, 1.0, u(0.25, 0.45)
        wide, points, faces = u(0.8, 1), [], []
        for k in range(m):
            t = 2 * math.pi * k / m
            points.append(ring(n, big + small * math.cos(t), wide * (big + small * math.cos(t)), small * math.sin(t)))
        for k in range(m):
            j = (k + 1) % m
            strip(list(range(n * k, n * k + n)), list(range(n * j, n * j + n)), faces)
        return np.concatenate(points), faces
    # Furniture: a leg ends inside of what it carries, so that no corners fall together.
    w, d, leg, t, h = u(0.6, 1), u(0.6, 1), u(0.06, 0.12), u(0.07, 0.12), u(0.5, 0.9)
    if name == "table":
        w, d = w * 1.3, d * 1.1
    inset = 0.03
    parts = [((x, 0, z), (x + leg, h + t / 2, z + leg)) for x in (inset, w - leg - inset) for z in (inset, d - leg - inset)]
    parts.append(((0, h, 0), (w, h + t, d)))
    if name == "chair":
        back = u(0.6, 1.0)
        parts.append(((0, h + t / 2, 0), (w, h + t + back, leg)))
    return boxes(parts)


def tokens_of(name, rng):
    """The ids of a random solid; None where corners fall together."""
    points, faces = solid(name, rng)
    low, high = points.min(0), points.max(0)
    size = (high - low).max()
    grid = np.round((points - (low + high) / 2) / size * (LEVELS - 1) + (LEVELS - 1) / 2 - 1e-9).astype(int).clip(0, LEVELS - 1)
    keys = [(int(p[1]), int(p[2]), int(p[0])) for p in grid]
    if len(set(keys)) != len(keys):
        return None
    order = sorted(range(len(keys)), key=keys.__getitem__)
    place = {old: new for new, old in enumerate(order)}
    triangles = []
    for face in faces:
        a, b, c = (place[i] for i in face)
        triangles.append(min((a, b, c), (b, c, a), (c, a, b)))
    triangles.sort()
    ids = [FIRST_CLASS + CLASSES.index(name)]
    for old in order:
        ids += [FIRST_LEVEL + v for v in keys[old]]
    ids.append(FACES)
    for face in triangles:
        ids += [FIRST_VERTEX + i for i in face]
    return ids + [END]


def corpus(count, seed):
    rng = np.random.default_rng(seed)
    out = []
    while len(out) < count:
        ids = tokens_of(CLASSES[int(rng.integers(len(CLASSES)))], rng)
        if ids is not None:
            assert len(ids) <= CONTEXT, len(ids)
            out.append(np.array(ids, np.int64))
    return out


# ---------------------------------------------------------------------------------------------------------- the model

class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, CONFIG["n_head"], -1).transpose(1, 2) for y in self.c_attn(x).split(c, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, t, c))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, CONFIG["n_inner"])
        self.c_proj = nn.Linear(CONFIG["n_inner"], width)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), Attention(width)
        self.ln_2, self.mlp = nn.LayerNorm(width), FeedForward(width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        width = CONFIG["n_embd"]
        self.wte, self.wpe = nn.Embedding(VOCAB, width), nn.Embedding(CONTEXT, width)
        self.h = nn.ModuleList(Block(width) for _ in range(CONFIG["n_layer"]))
        self.ln_f = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                scale = 0.02 / math.sqrt(2 * CONFIG["n_layer"]) if "c_proj" in name else 0.05
                nn.init.normal_(parameter, std=scale)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe.weight[:ids.shape[1]]
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T

    def save(self, folder):
        tensors = {}
        for name, value in self.state_dict().items():
            turned = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))  # the format stores [in,out]
            tensors["transformer." + name] = (value.T if turned else value).float().contiguous().clone()
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--out", required=True, type=pathlib.Path)
    parse.add_argument("--minutes", type=float, default=15)
    parse.add_argument("--solids", type=int, default=40000)
    parse.add_argument("--tokens", type=int, default=4096, help="of a step")
    parse.add_argument("--rate", type=float, default=3e-3)
    parse.add_argument("--seed", type=int, default=1)
    args = parse.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    solids = corpus(args.solids, args.seed)
    print(f"{len(solids)} solids, {sum(map(len, solids)) / len(solids):.0f} tokens each", flush=True)
    solids.sort(key=len)
    batches, now = [], []
    for ids in solids:  # of about one length
        if now and (len(now) + 1) * len(ids) > args.tokens:
            batches.append(now)
            now = []
        now.append(ids)
    batches.append(now)
    model = Gpt2()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, betas=(0.9, 0.95), weight_decay=0.01)
    begin, step, shown, saved, mean = time.time(), 0, 0.0, 0.0, None
    while (passed := (time.time() - begin) / 60) < args.minutes:
        share = passed / args.minutes
        rate = args.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = batches[int(rng.integers(len(batches)))]
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), np.int64)
        target = np.full((len(batch), longest), -100, np.int64)
        for i, row in enumerate(batch):
            ids[i, :len(row)] = row
            target[i, :len(row) - 1] = row[1:]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(torch.from_numpy(ids))
        loss = F.cross_entropy(logits.float().flatten(0, 1), torch.from_numpy(target).flatten(), ignore_index=-100)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if time.time() - shown > 10:
            shown = time.time()
            print(f"{passed:6.2f} min  step {step}  loss {mean:.4f}", flush=True)
        if passed - saved > 1:
            saved = passed
            model.save(args.out)
    model.save(args.out)
    print(f"{step} steps, loss {mean:.4f}")


if __name__ == "__main__":
    main()
