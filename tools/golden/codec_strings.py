"""The hard strings of the tokenizer tests: byte strings, a few hundred written out and the rest drawn from a fixed seed."""
import random

WRITTEN = [
    "", " ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", "\n\n\n", "\n \n", " \n", "\n ", "\t\n", "\t\t", " \t ", "\r\r\n\n",
    "\v\f", "\x00", "a\x00b", "\x01\x02\x03\x04\x05\x06\x07\x08", "\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17", "\x1b[31mred\x1b[0m",
    "\x1c\x1d\x1e\x1f", "\x7f", "\u0080\u0081\u008d\u009f", "a\u0085b", "\u0085", "\u00a0", "x\u00a0y", "\u00ad", "\u200b", "\u200b\u200b a",
    "\u2028", "\u2029x", "\u3000", "　全角　空白　", "\u1680x\u2003y\u202fz\u205f", "\ufeffBOM", "\ufffe\uffff", "\U0010ffff", "\ufffd", "\ufffd\ufffd!",
    "a", "A", "ab", "Hello", " Hello", "Hello ", "  Hello", "Hello  ", " Hello World", "Hello, world!", "Hello, y'all! How are you 😁 ?",
    "The quick brown fox jumps over the lazy dog.", "THE QUICK BROWN FOX", "tHe QuIcK", "camelCaseIdentifier", "snake_case_identifier",
    "kebab-case-identifier", "don't", "DON'T", "Don'T", "I'm", "I'M", "we've", "WE'VE", "they'll", "THEY'LL", "he'd", "HE'D", "you're", "YOU'RE",
    "it's", "IT'S", "can't've", "'s", "'S", " 's", "''s", "'", "''", "'''", "'t'm'd's're've'll", "'T'M'D'S'RE'VE'LL", "rock'n'roll", "O'Neill",
    "y'all'd've", "don’t", "it’s ‘quoted’ “text”", "'ſ", "I'ſx", "'ﬆ", "'K", "'rE'vE'lL", "'r", "'v", "'l", "'re", "'x", "a'", "a'b'c'",
    "0", "1", "12", "123", "1234", "12345", "123456", "1234567890", "00000000", "3.14159", "1,000,000", "1e10", "-5", "+5", "0x1F", "1st 2nd 3rd",
    " 1", "  12", " 123 ", "1 2 3", "a1b2c3", "1a2b3c", "v1.2.3", "2024-01-31T12:34:56Z", "(555) 123-4567", "100%", "$100", "€50", "½ ¼ ¾", "²³¹", "x²+y²",
    "①②③", "Ⅷ Ⅸ", "٠١٢٣٤٥٦٧٨٩", "१२३४५६", "๑๒๓", "１２３４", "〇一二三", "𝟎𝟏𝟐", "1²3", "12²34", "1½", "৪২", "x1²",
    ".", "..", "...", "....", ",", ", ", "!", "!!", "?!?!", "a.b.c", "a . b", "a.b.", ".a", " .", " ...", "...\n", "...\n\n", "!\r\n", "!!\n\n\na", "?\n ?",
    "()", "[]", "{}", "<>", "<|>", "<<>>", "a(b)c", "a[0]", "f(x, y);", "if (a && b || !c) { return 0; }", "#include <stdio.h>", "/* comment */", "// x",
    "#!/bin/sh\n", "@user #tag", "user@example.com", "https://example.com/a?b=c&d=e#f", "C:\\Windows\\System32", "a/b\\c", "a|b", "a^b", "~x", "`code`", "```\ncode\n```",
    "$x", "$$", "+=", "==", "=>", "->", "<=", "!=", "++i", "a+b=c", "^_^", "~~~", "|||", "```", "§¶†‡", "©®™", "°C", "№ 5", "… —–-", "«quoted»", "„quoted“", "¿qué?", "¡olé!",
    "def f(x):\n    return x * 2\n", "for i in range(10):\n\tprint(i)\n", "\tif x:\n\t\ty()\n", "{\n  \"key\": [1, 2.5, null, true]\n}", "<p class=\"a\">b</p>\n", "SELECT * FROM t WHERE a = 'b';",
    "a\n", "a\n\n", "a\nb", "a\n\nb", "a\n\n\nb", "a \nb", "a\n b", "a \n b", "a  \n  b", "a\r\nb", "a\r\n\r\nb", "a\n\rb", "a\t b", "a \tb", "\n\n\n\n\n\n\n\n\n\n", "     ", "        ", "                ",
    "a" + " " * 2 + "b", "a" + " " * 3 + "b", "a" + " " * 4 + "b", "a" + " " * 7 + "b", "a" + " " * 16 + "b", "a" + " " * 31, " " * 33 + "b", " \n  \n   \n", "\n  a", "\n\n  a", "  \n\n  ", "\t\t\ta",
    "a \u00a0b", " \u3000a", "\u3000 a", "a\u2003\u2003b", "\u00a0\u00a0", "a\u0085\u0085b", " \u0085 a", "\u2028\n\u2028", "a\u200bb", "a\u2060b", "a\u00adb",
    "é", "e\u0301", "café", "cafe\u0301", "ñ", "n\u0303", "Ångström", "A\u030angstro\u0308m", "naïve", "Zürich", "Straße", "STRASSE", "İstanbul", "ıi", "ǅ ǆ Ǆ", "ŒUVRE œuvre", "ﬁ ﬂ ﬀ ﬃ", "ŉ",
    "a\u0301\u0302\u0303\u0304b", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘", "\u0301", "\u0301a", " \u0301", "x\u0301y\u0301", "ำ ํา", "กำลัง", "\u20e3", "1\u20e3", "1️⃣2️⃣", "ก็", "नमस्ते", "क्षत्रिय", "বাংলা", "தமிழ்", "తెలుగు",
    "ಕನ್ನಡ", "മലയാളം", "සිංහල", "ไทย ภาษาไทย", "ລາວ", "မြန်မာ", "ខ្មែរ", "བོད་ཡིག", "ქართული", "ᲥᲐᲠᲗᲣᲚᲘ", "Հայերեն", "አማርኛ", "ᏣᎳᎩ", "ᠮᠣᠩᠭᠣᠯ", "ⴰⵎⴰⵣⵉⵖ", "Ελληνικά", "ἀρχή ὁ λόγος", "Ἀχιλῆος", "Русский текст", "українська", "ѢѲѴ",
    "你好", "你好，世界！", "中文 和 English 混合", "天地玄黃宇宙洪荒", "日本語のテキスト", "ひらがな", "カタカナ", "ｶﾀｶﾅ", "漢字とかな交じり文。", "「引用」『二重』", "々〆〇", "한국어", "안녕하세요 세계", "ㄱㄴㄷ", "가나다\u1100\u1161", "𠀀𠀁𪛖", "㐀㐁", "豈更", "中1文2", "第１２回", "ＡＢＣａｂｃ", "！＂＃", "：；＜", "～｛｜｝", "。、，", "㍻", "㌔",
    "שלום עולם", "שָׁלוֹם", "مرحبا بالعالم", "السَّلَامُ عَلَيْكُمْ", "العربية 123 English", "‏rtl‎", "\u202eabc\u202c", "\u2066x\u2069", "فارسی می‌خواهم", "اردو", "؟،؛", "܀ܐܒܓ", "ދިވެހި", "ߒߞߏ",
    "😀", "😀😀", "😀 😀", "a😀b", "👍🏽", "👨‍👩‍👧‍👦", "👩🏿‍🚀", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪🇫🇷", "🇩", "❤️", "❤", "☺︎☺️", "✅❌", "🚀 (normal) 😶‍🌫️ (multiple emojis concatenated) ✅ 🦙🦙", "🤦🏼‍♂️.", "🫠🫡", "🧑‍💻 codes", "😀1", "😀\n", "\u200d", "a\u200d\u200db", "\ufe0f", "🏽",
    "→←↑↓", "∀x∈ℝ ∃y", "∑∫∂√∞", "≤≥≠≈", "αβγ δ", "x ∈ ℤ", "∇×E", "ℵ₀", "x₁ x²", "⟨a|b⟩", "𝔄𝔅ℭ", "𝒜", "𝐛𝐨𝐥𝐝", "∎", "■□▪", "┌─┐│└┘", "█▓▒░", "⠓⠑⠇⠇⠕", "♠♣♥♦", "♪♫", "☃", "⚡️", "➡️", "ￚ", "￼", "\ue000\uf8ff", "\U000f0000", "\U0001f9ff", "\u0378", "\U000e0001", "\U00020000\U0003ffff",
    "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n", "<|im_end|>", "<|im_start|", "<bos>", "<eos>", "<s>", "</s>", "<unk>", "<pad>", "<0x41>", "<0x0A>", "<unused5>", "<start_of_turn>user\nhi<end_of_turn>\n", "<|user|>", "<|end|>", "<|eot_id|>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "[INST] x [/INST]", "[UNK]", "<fim_prefix>", "<repo_name>", "<file_sep>", "<|endoftext|", "<|endoftext|>a<|endoftext|>", " <|im_end|> ", "<table><tr><td>x</td></tr></table>", "<h1>", "<b>x</b>", "<mask>", "[multimodal]", "<|im_start|><|im_start|>", "x<|im_end|>y",
    "a<b>c</b>d", "<b></b>", "<b></b></b>", " <b> </b> ", "<b", "<b><b></b><b>", "x  \ny", "x   \n\ny", "[x]", "a[x]b", " [x] [x][x] ", "\t\tx\t", "<b>1<b>22", "a\n\n\nb\n",
    "▁", "▁▁", "a▁b", " ▁ ", "▁a", "Ġ", "Ġthe", "ĠĠ", "Ċ", "ĉ", "Ã©", "â€™", "ĠĊ a", "ÿ", "õ÷Á", "À", "ø",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababababababababababababab", "=" * 40, "-" * 65, "*" * 33, "." * 70, "_" * 12, "#" * 9, "!" * 100, "\n" * 40, "\t" * 20, " " * 100, "A" * 50, "ah" * 30, "ha " * 20, "1" * 50, "0" * 33, "é" * 40, "中" * 40, "😀" * 20, "\u0301" * 30, "\u3000" * 10, "'" * 20, "\"" * 15, "(((((((())))))))", "/" * 30, "\\" * 17, "<" * 20, "|" * 10,
    "Supercalifragilisticexpialidocious", "pneumonoultramicroscopicsilicovolcanoconiosis", "Donaudampfschifffahrtsgesellschaftskapitän", "antidisestablishmentarianism", "Lopadotemachoselachogaleokranioleipsanodrimhypotrimmato", "hippopotomonstrosesquippedaliophobia", "xkcd qwrtp zzzz", "asdfghjklqwertyuiop", "QWERTYUIOP", "lorem ipsum dolor sit amet consectetur",
    "Ⅳ", "ⅷ", "ⓐⓑ", "🄰", "ʰʲ", "ªº", "ʔ", "ǀǁ", "ᵃᵇ", "ⅎↄ", "µm", "Ωhm", "K Å", "ſtraße", "ɐqɔ", "ƛ", "Ʒ", "ꭰꮿ", "Ꙁꙁ", "Ⰰⱏ", "Ⲁⲁ", "Ｚ", "𐐀𐐨", "𐓀", "𞤀𞤢", "𑢠", "Ა", "ɦʰ", "ˈfəʊ", "ɪŋɡlɪʃ", "Việt Nam", "Tiếng Việt có dấu", "Português ãõ", "Čeština řž", "Magyar őű", "Türkçe ğış", "Íslenska þð", "Gaeilge ṁ", "Esperanto ĉĝ", "Lietuvių ąčęėį", "Polski zażółć gęślą jaźń",
    "She said: “It’s 5 o’clock—let’s go!”", "e.g., i.e., etc.", "Mr. & Mrs. Smith's", "A/B testing: 50%/50%", "10:30 a.m.–5:00 p.m.", "x = 3; y = x ** 2 // 4", "a[b][c](d){e}", "\"quoted \\\"inner\\\" text\"", "tab\tseparated\tvalues", "CSV,with,\"quoted, commas\"", "line one\nline two\r\nline three\rline four", "ends with space ", " starts with space", "\"", "\\n", "\\u0041", "&amp;&lt;&#39;", "%20%C3%A9", "a=1&b=2", "--flag=value -x", "rm -rf /", "git commit -m 'fix: x'", "1+1=2", "E=mc^2", "f'(x)", "f''(x)", "the '90s", "'tis", "'Twas", "ne'er-do-well", "l'été d'aujourd'hui", "dell'arte", "'s' 't' 'll'",
]

