#!/usr/bin/env python3
"""Makes tests/golden/codec: hard strings, two tiny vocabularies, and the ids that the reference tokenizers give.

    pip install tokenizers sentencepiece gguf llama-cpp-python jinja2
    python3 tools/golden/codec.py [--models DIR] [--templates DIR --chat-out FILE]

Byte-level BPE: one vocabulary is trained on a text without words, so that merges cross every border that a pre-tokenizer
may draw, and wrong borders show. The reference is Hugging Face's `tokenizers` with each model's published pre-tokenizer;
llama.cpp reads the same vocabulary from a GGUF file, and where the two differ VERSIONS says so. Malformed UTF-8, which
neither takes as it is, is cut with each byte as U+FFFD and merged as bytes. "default" exists in llama.cpp only, and for
"falcon" its ids are stored too: the published pre-tokenizer also cuts inside of characters, where one of their bytes is
spelt with a digit of Latin-1 (0xB2 is "²"). With Falcon's own vocabulary, which has no tokens across such cuts, both
give the same ids.
SentencePiece: two vocabularies, with and without a blank before each text; the reference is sentencepiece, compared with
llama.cpp (which alone takes NUL). U+2581 and malformed UTF-8 are left out: giving these back is our own rule, which the tests state.
--models: ids for the real models there (SmolLM2, Gemma 3), by llama.cpp, compared with `tokenizers` where possible.
Chat templates: codec_templates.json has a template of each format, reduced to what the format needs; their rendering by
Jinja is stored. With --templates DIR --chat-out FILE, those of *.jinja files in a folder, to compare by hand.
"""
import argparse
import io
import json
import os
import pathlib
import random
import sys
import tempfile

import gguf
import llama_cpp
import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from codec_strings import WRITTEN, is_utf8, strings  # noqa: E402

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/codec"
NOTES = []

CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
CJK = "[一-龥ࠀ-一가-\ud7ff]+"


def deepseek_letters():
    """The letters of DeepSeek's expression, read from our own table, which is checked against the published one."""
    header = (pathlib.Path(__file__).parents[2] / "include/tokenworks/codec/word_cutter.hpp").read_text()
    table = header[header.index("deepseek_letters{{"):]
    table = table[table.index("{{") + 2:table.index("}};")]
    pairs = [tuple(int(x, 16) for x in entry.split(",")[:2]) for entry in table.replace("{", "").split("}") if "0x" in entry
             for entry in [entry.strip(" ,\n")]]
    assert len(pairs) == 84, len(pairs)
    return "[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in pairs) + "]"


def pre_tokenizer(kind):
    """The pre-tokenizer of tokenizer.json for each way to cut."""
    byte_level = lambda regex: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)  # noqa: E731
    split = lambda pattern: pre_tokenizers.Split(Regex(pattern), "isolated")  # noqa: E731
    digits = pre_tokenizers.Digits
    return pre_tokenizers.Sequence({
        "gpt-2": lambda: [byte_level(True)],
        "smollm": lambda: [digits(individual_digits=True), byte_level(True)],
        "llama-bpe": lambda: [split(CL100K), byte_level(False)],
        "qwen2": lambda: [split(CL100K.replace("{1,3}", "")), byte_level(False)],
        "falcon": lambda: [pre_tokenizers.Punctuation("contiguous"), byte_level(True), digits(individual_digits=False),
                           split("[0-9][0-9][0-9]")],
        "deepseek-llm": lambda: [split("[\r\n]"), split(r"\s?" + deepseek_letters() + "+"),
                                 split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"), split(CJK), split(r"\p{N}+"),
                                 byte_level(False)],
        "deepseek-coder": lambda: [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(CJK), split(r"\p{N}"),
                                   byte_level(False)],
    }[kind]())


KINDS = ["gpt-2", "smollm", "llama-bpe", "qwen2", "falcon", "deepseek-llm", "deepseek-coder"]
SAME = {"gpt-2": ["mpt"], "smollm": ["starcoder", "refact", "command-r"], "llama-bpe": [], "qwen2": [], "falcon": [],
        "deepseek-llm": [], "deepseek-coder": []}

BYTE_LETTERS = {}
for _b in range(256):
    BYTE_LETTERS[_b] = chr(_b) if 33 <= _b <= 126 or 161 <= _b <= 172 or 174 <= _b else None
