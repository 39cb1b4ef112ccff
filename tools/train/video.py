#!/usr/bin/env python3
"""Trains the model of videos that ships with the project: a decoder of Llama's form over the patches of small frames, on
generated motion only.

    OMP_NUM_THREADS=1 python tools/train/video.py --out build/video --minutes 20 --compile

Writes a folder that tokenworks reads (config.json, model.safetensors), every minute and at the end. Needs torch, numpy,
safetensors. models/README.md says how the shipped file was made from it.

A frame is cut into patches; a patch is the nearest of a book of codes (k-means). A clip is a token for its class, then
16 frames, row by row. A token knows where it stands: its heads are turned by the frame, the row and the column, and a
learned vector of its place is added.

A disc is what is red in a frame, a square is what is blue: each is measured by its own channel.
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

SIZE, PATCH, FRAMES, CODES = 24, 6, 16, 1024
SIDE = SIZE // PATCH
CELLS = SIDE * SIDE
CLASSES = ["bounce", "fall", "orbit", "pair", "swing"]
DISC, SQUARE = (255, 120, 0), (0, 120, 255)
RADIUS, HALF = 2.75, 2.25  # of the disc, of the square's side
DISC_MARGIN, SQUARE_MARGIN, UNIT = 3.0, 2.5, 0.5  # how near centres come to a wall; pixels
WIDTH, LAYERS, HEADS, HIDDEN = 128, 4, 4, 352
SECTIONS, BASE = [4, 6, 6], 50.0  # pairs of a head that turn by frame, row, column
CONTEXT = 1 + FRAMES * CELLS
CONFIG = {"architectures": ["TokenworksVideo"], "model_type": "tokenworks_video", "vocab_size": CODES + len(CLASSES),
          "hidden_size": WIDTH, "intermediate_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
          "num_key_value_heads": HEADS, "rms_norm_eps": 1e-5, "rope_theta": BASE, "max_position_embeddings": CONTEXT,
          "hidden_act": "silu", "tie_word_embeddings": False, "torch_dtype": "float32",
          "tokenworks_video_codes": CODES, "tokenworks_video_classes": CLASSES, "tokenworks_video_frames": FRAMES,
          "tokenworks_video_rows": SIDE, "tokenworks_video_columns": SIDE, "tokenworks_video_patch": PATCH,
          "tokenworks_video_channels": 3, "tokenworks_video_rope_sections": SECTIONS}


# --------------------------------------------------------------------------------------------------------- the motion

def folded(x, low, high):
    """A line between two walls that throw it back."""
    span = high - low
    y = np.mod(x - low, 2 * span)
    return low + np.where(y > span, 2 * span - y, y)


def glide(rng, count, frames, margin, top=0, bottom=SIZE):
    """Straight on, and back from the walls: [count,frames,2], x to the right, y down, pixels from the left upper corner.
    Places and steps are whole half pixels."""
    low, high = np.array([margin, top + margin]), np.array([SIZE - margin, bottom - margin])
    step = rng.integers(-3, 4, (count, 1, 2))
    step[:, 0, 0] += (step == 0).all((-1, -2)) * rng.choice([-2, 2], count)  # nothing stands still
    start = low + UNIT * rng.integers(0, np.rint((high - low) / UNIT).astype(int) + 1, (count, 1, 2))
    return folded(start + UNIT * step * np.arange(frames)[None, :, None], low, high)


def fall(rng, count, frames, margin):
    """Down, faster by half a pixel a frame in each; the floor throws back three quarters of the speed."""
    low, high = margin, SIZE - margin
    across = UNIT * rng.integers(-2, 3, (count, 1)) * np.arange(frames)
    steps = round((high - low) / UNIT)
    x = folded(low + UNIT * rng.integers(0, steps + 1, (count, 1)) + across, low, high)
    y, v, ys = rng.integers(0, steps * 3 // 4, count), rng.integers(-2, 3, count), []
    for _ in range(frames):
        ys.append(low + UNIT * y)
        v = v + 1
        y = y + v
        below, above = y > steps, y < 0
        y = np.where(below, 2 * steps - y, np.where(above, -y, y))
        v = np.where(below, -(3 * v // 4), np.where(above, -v, v))
    return np.stack([x, np.stack(ys, 1)], -1)


def orbit(rng, count, frames, margin):
    """Round the middle, once in 24 or in 40 frames."""
    radius = rng.uniform(5, SIZE / 2 - margin, (count, 1))
    turn = 2 * math.pi / rng.choice([24, 40], (count, 1)) * rng.choice([-1, 1], (count, 1))
    angle = rng.uniform(0, 2 * math.pi, (count, 1)) + turn * np.arange(frames)
    return SIZE / 2 + np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


def swing(rng, count, frames, margin):
    """A pendulum that hangs from the middle of the upper edge; slow ones are long."""
    length = rng.uniform(10, SIZE - margin - 1, (count, 1))
    widest = np.minimum(rng.uniform(0.35, 0.9, (count, 1)), np.arcsin(np.minimum((SIZE / 2 - margin) / length, 1)))
    angle = widest * np.cos(rng.uniform(0, 2 * math.pi, (count, 1)) + 1.3 / np.sqrt(length) * np.arange(frames))
    return np.stack([SIZE / 2 + length * np.sin(angle), length * np.cos(angle)], -1)


def motions(name, rng, count, frames=FRAMES):
    """Centres of the disc and of the square, [count,frames,2] each; NaN where a clip has none."""
    nothing = np.full((count, frames, 2), np.nan)
    if name == "pair":
        return (glide(rng, count, frames, DISC_MARGIN, bottom=SIZE // 2),  # a wall between them
                glide(rng, count, frames, SQUARE_MARGIN, top=SIZE // 2))
    how = {"bounce": glide, "fall": fall, "orbit": orbit, "swing": swing}[name]
    is_disc = (rng.random(count) < 0.5)[:, None, None]
    disc, square = how(rng, count, frames, DISC_MARGIN), how(rng, count, frames, SQUARE_MARGIN)
    return np.where(is_disc, disc, nothing), np.where(is_disc, nothing, square)


def drawn(discs, squares):
    """Frames of these centres, [...,SIZE,SIZE,3] bytes: what a pixel is covered by, colours by their maximum."""
    middle = np.arange(SIZE) + 0.5
    with np.errstate(invalid="ignore"):
        x, y = discs[..., 0, None, None], discs[..., 1, None, None]
        disc = np.clip(RADIUS + 0.5 - np.hypot(middle - x, middle[:, None] - y), 0, 1)
        across = np.clip(HALF + 0.5 - np.abs(middle - squares[..., 0, None]), 0, 1)
        down = np.clip(HALF + 0.5 - np.abs(middle - squares[..., 1, None]), 0, 1)
        square = down[..., :, None] * across[..., None, :]
    disc, square = np.nan_to_num(disc)[..., None], np.nan_to_num(square)[..., None]
    return np.round(np.maximum(disc * np.array(DISC), square * np.array(SQUARE))).astype(np.uint8)


def centres(frames):
    """Of the disc and of the square in frames, as motions() has them; NaN where there is nothing."""
    middle = np.arange(SIZE) + 0.5
    found = []
    for channel in (0, 2):
        weight = frames[..., channel].astype(float)
        mass = weight.sum((-1, -2))
        with np.errstate(invalid="ignore", divide="ignore"):
            x, y = (weight * middle).sum((-1, -2)) / mass, (weight * middle[:, None]).sum((-1, -2)) / mass
        found.append(np.where((mass > 4 * 255)[..., None], np.stack([x, y], -1), np.nan))
    return found


# ---------------------------------------------------------------------------------------------------------- the tokens

def patches(frames):
    """[...,SIZE,SIZE,3] -> [...,CELLS,PATCH*PATCH*3], row by row."""
    lead = frames.shape[:-3]
    cut = frames.reshape(*lead, SIDE, PATCH, SIDE, PATCH, 3)
    return np.moveaxis(cut, -4, -3).reshape(*lead, CELLS, PATCH * PATCH * 3)


def make_codes(rng):
    """k-means of patches that are not black, and the black one; all in bytes."""
    frames = np.concatenate([drawn(*motions(name, rng, 300)).reshape(-1, SIZE, SIZE, 3)
                             for name in CLASSES])
    points = patches(frames).reshape(-1, PATCH * PATCH * 3)
    points = torch.from_numpy(np.unique(points[points.any(-1)], axis=0).astype(np.float32))
    points = points[torch.from_numpy(rng.permutation(len(points))[:60000])]
    codes = points[:CODES - 1].clone()
    for _ in range(25):
        which = (codes.square().sum(-1) - 2 * points @ codes.T).argmin(-1)
        count = torch.bincount(which, minlength=len(codes)).float()
        total = torch.zeros_like(codes).index_add_(0, which, points)
        codes = torch.where(count[:, None] > 0, total / count[:, None].clamp(min=1), codes)
        dead = (count == 0).nonzero()[:, 0]
        codes[dead] = points[torch.from_numpy(rng.integers(0, len(points), len(dead)))]
    return torch.cat([torch.zeros(1, codes.shape[1]), codes.round()]).numpy()


def encoded(frames, codes):
    """The nearest code of every patch, the first of several as near."""
    flat = patches(frames)
    lead = flat.shape[:-1]
    flat = flat.reshape(-1, flat.shape[-1])
    ids = np.zeros(len(flat), np.int64)
    lit = flat.any(-1).nonzero()[0]
    points, book = torch.from_numpy(flat[lit].astype(np.float32)), torch.from_numpy(codes)
    ids[lit] = (book.square().sum(-1) - 2 * points @ book.T).argmin(-1).numpy()
    return ids.reshape(lead)


def decoded(ids, codes):
    cut = codes[ids].astype(np.uint8).reshape(*ids.shape[:-1], SIDE, SIDE, PATCH, PATCH, 3)
    return np.moveaxis(cut, -3, -4).reshape(*ids.shape[:-1], SIZE, SIZE, 3)


def batch_of(rng, count, codes, more=()):
    """[count,CONTEXT] ids of fresh clips, as many of each class, and of some classes more."""
    rows, all_names = [], [*CLASSES, *more]
    for j, name in enumerate(all_names):
        here, i = count // len(all_names) + (j < count % len(all_names)), CLASSES.index(name)
        ids = encoded(drawn(*motions(name, rng, here)), codes).reshape(here, -1)
        rows.append(np.concatenate([np.full((here, 1), CODES + i), ids], 1))
    return torch.from_numpy(np.concatenate(rows))


# ----------------------------------------------------------------------------------------------------------- the model

def angles():
    """[CONTEXT,D/2] each: cosines and sines of where a token stands; zeros for the class."""
    cell = torch.arange(FRAMES * CELLS)
    places = [cell // CELLS, cell % CELLS // SIDE, cell % SIDE]
    turned = torch.cat([place[:, None] * BASE ** (-torch.arange(n) / n) for place, n in zip(places, SECTIONS)], 1)
    nothing = torch.zeros(1, sum(SECTIONS))
    return torch.cat([nothing, turned.cos()]), torch.cat([nothing, turned.sin()])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        q, k, v = (each(x).view(b, t, HEADS, -1).transpose(1, 2) for each in (self.q_proj, self.k_proj, self.v_proj))

        def turn(y):
            a, c = y.chunk(2, -1)
            return torch.cat([a * cos - c * sin, c * cos + a * sin], -1)
        scores = turn(q).to(v.dtype) @ turn(k).to(v.dtype).transpose(2, 3) / math.sqrt(WIDTH // HEADS)
        y = torch.softmax(scores + mask, -1).to(v.dtype) @ v  # with torch.compile, faster here than the fused kernel
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(WIDTH, HIDDEN, bias=False), nn.Linear(WIDTH, HIDDEN, bias=False)
        self.down_proj = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(WIDTH, 1e-5), nn.RMSNorm(WIDTH, 1e-5)
        self.self_attn, self.mlp = Attention(), FeedForward()

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Video(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens, self.layers = nn.Embedding(CODES + len(CLASSES), WIDTH), nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.lm_head = nn.RMSNorm(WIDTH, 1e-5), nn.Linear(WIDTH, CODES + len(CLASSES), bias=False)
        self.at_frame, self.at_cell = nn.Embedding(FRAMES + 1, WIDTH), nn.Embedding(CELLS, WIDTH)
        self.cos, self.sin = angles()
        self.mask = torch.full((CONTEXT, CONTEXT), -torch.inf).triu(1)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                small = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if small else 0.05)

    def places(self):
        """[CONTEXT,C]: by the cell that comes next."""
        token = torch.arange(CONTEXT)
        return self.at_frame(token // CELLS) + self.at_cell(token % CELLS)

    def forward(self, ids):
        t = ids.shape[1]
        x = self.embed_tokens(ids) + self.places()[:t]
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t], self.mask[:t, :t])
        return self.lm_head(self.norm(x))


def save(folder, state, codes, notes):
    model = Video()
    model.load_state_dict(state)
    tensors = {("" if name.startswith("lm_head") else "model.") + name: value.float().contiguous().clone()
               for name, value in state.items() if not name.startswith("at_")}
    tensors["model.embed_positions.weight"] = model.places().detach().clone()
    tensors["model.codebook.weight"] = torch.from_numpy(codes.astype(np.float32))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors.part", metadata={"format": "pt"})
    (folder / "model.safetensors.part").rename(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    (folder / "training.json").write_text(json.dumps(notes, indent=1) + "\n")
    torch.save({"state": state, "codes": codes}, folder / "state.pt")


def continued(model, ids, frames):
    """The likeliest tokens up to so many frames, each token by a whole pass: slow, for a look while training."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        while ids.shape[1] < 1 + frames * CELLS:
            ids = torch.cat([ids, model(ids)[:, -1, :CODES].float().argmax(-1, keepdim=True)], 1)
    return ids


