#!/usr/bin/env python3
"""Tokens a second of the video model beside the same model in torch (with a cache), one video at a time.

    python bench/video_speed.py --program build/bin/tokenworks --folder build/video [--threads 1] [--compile]

Needs torch, numpy, safetensors. The folder is what tools/train/video.py made; the program runs models/video.gguf. Both
make 16 frames of a class. Torch's sequence is taken in turns with the program's, and the medians are compared.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools" / "train"))
import video  # noqa: E402


class Cached:
    """The trained model, a token at a time; compiled or eager."""

    def __init__(self, folder, is_compiled):
        tensors = load_file(pathlib.Path(folder) / "model.safetensors")
        self.model = video.Video().eval()
        missing = self.model.load_state_dict({name.removeprefix("model."): value for name, value in tensors.items()
                                              if "codebook" not in name and "positions" not in name}, strict=False)
        assert all(name.startswith("at_") for name in missing.missing_keys) and not missing.unexpected_keys
        self.places = tensors["model.embed_positions.weight"]
        self.is_compiled = is_compiled
        self.step = torch.compile(self.masked) if is_compiled else None

    def start(self):
        shape = (1, video.HEADS, video.CONTEXT, video.WIDTH // video.HEADS)
        self.keys, self.values = ([torch.zeros(shape) for _ in self.model.layers] for _ in range(2))

    def logits(self, token, at):
        return self.step(torch.tensor([token]), torch.tensor([at])) if self.is_compiled else self.eager(token, at)

    def masked(self, token, at):
        """With a mask in place of a length, so that every step is of one shape and compiled once."""
        m = self.model
        cos, sin = m.cos[at], m.sin[at]
        x = m.embed_tokens.weight[token] + self.places[at]
        mask = (torch.arange(video.CONTEXT) <= at)[None]
        for i, layer in enumerate(m.layers):
            a, y = layer.self_attn, layer.input_layernorm(x)
            q, k, v = (each(y).view(1, video.HEADS, 1, -1) for each in (a.q_proj, a.k_proj, a.v_proj))

            def turn(z):
                b, c = z.chunk(2, -1)
                return torch.cat([b * cos - c * sin, c * cos + b * sin], -1)
            self.keys[i].index_copy_(2, at, turn(k))
            self.values[i].index_copy_(2, at, v)
            y = F.scaled_dot_product_attention(turn(q), self.keys[i], self.values[i], attn_mask=mask)
            x = x + a.o_proj(y.reshape(1, -1))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return m.lm_head(m.norm(x))[0]

    def eager(self, token, at):
        m = self.model
        cos, sin = m.cos[at], m.sin[at]
        x = m.embed_tokens.weight[token][None] + self.places[at]
        for i, layer in enumerate(m.layers):
            a, y = layer.self_attn, layer.input_layernorm(x)
            q, k, v = (each(y).view(1, video.HEADS, 1, -1) for each in (a.q_proj, a.k_proj, a.v_proj))

            def turn(z):
                b, c = z.chunk(2, -1)
                return torch.cat([b * cos - c * sin, c * cos + b * sin], -1)
            self.keys[i][:, :, at:at + 1], self.values[i][:, :, at:at + 1] = turn(k), v
            y = F.scaled_dot_product_attention(turn(q), self.keys[i][:, :, :at + 1], self.values[i][:, :, :at + 1])
            x = x + a.o_proj(y.reshape(1, -1))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return m.lm_head(m.norm(x))[0]


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--program", required=True)
    parse.add_argument("--folder", required=True)
    parse.add_argument("--model", help="in place of models/video.gguf")
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--compile", action="store_true", help="a step of torch's by torch.compile")
    args = parse.parse_args()
    torch.set_num_threads(args.threads)
    model = Cached(args.folder, args.compile)
    # The steps are those of the model that was trained: the same logits as a whole pass.
    ids = [video.CODES + 1] + list(range(40))
    model.start()
    with torch.no_grad():
        steps = torch.stack([model.logits(token, at) for at, token in enumerate(ids)])
        model.model.places = lambda: model.places
        whole = model.model(torch.tensor([ids]))[0]
    assert (steps - whole).abs().max() < 1e-3, (steps - whole).abs().max()
    theirs, ours = [], []
    total = video.FRAMES * video.CELLS
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(7):
            torch.manual_seed(seed)
            model.start()
            token, begun = video.CODES + 1, time.perf_counter()
            with torch.no_grad():
                for at in range(total):
                    chances = torch.softmax(model.logits(token, at)[:video.CODES] / 0.8, -1)
                    token = int(torch.multinomial(chances, 1))
            theirs.append(total / (time.perf_counter() - begun))
            told = json.loads(subprocess.run(
                [args.program, "video", "--class", "fall", "--seed", str(seed), "-t", str(args.threads), "--json", "-o",
                 f"{folder}/a.gif", *(["-m", args.model] if args.model else [])],
                check=True, capture_output=True, text=True).stdout)["timings"]
            ours.append(told["generated_tokens"] / told["decode_seconds"])
    a, b = statistics.median(theirs), statistics.median(ours)
    print(f"torch{', compiled' if args.compile else ''} {a:.0f} tokens/s, tokenworks {b:.0f} tokens/s, {b / a:.1f} times as many, {args.threads} threads")


if __name__ == "__main__":
    main()
