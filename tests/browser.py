"""A real Chromium for tests, spoken to over its pipe for debuggers; nothing else is needed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE = 20.0
"""Seconds."""


class Browser:
    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = os.fdopen(answers, "rb", 0)
        self._numbers = itertools.count(1)
        self._rest = b""

    def document(self, address: str, shown: str) -> str:
        """The document that a page has become once the element with this id shows something."""
        target = self._call("Target.createTarget", {"url": address})["targetId"]
        session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        looking = f"document.getElementById('{shown}')?.textContent ? document.documentElement.outerHTML : ''"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            told = self._call("Runtime.evaluate", {"expression": looking}, sessionId=session)["result"]
            if told.get("value"):
                return str(told["value"])
            time.sleep(0.02)
        raise AssertionError(f"the page shows nothing in `{shown}`")

    def close(self) -> None:
        os.close(self._commands)
        self._answers.close()

    def _call(self, method: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": fields, **more}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                part = self._answers.read(65536)
                assert part, "the browser is gone"
                self._rest += part
            told, _, self._rest = self._rest.partition(b"\0")
            answer: dict[str, Any] = json.loads(told)
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, while the block lasts."""
    assert CHROMIUM is not None
    (its_end, commands), (answers, its_words) = os.pipe(), os.pipe()
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
    shell = ["/bin/bash", "-c", f'exec "$0" "$@" 3<&{its_end} 4>&{its_words}']
    with subprocess.Popen(
        [*shell, *command, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(its_end, its_words),
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(its_end)
        os.close(its_words)
        browser = Browser(commands, answers)
        try:
            yield browser
        finally:
            process.kill()
            browser.close()
