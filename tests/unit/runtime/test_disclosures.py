"""What texts give away is found in the forms that are known, in several languages; what only looks like it is not."""

from __future__ import annotations

import json
import time

import pytest

from answers import answer
from recipelang.runtime.functions import IMPLEMENTATIONS
from recipelang.runtime.values import Message, Request

pii, secrets = IMPLEMENTATIONS["pii"], IMPLEMENTATIONS["secrets"]

PERSONAL = [
    "Please write to ann.lee@example.com about it",
    "schreib an jörg.müller@beispiel.de",
    "напишите на иван@почта.рф",
    "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    "call me on +49 30 901820",
    "ring 0044 20 7946 0958",
    "my number is (415) 555-2671",
    "Tel. 030 / 1234567",
    "appelez le 01 23 45 67 89",
    "電話は 090-1234-5678 です",
    "我的手机 13912345678",
    "it was charged to 4111 1111 1111 1111",
    "5500-0000-0000-0004, expires soon",
    "card 371449635398431",
    "IBAN DE89 3704 0044 0532 0130 00 BITTE",
    "gb82west12345698765432",
    "my SSN is 123-45-6789",
    "NI number AB 12 34 56 C",
    "mi DNI es 12345678Z",
    "NIE X1234567-L",
    "n° de sécurité sociale 1 84 12 76 451 089 46",
    "codice fiscale RSSMRA85T10A562S",
    "Steuer-ID 86 095 742 719",
    "CPF 111.444.777-35",
    "Aadhaar 2341 2341 2346",
    "身份证 11010519491231002X",
    "PESEL 44051401359",
    "BSN: 123456782",
    "logged in from 203.0.113.9",
    "from 2001:db8::8a2e:370:7334",
    "zero\u200bwidth: ann\u200b.lee@example.com",
]
NOT_PERSONAL = [
    "",
    "What is 6 x 7?",
    "On 2026-11-24 at 12:30:45 we met",
    "version 1.2.3 of std::vector<int>",
    "pi is 3.14159265358979",
    "order 12345678",
    "it runs on 127.0.0.1 and on ::1",
    "10,000,000 people, 1000000007 of them prime",
    "ISBN 978-3-16-148410-0",
    "rooms 101-202",
    "a@b",
    "4111 1111 1111 1112",
    "DE89370400440532013001",
    "12345678A",
    "111.444.777-36",
    "000-45-6789",
    "0 1 1 2 3 5 8 13 21 34 55 89 144",
    "300.1.2.3",
    "Müller wohnt in der Hauptstraße",  # a name and a street have no form
]
SECRET = [
    "sk-proj-abcdefghijklmnop1234567890",
    "sk-" + "ant-api03-" + "x7Y2" * 8,
    "ghp_" + "a1B2" * 9,
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
    "password: hunter2",
    '{"password": "hunter2"}',
    "my password is Tr0ub4dor&3",
    "Passwort: geheim123",
    "das Kennwort lautet: sommer2026!",
    "mot de passe : s3cr3t!",
    "contraseña: abcd1234",
    "senha = segredo99",
    "пароль: зима2026",
    "密码：abc12345",
    "パスワード：sakura77",
    "api_key = 9f86d081884c7d659a2feaa0c55ad015",
    "the token is AbCdEf0123456789xyzQ",
    "postgres://bob:s3cret@db/x",
    "Authorization: Bearer abcdefgh12345",
]
NOT_SECRET = [
    "",
    "password must be 8 characters",
    "my password is forgotten",
    "password: required",
    "password: ********",
    "password: <your password>",
    "the token economy is large",
    "how do I store an api key safely?",
    "tokens: 4096",
    "-----BEGIN CERTIFICATE-----",
    "https://example.com:8080/path",
    "sk-learn is a library",
    "https://user@example.com/",
]


@pytest.mark.parametrize("text", PERSONAL)
def test_personal_data_is_found(text: str) -> None:
    assert pii(text)


@pytest.mark.parametrize("text", NOT_PERSONAL)
def test_what_only_looks_personal_is_not(text: str) -> None:
    assert not pii(text)


@pytest.mark.parametrize("text", SECRET)
def test_a_secret_is_found(text: str) -> None:
    assert secrets(text)


@pytest.mark.parametrize("text", NOT_SECRET)
def test_words_about_secrets_are_none(text: str) -> None:
    assert not secrets(text)


ARGUMENTS = json.dumps({"to": "ann\u002elee@example.com", "note": "\u00e9"}).replace("@", "\\u0040")
CALL = {"id": "1", "type": "function", "function": {"name": "send", "arguments": ARGUMENTS}}
HIDDEN = {
    "an earlier turn": (Message("user", "I am ann.lee@example.com"), Message("user", "and now?")),
    "the system message": (Message("system", "the client is ann.lee@example.com"), Message("user", "hello")),
    "a part of a message": (Message("user", [{"type": "text", "text": "ann.lee@example.com"}]),),
    "the address of a picture": (
        Message("user", [{"type": "image_url", "image_url": {"url": "https://x.example/?u=ann.lee@example.com"}}]),
    ),
    "the arguments of a tool": (Message("assistant", None, {"tool_calls": [CALL]}), Message("user", "send it")),
    "what a tool gave": (Message("tool", '{"email": "ann.lee@example.com"}', {"tool_call_id": "1"}),),
    "a name": (Message("user", "hello", {"name": "ann.lee@example.com"}),),
}


@pytest.mark.parametrize("messages", HIDDEN.values(), ids=HIDDEN)
def test_of_a_request_all_that_is_in_it_is_looked_at(messages: tuple[Message, ...]) -> None:
    assert pii(Request(messages))
    assert not secrets(Request(messages))


def test_metadata_is_looked_at_and_packed_pictures_are_not() -> None:
    assert pii(Request((Message("user", "hello"),), metadata={"who": "ann.lee@example.com"}))
    packed = {"type": "image_url", "image_url": {"url": "data:image/png;base64,4111111111111111"}}
    assert not pii(Request((Message("user", [packed]),)))


def test_an_answer_is_its_text_and_its_calls() -> None:
    assert pii(answer("write to ann.lee@example.com"))
    assert not pii(answer("Jupiter"))


@pytest.mark.parametrize("unit", ["a", "1 ", "4111 ", "a@", "0:", "password ", "DE89", "+1 ", "token ", "é"])
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    """Ten times the text takes about ten times as long; one that grew with the square would take a hundred times."""

    def took(size: int) -> float:
        text = unit * (size // len(unit))
        began = time.process_time()
        assert {pii(text), secrets(text)} <= {True, False}
        return time.process_time() - began

    took(1_000)
    assert took(100_000) < 40 * max(took(10_000), 0.002)