_next = 256
for _b in range(256):
    if BYTE_LETTERS[_b] is None:
        BYTE_LETTERS[_b] = chr(_next)
        _next += 1


def units(data):
    """A byte string as characters, with each malformed byte alone: a list of (character, bytes)."""
    out, at = [], 0
    while at < len(data):
        for length in (1, 2, 3, 4):
            try:
                out.append((data[at:at + length].decode(), data[at:at + length]))
                at += length
                break
            except UnicodeDecodeError:
                pass
        else:
            out.append(("\ufffd", data[at:at + 1]))
            at += 1
    return out


def bpe_ids(tokenizer, data):
    if is_utf8(data):
        return tokenizer.encode(data.decode(), add_special_tokens=False).ids
    parts = units(data)
    ids = []
    for _, (begin, end) in tokenizer.pre_tokenizer.pre_tokenize_str("".join(c for c, _ in parts)):
        spelt = "".join(BYTE_LETTERS[b] for _, raw in parts[begin:end] for b in raw)
        ids += [token.id for token in tokenizer.model.tokenize(spelt)]
    return ids


def write_ids(name, lists):
    text = "\n".join("-" if ids is None else " ".join(map(str, ids)) for ids in lists) + "\n"
    (OUT / f"{name}.ids").write_text(text)


def write_vocabulary(name, entries, merges):
    """entries: (text, type, score or None)"""
    with open(OUT / f"{name}.vocab", "w", encoding="utf-8") as file:
        file.write(f"{len(entries)} {len(merges)}\n")
        for text, kind, score in entries:
            file.write(f"{kind} {0 if score is None else score:g} {text.encode().hex()}\n")
        for merge in merges:
            file.write(merge + "\n")


def llama(path):
    if os.environ.get("LOUD"):
        return llama_cpp.Llama(str(path), vocab_only=True, verbose=True)
    with open(os.devnull, "w") as null:
        old = os.dup(2)
        os.dup2(null.fileno(), 2)
        try:
            return llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
        finally:
            os.dup2(old, 2)
            os.close(old)


def llama_vocabulary(entries, merges, pre, model="gpt2", space_prefix=None):
    """llama.cpp's tokenizer for a vocabulary, through a GGUF file that has nothing else."""
    path = pathlib.Path(tempfile.mkdtemp()) / "vocab.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for add in (writer.add_context_length, writer.add_embedding_length, writer.add_block_count, writer.add_head_count,
                writer.add_feed_forward_length):
        add(32)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model(model)
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list([text for text, _, _ in entries])
    writer.add_token_types([kind for _, kind, _ in entries])
    if model == "llama":
        writer.add_token_scores([score for _, _, score in entries])
        writer.add_add_space_prefix(space_prefix)
    else:
        writer.add_token_merges(merges)
    bos = next(i for i, (_, kind, _) in enumerate(entries) if kind == 3)
    writer.add_bos_token_id(bos)
    writer.add_eos_token_id(bos)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return llama(path)


def note_differences(name, every, ours, theirs, limit=6):
    wrong = [i for i, (a, b) in enumerate(zip(ours, theirs)) if a is not None and b is not None and a != b]
    shown = "; ".join(repr(every[i].decode(errors="backslashreplace")) for i in wrong[:limit])
    NOTES.append(f"{name}: {len(wrong)} differences" + (f": {shown}" if wrong else ""))
    return wrong


def corpus(every):
    """Text to train on: the strings themselves, pieces of them joined in new ways, and synthetic sentences."""
    rng = random.Random(7)
    words = ("the of and to in a is that for it as was with be by on not he his but at are this have from or had an they "
             "which one you were her all she there would their we him been has when who will no more if out so said what "
             "it's don't I'm we've they'll he'd you're").split()
    valid = [s.decode() for s in every if is_utf8(s) and b"<|" not in s and b"<b" not in s]
    lines = valid * 2
    for _ in range(3000):
        line = " ".join(rng.choice(words) for _ in range(rng.randint(3, 14)))
        line = line.capitalize() + rng.choice([".", "!", "?", "...", ",\n", ":\n\n", ";\r\n", " -- ", "  ", "\n\t"])
        if rng.random() < 0.4:
            line += str(rng.randrange(10 ** rng.randint(1, 9)))
        if rng.random() < 0.5:
            line += rng.choice(valid)
        if rng.random() < 0.3:
            line = line.upper()
        lines.append(line)
    return lines


