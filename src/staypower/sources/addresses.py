"""Addresses of servers and stores: one place shows them, without their secrets."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SECRET = re.compile(r"(?i)\b([\w.-]*(?:password|passwd|pwd|secret|token|key|credential|signature|sig)[\w.-]*)=[^&\s;]+")

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>`]+")


def is_address(text: str) -> bool:
    """Say whether a text is an address such as `postgresql://host/db`, not a path.

    >>> is_address("s3://bucket/a.parquet"), is_address("data/a.csv")
    (True, False)
    """
    return bool(re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://", text))


def scheme_of(address: str) -> str:
    """Return the scheme of an address, without what names a driver.

    >>> scheme_of("postgresql+psycopg2://host/db")
    'postgresql'
    """
    return address.partition("://")[0].partition("+")[0].lower()


def shown_in(text: str) -> str:
    """Write a text, such as a message of another library, with every address in it as `shown_address` does.

    >>> shown_in("no answer from https://ann:s3cret@host/mlflow (refused)")
    'no answer from https://ann:***@host/mlflow (refused)'
    """
    return _ADDRESS.sub(lambda found: shown_address(found[0]), text)


def shown_address(text: str) -> str:
    """Write an address without its password and without secrets among its options; other texts as they are.

    >>> shown_address("postgresql://ann:s3cret@host:5432/db?sslpassword=x&sslmode=require")
    'postgresql://ann:***@host:5432/db?sslpassword=***&sslmode=require'
    """
    if not is_address(text):
        return text
    # a password with `/`, `?` or `#` in it ends where the last `@` stands
    scheme, _, rest = text.partition("://")
    begun = re.match(r"([^/@:?#]*):[^@]*[/?#].*@", rest)
    if begun and "@" not in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        text = f"{scheme}://{begun[1]}:***@{rest[begun.end() :]}"
    try:
        parts = urlsplit(text)
        if not parts.netloc:
            return _SECRET.sub(r"\1=***", text)
        host = parts.netloc.rpartition("@")[2]
        name = parts.netloc.rpartition("@")[0].partition(":")[0]
        hidden = f"{name}:***@" if ":" in parts.netloc.rpartition("@")[0] else f"{name}@" if name else ""
        return _SECRET.sub(r"\1=***", parts._replace(netloc=f"{hidden}{host}").geturl())
    except ValueError:
        return f"{scheme_of(text)}://***"
