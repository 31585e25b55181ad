"""What a panel's members bring, in words: tables for a terminal, and JSON."""

from __future__ import annotations

from recipelang.evaluation.panels import FEWEST_QUESTIONS, MOST_MEMBERS, ORDERS, Economics, Rival
from recipelang.evaluation.reporting import Table, money
from recipelang.runtime.values import Json
from recipelang.statistics import Interval, Paired


def panel_tables(found: Economics) -> list[Table]:
    names = [member.name for member in found.members]
    whole = [["the panel", _percent(found.accuracy), money(found.cost), "", "", ""]]
    rows = [
        [
            member.name,
            _percent(member.alone),
            money(member.cost),
            f"{member.shapley * 100:.1f}",
            *_points(member.left_out),
        ]
        for member in found.members
    ]
    head = ["", "accuracy", "$ a run", "Shapley, points", "its vote adds", "95 %"]
    agreement = [
        [one, *(f"{found.agreement[one, other]:.0%}" if (one, other) in found.agreement else "" for other in names)]
        for one in names[:-1]
    ]
    rivals = [[r.what, _percent(r.accuracy), money(r.cost), *_points(r.against)] for r in found.rivals]
    return [
        Table(f"A panel of {len(names)} on {found.n} questions", head, [*whole, *rows]),
        *([Table("How often two say the same", ["", *names], agreement)] if agreement else []),
        Table("In its place", ["", "accuracy", "$ a run", "against the panel", "95 %"], rivals),
    ]


def panel_notes(found: Economics) -> list[str]:
    drawn = f"Shapley values are of {ORDERS} drawn orders: there are more than {MOST_MEMBERS} members."
    return [*suggestions(found), *([drawn] if len(found.members) > MOST_MEMBERS else [])]


def suggestions(found: Economics) -> list[str]:
    """What would do better in the panel's place, or as well for less."""
    if not found.suggested:
        return [f"No suggestion: it takes two members and {FEWEST_QUESTIONS} questions."]
    return [_suggestion(why, rival, found.cost) for why, rival in found.suggested.items()]


def _suggestion(why: str, rival: Rival, cost: float | None) -> str:
    difference = rival.against.difference
    words = (
        f"{difference.value * 100:+.1f} points, 95 % from {difference.low * 100:+.1f} to {difference.high * 100:+.1f}"
    )
    price = f" at {rival.cost / cost:.0%} of its cost" if cost and rival.cost is not None else ""
    if difference.low > 0:
        verdict = "it does better"
    elif difference.high < 0:
        verdict = "it does worse: keep the panel"
    else:
        verdict = "no difference can be told"
    return (
        f"Suggestion, {why}: {rival.what}. Chosen on half of the questions and measured on the other "
        f"{rival.against.n}: {words} against the whole panel{price}; {verdict}."
    )


def panel_json(found: Economics) -> dict[str, Json]:
    return {
        "questions": found.n,
        "accuracy": _triple(found.accuracy),
        "cost": found.cost,
        "members": [
            {
                "name": member.name,
                "accuracy": _triple(member.alone),
                "cost": member.cost,
                "shapley": member.shapley,
                "vote_adds": _triple(member.left_out.difference),
            }
            for member in found.members
        ],
        "agreement": [{"of": list(pair), "share": value} for pair, value in found.agreement.items()],
        "rivals": [_rival_json(rival) for rival in found.rivals],
        "suggested": {why: _rival_json(rival) for why, rival in found.suggested.items()},
        "notes": panel_notes(found),
    }


def _rival_json(rival: Rival) -> dict[str, Json]:
    against = _triple(rival.against.difference)
    return {"what": rival.what, "accuracy": _triple(rival.accuracy), "cost": rival.cost, "against_panel": against}


def _triple(interval: Interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


def _percent(interval: Interval) -> str:
    return f"{interval.value * 100:.1f} %"


def _points(pairs: Paired) -> list[str]:
    found = pairs.difference
    return [f"{found.value * 100:+.1f} points", f"{found.low * 100:+.1f} to {found.high * 100:+.1f}"]
