"""Lists of people and codes as files have them."""

import sys
from collections.abc import Callable
from pathlib import Path

from engine.cli.terminal import Stop
from engine.line.eligibility.codes import fresh_code

OPENID_CHARACTERS_MAX = 128


def read_openids(file: Path) -> list[str]:
    """The openids of a file, each once, in its order; empty lines and lines that begin with # are nothing."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Stop(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Stop(f"{file} is not UTF-8.") from None
    openids: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        openid = line.strip()
        if not openid or openid.startswith("#"):
            continue
        if len(openid) > OPENID_CHARACTERS_MAX or not openid.isascii() or not openid.isprintable() or " " in openid:
            raise Stop(f"{file}:{number}: this is no openid. Write one in each line and nothing else.")
        openids[openid] = None
    if not openids:
        raise Stop(f"{file} names nobody.")
    return list(openids)


def fresh_codes(count: int, random_bytes: Callable[[int], bytes]) -> list[str]:
    """So many different new codes."""
    codes: dict[str, None] = {}
    while len(codes) < count:
        codes[fresh_code(random_bytes)] = None
    return list(codes)
