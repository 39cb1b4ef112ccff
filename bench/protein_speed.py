#!/usr/bin/env python3
"""Tokens a second of the protein model beside the same model in torch (eager, with a cache), one sequence at a time.

    python bench/protein_speed.py --program build/bin/tokenworks --folder build/protein [--threads 2]

Needs torch and transformers. The folder is what tools/train/protein.py made; the program runs models/protein.gguf.
"""
import argparse
import json
import statistics
import subprocess
import time

import torch
import transformers


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--folder", required=True)
    arguments.add_argument("--model", help="in place of models/protein.gguf")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--tokens", type=int, default=128)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.float32).eval()
    theirs, ours = [], []
    more = ["-m", options.model] if options.model else []
    for seed in range(5):
        torch.manual_seed(seed)
        ids, cache = torch.tensor([[1, 30]]), None
        begun = time.perf_counter()
        with torch.no_grad():
            for _ in range(options.tokens):
                out = model(ids, past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                ids = torch.multinomial(torch.softmax(out.logits[:, -1] / 0.8, -1), 1)
        theirs.append(options.tokens / (time.perf_counter() - begun))
        told = json.loads(subprocess.run(
            [options.program, "protein", "generate", "--family", "globin", "-n", "20", "--seed", str(seed), "-t",
             str(options.threads), "--min-length", str(options.tokens), "--max-length", str(options.tokens), "--json", *more],
            check=True, capture_output=True, text=True).stdout)["timings"]
        ours.append(told["residues"] / told["generate_seconds"])
    a, b = statistics.median(theirs), statistics.median(ours)
    print(f"torch {a:.0f} tokens/s, tokenworks {b:.0f} tokens/s, {b / a:.1f} times as many, {options.threads} threads")


if __name__ == "__main__":
    main()
