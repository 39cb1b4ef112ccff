"""The page of `tokenworks serve` in headless Chromium, beside the real server.

It streams a chat and stops one, makes something of every kind that the server has, turns the shape, and looks at the console,
at dark and light, and at a screen as narrow as a phone's. Pictures of it are left in the folder of --out.
Exit code 77 tells CTest that the browser or the model is not on this machine.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import browser
import real_models
from checks import Checker


@contextmanager
def serving(command):
    """The address of a server that runs meanwhile."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if not found:
            raise RuntimeError(f"the server did not start: {line!r}")
        yield found.group(0).rstrip("/")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def chat(check, page):
    page.value("document.querySelector('.settings').open = true, document.getElementById('temperature').value = 0, "
               "document.getElementById('most').value = 400, document.getElementById('question').focus()")
    page.type("Write a long story about a lighthouse.")
    page.press("Enter")
    answer = "document.querySelector('#talk .assistant:last-child p').textContent"
    check.expect(page.wait(f"document.querySelector('#talk .assistant') && {answer}.length > 0"), "an answer begins")
    early = page.value(f"({answer}).length")
    check.expect(page.wait(f"{answer}.length > {early}"), "it goes on: it is streamed")
    check.expect(page.value("document.querySelector('#talk .busy') !== null && !document.getElementById('stop').disabled"),
                 "it can be stopped")
    page.press("Escape")
    check.expect(page.wait("document.querySelector('#talk .busy') === null", 5), "Escape stops it")
    check.expect("stopped" in page.value("document.querySelector('#talk .assistant small').textContent"), "and that is told")
    check.expect(page.wait("document.getElementById('running').textContent === '0'", 10), "the server has stopped too")

    page.value("document.getElementById('clear').click(), document.getElementById('most').value = 24")
    check.expect(page.value("document.querySelectorAll('#talk li').length") == 0, "a new conversation is empty")
    page.value("document.getElementById('system').value = 'You answer briefly.', document.getElementById('question').focus()")
    page.type("What is the capital of France?")
    page.press("Enter")
    check.expect(page.wait("document.querySelector('#talk .assistant small') !== null"), "a whole answer comes")
    told = page.value("document.querySelector('#talk .assistant small').textContent")
    check.expect(re.search(r"^\d+ tokens · the first after \d+ ms · [\d.]+ tokens/s · (stop|length)$", told), f"what it took: {told}")
    check.expect(page.value("document.activeElement.id") == "question", "the next question may be typed")


