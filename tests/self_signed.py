"""A certificate that nobody vouches for, of `localhost` and 127.0.0.1, made for these tests and good until 2126."""

from __future__ import annotations

import ssl
from pathlib import Path

PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdlJ9HxNeunm/bmlD
t/6qs/19dWA02jFGXzsSuvuAoRChRANCAAQYGmD8D1uO57EBgsfYKJ5tU5EQZ6eT
JYdydGM7iUQr28DtjiUa1a9ot2649QyHCZWmfKbc9oAgUIqDD8Bu2qXw
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUFwtLMUFK1/sKYmt91tS6t8HTSTIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDE4MjQyOFoYDzIxMjYxMDMx
MTgyNDI4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQYGmD8D1uO57EBgsfYKJ5tU5EQZ6eTJYdydGM7iUQr28DtjiUa1a9o
t2649QyHCZWmfKbc9oAgUIqDD8Bu2qXwo28wbTAdBgNVHQ4EFgQU1sm8YfMUIqYx
F/zJYH4SoNbEC8swHwYDVR0jBBgwFoAU1sm8YfMUIqYxF/zJYH4SoNbEC8swDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgecqx6o92WUMPaDmDSrP7RU6pj84IvWVFnVNTlSDENEoCIEMu
1hNeT2gQEW7+1M4hHzmxGbeu9wLH5UMTQC3G5nCu
-----END CERTIFICATE-----
"""


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server offers that has only this certificate; `folder` takes the file that Python wants it in."""
    path = folder / "self_signed.pem"
    path.write_text(PEM, encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