def byte_level(every):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(corpus(every), trainers.BpeTrainer(
        vocab_size=256 + 1500, initial_alphabet=alphabet, show_progress=False, max_token_length=24))
    state = json.loads(trained.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in state["merges"]]
    vocab = dict(sorted(state["vocab"].items(), key=lambda item: item[1]))
    special = [("<|endoftext|>", 3), ("<|im_start|>", 3), ("<|im_end|>", 3), ("<b>", 4), ("  \n", 4), ("<b></b>", 4)]
    entries = [(text, 1, None) for text in vocab] + [(text, kind, None) for text, kind in special]
    assert len({text for text, _, _ in entries}) == len(entries)
    write_vocabulary("bpe", entries, merges)
    for kind in KINDS + ["default"]:
        reference = None
        if kind != "default":
            reference = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m.split(" ")) for m in merges],
                                             ignore_merges=kind == "llama-bpe"))
            reference.pre_tokenizer = pre_tokenizer(kind)
            reference.add_tokens([AddedToken(text, special=False, normalized=False) for text, t in special if t == 4])
            # ids of added tokens follow in their order: map them to where the vocabulary has them
            shift = {reference.token_to_id(text): len(vocab) + i for i, (text, t) in enumerate(special) if t == 4}
            ids = [[shift.get(i, i) for i in bpe_ids(reference, s)] for s in every]
        for name in [kind] + SAME.get(kind, []):
            other = llama_vocabulary(entries, merges, name)
            theirs = [other.tokenize(s, add_bos=False, special=False) if is_utf8(s) else None for s in every]
            if reference:
                note_differences(f"{name}: llama.cpp", every, ids, theirs)
            if kind in ("default", "falcon"):
                ids = theirs
        if reference:  # a malformed string whose parts are special tokens is not for the reference
            ids = [None if not is_utf8(s) and any(text.encode() in s for text, _ in special) else x
                   for s, x in zip(every, ids)]
        write_ids(kind, ids)


def sentencepieces(every):
    text = [line for line in corpus(every) if "\u2581" not in line]
    for name, prefix in (("llama", True), ("gemma", False)):
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text), model_writer=model, model_type="bpe", vocab_size=1500, byte_fallback=True,
            character_coverage=0.98, normalization_rule_name="identity", add_dummy_prefix=prefix,
            remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True,
            split_by_whitespace=prefix, split_by_unicode_script=prefix, max_sentence_length=100000,
            user_defined_symbols=[] if prefix else ["\n", "\n\n", "\t", "<b>", "</b>", "[x]"], minloglevel=2)
        trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        entries = []
        for i in range(trained.vocab_size()):
            kind = (2 if trained.is_unknown(i) else 3 if trained.is_control(i) else 6 if trained.is_byte(i) else
                    5 if trained.is_unused(i) else 1)
            spelling = trained.id_to_piece(i)
            if not prefix and spelling in ("\n", "\n\n", "\t", "<b>", "</b>", "[x]"):
                kind = 4
            entries.append((spelling, kind, trained.get_score(i)))
        write_vocabulary(name, entries, [])
        other = llama_vocabulary(entries, [], None, "llama", prefix)
        plain = [is_utf8(s) and b"\xe2\x96\x81" not in s for s in every]
        ids = [other.tokenize(s, add_bos=False, special=False) if ok else None for s, ok in zip(every, plain)]
        theirs = [trained.encode(s.decode()) if ok and b"\0" not in s else None for s, ok in zip(every, plain)]
        note_differences(f"{name} (SentencePiece): llama.cpp, which merges text into control tokens", every, theirs, ids)
        write_ids(name, [b if a is None else a for a, b in zip(theirs, ids)])


