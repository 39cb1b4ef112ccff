"""The page that bin/gallery makes, in a browser: that it shows what it should, that it needs nothing from outside, and
that the same seed makes the same page.

    tests/build/gallery.py BIN/gallery
    tests/build/gallery.py BIN/gallery --picture docs/gallery.png --text-model M.gguf     the picture of the README

Skipped (exit code 77) where no Chromium is: apt-get install chromium. Words are looked at where SmolLM2 is on the machine.
"""

import argparse
import html.parser
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import real_models
from checks import Checker

KINDS = ["numbers", "words", "meshes", "images", "videos", "proteins", "grammars"]
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

# Put into a copy of the page: what the browser found, as an attribute of the page's first element. A browser that prints a
# page has few frames, so what waits for one gets the next moment.
BEFORE = """<script>
window.requestAnimationFrame = (act) => setTimeout(act, 0);
window.found = {errors: []};
addEventListener("error", (event) => found.errors.push(String(event.message || event.target.outerHTML.slice(0, 80))), true);
addEventListener("securitypolicyviolation", (event) => found.errors.push("policy: " + event.blockedURI));
</script>"""
AFTER = """<script>
addEventListener("load", () => {
    const canvas = document.getElementById("turn");
    const painted = () => {
        const copy = document.createElement("canvas");
        [copy.width, copy.height] = [canvas.width, canvas.height];
        const target = copy.getContext("2d", {willReadFrequently: true});
        target.drawImage(canvas, 0, 0);
        const all = target.getImageData(0, 0, canvas.width, canvas.height).data;
        let count = 0, sum = 0;
        for (let i = 0; i < all.length; i += 4) {
            count += all[i + 3] !== 0;
            sum = (sum * 31 + all[i] + i * (all[i + 3] !== 0)) % 1000003;
        }
        return [count, sum];
    };
    const after = (act) => new Promise((done) => { act(); setTimeout(() => done(painted()), 100); });
    const key = (name) => () => canvas.dispatchEvent(new KeyboardEvent("keydown", {key: name}));
    const button = (name) => [...document.querySelectorAll("button")].find((each) => each.textContent === name);
    (async () => {
        found.images = [...document.images].map((each) => [each.closest("section").id, each.naturalWidth, each.naturalHeight]);
        found.first = await after(() => {});
        found.turned = await after(key("ArrowLeft"));
        found.back = await after(key("ArrowRight"));
        found.other = await after(() => button("torus").click());
        found.caption = document.getElementById("turn-text").textContent;
        found.file = document.getElementById("turn-file").download;
        found.pressed = document.querySelectorAll("[aria-pressed=true]").length;
        found.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
        found.text = Object.fromEntries([...document.querySelectorAll("section")].map((each) => [each.id, each.innerText]));
        document.documentElement.dataset.found = JSON.stringify(found);
    })();
});
</script>"""


class Outline(html.parser.HTMLParser):
    """Which elements there are, and what is wrong with how they are nested."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.ids, self.links, self.sections = [], [], [], [], []
        self.addresses, self.facts = [], {}

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if len(values) != len(attributes):
            self.wrong.append(f"<{tag}> has an attribute twice")
        if tag == "section":
            self.sections.append(values.get("id"))
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "img" and "alt" not in values:
            self.wrong.append("a picture without alt")
        if tag == "a" and values.get("href", "#")[0] == "#":
            self.links.append(values.get("href"))
        self.addresses += [values[name] for name in ("src", "srcset", "href", "action", "poster") if name in values]
        if tag == "dt" and self.sections:
            self.facts.setdefault(self.sections[-1], []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == "dt" and self.sections:
            self.facts[self.sections[-1]][-1] += data

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> closes {self.open[-3:]}")
        else:
            self.open.pop()


def browse(browser, page, *arguments, width=1280, height=800):
    """Runs the browser on a file; what it printed, and what it logged."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
             f"--user-data-dir={profile}", f"--window-size={width},{height}", "--force-color-profile=srgb",
             "--virtual-time-budget=8000", *arguments, page.resolve().as_uri()],
            capture_output=True, text=True, timeout=180, check=False)
    return done.stdout, done.stderr