def other_kinds(check, page):
    shown = {"image": "img.naturalWidth > 0", "forecast": "querySelectorAll('.plot path').length === 3",
             "protein": "querySelectorAll('.sequence i').length > 10", "mesh": "querySelector('canvas')", "video": "img.naturalWidth > 0"}
    for kind, proof in shown.items():
        if page.value(f"document.getElementById('tab-{kind}').disabled"):
            check.expect(False, f"the server has the kind {kind}")
            continue
        page.value(f"document.getElementById('tab-{kind}').click()")
        check.expect(page.value(f"!document.getElementById('{kind}').hidden && document.getElementById('chat').hidden"), f"the tab {kind}")
        page.value(f"document.querySelector('#{kind} form').requestSubmit()")
        if proof.startswith("img"):
            proof = f"(document.querySelector('#{kind} .result img') ?? {{}}).naturalWidth > 0"
        else:
            proof = f"document.querySelector('#{kind} .result').{proof}"
        check.expect(page.wait(f"!!({proof})", 120), f"the tab {kind} shows something: {page.value('document.getElementById(`problem`).textContent')}")
        check.expect(page.value("document.getElementById('problem').hidden"), f"{kind} without a problem")
    # A hash of the pixels of the shape, before and after.
    pixels = "document.querySelector('canvas').toDataURL()"
    page.value("document.getElementById('tab-mesh').click()")
    if page.value("document.querySelector('canvas') !== null"):
        page.wait("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
        before = page.value(pixels)
        page.value("document.querySelector('canvas').focus()")
        page.press("ArrowRight")
        check.expect(page.wait(f"{pixels} !== {before!r}", 5), "the arrow keys turn the shape")
    page.value("document.getElementById('tab-forecast').click(), document.querySelector('[name=numbers]').value = '1 2 x'")
    page.value("document.querySelector('#forecast form').requestSubmit()")
    check.expect(page.wait("!document.getElementById('problem').hidden", 5), "what is no number is told")
    page.value("document.querySelector('[name=numbers]').value = document.querySelector('[name=numbers]').defaultValue")
    page.value("document.getElementById('tab-forecast').focus()")
    page.press("ArrowLeft")
    check.expect(page.value("document.activeElement.id") == "tab-image", "the arrow keys go from tab to tab")
    page.value("document.getElementById('tab-chat').click()")


def factory(check, page):
    check.expect(page.wait("document.getElementById('state').textContent === 'live'", 10), "the live view is live")
    check.expect(page.wait("Number(document.getElementById('made').textContent) > 0", 10), "tokens are counted")
    energy = page.value("document.getElementById('energy').textContent")
    check.expect(any(word in energy for word in ("measured", "modelled", "not measurable here")), f"energy says where it is from: {energy}")
    check.expect(page.value("document.querySelector('#spark path') !== null"), "there is a line of tokens a second")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="where pictures are left")
    parser.add_argument("--picture", type=Path, help="write a picture of the page there, and test nothing")
    parser.add_argument("--url", help="a server that is there, in place of one that is started")
    parser.add_argument("program", nargs="*")
    options = parser.parse_args()
    chromium = browser.find()
    if chromium is None:
        print(f"skipped: none of {', '.join(browser.NAMES)} is on this machine; Debian: apt-get install chromium")
        return 77
    model = real_models.folder(options.models) / real_models.FILES["smollm2"]
    if not options.url and not os.path.exists(model):
        print(f"skipped: {model} is not there; {real_models.HOW_TO_GET}")
        return 77

    if not options.url and subprocess.run([*options.program, "serve", "--help"], capture_output=True, check=False).returncode != 0:
        print("skipped: the program has no server; it was built without cpp-httplib (Debian: libcpp-httplib-dev)")
        return 77

    @contextmanager
    def server():
        if options.url:
            yield options.url
        else:
            with serving([*options.program, "serve", "-m", str(model), "--port", "0"]) as address:
                yield address

    check = Checker()
    with tempfile.TemporaryDirectory() as temporary, server() as address, browser.Browser(chromium) as page:
        out = options.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        page.look()
        page.open(address + "/")
        if options.picture:
            return picture(page, options.picture)
        chat(check, page)
        factory(check, page)
        other_kinds(check, page)
        pictures = {}
        for name, width, height, dark in (("light", 1280, 800, False), ("dark", 1280, 800, True), ("phone", 390, 844, False)):
            page.look(width, height, dark)
            check.expect(page.value("document.documentElement.scrollWidth <= innerWidth"), f"{name}: nothing is wider than the screen")
            pictures[name] = page.picture(out / f"serve_page_{name}.png")
            check.expect(len(pictures[name]) > 10000, f"{name}: a picture of the page")
        check.expect(pictures["light"] != pictures["dark"], "dark screens get a dark page")
        unlabelled = page.value("[...document.querySelectorAll('input, select, textarea')].filter((each) => !each.labels.length).length")
        check.expect(unlabelled == 0, f"{unlabelled} fields without a label")
        foreign = page.value("performance.getEntriesByType('resource').filter((each) => !each.name.startsWith(location.origin)"
                             " && !/^(data|blob):/.test(each.name)).map((each) => each.name)")
        check.expect(not foreign, f"nothing from outside: {foreign}")
        check.expect(not page.console, f"the console is empty: {page.console}")
    print(f"{check.failures} failures")
    return 1 if check.failures else 0


def picture(page, target):
    """The page at work, as a picture of few colours."""
    from PIL import Image # Debian: python3-pil

    page.value("document.getElementById('temperature').value = 0.6, document.getElementById('most').value = 220, "
               "document.getElementById('question').focus()")
    for question in ("What is the capital of France?", "Name three things to see there."):
        page.type(question)
        page.press("Enter")
        if not page.wait("document.querySelector('#talk .busy') === null && document.querySelectorAll('#talk small').length > 0", 120):
            return 1
    page.type("Tell me a story about a lighthouse.")
    page.press("Enter")
    page.wait("document.querySelector('#talk .assistant:last-child p').textContent.length > 300", 60)
    page.look(1280, 800)
    shot = target.with_suffix(".raw.png")
    page.picture(shot)
    few = Image.open(shot).convert("RGB").quantize(200, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(target, optimize=True)
    shot.unlink()
    print(f"{target}: {few.width} x {few.height}, {target.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
