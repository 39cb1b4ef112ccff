#!/usr/bin/env python3
"""Tokens a second of the image model beside the same model in torch (with a cache), one picture at a time with guidance.

    python bench/image_speed.py --folder build/image [--program build/bin/tokenworks] [--threads 2] [--compile]

Needs torch, numpy, pillow and safetensors. The folder is what tools/train/images.py made; the program runs
models/image.gguf. Both make all codes of a picture, with the class and with none in one step; the decoder
does not count, but for the program's part of --cpu.
"""
import pathlib
import sys
import tempfile

import torch
from torch.nn import functional as F

import torch_steps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools" / "train"))
import images  # noqa: E402


def main():
    arguments = torch_steps.parser(__doc__)
    arguments.add_argument("--folder", required=True, type=pathlib.Path)
    options = torch_steps.parse(arguments)
    model = images.Transformer().eval()
    model.load_state_dict(images.load(options.folder)[0])
    classes, heads = model.cls_embedding.embedding_table.weight, images.GPT["n_head"]
    table = torch.cat([model.tok_embeddings.weight, classes]).detach()  # classes are tokens behind the codes
    width, total = images.GPT["dim"], images.GPT["block_size"]

    def part(layer, which):
        return lambda x: F.linear(x, layer.weight[which * width:(which + 1) * width])

    layers = [(each.attention_norm, *(part(each.attention.wqkv, i) for i in range(3)), each.attention.wo, each.ffn_norm,
               each.feed_forward) for each in model.layers]
    steps = torch_steps.Decoder(layers, lambda tokens, at: table[tokens], lambda x: model.output(model.norm(x)),
                                lambda z, at: images.turned(z, [each[at] for each in model.angles]), heads, width, total + 1,
                                rows=2, is_compiled=options.compile)
    ids = [7, *range(20)]
    with torch.no_grad():
        whole = model(torch.tensor(ids[:1]), torch.tensor([ids[1:]]))[0]
        steps.check([images.CODES + ids[0], *ids[1:]], whole)

    def theirs(seed):
        return steps.draw([images.CODES + 7, images.CODES + len(images.CLASSES)], total, guided)

    def guided(logits):
        return torch_steps.drawn(logits[1] + 3 * (logits[0] - logits[1]), 0.35)

    def ours(seed):
        with tempfile.TemporaryDirectory() as folder:
            return torch_steps.program_rate(
                options, lambda count: ["image", "--class", "7", "-n", count, "--guidance", 3, "--seed", 9 * seed, "-o",
                                        f"{folder}/a.png"],
                lambda told: told["generated_tokens"], lambda told: told["decode_seconds"], 1, 9)

    torch_steps.compare(options, theirs, ours)


if __name__ == "__main__":
    main()
