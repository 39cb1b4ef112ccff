#!/usr/bin/env python3
"""Trains the protein model that ships with the project: a small decoder of Llama's layout over single residues, with a
token a family, and tags for infilling as IgLM has them.

    apt-get install mmseqs2-examples hmmer hmmer-examples
    export OMP_NUM_THREADS=1
    python tools/train/protein.py data --out build/protein_data
    python tools/train/protein.py train --data build/protein_data --out build/protein --minutes 28
    build/bin/tokenworks quantize build/protein models/protein.gguf q8_0

`data` takes the 20,000 sequences of MMseqs2's examples, holds 600 of them out, and cuts the members of eight families
out of the others: domains that hmmsearch finds with the profiles of HMMER's tutorial, HMMER's 45 globins, and proteins
by the name that UniProt gives them. `train` writes a Hugging Face folder (config.json, model.safetensors,
tokenizer.json), every few minutes and at the end. Needs torch, numpy, safetensors.

A sequence is one of
    <bos> [family] residues <eos>
    <bos> [family] prefix <mask> suffix <infill> what the mask hides <eos>
"""
import argparse
import gzip
import json
import math
import pathlib
import re
import subprocess
import tempfile
import time

import numpy as np

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
OTHERS = "XBZUO"  # unknown, D or N, E or Q, selenocysteine, pyrrolysine: read, never made
SPECIAL = ["<pad>", "<bos>", "<eos>", "<mask>", "<infill>"]
# A family: a profile of HMMER's examples, or the name of proteins in UniProt and bounds of their length.
FAMILIES = {
    "globin": {"fasta": "tutorial/globins45.fa"},
    "protein_kinase": {"profile": "tutorial/Pkinase.hmm"},
    "fibronectin_3": {"profile": "tutorial/fn3.hmm"},
    "rrm": {"profile": "testsuite/RRM_1.hmm.gz"},
    "ribosomal_s6": {"name": "30S ribosomal protein S6", "length": (80, 180)},
    "elongation_factor_p": {"name": "Elongation factor P", "length": (170, 210)},
    "adenylate_kinase": {"name": "Adenylate kinase", "length": (170, 250)},
    "grpe": {"name": "Protein GrpE", "length": (130, 260)},
}
VOCABULARY = SPECIAL + list(RESIDUES) + list(OTHERS) + [f"<{name}>" for name in FAMILIES]
BOS, EOS, MASK, INFILL = 1, 2, 3, 4
FIRST = len(SPECIAL)
FIRST_FAMILY = FIRST + len(RESIDUES) + len(OTHERS)
WIDTH, LAYERS, HEADS, FEED_FORWARD, CONTEXT = 128, 6, 4, 384, 384
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": len(VOCABULARY), "hidden_size": WIDTH,
    "intermediate_size": FEED_FORWARD, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS, "head_dim": WIDTH // HEADS, "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True, "bos_token_id": BOS,
    "eos_token_id": EOS, "pad_token_id": 0, "attention_bias": False, "mlp_bias": False, "torch_dtype": "float32",
}


# -------------------------------------------------------------------------------------------------------------- the data

def read_fasta(path):
    """Pairs of a header and residues."""
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)
    out = []
    with opened as file:
        for line in file:
            if line.startswith(">"):
                out.append([line[1:].strip(), []])
            elif out:
                out[-1][1].append(line.strip().upper())
    return [(header, "".join(parts)) for header, parts in out]


def write_fasta(path, records):
    with open(path, "w") as file:
        for name, sequence in records:
            file.write(f">{name}\n{sequence}\n")


def legal(sequence):
    return bool(sequence) and all(c in RESIDUES + OTHERS for c in sequence)


def profile_domains(profile, sequences, folder):
    """What hmmsearch finds of a profile: the parts of sequences that its domains take up, most of the profile long."""
    if str(profile).endswith(".gz"):
        plain = folder / profile.stem
        plain.write_bytes(gzip.decompress(profile.read_bytes()))
        profile = plain
    write_fasta(folder / "all.fasta", sequences.items())
    subprocess.run(["hmmsearch", "--cpu", "1", "--domtblout", folder / "table", "-E", "1e-5", "--domE", "1e-5", profile,
                    folder / "all.fasta"], check=True, stdout=subprocess.DEVNULL)
    found = []
    for line in (folder / "table").read_text().splitlines():
        if line.startswith("#"):
            continue
        cell = line.split()
        length, begin, end = int(cell[5]), int(cell[19]), int(cell[20])
        if int(cell[16]) - int(cell[15]) + 1 >= 0.8 * length:
            found.append(sequences[cell[0]][begin - 1:end])
    return found


