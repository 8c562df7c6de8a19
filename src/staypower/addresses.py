"""Addresses of servers and stores: one place shows them, without their secrets."""

from __future__ import annotations

import re

# of the options of an address these are shown; any other may be a secret
_HARMLESS = frozenset(
    (
        *("application_name", "charset", "connect_timeout", "database", "dbname", "endpoint_override", "host", "port"),
        *("region", "role", "schema", "scheme", "sslmode", "sslrootcert", "target_session_attrs", "timeout", "user", "version"),
    )
)
_OPTION = re.compile(r"([^=&;#?\s]+)=([^&;#\s]*)")
# a program that takes an address for a path leaves one slash of two
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{1,2}[^\s'\"<>`/][^\s'\"<>`]*")
_PAIR = re.compile(r"(?i)\b(\w*(?:password|passwd|pwd|secret|token|credential)\w*=)('[^']*'|\"[^\"]*\"|[^\s,;&'\"<>`]+)")
# web addresses have a name alone where a token stands for name and password
_TOKENS = ("http", "https")


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
    >>> shown_in("connection to host=db user=ann password=s3cret failed")
    'connection to host=db user=ann password=*** failed'
    """
    if ":/" in text:
        text = _ADDRESS.sub(lambda found: _without_secrets(found[0]), text)
    return _PAIR.sub(r"\1***", text)


def shown_address(text: str) -> str:
    """Write an address without its password and without what may be a secret among its options, or a text without its secrets.

    >>> shown_address("postgresql://ann:s3cret@host:5432/db?sslpassword=x&sslmode=require")
    'postgresql://ann:***@host:5432/db?sslpassword=***&sslmode=require'
    """
    return _without_secrets(text) if is_address(text) else _PAIR.sub(r"\1***", text)


def _without_secrets(address: str) -> str:
    """Hide what stands between the name and the last `@`: a password may hold every other sign."""
    scheme, slashes, rest = re.split(r"(:/{1,2})", address, maxsplit=1)
    before, sign, after = rest.rpartition("@")
    if sign and "?" in before and not before.partition("?")[0].partition("/")[0].count(":"):
        before, after = "", rest  # no name and password, but a sign within an option
    elif sign:
        name, colon, _ = before.partition(":")
        alone = not colon and (scheme.lower() in _TOKENS or "/" in name)
        before = ("***" if alone else f"{name}:***" if colon else name) + "@"
    path, mark, options = after.partition("?")
    if mark:
        options = _OPTION.sub(lambda found: found[0] if found[1].lower() in _HARMLESS else f"{found[1]}=***", options)
    return f"{scheme}{slashes}{before}{path}{mark}{options}"
