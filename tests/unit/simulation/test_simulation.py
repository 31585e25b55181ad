"""A simulation is the interpreter's own run, on models that do as their profiles say: what can be worked out comes out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree as ET

import anyio
import pytest

from recipelang import Engine, ModelCall, Plan, ScriptedBackend
from recipelang.backends.scripted import After
from recipelang.hosts.binding import bound_entry
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.ports import FailureKind
from recipelang.simulation.figures import Figures, figures_of, quantity
from recipelang.simulation.fitting import fitted
from recipelang.simulation.plotting import Chart, plotted
from recipelang.simulation.profiles import (
    LogNormal,
    Profile,
    ProfileProblem,
    Profiles,
    Quantiles,
    Sureness,
    profiles_as_toml,
    read_profiles,
)
from recipelang.simulation.running import Outcome, simulated
from recipelang.statistics import Interval, share
from runs import every_backend, plan_of

CASCADE = plan_of("""
recipe main() -> answer {
  cascade reply = speak(model = m) for m in [small, large] {
    accept   = confidence(it) >= 0.7
    on_error = skip
    fallback = best(tried, by = confidence(it))
  }
  return reply
}
expose "main" = main()
""")
PANEL = plan_of("""
role pick(said: answer[..3]) { max_tokens = 100, prompt = "{{ said }}" }
recipe main(quorum: int(1..3) = 3) -> answer {
  fanout said = speak(model = m) for m in [small, large, third] { quorum = 3, on_error = skip }
  ask    last = pick(said, model = large)
  return last
}
expose "main" = main()
""")


def always(seconds: float, tokens: float = 50, **more: object) -> Profile:
    return Profile(Quantiles((seconds,)), Quantiles((tokens,)), **more)  # type: ignore[arg-type] # whichever a test gives


def outcomes(plan: Plan, profiles: Profiles, runs: int = 200, seed: int = 0) -> list[Outcome]:
    return simulated(plan, plan.entries["main"], profiles, runs=runs, seed=seed)


def simulate(plan: Plan, profiles: Profiles, runs: int = 200, seed: int = 0) -> Figures:
    return figures_of(outcomes(plan, profiles, runs, seed))


def test_what_can_be_worked_out_by_hand_comes_out_exactly() -> None:
    """The small model is never sure enough: every request takes both, one after the other."""
    unsure = Sureness(0.5, 0.5, 0.0)
    profiles = Profiles(
        {
            "small": always(1.0, 40, correct=0.0, confidence=unsure),
            "large": always(2.5, 60, correct=1.0, confidence=Sureness(0.9, 0.9, 0.0)),
        }
    )
    found = simulate(CASCADE, profiles, runs=50)
    assert found.latency.mean == Interval(3.5, 3.5, 3.5)
    assert found.latency.p99.value == found.latency.most == 3.5
    assert (found.calls.mean.value, found.calls.most) == (2, 2)
    assert found.correct is not None
    assert found.correct.value == 1.0
    assert {name: one.value for name, one in found.answered_by.items()} == {"large": 1.0}
    assert (found.fallbacks, found.failures) == ({}, {})
    prompt = -(-len("What is the answer?") // 4)
    small, large = CASCADE.models["small"].price, CASCADE.models["large"].price
    assert small is not None
    assert large is not None
    money = (prompt * (small.input + large.input) + 40 * small.output + 60 * large.output) / 1e6
    assert found.cost is not None
    assert math.isclose(found.cost.mean.value, money)
    assert found.tokens.mean.value == 2 * prompt + 100


def test_calls_side_by_side_take_as_long_as_the_slowest() -> None:
    found = simulate(PANEL, Profiles({"small": always(1), "large": always(2), "third": always(4)}), runs=20)
    assert found.latency.mean == Interval(6, 6, 6)
    assert found.correct is None  # nobody says how often they are right


def test_the_shares_of_the_profiles_are_those_of_the_runs() -> None:
    """Each model is sure only when it is right: the large one is asked for the 30% that the small one gets wrong."""
    profiles = Profiles(
        {
            "small": always(1, correct=0.7, confidence=Sureness(0.9, 0.3, 0.0)),
            "large": always(2, correct=0.8, confidence=Sureness(0.9, 0.3, 0.0)),
        }
    )
    found = simulate(CASCADE, profiles, runs=2000, seed=3)
    assert found.correct is not None
    assert found.correct.low <= 1 - 0.3 * 0.2 <= found.correct.high  # both are wrong in 6%
    assert found.latency.mean.low <= 1 + 0.3 * 2 <= found.latency.mean.high
    assert found.fallbacks["reply"].low <= 0.3 * 0.2 <= found.fallbacks["reply"].high


def test_models_that_are_alike_fail_together() -> None:
    def both_wrong(correlation: float) -> float:
        sure = Sureness(0.9, 0.3, 0.0)
        model = always(1, correct=0.7, confidence=sure)
        profiles = Profiles({"small": model, "large": model}, correlation, correlation)
        correct = simulate(CASCADE, profiles, runs=1500).correct
        assert correct is not None
        return 1 - correct.value

    assert both_wrong(1.0) == pytest.approx(0.3, abs=0.04)
    assert both_wrong(0.0) == pytest.approx(0.09, abs=0.03)
    assert both_wrong(0.0) < both_wrong(0.5) < both_wrong(1.0)


def test_a_judge_sides_with_what_is_right_as_often_as_its_profile_says() -> None:
    profiles = Profiles(
        {
            "small": always(1, correct=1.0),
            "large": always(1, correct=0.0, judges=0.75),
            "third": always(1, correct=0.0),
        }
    )
    found = simulate(PANEL, profiles, runs=1500)
    assert found.correct is not None
    assert found.correct.low <= 0.75 <= found.correct.high


def test_answers_take_the_form_that_a_contract_asks_for() -> None:
    plan = plan_of("""
