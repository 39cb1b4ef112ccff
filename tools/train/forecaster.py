#!/usr/bin/env python3
"""Trains the forecaster that ships with the project: Chronos-Bolt's layout (patches, a T5 encoder, one step of a T5
decoder, quantiles), small, on generated series only.

    export OMP_NUM_THREADS=1
    python tools/train/forecaster.py --out build/forecaster_1 --minutes 30 --bf16
    python tools/train/forecaster.py --out build/forecaster_2 --minutes 15 --bf16 --start build/forecaster_1 \\
        --context 192 --plain 0.75 --seed 2 --rate 1e-3 --warm-up 10

Writes a Hugging Face folder (config.json, model.safetensors) that chronos-forecasting reads too, every few minutes and
at the end. Needs torch, numpy, safetensors. models/README.md says how the shipped file was made from it.

The patches overlap and step by 12, so that a month of the year, a quarter and an hour of the day stand at the same place
of every patch.
"""
import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

CONTEXT, HORIZON, PATCH, STRIDE = 504, 48, 24, 12
QUANTILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
CONFIG = {
    "architectures": ["ChronosBoltModelForForecasting"],
    "model_type": "t5", "chronos_pipeline_class": "ChronosBoltPipeline",
    "d_model": 128, "d_kv": 32, "d_ff": 512, "num_layers": 4, "num_decoder_layers": 2, "num_heads": 4,
    "dense_act_fn": "relu", "feed_forward_proj": "relu", "is_gated_act": False, "dropout_rate": 0.0,
    "initializer_factor": 0.05, "is_encoder_decoder": True, "layer_norm_epsilon": 1e-6,
    "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
    "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "reg_token_id": 1, "vocab_size": 2,
    "tie_word_embeddings": True, "use_cache": True, "torch_dtype": "float32",
    # Of series without a season more than a hundred values make forecasts worse: measured on generated ones.
    "chronos_config": {"context_length": 96, "prediction_length": HORIZON, "input_patch_size": PATCH,
                       "input_patch_stride": STRIDE, "quantiles": QUANTILES, "use_reg_token": True},
    # Seasons that tokenworks takes out before the model sees a series (include/tokenworks/runtime/season.hpp).
    "tokenworks_seasons": [4, 7, 12, 24, 52],
}


# ---------------------------------------------------------------------------------------------------------- the series

def log_uniform(rng, low, high, size):
    return np.exp(rng.uniform(math.log(low), math.log(high), size))


