"""The program at a terminal: exit codes, what goes to stdout, and what is said of wrong input.

Runs on the tiny models of tests/golden; what needs a vocabulary also on SmolLM2 where it is there.
"""

import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import model_folder
import real_models


class Checker:
    def __init__(self, command):
        self.command = command
        self.failures = 0
        self.count = 0

    def run(self, *arguments, text="", stdout=subprocess.PIPE):
        return subprocess.run([*self.command, *arguments], input=text, stdout=stdout, stderr=subprocess.PIPE, text=True,
                              timeout=120, check=False)

    def expect(self, code, *arguments, out=None, says="", text="", stdout=subprocess.PIPE):
        """The exit code, a part of stderr, and a test of stdout (which is empty where the program fails)."""
        done = self.run(*arguments, text=text, stdout=stdout)
        self.count += 1
        good = done.returncode == code and says in done.stderr
        if code != 0:
            good = good and not done.stdout and done.stderr.startswith("tokenworks: error: ")
        if out is not None:
            good = good and out(done.stdout)
        if not good:
            self.failures += 1
            shown = (done.stdout or "")[-400:]
            print(f"FAILED: {arguments}: exit {done.returncode}, expected {code} and '{says}'\n{shown}\n{done.stderr}")
        return done


def without_vocabulary(check, model, folder):
    check.expect(0, out=lambda text: "generate" in text)
    check.expect(0, "--version", out=lambda text: text.count(".") == 2)
    check.expect(0, "generate", "--help", out=lambda text: "--top-k" in text)
    check.expect(0, "info", "-m", model, out=lambda text: "architecture" in text)
    check.expect(0, "info", "-m", model, "--json", out=lambda text: json.loads(text)["architecture"] == "llama")
    check.expect(0, "info", "-m", model, out=lambda text: "rotary" in text and "silu" in text)
    check.expect(0, "info", "-m", model, "--json", out=lambda text: json.loads(text)["structure"]["norm"] == "rms")
    check.expect(0, "plan", "-m", model, "--ctx", "100", "-b", "2", "-p", "8", "--json",
                 out=lambda text: (lambda plan: plan["fits"] and plan["cache_bytes"] > 0
                                   and plan["decode"]["tokens_per_second"] > plan["decode_full"]["tokens_per_second"])(json.loads(text)))
    check.expect(0, "plan", "-m", model, "--ctx", "2000000000", "-b", "4096",
                 out=lambda text: "THIS DOES NOT FIT" in text)
    check.expect(2, "plan", "-m", model, "--cache-type", "q5_0", says="none of f32, f16, bf16, q8_0, q4_0")
    target = os.path.join(folder, "logits.npy")
    check.expect(0, "logits", "-m", model, "--ids", "1,2,3", "--out", target, "--json",
                 out=lambda text: json.loads(text)["shape"][0] == 3)
    check.expect(0, "bench", "-m", model, "-p", "8", "-n", "2", "-r", "1", "--json",
                 out=lambda text: json.loads(text)["decode_tokens_per_second"] > 0)
    cached = ["logits", "-m", model, "--ids", "1,2,3", "--out", target, "--packed-cache", folder + "/packed"]
    check.expect(0, *cached, says="packed weights written to " + folder + "/packed")
    check.expect(0, *cached, says="packed weights from " + folder + "/packed")
    check.expect(0, *cached[:-1], model, says="packed weights not written: ")
    check.expect(0, "bench", "-m", model, "-p", "8", "-n", "2", "-r", "1", "-d", "5", "-b", "2",
                 out=lambda text: "behind 5 in f16, batch 2" in text)
    check.expect(0, "embed", "-m", model, "--ids", "1,2,3", "--pooling", "none",
                 out=lambda text: len(json.loads(text)["embedding"]) == 3)
    check.expect(0, "embed", "-m", model, "--ids", "1,2,3", "--pooling", "last", "--normalize",
                 out=lambda text: abs(sum(x * x for x in json.loads(text)["embedding"]) - 1) < 1e-5)
    check.expect(2, "embed", "-m", model, "--image", "cat.png", says="reads no images")
    check.expect(2, "embed", "-m", model, says="exactly one of --text, --file, --ids and --image")
    check.expect(2, "embed", "-m", model, "--ids", "1", "--pooling", "median", says="none of none, mean, cls, last, max")
    check.expect(2, "logits", "-m", model, "--ids", "1", "--decoder-ids", "2", "--out", target, says="has no decoder beside")
    quantized = os.path.join(folder, "out.gguf")
    check.expect(0, "quantize", model, quantized, "q8_0", "--json", out=lambda text: json.loads(text)["tensors"] > 0)

    check.expect(2, "produce", "--help", says="no subcommand 'produce'")
    check.expect(2, "info", says="--model is required")
    check.expect(2, "info", "-m", model, "--isa", "mmx", says="mmx")
    check.expect(2, "logits", "-m", model, "--ids", "1,x", "--out", target, says="'x' is not a token id")
    check.expect(2, "quantize", model, quantized, "q9_9", says="q9_9")
    check.expect(2, "bench", "-m", model, "--cache-type", "q5_0", says="none of f32, f16, bf16, q8_0, q4_0")
    check.expect(2, "bench", "-m", model, "--matmul-precision", "low", says="none of highest, medium")
    check.expect(0, "logits", "-m", model, "--ids", "1,2,3", "--out", target, "--matmul-precision", "medium")
    check.expect(1, "info", "-m", os.path.join(folder, "none.gguf"), says="none.gguf")
    check.expect(1, "info", "-m", folder, says=folder)
    check.expect(1, "logits", "-m", model, "--ids", "99999", "--out", target, says="99999")
    check.expect(1, "tokenize", "-m", model, "--text", "x", says="no tokenizer")
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w", encoding="utf-8") as full:
            check.expect(1, "info", "-m", model, stdout=full, says="stdout: cannot be written")
            check.expect(1, "--help", stdout=full, says="stdout: cannot be written")
            check.expect(1, "bench", "-m", model, "-p", "8", "-n", "2", "-r", "1", "--json", stdout=full,
                         says="stdout: cannot be written")


