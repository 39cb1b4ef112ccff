#!/usr/bin/env python3
"""Tokens a second of the protein model beside the same model in torch (with a cache), one sequence at a time.

    python bench/protein_speed.py --folder build/protein [--program build/bin/tokenworks] [--threads 2] [--compile]

Needs torch and transformers. The folder is what tools/train/protein.py made; the program runs models/protein.gguf.
"""
import torch
import transformers

import torch_steps


def main():
    arguments = torch_steps.parser(__doc__)
    arguments.add_argument("--folder", required=True)
    arguments.add_argument("--tokens", type=int, default=128)
    options = torch_steps.parse(arguments)
    model = transformers.AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.float32).eval()
    steps = torch_steps.of_llama(model, model.config.max_position_embeddings, options.compile)

    def ours(seed):
        return torch_steps.program_rate(
            options, lambda count: ["protein", "generate", "--family", "globin", "-n", count, "--seed", seed, "--min-length",
                                    options.tokens, "--max-length", options.tokens],
            lambda told: told["residues"], lambda told: told["generate_seconds"], 1, 21)

    torch_steps.compare(options, lambda seed: steps.draw([1], options.tokens, lambda each: torch_steps.drawn(each[0])), ours)


if __name__ == "__main__":
    main()
