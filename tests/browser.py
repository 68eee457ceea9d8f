"""A real browser for the tests: found, or brought, or an error that says what to do.

An installed Chrome or Chromium is taken first, then the one of the system's package manager where we may install it,
then Playwright's own. A static server with byte ranges stands in for a bucket.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, Response, Route, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/opt/google/chrome/chrome",
    "/snap/bin/chromium",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""For a browser that runs as root, without a screen and without a network."""


WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
"""What axe calls the rules of WCAG 2.1 AA."""

LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable")
"""The rules of axe that style sheets decide; of a page in other colours the others say the same again."""


class NoBrowser(RuntimeError):
    """No Chrome or Chromium is installed, and none could be brought."""


def find_or_install_browser() -> Path:
    """Return a Chrome or Chromium that starts on this machine.

    Raises:
        NoBrowser: With what to do.
    """
    attempts: list[str] = []
    found = _installed() or _packaged(attempts) or _playwrights_own(attempts)
    if found is None:
        raise NoBrowser(
            "The browser tests need Chrome or Chromium. Install one (Debian, Ubuntu: apt-get install chromium; macOS: "
            "brew install --cask chromium), or name one in TRIBUNE_BROWSER.\n" + "\n".join(attempts)
        )
    return found


def _installed() -> Path | None:
    named = os.environ.get("TRIBUNE_BROWSER")
    if named:
        path = shutil.which(named)
        if path is None:
            raise NoBrowser(f"TRIBUNE_BROWSER names {named!r}, which is not a program on this machine.")
        return Path(path)
    for candidate in (*NAMES, *PLACES):
        path = shutil.which(candidate)
        if path is not None:
            return Path(path)
    return None


def _playwrights_own(attempts: list[str]) -> Path | None:
    # Asked in a process of its own: Playwright runs once a thread, and its caller may be running it already.
    ask = "from playwright.sync_api import sync_playwright as run\nwith run() as it: print(it.chromium.executable_path)"
    own = Path(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip())
    if not own.exists():
        _try([sys.executable, "-m", "playwright", "install", "chromium"], attempts)
    # Its build is brought without the system libraries that it needs, so being there is not enough.
    return own if own.exists() and _try([str(own), "--version", *FLAGS], attempts) else None


def _packaged(attempts: list[str]) -> Path | None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        attempts.append("apt-get: not here, or not allowed to us")
        return None
    # Another test's process may be bringing it at this moment.
    install = ["apt-get", "install", "-y", "-o", "DPkg::Lock::Timeout=300", "chromium"]
    if not _try(install, attempts):
        _try(["apt-get", "update"], attempts)
        _try(install, attempts)
    return _installed()


def _try(command: list[str], attempts: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        )
    except subprocess.TimeoutExpired:
        attempts.append(f"{' '.join(command)}: took too long")
        return False
    if done.returncode:
        attempts.append(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.returncode == 0


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser with a profile of its own, without a screen; end it afterwards.

    Raises:
        NoBrowser: There is none, and none could be brought.
    """
    program = find_or_install_browser()
    # Other tests may keep the machine busy: only what never happens is wrong.
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        # Sound and picture must start without a click, as the tests drive the player by script too.
        flags = [*FLAGS, "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def watch(page: Page, address: str) -> list[str]:
    """Return a list that fills with what a page must not do: leave its host, fail to load, complain in the console.

    Args:
        page: Before it goes anywhere.
        address: The one place that it may ask, without a slash at the end.
    """
    faults: list[str] = []

    def on_request(request: Request) -> None:
        if not request.url.startswith(f"{address}/"):
            faults.append(f"asked for {request.url}")

    def on_response(response: Response) -> None:
        if response.status >= 400:
            faults.append(f"{response.status} {response.url}")

    def on_console(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            faults.append(f"{said.type}: {said.text}")

    def on_error(error: Error) -> None:
        faults.append(str(error))

    page.on("request", on_request)
    page.on("response", on_response)
    page.on("console", on_console)
    page.on("pageerror", on_error)
    return faults


def hold_back(page: Page, pattern: str) -> list[Route]:
    """Hold back what a page asks for; returns a list that fills with it, each to be let go on."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold)
    return held


def held(page: Page, routes: Sequence[object], count: int = 1) -> None:
    """Wait until so many requests are held back: what asks for them is done before they are told of here."""
    end = time.monotonic() + 60
    while len(routes) < count:
        assert time.monotonic() < end, f"only {len(routes)} of {count} were asked for"
        page.wait_for_timeout(10)


def until(page: Page, condition: str, seconds: float = 60.0) -> None:
    """Wait for a JavaScript expression to hold; Playwright's own waiting needs ``eval``, which the pages forbid."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < end, f"never happened: {condition}"
        page.wait_for_timeout(50)


def bring_player(page: Page) -> None:
    """Point at the player, for which it comes, and wait until it is there."""
    page.locator("#play").hover()
    until(page, "document.getElementById('player')")


class _RangeHandler(SimpleHTTPRequestHandler):
    """Serves a folder as a bucket would: with byte ranges, which players need in order to seek."""

    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".vtt": "text/vtt", ".js": "text/javascript"}

    def send_head(self) -> BinaryIO | None:
        """Answer a range with that part of the file; anything else as the standard library does."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if asked is None or not path.is_file():
            return super().send_head()
        size = path.stat().st_size
        first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        if first >= size:
            self.send_error(416)
            return None
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(path.read_bytes()[first : last + 1])
        return None

    def handle(self) -> None:
        """Serve one connection; browsers hang up on media as soon as they have enough."""
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the standard library's
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on a free local port; gives its address without a slash at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_RangeHandler, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def axe_faults(
    page: Page, tags: Sequence[str] = WCAG, part: str = "html", *, rules: Sequence[str] = ()
) -> list[tuple[str, list[str]]]:
    """Return what axe finds in a part of a page as it is now: each rule with the elements that break it.

    Args:
        page: As it is now.
        tags: Of the rules to hold it to.
        part: Selector of what is looked at.
        rules: The only rules to hold it to, instead of those with the tags.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        """([type, values, part]) => axe.run(part, {runOnly: {type, values}, resultTypes: ["violations"]})
        .then(found => found.violations)""",
        ["rule" if rules else "tag", list(rules or tags), part],
    )
    return [(fault["id"], [str(node["target"]) for node in fault["nodes"]]) for fault in found]
