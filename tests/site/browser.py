"""A real browser under remote control: pages, keys and sizes, over the pipe that chromium itself offers."""

import fcntl
import json
import os
import shutil
import signal
import time
from contextlib import contextmanager

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Of Windows, which chromium takes everywhere.
CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
         "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Backspace": 8,
         "Delete": 46, "-": 189, ".": 190}  # fmt: skip


class Page:
    """One tab, which knows keys as a keyboard sends them: what they do by default they do here too."""

    def __init__(self, to, answers):
        self._to, self._answers, self._number, self._answered, self._session = to, answers, 0, 0, None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")

    def send(self, method, **params):
        """Ask the browser for something, and wait for its answer."""
        number = self._post(method, params)
        return self._await(lambda answer: answer.get("id") == number)["result"]

    def _post(self, method, params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        return self._number

    def _await(self, wanted):
        while True:
            answer = json.loads(self._read())
            self._answered = answer.get("id", self._answered)
            if "error" in answer:
                raise RuntimeError(answer["error"])
            if wanted(answer):
                return answer

    def _read(self):
        block = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has gone")
            block += byte
        return bytes(block)

    def open(self, path, *, width, height=900, theme="light"):
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.send("Page.navigate", url=path.as_uri())
        self._await(lambda answer: answer.get("method") == "Page.loadEventFired")

    def ask(self, expression):
        """The value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def press(self, *keys):
        """Press keys one after the other, and wait until the page has heard them all."""
        self.type(*keys)
        if self._answered < self._number:
            self._await(lambda answer: answer.get("id") == self._number)

    def type(self, *keys):
        """Press keys, and do not wait."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            event = {"key": key, "code": key, "windowsVirtualKeyCode": CODES.get(key) or ord(key.upper())}
            down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
            self._post("Input.dispatchKeyEvent", event | down)
            self._post("Input.dispatchKeyEvent", event | {"type": "keyUp"})

    def click(self, place):
        self.drag(place, place)

    def drag(self, start, end):
        """The left button goes down at one place and up at another."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def wait_until(self, expression, *, seconds):
        """Until a JavaScript expression is true, or for so long."""
        end = time.monotonic() + seconds
        while not self.ask(expression):
            if time.monotonic() > end:
                raise TimeoutError(f"not true within {seconds} s: {expression}")
            time.sleep(0.05)


@contextmanager
def browser(folder):
    """A page of a browser that lives in this folder and ends with the block."""
    (their_in, to), (answers, their_out) = (map(_out_of_the_way, os.pipe()) for _ in range(2))
    flags = "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"
    command = [PROGRAM, *flags, f"--user-data-dir={folder}/profile", "about:blank"]
    # Where chromium looks for its pipe.
    files = [(os.POSIX_SPAWN_DUP2, their_in, 3), (os.POSIX_SPAWN_DUP2, their_out, 4),
             (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]  # fmt: skip
    process = os.posix_spawn(PROGRAM, command, os.environ, file_actions=files)
    os.close(their_in)
    os.close(their_out)
    try:
        with os.fdopen(to, "wb") as to_browser, os.fdopen(answers, "rb") as from_browser:
            yield Page(to_browser, from_browser)
    finally:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)


def _out_of_the_way(file):
    """A file of a higher number than those that the browser is given."""
    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(file)
    return moved
