"""Trains the image model that comes with the project: 32 x 32 pictures of digits and letters, by class.

Two networks in LlamaGen's layout and under the names of its state dicts (Sun et al., "Autoregressive Model Beats
Diffusion", 2024; tokenizer/tokenizer_image/vq_model.py and autoregressive/models/gpt.py): a vector-quantised autoencoder
that makes 8 x 8 tokens of a picture and a picture of tokens, and a transformer that makes tokens of a class.

Pictures: each of 0-9 and A-Z drawn with the upright fonts below /usr/share/fonts (FONTS names the Debian packages), moved
and turned a little; and scikit-learn's handwritten digits, 8 x 8 in 16 greys, enlarged. --hold-out leaves every tenth font
and every fourth handwritten digit for measuring (bench/image_accuracy.py).

    python tools/train/images.py --out FOLDER --minutes 12
    tokenworks quantize FOLDER models/image.gguf q8_0

Minutes are those of the processor, on one thread. Needs torch, numpy, pillow, scikit-learn and safetensors.
"""

import argparse
import json
import math
import pathlib
import re
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file, save_file
from torch import nn

FONTS = """fonts-dejavu fonts-liberation fonts-freefont-ttf fonts-open-sans fonts-roboto-unhinted fonts-lato fonts-urw-base35
fonts-linuxlibertine fonts-cantarell fonts-crosextra-carlito fonts-crosextra-caladea fonts-quicksand fonts-inconsolata fonts-hack
fonts-ebgaramond fonts-courier-prime fonts-b612 fonts-oxygen fonts-karla fonts-play fonts-sil-charis fonts-sil-andika
fonts-inter fonts-clear-sans fonts-go fonts-croscore fonts-jetbrains-mono fonts-adf-gillius fonts-adf-libris
fonts-adf-universalis fonts-adf-baskervald fonts-averia-sans-gwf fonts-averia-serif-gwf fonts-cabin fonts-dosis
fonts-oldstandard fonts-paratype fonts-quattrocento fonts-junction fonts-jura fonts-roboto-slab fonts-mononoki fonts-agave
fonts-anonymous-pro fonts-osifont fonts-manrope fonts-vollkorn fonts-comfortaa fonts-firacode""".split()
GLYPHS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASSES = list(GLYPHS) + [f"handwritten-{i}" for i in range(10)]
SIZE = 32
CODES = 256

VQ = {"codebook_size": CODES, "codebook_embed_dim": 8, "codebook_l2_norm": True, "encoder_ch_mult": [1, 1, 2],
      "decoder_ch_mult": [1, 1, 2], "z_channels": 64, "ch": 32, "num_res_blocks": 1}
GPT = {"model_type": "llamagen", "dim": 160, "n_layer": 5, "n_head": 5, "vocab_size": CODES, "block_size": 64,
       "num_classes": len(CLASSES), "cls_token_num": 1, "multiple_of": 64, "norm_eps": 1e-5, "rope_base": 10000,
       "tokenworks_guidance": 3.0, "tokenworks_temperature": 0.35}


# ------------------------------------------------------------------------------------------------------------ pictures

def font_files():
    """Upright fonts of ordinary weight and width that have all glyphs, one file a face."""
    unwanted = re.compile(r"ital|obliq|slant|inclin|narrow|cond|expand|thin|hair|extralight|symbol|dingbat|math|outline|"
                          r"smallcap|minus|D050000L|display|retina|isome|[-_](I|BI|RI|RBI|RZI|DR|K|M|RZ)\.|PTN|PT[FS][57]6F|"
                          r"noto|cmun|bdita|mono|code|hack|agave|anonymous|inconsolata|courier|PT[CMZ]|gentium|junicode|linden|arapey|proc|Z003|black|heavy", re.IGNORECASE)
    seen, files = set(), []
    for path in sorted(pathlib.Path("/usr/share/fonts").rglob("*.[ot]tf")):
        if unwanted.search(path.name) or path.stem in seen:
            continue
        try:
            font = ImageFont.truetype(str(path), 24)
            shapes = {bytes(font.getmask(c)) for c in GLYPHS}
        except OSError:
            continue
        if len(shapes) == len(GLYPHS) and all(any(s) for s in shapes):
            seen.add(path.stem)
            files.append(path)
    return files


