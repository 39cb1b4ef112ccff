#!/usr/bin/env python3
"""Tokens a second of a text model beside the same model in torch (with a cache), one sequence at a time.

    python bench/text_speed.py MODEL.gguf [--program build/bin/tokenworks] [--threads 2] [--compile]

Needs torch, transformers, accelerate and gguf; models of Llama's form. Torch multiplies by float32, and takes the likeliest
token; `tokenworks bench` measures ours.
"""
import peers
import torch_steps


def main():
    arguments = torch_steps.parser(__doc__)
    arguments.add_argument("file")
    arguments.add_argument("--tokens", type=int, default=128)
    options = torch_steps.parse(arguments)
    if options.cpu:
        arguments.error("tokenworks bench measures by the clock")
    model = peers.load_transformers(options.file, options.threads)
    steps = torch_steps.of_llama(model, 2 * options.tokens, options.compile)

    def ours(_):
        return torch_steps.program_json([options.program, "bench", "-m", options.file, "-t", options.threads, "-p", 1, "-n",
                                         options.tokens, "-r", 3, "--json"])["decode_tokens_per_second"]

    torch_steps.compare(options, lambda _: steps.draw([1], options.tokens, lambda each: int(each[0].argmax())), ours)


if __name__ == "__main__":
    main()
