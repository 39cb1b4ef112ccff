#!/usr/bin/env python3
"""Tokens a second of the model of meshes beside the same model in torch (with a cache), one mesh at a time.

    python bench/mesh_speed.py --folder build/mesh [--program build/bin/tokenworks] [--threads 2] [--compile]

Needs torch, numpy and safetensors. The folder is what tools/train/mesh.py made; the program runs models/mesh.gguf. Torch
makes 256 tokens, whatever they are; the program whole meshes of a class, whose rules are part of its time.
"""
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

import torch_steps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools" / "train"))
import mesh  # noqa: E402


def main():
    arguments = torch_steps.parser(__doc__)
    arguments.add_argument("--folder", required=True)
    arguments.add_argument("--tokens", type=int, default=256)
    options = torch_steps.parse(arguments)
    model = mesh.Gpt2().eval()
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # the format stores [in,out]
    tensors = load_file(pathlib.Path(options.folder) / "model.safetensors")
    model.load_state_dict({name.removeprefix("transformer."): value.T if name.endswith(turned) else value
                           for name, value in tensors.items()})
    width = mesh.CONFIG["n_embd"]

    def part(layer, which):  # as one product is made of them, three are made here
        rows = slice(which * width, (which + 1) * width)
        return lambda x: F.linear(x, layer.weight[rows], layer.bias[rows])

    layers = [(each.ln_1, *(part(each.attn.c_attn, i) for i in range(3)), each.attn.c_proj, each.ln_2, each.mlp)
              for each in model.h]
    steps = torch_steps.Decoder(layers, lambda tokens, at: model.wte(tokens) + model.wpe(at),
                                lambda x: F.linear(model.ln_f(x), model.wte.weight), lambda z, at: z,
                                mesh.CONFIG["n_head"], width, mesh.CONTEXT, is_compiled=options.compile)
    ids = [mesh.FIRST_CLASS, *range(mesh.FIRST_LEVEL, mesh.FIRST_LEVEL + 24)]
    with torch.no_grad():
        steps.check(ids, model(torch.tensor([ids]))[0])

    def ours(seed):
        with tempfile.TemporaryDirectory() as folder:
            return torch_steps.program_rate(
                options, lambda count: ["mesh", "--class", "sphere", "-n", count, "--seed", 9 * seed, "-o", f"{folder}/a.obj"],
                lambda told: told["tokens"], lambda told: told["seconds"], 1, 9)

    torch_steps.compare(options, lambda seed: steps.draw([mesh.FIRST_CLASS], options.tokens,
                                                         lambda each: torch_steps.drawn(each[0], 0.7)), ours)


if __name__ == "__main__":
    main()
