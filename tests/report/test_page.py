"""The report in a browser: it fits its window, asks no host for anything, and nothing is complained of."""

import base64
import functools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from experiments.report import __main__ as report
from pipeline.figures.style import STYLE
from tests.report.test_questions import STUDIES, Made, Reported, read_report, write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
]
PATIENCE = 60  # seconds
SHOWN = ("classification", "regression", "names", "remedies alone", "diverged", "Chinese")
WIDTHS = (320, 390, 768, 1280)

# What reaches beyond the window's right side, but for what is inside a box that scrolls, or was put aside on purpose.
TOO_WIDE = """
[...document.querySelectorAll("body *")]
  .filter(it => it.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .filter(it => !it.closest(".scroll *") || getComputedStyle(it.closest(".scroll")).overflowX == "visible")
  .map(it => it.outerHTML.slice(0, 80))
  .concat(document.documentElement.scrollWidth > document.documentElement.clientWidth ? ["the page"] : [])
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


class Browser:
    """Chromium, spoken to in the DevTools protocol: JSON, each message ended by a 0, on its descriptors 3 and 4."""

    def __init__(self, profile: Path) -> None:
        (theirs_in, self._out), (self._in, theirs_out) = os.pipe(), os.pipe()

        def as_3_and_4() -> None:
            # By way of numbers that are free, since one of the pipes may be 3 or 4 itself.
            one, two = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(one, 3)
            os.dup2(two, 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=as_3_and_4,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._last, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **parameters: object) -> dict[str, Any]:
        """Have something done; returns the answer."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, deadline - time.monotonic()))
            part = os.read(self._in, 1 << 20) if ready else b""
            assert part, "Chromium does not answer"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, page: Path, width: int, height: int = 900, **media: str) -> None:
        """Open a page in a window of so many CSS pixels."""
        self.events.clear()
        mobile = width < 600
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self(
            "Emulation.setEmulatedMedia", features=[{"name": k.replace("_", "-"), "value": v} for k, v in media.items()]
        )
        self("Page.navigate", url=page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """A picture of the page, for people."""
        answer = self("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def found(self, method: str) -> list[dict[str, Any]]:
        """The parameters of all events of a kind since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self) -> None:
        """End it."""
        with suppress(OSError, AssertionError):
            self._session = None
            self("Browser.close")
        os.close(self._out)
        os.close(self._in)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for the file, with a profile of its own."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def reported(made_once: Callable[..., Path]) -> Callable[[str], Reported]:
    """`reported("names")` is that study of `test_questions` with its report, written once."""
    studies = STUDIES | {"Chinese": Made(language="zh")}
    return functools.cache(
        lambda name: read_report(made_once(f"report {name}", lambda folder: write_report(studies[name], folder)))
    )


def page_of(reported: Reported) -> Path:
    return reported.folder / report.REPORT_FILE


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("width", WIDTHS)
def test_page_fits_its_window(browser, reported, width, name):
    browser.open(page_of(reported(name)), width)
    assert browser.value("document.documentElement.clientWidth") <= width
    assert browser.value(TOO_WIDE) == []


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_browser_has_nothing_to_complain_of_and_asks_no_host(browser, reported, name, theme):
    page = page_of(reported(name))
    browser.open(page, 1280, prefers_color_scheme=theme)
    assert browser.found("Log.entryAdded") == []
    assert browser.found("Runtime.consoleAPICalled") == browser.found("Runtime.exceptionThrown") == []
    asked = {each["request"]["url"] for each in browser.found("Network.requestWillBeSent")}
    assert page.resolve().as_uri() in asked
    assert {url for url in asked if not url.startswith("data:")} == {page.resolve().as_uri()}


def test_probes_find_what_is_wrong(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<div style='width: 2000px'>wide</div><script>console.error('no'); missing()</script>"
        "<img src='http://localhost:9/picture.png'>"
    )
    browser.open(page, 390)
    assert browser.value(TOO_WIDE) != []
    assert len(browser.found("Runtime.consoleAPICalled")) == len(browser.found("Runtime.exceptionThrown")) == 1
    assert "http://localhost:9/picture.png" in {
        each["request"]["url"] for each in browser.found("Network.requestWillBeSent")
    }


def test_pictures_are_legible_on_a_phone(browser, reported):
    browser.open(page_of(reported("classification")), 390)
    scales = browser.value("[...document.querySelectorAll('svg')].map(it => it.clientWidth / it.viewBox.baseVal.width)")
    assert min(scales) * STYLE["font.size"] >= 8


def test_tables_fit_a_desktop(browser, reported):
    browser.open(page_of(reported("classification")), 1280)
    boxes = "[...document.querySelectorAll('div.scroll')]"
    assert browser.value(f"{boxes}.filter(it => it.scrollWidth > it.clientWidth + 40).map(it => it.ariaLabel)") == []


def test_printed_page_fits_the_paper(browser, reported):
    browser.open(page_of(reported("classification")), 688)  # A4 less its margins
    browser("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.value(TOO_WIDE) == []
        assert browser.value("[...document.querySelectorAll('details table')].every(it => it.clientHeight > 0)")
    finally:
        browser("Emulation.setEmulatedMedia", media="")


def test_keyboard_reaches_the_answer_first_and_every_box_that_scrolls(browser, reported):
    browser.open(page_of(reported("classification")), 390)
    reached = []
    for _ in range(browser.value("document.querySelectorAll('a, summary, [tabindex]').length")):
        for kind in ("keyDown", "keyUp"):
            browser("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(browser.value("document.activeElement.className || document.activeElement.tagName"))
    assert reached[0] == "skip"
    # Those in what is folded are reached once it is opened.
    assert reached.count("scroll") == browser.value("document.querySelectorAll('.scroll:not(details .scroll)').length")
