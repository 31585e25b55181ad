"""What is to be expected by a history: it is what comes, and the interval is as wide as the history is short."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import anyio
import pytest

from recipelang import Engine, ScriptedBackend, SqliteStore
from recipelang.backends.scripted import Outcome
from recipelang.runtime.ports import BackendError, FailureKind, ModelCall
from recipelang.simulation.expecting import Expected, expected, of_size
from recipelang.simulation.fitting import History, Seen, history_in
from recipelang.simulation.profiles import LogNormal, ProfileProblem
from runs import every_backend, plan_of

PAIR = plan_of("""
role pick(said: answer[..2]) { max_tokens = 100, prompt = "{{ said }}" }
recipe main() -> answer {
  fanout said = speak(model = m) for m in [small, large] { quorum = 1, on_error = skip }
  ask    last = pick(said, model = large) { retries = 1 }
  return last
}
expose "main" = main()
""")
LADDER = plan_of("""
recipe main() -> answer {
  cascade reply = speak(model = m) for m in [small, large] { accept = confidence(it) >= 0.7, fallback = last(tried) }
  return reply
}
expose "main" = main()
""")
TRUTH = {"small": LogNormal(0.8, 2.4), "large": LogNormal(2.0, 5.0)}


def history(calls: int, seed: int = 0, failing: float = 0.0) -> History:
    draw, known = Random(seed), History()
    for model, latency in TRUTH.items():
        seen = known.models[model] = Seen()
        for _ in range(calls):
            if draw.random() < failing:
                seen.failures[FailureKind.SERVER] += 1
            else:
                seen.latencies.append(latency.at(draw.random()))
                seen.tokens.append(20 + draw.randrange(40))
    return known


def expect(known: History, *, size: int | None = None, plan: object = PAIR) -> Expected:
    entry = plan.entries["main"]  # type: ignore[attr-defined]  # a plan
    return expected(plan, entry, known, size, default=400)  # type: ignore[arg-type]  # as above


def test_the_interval_holds_the_true_mean_about_95_times_in_100_and_narrows_with_the_history() -> None:
    draw = Random(7)
    many = 20_000
    true = sum(
        min(TRUTH["small"].at(draw.random()), TRUTH["large"].at(draw.random())) + TRUTH["large"].at(draw.random())
        for _ in range(many)
    )
    held = 0
    for seed in range(8):
        seconds = expect(history(40, seed)).seconds
        held += seconds.low <= true / many <= seconds.high
    assert held >= 6  # of 8
    short, long = (expect(history(calls)).seconds for calls in (12, 1_000))
    assert long.high - long.low < 0.7 * (short.high - short.low)


def test_failures_are_expected_as_often_as_they_were_seen() -> None:
    found = expect(history(400, failing=0.5))
    # 2 calls side by side, then one and, in half of the runs in which one was answered, another
    assert found.calls.low <= 2 + 0.75 * 1.5 <= found.calls.high
    assert found.unanswered.low <= 0.25 + 0.75 * 0.25 <= found.unanswered.high
    assert expect(history(50)).unanswered.value == 0


def test_nothing_that_is_expected_passes_the_worst_case() -> None:
    found, total = expect(history(30, failing=0.2)), PAIR.entries["main"].certificate.total  # type: ignore[union-attr]  # proved
    assert found.calls.p95 <= total.calls
    assert found.seconds.p95 <= total.seconds
    assert found.completion_tokens.p95 <= total.completion_tokens
    assert found.prompt_tokens.p95 <= total.prompt_tokens.at(400)
    assert found.cost is not None
    assert total.cost is not None
    assert found.cost.p95 <= total.cost.at(400)
    assert found.parallel.mean <= total.parallel


def test_a_request_of_a_size_is_of_that_size_and_costs_accordingly() -> None:
    for size in (0, 1, 4, 5, 4_001):
        assert len(str(of_size(size).messages[0].content)) == size
    few, many = (expect(history(20), size=size).prompt_tokens.mean for size in (100, 10_000))
    assert many > 20 * few


def test_a_model_that_nobody_has_called_is_named() -> None:
    known = history(20)
    del known.models["large"]
    with pytest.raises(ProfileProblem, match="there is no profile of `large`; there are small"):
        expect(known)


def test_a_history_that_does_not_say_how_sure_answers_were_says_so() -> None:
    assert expect(history(20), plan=LADDER).unsure == ("small", "large")
    known = history(20)  # a cassette and a journal say it
    for seen in known.models.values():
        seen.sure = [0.9] * 20
    sure = expect(known, plan=LADDER)
    assert (sure.unsure, sure.calls.mean) == ((), 1.0)
    assert expect(history(20)).unsure == ()  # nothing reads it


def run_once(folder: Path, *, failing: bool = False) -> tuple[Path, Path, Path]:
    """One run, in a journal, in a cassette and as a trace."""

    def script(call: ModelCall) -> Outcome:
        unsent = BackendError(FailureKind.REFUSED, "can't connect", sent=False)
        return unsent if failing and call.model.name == "small" else "so it is"

    journal, cassette, trace = folder / "runs.db", folder / "run.cassette", folder / "trace.json"

    async def run() -> None:
        backends = every_backend(PAIR, ScriptedBackend(script))
        async with Engine(PAIR, backends=backends, store=SqliteStore(journal), record=cassette) as engine:
            result = await engine.run("main", "Which planet is the largest?", run_id="r")
            trace.write_text(json.dumps(result.trace.as_json()))

    anyio.run(run)
    return journal, cassette, trace


def test_journals_cassettes_and_traces_tell_the_same(tmp_path: Path) -> None:
    told = [history_in([str(path)]) for path in run_once(tmp_path)]
    for model in ("small", "large"):
        seen = [known.of(model) for known in told]
        assert [one.calls for one in seen] == [seen[0].calls] * 3
        assert all(one.tokens == seen[0].tokens for one in seen)
    assert [len(known.runs) for known in told] == [1, 1, 0]  # a trace does not say what was asked
    together = history_in([str(tmp_path / "runs.db"), str(tmp_path / "trace.json")])
    assert together.of("large").calls == 2 * told[0].of("large").calls


def test_the_requests_of_the_history_are_asked(tmp_path: Path) -> None:
    journal, _, trace = run_once(tmp_path)
    found = expect(history_in([str(journal)]))
    assert (found.asked, expect(history_in([str(trace)])).asked) == (1, 0)
    assert found.prompt_tokens.mean < expect(history_in([str(trace)]), size=4_000).prompt_tokens.mean / 10


def test_what_was_asked_for_in_a_form_that_is_there_no_more_is_said_so(tmp_path: Path) -> None:
    _, cassette, _ = run_once(tmp_path)
    text = cassette.read_text()
    cassette.write_text(text.replace('"request": {', '"request": {"format": "letter", '))
    assert "letter" in cassette.read_text()
    with pytest.raises(ProfileProblem, match="the form `letter`, which the recipe does not have"):
        expect(history_in([str(cassette)]))


def test_calls_that_were_never_sent_are_no_history(tmp_path: Path) -> None:
    for path in run_once(tmp_path, failing=True):
        assert history_in([str(path)]).of("small").calls == 0
