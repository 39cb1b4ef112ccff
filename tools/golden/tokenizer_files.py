#!/usr/bin/env python3
"""Makes tests/golden/tokenizers: a tiny tokenizer.json of each kind, SentencePiece models, and what the references give.

    pip install tokenizers sentencepiece
    python3 tools/golden/tokenizer_files.py

Each is trained on the hard strings of codec_strings.py and some sentences. For each string, NAME.ids has a line: the ids with
special ones, a bar, and the text that these ids decode to, special tokens included: "=" for the string itself, "?" for a
text with U+FFFD, where the library gives the bytes instead, else hexadecimal. "-" stands for a string that the reference
refuses. NAME.pairs has the ids and segments of pairs. Every step of a tokenizer is in at least one of them.
"""
import io
import json
import pathlib
import sys
import tempfile

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from codec_strings import is_utf8, strings  # noqa: E402

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/tokenizers"
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
EXTRA = [
    "<|im_start|>user\nhi", "a <mask> b", " <mask>", "  <mask>  x", "<r>  y", "a<w>", "<w>b", " <w> ", "²<w>", "the cat", "xthe cats",
    "a word.", "sword words word", "  ", "   x  y", "  <b>  <b>  z", "<r> <b>", "<|x|>a b", "a<|x|> b", "~~", "a~~b", "~~ a",
    "[CLS] a [cls]", "É! é! É!", "hello Hello", "café CAFÉ", "<s> a</s>", "<unk>", "can't don not do not 's 've", "a\0b", "##a",
    "<0x41>", "<0x41", "▁a", "a\r\nb\r", "e\u0301\u0301", "\u1100\u1161\u11a8", "ǅ İ ı ß ẞ ſ K Å", "ﬁ ﬃ", "１２３ ａｂｃ",
    "\u200b\u200d\ufeff", "\U0001d400\U0001f600", "a\u0300\u0316b", "\u0344\u0958", "ａ\u0301", "\x1b[31m", "①②", "x²",
    "don''t ``q``", "<|endoftext|><|endoftext|> x",
]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def texts():
    hard = [s.decode() for s in strings() if is_utf8(s)]
    return list(dict.fromkeys(hard[::5] + EXTRA))


def corpus():
    hard = [s.decode() for s in strings() if is_utf8(s)]
    words = ("the of and to in a is that for it as was with be by on not he his but at are this have from or had an they "
             "which one you were her all she there would their we him been has when who will no more if out so said").split()
    return hard + [" ".join(words[(i * 7 + j * j) % len(words)] for j in range(12)).capitalize() + "." for i in range(300)]


CORPUS = corpus()
ALPHABET = pre_tokenizers.ByteLevel.alphabet()


def changed(tokenizer, edit):
    state = json.loads(tokenizer.to_str())
    edit(state)
    return Tokenizer.from_str(json.dumps(state))


def byte_level(pre, normalizer=None, size=340, **options):
    t = Tokenizer(models.BPE(**options))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, initial_alphabet=ALPHABET, show_progress=False,
                                                      special_tokens=["<|endoftext|>"]))
    return t


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior, invert),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def wordpiece(normalizer, pre, **options):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", **options))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre, decoders.WordPiece()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=700, limit_alphabet=250, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
    return t


def unigram(normalizer, pre, decoder, size=400):
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre, decoder
    text = [line for line in CORPUS if all(ord(c) < 0x250 for c in line)]
    t.train_from_iterator(text, trainers.UnigramTrainer(vocab_size=size, show_progress=False, unk_token="<unk>",
                                                        special_tokens=["<unk>", "<s>", "</s>"]))
    return t


def sentencepiece_model(**options):
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        # a few rules in place of the 240 kB of nmt_nfkc: marks, ligatures, wide letters, blanks, and what goes altogether
        pairs = [("e\u0301", "é"), ("ﬁ", "fi"), ("ﬃ", "ffi"), ("\u3000", " "), ("\u00a0", " "), ("\t", " "), ("\n", " "),
                 ("\r", " "), ("\x1b", ""), ("\u200b", " "), ("①", "1"), ("²", "2"), ("\u212b", "\u00c5")]
        pairs += [(chr(0xFF21 + i), chr(65 + i)) for i in range(26)] + [(chr(0xFF41 + i), chr(97 + i)) for i in range(26)]
        for left, right in pairs:
            rules.write(" ".join(f"{ord(c):X}" for c in left) + "\t" + " ".join(f"{ord(c):X}" for c in right) + "\n")
        rules.flush()
        if options.pop("rules", False):
            options["normalization_rule_tsv"] = rules.name
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([line for line in CORPUS if "▁" not in line]), model_writer=model, minloglevel=2,
            vocab_size=760, character_coverage=0.98, **options)
    return model.getvalue()