def folders(check, golden, folder):
    """Models that are folders: classes, ranks, texts of texts, and beams."""
    make = lambda *what: model_folder.write(golden, *what, os.path.join(folder, what[1]))
    classes = make("classifiers", "bert", "bert", 700)

    def is_classified(text):
        found = json.loads(text)
        return found["scores"][found["label"]] == found["score"] and abs(sum(found["scores"].values()) - 1) < 1e-5

    check.expect(0, "classify", "-m", classes, "--text", "the cat", out=is_classified)
    check.expect(2, "classify", "-m", classes, says="no text")
    documents = os.path.join(folder, "documents.txt")
    Path(documents).write_text("a cat\nthe word\n\nthe cat the cat", encoding="utf-8")
    rank = ["rerank", "--query", "the cat", "--file", documents, "-m"]
    ranker = make("classifiers", "bert_pair", "bert", 700)

    def is_ranked(text):
        lines = [line.split("\t") for line in text.splitlines()]
        scores = [float(line[0]) for line in lines]
        return scores == sorted(scores, reverse=True) and sorted((int(line[1]), line[2]) for line in lines) == [
            (0, "a cat"), (1, "the word"), (2, ""), (3, "the cat the cat")]

    check.expect(0, *rank, ranker, out=is_ranked)
    check.expect(0, *rank, ranker, "--json", out=lambda text: len(json.loads(text)["results"]) == 4)
    check.expect(1, *rank, classes, says="has 3 classes")

    encoders_as_files(check, make("encoders", "roberta", "bert", 700), classes, ranker, documents)

    bart = make("encoder_decoders", "bart", "roberta", 400)
    settings = {"decoder_start_token_id": 2, "eos_token_id": 2, "max_length": 9}
    Path(bart, "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    check.expect(1, "quantize", bart, os.path.join(folder, "bart.gguf"), "f32", says="there is no GGUF form")
    check.expect(0, "plan", "-m", bart, "-p", "8", "--json",
                 out=lambda text: (lambda plan: plan["source"] == 8 and 0 < plan["encoder_bytes"] < plan["weight_bytes"]
                                   and plan["decode"]["tokens_per_second"] > 0)(json.loads(text)))
    check.expect(0, "plan", "-m", bart, out=lambda text: "encoding" in text and "decode" in text)
    start = ["generate", "-m", bart, "-p", "the cat", "--json"]
    made = lambda count: lambda text: len(json.loads(text)["ids"]) <= count and json.loads(text)["prompt_ids"]
    check.expect(0, *start, out=made(8))
    check.expect(0, *start, "-n", "12", "--num-beams", "3", "--length-penalty", "0.5", "--no-repeat-ngram", "2",
                 out=lambda text: made(12)(text) and "score" in json.loads(text))
    check.expect(0, *start, "--temp", "1", "--seed", "3", out=lambda text: "score" not in json.loads(text))
    check.expect(0, "generate", "-m", bart, "--ids", "0,5,2", "--json",
                 out=lambda text: json.loads(text)["prompt_ids"] == [0, 5, 2])
    check.expect(2, *start, "--num-beams", "2", "--temp", "1", says="--num-beams 1")
    check.expect(2, *start, "--chat", says="no conversations")
    check.expect(2, *start, "--forced-bos", "none such", says="no token 'none such'")
    check.expect(2, *start, "--num-beams", "0", says="--num-beams")

    llama = make("families", "llama", "unigram", 400)
    start = ["generate", "-m", llama, "-p", "the cat", "--json", "-n", "6"]
    check.expect(0, *start, "--num-beams", "3", out=lambda text: 0 < len(json.loads(text)["ids"]) <= 6)
    check.expect(0, *start, "--temp", "0", "--no-repeat-ngram", "1",
                 out=lambda text: len(set(json.loads(text)["ids"])) == len(json.loads(text)["ids"]))
    check.expect(0, *start, "--num-beams", "3", "--presence-penalty", "100",
                 out=lambda text: len(set(json.loads(text)["ids"])) == len(json.loads(text)["ids"]))
    check.expect(2, *start, "--num-beams", "3", "--stop", "x", says="--num-beams 1")
    check.expect(2, *start, "--forced-bos", "x", says="no encoder beside a decoder")
    check.expect(1, *start, "--num-beams", "3", "--ctx", "1", says="the context takes 1")
    grammars(check, start, folder)


def grammars(check, start, folder):
    """Texts that are bound to a grammar."""
    def file(name, text):
        Path(folder, name).write_text(text, encoding="utf-8")
        return os.path.join(folder, name)

    says = lambda *texts: lambda out: (lambda made: made["text"] in texts and made["finish_reason"] == "stop")(json.loads(out))
    check.expect(0, *start, "--grammar-file", file("answer.gbnf", 'root ::= "the" | "a" # or no more'), out=says("the", "a"))
    check.expect(0, *start, "--json-schema", file("schema.json", '{"enum": ["a", 12, null]}'), out=says('"a"', "12", "null"))
    check.expect(0, *start, "--regex", "(on|at){2}", out=says("onon", "onat", "aton", "atat"))
    check.expect(0, *start, "--regex", "[a-z]{40,}", out=lambda out: json.loads(out)["finish_reason"] == "length")
    check.expect(0, *start, "--choice", "the", "--choice", "a cat", out=says("the", "a cat"))
    check.expect(2, *start, "--choice", "", says="--choice: text 0 is empty")
    check.expect(2, *start, "--choice", "the", "--regex", "a", says="at most one of")
    check.expect(2, *start, "--regex", "a(?=b)", says="cannot be enforced")
    check.expect(2, *start, "--regex", "a", "--json-schema", "none", says="at most one of")
    check.expect(2, *start, "--regex", "a", "--num-beams", "2", says="--num-beams 1")
    check.expect(1, *start, "--grammar-file", file("bad.gbnf", "root ::= x"), says="bad.gbnf: the rule 'x' is not defined")
    check.expect(1, *start, "--json-schema", file("bad.json", '{"not": {}}'), says="'not' cannot be enforced")
    check.expect(1, *start, "--grammar-file", os.path.join(folder, "none.gbnf"), says="none.gbnf")


def encoders_as_files(check, plain, classes, ranker, documents):
    """GGUF files of encoders say what their folders say."""
    def same(folder, *call):
        file = folder + ".gguf"
        check.expect(0, "quantize", folder, file, "f32")
        said = [check.expect(0, call[0], "-m", model, *call[1:]).stdout for model in (folder, file)]
        check.count += 1
        if said[0] != said[1]:
            check.failures += 1
            print(f"FAILED: {call} of a folder and of its GGUF file: {said}")
        return file

    same(plain, "tokenize", "--text", "The cat, un-word", "--add-special")
    file = same(plain, "embed", "--text", "the cat")
    same(classes, "classify", "--text", "the cat")
    same(ranker, "rerank", "--query", "the cat", "--file", documents)
    check.expect(0, "info", "-m", file, out=lambda text: "that see both sides" in text and "bert" in text)
    check.expect(0, "plan", "-m", file, "-p", "8", out=lambda text: "encoding" in text)
    check.expect(0, "quantize", file, file + ".q8_0", "q8_0")
    check.expect(0, "embed", "-m", file + ".q8_0", "--text", "the cat")
    check.expect(1, "classify", "-m", file, "--text", "the cat", says="no head for the classes")
    check.expect(1, "generate", "-m", file, "-p", "the cat", says="is no decoder alone")


def importance(check, golden, folder):
    """An importance matrix of a folder, and its use."""
    model = model_folder.write(golden, "families", "llama", "unigram", 400, os.path.join(folder, "importance"))
    text = os.path.join(folder, "importance.txt")
    Path(text).write_text("the cat the word " * 40, encoding="utf-8")
    matrix, rows = os.path.join(folder, "im.gguf"), os.path.join(folder, "im.npy")
    make = ["imatrix", "-m", model, "-f", text, "-o", matrix, "--json"]
    check.expect(0, *make, "-c", "8", "--chunks", "3",
                 out=lambda said: json.loads(said)["chunks"] == 3 and json.loads(said)["tensors"] == 14
                 and b"imatrix.chunk_count" in Path(matrix).read_bytes())
    check.expect(0, "logits", "-m", model, "--quantize", "q8_0", "--imatrix", matrix, "--ids", "1,2", "--out", rows)
    check.expect(1, *make, "-c", "100000", says="the text has")
    check.expect(2, "imatrix", "-m", model, "-f", text, says="--output-file")
    check.expect(2, *make, "--lora", folder, says="--merge-lora only")


def png(width, height, pixel):
    """A picture of three channels, pixel(x, y) each."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


def pictures(check, golden, folder):
    """A picture as a vector, where the program was built with stb_image."""
    model = model_folder.write(golden, "image_encoders", "vit", None, None, os.path.join(folder, "vit"))
    steps = {"image_processor_type": "ViTImageProcessor", "size": {"height": 15, "width": 15}}
    Path(model, "preprocessor_config.json").write_text(json.dumps(steps), encoding="utf-8")
    first, second, none = (os.path.join(folder, name) for name in ("first.png", "second.png", "none.png"))
    Path(first).write_bytes(png(20, 11, lambda x, y: (12 * x, 20 * y, 7 * (x + y))))
    Path(second).write_bytes(png(20, 11, lambda x, y: (255 - 12 * x, 20 * y, 0)))
    Path(none).write_bytes(b"GIF87a")
    call = lambda picture, *flags: ["embed", "-m", model, "--normalize", "--image", picture, *flags]
    if "built without stb_image" in check.run(*call(first)).stderr:
        check.expect(1, *call(first), says="built without stb_image")
        return
    vectors = {}

    def is_vector(name):
        def kept(text):
            vectors[name] = json.loads(text)["embedding"]
            length = sum(value * value for value in vectors[name])
            return len(vectors[name]) == 18 and abs(length - 1) < 1e-4 and vectors.get("first") != vectors.get("second")
        return kept

    check.expect(0, *call(first), out=is_vector("first"))
    check.expect(0, *call(second), out=is_vector("second"))
    check.expect(0, *call(first), out=lambda text: json.loads(text)["embedding"] == vectors["first"])
    check.expect(0, *call(first, "--pooling", "none"), out=lambda text: len(json.loads(text)["embedding"]) == 10)
    check.expect(1, *call(none), says="no PNG or JPEG file")
    check.expect(2, "embed", "-m", model, "--text", "a cat", says="reads images alone")


def with_vocabulary(check, model, folder):
    check.expect(0, "tokenize", "-m", model, "--text", "Hello", out=lambda text: text.strip().isdigit())
    lines = os.path.join(folder, "lines.jsonl")
    Path(lines).write_text('"a b"\n"c"\n', encoding="utf-8")
    check.expect(0, "tokenize", "-m", model, "--jsonl", lines, "--json",
                 out=lambda text: [len(json.loads(line)["ids"]) for line in text.splitlines()] == [2, 1])
    check.expect(1, "tokenize", "-m", model, "--jsonl", folder, says=folder)
    check.expect(1, "tokenize", "-m", model, "--file", folder, says=folder)
    check.expect(2, "tokenize", "-m", model, "--jsonl", lines, "--text", "x", says="--jsonl")

    # A mix: values and the second half of feed-forward are better in 14 of 30 layers, and so is the head. Rows of 576 are
    # no whole blocks of 256, so that q6_k becomes q8_0 there, and q4_k q5_0.
    mixed = os.path.join(folder, "mixed.gguf")
    check.expect(0, "quantize", model, mixed, "Q4_K_M")
    counts = {"f32": 61, "q4_k": 16, "q6_k": 14, "q8_0": 15, "q5_0": 166}
    check.expect(0, "info", "-m", mixed, "--json",
                 out=lambda text: {k: v["tensors"] for k, v in json.loads(text)["tensor_types"].items()} == counts)
    check.expect(0, "logits", "-m", mixed, "--ids", "1,2,3", "--out", os.path.join(folder, "mixed.npy"))

    start = ["generate", "-m", model, "-p", "Once upon a time", "--temp", "0"]
    plain = check.expect(0, *start, "-n", "12", "--json", out=lambda text: json.loads(text)["finish_reason"] == "length")
    answer = json.loads(plain.stdout)["text"]
    # A text in brackets is a text, and one value a flag.
    for stop in ("[,]", "[]", "{x}"):
        check.expect(0, *start, "-n", "12", "--json", "--stop", stop, out=lambda text: json.loads(text)["text"] == answer)
    check.expect(2, *start, "--stop", "a", "stray", says="stray")
    check.expect(2, *start, "--stop", "", says="--stop")
    for flag, value in (("-n", "010"), ("-t", "02"), ("-n", "99999999999999999999"), ("-n", "-1"),
                        ("--seed", "18446744073709551616"),
                        ("--top-k", "-1"), ("--temp", "-1"), ("--top-p", "2"), ("--logit-bias", "[1=2]")):
        check.expect(2, *start, flag, value)
    check.expect(2, "generate", "-m", model, "--ids", "", says="no token id")
    check.expect(2, "generate", "-m", model, "-p", "a", "--ids", "1", says="exactly one")
    filling(check, model, folder)
    check.expect(0, "chat", "-m", model, "--json", "-n", "4", "--temp", "0", text="Hi\nAgain\n",
                 out=lambda text: [json.loads(line)["finish_reason"] for line in text.splitlines()] == ["length"] * 2)
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w", encoding="utf-8") as full:
            check.expect(1, *start, "-n", "4", stdout=full, says="stdout: cannot be written")

    stopped_reading(check, model)


def filling(check, model, folder):
    """Text between two texts. SmolLM2 has no tokens for it; a copy of the file names others of its control tokens."""
    fill = ["generate", "-p", "def f(", "--temp", "0", "-n", "6", "--json"]
    check.expect(1, *fill, "-m", model, "--suffix", "x", says="no tokens to fill in the middle")
    named = os.path.join(folder, "named.gguf")
    Path(named).write_bytes(with_numbers(Path(model).read_bytes(), {
        "tokenizer.ggml.fim_pre_token_id": 3, "tokenizer.ggml.fim_suf_token_id": 4, "tokenizer.ggml.fim_mid_token_id": 6}))

    def ids_of(text):
        done = check.expect(0, "tokenize", "-m", model, "--text", text, "--json")
        return json.loads(done.stdout)["ids"]

    after = "):\n    return <reponame>"  # the spelling of token 4, which stays text
    expected = [3, *ids_of("def f("), 4, *ids_of(after), 6]
    filled = check.expect(0, *fill, "-m", named, "--suffix", after,
                          out=lambda text: json.loads(text)["prompt_ids"] == expected)
    suffix = Path(folder, "after.py")
    suffix.write_text(after, encoding="utf-8")
    text = json.loads(filled.stdout)["text"]
    check.expect(0, *fill, "-m", named, "--suffix-file", str(suffix), out=lambda out: json.loads(out)["text"] == text)
    # Any of the three ends the gap.
    check.expect(0, *fill, "-m", named, "--suffix", after, "--logit-bias", "4=10000",
                 out=lambda out: json.loads(out)["finish_reason"] == "stop" and json.loads(out)["text"] == "")
    check.expect(2, *fill, "-m", named, "--suffix", after, "--suffix-file", str(suffix), says="--suffix")
    check.expect(2, *fill, "-m", named, "--suffix", after, "--chat", says="--suffix does not go with")
    check.expect(1, *fill, "-m", named, "--suffix-file", folder, says=folder)


def with_numbers(file, numbers):
    """A GGUF file with u32 entries more; the tensors' data stay aligned."""
    magic, version, tensors, entries = struct.unpack_from("<4sIQQ", file)
    more = b"".join(struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", 4, value)
                    for key, value in numbers.items())
    # What is added is a multiple of the alignment with an entry that fills it up.
    name = b"test.filler"
    head = struct.pack("<Q", len(name)) + name + struct.pack("<I", 8)
    fill = -(len(more) + len(head) + 8) % 32
    more += head + struct.pack("<Q", fill) + b" " * fill
    return struct.pack("<4sIQQ", magic, version, tensors, entries + len(numbers) + 1) + more + file[24:]


def stopped_reading(check, model):
    """Ctrl-C while a long message is read: the turn ends without an answer, the program only at the end of its input."""
    check.count += 1
    command = [*check.command, "chat", "-m", model, "-n", "4", "-t", "1", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as talk:
        def turn(message, interrupt=False):
            talk.stdin.write(message + "\n")
            talk.stdin.flush()
            if interrupt:
                time.sleep(0.5)  # into the reading, which takes seconds
                talk.send_signal(signal.SIGINT)
            return json.loads(talk.stdout.readline())

        turn("Hi")  # the program is up
        stopped = turn("many words again and again " * 1000, interrupt=True)
        talk.stdin.close()
        code = talk.wait(timeout=120)
        if (stopped["finish_reason"], stopped["text"], code) != ("cancelled", "", 0):
            check.failures += 1
            print(f"FAILED: chat after Ctrl-C: exit {code}, {stopped}\n{talk.stderr.read()}")


def images(check, folder):
    """Pictures of a class, parts drawn anew, with the model that is shipped; needs libpng."""
    shipped = Path(__file__).parents[2] / "models" / "image.gguf"
    folder = Path(folder) / "images"
    folder.mkdir()
    out = str(folder / "a.png")
    if "built without libpng" in check.run("image", "--class", "A", "-o", out).stderr:
        return
    is_png = lambda path: Path(path).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    check.expect(0, "image", "--list", out=lambda text: text.split()[:11] == list("0123456789A"))
    check.expect(0, "image", "--class", "A", "--seed", "3", "-o", out, out=lambda text: text == "" and is_png(out))
    first = Path(out).read_bytes()
    check.expect(0, "image", "--class", "A", "--seed", "3", "-t", "2", "-o", out, out=lambda text: Path(out).read_bytes() == first)
    sheet = str(folder / "sheet.png")
    check.expect(0, "image", "--class", "A", "-n", "4", "-o", sheet, "--json", out=lambda text: (
        lambda all: all["files"] == [sheet] and all["images"] == 4 and all["timings"]["tokens_per_second"] > 0)(json.loads(text)))
    each = folder / "each"
    check.expect(0, "image", "--class", "A", "-n", "2", "--seed", "3", "--each", str(each),
                 out=lambda text: sorted(path.name for path in each.iterdir()) == ["0000.png", "0001.png"])
    same = str(folder / "same.png")
    check.expect(0, "image", "--class", "A", "--seed", "3", "--preview", "-o", same, says="\u2580")
    mask = folder / "mask.png"
    mask.write_bytes(png(32, 32, lambda x, y: (255, 255, 255) if 8 <= x < 20 and y >= 16 else (0, 0, 0)))
    check.expect(0, "image", "--infill", out, "--mask", str(mask), "--class", "A", "-o", same, out=lambda text: is_png(same))
    none = folder / "none.png"
    none.write_bytes(png(32, 32, lambda x, y: (0, 0, 0)))
    check.expect(0, "image", "--infill", out, "--mask", str(none), "-o", same)
    check.expect(1, "image", "--class", "nothing", "-o", out, says="no class 'nothing'")
    small = folder / "small.png"
    small.write_bytes(png(31, 32, lambda x, y: (0, 0, 0)))
    check.expect(1, "image", "--infill", str(small), "--mask", str(mask), "-o", same, says="31 x 32")
    check.expect(1, "image", "--infill", out, "--mask", str(small), "-o", same, says="31 x 32")
    (folder / "text.png").write_text("no picture")
    check.expect(1, "image", "--infill", str(folder / "text.png"), "--mask", str(mask), "-o", same, says="text.png: PNG")
    check.expect(1, "image", "--class", "A", "-o", str(folder / "missing" / "a.png"), says="missing")
    check.expect(2, "image", "--class", "A", says="either -o OUT.png or --each DIR")
    check.expect(2, "image", "--class", "A", "-o", "a.gif", says="does not end with .png")
    check.expect(2, "image", "--infill", out, "-o", same, says="go together")
    check.expect(2, "image", "-o", same, says="--class")
    check.expect(1, "image", "--class", "A", "--temp", "-1", "-o", same, says="temperature")
    check.expect(0, "info", "-m", str(shipped), "--verify", says="verified")
    kept = sorted(path.name for path in folder.iterdir())
    assert not any(name.startswith(".tokenworks") for name in kept), kept


def diffusion(check, golden, folder):
    """A tiny random pipeline of diffusers' layout; needs libpng."""
    model = Path(folder) / "pipeline"
    model.mkdir()
    for part, name in [("transformer", "dit_pipeline"), ("vae", "dit_pipeline_vae")]:
        made = Path(model_folder.write(golden, "pictures", name, None, None, model / part))
        (made / "model.safetensors").rename(made / "diffusion_pytorch_model.safetensors")
    (model / "scheduler").mkdir()
    scheduler = json.loads((golden / "pictures" / "dit_pipeline.json").read_text())["scheduler"]
    (model / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    index = {"_class_name": "DiTPipeline", "id2label": {str(i): f"thing {i}, name {i}" for i in range(5)}}
    (model / "model_index.json").write_text(json.dumps(index))
    out = str(model / "a.png")
    call = ["image", "-m", str(model), "--steps", "5", "-o", out]
    other = str(model / "b.png")
    if "built without libpng" in check.run(*call, "--class", "name 2").stderr:
        return
    check.expect(0, *call, "--class", "name 2", "-n", "2", "--json", out=lambda text: (
        lambda all: all["images"] == 2 and all["width"] == 24 and all["timings"]["steps"] == 10)(json.loads(text)))
    first = Path(out).read_bytes()
    check.expect(0, *call, "--class", "2", "-n", "2", "-t", "2", out=lambda text: Path(out).read_bytes() == first)
    check.expect(0, "image", "-m", str(model), "--list", out=lambda text: text.splitlines()[4] == "thing 4, name 4")
    check.expect(1, *call, "--class", "unicorn", says="no class 'unicorn' among the 5")
    check.expect(1, "image", "-m", str(model), "--class", "2", "--steps", "7777", "-o", other, says="cannot be made 7777")
    check.expect(2, *call, "--class", "2", "--temp", "1", says="--temp")
    check.expect(2, *call, "--class", "2", "--infill", out, "--mask", out, says="--infill")
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    call[-1] = other
    check.expect(1, *call, "--class", "2", says="diffusion_pytorch_model.safetensors")
    weights.unlink()
    check.expect(1, *call, "--class", "2", says="diffusion_pytorch_model.safetensors")
    (model / "transformer" / "config.json").write_text("{}")
    check.expect(1, *call, "--class", "2", says="tokenworks: error")
    assert not Path(other).exists()


def prompts(check, golden, folder):
    """A tiny random Janus with the tokens of a tokenizer; needs libpng."""
    parts = Path(folder) / "parts"
    (parts / "pictures").mkdir(parents=True)
    (parts / "tokenizers").symlink_to((golden / "tokenizers").resolve())
    janus = json.loads((golden / "pictures" / "janus.json").read_text(encoding="utf-8"))
    janus["config"]["text_config"]["vocab_size"] = 400
    for row in janus["tensors"]:
        if row[0].endswith("language_model.embed_tokens.weight"):
            row[1][0] = 400
    (parts / "pictures" / "janus.json").write_text(json.dumps(janus))
    model = Path(model_folder.write(parts, "pictures", "janus", "llama3", None, Path(folder) / "janus"))
    settings = model / "generation_config.json"
    settings.write_text(json.dumps(janus["generation"]))
    out = str(model / "a.png")
    call = ["image", "-m", str(model), "--prompt", "a red fox", "-o", out]
    if "built without libpng" in check.run(*call).stderr:
        return
    check.expect(0, *call, "-n", "2", "--json", out=lambda text: (
        lambda all: all["images"] == 2 and all["width"] == 12 and all["timings"]["generated_tokens"] == 18)(json.loads(text)))
    first = Path(out).read_bytes()
    check.expect(0, *call, "-n", "2", "-t", "2", out=lambda text: Path(out).read_bytes() == first)
    check.expect(1, "image", "-m", str(model), "--prompt", "fox " * 40, "-o", out, says="the context takes 64")
    # What a prompt spells is text, never a control token.
    added = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    control = max((t["content"] for t in added if t["special"]), key=len)
    length = lambda text: json.loads(check.run(*call[:3], "--prompt", text, "-o", str(model / "b.png"),
                                               "--json").stdout)["timings"]["prompt_tokens"]
    assert length(control) > length("a") + 2, control
    check.expect(2, "image", "-m", str(model), "--list", says="no classes")
    check.expect(1, *call, "--temp", "-1", says="temperature")
    janus["generation"]["pad_token_id"] = 400
    settings.write_text(json.dumps(janus["generation"]))
    check.expect(1, *call, says="pad_token_id")
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    check.expect(1, *call, says="model.safetensors")
    assert Path(out).read_bytes() == first


def timesfm(check, golden, folder):
    """Tiny random models as folders, and the GGUF files made of them, which prove themselves."""
    table = Path(folder) / "quarters.csv"
    rows = [f"{2010 + i // 4}-Q{i % 4 + 1},{100 + i * i % 13}" for i in range(40)]
    table.write_text("quarter,sales\n" + "\n".join(rows) + "\n", encoding="utf-8")
    for name, architecture in [("timesfm", "timesfm"), ("timesfm2_5", "timesfm2.5")]:
        model = model_folder.write(golden, "forecasters", name, None, None, os.path.join(folder, name))
        seen = {}

        def keep(key):
            def look(text):
                seen[key] = json.loads(text)["series"][0]
                return len(seen[key]["point"]) == 30 and len(seen[key]["quantiles"]["0.5"]) == 30
            return look

        for frequency in ["auto", "high", "low"]:
            check.expect(0, "forecast", str(table), "-m", model, "--horizon", "30", "--json", "--frequency", frequency,
                         out=keep(frequency))
        file = model + ".gguf"
        check.expect(0, "quantize", model, file, "f32")
        check.expect(0, "info", "-m", file, "--verify", says="verified", out=lambda text: architecture in text)
        check.expect(0, "forecast", str(table), "-m", file, "--horizon", "30", "--json", out=keep("file"))
        # Quarters are the kind of the longest steps, where the model knows kinds.
        check.failures += seen["auto"] != seen["low"] or (seen["high"] != seen["low"]) != (name == "timesfm")
        check.failures += seen["file"] != seen["auto"]
        check.expect(1, "generate", "-m", model, "-p", "x")
    check.expect(2, "forecast", str(table), "--horizon", "3", "--frequency", "7", says="--frequency")


def forecasts(check, folder):
    """With the model that is shipped."""
    folder = Path(folder) / "forecasts"
    folder.mkdir()

    def table(name, text):
        (folder / name).write_text(text, encoding="utf-8")
        return str(folder / name)

    months = [f"{2015 + i // 12}-{i % 12 + 1:02d}" for i in range(60)]
    rows = [f"{month},{100 + i + 20 * (i % 12 == 11)},{'' if i == 30 else 5 + i % 3}" for i, month in enumerate(months)]
    good = table("good.csv", "month,sales,\"a, b\"\n" + "\n".join(rows) + "\n")

    def well_formed(text):
        lines = text.splitlines()
        rows = [line.rsplit(",", 5) for line in lines[1:]]
        return (lines[0] == "series,step,0.1,0.5,0.9,date" and [row[0] for row in rows] == ["sales"] * 14 + ['"a, b"'] * 14
                and [int(row[1]) for row in rows] == list(range(1, 15)) * 2 and rows[13][5] == "2021-02"
                and all(float(row[2]) <= float(row[3]) <= float(row[4]) for row in rows)
                # December is higher by 20.
                and float(rows[11][3]) > max(float(row[3]) for row in rows[:11]) + 8)

    check.expect(0, "forecast", good, "--horizon", "14", out=well_formed)
    check.expect(0, "forecast", good, "--horizon", "100", "--column", "sales", out=lambda text: text.count("\n") == 101)
    check.expect(0, "forecast", good, "--horizon", "3", "--json", "--quantiles", "0.5", out=lambda text: (
        lambda all: len(all["series"]) == 2 and len(all["series"][0]["quantiles"]["0.5"]) == 3
        and all["dates"][0] == "2020-01" and all["timings"]["forecast_seconds"] > 0)(json.loads(text)))
    for name in ("o.csv", "o.json", "o.svg"):
        check.expect(0, "forecast", good, "--horizon", "3", "-o", str(folder / name), "--plot", str(folder / "plot.svg"),
                     out=lambda text: text == "")
    if (folder / "o.svg").read_bytes() != (folder / "plot.svg").read_bytes() or len(json.loads((folder / "o.json").read_text())["series"]) != 2:
        check.failures += 1
    check.expect(0, "forecast", table("plain.csv", "1\n2\n3\n4\n"), "--horizon", "1",
                 out=lambda text: text.startswith("series,step,0.1,0.5,0.9\n1,1,") and text.count("\n") == 2)
    check.expect(0, "forecast", good, "--horizon", "2", "--season", "none", says="")
    check.expect(0, "forecast", good, "--horizon", "2", "--quantiles", "0.01,0.99", says="note: ")
    check.expect(1, "forecast", table("text.csv", "a,b\n1,2\n3,many\n"), "--horizon", "2",
                 says="text.csv: line 3, column 2 'b': 'many' is no number")
    check.expect(1, "forecast", table("ragged.csv", "a,b\n1,2\n3\n"), "--horizon", "2", says="line 3")
    check.expect(1, "forecast", table("empty.csv", ""), "--horizon", "2", says="empty")
    check.expect(1, "forecast", table("none.csv", "a\nNA\nNA\n"), "--horizon", "2", says="no value that is known")
    check.expect(1, "forecast", good, "--horizon", "60000", says="up to 3072")
    check.expect(2, "forecast", good, "--horizon", "0")
    model = str(Path(__file__).parents[2] / "models" / "forecaster.gguf")
    check.expect(0, "bench", "-m", model, "-p", "30", "-n", "50", "-b", "2", "-r", "2", "--json", out=lambda text: (
        lambda told: told["forecasts_per_second"] > 0 and told["first_seconds"] > 0 and told["batch"] == 2
        and told["horizon"] == 50 and len(told["range"]) == 2)(json.loads(text)))
    check.expect(0, "bench", "-m", model, "-r", "1", out=lambda text: "forecast  48 values after 512" in text)
    check.expect(1, "bench", "-m", model, "-n", "60000", says="up to 3072")
    check.expect(2, "forecast", good, "--horizon", "1e9")
    check.expect(2, "forecast", good)
    check.expect(2, "forecast", good, "--horizon", "2", "--quantiles", "0.5,2", says="--quantiles")
    check.expect(2, "forecast", good, "--horizon", "2", "-o", "x.pdf", says=".csv, .json, .svg")
    check.expect(2, "forecast", good, "--horizon", "2", "--season", "1", says="--season")
    check.expect(1, "forecast", good, "--horizon", "2", "--column", "other", says="there are month, sales")
    # A file that cannot grow: as with a full disk, the old one stays and nothing else is left.
    kept = folder / "kept.svg"
    kept.write_text("old", encoding="utf-8")
    before = sorted(folder.iterdir())
    limited = Checker(["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *check.command])
    limited.expect(1, "forecast", good, "--horizon", "40", "-o", str(kept), says="kept.svg")
    check.failures += limited.failures + (kept.read_text() != "old") + (sorted(folder.iterdir()) != before)
    check.expect(0, "info", "-m", str(Path(__file__).parents[2] / "models" / "forecaster.gguf"), "--verify", says="verified")


def meshes(check, folder):
    """The small model of meshes that is shipped."""
    folder = Path(folder) / "meshes"
    folder.mkdir()
    obj, stl, glb, png = (str(folder / f"chair.{ending}") for ending in ("obj", "stl", "glb", "png"))
    check.expect(0, "mesh", "--list", out=lambda text: {"box", "chair", "torus"} <= set(text.split()))
    check.expect(0, "mesh", "--class", "box", out=lambda text: text.count("v ") == 8 and text.count("f ") == 12)
    check.expect(0, "mesh", "--class", "chair", "-o", obj, "--json", out=lambda text: (
        lambda all: all["files"] == [obj] and all["meshes"][0]["watertight"] and all["timings"]["tokens"] > 100)(json.loads(text)))
    check.expect(0, "mesh", "--class", "chair", "-o", stl, out=lambda text: text == "")
    check.expect(0, "mesh", "--class", "chair", "-o", glb, "-t", "1", out=lambda text: text == "")
    check.expect(0, "mesh", "--class", "chair", "-n", "3", "--each", str(folder / "each"), "--format", "stl", "--seed", "4", out=lambda text: text == "")
    triangles = Path(obj).read_text().count("f ")
    if Path(stl).stat().st_size != 84 + 50 * triangles or Path(glb).read_bytes()[:4] != b"glTF" or \
            sorted(each.name for each in (folder / "each").iterdir()) != ["0000.stl", "0001.stl", "0002.stl"]:
        check.failures += 1
    check.expect(1, "mesh", "--class", "cat", "-o", obj, says="no class 'cat'; known are box")
    check.expect(2, "mesh", "-o", obj, says="--class")
    check.expect(2, "mesh", "--class", "box", "-o", "x.ply", says=".obj, .stl, .glb")
    check.expect(2, "mesh", "--class", "box", "--render", "x.jpg", says=".png")
    check.expect(2, "mesh", "--class", "box", "--temp", "-1", says="--temp")
    check.expect(1, "mesh", "-m", str(Path(__file__).parents[2] / "models" / "forecaster.gguf"), "--class", "box", says="makes no meshes")
    kept = folder / "kept.obj"
    kept.write_text("old", encoding="utf-8")
    before = sorted(folder.iterdir())
    limited = Checker(["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *check.command])
    limited.expect(1, "mesh", "--class", "torus", "-o", str(kept), says="kept.obj")
    check.failures += limited.failures + (kept.read_text() != "old") + (sorted(folder.iterdir()) != before)
    check.expect(0, "info", "-m", str(Path(__file__).parents[2] / "models" / "mesh.gguf"), "--verify", says="verified")
def videos(check, folder):
    """The small model of videos that is shipped; frames that are given need libpng."""
    shipped = Path(__file__).parents[2] / "models"
    folder = Path(folder) / "videos"
    folder.mkdir()
    gif, y4m, apng = (str(folder / f"a.{ending}") for ending in ("gif", "y4m", "png"))
    begins = lambda path, *starts: Path(path).read_bytes().startswith(starts)
    check.expect(0, "video", "--list", out=lambda text: {"bounce", "fall", "orbit"} <= set(text.split()))
    check.expect(0, "video", "--class", "fall", "-o", gif, "--json", out=lambda text: (
        lambda all: all["files"] == [gif] and all["frames"] == 16 and all["given"] == 0 and all["width"] == 24
        and all["timings"]["generated_tokens"] == 256)(json.loads(text)) and begins(gif, b"GIF89a"))
    first = Path(gif).read_bytes()
    check.expect(0, "video", "--class", "fall", "-t", "1", "-o", gif, out=lambda text: text == "" and Path(gif).read_bytes() == first)
    check.expect(0, "video", "--class", "fall", "--seed", "1", "-o", gif, out=lambda text: Path(gif).read_bytes() != first)
    check.expect(0, "video", "--class", "pair", "--frames", "21", "--fps", "12", "--scale", "2", "-o", y4m, out=lambda text:
                 begins(y4m, b"YUV4MPEG2 W48 H48 F12:1 ") and Path(y4m).read_bytes().count(b"FRAME\n") == 21)
    check.expect(1, "video", "--class", "cat", "-o", gif, says="no class 'cat'; known are bounce")
    check.expect(2, "video", "-o", gif, says="--class")
    check.expect(2, "video", "--class", "fall", says="-o")
    check.expect(2, "video", "--class", "fall", "-o", "a.mp4", says=".png, .gif, .y4m")
    check.expect(2, "video", "--class", "fall", "--temp", "-1", "-o", gif, says="--temp")
    check.expect(2, "video", "--class", "fall", "--frames", "0", "-o", gif, says="--frames")
    check.expect(2, "video", "--class", "fall", "--fps", "0", "-o", gif, says="--fps")
    check.expect(1, "video", "-m", str(shipped / "mesh.gguf"), "--class", "fall", "-o", gif, says="makes no videos")
    check.expect(1, "video", "--class", "fall", "-o", str(folder / "none" / "a.gif"), says="none")
    kept = folder / "kept.y4m"
    kept.write_text("old", encoding="utf-8")
    before = sorted(folder.iterdir())
    limited = Checker(["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *check.command])
    limited.expect(1, "video", "--class", "fall", "-o", str(kept), says="kept.y4m")
    check.failures += limited.failures + (kept.read_text() != "old") + (sorted(folder.iterdir()) != before)
    check.expect(0, "info", "-m", str(shipped / "video.gguf"), "--verify", says="verified")
    if "built without libpng" in check.run("video", "--class", "fall", "-o", apng).stderr:
        return
    check.expect(0, "video", "--class", "fall", "-o", apng, out=lambda text: begins(apng, b"\x89PNG") and b"acTL" in Path(apng).read_bytes())
    given = []
    for t in range(8):
        given.append(folder / f"{t}.png")
        given[-1].write_bytes(png(24, 24, lambda x, y: (0, 120, 255) if 3 + t <= x < 7 + t and 10 <= y < 14 else (0, 0, 0)))
    names = ",".join(map(str, given))
    check.expect(0, "video", "--class", "bounce", "--from", names, "-o", y4m, "--json", out=lambda text: (
        lambda all: all["frames"] == 16 and all["given"] == 8)(json.loads(text)))
    check.expect(0, "video", "--class", "bounce", "--from", names, "--frames", "1", "-o", y4m, out=lambda text:
                 Path(y4m).read_bytes().count(b"FRAME\n") == 9)
    small = folder / "small.png"
    small.write_bytes(png(23, 24, lambda x, y: (0, 0, 0)))
    (folder / "text.png").write_text("no picture")
    before = Path(apng).read_bytes()
    check.expect(1, "video", "--class", "bounce", "--from", f"{given[0]},{small}", "-o", apng, says="small.png: is 23 x 24")
    check.expect(1, "video", "--class", "bounce", "--from", str(folder / "text.png"), "-o", apng, says="text.png: PNG")
    check.expect(1, "video", "--class", "bounce", "--from", str(folder / "no.png"), "-o", apng, says="no.png")
    check.failures += Path(apng).read_bytes() != before


def proteins(check, folder):
    """With the model that is shipped."""
    folder = Path(folder) / "proteins"
    folder.mkdir()

    def fasta(name, text):
        (folder / name).write_text(text, encoding="utf-8")
        return str(folder / name)

    def sequences(text):
        records = [part.split("\n", 1) for part in text.split(">")[1:]]
        return {name: body.replace("\n", "") for name, body in records}

    def legal(made, count):
        return len(made) == count and all(body and set(body) <= set("ACDEFGHIKLMNPQRSTVWY") for body in made.values())

    globin = ("MVHLTPEEKSAVTALWGKVNVDEVGGEALGRLLVVYPWTQRFFESFGDLSTPDAVMGNPKVKAHGKKVLGAFSDGLAHLDNLKGTFATLSELHCDKLHVDPENFRLL"
              "GNVLVCVLAHHFGKEFTPPVQAAYQKVVAGVANALAHKYH")
    good = fasta("good.fasta", f">hbb human\n{globin[:60]}\n{globin[60:].lower()}\n>short\nMKX\n")
    one = fasta("one.fasta", f">hbb\n{globin}\n")
    for listed in (("protein", "--list"), ("protein", "generate", "--list")):
        check.expect(0, *listed, out=lambda text: text.startswith("globin\n") and text.count("\n") == 8)
    check.expect(0, "protein", "generate", "--family", "globin", "-n", "5", out=lambda text: legal(sequences(text), 5))
    check.expect(0, "protein", "generate", "--temp", "9", "--top-k", "0", "--min-p", "0", "--top-p", "1", "--max-length", "70",
                 out=lambda text: legal(sequences(text), 1) and all(len(line) <= 60 for line in text.splitlines()))
    check.expect(0, "protein", "generate", "-n", "3", "--family", "rrm", "--each", str(folder / "each"), "--json", out=lambda text: (
        lambda all: len(all["sequences"]) == 3 and all["timings"]["residues"] > 3
        and [Path(file).name for file in all["files"]] == ["0000.fasta", "0001.fasta", "0002.fasta"])(json.loads(text)))
    check.expect(0, "protein", "generate", "-n", "2", "--seed", "5", "-o", str(folder / "two.fasta"), "-t", "1", out=lambda text: text == "")
    two = (folder / "two.fasta").read_text()
    check.expect(0, "protein", "generate", "-n", "2", "--seed", "5", "-t", "2", out=lambda text: text == two)
    check.expect(0, "protein", "infill", one, "--start", "10", "--end", "20", "-n", "4", out=lambda text: legal(sequences(text), 4) and all(
        body.startswith(globin[:9]) and body.endswith(globin[20:]) for body in sequences(text).values()))
    check.expect(0, "protein", "score", good, out=lambda text: (lambda rows: rows[0] == ["id", "length", "log_likelihood"]
                 and [row[:2] for row in rows[1:]] == [["hbb", "147"], ["short", "3"]] and float(rows[1][2]) < float(rows[2][2]) < 0)(
                     [line.split("\t") for line in text.splitlines()]))
    check.expect(0, "protein", "mutate", one, "--plot", str(folder / "map.svg"), "--family", "globin", out=lambda text: (
        lambda rows: rows[0] == ["id", "position", "wild_type", *"ACDEFGHIKLMNPQRSTVWY"] and len(rows) == 148
        and rows[5][:3] == ["hbb", "5", "T"] and float(rows[5][19]) == 0)([line.split("\t") for line in text.splitlines()]))
    check.expect(0, "protein", "embed", good, "-o", str(folder / "e.npy"), out=lambda text: text == "")
    if b"'shape': (2, 128)" not in (folder / "e.npy").read_bytes()[:128] or (folder / "e.npy").stat().st_size != 128 + 2 * 128 * 4:
        check.failures += 1
        print("FAILED: protein embed wrote another array")
    if not (folder / "map.svg").read_text().count('class="mark"') == 147:
        check.failures += 1
        print("FAILED: protein mutate drew another picture")
    check.expect(1, "protein", "score", fasta("empty.fasta", ""), says="empty")
    check.expect(1, "protein", "score", fasta("blank.fasta", "\n"), says="holds no sequence")
    check.expect(1, "protein", "score", fasta("bad.fasta", ">a\nMKV\nM1\n"), says="bad.fasta: line 3: '1' in 'a' is no residue")
    check.expect(1, "protein", "score", fasta("none.fasta", ">a\n>b\nMKV\n"), says="line 1: 'a' has no residues")
    check.expect(1, "protein", "score", str(folder / "missing.fasta"), says="missing.fasta")
    check.expect(1, "protein", "generate", "--family", "insulin", says="there is no family 'insulin', there are globin")
    check.expect(1, "protein", "score", one, "--family", "insulin", says="insulin", out=lambda text: text == "")
    check.expect(1, "protein", "infill", good, "--start", "2", "--end", "5", says="'short' has 3 residues")
    check.expect(1, "protein", "mutate", good, "--plot", str(folder / "x.svg"), says="--plot draws one")
    check.expect(1, "protein", "contacts", one, "--plot", str(folder / "x.svg"), says="no head that tells contacts")
    check.expect(2, "protein", "infill", one, "--start", "5", "--end", "4", says="--start")
    check.expect(2, "protein", "embed", one, says="-o")
    check.expect(2, "protein", "embed", one, "-o", "x.txt", says=".npy")
    check.expect(2, "protein", "mutate", one, "--plot", "x.png", says=".svg")
    check.expect(2, "protein", "score", says="FILE")
    check.expect(2, "protein", says="generate, infill, score")
    check.expect(2, "protein", "generate", "-n", "0")
    # A file that cannot grow: as with a full disk, the old one stays and nothing else is left.
    kept = folder / "kept.fasta"
    kept.write_text("old", encoding="utf-8")
    before = sorted(folder.iterdir())
    limited = Checker(["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *check.command])
    limited.expect(1, "protein", "generate", "--family", "globin", "-n", "20", "-o", str(kept), says="kept.fasta")
    check.failures += limited.failures + (kept.read_text() != "old") + (sorted(folder.iterdir()) != before)
    check.expect(0, "info", "-m", str(Path(__file__).parents[2] / "models" / "protein.gguf"), "--verify", says="verified")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--golden", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    smollm2 = real_models.folder(options.models) / real_models.FILES["smollm2"]
    check = Checker(options.command)
    with tempfile.TemporaryDirectory() as folder:
        without_vocabulary(check, str(options.golden / "models" / "llama_tied_f16.gguf"), folder)
        folders(check, options.golden, folder)
        importance(check, options.golden, folder)
        pictures(check, options.golden, folder)
        forecasts(check, folder)
        timesfm(check, options.golden, folder)
        images(check, folder)
        diffusion(check, options.golden, folder)
        prompts(check, options.golden, folder)
        meshes(check, folder)
        videos(check, folder)
        proteins(check, folder)
        if smollm2.exists():
            with_vocabulary(check, str(smollm2), folder)
        else:
            print(f"without {smollm2}: the calls that need a vocabulary are left out; {real_models.HOW_TO_GET}")
    print(f"{check.count} calls, {check.failures} not as expected")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