def glyph(rng, font, text, most=28):
    """A picture of one glyph, black on white, [32,32] bytes."""
    scale = 4
    big = Image.new("L", (SIZE * scale, SIZE * scale), 255)
    box = font.getbbox(text)
    place = [(SIZE * scale - box[0] - box[2]) / 2, (SIZE * scale - box[1] - box[3]) / 2]
    ImageDraw.Draw(big).text(place, text, fill=0, font=font)
    turn = math.radians(rng.normal(0, 1.5))
    shear = rng.normal(0, 0.03)
    wide, high = np.exp(rng.normal(0, 0.05, 2))
    matrix = np.linalg.inv(np.array([[wide * math.cos(turn), -math.sin(turn) + shear], [math.sin(turn), high * math.cos(turn)]]))
    middle = np.array([SIZE * scale / 2] * 2)
    offset = middle - matrix @ (middle + rng.normal(0, 1.0, 2) * scale)
    moved = big.transform(big.size, Image.AFFINE, [*matrix[0], offset[0], *matrix[1], offset[1]], Image.BILINEAR, fillcolor=255)
    return np.asarray(moved.resize((SIZE, SIZE), Image.BOX))


def handwritten(rng, digit):
    """A digit of 8 x 8 in 16 greys, enlarged and moved, black on white."""
    scale = 4
    small = Image.fromarray(np.uint8(255 - digit * (255 / 16)))
    edge = int(round(SIZE * scale * rng.uniform(0.72, 0.86)))
    big = Image.new("L", (SIZE * scale, SIZE * scale), 255)
    at = [(SIZE * scale - edge) // 2 + int(round(rng.normal(0, 1.0) * scale)) for _ in range(2)]
    big.paste(small.resize((edge, edge), Image.BICUBIC), at)
    return np.asarray(big.resize((SIZE, SIZE), Image.BOX))


def pictures(rng, times, hold_out, held=False):
    """All pictures and their classes: [N,32,32] bytes and [N]. held: of the fonts and digits that are left out."""
    from sklearn.datasets import load_digits
    images, labels = [], []
    for index, path in enumerate(font_files()):
        if hold_out and (index % 10 == 9) != held:
            continue
        for _ in range(times):
            font = ImageFont.truetype(str(path), int(rng.uniform(22, 29) * 4))
            for label, text in enumerate(GLYPHS):
                images.append(glyph(rng, font, text))
                labels.append(label)
    digits = load_digits()
    for index, (digit, label) in enumerate(zip(digits.images, digits.target)):
        if hold_out and (index % 4 == 3) != held:
            continue
        for _ in range(times):
            images.append(handwritten(rng, digit))
            labels.append(len(GLYPHS) + int(label))
    return np.stack(images), np.array(labels)


def batch_of(images, chosen):
    """[B,3,32,32] from -1 to 1."""
    x = torch.from_numpy(images[chosen]).float().div_(127.5).sub_(1)
    return x[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


# ------------------------------------------------------------------------------------------------------------- networks

def norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResnetBlock(nn.Module):
    def __init__(self, source, target):
        super().__init__()
        self.norm1, self.conv1 = norm(source), nn.Conv2d(source, target, 3, padding=1)
        self.norm2, self.conv2 = norm(target), nn.Conv2d(target, target, 3, padding=1)
        if source != target:
            self.nin_shortcut = nn.Conv2d(source, target, 1)

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class AttnBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (each(h).flatten(2).transpose(1, 2)[:, None] for each in (self.q, self.k, self.v))
        h = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).reshape(x.shape)
        return x + self.proj_out(h)


class Resample(nn.Module):
    def __init__(self, channels, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if up else nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0)) if self.up else self.conv(F.pad(x, (0, 1, 0, 1)))


def level(source, target, blocks, attends, **resample):
    made = nn.Module()
    made.res = nn.ModuleList(ResnetBlock(source if i == 0 else target, target) for i in range(blocks))
    made.attn = nn.ModuleList(AttnBlock(target) for _ in range(blocks if attends else 0))
    for name, module in resample.items():
        setattr(made, name, module)
    return made


