#!/usr/bin/env python3
"""Makes tests/golden/images: pixels as Pillow resizes them, and as transformers prepares them for image encoders.

The source is not stored: byte i of an image is (i * i * 7 + i * 13 + seed * 31) % 256 (tests/models/image_processor.cpp
has the same). Needs pillow, numpy, torch, transformers. Writes the versions it ran with to VERSIONS.
"""
import json
import pathlib
import sys

import numpy as np
import PIL
import PIL.Image
import transformers
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "images"


def image(height, width, seed):
    i = np.arange(height * width * 3, dtype=np.int64)
    return ((i * i * 7 + i * 13 + seed * 31) % 256).astype(np.uint8).reshape(height, width, 3)


# Height and width before and after, Pillow's number of the filter.
RESIZES = [(13, 9, 5, 4, 2), (13, 9, 5, 4, 3), (13, 9, 5, 4, 1), (3, 4, 8, 7, 2), (3, 4, 8, 7, 3), (3, 4, 8, 7, 1),
           (6, 5, 6, 11, 3), (6, 5, 2, 5, 3), (1, 1, 3, 2, 3), (1, 17, 2, 1, 3), (6, 5, 6, 5, 3),
           # Around the size from which columns come first.
           (10, 7, 6, 5, 3), (11, 7, 6, 5, 3), (11, 7, 6, 5, 1), (14, 6, 5, 9, 2), (5, 6, 9, 13, 3)]

CROPPED = dict(size={"shortest_edge": 5}, crop_size={"height": 5, "width": 5})
# Class, what is not as it is anyhow, height and width.
CASES = [
    (CLIPImageProcessorPil, CROPPED, 9, 13),
    (CLIPImageProcessorPil, CROPPED, 14, 6),
    (CLIPImageProcessorPil, dict(size={"shortest_edge": 4}, crop_size={"height": 7, "width": 5}), 9, 13),
    (CLIPImageProcessorPil, dict(do_resize=False, crop_size={"height": 4, "width": 6}), 7, 3),
    (ViTImageProcessorPil, dict(size={"height": 4, "width": 6}), 7, 9),
    (ViTImageProcessorPil, dict(size={"height": 4, "width": 3}, resample=3, image_mean=[0.1, 0.2, 0.3],
                                image_std=[0.5, 1.0, 2.0]), 7, 9),
    (ViTImageProcessorPil, dict(do_resize=False, do_normalize=False, rescale_factor=0.5), 2, 3),
    (ViTImageProcessorPil, dict(do_resize=False, do_rescale=False), 2, 3),
]

OUT.mkdir(parents=True, exist_ok=True)
resizes = []
for number, (height, width, to_height, to_width, resample) in enumerate(RESIZES):
    done = PIL.Image.fromarray(image(height, width, number)).resize((to_width, to_height), resample)
    resizes.append(dict(seed=number, height=height, width=width, to_height=to_height, to_width=to_width,
                        resample=resample, values=np.array(done).flatten().tolist()))
cases = []
for number, (kind, arguments, height, width) in enumerate(CASES):
    processor = kind(**arguments)
    config = {key: value for key, value in json.loads(processor.to_json_string()).items() if value is not None}
    pixels = processor(PIL.Image.fromarray(image(height, width, number)), return_tensors="np")["pixel_values"][0]
    cases.append(dict(seed=number, height=height, width=width, config=config, extents=list(pixels.shape),
                      values=[round(float(x), 6) for x in pixels.flatten()]))
lines = '{"resizes": [\n' + ",\n".join(json.dumps(each) for each in resizes)
lines += '\n], "cases": [\n' + ",\n".join(json.dumps(each) for each in cases) + "\n]}\n"
(OUT / "images.json").write_text(lines)
(OUT / "VERSIONS").write_text(f"pillow {PIL.__version__}\ntransformers {transformers.__version__}\n"
                              f"numpy {np.__version__}\npython {sys.version.split()[0]}\n")
print((OUT / "images.json").stat().st_size)
