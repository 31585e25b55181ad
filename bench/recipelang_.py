"""recipelang as other harnesses may take it in: an adapter with `open`, the three pieces of work, and `close`.

It stands beside a module `_common` that says what is asked (`SYSTEM`, `PROMPT`, `messages`), and sends what that has others
send. `library` asks over HTTP; `null` has every call answered in process.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any  # Any: what the harness hands over has no types

from _common import PROMPT, messages  # type: ignore[import-not-found]  # of the harness

RECIPES = """
backend mock { kind = openai, url = "URL" }
model base   { backend = mock, id = "base", price = { input = $0.05, output = $0.20 } }
model synth  { backend = mock, id = "synth", price = { input = $0.05, output = $0.20 } }
model strong { backend = mock, id = "strong", price = { input = $0.05, output = $0.20 } }
model cheap  { backend = mock, id = "unsure-cheap", price = { input = $0.05, output = $0.20 } }
model a      { backend = mock, id = "cand-a", price = { input = $0.05, output = $0.20 } }
model b      { backend = mock, id = "cand-b", price = { input = $0.05, output = $0.20 } }
model c      { backend = mock, id = "cand-c", price = { input = $0.05, output = $0.20 } }
role answer() { max_tokens = 256, temperature = 0.7 }
role merge(answers: answer[]) {
  max_tokens = 256
  temperature = 0.7
  prompt = "Merge the candidate answers below into one final answer.\\n\\n{{ answers }}"
}
recipe one(m: model) -> answer { budget { calls = 1, cost = $1, time = 60s }  ask reply = answer(model = m)  return reply }
recipe three(panel: model[3], chief: model) -> answer {
  budget { calls = 4, cost = $1, time = 60s }
  fanout answers = answer(model = m) for m in panel
  ask final = merge(answers, model = chief)
  return final
}
recipe two(ladder: model[2]) -> answer {
  budget { calls = 2, cost = $1, time = 60s }
  cascade reply = answer(model = m) for m in ladder { accept = (it.confidence or 0) >= 0.8 }
  return reply
}
expose "passthrough" = one(m = base)
expose "fanout" = three(panel = [a, b, c], chief = synth)
expose "cascade" = two(ladder = [cheap, strong])
"""


class library:  # noqa: N801  the harness names its adapters so
    def options(self) -> dict[str, Any]:
        return {}

    async def open(self, url: str) -> None:
        from recipelang import Engine, compile_text

        plan = compile_text(RECIPES.replace("URL", f"{url}/v1")).plan
        assert plan is not None
        self._stack = AsyncExitStack()
        self._engine = await self._stack.enter_async_context(Engine(plan, **self.options()))

    async def close(self) -> None:
        await self._stack.aclose()

    async def run(self, name: str, prompt: str) -> str:
        return str((await self._engine.run(name, messages(prompt))).text)

    async def passthrough(self, prompt: str = PROMPT) -> str:
        return await self.run("passthrough", prompt)

    async def fanout(self, prompt: str = PROMPT) -> str:
        return await self.run("fanout", prompt)

    async def cascade(self, prompt: str = PROMPT) -> str:
        return await self.run("cascade", prompt)


class null(library):  # noqa: N801  the same
    def options(self) -> dict[str, Any]:
        import null_  # type: ignore[import-not-found]  # of the harness

        from recipelang.backends.replies import reply_of

        sure, unsure = reply_of(null_.SURE), reply_of(null_.UNSURE)

        class InProcess:
            async def complete(self, call: Any) -> Any:
                return unsure if call.model.id.startswith("unsure") else sure

        return {"backends": {"mock": InProcess()}}
