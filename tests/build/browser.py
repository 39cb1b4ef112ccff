"""A headless Chromium that a test drives: DevTools' protocol over a pipe, with the standard library alone.

    with Browser("chromium") as page:
        page.open("http://127.0.0.1:8080/")
        page.wait("document.title === 'tokenworks'")

Protocol: chromedevtools.github.io/devtools-protocol, over --remote-debugging-pipe: JSON texts that end with a zero byte.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}


def find():
    """The name of a browser on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    def __init__(self, program, width=1280, height=800):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        there, self.to = os.pipe()
        self.of, back = os.pipe()

        def pipes():  # the program reads from 3 and writes to 4
            first, second = os.dup(there), os.dup(back)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
             f"--user-data-dir={self.folder.name}", f"--window-size={width},{height}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pipes, pass_fds=(3, 4))
        os.close(there)
        os.close(back)
        self.number, self.rest, self.session, self.console = 0, b"", None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.of)
        self.folder.cleanup()

    def hear(self, seconds):
        """The next message, or None after so many seconds."""
        end = time.monotonic() + seconds
        while b"\0" not in self.rest:
            if not select.select([self.of], [], [], max(0, end - time.monotonic()))[0]:
                return None
            data = os.read(self.of, 1 << 16)
            if not data:
                raise RuntimeError("the browser has ended")
            self.rest += data
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def note(self, message):
        """Keeps what a console would show as wrong."""
        what = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.console.append(json.dumps(what["exceptionDetails"])[:500])
        elif message.get("method") == "Log.entryAdded" and what["entry"]["level"] == "error":
            self.console.append(what["entry"]["text"] + " " + what["entry"].get("url", ""))
        elif message.get("method") == "Runtime.consoleAPICalled" and what["type"] in ("error", "assert"):
            self.console.append(json.dumps(what["args"])[:500])

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            heard = self.hear(end - time.monotonic())
            if heard and heard.get("id") == self.number:
                if "error" in heard:
                    raise RuntimeError(f"{method}: {heard['error']}")
                return heard["result"]
            if heard:
                self.note(heard)
        raise RuntimeError(f"{method}: no answer")

    def value(self, script):
        """What an expression of JavaScript is; promises are waited for."""
        made = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in made:
            raise RuntimeError(f"{script}: {made['exceptionDetails']}")
        return made["result"].get("value")

    def wait(self, script, seconds=60):
        """Until an expression is true; whether it came to be."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.value(script):
                return True
            time.sleep(0.05)
        return False

    def open(self, address):
        self.call("Page.navigate", url=address)
        return self.wait(f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'")

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key):
        common = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": "\r"} if key == "Enter" else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def look(self, width=1280, height=800, dark=False, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path):
        time.sleep(0.2)
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        path.write_bytes(data)
        return data
