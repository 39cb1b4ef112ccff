#!/usr/bin/env python3
"""Makes tests/golden/pictures: tiny networks that make pictures, with what their references compute.

    python tools/golden/pictures.py LLAMAGEN DIT

Needs torch, transformers and timm (versions in VERSIONS beside the files), and checkouts of
https://github.com/FoundationVision/LlamaGen and https://github.com/facebookresearch/DiT. Weights are hashed from their
names, as in families.py.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch
import transformers
from transformers.models.janus.configuration_janus import JanusVQVAEConfig
from transformers.models.janus.modeling_janus import JanusVQVAE

from families import OUT, mean_and_scale, weights

GROUP = OUT / "pictures"


def short(values, digits=7):
    return [float(f"{value:.{digits}g}") for value in np.asarray(values).ravel()]


def fill(model, skipped=()):
    """Hashes the weights; returns what a test needs to do the same."""
    rows, state = [], {}
    for name, tensor in model.state_dict().items():
        if name in skipped:
            continue
        mean, scale = mean_and_scale(name, list(tensor.shape), "pictures")
        if len(tensor.shape) == 4:  # filters sum over more than their last axis
            scale = 2.0 ** round(np.log2(1.5 / (37 * np.prod(tensor.shape[1:]) ** 0.5)))
        elif "cls_embedding" in name or "tok_embeddings" in name or "embedding_table" in name:
            scale = 2.0**-6
        elif "quantize" in name:
            scale = 2.0**-5
        rows.append([name, list(tensor.shape), mean, scale])
        state[name] = torch.from_numpy(weights(name, list(tensor.shape), mean, scale).reshape(tuple(tensor.shape)))
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert set(missing) <= set(skipped), missing
    model.eval()
    return rows


def write(name, document):
    GROUP.mkdir(parents=True, exist_ok=True)
    (GROUP / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(name, (GROUP / f"{name}.json").stat().st_size)


def picture(height, width):
    """[3,H,W] from -1 to 1."""
    return torch.from_numpy(weights("pixels", [3, height, width], 0.0, 1 / 64))


def vq(name, config, model, encode, decode, sides, skipped=()):
    rows = fill(model, skipped)
    height, width = sides
    with torch.no_grad():
        ids = encode(picture(height, width)[None]).flatten()
        pixels = decode(ids)[0].permute(1, 2, 0)  # channels last, as pixels lie here
    assert len(set(ids.tolist())) > 2, ids
    # A row of the result is enough.
    write(name, dict(config=config, tensors=rows, ids=ids.tolist(), sides=[height, width], logits=[short(pixels.numpy())]))


def llamagen_vq():
    from tokenizer.tokenizer_image import vq_model
    arguments = dict(codebook_size=50, encoder_ch_mult=[1, 2], decoder_ch_mult=[1, 2], z_channels=12)
    model = vq_model.VQModel(vq_model.ModelArgs(**arguments, codebook_show_usage=False))
    # The width of 128 stands in the code; a narrower one is as good a reference.
    model.encoder = vq_model.Encoder(ch=32, ch_mult=[1, 2], num_res_blocks=1, z_channels=12)
    model.decoder = vq_model.Decoder(ch=32, ch_mult=[1, 2], num_res_blocks=1, z_channels=12)
    height, width = 8, 6
    vq("vq_llamagen", dict(arguments, ch=32, num_res_blocks=1), model, lambda x: model.encode(x)[2][2],
       lambda ids: model.decode_code(ids, (1, 8, height // 2, width // 2)), (height, width))


def janus_vq():
    config = JanusVQVAEConfig(embed_dim=4, num_embeddings=40, latent_channels=10, base_channels=32,
                              channel_multiplier=[1, 1, 2], num_res_blocks=1, num_patches=2)
    model = JanusVQVAE(config)
    plain = {key: value for key, value in config.to_dict().items()
             if key in ("embed_dim", "num_embeddings", "latent_channels", "base_channels", "channel_multiplier",
                        "num_res_blocks", "num_patches", "double_latent", "in_channels", "out_channels")}
    vq("vq_janus", plain, model, lambda x: model.encode(x).image_tokens, lambda ids: model.decode(ids[None]), (8, 8))


def llamagen_gpt():
    from autoregressive.models import gpt
    arguments = dict(dim=48, n_layer=2, n_head=4, n_kv_head=2, vocab_size=30, num_classes=5, block_size=16, multiple_of=32)
    model = gpt.Transformer(gpt.ModelArgs(**arguments))
    rows = fill(model)
    ids = np.random.default_rng(3).integers(0, 30, 15)
    logits = []
    with torch.no_grad():
        for label in (2, 5):  # 5 stands for no class
            positions = torch.arange(16)
            # With both given, a mask is needed only by caches.
            result = model(torch.from_numpy(ids)[None], torch.tensor([label]), input_pos=positions)[0][0]
            logits.append(short(result.numpy()))
    write("llamagen", dict(config=dict(arguments, model_type="llamagen", cls_token_num=1, norm_eps=1e-5, rope_base=10000,
                                       vq_config=dict(codebook_size=30)),
                           tensors=rows, ids=ids.tolist(), classes=[2, 5], logits=logits))


def dit(folder):
    sys.path.insert(0, str(folder))
    from models import DiT
    from diffusion import create_diffusion
    arguments = dict(input_size=6, patch_size=2, in_channels=3, hidden_size=24, depth=2, num_heads=3, mlp_ratio=2.0,
                     num_classes=4)
    model = DiT(**arguments)
    rows = fill(model)
    last = lambda planes: planes.permute(0, 2, 3, 1).numpy()
    x = torch.from_numpy(weights("noise", [2, 3, 6, 6], 0.0, 1 / 32))
    times, labels = torch.tensor([17, 981]), torch.tensor([3, 4])
    with torch.no_grad():
        told = model(x, times, labels)
        steps = create_diffusion("ddim5")
        made = steps.ddim_sample_loop(model.forward, x[:1].shape, noise=x[:1], clip_denoised=False, device="cpu",
                                      model_kwargs={"y": labels[:1]})
    write("dit", dict(config=arguments, tensors=rows, ids=[], times=times.tolist(), classes=labels.tolist(),
                      logits=[short(last(told))], ddim5=short(last(made))))


def main():
    llamagen, dit_folder = (pathlib.Path(each) for each in sys.argv[1:3])
    sys.path.insert(0, str(llamagen))
    torch.manual_seed(0)
    llamagen_vq()
    janus_vq()
    llamagen_gpt()
    dit(dit_folder)
    (GROUP / "VERSIONS").write_text(
        f"torch {torch.__version__}\ntransformers {transformers.__version__}\n"
        "LlamaGen ce98ec41803a74a90ce68c40ababa9eaeffeb4ec\nDiT ed81ce2229091fd4ecc9a223645f95cf379d582b\n")


if __name__ == "__main__":
    main()