def seasonal(rng, count, length, period, drift):
    """Patterns of one season, [count,length]: smooth ones, one value a place, and some that are flat but for a few."""
    whole = int(round(period))
    kind = rng.random((count, 1))
    phase = np.arange(length)[None, :] * (2 * math.pi / period)
    smooth = np.zeros((count, length))
    places = np.zeros((count, max(whole, 1)))
    for k in range(1, min(6, max(2, whole // 2 + 1))):
        size = rng.normal(size=(count, 1)) * k ** -rng.uniform(0.3, 2.0, (count, 1))
        smooth += size * np.sin(k * phase + rng.uniform(0, 2 * math.pi, (count, 1)))
    places = rng.normal(size=places.shape)
    special = np.where(rng.random(places.shape) < max(0.12, 1.5 / max(whole, 1)), rng.normal(size=places.shape) * 2, 0.0)
    where = (np.floor(np.arange(length) * whole / period).astype(int) + rng.integers(0, max(whole, 1))) % max(whole, 1)
    out = np.where(kind < 0.45, smooth, np.where(kind < 0.85, places[:, where] * 0.8 + smooth * 0.4, special[:, where]))
    out -= out.mean(axis=1, keepdims=True)
    out /= out.std(axis=1, keepdims=True) + 1e-9
    # The pattern changes slowly: its size, and its shape towards another.
    size = np.exp(np.cumsum(rng.normal(size=(count, length)), axis=1) * drift[:, None] / math.sqrt(max(period, 1)))
    return out * size


def cycles(rng, count, length):
    """Cycles without a fixed period: autoregressions of order 2 with complex roots."""
    period = log_uniform(rng, 4, 60, count)
    radius = rng.uniform(0.9, 0.995, count)
    a, b = 2 * radius * np.cos(2 * math.pi / period), -radius ** 2
    noise = rng.normal(size=(length + 100, count))
    x = np.zeros((length + 100, count))
    for t in range(2, length + 100):
        x[t] = a * x[t - 1] + b * x[t - 2] + noise[t]
    x = x[100:].T
    return (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1e-9)


def gaussian_process(rng, count, length):
    """Samples of sums of kernels (rational, squared exponential, periodic) by random features."""
    t = np.arange(length)[None, :, None]
    scale = log_uniform(rng, 4, 300, (count, 1, 1))
    frequency = rng.standard_t(4, (count, 1, 24)) / scale
    out = (rng.normal(size=(count, 1, 24)) * np.cos(frequency * t + rng.uniform(0, 2 * math.pi, (count, 1, 24)))).sum(-1)
    return out / (out.std(axis=1, keepdims=True) + 1e-9)


def autoregression(rng, count, length):
    phi = np.where(rng.random(count) < 0.5, 0.0, rng.uniform(-0.4, 0.95, count))
    tails = rng.random((count, 1)) < 0.2
    noise = np.where(tails, rng.standard_t(3, (count, length)) * 0.6, rng.normal(size=(count, length))).T.copy()
    for t in range(1, length):
        noise[t] += phi * noise[t - 1]
    return noise.T * np.sqrt(1 - phi[:, None] ** 2)


def paths(rng, count, length, smoothness):
    """Levels that walk, with a slope that walks too and dies down. A unit is about the whole series' change."""
    slope_size = np.where(rng.random(count) < 0.5, 0.0, log_uniform(rng, 0.003, 0.1, count))
    level_size = np.where(rng.random(count) < 0.3, 0.0, log_uniform(rng, 0.02, 1.0, count))
    damping = np.where(rng.random(count) < 0.5, 1.0, rng.uniform(0.9, 0.999, count))
    first = np.where(rng.random(count) < 0.65, rng.normal(size=count), 0.0) * smoothness / length
    steps = rng.normal(size=(length, count)) * (slope_size / math.sqrt(length))
    slope = np.empty((length, count))
    now = np.zeros(count)
    for t in range(length):
        now = damping * now + steps[t]
        slope[t] = now
    level = rng.normal(size=(length, count)) * (level_size / math.sqrt(length)) + slope + first
    return np.cumsum(level, axis=0).T


def series(rng, count, context, horizon=HORIZON, plain=None):
    """[count, context + horizon], float32, NaN where nothing is known.

    plain: the share of series without a season; more among short ones, if not given."""
    length = context + horizon
    periods = [m for m in (4, 7, 12, 24, 52, 168) if 2 * m <= context] or [0]
    weight = np.array([{0: 1, 4: 2.5, 7: 2, 12: 4, 24: 2.5, 52: 0.7, 168: 0.5}[m] for m in periods])
    chosen = rng.choice(periods, size=count, p=weight / weight.sum()).astype(float)
    other = rng.random(count) < 0.12
    chosen[other] = np.round(rng.uniform(2, max(3, min(context / 2, 100)), other.sum()))
    chosen[rng.random(count) < ((0.4 if context < 60 else 0.16) if plain is None else plain)] = 0
    drift = np.where(rng.random(count) < 0.5, 0.0, log_uniform(rng, 0.01, 0.3, count))
    season = np.zeros((count, length))
    for period in np.unique(chosen):
        if period > 0:
            rows = np.flatnonzero(chosen == period)
            season[rows] = seasonal(rng, len(rows), length, period, drift[rows])
            if period in (7, 24):
                longer = {7: 365.25, 24: 168}[int(period)]
                some = rows[rng.random(len(rows)) < 0.4]
                if len(some):
                    season[some] += seasonal(rng, len(some), length, longer, drift[some]) * rng.uniform(0.1, 1, (len(some), 1))
    trend = paths(rng, count, length, rng.choice([0.5, 1.0, 3.0], count))
    some = np.flatnonzero(rng.random(count) < 0.15)
    trend[some] += gaussian_process(rng, len(some), length) * log_uniform(rng, 0.1, 2, (len(some), 1))
    some = np.flatnonzero(rng.random(count) < 0.15)
    trend[some] += cycles(rng, len(some), length) * log_uniform(rng, 0.1, 2, (len(some), 1))
    some = np.flatnonzero(rng.random(count) < 0.12)  # the level jumps
    for row in some:
        for at in rng.integers(0, length, rng.integers(1, 3)):
            trend[row, at:] += rng.normal()
    noise = autoregression(rng, count, length)
    season_size = np.where(chosen > 0, log_uniform(rng, 0.1, 3, count), 0)[:, None]
    noise_size = (log_uniform(rng, 0.01, 0.5, count) * np.where(rng.random(count) < 0.12, 3, 1))[:, None]
    clear = (rng.random(count) < 0.15) & (chosen > 0)  # hardly more than a season
    trend[clear] *= 0.2
    noise_size[clear] *= 0.2

    # Sums of the parts; or products, on a level that stays positive.
    added = trend + season * season_size + noise * noise_size
    base = np.exp(np.clip(trend * rng.uniform(0.2, 1.0, (count, 1)), -6, 6))
    factor = np.clip(rng.uniform(0.05, 0.4, (count, 1)) * season * np.minimum(season_size * 2, 1), -0.95, 4)
    multiplied = base * (1 + factor) * np.exp(np.clip(noise * noise_size * 0.35, -3, 3))
    out = np.where(rng.random((count, 1)) < 0.5, added, multiplied)

    kind = rng.random(count)
    walk = kind < 0.06
    out[walk] = np.cumsum(rng.normal(size=(walk.sum(), length)) + rng.normal(size=(walk.sum(), 1)) * 0.05, axis=1)
    swings = (kind >= 0.06) & (kind < 0.11)  # cycles with sharp tops, as of hunters and prey
    out[swings] = np.exp(cycles(rng, swings.sum(), length) * rng.uniform(0.3, 1.3, (swings.sum(), 1)))
    counts = (kind >= 0.11) & (kind < 0.15)
    rate = np.clip(np.exp(0.5 * added[counts]) * log_uniform(rng, 0.1, 8, (counts.sum(), 1)), 0, 1e3)
    out[counts] = rng.poisson(rate)
    rests = (kind >= 0.15) & (kind < 0.20)  # nothing below zero
    out[rests] = np.maximum(out[rests] - np.quantile(out[rests], rng.uniform(0.02, 0.6), axis=1, keepdims=True), 0)
    smooth = (kind >= 0.20) & (kind < 0.24)
    out[smooth] = gaussian_process(rng, smooth.sum(), length)

    out = out * np.where(rng.random((count, 1)) < 0.06, -1.0, 1.0)
    for row in np.flatnonzero(rng.random(count) < 0.1):  # outliers
        at = rng.integers(0, context, rng.integers(1, 4))
        out[row, at] += rng.normal(size=len(at)) * 4 * out[row].std()
    for row in np.flatnonzero(rng.random(count) < 0.1):  # what is missing
        if rng.random() < 0.5:
            out[row, rng.random(length) < rng.uniform(0.01, 0.4)] = np.nan
        else:
            begin = rng.integers(0, context)
            out[row, begin:begin + rng.integers(1, max(2, context // 4))] = np.nan
    for row in np.flatnonzero(rng.random(count) < 0.08):  # it began later
        out[row, :rng.integers(0, max(1, context - 8))] = np.nan
    return out.astype(np.float32)


# ----------------------------------------------------------------------------------------------------------- the model

class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, CONFIG["layer_norm_epsilon"])


def linear(inputs, outputs, bias=False, std=None):
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.normal_(layer.weight, std=std or inputs ** -0.5)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class Attention(nn.Module):
    def __init__(self, biased):
        super().__init__()
        width, inner = CONFIG["d_model"], CONFIG["num_heads"] * CONFIG["d_kv"]
        self.q = linear(width, inner, std=(width * CONFIG["d_kv"]) ** -0.5)
        self.k = linear(width, inner)
        self.v = linear(width, inner)
        self.o = linear(inner, width, std=0.5 * inner ** -0.5)
        if biased:
            self.relative_attention_bias = nn.Embedding(CONFIG["relative_attention_num_buckets"], CONFIG["num_heads"])
            nn.init.normal_(self.relative_attention_bias.weight, std=0.1)

    def forward(self, x, memory, bias):
        heads = lambda y: y.view(y.shape[0], y.shape[1], CONFIG["num_heads"], CONFIG["d_kv"]).transpose(1, 2)
        q, k, v = heads(self.q(x)), heads(self.k(memory)), heads(self.v(memory))
        weights = torch.softmax(q @ k.transpose(-1, -2) + bias, dim=-1)
        return self.o((weights @ v).transpose(1, 2).flatten(2))


class Part(nn.Module):
    """A norm and what stands behind it; the names are those of the format."""

    def __init__(self, name, module):
        super().__init__()
        self.add_module(name, module)
        self.name = name
        self.layer_norm = RmsNorm(CONFIG["d_model"])

    def forward(self, x, *rest):
        return x + getattr(self, self.name)(self.layer_norm(x), *rest)


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.wi = linear(CONFIG["d_model"], CONFIG["d_ff"])
        self.wo = linear(CONFIG["d_ff"], CONFIG["d_model"], std=0.5 * CONFIG["d_ff"] ** -0.5)

    def forward(self, x):
        return self.wo(torch.relu(self.wi(x)))


class SelfPart(Part):
    def forward(self, x, bias):
        y = self.layer_norm(x)
        return x + self.SelfAttention(y, y, bias)


class CrossPart(Part):
    def forward(self, x, memory, bias):
        return x + self.EncDecAttention(self.layer_norm(x), memory, bias)


class Block(nn.Module):
    def __init__(self, first, crossed):
        super().__init__()
        parts = [SelfPart("SelfAttention", Attention(first))]
        if crossed:
            parts.append(CrossPart("EncDecAttention", Attention(False)))
        parts.append(Part("DenseReluDense", FeedForward()))
        self.layer = nn.ModuleList(parts)


class Stack(nn.Module):
    def __init__(self, layers, crossed):
        super().__init__()
        self.block = nn.ModuleList(Block(i == 0, crossed) for i in range(layers))
        self.final_layer_norm = RmsNorm(CONFIG["d_model"])


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.hidden_layer = linear(inputs, CONFIG["d_ff"], bias=True)
        self.output_layer = linear(CONFIG["d_ff"], outputs, bias=True)
        self.residual_layer = linear(inputs, outputs, bias=True)

    def forward(self, x):
        return self.output_layer(torch.relu(self.hidden_layer(x))) + self.residual_layer(x)


def buckets(length):
    """T5's buckets of distances, in both directions: [length,length]."""
    distance = torch.arange(length)[None, :] - torch.arange(length)[:, None]
    half = CONFIG["relative_attention_num_buckets"] // 2
    exact = half // 2
    far = distance.abs()
    steps = torch.log(far.clamp(min=1).float() / exact) / math.log(CONFIG["relative_attention_max_distance"] / exact)
    large = (exact + (steps * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(far < exact, far, large) + (distance > 0).long() * half


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        width = CONFIG["d_model"]
        self.shared = nn.Embedding(2, width)
        self.input_patch_embedding = Residual(2 * PATCH, width)
        self.output_patch_embedding = Residual(width, len(QUANTILES) * HORIZON)
        self.encoder = Stack(CONFIG["num_layers"], False)
        self.decoder = Stack(CONFIG["num_decoder_layers"], True)
        self.register_buffer("quantiles", torch.tensor(QUANTILES)[None, :, None], persistent=False)

    def forward(self, context):
        """Quantiles of the standardised series, [N,Q,H], and its mean and deviation."""
        known = ~torch.isnan(context)
        loc = torch.nan_to_num(torch.nanmean(context, dim=1, keepdim=True), nan=0.0)
        scale = torch.nan_to_num(torch.nanmean((context - loc) ** 2, dim=1, keepdim=True).sqrt(), nan=1.0)
        scale = torch.where(scale == 0, 1e-5, scale)
        x = torch.where(known, (context - loc) / scale, 0.0)
        mask = known.float()
        if x.shape[1] % PATCH:
            before = PATCH - x.shape[1] % PATCH
            x, mask = F.pad(x, (before, 0)), F.pad(mask, (before, 0))
        x, mask = x.unfold(1, PATCH, STRIDE), mask.unfold(1, PATCH, STRIDE)
        x = self.input_patch_embedding(torch.cat([x, mask], dim=-1))
        x = torch.cat([x, self.shared.weight[1].expand(len(x), 1, -1)], dim=1)
        seen = F.pad(mask.sum(-1) > 0, (0, 1), value=True)
        unseen = torch.where(seen, 0.0, torch.finfo(torch.float32).min)[:, None, None, :]
        first = self.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
        bias = first(buckets(x.shape[1])).permute(2, 0, 1)[None] + unseen
        for block in self.encoder.block:
            x = block.layer[1](block.layer[0](x, bias))
        x = self.encoder.final_layer_norm(x)
        y = self.shared.weight[0].expand(len(x), 1, -1)
        own = self.decoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight[0][None, :, None, None]
        for block in self.decoder.block:
            y = block.layer[2](block.layer[1](block.layer[0](y, own), x, unseen))
        y = self.output_patch_embedding(self.decoder.final_layer_norm(y))
        return y.view(len(y), len(QUANTILES), HORIZON), loc, scale

    def loss(self, values, context):
        predicted, loc, scale = self(values[:, :context])
        target = (values[:, context:] - loc) / scale
        counted = (~torch.isnan(target)) & (target.abs() < 30)
        target = torch.where(counted, target, 0.0)[:, None, :]
        near = counted.float() / (1 + torch.arange(HORIZON) / 24)  # most forecasts are short
        # A series counts by how far it is from what a seasonal naive forecast misses, so that clear ones are learned well.
        weight = near / self.unit(values[:, :context], scale)
        error = target - predicted
        pinball = torch.maximum(self.quantiles * error, (self.quantiles - 1) * error).mean(1) * 2
        return (pinball * weight).sum() / near.sum()

    @staticmethod
    def unit(context, scale):
        """The least mean step of a series over any of the usual seasons, [N,1], in its deviations."""
        steps = [torch.nanmean((context[:, m:] - context[:, :-m]).abs(), dim=1, keepdim=True)
                 for m in (1, 4, 7, 12, 24) if 2 * m <= context.shape[1]]
        steps = [torch.nan_to_num(step / scale, nan=1.0) for step in steps]
        return torch.stack(steps).amin(0).clamp(0.05, 2.0)


# ------------------------------------------------------------------------------------------------------------ training

def save(model, folder, notes):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().clone().contiguous() for name, value in model.items()}
    save_file(tensors, folder / "model.safetensors.part", metadata={"format": "pt"})
    (folder / "model.safetensors.part").rename(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    (folder / "training.json").write_text(json.dumps(notes, indent=2) + "\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=pathlib.Path, required=True)
    arguments.add_argument("--minutes", type=float, default=50)
    arguments.add_argument("--batch", type=int, default=96)
    arguments.add_argument("--rate", type=float, default=2e-3)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--start", type=pathlib.Path, help="a folder whose weights to begin with")
    arguments.add_argument("--context", type=int, default=CONTEXT, help="values that the model looks at, at most")
    arguments.add_argument("--warm-up", type=int, default=200, help="steps in which the rate rises")
    arguments.add_argument("--plain", type=float, help="the share of series without a season")
    arguments.add_argument("--bf16", action="store_true", help="products in bf16, twice as fast where the processor has it")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)

    check_rng = np.random.default_rng(1000 + options.seed)
    checks = [(n, torch.from_numpy(series(check_rng, 192, n, plain=options.plain))) for n in (40, 96, 192, 504)
              if n <= options.context]
    model = Forecaster()
    if options.start:
        model.load_state_dict(load_file(options.start / "model.safetensors"))
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01)
    mean = {name: value.clone() for name, value in model.state_dict().items()}
    begun = saved = time.time()
    step = shown = 0
    while True:
        passed = (time.time() - begun) / (60 * options.minutes)
        if passed >= 1:
            break
        rate = options.rate * min(1, (step + 1) / options.warm_up) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * passed)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        context = int(np.clip(round(np.exp(rng.uniform(math.log(20), math.log(options.context * 1.5)))), 16, options.context))
        count = int(options.batch * min(4, (CONTEXT / context) ** 0.7))
        values = torch.from_numpy(series(rng, count, context, plain=options.plain))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bf16):
            loss = model.loss(values, context)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        keep = min(0.999, step / (step + 10))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                mean[name].lerp_(value, 1 - keep)
        if time.time() - saved > 120:
            saved = time.time()
            notes = {"seed": options.seed, "steps": step, "minutes": (time.time() - begun) / 60,
                     "torch": torch.__version__, "batch": options.batch, "rate": options.rate}
            other = Forecaster()
            other.load_state_dict(mean)
            with torch.no_grad():
                notes["loss"] = {n: round(other.loss(v, n).item(), 4) for n, v in checks}
            save(mean, options.out, notes)
            print(f"{notes['minutes']:.1f} min, step {step}, rate {rate:.1e}, {notes['loss']}", flush=True)
    notes = {"seed": options.seed, "steps": step, "minutes": (time.time() - begun) / 60, "torch": torch.__version__,
             "batch": options.batch, "rate": options.rate}
    save(mean, options.out, notes)


if __name__ == "__main__":
    main()
