#!/usr/bin/env python3
"""Makes tests/golden/pictures/janus.json: a tiny random Janus, with the codes and the picture that it makes of a prompt.

    python tools/golden/janus.py

Needs torch and transformers; their versions stand in the file. Weights are hashed from their names, as in families.py;
what looks at pictures is left out.
"""
import torch
import transformers
from transformers import JanusConfig, JanusForConditionalGeneration
from transformers.models.janus.configuration_janus import JanusVisionConfig, JanusVQVAEConfig

from pictures import fill, short, write

TEXT = dict(model_type="llama", hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, vocab_size=50, max_position_embeddings=64, rms_norm_eps=1e-6, rope_theta=10000.0,
            bos_token_id=1, pad_token_id=2, eos_token_id=0, hidden_act="silu", head_dim=8, tie_word_embeddings=False)
VQ = dict(embed_dim=4, num_embeddings=40, latent_channels=10, base_channels=32, channel_multiplier=[1, 1, 2],
          num_res_blocks=1, num_patches=3, double_latent=False, in_channels=3, out_channels=3, projection_dim=32,
          num_hidden_layers=2, hidden_act="gelu", image_token_embed_dim=32)
VISION = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=12, patch_size=4, mlp_ratio=1.0,
              projection_dim=32, depth=2)
PROMPT = [1, 17, 30, 9, 44, 5, 3]


def main():
    config = JanusConfig(text_config=TEXT, vq_config=JanusVQVAEConfig(**VQ).to_dict(), image_token_id=4,
                         vision_config=JanusVisionConfig(**VISION, num_image_tokens=9).to_dict())
    model = JanusForConditionalGeneration(config)
    unused = [name for name in model.state_dict() if name.startswith(("model.vision_model.", "model.aligner.", "lm_head."))]
    rows = fill(model, unused)
    document = {}
    generation = dict(bos_token_id=1, pad_token_id=2, generation_kwargs=dict(boi_token_id=3), guidance_scale=5.0)
    for name, guidance in (("guided", 5.0), ("less", 2.0)):  # the reference knows no 1
        settings = transformers.GenerationConfig(do_sample=False, guidance_scale=guidance, max_length=64, use_cache=True,
                                                 bos_token_id=1, pad_token_id=2, eos_token_id=0)
        settings.generation_kwargs = dict(boi_token_id=3)
        prompt = torch.tensor([PROMPT])
        ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_mode="image", generation_config=settings)
        document[name] = ids[0].tolist()
        print(name, document[name])
        assert len(set(document[name])) > 2
        if name == "guided":
            with torch.no_grad():
                pixels = short(model.decode_image_tokens(ids).numpy())
    plain = dict(model_type="janus", text_config=TEXT, vq_config=VQ)
    write("janus", dict(config=plain, tensors=rows, ids=PROMPT, generation=generation, logits=[pixels],
                        transformers=transformers.__version__, torch=torch.__version__, **document))


if __name__ == "__main__":
    main()
