"""The same pieces of work by an engine, by hand, by LangGraph and by TensorZero; run by `bench/engine.py`, one process a figure.

`python bench/contenders.py CONTENDER CASE IN_FLIGHT URL SECONDS` prints a line of JSON. Without a URL (`-`) every call is
answered in process, and what is left is what the orchestration costs by itself. `recipelang` is as it is installed without extras,
whatever else there is; `recipelang-fast` has the extra `fast`: orjson, and the event loop uvloop.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # Any: JSON, and libraries that may not be installed

from answering import SURE, TEXT, UNSURE

PROMPT = (
    "A traveller is planning a week in western Europe and wants to know, before booking any train, which city is the"
    " capital of France, how long it has been the seat of government, and which river runs through it."
)
MESSAGES = [{"role": "system", "content": "Answer in two sentences."}, {"role": "user", "content": PROMPT}]
PANEL = ("cand-a", "cand-b", "cand-c")
RECIPES = """
backend mock { kind = openai, url = "URL/v1", key = env("KEY") }
model base   { backend = mock, id = "base", price = { input = $0.05, output = $0.20 } }
model a      { backend = mock, id = "cand-a", price = { input = $0.05, output = $0.20 } }
model b      { backend = mock, id = "cand-b", price = { input = $0.05, output = $0.20 } }
model c      { backend = mock, id = "cand-c", price = { input = $0.05, output = $0.20 } }
model cheap  { backend = mock, id = "unsure-cheap", price = { input = $0.05, output = $0.20 } }
role answer() { max_tokens = 256, temperature = 0.7 }
role merge(answers: answer[]) { max_tokens = 256, prompt = "Merge the answers below into one.\\n\\n{{ answers }}" }
recipe one(m: model) -> answer { budget { calls = 1, cost = $1, time = 60s }  ask reply = answer(model = m)  return reply }
recipe fanout(panel: model[3], chief: model) -> answer {
  budget { calls = 4, cost = $1, time = 60s }
  fanout answers = answer(model = m) for m in panel
  ask final = merge(answers, model = chief)
  return final
}
recipe quorum(panel: model[3]) -> answer {
  budget { calls = 3, cost = $1, time = 60s }
  fanout answers = answer(model = m) for m in panel { quorum = 2 }
  return first(answers)
}
recipe cascade(ladder: model[2]) -> answer {
  budget { calls = 2, cost = $1, time = 60s }
  cascade reply = answer(model = m) for m in ladder { accept = (it.confidence or 0) >= 0.8 }
  return reply
}
expose "one" = one(m = base)
expose "fanout" = fanout(panel = [a, b, c], chief = base)
expose "quorum" = quorum(panel = [a, b, c])
expose "cascade" = cascade(ladder = [cheap, base])
"""
Work = Callable[[], Awaitable[str]]
Post = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def in_process(body: dict[str, Any]) -> dict[str, Any]:
    return dict(_UNSURE if body["model"].startswith("unsure") else _SURE)


_SURE, _UNSURE = (json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in (SURE, UNSURE))


async def engine(case: str, url: str, stack: AsyncExitStack) -> Work:
    from recipelang import Engine

    options: dict[str, Any] = {"environment": {"KEY": "x"}}
    if url == "-":
        from recipelang.backends.replies import reply_of

        sure, unsure = reply_of(_SURE), reply_of(_UNSURE)

        class InProcess:
            async def complete(self, call: Any) -> Any:
                return unsure if call.model.id.startswith("unsure") else sure

        options = {"backends": {"mock": InProcess()}}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bench.recipe"
        path.write_text(RECIPES.replace("URL", "http://127.0.0.1:9" if url == "-" else url))
        opened = await stack.enter_async_context(Engine(path, **options))

    async def work() -> str:
        return (await opened.run(case, MESSAGES)).text

    return work


def by_hand(case: str, post: Post) -> Work:
    async def ask(model: str, prompt: str = PROMPT, **more: Any) -> dict[str, Any]:
        messages = [MESSAGES[0], {"role": "user", "content": prompt}]
        return await post({"model": model, "messages": messages, "temperature": 0.7, "max_tokens": 256, **more})

    def text(reply: dict[str, Any]) -> str:
        return str(reply["choices"][0]["message"]["content"])

    async def one() -> str:
        return text(await ask("base"))

    async def fanout() -> str:
        answers = await asyncio.gather(*(ask(model) for model in PANEL))
        return text(await ask("base", PROMPT + "\n\nMerge these:\n\n" + "\n\n".join(map(text, answers))))

    async def quorum() -> str:
        waiting = {asyncio.ensure_future(ask(model)) for model in PANEL}
        done: list[asyncio.Future[dict[str, Any]]] = []
        while len(done) < 2:
            ready, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done += ready
        for loser in waiting:
            loser.cancel()
        return text(done[0].result())

    async def cascade() -> str:
        reply = await ask("unsure-cheap", logprobs=True, top_logprobs=2)
        tokens = reply["choices"][0]["logprobs"]["content"]
        sure = math.exp(sum(token["logprob"] for token in tokens) / len(tokens)) >= 0.8
        return text(reply if sure else await ask("base"))

    return {"one": one, "fanout": fanout, "quorum": quorum, "cascade": cascade}[case]


async def posting(client: str, url: str, stack: AsyncExitStack) -> Post:
    address, headers = f"{url}/v1/chat/completions", {"authorization": "Bearer x"}
    if url == "-":

        async def answered(body: dict[str, Any]) -> dict[str, Any]:
            return in_process(body)

        return answered
    if client == "aiohttp":
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, headers=headers))

        async def posted(body: dict[str, Any]) -> dict[str, Any]:
            async with session.post(address, json=body) as response:
                return dict(await response.json())

        return posted
    library = __import__(client)
    limits = library.Limits(max_connections=None, max_keepalive_connections=None)
    opened = await stack.enter_async_context(library.AsyncClient(headers=headers, timeout=60, limits=limits))

    async def sent(body: dict[str, Any]) -> dict[str, Any]:
        return dict((await opened.post(address, json=body)).json())

    return sent


def langgraph(case: str, post: Post) -> Work:
    """A graph of nodes: what is asked is the same, by the same client."""
    import operator
    from typing import Annotated, TypedDict

    from langgraph.graph import END, START, StateGraph  # type: ignore[import-not-found]  # of an environment of its own

    state = TypedDict("state", {"answers": Annotated[list[str], operator.add], "final": str})  # noqa: UP013 - local names must be known when it is read
    graph = StateGraph(state)

    def node(model: str, final: bool) -> Any:
        async def asked(known: dict[str, Any]) -> dict[str, Any]:
            content = "\n\n".join([PROMPT, *known.get("answers", [])])
            messages = [MESSAGES[0], {"role": "user", "content": content}]
            reply = await post({"model": model, "messages": messages, "max_tokens": 256, "logprobs": model != "base"})
            said = reply["choices"][0]["message"]["content"]
            return {"final": said} if final else {"answers": [said]}

        return asked

    first = {"one": (), "fanout": PANEL, "cascade": ("unsure-cheap",)}[case]
    graph.add_node("base", node("base", True))
    for model in first:
        graph.add_node(model, node(model, False))
        graph.add_edge(START, model)
    if case == "cascade":
        graph.add_conditional_edges("unsure-cheap", lambda known: "base")
    else:
        graph.add_edge(list(first) if first else START, "base")
    graph.add_edge("base", END)
    compiled: Any = graph.compile()

    async def work() -> str:
        return str((await compiled.ainvoke({"answers": []}))["final"])

    return work


async def tensorzero(case: str, url: str, stack: AsyncExitStack) -> Work:
    """Its gateway inside this process: a fan-out and its synthesis are a variant of its own, a mixture of n."""
    from tensorzero import AsyncTensorZeroGateway  # type: ignore[import-not-found]  # of an environment of its own

    told = ["[gateway]", "observability.enabled = false"]
    for model in ("base", *PANEL):
        told += [f"[models.{model}]", 'routing = ["mock"]', f"[models.{model}.providers.mock]", 'type = "openai"']
        told += [f'model_name = "{model}"', f'api_base = "{url}/v1/"', 'api_key_location = "none"']
    asks = 'type = "chat_completion"\ntemperature = 0.7\nmax_tokens = 256'
    told += ['[functions.one]\ntype = "chat"', f'[functions.one.variants.v]\nmodel = "base"\n{asks}']
    told += ['[functions.fanout]\ntype = "chat"', "[functions.fanout.experimentation]", 'type = "static"']
    told += ['candidate_variants = ["mix"]']
    told += [f'[functions.fanout.variants.{model}]\nmodel = "{model}"\n{asks}' for model in PANEL]
    told += ['[functions.fanout.variants.mix]\ntype = "experimental_mixture_of_n"', f"candidates = {list(PANEL)}"]
    told += ['[functions.fanout.variants.mix.fuser]\nmodel = "base"']
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tensorzero.toml"
        path.write_text("\n".join(told))
        gateway = await AsyncTensorZeroGateway.build_embedded(config_file=str(path))
    stack.push_async_callback(gateway.close)
    asked = {"system": MESSAGES[0]["content"], "messages": [MESSAGES[1]]}

    async def work() -> str:
        return str((await gateway.inference(function_name=case, input=asked)).content[0].text)

    return work


async def made(contender: str, case: str, url: str, stack: AsyncExitStack) -> Work:
    if contender.startswith("recipelang"):
        return await engine(case, url, stack)
    if contender == "tensorzero":
        return await tensorzero(case, url, stack)
    if contender == "langgraph":
        return langgraph(case, await posting("httpx", url, stack))
    return by_hand(case, await posting(contender, url, stack))


async def measured(contender: str, case: str, in_flight: int, url: str, seconds: float) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        work = await made(contender, case, url, stack)
        latencies: list[float] = []

        async def caller(until: float) -> None:
            while True:
                began = time.perf_counter()
                if await work() != TEXT:
                    raise AssertionError("a wrong answer")
                latencies.append(time.perf_counter() - began)
                if time.perf_counter() > until:
                    return

        await asyncio.gather(*(caller(0) for _ in range(in_flight)))  # warm; not counted
        latencies.clear()
        gc.collect()
        cpu, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(caller(began + seconds) for _ in range(in_flight)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    latencies.sort()
    runs = len(latencies)
    at = {name: latencies[min(runs - 1, int(runs * share))] * 1e3 for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {"runs": runs, "cpu_us": cpu / runs * 1e6, "per_second": runs / wall, "mb": peak(), **at}


def peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    who, what, many, where, how_long = sys.argv[1:]
    loops: Callable[[], asyncio.AbstractEventLoop] | None = None
    if who == "recipelang-fast":
        from uvloop import new_event_loop as loops
    elif who == "recipelang":
        sys.modules["orjson"] = None  # type: ignore[assignment]  # so that it is not found
    with asyncio.Runner(loop_factory=loops) as runner:
        print(json.dumps(runner.run(measured(who, what, int(many), where, float(how_long)))))
