#!/usr/bin/env python3
"""Tokens a second of the video model beside the same model in torch (with a cache), one video at a time.

    python bench/video_speed.py --folder build/video [--program build/bin/tokenworks] [--threads 2] [--compile]

Needs torch, numpy, safetensors. The folder is what tools/train/video.py made; the program runs models/video.gguf. Both
make 16 frames of a class.
"""
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file

import torch_steps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools" / "train"))
import video  # noqa: E402


def main():
    arguments = torch_steps.parser(__doc__)
    arguments.add_argument("--folder", required=True)
    options = torch_steps.parse(arguments)
    tensors = load_file(pathlib.Path(options.folder) / "model.safetensors")
    model = video.Video().eval()
    missing = model.load_state_dict({name.removeprefix("model."): value for name, value in tensors.items()
                                     if "codebook" not in name and "positions" not in name}, strict=False)
    assert all(name.startswith("at_") for name in missing.missing_keys) and not missing.unexpected_keys
    places = tensors["model.embed_positions.weight"]

    def turn(z, at):
        b, c = z.chunk(2, -1)
        cos, sin = model.cos[at], model.sin[at]
        return torch.cat([b * cos - c * sin, c * cos + b * sin], -1)

    steps = torch_steps.Decoder(torch_steps.layers_of(model),
                                lambda tokens, at: model.embed_tokens.weight[tokens] + places[at],
                                lambda x: model.lm_head(model.norm(x)), turn, video.HEADS, video.WIDTH, video.CONTEXT,
                                is_compiled=options.compile)
    ids = [video.CODES + 1] + list(range(40))
    with torch.no_grad():
        model.places = lambda: places
        steps.check(ids, model(torch.tensor([ids]))[0])
    total = video.FRAMES * video.CELLS

    def ours(seed):
        with tempfile.TemporaryDirectory() as folder:
            return torch_steps.program_rate(
                options, lambda frames: ["video", "--class", "fall", "--frames", frames, "--seed", seed, "-o", f"{folder}/a.gif"],
                lambda told: told["generated_tokens"], lambda told: told["decode_seconds"], 1, video.FRAMES)

    torch_steps.compare(options, lambda seed: steps.draw(
        [video.CODES + 1], total, lambda each: torch_steps.drawn(each[0, :video.CODES])), ours)


if __name__ == "__main__":
    main()