def stockholm(path):
    """The sequences of an alignment, without gaps."""
    parts = {}
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)
    with opened as file:
        for line in file:
            if line.strip() and not line.startswith(("#", "//")):
                name, aligned = line.split()
                parts[name] = parts.get(name, "") + re.sub("[^A-Za-z]", "", aligned).upper()
    return list(parts.values())


def make_data(options):
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    records = {}
    for header, sequence in read_fasta(options.proteins):
        if legal(sequence) and len(sequence) >= 20:
            records.setdefault(header.split()[0], (header, sequence))
    names = sorted(records)
    held_out = set(rng.choice(names, 600, replace=False))
    write_fasta(options.out / "held_out.fasta", [(n, records[n][1]) for n in names if n in held_out])
    training = {n: records[n][1] for n in names if n not in held_out}
    write_fasta(options.out / "general.fasta", training.items())
    for family, how in FAMILIES.items():
        with tempfile.TemporaryDirectory() as folder:
            members = []
            if "fasta" in how:
                members = [s for _, s in read_fasta(options.hmmer / how["fasta"])]
            elif "profile" in how:
                profile = options.hmmer / how["profile"]
                members = profile_domains(profile, training, pathlib.Path(folder))
                members += stockholm(pathlib.Path(str(profile).replace(".hmm", ".sto")))
            else:
                for name in training:
                    title = records[name][0].partition(" ")[2].partition(" OS=")[0].strip()
                    if title == how["name"] and how["length"][0] <= len(training[name]) <= how["length"][1]:
                        members.append(training[name])
        members = sorted({m for m in members if legal(m) and len(m) <= CONTEXT - 8})
        write_fasta(options.out / f"{family}.fasta", [(f"{family}_{i}", m) for i, m in enumerate(members)])
        print(family, len(members), "members", flush=True)
    print(len(training), "sequences,", sum(map(len, training.values())), "residues", flush=True)


def encode(sequence):
    table = {c: FIRST + i for i, c in enumerate(RESIDUES + OTHERS)}
    return np.array([table[c] for c in sequence], dtype=np.int64)


# Henikoff and Henikoff, "Amino acid substitution matrices from protein blocks", 1992: BLOSUM62, as scores in half bits.
BLOSUM62 = {
    "A": "4 0 -2 -1 -2 0 -2 -1 -1 -1 -1 -2 -1 -1 -1 1 0 0 -3 -2",
    "C": "0 9 -3 -4 -2 -3 -3 -1 -3 -1 -1 -3 -3 -3 -3 -1 -1 -1 -2 -2",
    "D": "-2 -3 6 2 -3 -1 -1 -3 -1 -4 -3 1 -1 0 -2 0 -1 -3 -4 -3",
    "E": "-1 -4 2 5 -3 -2 0 -3 1 -3 -2 0 -1 2 0 0 -1 -2 -3 -2",
    "F": "-2 -2 -3 -3 6 -3 -1 0 -3 0 0 -3 -4 -3 -3 -2 -2 -1 1 3",
    "G": "0 -3 -1 -2 -3 6 -2 -4 -2 -4 -3 0 -2 -2 -2 0 -2 -3 -2 -3",
    "H": "-2 -3 -1 0 -1 -2 8 -3 -1 -3 -2 1 -2 0 0 -1 -2 -3 -2 2",
    "I": "-1 -1 -3 -3 0 -4 -3 4 -3 2 1 -3 -3 -3 -3 -2 -1 3 -3 -1",
    "K": "-1 -3 -1 1 -3 -2 -1 -3 5 -2 -1 0 -1 1 2 0 -1 -2 -3 -2",
    "L": "-1 -1 -4 -3 0 -4 -3 2 -2 4 2 -3 -3 -2 -2 -2 -1 1 -2 -1",
    "M": "-1 -1 -3 -2 0 -3 -2 1 -1 2 5 -2 -2 0 -1 -1 -1 1 -1 -1",
    "N": "-2 -3 1 0 -3 0 1 -3 0 -3 -2 6 -2 0 0 1 0 -3 -4 -2",
    "P": "-1 -3 -1 -1 -4 -2 -2 -3 -1 -3 -2 -2 7 -1 -2 -1 -1 -2 -4 -3",
    "Q": "-1 -3 0 2 -3 -2 0 -3 1 -2 0 0 -1 5 1 0 -1 -2 -2 -1",
    "R": "-1 -3 -2 0 -3 -2 0 -3 2 -2 -1 0 -2 1 5 -1 -1 -3 -3 -2",
    "S": "1 -1 0 0 -2 0 -1 -2 0 -2 -1 1 -1 0 -1 4 1 -2 -3 -2",
    "T": "0 -1 -1 -1 -2 -2 -2 -1 -1 -1 -1 0 -1 -1 -1 1 5 0 -2 -2",
    "V": "0 -1 -3 -2 -1 -3 -3 3 -2 1 1 -3 -2 -2 -3 -2 0 4 -3 -1",
    "W": "-3 -2 -4 -3 1 -2 -2 -3 -3 -2 -1 -4 -4 -2 -3 -3 -2 -3 11 2",
    "Y": "-2 -2 -3 -2 3 -3 2 -1 -2 -1 -1 -2 -3 -1 -2 -2 -2 -1 2 7",
}


