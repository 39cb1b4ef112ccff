#!/usr/bin/env python3
"""Tokens a second of a LlamaGen folder, beside the published code in torch (eager), one at a time with guidance.

    python bench/image_speed.py FOLDER LLAMAGEN --program build/bin/tokenworks [--threads 2] [--pictures 8]

LLAMAGEN is a checkout of https://github.com/FoundationVision/LlamaGen. Both load the folder once and make all codes of a
picture; loading and the decoder do not count. Needs torch and safetensors.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time


def program_seconds(options):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([options.program, "image", "-m", options.folder, "--class", options.label, "-n",
                               str(options.pictures), "--guidance", "3", "-t", str(options.threads), "--json",
                               "-o", folder + "/a.png"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["timings"]["decode_seconds"]


def torch_seconds(options, config):
    import torch
    from safetensors.torch import load_file
    sys.path.insert(0, options.llamagen)
    from autoregressive.models import gpt
    torch.set_num_threads(options.threads)
    state = load_file(options.folder + "/model.safetensors")
    names = ("dim", "n_layer", "n_head", "vocab_size", "block_size", "num_classes", "multiple_of")
    model = gpt.Transformer(gpt.ModelArgs(**{name: config[name] for name in names if name in config}))
    model.load_state_dict({name: value for name, value in state.items() if not name.startswith("vq_model.")})
    model.eval()
    total = config["block_size"]

    def draw():
        model.setup_caches(2, total + 1, torch.float32)
        classes = torch.tensor([0, config["num_classes"]])
        token = None
        for at in range(total):
            position = torch.tensor([at])
            logits = model(None, classes, position)[0] if at == 0 else model(token.expand(2, 1), None, position)[0]
            with_class, without = logits[:, -1]
            token = torch.multinomial(torch.softmax(without + 3 * (with_class - without), -1), 1)[None]

    with torch.no_grad():
        draw()
        begun = time.perf_counter()
        for _ in range(options.pictures):
            draw()
        return time.perf_counter() - begun


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("llamagen")
    arguments.add_argument("--program", default="build/bin/tokenworks")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--pictures", type=int, default=8)
    arguments.add_argument("--label", default="0")
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    config = json.loads((pathlib.Path(options.folder) / "config.json").read_text())
    tokens = config["block_size"] * options.pictures
    for _ in range(options.repeats):
        own, other = program_seconds(options), torch_seconds(options, config)
        print(f"tokenworks {tokens / own:.0f} tokens/s, torch {tokens / other:.0f} tokens/s: {other / own:.1f} times", flush=True)


if __name__ == "__main__":
    main()
