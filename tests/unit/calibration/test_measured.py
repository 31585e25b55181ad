"""What docs/calibration.md tells of recorded answers comes out of them, where the packs are at hand."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from recipelang.cli.exits import Exit
from recipelang.cli.main import main
from recipelang.compilation import compile_file

ROOT = Path(__file__).parents[3]
PACKS = os.environ.get("RECIPELANG_REPLAY")
NAMES = {"math_l5": "MATH level 5", "crux": "CRUXEval", "conf": "`conf`", "mmlu_pro": "MMLU-Pro"}
SINGLES = {
    "math_l5": "cheap,second,strong",
    "crux": "cheap,second,third,strong",
    "conf": "cheap,middle,strong",
    "mmlu_pro": "cheap,second,third,middle,strong",
}


def told(pack: str) -> dict[str, tuple[float, float]]:
    """By `worth`: the accuracy of `auto`, and how much better than the mix it is, in points."""
    found, at = {}, ""
    for line in (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[1].startswith("$"):
            at = cells[0].rpartition(",")[0] or at
            if at == NAMES[pack]:
                points = re.match(r"\*\*(.*)\*\*", cells[6])
                assert points is not None
                found[cells[1]] = float(cells[2].removesuffix(" %")), float(points[1].replace("−", "-"))
    return found


@pytest.mark.slow
@pytest.mark.skipif(PACKS is None, reason="RECIPELANG_REPLAY names no folder of packs")
@pytest.mark.parametrize("pack", NAMES)
def test_the_figures_of_the_page_come_out_of_the_packs(
    pack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, report = ROOT / "bench" / "auto" / f"{pack}.recipe", tmp_path / "report.json"
    arguments = [
        "--pack",
        f"{PACKS}/packs/{pack}",
        "--half",
        "second",
        "--single",
        SINGLES[pack],
        "--report",
        str(report),
    ]
    assert main(["eval", str(file), *arguments, "--baseline", "strong"]) == Exit.FINE
    capsys.readouterr()
    document = json.loads(report.read_text(encoding="utf-8"))
    accuracy = {each["name"]: 100 * each["accuracy"][0] for each in document["contestants"]}
    mixes = {each["name"]: 100 * each["difference"][0] for each in document["mixtures"]}
    page = told(pack)
    assert page
    for worth, (right, better) in page.items():
        assert accuracy[f"auto, {worth}"] == pytest.approx(right, abs=0.051)
        assert mixes[f"auto, {worth}"] == pytest.approx(better, abs=0.051)


@pytest.mark.parametrize("pack", NAMES)
def test_the_numbers_of_the_measured_recipes_are_those_that_were_fitted(pack: str) -> None:
    found = compile_file(str(ROOT / "bench" / "auto" / f"{pack}.recipe")).diagnostics
    assert [str(each.label) for each in found if each.code.id != "W0701"] == []