def run_level(made, x):
    for i, block in enumerate(made.res):
        x = block(x)
        if len(made.attn):
            x = made.attn[i](x)
    return x


class Encoder(nn.Module):
    def __init__(self, ch, mult, blocks, latent):
        super().__init__()
        self.conv_in = nn.Conv2d(3, ch, 3, padding=1)
        self.conv_blocks = nn.ModuleList()
        width = ch
        for i, m in enumerate(mult):
            last = i == len(mult) - 1
            self.conv_blocks.append(level(width, ch * m, blocks, last, **({} if last else {"downsample": Resample(ch * m, False)})))
            width = ch * m
        self.mid = nn.ModuleList([ResnetBlock(width, width), AttnBlock(width), ResnetBlock(width, width)])
        self.norm_out, self.conv_out = norm(width), nn.Conv2d(width, latent, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for each in self.conv_blocks:
            x = run_level(each, x)
            x = each.downsample(x) if hasattr(each, "downsample") else x
        for each in self.mid:
            x = each(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class Decoder(nn.Module):
    def __init__(self, ch, mult, blocks, latent):
        super().__init__()
        width = ch * mult[-1]
        self.conv_in = nn.Conv2d(latent, width, 3, padding=1)
        self.mid = nn.ModuleList([ResnetBlock(width, width), AttnBlock(width), ResnetBlock(width, width)])
        self.conv_blocks = nn.ModuleList()
        for i in reversed(range(len(mult))):
            resample = {} if i == 0 else {"upsample": Resample(ch * mult[i], True)}
            self.conv_blocks.append(level(width, ch * mult[i], blocks + 1, i == len(mult) - 1, **resample))
            width = ch * mult[i]
        self.norm_out, self.conv_out = norm(width), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for each in self.mid:
            x = each(x)
        for each in self.conv_blocks:
            x = run_level(each, x)
            x = each.upsample(x) if hasattr(each, "upsample") else x
        return self.conv_out(F.silu(self.norm_out(x)))


class VQModel(nn.Module):
    def __init__(self):
        super().__init__()
        shape = VQ["ch"], VQ["encoder_ch_mult"], VQ["num_res_blocks"], VQ["z_channels"]
        self.encoder, self.decoder = Encoder(*shape), Decoder(*shape)
        self.quantize = nn.Module()
        self.quantize.embedding = nn.Embedding(CODES, VQ["codebook_embed_dim"])
        self.quant_conv = nn.Conv2d(VQ["z_channels"], VQ["codebook_embed_dim"], 1)
        self.post_quant_conv = nn.Conv2d(VQ["codebook_embed_dim"], VQ["z_channels"], 1)

    def latents(self, x):
        return F.normalize(self.quant_conv(self.encoder(x)).float(), dim=1)

    def ids(self, z):
        book = F.normalize(self.quantize.embedding.weight, dim=1)
        return torch.einsum("bchw,nc->bhwn", z, book).argmax(-1)

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))

    def forward(self, x, quantised):
        """The picture again, the loss of the codes, and the ids."""
        z = self.latents(x)
        if not quantised:
            return self.decode(z + 0.1 * torch.randn_like(z)), z.new_zeros(()), None
        ids = self.ids(z)
        q = F.normalize(self.quantize.embedding.weight, dim=1)[ids].permute(0, 3, 1, 2)
        loss = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(q.detach(), z)
        return self.decode(z + (q - z).detach()), loss, ids


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.wqkv, self.wo = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim, bias=False)

    def forward(self, x, angles):
        q, k, v = self.wqkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = (turned(each, angles).to(v.dtype) for each in (q, k))
        return self.wo(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


def turned(x, angles):
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = angles
    return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)


