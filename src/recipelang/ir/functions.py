"""The built-in functions: their names, signatures and meanings, for the checker, the interpreter and the documents.

`T` is any type, `f(it)` an expression over one item. All are pure and total: what they give for empty or odd input is
part of their meaning.
"""

from __future__ import annotations

from recipelang.ir.labels import DOMAINS, LANGUAGES
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class FunctionParameter:
    name: str
    required: bool = True
    over_items: bool = False  # an expression over `it`
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    parameters: tuple[FunctionParameter, ...]
    signature: str
    doc: str


def _function(signature: str, doc: str) -> Function:
    """Read the parameters off a signature such as `best(xs: T[], by: f(it)) -> T`; `= x` marks one as optional."""
    name, rest = signature.split("(", 1)
    inside = rest.rsplit(") ->", 1)[0]
    parameters = []
    for part in _split(inside):
        label, type = part.split(":", 1)
        variadic = label.startswith("*")
        parameters.append(
            FunctionParameter(
                label.lstrip("*").strip(),
                required="=" not in type,
                over_items="f(it)" in type,
                variadic=variadic,
            )
        )
    return Function(name, tuple(parameters), signature, doc)


def _split(inside: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, character in enumerate(inside):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append(inside[start:at].strip())
            start = at + 1
    return [*parts, inside[start:].strip()] if inside.strip() else parts


FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        # lists
        _function("size(xs: T[]) -> int", "how many items a list has"),
        _function("count(xs: T[], where: f(it)) -> int", "for how many items `where` holds"),
        _function("first(xs: T[1..]) -> T", "the first item; the list must have one"),
        _function("last(xs: T[1..]) -> T", "the last item; the list must have one"),
        _function(
            "take(xs: T[], n: int) -> T[..n]",
            "the first `n` items, or all where there are fewer",
        ),
        _function(
            "best(xs: T[1..], by: f(it)) -> T",
            "the item with the greatest `by`; the first of equals; an absent `by` is least",
        ),
        _function(
            "worst(xs: T[1..], by: f(it)) -> T",
            "the item with the least `by`; the first of equals; an absent `by` is least",
        ),
        _function(
            "sort(xs: T[], by: f(it), descending: bool = false) -> T[]",
            "the items in order of `by`, ascending, equals as they were; an absent `by` is least",
        ),
        _function(
            "top(xs: T[], n: int, by: f(it)) -> T[..n]",
            "the `n` items with the greatest `by`, greatest first",
        ),
        _function(
            "unique(xs: T[], by: f(it) = it) -> T[]",
            "the items without those whose `by` was seen before",
        ),
        _function(
            "shuffled(xs: T[]) -> T[]",
            "the items in an order that depends on what they are and not on where they stood, so that a place in the list tells nothing",
        ),
        # numbers
        _function("mean(xs: T[], of: f(it) = it) -> float", "the mean; 0 of none"),
        _function("sum(xs: T[], of: f(it) = it) -> float", "the sum; 0 of none"),
        _function("min(*xs: number) -> number", "the least of two or more numbers"),
        _function("max(*xs: number) -> number", "the greatest of two or more numbers"),
        _function(
            "clamp(x: number, low: number = 0, high: number = 1) -> number",
            "`x`, or the nearest end of the range",
        ),
        _function("abs(x: number) -> number", "the distance from 0"),
        _function("round(x: number) -> int", "to the nearest integer, halves to the even one"),
        _function("ceil(x: number) -> int", "the least integer not below"),
        _function("floor(x: number) -> int", "the greatest integer not above"),
        # texts
        _function("lower(text: text) -> text", "in lower case"),
        _function(
            "contains(text: text, part: text) -> bool",
            "whether `part` occurs, as it is spelled",
        ),
        _function(
            "chunks(text: text, n: int) -> text[1..n]",
            "the text in at most `n` pieces of about the same size, cut between paragraphs, lines or words where there are any",
        ),
        _function(
            "estimate_tokens(text: text) -> int",
            "about how many tokens: a quarter of the bytes of UTF-8, rounded up",
        ),
        _function(
            "number(text: text?) -> float?",
            "the number that a text is, such as `0.93`, `-4` or `1e3`; none where it is none, or there is none",
        ),
        _function(
            "pii(what: request | answer | text) -> bool",
            "whether it shows personal data in one of the forms that are known: e-mail addresses, telephone numbers, payment cards, accounts (IBAN), the numbers by which eleven states know people, addresses of the internet; of a request all that is in it",
        ),
        _function(
            "secrets(what: request | answer | text) -> bool",
            "whether it shows a secret in one of the forms that are known: keys by their first letters, private keys, signed tokens, passwords in addresses, and what follows words such as `password:` or `api key`, in a dozen languages; of a request all that is in it",
        ),
        # models at work
        _function(
            "healthy(of: model) -> bool",
            "whether calls get through to a model: not while its circuit is open at all its addresses; true where nobody watches",
        ),
        _function(
            "load(of: model) -> float?",
            "how many calls of a model run or wait: as its servers say where `load = vllm`, else those of this host; of several addresses the least",
        ),
        _function(
            "kv_cache(of: model) -> score?",
            "how full the cache of prompts of its server is, where `load = vllm`; of several addresses the emptiest",
        ),
        _function(
            "latency(of: model) -> duration?",
            "how long its answers took of late, on the average of this host; none before the first",
        ),
        # what is left of the run
        _function("calls_left() -> int?", "how many calls the run may still make, with what is set aside left out"),
        _function("tokens_left() -> int?", "how many tokens it may still use; none where nothing limits them"),
        _function(
            "cost_left() -> money?",
            "what it may still spend: what its certificate proves at most, less where its budget, the caller or the caller's purse allow less; none where nothing limits that",
        ),
        _function("time_left() -> duration?", "how long it may still take"),
        # the arms of a `choose`
        _function(
            "expected_quality(arm: arm) -> score",
            "how likely the arm's answer is right, as its `quality` says; 0 where it says nothing: nothing is promised",
        ),
        _function(
            "expected_cost(arm: arm) -> money?",
            "what the arm will cost, as its `cost` says, else the most that it can cost for this request, as the certificate proves; none where a model has no price",
        ),
        _function(
            "expected_time(arm: arm) -> duration",
            "how long the arm will take, as its `time` says, else the longest that it can take, as the certificate proves",
        ),
        # signals: what can be seen of a request
        _function(
            "keywords(phrases: text[], of: text = request.text, fuzzy: int(0..2) = 0, within: bool = false) -> bool",
            "whether one of the phrases stands there as whole words, in any case; of writings without blanks anywhere; `fuzzy` allows so many mistyped characters in a phrase, `within` that it stands within longer words",
        ),
        _function(
            "frequency(phrases: text[], of: text = request.text) -> score",
            "how often the phrases stand there, for each word of the text; each character of a writing without blanks is a word",
        ),
        _function(
            "ordered(phrases: text[], of: text = request.text) -> bool",
            "whether all of the phrases stand there, one after the other, as `keywords` finds them",
        ),
        _function(
            "regex(pattern: text, of: text = request.text) -> bool",
            "whether a pattern, in RE2's syntax and written out, is found somewhere",
        ),
        _function(
            "occurrences(pattern: text, of: text = request.text) -> int",
            "how often a pattern, in RE2's syntax and written out, is found, one place after the other",
        ),
        _function(
            "words(of: text = request.text) -> int",
            "how many words there are; each character of a writing without blanks is a word",
        ),
        _function(
            "messages(what: request, role: enum(any, system, developer, user, assistant, tool) = any) -> int",
            "how many messages of a role the conversation has",
        ),
        _function(
            "density(what: enum(code, maths, lists, numbers), of: text = request.text) -> score",
            "the share of the text that looks like code, formulas, items of lists, or numbers",
        ),
        _function(
            "constraints(of: text = request.text) -> int",
            "how many demands are made in so many words, such as `exactly three`, `at most 100`, `must`, `without`, in six languages",
        ),
        _function(
            "demanded_form(of: text = request.text) -> enum(json, yaml, xml, csv, table, letter, list, code, number, free)",
            "the form in which an answer is asked for, as far as the words tell; `free` where they don't",
        ),
        _function(
            f"language(of: text = request.text) -> enum({', '.join(LANGUAGES)})",
            "the language of the text, of a long one by its ends: with the extra `signals` by a model of 44 languages, else by its writing and its most common words, which tell 18",
        ),
        _function(
            f"domain(of: text = request.text, by: enum(words, meaning) = words) -> enum({', '.join(DOMAINS)})",
            "the field that the text is of, by the words of each field in seven languages; `meaning` looks at examples of each as well",
        ),
        _function(
            "similar(examples: text[], of: text = request.text, by: enum(words, meaning) = words) -> score",
            "how like the text is to the example that it is most like, by words and triples of characters or, with the extra `signals`, by `meaning`, whatever the languages; 0 of none",
        ),
        _function(
            "contrast(hard: text[], easy: text[], of: text = request.text, by: enum(words, meaning) = words) -> score",
            "which examples the text is more like: towards 1 the hard ones, towards 0 the easy ones, 0.5 neither",
        ),
        _function(
            "reask(what: request, turns: int(1..8) = 1, by: enum(words, meaning) = words) -> score",
            "how like the user's last message is to the one before, as `similar` has it; 0 where there is none; of several `turns` the least like of so many before",
        ),
        _function(
            "injection(what: request | answer | text) -> bool",
            "whether it tries to override instructions or to draw out hidden ones, in one of the forms that are known; of a request all but the words of its system",
        ),
        # answers
        _function(
            "matches(what: answer | text, form: contract) -> bool",
            "whether it satisfies a contract",
        ),
        _function(
            "similarity(a: answer | text, b: answer | text, by: enum(words, meaning) = words) -> score",
            "share of words in common (Jaccard, case folded); 1 for two empty texts; by `meaning` the likeness of what they mean",
        ),
        _function(
            "agreement(xs: answer[], key: f(it)) -> score",
            "share of the items that have the most frequent `key`; absent keys count as disagreeing; 0 of none",
        ),
        _function(
            "decided(xs: answer[], key: f(it), of: int) -> bool",
            "whether the most frequent `key` stays so whatever the answers say that are missing to `of`; absent keys don't vote",
        ),
        _function(
            "majority(xs: answer[1..], key: f(it)) -> answer",
            "the first item with the most frequent `key`; a tie goes to the key seen first; absent keys don't vote",
        ),
        _function(
            "weighted_vote(xs: answer[1..], key: f(it), weight: f(it)) -> answer",
            "the heaviest item of the `key` with the greatest sum of weights; an absent weight is the mean of the others; a tie goes to the key seen first; absent keys don't vote",
        ),
        _function(
            "confidence(answer: answer, measure: enum(logprob, margin, hybrid) = hybrid, missing: score? = none) -> score",
            "how sure the model was, from its log-probabilities: `logprob` the geometric mean of the tokens' probabilities, `margin` the mean lead over the runner-up, `hybrid` the mean of both; where the model gave none `missing`, or else 0",
        ),
        # plans
        _function(
            "single_task(worker: model, instruction: text) -> plan(..1)",
            "a plan of one task: what a team falls back to where no plan was made",
        ),
        # models
        _function(
            "cheapest(models: model[1..]) -> model",
            "least output price, then input price; unpriced ones last",
        ),
        _function(
            "strongest(models: model[1..]) -> model",
            "greatest rating; unrated ones last; the first of equals",
        ),
    )
}