def charsmap(model):
    """precompiled_charsmap, field 2 of normalizer_spec, field 3."""
    def fields(data):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        while at < len(data):
            key = varint()
            if key & 7 == 2:
                size = varint()
                yield key >> 3, data[at:at + size]
                at += size
            elif key & 7 == 5:
                at += 4
            else:
                varint()
    spec = next(value for number, value in fields(model) if number == 3)
    return next(value for number, value in fields(spec) if number == 2)


def all_kinds(table):
    P, N, D = pre_tokenizers, normalizers, decoders
    t = byte_level(P.ByteLevel(add_prefix_space=False))
    t.add_special_tokens([AddedToken("<|im_start|>", special=True), AddedToken("<mask>", lstrip=True, special=True),
                          AddedToken("<r>", rstrip=True, special=True), AddedToken("<w>", single_word=True)])
    t.add_tokens([AddedToken("the cat"), AddedToken("word", single_word=True), AddedToken("  ", normalized=False),
                  AddedToken("<b>", lstrip=True, rstrip=True, normalized=False)])
    yield "gpt2", t
    t = byte_level(P.ByteLevel(add_prefix_space=True))
    end = ("<|endoftext|>", 0)
    t.post_processor = processors.RobertaProcessing(end, end, True, True)
    yield "roberta", t
    t = byte_level(split(CL100K))
    t.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(
        "<|endoftext|> $A", "<|endoftext|> $A <|endoftext|>:1 $B:1", [end])])
    yield "llama3", changed(t, lambda state: state["model"].update(ignore_merges=True))
    yield "qwen2", byte_level(split(CL100K.replace("{1,3}", "")), normalizers.NFC())
    yield "o200k", byte_level(split(O200K, "removed", True))
    yield "falcon", byte_level(P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False),
                                           P.Digits(individual_digits=False), P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))
    for behavior in ("removed", "merged_with_previous", "merged_with_next", "contiguous"):
        yield "split_" + behavior, byte_level(split(r"[aeiou\s]|\d+|é", behavior, behavior == "contiguous"), size=280)
    t = byte_level(P.Sequence([P.CharDelimiterSplit("e"), P.Split("th", "merged_with_next"),
                               P.Punctuation("merged_with_next"), P.ByteLevel()]), size=280)
    yield "delimiters", t
    t = byte_level(P.ByteLevel(add_prefix_space=False), normalizers.Sequence([N.Lowercase(), N.NFD(), N.Strip()]))
    t.add_tokens(["Hello", "CAFÉ", "É!"])
    yield "lowercase", t

    # A vocabulary of characters with U+2581, as Llama 2 and Gemma have
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.pre_tokenizer = P.Metaspace()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=640, limit_alphabet=150, show_progress=False,
                                                      special_tokens=["<unk>", "<s>", "</s>"] + BYTES))
    plain = changed(t, lambda s: s.update(added_tokens=s["added_tokens"][:3]))
    llama = changed(plain, lambda s: s["model"].update(byte_fallback=True, fuse_unk=True))
    t = Tokenizer.from_str(llama.to_str())
    t.normalizer, t.pre_tokenizer = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), P.Split("▁", "merged_with_next")
    t.decoder = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    yield "llama2", changed(t, lambda s: s.update(pre_tokenizer=None))
    for scheme, whole in (("first", True), ("first", False), ("never", True)):
        t = Tokenizer.from_str(plain.to_str() if whole else llama.to_str())
        t.normalizer, t.pre_tokenizer = None, P.Metaspace("▁", scheme, whole)
        t.decoder = D.Metaspace("▁", scheme, whole)
        t.add_special_tokens(["<|x|>"])
        t.add_tokens(["~~"])
        yield f"metaspace_{scheme}{'' if whole else '_whole'}", t

    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()])
    t.pre_tokenizer = P.Sequence([P.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", True),
                                  P.ByteLevel(add_prefix_space=False)])
    t.decoder = D.Sequence([D.ByteLevel(), D.Replace("</w>", " ")])
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=620, show_progress=False, end_of_word_suffix="</w>",
                                                      initial_alphabet=ALPHABET, special_tokens=["<unk>"]))
    yield "clip", t
    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="@@"))
    t.pre_tokenizer, t.decoder = P.Whitespace(), D.BPEDecoder("@@")
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, limit_alphabet=150, show_progress=False,
                                                      continuing_subword_prefix="@@", special_tokens=["<unk>"]))
    yield "prefix", t

    t = wordpiece(N.BertNormalizer(), P.BertPreTokenizer())
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    yield "bert", t
    t = wordpiece(N.BertNormalizer(lowercase=False), P.Sequence([P.WhitespaceSplit(), P.Punctuation()]),
                  max_input_chars_per_word=8)
    t.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = D.WordPiece("##", False)
    yield "bert_cased", t
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = N.Sequence([N.NFKD(), N.StripAccents(), N.Strip()]), P.Sequence([P.Whitespace(), P.Digits(True)])
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=300, show_progress=False, special_tokens=["[UNK]"]))
    yield "wordlevel", t

    t = unigram(N.Precompiled(table), P.Metaspace(), D.Metaspace())
    yield "unigram", t
    t = changed(t, lambda s: s["model"].update(byte_fallback=True, vocab=s["model"]["vocab"] + [[b, -20.5] for b in BYTES]))
    t.decoder = D.Sequence([D.ByteFallback(), D.Metaspace()])
    yield "unigram_bytes", t
    t = unigram(N.Sequence([N.Nmt(), N.NFKC(), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace("▁", "first", True),
                D.Metaspace("▁", "first", True))
    t.post_processor = processors.TemplateProcessing("$A:0 <s>:0 </s>:2", "$A:0 <s>:0 $B:1 <s>:1 </s>:2", [("<s>", 1), ("</s>", 2)])
    yield "albert", t


def decoded(text, source):
    return "?" if "\ufffd" in text else "=" if text == source else text.encode().hex()


def line_of(encode, decode, text):
    try:
        ids = encode(text)
    except Exception:  # the reference's errors have no common type
        return "-"
    return " ".join(map(str, ids)) + "|" + decoded(decode(ids), text)


PATTERNS = [
    CL100K, O200K, r"[\p{Han}]+|[\p{Ll}\p{M}&&[^\p{Han}]]+|\p{N}{1,3}", r"[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]",
    r"\s+$", r"^\s*", r"a|b|", r"a*?", r"a+?b", r"(?:a|ab)(?:c|bcd)?", r"(a|b)*c", r"(?:a*)*b", r"(a*?)*?b", r"(?:a?){2,3}",
    r"\d+(?=\s)", r"(?<=\d)(?=(?:\d{3})+(?!\d))", r"(?<!\w)\w+", r"(?<=a|bc)x?", r"\b\w+\b", r"\B.", r"(?>a+)b|a", r"[[:punct:]]+",
    r"[[:alpha:]]+", r"[[:alnum:]_]+", r"[^[:space:]]+", r"\h+", r"[\w&&[^\d]]+", r"[a-c[x-z]]+", r"(?i)ſ", r"(?i:k)+", r"(?i:[k-s])+",
    r"(?i)[^s]+", r"(?i:é)", r"\p{^L}+", r"\P{L}+", r"\p{Lu}\p{Ll}+", r"x{2}", r"x{,2}", r"x{2,}?", r"x{2}?y", r"a{", r"a{,}", r"[]a]+",
    r"[a-]+", r"[\]\-]+", r"\x{e9}", r"\u00e9", r"[\x{4e00}-\x{9fff}]+", r"\A.|.\z", r".\Z", r"(?<n>a)b", r"a(?i)b|c", r"x{1,3}+",
    r"[[:^alpha:]]+", r"(?:(?:a|b)+c)*d", r"\p{Cyrillic}+", r"[\s\S]", r"\p{Z}", r"\p{S}+|\p{Sc}", r"(?=a)a|(?!a).",
    r"\p{L}+(?:'\p{L}+)?", r"\n+\s*", r"[\t ]{2,}", r"((?:a|b)|c)+?d", r"\p{Upper}\p{Lower}*", r"(?:aa|a)*ab", r"(?:(?=a)a|b)*?c",
    r"[a-z&&[^aeiou]]+", r"[a^b]+", r"\/|\.|\-", r"(?#note)a", r"\p{Alpha}+|\p{Punct}"]
PATTERN_TEXTS = [
    "aab abcd xyyx\nab", "aaab\n\n aaabb", "Don't STOP, it's 1234567 o'clock", "caféÉé ſKk sS", "x = 3.14; y-[a]^b", "中文字 a1 Привет  ",
    "½ x² Ⅷ ⓐ", "  \t\n \r\n x", "a", "ccd abab cd", "\u0301a\u0300", "aaaaaaaaaaaaaaaac"]
FORMS = [("nfc", normalizers.NFC()), ("nfd", normalizers.NFD()), ("nfkc", normalizers.NFKC()), ("nfkd", normalizers.NFKD()),
         ("lowercase", normalizers.Lowercase()), ("strip_accents", normalizers.StripAccents()), ("nmt", normalizers.Nmt()),
         ("bert", normalizers.BertNormalizer())]


def hashed(normalizer):
    """FNV-1a over what each code point becomes, alone and between others."""
    value = 0xCBF29CE484222325
    for cp in [*range(0x20, 0xD800), *range(0xE000, 0x32000), *range(0xE0000, 0xE0200)]:
        for byte in normalizer.normalize_str(chr(cp) + "e" + chr(cp) + "\u0327\u0301").encode():
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def write_patterns():
    """For each expression and text the bytes of each piece, cut around matches."""
    lines = ["T " + text.encode().hex() for text in PATTERN_TEXTS]
    for pattern in PATTERNS:
        lines.append("P " + pattern.encode().hex())
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        for text in PATTERN_TEXTS:
            lines.append("R " + " ".join(str(len(piece.encode())) for piece, _ in cut.pre_tokenize_str(text)))
    (OUT / "regex.txt").write_text("\n".join(lines) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    every = texts()
    (OUT / "strings.hex").write_text("\n".join(text.encode().hex() for text in every) + "\n")
    write_patterns()
    (OUT / "normalized.txt").write_text("".join(f"{name} {hashed(form)}\n" for name, form in FORMS))
    pieces = {"sp_unigram": sentencepiece_model(model_type="unigram", rules=True),
              "sp_unigram_bytes": sentencepiece_model(model_type="unigram", byte_fallback=True, user_defined_symbols=["<b>", "the"],
                                                      normalization_rule_name="identity", remove_extra_whitespaces=False),
              "sp_bpe": sentencepiece_model(model_type="bpe", rules=True, byte_fallback=True, user_defined_symbols=["<b>", "~~"])}
    names = []
    for name, t in all_kinds(charsmap(pieces["sp_unigram"])):
        state = json.loads(t.to_str())
        (OUT / f"{name}.json").write_text(json.dumps(state, ensure_ascii=False, separators=(",", ":")))
        t = Tokenizer.from_file(str(OUT / f"{name}.json"))
        lines = [line_of(lambda s: t.encode(s).ids, lambda ids: t.decode(ids, skip_special_tokens=False), s) for s in every]
        (OUT / f"{name}.ids").write_text("\n".join(lines) + "\n")
        pairs = []
        for i in range(12):
            both = t.encode(every[i * 5], every[-1 - i * 3])
            pairs.append(" ".join(map(str, both.ids)) + "|" + " ".join(map(str, both.type_ids)))
        (OUT / f"{name}.pairs").write_text("\n".join(pairs) + "\n")
        names.append(name)
    for name, model in pieces.items():
        (OUT / f"{name}.model").write_bytes(model)
        sp = sentencepiece.SentencePieceProcessor(model_proto=model)

        def encode(text):
            if "\0" in text or "▁" in text:
                raise ValueError("taken otherwise, on purpose")
            return sp.encode(text)

        lines = [line_of(encode, lambda ids: sp.decode(ids).replace("\u2047", "\ufffd"), s) for s in every]
        (OUT / f"{name}.ids").write_text("\n".join(lines) + "\n")
        names.append(name)
    (OUT / "VERSIONS").write_text(f"Made by tools/golden/tokenizer_files.py: {len(every)} strings.\ntokenizers {tokenizers.__version__}\n"
                                  f"sentencepiece {sentencepiece.__version__}\n{' '.join(names)}\n")
    print(len(names), "kinds,", sum(path.stat().st_size for path in OUT.iterdir()), "bytes")


main()
