"""Images, meshes, proteins or films asked of `tokenworks serve` one after another, then all at once.

    build/bin/tokenworks serve -m MODEL.gguf -t 2 --port 8080
    bench/serve_kinds.py --url http://127.0.0.1:8080 --kind image --count 8

Each round has seeds of its own. Fails where an answer differs between the two. Only the standard library is needed.
"""

import argparse
import json
import statistics
import sys
import threading
import time
import urllib.request

KINDS = {"image": ("/v1/images/generations", {"guidance": 3}), "mesh": ("/v1/meshes", {}), "video": ("/v1/videos", {"frames": 16}),
         "protein": ("/v1/proteins", {"min_length": 100, "max_length": 200})}


def ask(url, path, body=None, timeout=120):
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--kind", choices=KINDS, default="image")
    parser.add_argument("--count", type=int, default=8, help="clients")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    path, more = KINDS[options.kind]
    names = ask(options.url, "/factory")["kinds"][options.kind]
    field = "family" if options.kind == "protein" else "class"

    def make(seed):
        return ask(options.url, path, {field: names[seed % len(names)], "seed": seed, **more})["data"]

    make(0)  # loads the model
    ratios = []
    for round_ in range(options.rounds):
        seeds = range(round_ * options.count, (round_ + 1) * options.count)
        begin = time.monotonic()
        alone = [make(seed) for seed in seeds]
        between = time.monotonic()
        together = {}
        clients = [threading.Thread(target=lambda seed=seed: together.update({seed: make(seed)})) for seed in seeds]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        end = time.monotonic()
        if [together.get(seed) for seed in seeds] != alone:
            sys.exit("the answers differ")
        ratios.append((between - begin) / (end - between))
        print(f"{options.count} of {options.kind}: one after another {between - begin:.3f} s, at once {end - between:.3f} s, "
              f"{ratios[-1]:.2f}x")
    print(f"median {statistics.median(ratios):.2f}x")


if __name__ == "__main__":
    main()
