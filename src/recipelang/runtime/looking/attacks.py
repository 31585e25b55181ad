"""Attempts to override instructions, or to draw out hidden ones, by the forms that are known of them."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.patterns import compiled_pattern, pattern_set
from recipelang.runtime.members import text_of
from recipelang.runtime.values import Answer, Request, encodable

_ATTACKS = (
    r"(?i)\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:previous|prior|above|earlier|all|your|the|safety|system)\b[^.\n]{0,24}\b(?:instructions?|rules?|prompts?|polic(?:y|ies)|guidelines?|restrictions?|filters?)\b",
    r"(?i)\b(?:reveal|print|show|leak|repeat|output|exfiltrate)\b[^.\n]{0,32}\b(?:system prompt|hidden (?:prompt|instructions?)|initial instructions?|credentials|developer message)\b",
    r"(?i)\b(?:you are now|act as|pretend to be|enter|enable)\b[^.\n]{0,32}\b(?:DAN|jailbroken|developer mode|no restrictions|unrestricted|without (?:any )?(?:rules|restrictions|filters))\b",
    r"(?i)<\|?(?:im_start|system|endoftext)\|?>|\[/?(?:INST|SYS)\]|</?system>",
    r"忽略[^。\n]{0,12}(?:指令|指示|规则)|(?:泄露|显示|输出)[^。\n]{0,8}系统提示|绕过[^。\n]{0,8}(?:安全|限制)|指示を無視|システムプロンプト[^。\n]{0,8}(?:表示|開示)|認証情報を流出",
    r"(?i)\bignor(?:a|e|er|ez|iere|ieren)\b[^.\n]{0,24}\b(?:instrucciones|instructions|anweisungen)\b|\bvorherige anweisungen ignorieren\b|\b(?:extraer|exfiltrer)\b[^.\n]{0,16}\b(?:credenciales|identifiants)\b",
)


def injection(what: Request | Answer | str) -> bool:
    return any(pattern_set(_ATTACKS).found_in(plain) for plain in _told(what))


def injection_found(what: Request | Answer | str) -> Iterator[str]:
    for plain in _told(what):
        for at in pattern_set(_ATTACKS).found_in(plain):
            found = compiled_pattern(_ATTACKS[at]).search(plain)
            if found is not None:
                yield found.group(0)


def _told(what: Request | Answer | str) -> Iterator[str]:
    """What users, tools and models said, as one line each: a system's own words are its own affair."""
    if isinstance(what, Request):
        texts = [text_of(message) for message in what.messages if message.role not in ("system", "developer")]
    else:
        texts = [what.text if isinstance(what, Answer) else what]
    yield from (encodable(" ".join(text.split())) for text in texts)
