#!/usr/bin/env python3
"""How well the protein model does, on data that tools/train/protein.py made: perplexity of the sequences that were held
out beside a 3-gram model's, and, of each family, how many of 200 made sequences hmmsearch finds with the family's profile.

    python bench/protein_accuracy.py --program build/bin/tokenworks --data build/protein_data [--model models/protein.gguf]

Needs numpy; hmmsearch, hmmbuild, mafft and mmseqs (Debian: hmmer, mafft, mmseqs2).

The perplexity is that of residues and the end, of the whole sequence. "No relative" are the held out sequences for which
MMseqs2 finds none (E < 1e-3) among those of the training. The profile of a family that has none among HMMER's examples
is hmmbuild's of an alignment by mafft of the training's members. A duplicate is a sequence that is one of the training.
"""
import argparse
import gzip
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools" / "train"))
import protein  # noqa: E402

SYMBOLS = len(protein.RESIDUES) + len(protein.OTHERS) + 1  # and the end


def symbols(sequence):
    return np.append(protein.encode(sequence) - protein.FIRST, SYMBOLS - 1)


def trigram(training, tested):
    """Natural log likelihoods of sequences: a trigram model, each order mixed with the one below as Witten and Bell do."""
    start = SYMBOLS
    size = SYMBOLS + 1
    counts = np.zeros((size, size, SYMBOLS))
    padded = lambda s: np.concatenate([[start, start], symbols(s)])
    for sequence in training:
        s = padded(sequence)
        np.add.at(counts, (s[:-2], s[1:-1], s[2:]), 1)
    one = counts.sum((0, 1)) + 1
    one /= one.sum()
    mixed = lambda c, below: (c + (c > 0).sum(-1, keepdims=True) * below) / np.maximum(
        c.sum(-1, keepdims=True) + (c > 0).sum(-1, keepdims=True), 1)
    two = mixed(counts.sum(0), one)
    two[counts.sum(0).sum(-1) == 0] = one
    three = mixed(counts, two[None])
    unseen = counts.sum(-1) == 0
    three[unseen] = np.broadcast_to(two[None], counts.shape)[unseen]
    out = []
    for sequence in tested:
        s = padded(sequence)
        out.append(np.log(three[s[:-2], s[1:-1], s[2:]]).sum())
    return np.array(out)


def relatives(folder, data):
    """The numbers of held out sequences that have a relative in the training. MMseqs2 cuts names, so they get others."""
    asked = folder / "asked.fasta"
    protein.write_fasta(asked, [(f"q{i}", s) for i, (_, s) in enumerate(protein.read_fasta(data / "held_out.fasta"))])
    subprocess.run(["mmseqs", "easy-search", asked, data / "general.fasta", folder / "hits", folder / "tmp", "-e", "1e-3",
                    "--threads", "1", "-v", "0"], check=True, stdout=subprocess.DEVNULL)
    return {int(line.split("\t")[0][1:]) for line in (folder / "hits").read_text().splitlines()}


def profile_of(family, data, hmmer, folder):
    how = protein.FAMILIES[family]
    given = {"globin": "tutorial/globins4.hmm"}.get(family, how.get("profile"))
    path = folder / f"{family}.hmm"
    if given:
        bytes_ = (hmmer / given).read_bytes()
        path.write_bytes(gzip.decompress(bytes_) if given.endswith(".gz") else bytes_)
        return path
    aligned = subprocess.run(["mafft", "--auto", "--quiet", data / f"{family}.fasta"], check=True, capture_output=True).stdout
    (folder / "aligned").write_bytes(aligned)
    subprocess.run(["hmmbuild", "--amino", "-n", family, path, folder / "aligned"], check=True, stdout=subprocess.DEVNULL)
    return path


def found(profile, fasta, folder):
    subprocess.run(["hmmsearch", "--cpu", "1", "--tblout", folder / "found", "-E", "1e-5", profile, fasta], check=True,
                   stdout=subprocess.DEVNULL)
    return {line.split()[0] for line in (folder / "found").read_text().splitlines() if not line.startswith("#")}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=pathlib.Path, required=True)
    arguments.add_argument("--data", type=pathlib.Path, required=True)
    arguments.add_argument("--model")
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--temp", default="0.8")
    arguments.add_argument("--hmmer", type=pathlib.Path, default=pathlib.Path("/usr/share/doc/hmmer/examples"))
    options = arguments.parse_args()
    model = ["-m", options.model] if options.model else []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        general = dict(protein.read_fasta(options.data / "general.fasta"))
        tested = dict(protein.read_fasta(options.data / "held_out.fasta"))
        baseline = trigram(general.values(), tested.values())
        table = subprocess.run([options.program, "protein", "score", options.data / "held_out.fasta", *model], check=True,
                               capture_output=True, text=True).stdout.splitlines()[1:]
        ours = np.array([float(line.split("\t")[2]) for line in table])
        lengths = np.array([len(s) + 1 for s in tested.values()])
        known = relatives(folder, options.data)
        alone = np.array([i not in known for i in range(len(tested))])
        for title, rows in (("all", np.ones(len(lengths), bool)), ("no relative", alone)):
            a, b = (math.exp(-x[rows].sum() / lengths[rows].sum()) for x in (baseline, ours))
            print(f"{title}: {rows.sum()} sequences, perplexity of trigrams {a:.2f}, of the model {b:.2f} ({b / a - 1:+.1%})",
                  flush=True)
        for family in protein.FAMILIES:
            made = folder / "made.fasta"
            subprocess.run([options.program, "protein", "generate", "--family", family, "-n", str(options.count), "--seed", "1",
                            "--temp", options.temp, "-o", made, *model], check=True, stdout=subprocess.DEVNULL)
            sequences = [s for _, s in protein.read_fasta(made)]
            seen = {s for _, s in protein.read_fasta(options.data / f"{family}.fasta")} | set(general.values())
            hits = found(profile_of(family, options.data, options.hmmer, folder), made, folder)
            print(f"{family}: {len(hits) / len(sequences):.1%} found, {sum(s in seen for s in sequences) / len(sequences):.1%} "
                  f"in the training, {len(set(sequences))} different, "
                  f"mean length {np.mean([len(s) for s in sequences]):.0f}", flush=True)


if __name__ == "__main__":
    main()
