"""`floodgate verify-draw SOURCE`: checks a sale's opening draw. Needs no settings and trusts nobody's server."""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape
from rich.text import Text

from engine.cli.terminal import BAD, DOUBTFUL, GOOD, Stop, finish, out

FETCH_S = 30.0
NOT_MADE = "drawn"  # the check that fails as long as nothing is drawn
FILE_BYTES_MAX = 16_777_216
MARKS = {"holds": ("✔", GOOD), "fails": ("✘", BAD), "unchecked": ("–", DOUBTFUL)}


def verify_draw(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A folder or draw.json, or the address of a sale: https://…/ID.")
    ],
    proof: Annotated[Path | None, typer.Option("--proof", metavar="FILE", help="Your proof, as served.")] = None,
    place: Annotated[
        str | None, typer.Option("--place", metavar="TEXT", help="Your signed place: shows that the entry is yours.")
    ] = None,
    entries: Annotated[
        Path | None, typer.Option("--entries", metavar="DIR", help="Where entries-LANE-CHUNK.bin lie.")
    ] = None,
    before: Annotated[
        Path | None, typer.Option("--before", metavar="FILE", help="A draw.json that you saved earlier.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="DIR", help="Keep everything that was fetched, to check it again.")
    ] = None,
    skip_entries: Annotated[
        bool, typer.Option("--skip-entries", help="Do not fetch the entries: a lobby of a million is 16 MB.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a sale's opening draw: commitment, randomness, seeds, every entry, and your own proof.

    SOURCE is a folder with draw.json (and proof.json and entries-LANE-CHUNK.bin, where you have them), such a file,
    or the address of a sale. Exit code 0: all that could be checked holds; 1: something does not; 2: wrong use, or
    nothing to check.
    """
    from engine.line.draw.verifying import Malformed, Verdict  # noqa: PLC0415
    from engine.line.draw.verifying import verify_draw as verify  # noqa: PLC0415

    folder: Path | None = None
    if source.startswith(("http://", "https://")):
        address = source.split("?")[0].rstrip("/").removesuffix("/draw") + "/draw"

        def fetch(name: str) -> bytes | None:
            return _fetched(address if name == "draw.json" else f"{address}/{_path_of(name)}")
    else:
        given = Path(source)
        folder = given if given.is_dir() else given.parent
        first = "draw.json" if given.is_dir() else given.name

        def fetch(name: str) -> bytes | None:
            return _read((entries if name.endswith(".bin") and entries else folder) / _file_of(name, first))

    kept: dict[str, bytes] = {}

    def keep(name: str, raw: bytes | None) -> bytes | None:
        if raw is not None:
            kept[name] = raw
        return raw

    draw = _document(keep("draw.json", fetch("draw.json")), f"{source}: there is no draw document")
    found = None
    if proof is not None:
        found = _document(keep("proof.json", _read(proof)), f"{proof}: there is no proof")
    elif folder is not None and (folder / "proof.json").exists():
        found = _document(_read(folder / "proof.json"), f"{folder}: there is no proof")
    earlier = _document(_read(before), f"{before}: there is no draw document") if before else None
    try:
        tags = {} if skip_entries else _entries(draw, lambda name: keep(name, fetch(name)))
        checks = verify(draw, entries=tags, proof=found, place=place, before=earlier)
    except (Malformed, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Stop(f"{source}: this is no draw document, or no proof of one ({error}).") from error
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for name, raw in kept.items():
            (save / name).write_bytes(raw)
    failed = [check.name for check in checks if check.verdict is Verdict.FAILS]
    passed = not failed
    if as_json:
        listed = [{"check": one.name, "verdict": one.verdict, "words": one.words} for one in checks]
        typer.echo(orjson.dumps({"sale": draw["sale"], "verified": passed, "checks": listed}).decode())
    else:
        for check in checks:
            mark, style = MARKS[check.verdict]
            out().print(f"[{style}]{mark}[/{style}] {escape(check.words)}")
        if passed:
            out().print(Text(f"The draw of {draw['sale']} is what its rules say.", style=GOOD))
        elif failed != [NOT_MADE]:
            out().print(Text(f"The draw of {draw['sale']} is NOT what its rules say.", style=BAD))
    if failed == [NOT_MADE]:
        raise Stop("There is no draw to check yet. Keep its rules now with --save, and give them later as --before.")
    finish(passed=passed)


def _entries(draw: dict[str, Any], fetch: Callable[[str], bytes | None]) -> dict[int, list[bytes]]:
    """The tags of every lane of which all chunks are there."""
    from engine.catalog.bounds import ID_PATTERN  # noqa: PLC0415
    from engine.line.draw.merkle import CHUNK, TAG_BYTES  # noqa: PLC0415

    names = {lane["lane"]: str(lane["id"]) for lane in draw["rules"]["lanes"]}
    if not all(re.fullmatch(ID_PATTERN, name) for name in names.values()):
        raise ValueError("a lane has an id that is none")  # it becomes part of a file's name
    found: dict[int, list[bytes]] = {}
    for lane in draw["lanes"]:
        ordinal, blobs = lane["lane"], []
        for chunk in range(-(-lane["n"] // CHUNK)):
            raw = fetch(f"entries-{names[ordinal]}-{chunk}.bin")
            if raw is None:
                break
            blobs.append(raw)
        else:
            blob = b"".join(blobs)
            found[ordinal] = [blob[at : at + TAG_BYTES] for at in range(0, len(blob), TAG_BYTES)]
    return found


def _path_of(name: str) -> str:
    """Where a sale's server has a file of entries."""
    lane, chunk = name.removeprefix("entries-").removesuffix(".bin").rsplit("-", 1)
    return f"{lane}/entries/{chunk}"


def _file_of(name: str, draw_name: str) -> str:
    return draw_name if name == "draw.json" else name


def _read(path: Path) -> bytes | None:
    """The file's bytes; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Stop(f"{path} cannot be read: {error.strerror}.") from error


def _fetched(address: str) -> bytes | None:
    """What stands at an address; None where there is nothing."""
    try:
        with urllib.request.urlopen(address, timeout=FETCH_S) as response:  # noqa: S310 - the scheme was checked
            return bytes(response.read(FILE_BYTES_MAX))
    except urllib.error.HTTPError as refusal:
        if refusal.code in (404, 409):
            return None
        raise Stop(f"{address} answers {refusal.code}.") from refusal
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Stop(f"{address} cannot be reached: {getattr(reason, 'strerror', None) or reason}.") from error


def _document(raw: bytes | None, missing: str) -> dict[str, Any]:
    if raw is None:
        raise Stop(f"{missing}.")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Stop(f"{missing}: it is not JSON.") from error
    if not isinstance(found, dict):
        raise Stop(f"{missing}: it is no JSON object.")
    return found
