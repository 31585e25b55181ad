"""What a text gives away: personal data and secrets, found by their forms and their check sums, in linear time.

It knows forms, not meanings: a name, an address or a diagnosis in plain words it does not see. What it takes for personal
and is not keeps a request at home; so where in doubt it takes it.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import ip_address

from recipelang.ir.patterns import PatternSet, known_pattern
from recipelang.quick import dataclass
from recipelang.runtime.values import Answer, Json, Message, Request, encodable

DEEPEST = 40
"""Objects inside one another in the parts of a message that are read."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form that gives something away: a pattern, and what else must hold for what it finds (its groups, or all of it).

    `sign` is a pattern that is cheap to look for and stands wherever the form does; empty where the form itself is cheap.
    """

    pattern: str
    holds: Callable[[str], bool] = lambda found: True
    sign: str = ""


def gives_away(forms: tuple[Form, ...], text: str) -> bool:
    """Whether a text has any of the forms in it, however its characters are written."""
    return next(given_away(forms, text), None) is not None


def given_away(forms: tuple[Form, ...], text: str) -> Iterator[str]:
    """What a text gives away in one of the forms."""
    plain = _plain(text)
    for at in _signs(forms).found_in(plain):
        found = (_found(match) for match in known_pattern(forms[at].pattern).finditer(plain))
        yield from (each for each in found if forms[at].holds(each))


def _plain(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", encodable(text)).translate(_INVISIBLE)


@lru_cache(maxsize=8)
def _signs(forms: tuple[Form, ...]) -> PatternSet:
    """What finds in one pass which of the forms may be in a text: in most texts none is."""
    return PatternSet([form.sign or form.pattern for form in forms])


def _found(match: Json) -> str:
    return str(match.group(1) if match.re.groups else match.group(0))


# ---------------------------------------------------------- texts of values


def texts_of(what: Answer | Request | str) -> Iterator[str]:
    """All text of a value: of a request every message, its parts, its calls of tools, and what its client says besides."""
    match what:
        case str():
            yield what
        case Answer(text=text, tool_calls=calls):
            yield text
            yield from strings_in(calls)
        case Request(messages=messages, metadata=metadata):
            for message in messages:
                yield from texts_in(message)
            yield from metadata.values()


def texts_in(message: Message) -> Iterator[str]:
    """All text of one message."""
    yield from strings_in(message.content)
    yield from strings_in(message.extra)


def strings_in(value: Json, depth: int = 0) -> Iterator[str]:
    """The texts in a JSON value; a text that is JSON itself, as the arguments of a tool are, gives those in it too."""
    if depth > DEEPEST:
        yield json.dumps(value, default=str, ensure_ascii=False) if depth == DEEPEST + 1 else ""
    elif isinstance(value, str):
        if not value.startswith("data:"):  # an image or a file, packed
            yield value
            if value[:1] in ("{", "[") and "\\" in value:
                yield from strings_in(_parsed(value), depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings_in(item, depth + 1)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
    elif value is not None and hasattr(value, "values"):
        for item in value.values():
            yield from strings_in(item, depth + 1)


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# -------------------------------------------------------------- check sums


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if "0" <= c <= "9"]


def _luhn(digits: list[int]) -> bool:
    doubled = [d if place % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for place, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _is_card(groups: list[str]) -> bool:
    number = "".join(groups)
    return 13 <= len(number) <= 19 and number[0] in "23456" and _luhn(_digits(number))


def _has_card(run: str) -> bool:
    """Whether neighbouring groups of digits in a run of them make up the number of a payment card."""
    groups = run.replace("-", " ").split(" ")
    for start in range(len(groups)):
        length = 0
        for end in range(start, len(groups)):
            length += len(groups[end])
            if length > 19 or (end > start and min(len(groups[end]), len(groups[start])) < 2):
                break
            if _is_card(groups[start : end + 1]):
                return True
    return False


def _is_iban(text: str) -> bool:
    """By country, length and check sum; capitals that only follow it are not counted."""
    packed = text.replace(" ", "").upper()
    length = _IBAN_LENGTHS.get(packed[:2])
    if length is None or len(packed) < length:
        return False
    turned = packed[4:length] + packed[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def _is_ssn(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def _is_dni(text: str) -> bool:
    packed = text.replace("-", "").upper()
    number = packed[:-1].translate(str.maketrans("XYZ", "012"))
    return len(packed) == 9 and packed[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def _is_nir(text: str) -> bool:
    packed = text.replace(" ", "").upper()
    number = int(packed[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - number % 97 == int(packed[13:])


def _is_tax_id(text: str) -> bool:
    """Germany's: one digit of the first ten comes twice or thrice, and the last one checks them."""
    digits = _digits(text)
    if max(Counter(digits[:10]).values()) not in (2, 3):
        return False
    product = 10
    for digit in digits[:10]:
        total = (digit + product) % 10 or 10
        product = 2 * total % 11
    return (11 - product) % 10 == digits[10]


