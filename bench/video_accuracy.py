#!/usr/bin/env python3
"""How far the objects of continued videos are from the true physics, through the program's files.

    python bench/video_accuracy.py build/bin/tokenworks [--clips 100] [--model M]

Clips of every class in turn, of a seed that training does not use: 8 frames go in as PNG files, 8 come out as an
animated PNG. A disc is measured by the red of a frame, a square by its blue (tools/train/video.py). A clip counts where
every object of every new frame is within 1.5 pixels of where it should be. Needs numpy, Pillow, torch, safetensors.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools" / "train"))
import video  # noqa: E402

GIVEN, NEW, MOST = 8, 8, 1.5


def frames_of(path):
    film = Image.open(path)
    frames = []
    for i in range(film.n_frames):
        film.seek(i)
        frames.append(np.array(film.convert("RGB")))
    return np.stack(frames)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("program")
    parse.add_argument("--clips", type=int, default=100)
    parse.add_argument("--model", help="in place of the one that is shipped")
    parse.add_argument("--seed", type=int, default=20261129)
    args = parse.parse_args()
    rng = np.random.default_rng(args.seed)
    worst = {name: [] for name in video.CLASSES}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.clips):
            name = video.CLASSES[i % len(video.CLASSES)]
            paths = [path[0] for path in video.motions(name, rng, 1, GIVEN + NEW)]
            true = video.drawn(*paths)
            files = [f"{folder}/{k}.png" for k in range(GIVEN)]
            for file, frame in zip(files, true):
                Image.fromarray(frame).save(file)
            call = [args.program, "video", "--class", name, "--from", ",".join(files), "--frames", str(NEW), "-o", f"{folder}/out.png"]
            subprocess.run(call + (["-m", args.model] if args.model else []), check=True)
            made = frames_of(f"{folder}/out.png")
            assert len(made) == GIVEN + NEW and (made[:GIVEN] == true[:GIVEN]).all(), "the frames given are not what they were"
            far = 0.0
            for path, found in zip(paths, video.centres(made)):
                gone = np.nan_to_num(np.linalg.norm(path - found, axis=-1)[GIVEN:], nan=np.inf)
                far = max(far, 0.0 if np.isnan(path).any() else gone.max())
            worst[name].append(far)
    everything = np.concatenate(list(worst.values()))
    for name, far in worst.items():
        print(f"{name}: {np.mean(np.array(far) <= MOST):.0%} of {len(far)}, median {np.median(far):.2f} pixels at the worst frame", file=sys.stderr)
    print(json.dumps({"clips": len(everything), "share_within_1.5_pixels": round(float(np.mean(everything <= MOST)), 4),
                      "median_of_worst_pixels": round(float(np.median(everything)), 3)}))


if __name__ == "__main__":
    main()
