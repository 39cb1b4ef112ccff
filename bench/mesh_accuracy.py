#!/usr/bin/env python3
"""How good the meshes of `tokenworks mesh` are, told by other programs: trimesh reads them, and a classifier that never
saw the model's meshes names them by points on their surface.

    python bench/mesh_accuracy.py build/bin/tokenworks --count 100
    python bench/mesh_accuracy.py build/bin/tokenworks --count 100 --untrained

Needs numpy, scikit-learn, trimesh; with --untrained torch and safetensors.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import trimesh
from sklearn.ensemble import ExtraTreesClassifier

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools/train"))
import mesh as recipe


def features(shape, rng):
    """Of 1024 points on the surface: extents, how far from the middle and from the axis, how high, how directions lie."""
    points, triangle = trimesh.sample.sample_surface(shape, 1024, seed=int(rng.integers(1 << 30)))
    normals = shape.face_normals[triangle]
    share = lambda values, low, high, bins: np.histogram(values, bins, (low, high))[0] / len(values)
    flat = np.linalg.norm(points[:, [0, 2]], axis=1)
    pairs = np.linalg.norm(points[:512] - points[512:], axis=1)
    return np.concatenate([np.ptp(points, axis=0), share(np.linalg.norm(points, axis=1), 0, 0.9, 12), share(flat, 0, 0.8, 12),
                           share(points[:, 1], -0.5, 0.5, 12), share(normals[:, 1], -1, 1, 10), share(pairs, 0, 1.5, 12),
                           share(np.abs(normals).max(1), 0.57, 1, 8)])


def generated(name, rng):
    """A mesh of the recipe, before it became tokens."""
    points, faces = recipe.solid(name, rng)
    low, high = points.min(0), points.max(0)
    return trimesh.Trimesh((points - (low + high) / 2) / (high - low).max(), faces, process=False)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("program")
    parse.add_argument("--count", type=int, default=100, help="of each class")
    parse.add_argument("--untrained", action="store_true", help="with random weights")
    args = parse.parse_args()
    rng = np.random.default_rng(99)
    with tempfile.TemporaryDirectory() as folder:
        place, more = pathlib.Path(folder), []
        if args.untrained:
            import torch
            torch.manual_seed(1)
            recipe.Gpt2().save(place / "model")
            more = ["-m", str(place / "model"), "--temp", "1"]
        else:
            rows = [(features(generated(name, rng), rng), name) for name in recipe.CLASSES for _ in range(300)]
            judge = ExtraTreesClassifier(300, random_state=1).fit([row[0] for row in rows], [row[1] for row in rows])
            held = [(features(generated(name, rng), rng), name) for name in recipe.CLASSES for _ in range(50)]
            print(f"the judge on solids it has not seen: {judge.score([r[0] for r in held], [r[1] for r in held]):.1%}")
        loaded, tight, outward, right, total, tokens, seconds = 0, 0, 0, 0, 0, 0, 0.0
        for name in recipe.CLASSES:
            for form in ("obj", "stl", "glb"):
                made = place / form / name
                said = subprocess.run([args.program, "mesh", "--class", name, "-n", str(args.count), "--each", str(made), "--format",
                                       form, "--seed", "5000", "--json", *more], check=True, capture_output=True, text=True)
            timings = json.loads(said.stdout)["timings"]
            tokens, seconds = tokens + timings["tokens"], seconds + timings["seconds"]
            for i in range(args.count):
                forms = [trimesh.load(place / form / name / f"{i:04}.{form}", force="mesh") for form in ("obj", "stl", "glb")]
                shape = forms[0]
                total += 1
                loaded += all(len(each.faces) == len(shape.faces) > 0 for each in forms)
                tight += bool(shape.is_watertight and shape.is_winding_consistent)
                outward += bool(shape.volume > 0)
                if not args.untrained:
                    right += judge.predict([features(shape, rng)])[0] == name
        print(f"{loaded} of {total} load as OBJ, STL and GLB; {tight} watertight, {outward} with outward normals")
        if not args.untrained:
            print(f"{right} of {total} named as asked for; {tokens / seconds:.0f} tokens/s")


if __name__ == "__main__":
    main()