def _is_cpf(text: str) -> bool:
    digits = _digits(text)
    if len(set(digits)) == 1:
        return False
    checks = [sum(d * (n + 1 - i) for i, d in enumerate(digits[:n])) * 10 % 11 % 10 for n in (9, 10)]
    return checks == digits[9:]


def _is_aadhaar(text: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(_digits(text))):
        check = _DIHEDRAL[check][_PERMUTED[place % 8][digit]]
    return check == 0


def _is_resident_id(text: str) -> bool:
    total = sum(int(c) * w for c, w in zip(text, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), strict=False))
    return "10X98765432"[total % 11] == text[17].upper()


def _is_pesel(text: str) -> bool:
    digits = _digits(text)
    month, day = (10 * digits[2] + digits[3]) % 20, 10 * digits[4] + digits[5]
    check = sum(d * w for d, w in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True))
    return 1 <= month <= 12 and 1 <= day <= 31 and check % 10 == 0


def _is_address(text: str) -> bool:
    """An address of the internet; those that mean this very machine say nothing of anybody."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def _has_groups(text: str) -> bool:
    return sum(bool(group) for group in text.split(":")) >= 3 and _is_address(text)


def _has_digits(low: int, high: int) -> Callable[[str], bool]:
    return lambda text: low <= len(_digits(text)) <= high


def _is_dense(text: str) -> bool:
    """Whether a text looks drawn at random: long, of several kinds of characters, few of them alike."""
    kinds = sum(any(kind(c) for c in text) for kind in (str.islower, str.isupper, str.isdigit))
    return len(text) >= 16 and kinds >= 2 and _entropy(text) >= 3.0


def _entropy(text: str) -> float:
    """Bits for each character."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def _is_chosen(text: str) -> bool:
    """Whether what follows `password:` is one, and no word about passwords, no blank to fill in."""
    bare = text.strip("\"'`,;.")
    return len(bare) >= 4 and bare.lower() not in _NO_PASSWORD and len(set(bare)) > 1 and bare[0] not in "<{$%["


def _is_odd(text: str) -> bool:
    """The same after `password is`, where words about passwords follow more often: a digit or a sign must be in it."""
    return _is_chosen(text) and not text.strip("\"'`,;.").isalpha()


_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_NO_PASSWORD = frozenset(
    [
        "must",
        "should",
        "required",
        "optional",
        "none",
        "null",
        "true",
        "false",
        "string",
        "text",
        "your",
        "here",
        "field",
        "with",
        "that",
        "this",
        "from",
        "must.",
        "forgotten",
        "invalid",
        "wrong",
        "incorrect",
        "example",
        "hidden",
        "redacted",
        "muss",
        "soll",
        "requis",
        "debe",
    ]
)
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19,
    "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_PERMUTED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip

# ------------------------------------------------------------------- forms

PERSONAL: tuple[Form, ...] = (
    Form(
        r"[\p{L}\p{N}._%+'\-]+@(?:[\p{L}\p{N}\-]+\.)+\p{L}{2,24}",
        sign=r"[^\s@]@[^\s@]",
    ),
    # telephones: of any country, of North America, with the 0 of most others, of France, of China
    Form(r"(?:^|[^0-9A-Za-z])((?:\+|00)[1-9](?:[ ().\-/]{0,3}[0-9]){7,14})", _has_digits(8, 17)),
    Form(r"(?:^|[^0-9.\-])(\(?[2-9][0-9]{2}\)?[ .\-]{1,2}[2-9][0-9]{2}[ .\-][0-9]{4})(?:[^0-9\-]|$)"),
    Form(
        r"(?:^|[^0-9.,\-/])(\(?0[1-9][0-9]{1,4}\)?[ /\-]{1,3}[0-9][0-9 \-/]{4,11}[0-9])(?:[^0-9]|$)", _has_digits(9, 13)
    ),
    Form(r"\b0[1-9](?:[ .\-][0-9]{2}){4}\b"),
    Form(r"(?:^|[^0-9.])(1[3-9][0-9]{9})(?:[^0-9]|$)"),
    # payment cards and accounts
    Form(r"[0-9](?:[ \-]?[0-9]){12,}", _has_card),
    Form(r"(?i)(?:^|[^0-9A-Za-z])([A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30})", _is_iban),
    # what states number people by: USA, United Kingdom, Spain, France, Italy, Germany, Brazil, India, China, Poland, Netherlands
    Form(r"\b([0-9]{3}-[0-9]{2}-[0-9]{4})\b", _is_ssn),
    Form(r"(?i)\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b"),
    Form(r"(?i)\b((?:[XYZ][0-9]{7}|[0-9]{8})-?[A-Z])\b", _is_dni),
    Form(r"(?i)\b([12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2})\b", _is_nir),
    Form(r"(?i)\b[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]\b"),
    Form(r"\b([1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3})\b", _is_tax_id),
    Form(r"\b([0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2})\b", _is_cpf),
    Form(r"\b([2-9][0-9]{3}[ \-]?[0-9]{4}[ \-]?[0-9]{4})\b", _is_aadhaar),
    Form(r"\b([1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9][0-9]{3}[0-9Xx])\b", _is_resident_id),
    Form(r"\b([0-9]{11})\b", _is_pesel),
    Form(r"(?i)\b(?:bsn|burgerservicenummer)\b[^0-9]{0,12}[0-9]{9}\b"),
    # addresses of the internet
    Form(r"(?:^|[^0-9A-Za-z.])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:[^0-9A-Za-z]|$)", _is_address),
    Form(r"(?i)(?:^|[^0-9A-Z:])([0-9A-F]{0,4}(?::[0-9A-F]{0,4}){2,7})", _has_groups),
)