def as_seen(check, browser, page, width, *arguments):
    """What the scripts above find in the page."""
    text = page.read_text(encoding="utf-8")
    probed = page.with_name("probed.html")
    probed.write_text(text.replace("<title>", BEFORE + "<title>", 1).replace("</body>", AFTER + "</body>", 1), encoding="utf-8")
    shown, logged = browse(browser, probed, "--dump-dom", *arguments, width=width)
    said = [line for line in logged.splitlines() if "CONSOLE" in line]
    check.expect(not said, f"the console is empty: {said}")
    attribute = re.search(r'data-found="([^"]*)"', shown)
    check.expect(attribute is not None, f"the page came to its end: {shown[-300:]} {logged[-300:]}")
    return json.loads(html.unescape(attribute.group(1))) if attribute else None


def look(check, found, has_words):
    if found is None:
        return
    check.expect(not found["errors"], f"no errors: {found['errors']}")
    for kind in ["numbers", "meshes", "images", "videos", "proteins"]:
        sizes = [size for section, *size in found["images"] if section == kind]
        check.expect(sizes and all(min(size) > 0 for size in sizes), f"{kind} has pictures: {sizes}")
    check.expect(found["first"][0] > 10000, f"a shape is drawn: {found['first']}")
    check.expect(found["turned"] != found["first"], "the left arrow turns it")
    check.expect(found["back"] == found["first"], f"the right arrow turns it back: {found['first']} {found['turned']} {found['back']}")
    check.expect(found["other"][0] > 10000 and found["other"] != found["first"], "another shape can be chosen")
    check.expect(found["caption"].startswith("torus: ") and found["file"] == "torus.glb" and found["pressed"] == 1,
                 f"what is chosen is told: {found['caption']}")
    check.expect(found["overflow"] <= 0, f"nothing is wider than the screen: {found['overflow']}")
    for kind in KINDS:
        text = found["text"].get(kind, "")
        check.expect("Tokens" in text or "Values" in text or (kind == "words" and "get-model" in text), f"{kind} tells facts: {text}")
    check.expect(("get-model" in found["text"]["words"]) != has_words, "words say how to get a model where there is none")


def pixels(path):
    """The rows of a PNG file that a browser wrote, as bytes, without what its filters hide: whether they differ."""
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    at, packed = 8, b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at:at + 4])
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    return width, height, len(set(zlib.decompress(packed)))


def without_measurements(page):
    return re.sub(r"(<dd data-measured>)[^<]*", r"\1", page.read_text(encoding="utf-8"))