def grid_angles(side, width, base, before):
    """Cosines and sines of rows and columns, [before + side^2, width / 2]; zeros for what stands before the grid."""
    steps = 1.0 / base ** (torch.arange(0, width // 2, 2).float() / (width // 2))
    one = torch.arange(side).float()[:, None] * steps
    grid = torch.cat([one[:, None].expand(-1, side, -1), one[None].expand(side, -1, -1)], -1).flatten(0, 1)
    nothing = torch.zeros(before, width // 2)
    return torch.cat([nothing, grid.cos()]), torch.cat([nothing, grid.sin()])


class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        hidden = -(-int(8 * dim / 3) // GPT["multiple_of"]) * GPT["multiple_of"]
        self.w1, self.w3 = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attention, self.feed_forward = Attention(dim, heads), FeedForward(dim)
        self.attention_norm, self.ffn_norm = nn.RMSNorm(dim, eps=GPT["norm_eps"]), nn.RMSNorm(dim, eps=GPT["norm_eps"])

    def forward(self, x, angles):
        x = x + self.attention(self.attention_norm(x), angles)
        return x + self.feed_forward(self.ffn_norm(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        dim = GPT["dim"]
        self.cls_embedding = nn.Module()
        self.cls_embedding.embedding_table = nn.Embedding(len(CLASSES) + 1, dim)
        self.tok_embeddings = nn.Embedding(CODES, dim)
        self.layers = nn.ModuleList(Block(dim, GPT["n_head"]) for _ in range(GPT["n_layer"]))
        self.norm, self.output = nn.RMSNorm(dim, eps=GPT["norm_eps"]), nn.Linear(dim, CODES, bias=False)
        self.angles = grid_angles(SIZE // 4, dim // GPT["n_head"], GPT["rope_base"], 1)
        for each in self.modules():
            if isinstance(each, (nn.Linear, nn.Embedding)):
                nn.init.normal_(each.weight, std=0.02)

    def forward(self, classes, ids):
        x = torch.cat([self.cls_embedding.embedding_table(classes)[:, None], self.tok_embeddings(ids)], 1)
        angles = [each[: x.shape[1]] for each in self.angles]
        for layer in self.layers:
            x = layer(x, angles)
        return self.output(self.norm(x))


# ------------------------------------------------------------------------------------------------------------- training

class Mean:
    """A mean of a model's weights over its last steps."""

    def __init__(self, model):
        self.values = {name: value.clone() for name, value in model.state_dict().items()}
        self.steps = 0

    def add(self, model):
        self.steps += 1
        keep = min(0.995, self.steps / (self.steps + 10))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                self.values[name].lerp_(value, 1 - keep)


def rate_at(passed, step, peak):
    return peak * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, passed))))


def train_vq(images, minutes, rng, options):
    model = VQModel().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0)
    mean, used = None, torch.zeros(CODES)
    begun, step, shown = time.process_time(), 0, 0.0
    while (passed := (time.process_time() - begun) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(passed, step, options.vq_rate)
        quantised = passed > 0.15
        x = batch_of(images, rng.integers(0, len(images), 32))
        if quantised and mean is None or mean is not None and step % 100 == 0 and passed < 0.6:
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                z = model.latents(batch_of(images, rng.integers(0, len(images), 64))).permute(0, 2, 3, 1).flatten(0, 2)
            z = z[torch.randperm(len(z))]
            dead = torch.arange(CODES) if mean is None else (used < 1).nonzero()[:, 0]  # codes that nothing uses start anew
            with torch.no_grad():
                model.quantize.embedding.weight[dead] = z[: len(dead)]
            used.zero_()
            mean = mean or Mean(model)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y, codes, ids = model(x, quantised)
        loss = F.l1_loss(y.float(), x) + F.mse_loss(y.float(), x) + codes
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if mean:
            mean.add(model)
            used += torch.bincount(ids.flatten(), minlength=CODES)
        if time.time() - shown > 20:
            shown = time.time()
            print(f"pictures: {passed * minutes:.1f} min, step {step}, loss {loss.item():.4f}, "
                  f"mean difference {(y.float() - x).abs().mean().item() * 127.5:.1f} greys, "
                  f"codes {0 if ids is None else len(ids.unique())}", flush=True)
    model.load_state_dict(mean.values)
    return model, {"steps": step, "minutes": minutes}


def all_ids(model, images):
    ids = []
    with torch.no_grad():
        for first in range(0, len(images), 256):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                ids.append(model.ids(model.latents(batch_of(images, slice(first, first + 256)))).flatten(1))
    return torch.cat(ids)


def train_gpt(ids, labels, minutes, rng, options):
    model = Transformer()
    if options.start:
        model.load_state_dict(load(options.vq)[0])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05)
    run = torch.compile(model) if options.compile else model
    mean, labels = Mean(model), torch.from_numpy(labels)
    # Every class as often as every other.
    counts = torch.bincount(labels, minlength=len(CLASSES)).float()
    weights = (1 / counts)[labels].double().numpy()
    weights /= weights.sum()
    begun, started, step, shown = time.process_time(), time.time(), 0, 0.0
    while (passed := max((time.process_time() - begun) / (60 * minutes),
                         (time.time() - started) / (60 * options.wall_minutes))) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(passed, step, options.gpt_rate)
        chosen = torch.from_numpy(rng.choice(len(ids), 64, p=weights))
        classes, target = labels[chosen], ids[chosen]
        classes = torch.where(torch.rand(len(classes)) < 0.1, len(CLASSES), classes)  # for guidance
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = run(classes, target[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        mean.add(model)
        if time.time() - shown > 20:
            shown = time.time()
            print(f"tokens: {(time.process_time() - begun) / 60:.1f} min, step {step}, loss {loss.item():.4f}", flush=True)
    model.load_state_dict(mean.values)
    return model, {"steps": step, "minutes": round((time.process_time() - begun) / 60, 1), "loss": round(loss.item(), 4)}


def save(folder, gpt, vq, notes):
    """A folder that tokenworks reads: both state dicts in one file, the autoencoder's with vq_model. in front."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {**gpt, **{f"vq_model.{name}": value for name, value in vq.items()}}
    save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()},
              folder / "model.safetensors.part", metadata={"format": "pt"})
    (folder / "model.safetensors.part").rename(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**GPT, "vq_config": VQ, "labels": CLASSES}, indent=2) + "\n")
    (folder / "training.json").write_text(json.dumps(notes, indent=2) + "\n")


def load(folder):
    """The state dicts of such a folder."""
    gpt, vq = {}, {}
    for name, value in load_file(folder / "model.safetensors").items():
        (vq if name.startswith("vq_model.") else gpt)[name.removeprefix("vq_model.")] = value
    return gpt, vq


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=pathlib.Path, required=True)
    arguments.add_argument("--minutes", type=float, default=12, help="of the processor, in all")
    arguments.add_argument("--wall-minutes", type=float, default=1e9, help="of the clock, for the transformer, where other work takes the processor")
    arguments.add_argument("--vq-share", type=float, default=0.35, help="of the minutes, for the autoencoder")
    arguments.add_argument("--vq-rate", type=float, default=1e-3)
    arguments.add_argument("--gpt-rate", type=float, default=1.5e-3)
    arguments.add_argument("--times", type=int, default=4, help="pictures of each glyph of a font, and of each handwritten digit")
    arguments.add_argument("--compile", action="store_true", help="the transformer with torch.compile, a third faster")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--vq", type=pathlib.Path, help="a folder whose autoencoder to take")
    arguments.add_argument("--start", action="store_true", help="go on from that folder's transformer too")
    arguments.add_argument("--hold-out", action=argparse.BooleanOptionalAction, default=True)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    images, labels = pictures(rng, options.times, options.hold_out)
    print(len(font_files()), "fonts,", len(images), "pictures,", f"{time.process_time():.0f} s", flush=True)
    notes = {"seed": options.seed, "torch": torch.__version__, "fonts": len(font_files()), "pictures": len(images)}
    vq = VQModel().to(memory_format=torch.channels_last)
    if options.vq:
        vq.load_state_dict(load(options.vq)[1])
        notes["begins with"] = json.loads((options.vq / "training.json").read_text())
    else:
        vq, notes["autoencoder"] = train_vq(images, options.minutes * options.vq_share, rng, options)
    ids = all_ids(vq, images)
    print("codes in use:", len(ids.unique()), "of", CODES, flush=True)
    minutes = options.minutes * (1 if options.vq else 1 - options.vq_share)
    gpt, notes["transformer"] = train_gpt(ids, labels, minutes, rng, options)
    notes["cpu_minutes"] = round(time.process_time() / 60, 2)
    save(options.out, gpt.state_dict(), vq.state_dict(), notes)


if __name__ == "__main__":
    main()
