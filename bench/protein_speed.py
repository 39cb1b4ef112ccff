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
    config, body = model.config, model.model
    cos, sin = (each[0] for each in body.rotary_emb(torch.zeros(1), torch.arange(config.max_position_embeddings)[None]))

    def turn(z, at):
        half = z.shape[-1] // 2
        return z * cos[at] + torch.cat([-z[..., half:], z[..., :half]], -1) * sin[at]

    layers = [(each.input_layernorm, each.self_attn.q_proj, each.self_attn.k_proj, each.self_attn.v_proj,
               each.self_attn.o_proj, each.post_attention_layernorm, each.mlp) for each in body.layers]
    steps = torch_steps.Decoder(layers, lambda tokens, at: body.embed_tokens(tokens), lambda x: model.lm_head(body.norm(x)),
                                turn, config.num_attention_heads, config.hidden_size, config.max_position_embeddings,
                                is_compiled=options.compile)
    ids = [1, 30, *range(4, 24)]
    with torch.no_grad():
        steps.check(ids, model(torch.tensor([ids])).logits[0])

    def ours(seed):
        return torch_steps.program_rate(
            options, lambda count: ["protein", "generate", "--family", "globin", "-n", count, "--seed", seed, "--min-length",
                                    options.tokens, "--max-length", options.tokens],
            lambda told: told["residues"], lambda told: told["generate_seconds"], 1, 21)

    torch_steps.compare(options, lambda seed: steps.draw([1], options.tokens, lambda each: torch_steps.drawn(each[0])), ours)


if __name__ == "__main__":
    main()
