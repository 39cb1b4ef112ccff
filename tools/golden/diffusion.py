#!/usr/bin/env python3
"""Makes tests/golden/pictures/dit_pipeline*.json: a tiny DiTPipeline of diffusers, with what it makes of some noise.

    python tools/golden/diffusion.py

Needs torch, transformers and diffusers; their versions stand in the first file. Weights are hashed from their names, as
in families.py. The pipeline's own loop calls class 1000 "none"; here it is written out, for fewer classes.
"""
import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiTTransformer2DModel

from families import weights
from pictures import fill, short, write

TRANSFORMER = dict(num_attention_heads=3, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2, sample_size=6,
                   patch_size=2, num_embeds_ada_norm=5, activation_fn="gelu-approximate", norm_type="ada_norm_zero",
                   norm_elementwise_affine=False, norm_eps=1e-3, attention_bias=True)
VAE = dict(in_channels=3, out_channels=3, block_out_channels=[8, 16, 16], layers_per_block=1, latent_channels=4,
           norm_num_groups=4, act_fn="silu", scaling_factor=0.5, sample_size=24,
           down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3)
SCHEDULER = dict(beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=False, num_train_timesteps=1000,
                 prediction_type="epsilon", set_alpha_to_one=True, steps_offset=0)
LABEL, GUIDANCE, STEPS = 3, 4.0, 5


def main():
    transformer = DiTTransformer2DModel(**TRANSFORMER)
    state = transformer.state_dict()
    again = [name for name in state if name.startswith("transformer_blocks.1.norm1.emb.")]
    rows = fill(transformer, again)
    transformer.transformer_blocks[1].norm1.emb.load_state_dict(transformer.transformer_blocks[0].norm1.emb.state_dict())
    vae = AutoencoderKL(**VAE)
    unused = [name for name in vae.state_dict() if name.startswith(("encoder.", "quant_conv."))]
    vae_rows = fill(vae, unused)
    last = lambda planes: planes.permute(0, 2, 3, 1).numpy()
    noise = torch.from_numpy(weights("latents", [1, 4, 6, 6], 0.0, 1 / 24))
    scheduler = DDIMScheduler(**SCHEDULER)
    documents = {}
    with torch.no_grad():
        for name, guidance in (("guided", GUIDANCE), ("plain", 1.0)):
            scheduler.set_timesteps(STEPS)
            x = noise
            for t in scheduler.timesteps:
                both = transformer(torch.cat([x, x]), timestep=t.expand(2), class_labels=torch.tensor([LABEL, 5])).sample
                with_class, without = both[:1, :4], both[1:, :4]
                x = scheduler.step(without + guidance * (with_class - without), t, x).prev_sample
            documents[name] = short(last(x))
            if guidance != 1:
                pixels = short(last(vae.decode(x / VAE["scaling_factor"]).sample))
    assert np.ptp(pixels) > 0.1, np.ptp(pixels)
    write("dit_pipeline", dict(config=dict(TRANSFORMER, _class_name="DiTTransformer2DModel"), tensors=rows, ids=[],
                               scheduler=SCHEDULER, label=LABEL, guidance=GUIDANCE, steps=STEPS, logits=[pixels],
                               diffusers=diffusers.__version__, torch=torch.__version__, **documents))
    write("dit_pipeline_vae", dict(config=dict(VAE, _class_name="AutoencoderKL"), tensors=vae_rows, ids=[], logits=[]))


if __name__ == "__main__":
    main()