contract letter { extract = r"ANSWER: ([A-D])" }
recipe main() -> answer {
  ask reply = speak(model = small, contract = letter)
  return reply { contract = letter }
}
expose "main" = main()
""")
    profiles = Profiles({"small": always(1, correct=0.6)}, right="ANSWER: B", wrong=("ANSWER: A", "ANSWER: C"))
    found = simulate(plan, profiles, runs=500)
    assert found.failures == {}
    assert found.correct is not None
    assert found.correct.low <= 0.6 <= found.correct.high


def test_calls_fail_as_often_and_in_the_ways_that_the_profile_says() -> None:
    failures = ((FailureKind.SERVER, 0.2), (FailureKind.AUTH, 0.1))
    profiles = Profiles({"small": always(1, failures=failures), "large": always(1), "third": always(1)})
    found = simulate(PANEL, profiles, runs=2000)
    assert found.failures["quorum"].low <= 0.3 <= found.failures["quorum"].high


@pytest.mark.parametrize("plan", [CASCADE, PANEL], ids=["cascade", "panel"])
def test_no_run_passes_the_certificate(plan: Plan) -> None:
    wild = Profile(
        LogNormal(10, 300),
        LogNormal(60, 5000),
        0.5,
        ((FailureKind.SERVER, 0.2), (FailureKind.TIMEOUT, 0.1)),
        Sureness(0.7, 0.5, 0.3),
    )
    certificate = plan.entries["main"].certificate
    assert certificate is not None
    total = certificate.total
    assert total.cost is not None
    size = len("What is the answer?")
    for outcome in outcomes(plan, Profiles(dict.fromkeys(("small", "large", "third"), wild), 0.3, 0.5), runs=300):
        spend = outcome.spend
        assert spend.calls <= total.calls
        assert spend.completion_tokens <= total.completion_tokens
        assert spend.prompt_tokens <= total.prompt_tokens.at(size)
        assert spend.cost is not None
        assert spend.cost <= total.cost.at(size) + 1e-9
        assert spend.seconds <= total.seconds + 1e-6
        assert spend.peak_parallel <= total.parallel


def test_the_same_seed_gives_the_same_and_another_one_something_else() -> None:
    model = Profile(LogNormal(1, 3), LogNormal(50, 90), 0.6, confidence=Sureness(0.8, 0.6))
    profiles = Profiles({"small": model, "large": model}, 0.2, 0.4)
    first, second, other = (simulate(CASCADE, profiles, seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_a_model_without_a_profile_is_named_before_anything_is_run() -> None:
    with pytest.raises(ProfileProblem, match="there is no profile of `large`; there are small"):
        simulate(CASCADE, Profiles({"small": always(1)}))


# ------------------------------------------------------------------ figures


def test_the_intervals_hold_the_true_value_about_95_times_in_100() -> None:
    held = {"mean": 0, "median": 0, "share": 0}
    profiles = Profiles({"small": Profile(LogNormal(1, 3), Quantiles((50,)), confidence=Sureness(1, 1, 0))})
    spread = math.log(3) / 1.6448536
    for seed in range(40):
        latencies = [one.spend.seconds for one in outcomes(CASCADE_ALONE, profiles, runs=80, seed=1000 * seed)]
        found = quantity(latencies)
        held["mean"] += found.mean.low <= math.exp(spread**2 / 2) <= found.mean.high
        held["median"] += found.p50.low <= 1 <= found.p50.high
        below = share(sum(latency < 1 for latency in latencies), len(latencies))
        held["share"] += below.low <= 0.5 <= below.high
    assert all(times >= 32 for times in held.values()), held  # of 40; fewer happen once in ten thousand times


CASCADE_ALONE = plan_of("""
recipe main() -> answer {
  ask reply = speak(model = small)
  return reply
}
expose "main" = main()
""")


def test_few_and_extreme_shares_have_intervals_that_make_sense() -> None:
    assert share(0, 10).low == 0
    assert 0.2 < share(0, 10).high < 0.35
    assert share(10, 10).high == pytest.approx(1)


# ----------------------------------------------------------------- profiles


def test_profiles_are_written_and_read_back_as_they_were() -> None:
    profiles = Profiles(
        {
            "small": Profile(
                LogNormal(1.5, 4), Quantiles((5, 9, 100)), 0.7, ((FailureKind.SERVER, 0.01),), Sureness(0.9, 0.6), 0.8
            ),
            "team.large": always(2.0),
        },
        0.25,
        0.5,
        0.125,
        "A",
        ("B", "C"),
    )
    assert read_profiles("p.toml", profiles_as_toml(profiles)) == profiles


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[models", "p.toml is no TOML"),
        ("colour = 1", "the file has no `colour`"),
        ("correlation = 2", "`correlation` is 2, and is a share from 0 to 1"),
        ("correlation = 0.5\nrepeats = 0.1", "at least as much like itself"),
        ('right = "A"\nwrong = ["A"]', "`right` is a text, and `wrong` a list of others"),
        ("[models.a]\nlatency = 1", "`a` has no `tokens`"),
        ("[models.a]\nlatency = { median = 2, p95 = 1 }\ntokens = 1", "`a.latency`: the median"),
        ("[models.a]\nlatency = { mean = 2 }\ntokens = 1", "`a.latency` is a number"),
        ("[models.a]\nlatency = -1\ntokens = 1", "not below 0"),
        ("[models.a]\nlatency = 1\ntokens = 1\nfailures = { bored = 0.1 }", "has no `bored`"),
        ("[models.a]\nlatency = 1\ntokens = 1\nfailures = { server = 0.6, auth = 0.6 }", "more than all calls"),
        ("[models.a]\nlatency = 1\ntokens = 1\nconfidence = { right = 0.6 }", "when it is `wrong`"),
    ],
)
def test_a_mistake_in_a_profile_is_named(text: str, why: str) -> None:
    with pytest.raises(ProfileProblem, match=why):
        read_profiles("p.toml", text)


# ------------------------------------------------- what was recorded, simulated


def test_simulated_and_replayed_latencies_agree_within_their_intervals(tmp_path: Path) -> None:
    """200 recorded runs; the profiles that are fitted to them give the same means and quantiles, within both intervals."""
    truth = {"small": LogNormal(0.8, 2.4), "large": LogNormal(2.0, 5.0), "third": LogNormal(1.0, 6.0)}
    made = 0

    def script(call: ModelCall) -> After:
        nonlocal made
        made += 1
        share = (made * 0.6180339887) % 1  # spread evenly, in no order that a run could see
        return After(truth[call.model.name].at(share), "so it is")

    cassette = tmp_path / "run.cassette"

    async def all_runs(engine: Engine) -> list[float]:
        async with engine:
            return [(await engine.run("main", "What is the answer?", seed=seed)).spend.seconds for seed in range(200)]

    backends, options = every_backend(PANEL, ScriptedBackend(script)), {"loop_factory": VirtualTimeLoop}
    recorded = anyio.run(all_runs, Engine(PANEL, backends=backends, record=cassette), backend_options=options)
    replayed = anyio.run(all_runs, Engine(PANEL, replay=cassette), backend_options=options)
    assert replayed == pytest.approx(recorded, abs=1e-3)
    there, here = quantity(replayed), simulate(PANEL, fitted([str(cassette)]), runs=2000).latency
    for one, other in ((there.mean, here.mean), (there.p50, here.p50), (there.p95, here.p95)):
        assert one.low <= other.high
        assert other.low <= one.high


def test_a_trace_tells_the_same_as_a_cassette(tmp_path: Path) -> None:
    script = {"small": After(1.0, "yes"), "large": After(2.0, "yes"), "third": After(3.0, "yes")}
    cassette, trace = tmp_path / "run.cassette", tmp_path / "trace.json"

    async def record() -> None:
        async with Engine(PANEL, backends=every_backend(PANEL, ScriptedBackend(script)), record=cassette) as engine:
            result = await engine.run("main", "What?")
            trace.write_text(json.dumps(result.trace.as_json()))

    anyio.run(record, backend_options={"loop_factory": VirtualTimeLoop})
    assert fitted([str(trace)]) == fitted([str(cassette)])
    assert fitted([str(trace)]).models["large"].latency == Quantiles((2.0, 2.0))


def test_what_is_neither_a_trace_nor_a_cassette_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello")
    with pytest.raises(ProfileProblem, match="neither a trace nor a cassette nor a journal"):
        fitted([str(tmp_path / "x")])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"events": [1]},
        {"events": [{"kind": "call_end", "model": "a"}]},
        {"events": [{"kind": "call_end", "model": ["a"], "latency": 1, "completion_tokens": 1}]},
        {"events": [{"kind": "call_end", "model": "a", "latency": "q", "completion_tokens": 1}]},
        {"events": [{"kind": "call_end", "model": "a", "latency": 1, "completion_tokens": -1}]},
    ],
)
def test_a_trace_that_is_damaged_is_said_so(tmp_path: Path, more: dict[str, object]) -> None:
    (tmp_path / "x").write_text(json.dumps({"format": "recipelang.trace", **more}))
    with pytest.raises(ProfileProblem, match="x is a damaged trace"):
        fitted([str(tmp_path / "x")])


@pytest.mark.parametrize(
    ("whole", "damaged"), [('"seconds": ', '"seconds": -'), ('"seconds": ', '"seconds": "x", "s": ')]
)
def test_a_cassette_that_is_damaged_is_said_so(tmp_path: Path, whole: str, damaged: str) -> None:
    cassette = tmp_path / "run.cassette"

    async def record() -> None:
        backends = every_backend(PANEL, ScriptedBackend({"*": After(1.0, "yes")}))
        async with Engine(PANEL, backends=backends, record=cassette) as engine:
            await engine.run("main", "What?")

    anyio.run(record, backend_options={"loop_factory": VirtualTimeLoop})
    cassette.write_text(cassette.read_text().replace(whole, damaged))
    with pytest.raises(ProfileProblem, match="run.cassette is a damaged cassette"):
        fitted([str(cassette)])


def test_entries_that_are_bound_when_they_are_run_are_simulated_too() -> None:
    entry = bound_entry(PANEL, "main", {}, [])
    profiles = Profiles({"small": always(1), "large": always(2), "third": always(4)})
    assert len(simulated(PANEL, entry, profiles, runs=3)) == 3


def test_a_plot_is_svg_with_a_point_for_each_setting() -> None:
    svg = plotted("threshold", ["<0.5", "0.6"], [Chart("cost, $", [Interval(1, 0.9, 1.1), Interval(2, 1.8, 2.2)])])
    root = ET.fromstring(svg)
    assert len(root.findall(".//{*}circle")) == 2
    assert "<0.5" in [text.text for text in root.findall(".//{*}text")]
    assert plotted("x", ["a"], [Chart("none", [Interval(0, 0, 0)])]).count("<circle") == 1
