"""A crowd at the server: `python bench/crowd.py [--callers 1000] [--seconds 60] [--upstream URL] [--recipe one]`. Linux.

So many callers at once, each with one streamed request after the other, while every 49th call of a model fails in one of
six ways: status 500 or 429, the connection broken, a stream cut short, an answer that is no JSON, and none at all. What came to each is
counted: a complete answer, an honest error, or anything else, which is a fault of ours. The memory of the server is read each second.
Then the same against the upstream alone, without faults, for what the server adds to the time until the first word; and in
the end whether the upstream still has calls open once all callers have left in the middle of their answers.

Without `--upstream` there is one of our own (`bench/answering.py`), with 40 pieces at 250 ms. Another one must go by the same
names of models (`every49-fail-500`), and tell its open calls at `/stats` as `open` or `inflight`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # Any: figures as JSON has them

from server import HERE, cpu_of, memory_of, serving, upstream

FAULTS = ("500", "429", "reset", "truncsse", "badjson", "hang")
DELAY, CHUNKS, GAP = 0.2, 40, 0.25
RAMP = 10.0
"""Seconds in which the callers come: as long as an answer takes, so that they are not all at the same place of theirs."""
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
HEAD = """
backend mock {{ kind = openai, url = "{url}/v1" }}
role answer() {{ max_tokens = 256 }}
role merge(answers: answer[]) {{ max_tokens = 256, prompt = "Merge the answers below.\\n\\n{{{{ answers }}}}" }}
recipe one(m: model) -> answer {{ ask reply = answer(model = m) {{ timeout = 30s }}  return reply }}
recipe team(m: model, panel: model[2]) -> answer {{
  fanout answers = answer(model = p) for p in panel {{ quorum = 1, on_error = skip, timeout = 30s }}
  ask final = merge(answers, model = m) {{ retries = 1, timeout = 30s }}
  return final
}}
model sound {{ backend = mock, id = "sound" }}
expose "sound-one" = one(m = sound)
expose "sound-team" = team(m = sound, panel = [sound, sound])
"""
FAULTY = """
model f{fault} {{ backend = mock, id = "every49-fail-{fault}" }}
expose "{fault}-one" = one(m = f{fault})
expose "{fault}-team" = team(m = f{fault}, panel = [f{fault}, sound])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="a crowd at the server")
    parser.add_argument("--callers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--recipe", choices=("one", "team"), default="one")
    parser.add_argument("--upstream", metavar="URL")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    own = upstream(DELAY, CHUNKS, GAP) if asked.upstream is None else nullcontext(asked.upstream)
    with TemporaryDirectory() as folder, own as url:
        found = crowded(asked, Path(folder), url)
    for name, figure in found.items():
        print(f"{name:32} {figure}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    if found["anything else"]:
        sys.exit("something was lost")


def crowded(asked: argparse.Namespace, folder: Path, url: str) -> dict[str, Any]:
    recipe = folder / "crowd.recipe"
    recipe.write_text(HEAD.format(url=url) + "".join(FAULTY.format(fault=fault) for fault in FAULTS))
    text = answer_of(url)
    faulty = bodies(folder / "faulty.txt", text, [f"{fault}-{asked.recipe}" for fault in FAULTS])
    sound = bodies(folder / "sound.txt", text, [f"sound-{asked.recipe}"])
    direct = bodies(folder / "direct.txt", text, ["sound"])
    command = [sys.executable, "-m", "recipelang.cli.main", "serve", str(recipe), "--port", "PORT"]
    with serving(command, {"model": "sound-one", "messages": QUESTION}) as (process, address, ready):
        before = memory_of(process.pid, "VmRSS")
        cpu = cpu_of(process.pid)
        with watched(process.pid) as memory:
            told = call(address, asked.callers, asked.seconds, faulty)
        cpu = cpu_of(process.pid) - cpu
        ended = Counter(told["ended"])
        calm = [
            call(where, asked.callers, RAMP + asked.seconds / 3, lines)
            for where, lines in ((url, direct), (address, sound))
        ]
        gone = {many: left(address, many, sound, url) for many in (10, asked.callers)}
        return {
            "ready, ms": round(ready * 1e3),
            "requests": told["requests"],
            "complete": ended.pop("complete", 0),
            "anything else": ended.pop("wrong", 0) + ended.pop("lost", 0) + ended.pop("broken", 0),
            "honest errors": dict(ended),
            "server, CPU": f"{cpu / told['wall']:.0%}",
            "MB before": round(before),
            "MB each ten seconds": [round(statistics.median(memory[at : at + 10])) for at in range(0, len(memory), 10)],
            "MB at most": round(memory_of(process.pid)),
            "first word of the upstream, ms": f"{calm[0]['first_p50']:.1f}, p99 {calm[0]['first_p99']:.1f}",
            "first word of the server, ms": f"{calm[1]['first_p50']:.1f}, p99 {calm[1]['first_p99']:.1f}",
            **{f"calls end after {many} leave, ms": round(took * 1e3) for many, took in gone.items()},
        }


def bodies(file: Path, text: str, models: list[str]) -> Path:
    lines = [json.dumps({"model": model, "stream": True, "messages": QUESTION}) for model in models]
    file.write_text("\n".join([text, *lines]) + "\n")
    return file


def answer_of(url: str) -> str:
    """What the upstream always answers."""
    body = json.dumps({"model": "sound", "messages": QUESTION}).encode()
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(json.load(response)["choices"][0]["message"]["content"])


def call(address: str, callers: int, seconds: float, lines: Path) -> dict[str, Any]:
    began = time.perf_counter()
    with called(address, callers, seconds, lines) as process:
        told, _ = process.communicate()
    return {**json.loads(told), "wall": time.perf_counter() - began}


@contextmanager
def called(
    address: str, callers: int, seconds: float, lines: Path, ramp: float = RAMP
) -> Iterator[subprocess.Popen[str]]:
    url = f"{address}/v1/chat/completions"
    command = [sys.executable, str(HERE / "callers.py"), url, str(callers), str(seconds), str(lines), "0", str(ramp)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """MB, each second while the block lasts."""
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(1.0):
            seen.append(memory_of(pid, "VmRSS"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def left(address: str, callers: int, lines: Path, url: str) -> float:
    """The seconds until the upstream has no call open any more, once so many callers have left in the middle of their answers."""
    with called(address, callers, 60, lines) as process:
        while open_at(url) < callers:
            time.sleep(0.05)
        process.kill()
        process.wait()
        began = time.perf_counter()
        while open_at(url):
            time.sleep(0.002)
        return time.perf_counter() - began


def open_at(url: str) -> int:
    with urllib.request.urlopen(f"{url}/stats", timeout=10) as response:
        told = json.load(response)
    return int(told.get("open", told.get("inflight", 0)))


if __name__ == "__main__":
    main()
