"""What a run costs: `python bench/engine.py [--rounds 5] [--seconds 1] [--case TEXT] [--json FILE] [--plot FILE]`.

The engine, as it is installed and with the extra `fast`, against the same work written by hand over httpx2, aiohttp and httpx
(those that are installed); against LangGraph where `--langgraph` names the Python of an environment that has `langgraph` and
`httpx`; and against TensorZero's gateway, inside the process, where `--tensorzero` names one that has `tensorzero`. Every
figure is the median over rounds that take the contenders in turn, each in a fresh process, against one upstream
(`bench/answering.py`) that answers after 20 ms: a busy machine slows all alike, so that the ratios say more than the microseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any  # Any: figures as JSON has them

HERE = Path(__file__).parent
DELAY = 0.02
ALONE = [("one", 1), ("fanout", 1), ("cascade", 1)]
OVER_HTTP = [("one", 100), ("quorum", 100), *(("fanout", many) for many in (1, 64, 100, 512, 2_000))]
SLOW = {"httpx", "httpx2", "langgraph"}
"""Clients that take minutes with so many in flight."""
Key = tuple[str, str, int]  # where, case, in flight


def main() -> None:
    parser = argparse.ArgumentParser(description="what a run costs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--case", default="", help="only cases whose name has this in it, such as `http fanout 100`")
    parser.add_argument("--who", default="", help="only these contenders, with commas between them")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="an SVG of CPU per fan-out over calls in flight")
    parser.add_argument("--langgraph", metavar="PYTHON")
    parser.add_argument("--tensorzero", metavar="PYTHON")
    asked = parser.parse_args()
    pythons = {"recipelang": sys.executable}
    if find_spec("uvloop") and find_spec("orjson"):
        pythons["recipelang-fast"] = sys.executable
    pythons |= {client: sys.executable for client in ("httpx2", "aiohttp", "httpx") if find_spec(client)}
    if asked.langgraph:
        pythons["langgraph"] = asked.langgraph
    if asked.tensorzero:
        pythons["tensorzero"] = asked.tensorzero
    pythons = {
        who: python for who, python in pythons.items() if who in (asked.who.split(",") if asked.who else pythons)
    }
    found: dict[Key, dict[str, list[dict[str, Any]]]] = {}
    with upstream() as url:
        for _ in range(asked.rounds):
            for key in cases(asked.case):
                for who, python in pythons.items():
                    if fits(who, key):
                        figures = measure(python, who, key, url, asked.seconds)
                        found.setdefault(key, {}).setdefault(who, []).append(figures)
    medians = {key: {who: middle(rounds) for who, rounds in by.items()} for key, by in found.items()}
    show(medians)
    if asked.json:
        told = [{"where": k[0], "case": k[1], "in_flight": k[2], "figures": by} for k, by in medians.items()]
        asked.json.write_text(json.dumps({"rounds": asked.rounds, "cases": told}, indent=2) + "\n")
    if asked.plot:
        asked.plot.write_text(drawn(medians))


def cases(wanted: str) -> list[Key]:
    every = [("alone", *case) for case in ALONE] + [("http", *case) for case in OVER_HTTP]
    return [key for key in every if wanted in " ".join(map(str, key))]


def fits(who: str, key: Key) -> bool:
    where, case, in_flight = key
    if who == "tensorzero":
        return where == "http" and case in ("one", "fanout")
    if where == "alone":
        return who in ("recipelang", "httpx2", "langgraph")  # by hand it is the same whatever the client
    return not (who in SLOW and in_flight > 100) and not (who == "langgraph" and case == "quorum")


@contextmanager
def upstream() -> Iterator[str]:
    command = [sys.executable, str(HERE / "answering.py"), "0", str(DELAY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def measure(python: str, who: str, key: Key, url: str, seconds: float) -> dict[str, Any]:
    where, case, in_flight = key
    address = "-" if where == "alone" else url
    command = [python, str(HERE / "contenders.py"), who, case, str(in_flight), address, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))  # before it a library may say something of its own


def middle(rounds: list[dict[str, Any]]) -> dict[str, float]:
    return {figure: statistics.median(one[figure] for one in rounds) for figure in rounds[0]}


def show(medians: dict[Key, dict[str, dict[str, float]]]) -> None:
    print(f"{'':22} {'':15} {'CPU µs/run':>10} {'ratio':>6} {'p50 ms':>8} {'p99 ms':>8} {'runs/s':>8} {'MB':>5}")
    for (where, case, in_flight), by in medians.items():
        for who, f in by.items():
            label = f"{where} {case} × {in_flight}"
            ratio = f["cpu_us"] / by["recipelang"]["cpu_us"]
            name = "by hand" if where == "alone" and who == "httpx2" else who
            print(
                f"{label:22} {name:15} {f['cpu_us']:10.0f} {ratio:6.2f} {f['p50']:8.2f} {f['p99']:8.2f}"
                f" {f['per_second']:8.0f} {f['mb']:5.0f}"
            )


def drawn(medians: dict[Key, dict[str, dict[str, float]]]) -> str:
    """Bars of the CPU that a fan-out over HTTP takes, by how many runs are in flight."""
    bars = [
        (f"{in_flight} in flight, {who}", figures["cpu_us"], who)
        for (where, case, in_flight), by in medians.items()
        if (where, case) == ("http", "fanout")
        for who, figures in by.items()
    ]
    most = max((cost for _, cost, _ in bars), default=1.0)
    parts = []
    for row, (label, cost, who) in enumerate(bars):
        y, colour = 24 + 22 * row, "#3b6fb6" if who.startswith("recipelang") else "#b8bec8"
        parts.append(
            f'<text x="190" y="{y + 13}" text-anchor="end">{label}</text>'
            f'<rect x="198" y="{y}" width="{400 * cost / most:.1f}" height="16" fill="{colour}"/>'
            f'<text x="{204 + 400 * cost / most:.1f}" y="{y + 13}">{cost:.0f} µs</text>'
        )
    title = '<text x="8" y="15" font-weight="bold">CPU of a fan-out of 3 and its synthesis, over HTTP</text>'
    size = f'width="680" height="{32 + 22 * len(bars)}" font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{title}{"".join(parts)}</svg>\n'


if __name__ == "__main__":
    main()
