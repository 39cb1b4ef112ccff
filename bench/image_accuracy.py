#!/usr/bin/env python3
"""How well the shipped image model draws what it is asked for.

    python bench/image_accuracy.py build/bin/tokenworks [--model models/image.gguf] [--count 500] [--out sheet.png]

A classifier that has seen real pictures only (fonts and handwritten digits of the training script, a support vector
machine on their pixels) names the samples; how it does on fonts and digits that it has not seen stands beside it. Then the
share of samples that differ from every training picture, and the distance to the nearest one beside that of real pictures
from others; and what tesseract reads of glyphs (upright capitals and digits; letters and digits apart, as it cannot tell 0
from O alone). Needs numpy, pillow, scikit-learn, the fonts, and perhaps tesseract.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools" / "train"))
import images as training  # noqa: E402


def draw(arguments):
    """Samples of every class in turn: [N,32,32] bytes and their classes."""
    images, labels = [], []
    per_class = [arguments.count // len(training.CLASSES) + (i < arguments.count % len(training.CLASSES))
                 for i in range(len(training.CLASSES))]
    for label, name in enumerate(training.CLASSES):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([arguments.program, "image", "-m", arguments.model, "--class", name, "-n", str(per_class[label]),
                            "--seed", str(1000 * label + arguments.seed), "--each", folder, *arguments.flags], check=True)
            for path in sorted(pathlib.Path(folder).iterdir()):
                images.append(np.asarray(Image.open(path).convert("L")))
                labels.append(label)
    return np.stack(images), np.array(labels)


def nearest(x, others):
    """The mean difference, in greys, of each from the nearest of the others."""
    best = []
    for one in x:
        best.append(np.abs(others.astype(np.int16) - one.astype(np.int16)).mean((1, 2)).min())
    return np.array(best)


def read(image, allowed):
    """What tesseract sees. Glyphs about 40 pixels high, as one block of text: of real ones it then reads 98 of 100; five
    times as large or told that it is one character (--psm 10), 85 to 91; told that it is a word or a raw line, 64."""
    large = Image.fromarray(image).resize((64, 64), Image.BICUBIC)
    page = Image.new("L", (128, 128), 255)
    page.paste(large, (32, 32))
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        page.save(file.name)
        done = subprocess.run(["tesseract", file.name, "-", "--psm", "6", "-c", f"tessedit_char_whitelist={allowed}"],
                              capture_output=True, text=True, env={"OMP_THREAD_LIMIT": "1", "PATH": "/usr/bin:/bin"})
    return done.stdout.strip()


def share_read(images, labels):
    right = total = 0
    for image, label in zip(images, labels):
        if label < len(training.GLYPHS):
            text = training.GLYPHS[label]
            total += 1
            right += read(image, training.GLYPHS[:10] if text.isdigit() else training.GLYPHS[10:]) == text
    return right / max(1, total), total


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("--model", default="models/image.gguf")
    arguments.add_argument("--count", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--quick", action="store_true", help="only what the classifier says")
    arguments.add_argument("--out", help="a picture of the samples that the classifier names otherwise")
    arguments.add_argument("--flags", type=str.split, default=[], help="for the program, in one string")
    arguments = arguments.parse_args()
    samples, wanted = draw(arguments)
    train, train_labels = training.pictures(np.random.default_rng(1), 2, True)
    held, held_labels = training.pictures(np.random.default_rng(2), 1, True, held=True)
    flat = lambda x: x.reshape(len(x), -1).astype(np.float32) / 255
    judge = make_pipeline(PCA(80, whiten=False, random_state=0), SVC(C=10)).fit(flat(train), train_labels)
    print(f"real pictures that it has not seen: {np.mean(judge.predict(flat(held)) == held_labels):.1%} of {len(held)}")
    named = judge.predict(flat(samples))
    print(f"samples: {np.mean(named == wanted):.1%} of {len(samples)}")
    wrong = [f"{training.CLASSES[w]}->{training.CLASSES[n]}" for w, n in zip(wanted, named) if w != n]
    print("named otherwise:", " ".join(wrong), flush=True)
    if arguments.quick:
        return
    if arguments.out and wrong:
        Image.fromarray(np.concatenate(list(samples[named != wanted][:40]), 1)).save(arguments.out)
    some = np.random.default_rng(0).choice(len(held), min(len(held), 200), replace=False)
    from_training, real = nearest(samples, train), nearest(held[some], train)
    print(f"differ from every training picture: {np.mean(from_training > 0):.1%}; distance to the nearest: median "
          f"{np.median(from_training):.1f} greys; of real pictures that are left out: {np.median(real):.1f}", flush=True)
    if shutil.which("tesseract") and not arguments.quick:
        right, total = share_read(samples, wanted)
        glyphs = np.flatnonzero(held_labels < len(training.GLYPHS))
        chosen = np.random.default_rng(0).choice(glyphs, 200, replace=False)
        real, count = share_read(held[chosen], held_labels[chosen])
        print(f"tesseract reads {right:.1%} of {total} glyphs; of {count} real ones that are left out {real:.1%}")


if __name__ == "__main__":
    main()