class Samples:
    """Rows of CONTEXT + 1 tokens, sample after sample; what is left of the last one is dropped."""

    def __init__(self, folder, rng, family_share):
        self.rng, self.family_share = rng, family_share
        self.general = [encode(s) for _, s in read_fasta(folder / "general.fasta")]
        self.weight = np.cumsum([min(len(s), CONTEXT) + 2 for s in self.general])
        self.members = [[encode(s) for _, s in read_fasta(folder / f"{name}.fasta")] for name in FAMILIES]
        size = np.array([math.sqrt(len(m)) for m in self.members])
        self.shares = size / size.sum()
        scores = np.array([[int(v) for v in BLOSUM62[r].split()] for r in RESIDUES])
        assert (scores == scores.T).all()
        background = np.bincount(np.concatenate(self.general) - FIRST, minlength=25)[:20].astype(float)
        replaced = 2.0 ** (scores / 2) * background
        np.fill_diagonal(replaced, 0)
        self.replaced = np.cumsum(replaced / replaced.sum(1, keepdims=True), axis=1)

    def vary(self, sequence):
        """A relative of a member: some of its residues replaced by what such residues are replaced by."""
        rate = self.rng.uniform(0, 0.25)
        out = sequence.copy()
        for at in np.flatnonzero((self.rng.random(len(out)) < rate) & (out < FIRST + 20)):
            out[at] = FIRST + min(19, np.searchsorted(self.replaced[out[at] - FIRST], self.rng.random()))
        return out

    def infill(self, sequence):
        """Prefix, mask, suffix, and what was hidden."""
        count = 1 if self.rng.random() < 0.5 else int(self.rng.integers(2, max(3, min(40, len(sequence) // 2))))
        at = int(self.rng.integers(0, len(sequence) - count + 1))
        return np.concatenate([sequence[:at], [MASK], sequence[at + count:], [INFILL], sequence[at:at + count]])

    def sample(self):
        if self.rng.random() < self.family_share:
            family = int(self.rng.choice(len(self.members), p=self.shares))
            members = self.members[family]
            body = self.vary(members[self.rng.integers(len(members))])
            front = [BOS, FIRST_FAMILY + family] if self.rng.random() < 0.85 else [BOS]
            end = [EOS]
        else:
            body = self.general[int(np.searchsorted(self.weight, self.rng.integers(self.weight[-1]), side="right"))]
            front, end = [BOS], [EOS]
            room = CONTEXT - 4
            if len(body) > room:
                at = int(self.rng.integers(-room // 4, len(body) - room + room // 4))
                at = min(max(at, 0), len(body) - room)
                front, end = ([BOS] if at == 0 else []), ([EOS] if at + room == len(body) else [])
                body = body[at:at + room]
        if self.rng.random() < 0.25:
            body, end = self.infill(body), [EOS]
            front = front or [BOS]
        return np.concatenate([front, body, end])

    def batch(self, rows):
        out = np.zeros((rows, CONTEXT + 1), dtype=np.int64)
        for row in range(rows):
            at = 0
            while at < CONTEXT + 1:
                one = self.sample()[:CONTEXT + 1 - at]
                out[row, at:at + len(one)] = one
                at += len(one)
        return out


def heldout_rows(folder):
    """The held out sequences as the score command sees them, at most CONTEXT tokens each."""
    rows = []
    for _, s in read_fasta(folder / "held_out.fasta"):
        rows.append(np.concatenate([[BOS], encode(s), [EOS]])[:CONTEXT + 1])
    return rows


# ------------------------------------------------------------------------------------------------------------- the model

def make_model():
    import torch
    from torch import nn
    from torch.nn import functional as F

    class RmsNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(WIDTH))

        def forward(self, x):
            return F.rms_norm(x, (WIDTH,), self.weight.to(x.dtype), CONFIG["rms_norm_eps"])

    def linear(inputs, outputs, std=None):
        layer = nn.Linear(inputs, outputs, bias=False)
        nn.init.normal_(layer.weight, std=std or inputs ** -0.5)
        return layer

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q_proj, self.k_proj, self.v_proj = (linear(WIDTH, WIDTH) for _ in range(3))
            self.o_proj = linear(WIDTH, WIDTH, std=(2 * LAYERS * WIDTH) ** -0.5)

        def forward(self, x, cos, sin):
            heads = lambda y: y.view(y.shape[0], y.shape[1], HEADS, -1).transpose(1, 2)
            turned = lambda y: y * cos + torch.cat([-y[..., y.shape[-1] // 2:], y[..., :y.shape[-1] // 2]], -1) * sin
            q, k, v = turned(heads(self.q_proj(x))), turned(heads(self.k_proj(x))), heads(self.v_proj(x))
            # Its backward pass is faster in float than in bf16.
            out = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
            return self.o_proj(out.transpose(1, 2).flatten(2))

    class Mlp(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate_proj, self.up_proj = linear(WIDTH, FEED_FORWARD), linear(WIDTH, FEED_FORWARD)
            self.down_proj = linear(FEED_FORWARD, WIDTH, std=(2 * LAYERS * FEED_FORWARD) ** -0.5)

        def forward(self, x):
            return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.input_layernorm, self.post_attention_layernorm = RmsNorm(), RmsNorm()
            self.self_attn, self.mlp = Attention(), Mlp()

        def forward(self, x, cos, sin):
            x = x + self.self_attn(self.input_layernorm(x), cos, sin)
            return x + self.mlp(self.post_attention_layernorm(x))

    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed_tokens = nn.Embedding(len(VOCABULARY), WIDTH)
            nn.init.normal_(self.embed_tokens.weight, std=0.05)
            self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
            self.norm = RmsNorm()

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = Body()
            half = WIDTH // HEADS // 2
            angle = torch.arange(CONTEXT)[:, None] / CONFIG["rope_theta"] ** (torch.arange(half)[None] / half)
            self.register_buffer("cos", torch.cat([angle.cos(), angle.cos()], -1), persistent=False)
            self.register_buffer("sin", torch.cat([angle.sin(), angle.sin()], -1), persistent=False)

        def forward(self, ids):
            x = self.model.embed_tokens(ids)
            if torch.is_autocast_enabled("cpu"):
                x = x.bfloat16()
            cos, sin = self.cos[:ids.shape[1]].to(x.dtype), self.sin[:ids.shape[1]].to(x.dtype)
            for layer in self.model.layers:
                x = layer(x, cos, sin)
            return F.linear(self.model.norm(x), self.model.embed_tokens.weight).float()

        def loss(self, rows):
            return F.cross_entropy(self(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

    return Model()


def save(model, folder, notes):
    from safetensors.torch import save_file
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().clone().contiguous() for name, value in model.items()}
    save_file(tensors, folder / "model.safetensors.part", metadata={"format": "pt"})
    (folder / "model.safetensors.part").rename(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    (folder / "training.json").write_text(json.dumps(notes, indent=2) + "\n")
    special = [i for i, t in enumerate(VOCABULARY) if t.startswith("<")]
    added = [{"id": i, "content": VOCABULARY[i], "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i in special]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": {t: i for i, t in enumerate(VOCABULARY)}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, indent=1) + "\n")
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, **names}, indent=1) + "\n")


def train(options):
    import torch
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    data = Samples(options.data, np.random.default_rng(options.seed), options.family_share)
    check = [torch.from_numpy(row) for row in heldout_rows(options.data)[:100]]
    model = make_model()
    if options.start:
        from safetensors.torch import load_file
        model.load_state_dict(load_file(options.start / "model.safetensors"))
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() == 1 or "embed" in n]
    # Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    optimizers = [torch.optim.Muon(matrices, lr=options.rate, momentum=0.95, weight_decay=0.01),
                  torch.optim.AdamW(others, lr=0.2 * options.rate, betas=(0.9, 0.97), weight_decay=0)]
    bases = [options.rate, 0.2 * options.rate]
    mean = {name: value.clone() for name, value in model.state_dict().items()}
    begun = saved = time.process_time()
    wall = time.time()
    step = 0
    losses = []
    while True:
        passed = max((time.process_time() - begun) / (60 * options.minutes),
                     (time.time() - wall) / (60 * options.wall_minutes))
        if passed >= 1:
            break
        factor = min(1, (step + 1) / options.warm_up, (1 - passed) / 0.6)
        for optimizer, base in zip(optimizers, bases):
            for group in optimizer.param_groups:
                group["lr"] = base * factor
        rows = torch.from_numpy(data.batch(options.batch))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model.loss(rows)
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
        step += 1
        keep = min(0.98, step / (step + 10))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                mean[name].lerp_(value, 1 - keep)
        if step % 20 == 0:
            print(f"{(time.process_time() - begun) / 60:.1f} min, step {step}, loss {np.mean(losses[-20:]):.4f}", flush=True)
        if time.process_time() - saved > 180:
            saved = time.process_time()
            held = heldout_loss(mean, check)
            notes = notes_of(options, step, begun, held)
            save(mean, options.out, notes)
            print("held out:", held, flush=True)
    save(mean, options.out, notes_of(options, step, begun, heldout_loss(mean, check)))


def notes_of(options, step, begun, held):
    import torch
    return {"seed": options.seed, "steps": step, "minutes": (time.process_time() - begun) / 60, "rows": options.batch,
            "rate": options.rate, "family_share": options.family_share, "torch": torch.__version__, "held_out": held}


def heldout_loss(weights, rows):
    import torch
    model = make_model()
    model.load_state_dict(weights)
    total = count = 0
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for row in rows:
            total += model.loss(row[None]).item() * (len(row) - 1)
            count += len(row) - 1
    return {"loss": round(total / count, 4), "perplexity": round(math.exp(total / count), 3)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(required=True)
    data = commands.add_parser("data")
    data.set_defaults(run=make_data)
    data.add_argument("--out", type=pathlib.Path, required=True)
    data.add_argument("--proteins", type=pathlib.Path,
                      default=pathlib.Path("/usr/share/doc/mmseqs2/example-data/DB.fasta.gz"))
    data.add_argument("--hmmer", type=pathlib.Path, default=pathlib.Path("/usr/share/doc/hmmer/examples"))
    training = commands.add_parser("train")
    training.set_defaults(run=train)
    training.add_argument("--data", type=pathlib.Path, required=True)
    training.add_argument("--out", type=pathlib.Path, required=True)
    training.add_argument("--minutes", type=float, default=28, help="of the processor")
    training.add_argument("--wall-minutes", type=float, default=1e9, help="ends earlier, where other work takes turns")
    training.add_argument("--batch", type=int, default=20, help="rows of a step")
    training.add_argument("--rate", type=float, default=0.02)
    training.add_argument("--warm-up", type=int, default=30, help="steps in which the rate rises")
    training.add_argument("--family-share", type=float, default=0.3)
    training.add_argument("--start", type=pathlib.Path, help="go on from the model in that folder")
    training.add_argument("--seed", type=int, default=1)
    training.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
