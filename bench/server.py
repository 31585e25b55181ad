"""What the server costs: `python bench/server.py [--rounds 5] [--seconds 3] [--in-flight 100] [--json FILE]`. Linux.

`recipelang serve` with one recipe of one call, beside the server that one would write by hand (`bench/relaying.py`: aiohttp on
both sides, with uvloop). Both hand the request on to one upstream that answers after 20 ms, streams 16 pieces with 2 ms
between them, and runs in a process of its own, as do the callers. Rounds take the servers in turn; a figure is the median.
`--half` adds what the server adds to the time of an answer at half of the load that it can bear.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # Any: figures as JSON has them

from answering import TEXT

HERE = Path(__file__).parent
DELAY, CHUNKS, GAP = 0.02, 16, 0.002
RECIPE = """
backend mock {{ kind = openai, url = "{url}/v1" }}
model base {{ backend = mock, id = "base", price = {{ input = $0.05, output = $0.20 }} }}
role answer() {{ max_tokens = 256 }}
recipe one(m: model) -> answer {{ ask reply = answer(model = m)  return reply }}
expose "base" = one(m = base)
"""
ASKED: dict[str, Any] = {
    "model": "base",
    "max_tokens": 256,
    "messages": [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "What is the capital of France, and which river runs through it?"},
    ],
}
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="what the server costs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--half", action="store_true", help="also at half of the load that it can bear")
    parser.add_argument("--only", default="", help="only the servers whose name has this in it")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found: dict[tuple[str, str], dict[str, list[Figures]]] = {}
    with TemporaryDirectory() as folder, upstream(DELAY, CHUNKS, GAP) as url:
        for _ in range(asked.rounds):
            for name, command in servers(Path(folder), url).items():
                if asked.only in name:
                    for case, figures in measured(command, Path(folder), url, asked).items():
                        found.setdefault(case, {}).setdefault(name, []).append(figures)
    medians = {case: {name: middle(rounds) for name, rounds in by.items()} for case, by in found.items()}
    show(medians)
    if asked.json:
        told = [{"case": " ".join(case), "figures": by} for case, by in medians.items()]
        asked.json.write_text(json.dumps({"rounds": asked.rounds, "cases": told}, indent=2) + "\n")


def servers(folder: Path, url: str) -> dict[str, list[str]]:
    recipe = folder / "one.recipe"
    recipe.write_text(RECIPE.format(url=url))
    return {
        "by hand": [sys.executable, str(HERE / "relaying.py"), "PORT", url],
        "recipelang": [sys.executable, "-m", "recipelang.cli.main", "serve", str(recipe), "--port", "PORT"],
    }


def measured(command: list[str], folder: Path, url: str, asked: argparse.Namespace) -> dict[tuple[str, str], Figures]:
    """A server from its start to its end."""
    found: dict[tuple[str, str], Figures] = {}
    with serving(command) as (process, address, ready):
        for case, more in (("plain", {}), ("stream", {"stream": True})):
            bodies = folder / f"{case}.txt"
            bodies.write_text(f"{TEXT}\n{json.dumps({**ASKED, **more})}\n")
            call(address, asked.in_flight, 0.5, bodies)  # warm; not counted
            before = cpu_of(process.pid)
            told = call(address, asked.in_flight, asked.seconds, bodies)
            used = cpu_of(process.pid) - before
            found[case, f"{asked.in_flight} in flight"] = {
                **told,
                "cpu_us": used / told["requests"] * 1e6,
                "mb": memory_of(process.pid),
                "ready_ms": ready * 1e3,
            }
            if asked.half:
                rate = told["per_second"] / 2
                directly = call(url, asked.in_flight, asked.seconds, bodies, rate)
                halved = call(address, asked.in_flight, asked.seconds, bodies, rate)
                figure = "first" if more else "ms"
                added = {f"{p}": halved[f"{figure}_{p}"] - directly[f"{figure}_{p}"] for p in ("p50", "p99")}
                found[case, "half load"] = {**halved, "added_p50": added["p50"], "added_p99": added["p99"]}
    return found


# ------------------------------------------------------------ processes


@contextmanager
def upstream(delay: float, chunks: int, gap: float) -> Iterator[str]:
    command = [sys.executable, str(HERE / "answering.py"), "0", str(delay), str(chunks), str(gap)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


@contextmanager
def serving(command: list[str], asked: dict[str, Any] = ASKED) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """A server while the block lasts, its address, and the seconds until it answered."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    told = [str(port) if word == "PORT" else word for word in command]
    with subprocess.Popen(told, stderr=subprocess.DEVNULL) as process:
        try:
            while not answers(address, asked):
                if process.poll() is not None:
                    sys.exit(f"{' '.join(told)} ended with {process.returncode}")
                time.sleep(0.01)
            yield process, address, time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGINT)


def answers(address: str, asked: dict[str, Any]) -> bool:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/chat/completions", json.dumps(asked).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return bool(json.load(response)["choices"])
    except OSError:
        return False


def call(address: str, callers: int, seconds: float, bodies: Path, rate: float = 0.0) -> dict[str, Any]:
    url = f"{address}/v1/chat/completions"
    command = [sys.executable, str(HERE / "callers.py"), url, str(callers), str(seconds), str(bodies), str(rate)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    told = dict(json.loads(done.stdout))
    ended = told.pop("ended")
    told["complete"] = ended.get("complete", 0)
    return {**told, "others": sum(ended.values()) - told["complete"]}


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int, figure: str = "VmHWM") -> float:
    """MB: by default the most that it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(figure)) / 1024


# -------------------------------------------------------------- figures


def middle(rounds: list[Figures]) -> Figures:
    return {figure: statistics.median(one[figure] for one in rounds) for figure in rounds[0]}


def show(medians: dict[tuple[str, str], dict[str, Figures]]) -> None:
    print(
        f"{'':22} {'':12} {'CPU µs':>8} {'ratio':>6} {'p50 ms':>8} {'p99 ms':>8} {'first':>8} {'req/s':>8} {'MB':>5} {'ready':>6}"
    )
    for (case, load), by in medians.items():
        for name, f in by.items():
            if load == "half load":
                print(
                    f"{case + ', ' + load:22} {name:12} added p50 {f['added_p50']:.2f} ms, p99 {f['added_p99']:.2f} ms at {f['per_second']:.0f} req/s"
                )
                continue
            ratio = f["cpu_us"] / by["by hand"]["cpu_us"] if "by hand" in by else float("nan")
            print(
                f"{case + ', ' + load:22} {name:12} {f['cpu_us']:8.0f} {ratio:6.2f} {f['ms_p50']:8.2f} {f['ms_p99']:8.2f}"
                f" {f['first_p50']:8.2f} {f['per_second']:8.0f} {f['mb']:5.0f} {f['ready_ms']:6.0f}"
            )
            if f["others"]:
                print(f"{'':22} {name:12} {f['others']:.0f} answers that were not complete")


if __name__ == "__main__":
    main()