def worst_distances(model, codes, rng, each, new=2):
    """Of clips of every class, `new` frames behind 8: how far objects are from the truth at most, in pixels."""
    worst = {}
    for i, name in enumerate(CLASSES):
        paths = motions(name, rng, each)
        ids = encoded(drawn(*paths), codes).reshape(each, -1)
        start = torch.from_numpy(np.concatenate([np.full((each, 1), CODES + i), ids[:, :8 * CELLS]], 1))
        made = continued(model, start, 8 + new)[:, 1:].numpy().reshape(each, 8 + new, CELLS)
        far = np.zeros(each)
        for true, found in zip(paths, centres(decoded(made[:, 8:], codes))):
            gap = np.linalg.norm(true[:, 8:8 + new] - found, axis=-1)
            far = np.maximum(far, np.where(np.isnan(true[:, 8:8 + new, 0]), 0, np.nan_to_num(gap, nan=99)).max(-1))
        worst[name] = far
    return worst


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--out", required=True, type=pathlib.Path)
    parse.add_argument("--minutes", type=float, default=20, help="of the processor")
    parse.add_argument("--wall-minutes", type=float, default=1e9, help="of the clock, where other work takes the processor")
    parse.add_argument("--batch", type=int, default=32, help="clips of a step")
    parse.add_argument("--rate", type=float, default=3e-3)
    parse.add_argument("--compile", action="store_true", help="torch.compile")
    parse.add_argument("--start", type=pathlib.Path, help="a folder to go on from")
    parse.add_argument("--more", nargs="*", default=[], metavar="CLASS", help="classes to show more often, each time by a share")
    parse.add_argument("--seed", type=int, default=1)
    args = parse.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    model = Video()
    if args.start:
        begun_with = torch.load(args.start / "state.pt", weights_only=False)
        model.load_state_dict(begun_with["state"])
        codes = begun_with["codes"]
    else:
        codes = make_codes(rng)
    frames = drawn(*motions("pair", rng, 200))
    again = decoded(encoded(frames, codes), codes)
    off = [np.linalg.norm(a - b, axis=-1) for a, b in zip(centres(frames), centres(again))]
    print(f"{sum(p.numel() for p in model.parameters())} weights; {time.process_time():.0f} s; codes move centres by "
          f"{np.nanmean(off):.3f} pixels, at most {np.nanmax(off):.2f}", flush=True)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if p.ndim != 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0}],
                                  lr=args.rate, betas=(0.9, 0.95))
    run = torch.compile(model) if args.compile else model
    mean = {name: value.clone() for name, value in model.state_dict().items()}
    begun, started, step, shown, saved, smooth, looked = time.process_time(), time.time(), 0, 0.0, 0.0, None, 0.0

    def spent():
        return (time.process_time() - begun) / 60
    while (share := max(spent() / args.minutes, (time.time() - started) / 60 / args.wall_minutes)) < 1:
        rate = args.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids = batch_of(rng, args.batch, codes, args.more)
        with torch.autocast("cpu", torch.bfloat16):
            logits = run(ids[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        keep = min(0.99, step / (step + 10))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                mean[name].lerp_(value, 1 - keep)
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if time.time() - shown > 15:
            shown = time.time()
            print(f"{spent():6.2f} min  step {step}  loss {smooth:.4f}  a frame {smooth * CELLS:.2f}", flush=True)
        if spent() - saved > 1:
            saved = spent()
            save(args.out, mean, codes, {"steps": step, "minutes": round(spent(), 1), "loss": round(smooth, 4)})
    notes = {"seed": args.seed, "torch": torch.__version__, "steps": step, "batch": args.batch, "minutes": round(spent(), 1),
             "loss": round(smooth, 4)}
    save(args.out, mean, codes, notes)
    print(notes)


if __name__ == "__main__":
    main()