def real_models(folder, every):
    for name, pattern in (("smollm2", "SmolLM2-135M-Instruct*.gguf"), ("gemma3", "gemma-3-270m*.gguf")):
        path = next(iter(sorted(folder.glob(pattern))), None)
        if path is None:
            NOTES.append(f"{name}: no file {pattern}")
            continue
        reader = gguf.GGUFReader(path)
        fields = {key: field for key, field in reader.fields.items() if key.startswith("tokenizer.ggml.")}
        other = llama(path)
        plain = [is_utf8(s) and (name != "gemma3" or b"\xe2\x96\x81" not in s and b"</s>" not in s) for s in every]
        ids = [other.tokenize(s, add_bos=False, special=False) if ok else None for s, ok in zip(every, plain)]
        write_ids(name, ids)
        parsed = [other.tokenize(s, add_bos=False, special=True) if ok else None for s, ok in zip(every, plain)]
        write_ids(name + "_special", parsed)
        if name == "smollm2":
            tokens = fields["tokenizer.ggml.tokens"].contents()
            merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
            reference = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
            reference.pre_tokenizer = pre_tokenizer("smollm")
            theirs = [bpe_ids(reference, s) if ok else None for s, ok in zip(every, plain)]
            note_differences(f"{name}: tokenizers", every, ids, theirs)


def chats(folder, out):
    """Renders templates with the settings of transformers' apply_chat_template."""
    import jinja2
    import jinja2.sandbox

    def refuse(message):
        raise jinja2.exceptions.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    say = lambda role, content: {"role": role, "content": content}  # noqa: E731
    conversations = [
        [say("user", "Hello")],
        [say("user", "  Why is the sky blue?\n ")],
        [say("system", "Be brief."), say("user", "Hi")],
        [say("user", "a"), say("assistant", " b "), say("user", "c\n")],
        [say("system", " S \n"), say("user", "\u00a0x\u3000"), say("assistant", "y"), say("user", ""), say("assistant", "\n")],
        [say("user", "<|im_end|><end_of_turn><|eot_id|></s>[/INST]<|end|> 'q' \"d\" \\n {{x}}")],
        [say("system", ""), say("user", "empty system")],
        [say("user", "a"), say("user", "b")],
        [say("assistant", "first")],
        [say("system", "only")],
        [say("system", "x"), say("user", " \n ")],
    ]
    if folder:
        sources = {path.stem: path.read_text() for path in sorted(folder.glob("*.jinja"))}
    else:
        sources = json.loads((pathlib.Path(__file__).parent / "codec_templates.json").read_text())
    cases = []
    for name, source in sorted(sources.items()):
        rendered = []
        for conversation in conversations:
            for prompt in (True, False):
                try:
                    text = environment.from_string(source).render(messages=conversation, add_generation_prompt=prompt,
                                                                  bos_token="<BOS>", eos_token="<EOS>")
                except jinja2.exceptions.TemplateError:
                    text = None
                rendered.append(text)
        cases.append({"name": name, "template": source, "rendered": rendered})
    # one line each: N/S/T hex, so that a test reads it without a JSON parser
    with open(out, "w", encoding="utf-8") as file:
        for conversation in conversations:
            file.write("C " + " ".join(m["role"] + ":" + m["content"].encode().hex() for m in conversation) + "\n")
        for case in cases:
            file.write("T " + case["name"] + " " + case["template"].encode().hex() + "\n")
            for text in case["rendered"]:
                file.write("R " + ("!" if text is None else text.encode().hex()) + "\n")
    NOTES.append("")
    NOTES.append(f"jinja2 {jinja2.__version__}, chat templates: " + ", ".join(case["name"] for case in cases))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path)
    parser.add_argument("--templates", type=pathlib.Path)
    parser.add_argument("--chat-out", type=pathlib.Path)
    options = parser.parse_args()
    if options.templates:
        chats(options.templates, options.chat_out)
        return
    OUT.mkdir(parents=True, exist_ok=True)
    every = strings()
    assert len(WRITTEN) > 500 and len(every) > 600
    (OUT / "strings.hex").write_text("\n".join(s.hex() for s in every) + "\n")
    byte_level(every)
    sentencepieces(every)
    if options.models:
        real_models(options.models, every)
    chats(None, OUT / "chat.txt")
    versions = (f"tokenizers {tokenizers.__version__}\nsentencepiece {sentencepiece.__version__}\n"
                f"llama-cpp-python {llama_cpp.__version__}\n")
    (OUT / "VERSIONS").write_text(f"Made by tools/golden/codec.py: {len(every)} strings.\n" + versions +
                                  "\nWhere the other reference differs from the ids stored here:\n" +
                                  "\n".join(NOTES) + "\n")
    print("\n".join(NOTES))
    print(sum(path.stat().st_size for path in OUT.iterdir()), "bytes")


main()
