"""Mistakes with calls, policies and templates."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import ASK, FAN, PANEL, recipe
from recipelang.diagnostics.diagnostic import Code

ARGUMENTS = Code(
    "E0401",
    "wrong arguments",
    "A call gives each parameter without a default one value, and nothing besides; those without a name come first.",
    'role grader(text: text) { prompt = "{{ text }}" }\n' + recipe("ask a = grader(model = m)", "return a"),
    'role grader(text: text) { prompt = "{{ text }}" }\n' + recipe('ask a = grader("x", model = m)', "return a"),
)
NO_MODEL = Code(
    "E0402",
    "call without a model",
    "A role is played by a model, named at the call or in the role.",
    recipe("ask a = solver()", "return a", parameters=""),
    recipe("ask a = solver(model = m)", "return a"),
)
NOT_CALLABLE = Code(
    "E0403",
    "not a role or a recipe",
    "Steps call roles and recipes.",
    recipe("ask a = m(model = m)", "return a"),
    recipe(ASK, "return a"),
)
WRONG_STEP = Code(
    "E0404",
    "wrong step for a call",
    "`ask` is one model call, and so takes a role; `run` takes a recipe, which is several.",
    recipe("run a = solver(model = m)", "return a"),
    recipe(ASK, "return a"),
)
NOT_IN_EXPRESSION = Code(
    "E0405",
    "call in an expression",
    "Whatever reaches outside is a step; an expression never does, so that nothing is hidden.",
    recipe("return solver(model = m)"),
    recipe(ASK, "return a"),
)
FAIL_HERE = Code(
    "E0406",
    "fail outside of a fallback",
    "An expression never fails, except where the failure has an owner: in a fallback, or as an arm of `choose`.",
    recipe(ASK, 'return a if a.valid else fail("not valid")'),
    recipe(ASK + ' { fallback = fail("no answer") }', "return a"),
)
SETTING = Code(
    "E0407",
    "setting that makes no sense here",
    "It would have no effect, or contradict another one.",
    recipe(FAN + " { grace = 2s, on_error = skip }", "return first(xs)", parameters=PANEL),
    recipe(FAN + " { quorum = 2, grace = 2s, on_error = skip }", "return first(xs)", parameters=PANEL),
)
ARMS = Code(
    "E0408",
    "arms of a choose",
    "One arm is taken: `otherwise` comes last, and where it is missing a `fallback` says what happens.",
    recipe("choose a { when request.turns > 1 => solver(model = m) }", "return a"),
    recipe("choose a { when request.turns > 1 => solver(model = m) otherwise => solver(model = m) }", "return a"),
)
TEMPLATE = Code(
    "E0409",
    "template that is not understood",
    "A template is text with `{{ parameter }}`, `{{ parameter.field }}` and `{% if parameter %} ... {% endif %}`. It "
    "computes nothing, so that what a model said can never become part of a program.",
    'role grader(text: text) { prompt = "{{ text | upper }}" }\n',
    'role grader(text: text) { prompt = "{{ text }}" }\n',
)
TEMPLATE_VARIABLE = Code(
    "E0410",
    "unknown variable in a template",
    "A template sees its role's parameters and nothing else.",
    'role grader(text: text) { prompt = "{{ text }} {{ txet }}" }\n',
    'role grader(text: text) { prompt = "{{ text }}" }\n',
)