_PASSWORD = (
    r"(?i)(?:password|passwd|passphrase|passcode|pwd|passwort|kennwort|mot de passe|contrase(?:ñ|n)a|clave|senha|"
    r"wachtwoord|has(?:ł|l)o|heslo|lösenord|salasana|parola|şifre|пароль|密码|密碼|口令|パスワード|비밀번호|كلمة المرور|सीक्रेट|पासवर्ड)"
)
_KEY = (
    r"(?i)(?:secret|token|api[ _\-]?key|access[ _\-]?key|private[ _\-]?key|auth[ _\-]?key|client[ _\-]?secret|"
    r"credential|bearer|schlüssel|clé|llave|chave|ключ|密钥|キー)s?"
)

SECRET: tuple[Form, ...] = (
    # keys that say by their first letters whose they are
    Form(r"\b(?:sk|rk|pk)[_\-](?:live|test|ant|proj|svcacct|or|lf)[_\-][0-9A-Za-z_\-]{16,}"),
    Form(r"\bsk-[0-9A-Za-z]{20,}"),
    Form(r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,}|glpat-[0-9A-Za-z_\-]{20,})"),
    Form(r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    Form(r"\b(?:AIza[0-9A-Za-z_\-]{35}|ya29\.[0-9A-Za-z_\-]{20,}|GOCSPX-[0-9A-Za-z_\-]{20,})"),
    Form(r"\b(?:xox[abeprs]-[0-9A-Za-z\-]{10,}|xapp-[0-9]-[0-9A-Za-z\-]{10,})"),
    Form(
        r"\b(?:hf|gsk|npm|dop_v1|doo_v1|shpat|shpss|rnd|nvapi|xai|pplx|r8|lin_api|sntrys|PMAK|dapi)[_\-][0-9A-Za-z_\-]{24,}"
    ),
    Form(r"\b(?:pypi-AgE[0-9A-Za-z_\-]{20,}|SG\.[0-9A-Za-z_\-]{16,}\.[0-9A-Za-z_\-]{16,}|key-[0-9a-f]{32})"),
    Form(r"\b(?:AGE-SECRET-KEY-1[0-9A-Z]{20,}|[0-9]{8,10}:AA[0-9A-Za-z_\-]{33})"),
    Form(r"https://(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/[0-9A-Za-z/_\-]{20,}"),
    Form(r"\beyJ[0-9A-Za-z_\-]{8,}\.eyJ[0-9A-Za-z_\-]{8,}\.[0-9A-Za-z_\-]*"),
    Form(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"),
    # what is said to be one
    Form(_PASSWORD + r"[\"'`*_]{0,3}[ \t]*(?:[:=：]|=>|->)[ \t]*([^\s]{4,})", _is_chosen),
    Form(
        _PASSWORD + r"[\"'`]?[ \t]+(?:is|was|ist|lautet|est|es|é|è|jest|är|on|это)(?:[ \t]*:[ \t]*|[ \t]+)([^\s]{4,})",
        _is_odd,
    ),
    Form(
        _KEY
        + r"[\"'`*_]{0,3}(?:[ \t]+(?:is|ist|est|es|é))?[ \t]*(?:[:=：]|=>|->)?[ \t]*[\"'`]?([0-9A-Za-z_\-+/=.]{16,})",
        _is_dense,
    ),
    Form(r"(?i)\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@\"'<>]{1,80}:([^\s/@\"'<>]{3,80})@", _is_chosen),
    Form(r"(?i)\bauthorization[\"']?[ \t]*:[ \t]*[\"']?(?:basic|bearer|token)[ \t]+([0-9A-Za-z_\-+/=.]{8,})"),
)