def outline(check, page):
    text = page.read_text(encoding="utf-8")
    read = Outline()
    read.feed(text)
    read.close()
    check.expect(text.startswith("<!DOCTYPE html>") and not read.wrong and not read.open, f"well-formed: {read.wrong} {read.open}")
    check.expect(read.sections == KINDS, f"the sections: {read.sections}")
    check.expect(len(set(read.ids)) == len(read.ids), "each id is there once")
    check.expect(all(link[1:] in read.ids for link in read.links if link), "links lead somewhere")
    foreign = [each[:60] for each in read.addresses if not each.startswith(("data:", "#"))]
    check.expect(not foreign and not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[\w+/=]+", "", text)
                                               .replace("// ", "")), f"nothing from outside: {foreign}")
    for kind, names in read.facts.items():
        check.expect(len(names) % 4 == 0 and names[0::4] == ["Seed"] * (len(names) // 4)
                     and names[3::4] == ["Energy"] * (len(names) // 4), f"{kind} tells the same facts as all: {names}")


def failures(check, gallery, folder):
    """What is said where the page cannot be made; an old page stays."""
    page = folder / "old.html"
    page.write_text("old", encoding="utf-8")

    def fails(code, says, *arguments, limit=None):
        done = subprocess.run([*gallery, *arguments], capture_output=True, text=True, timeout=300, check=False, cwd=folder,
                              preexec_fn=limit)
        check.expect(done.returncode == code and done.stderr.splitlines()[-1].startswith("gallery: error: ")
                     and says in done.stderr and not done.stdout, f"{arguments}: {done.returncode} {done.stderr}")

    fails(1, "none/forecaster.gguf", "--models", "none", "-o", "old.html")
    fails(1, "none.gguf", "--text-model", "none.gguf", "-o", "old.html")
    fails(1, "nowhere/new.html", "-o", "nowhere/new.html")
    fails(1, "/dev/full", "-o", "/dev/full")
    fails(2, "--seed", "--seed", "many")
    fails(2, "colour", "--colour", "blue")
    # A disk that is full: the system takes no more than some kilobytes.
    fails(1, "old.html", "-o", "old.html", limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)))
    check.expect(page.read_text(encoding="utf-8") == "old", "the old page stays")
    check.expect([each.name for each in folder.iterdir()] == ["old.html"], f"nothing is left behind: {list(folder.iterdir())}")


def picture(browser, page, target):
    """The whole page as a picture of few colours, small enough for a README."""
    from PIL import Image # Debian: python3-pil

    probed = page.with_name("probed.html")
    script = "<script>addEventListener('load', () => { document.documentElement.dataset.height = document.body.offsetHeight; });</script>"
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", script + "</body>", 1), encoding="utf-8")
    shown, _ = browse(browser, probed, "--dump-dom")
    height = int(re.search(r'data-height="(\d+)"', shown).group(1))
    shot = page.with_name("shot.png")
    browse(browser, page, f"--screenshot={shot}", height=height)
    few = Image.open(shot).convert("RGB").quantize(224, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(target, optimize=True)
    print(f"{target}: {few.width} x {few.height}, {target.stat().st_size} bytes")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, default=Path(__file__).resolve().parents[2] / "models")
    parser.add_argument("--text-model", type=Path, help="a language model in place of SmolLM2")
    parser.add_argument("--picture", type=Path, help="write a picture of the page there, and test nothing")
    parser.add_argument("gallery", nargs="+")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"skipped: none of {', '.join(BROWSERS)} is on this machine; Debian: apt-get install chromium")
        return 77
    gallery = [str(Path(options.gallery[0]).resolve()) if i == 0 else word for i, word in enumerate(options.gallery)]
    model = options.text_model or real_models.folder(options.models) / real_models.FILES["smollm2"]

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def make(name, *arguments):
            subprocess.run([*gallery, "-o", str(folder / name), *arguments], check=True, timeout=600, capture_output=True)
            return folder / name

        if options.picture:
            return picture(browser, make("page.html", "--text-model", str(model)), options.picture)
        check = Checker()
        page = make("page.html", "-t", "2")
        outline(check, page)
        look(check, as_seen(check, browser, page, 1280), False)
        look(check, as_seen(check, browser, page, 500), False) # the narrowest that headless Chromium makes
        for name, arguments in (("light", []), ("dark", ["--blink-settings=preferredColorScheme=0"])):
            browse(browser, page, f"--screenshot={folder}/{name}.png", *arguments)
            width, height, values = pixels(folder / f"{name}.png")
            check.expect((width, height) == (1280, 800) and values > 20, f"a picture of the page: {width} x {height}, {values}")
        check.expect((folder / "light.png").read_bytes() != (folder / "dark.png").read_bytes(), "dark screens get a dark page")
        check.expect(without_measurements(page) == without_measurements(make("again.html", "-t", "1")),
                     "the same seed makes the same page, whatever the threads")
        check.expect(without_measurements(page) != without_measurements(make("other.html", "--seed", "7")),
                     "another seed makes another page")
        if os.path.exists(model):
            words = make("words.html", "--text-model", str(model))
            outline(check, words)
            look(check, as_seen(check, browser, words, 1280), True)
            check.expect(without_measurements(words) == without_measurements(make("words_again.html", "--text-model", str(model))),
                         "words stay the same too")
        else:
            print(f"no words: {model} is not there; {real_models.HOW_TO_GET}")
        (folder / "errors").mkdir()
        failures(check, gallery, folder / "errors")
    print(f"{check.failures} failures")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
