"""Attempts to override instructions, or to draw out hidden ones, by the forms that are known of them."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.patterns import known_pattern, pattern_set
from recipelang.runtime.members import text_of
from recipelang.runtime.values import Answer, Request, encodable

_ATTACKS = (
    # to leave what it was told
    r"(?i)\b(?:ignore|disregard|forget|override|bypass|discard)\b[^.\n]{0,40}\b(?:previous|prior|above|earlier|all|your|the|safety|system)\b[^.\n]{0,24}\b(?:instructions?|rules?|prompts?|polic(?:y|ies)|guidelines?|restrictions?|filters?)\b",
    r"(?i)\b(?:forget|ignore|disregard)\b[^.\n]{0,16}\b(?:everything|all)\b[^.\n]{0,16}\b(?:told|said|above|before)\b",
    r"(?i)\b(?:ignor(?:a|e|er|ez|i|iere|ieren)|vergiss|missachte|oublie[zr]?|olvida|dimentica|esque[cç]a|desconsidere|negeer)\b[^.\n]{0,40}\b(?:instrucciones|instructions|istruzioni|instru[cç][õo]es|anweisungen|regeln|vorgaben|règles|consignes|reglas|regole|regras|instructies)\b|\bvorherige anweisungen ignorieren\b",
    r"(?:忽略|无视|忘记)[^。\n]{0,12}(?:指令|指示|规则|要求)|绕过[^。\n]{0,8}(?:安全|限制)|(?:指示|指令|ルール|命令)を(?:すべて|全て|全部)?無視|(?:지시|명령|규칙)[^.\n]{0,10}무시",
    r"(?i)(?:игнорируй|забудь|не учитывай)[^.\n]{0,40}(?:инструкци|правил|указани)",
    # to show what it was told
    r"(?i)\b(?:reveal|print|show|leak|repeat|output|exfiltrate)\b[^.\n]{0,32}\b(?:system prompt|hidden (?:prompt|instructions?)|initial instructions?|credentials|developer message)\b",
    r"(?i)\byour (?:system|hidden|initial|secret|original) (?:prompt|instructions?)\b|\brepeat (?:everything|all|the (?:text|words))\b[^.\n]{0,16}\babove\b",
    r"(?i)\b(?:révèle|montre|affiche|donne|muestra|revela|mostre|revele|mostra|rivela|zeige?|gib|nenne)\b[^.\n]{0,24}\b(?:prompt (?:système|del sistema|do sistema|di sistema)|system-?prompt)\b|\b(?:extraer|exfiltrer)\b[^.\n]{0,16}\b(?:credenciales|identifiants)\b",
    r"(?i)(?:告诉我|泄露|显示|输出|打印)[^。\n]{0,10}系统提示|システムプロンプト[^。\n]{0,8}(?:表示|開示|教えて|出力)|認証情報を流出|시스템 프롬프트[^.\n]{0,8}(?:보여|알려|출력)|(?:покажи|выведи|раскрой)[^.\n]{0,24}системн\S* (?:промпт|инструкц)",
    # to be what has no rules
    r"(?i)\b(?:you are now|you will|act as|pretend|from now on|enter|enable|answer|respond)\b[^.\n]{0,60}\b(?:(?-i:DAN)|jailb\w+|unrestricted|unfiltered|uncensored|no (?:content )?(?:polic(?:y|ies)|restrictions|rules|filters?|limits)|without (?:any )?(?:rules|restrictions|filters?|limits|censorship))\b",
    r"(?i)\b(?:disable|turn off|switch off|remove)\b[^.\n]{0,16}\b(?:safety|content|moderation)\b[^.\n]{0,12}\b(?:filters?|polic(?:y|ies)|restrictions|rules|guidelines)\b",
    r"(?i)\b(?:antworte|réponds|répondez|responde|rispondi|responda)\b[^.\n]{0,24}\b(?:ohne|sans|sin|senza|sem)\b[^.\n]{0,16}\b(?:einschränkungen|regeln|filter|filtres?|restrictions?|restricciones|filtros?|restrizioni|filtri|restrições)\b",
    r"(?:没有任何|不受任何|不受)(?:限制|约束)[^。\n]{0,12}(?:假装|扮演|回答)|(?:假装|扮演)[^。\n]{0,8}DAN|制限なしで(?:答え|回答)",
    r"(?i)<\|?(?:im_start|system|endoftext)\|?>|\[/?(?:INST|SYS)\]|<</?SYS>>|</?system>",
)


def injection(what: Request | Answer | str) -> bool:
    return any(pattern_set(_ATTACKS).found_in(plain) for plain in _told(what))


def injection_found(what: Request | Answer | str) -> Iterator[str]:
    for plain in _told(what):
        for at in pattern_set(_ATTACKS).found_in(plain):
            found = known_pattern(_ATTACKS[at]).search(plain)
            if found is not None:
                yield found.group(0)


def _told(what: Request | Answer | str) -> Iterator[str]:
    """What users, tools and models said, as one line each: a system's own words are its own affair."""
    if isinstance(what, Request):
        texts = [text_of(message) for message in what.messages if message.role not in ("system", "developer")]
    else:
        texts = [what.text if isinstance(what, Answer) else what]
    yield from (encodable(" ".join(text.split())) for text in texts)
