"""What a command line asks: a question or a conversation, and what goes with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recipelang.cli.exits import Exit, Stop
from recipelang.hosts.requests import RequestProblem, request_of
from recipelang.runtime.values import Request


def messages_of(path: str | None, question: str | None) -> str | list[dict[str, Any]]:
    if path is not None:
        if question is not None:
            raise Stop(Exit.USAGE, "either a question or `--messages`")
        return _conversation(path)
    if question is None or question == "-":
        if question is None and sys.stdin.isatty():
            raise Stop(Exit.USAGE, "what is the question? Give it after the recipe, or on standard input")
        question = sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\n")
    if not question.strip():
        raise Stop(Exit.USAGE, "the question is empty: give one after the recipe, or on standard input")
    return question


def request_from(messages: str | list[dict[str, Any]], metadata: Mapping[str, str]) -> Request:
    try:
        return request_of(messages, metadata=metadata)
    except RequestProblem as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem


def metadata_of(settings: Sequence[str]) -> dict[str, str]:
    """What goes with the request, which a recipe may read: `tests=@cases.py` is the text of a file."""
    found: dict[str, str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise Stop(Exit.USAGE, f"`--metadata {setting}`: it takes `name=value`, or `name=@file`")
        if name in found:
            raise Stop(Exit.USAGE, f"`--metadata {name}` is there twice")
        found[name] = _contents(text[1:]) if text.startswith("@") else text
    return found


def _contents(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise Stop(Exit.INPUT_OUTPUT, f"{path} is no text in UTF-8") from problem
    except OSError as problem:
        raise Stop.at(path, problem) from problem


def _conversation(path: str) -> list[dict[str, Any]]:
    try:
        text = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as problem:
        raise Stop.at(path, problem) from problem
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise Stop(Exit.USAGE, f"{path} is no JSON: {problem}") from problem
    if not isinstance(found, list):
        raise Stop(Exit.USAGE, f'{path} is no list of messages such as [{{"role": "user", "content": "..."}}]')
    return found