# Malformed UTF-8. Only byte-level tokenizers and byte fallback can give these back.
MALFORMED = [
    b"\x80", b"\xbf", b"\xc0", b"\xc1\x81", b"\xc2", b"\xc2 ", b"\xe2\x82", b"\xe2\x82 ", b"\xe2\x28\xa1", b"\xf0\x9f\x98", b"\xf0\x9f\x98 x", b"\xf0\x28\x8c\xbc",
    b"\xf5\x80\x80\x80", b"\xff", b"\xfe\xff", b"\xff\xff\xff", b"a\xffb", b" \xff", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xe0\x80\x80", b"\xc0\x80",
    b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"abc\xe4\xbd", b"\xbd\xa0abc", b"\xe4\xbd\xa0\xe5\xa5", b"\xe9t\xe9", b"caf\xe9 cr\xe8me", b"\x80\x81\x82\x83",
    b"\xe2\x96", b"\x96\x81", b"\xe2\x96\x81\xe2\x96", b"1\xff2", b"\xff1", b"'\xffs", b"\n\xff\n", b"!\xff!", b"\xf0\x9f\x91\xa8\xe2\x80", b"\x00\xff\x00", bytes(range(128, 256)), bytes(range(256)),
]

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz     ", "ABCDEFabcdef 0123456789", " \t\n\r", " \n", " a\n", "a'stmdrevl SRVL", "0123456789 .,-", "!?.,;: \n", "()[]{}<>=+-*/ ab",
    "éàüñ ÉÀ", "中文字符，。 a1", "あいうアイウー 漢", "가나다라 마바", "абвгд АБ ", "אבגד  \u05b0", "ابتث \u064e", "😀👍🏽\u200d👩❤️ a", "a\u0301\u0308e n", "\u00a0\u3000\u2003\u0085 a1!",
    "²½Ⅳ①1٣ a", "\x00\x01\x1f\x7f a", "ſ's'ſ", "'\"`´‘’“”a ", "\u200b\u200d\u2060\ufeff a", "$+<=>^`|~ a1.", "！？：；ａＡ１ a", "नमस् ते1", "ไทย ๑ำ", "_-/\\@#%& a1",
]


def strings(count=640, seed=20240131):
    """A list of byte strings, no two equal."""
    out = [text.encode("utf-8", "surrogatepass") for text in WRITTEN] + MALFORMED
    rng = random.Random(seed)
    while len(out) < count:
        if rng.random() < 0.85:
            alphabet = rng.choice(ALPHABETS)
        else:
            alphabet = "".join(rng.sample(ALPHABETS, 3))
        out.append("".join(rng.choice(alphabet) for _ in range(rng.randint(2, 48))).encode())
        if rng.random() < 0.08:  # any characters at all
            text = "".join(chr(rng.choice([rng.randrange(0x20, 0x3000), rng.randrange(0x3000, 0xD800), rng.randrange(0xE000, 0x32400)])) for _ in range(rng.randint(1, 16)))
            out.append(text.encode())
        if rng.random() < 0.03:
            out.append(bytes(rng.randrange(256) for _ in range(rng.randint(1, 24))))
    return list(dict.fromkeys(out))


def is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


if __name__ == "__main__":
    every = strings()
    print(len(every), "strings,", sum(map(len, every)), "bytes,", len(WRITTEN), "written,", sum(not is_utf8(s) for s in every), "malformed")
