"""Every Lua file says what its Python wrapper does: verb, keys, codes and their order."""

import enum
import re
from pathlib import Path

import pytest

from engine.line import codes as line_codes
from engine.line.admission.passes import VERBS as ADMISSION_VERBS
from engine.line.draw.draws import VERBS as DRAW_VERBS
from engine.line.joining import VERBS as JOINING_VERBS
from engine.line.pacing.scripts import VERBS as PACING_VERBS
from engine.payments.wechat import codes as payment_codes
from engine.payments.wechat.quotas import VERBS as PAYMENT_VERBS
from engine.stock import codes as stock_codes
from engine.stock.stock import VERBS as STOCK_VERBS

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "lua").glob("*/*.lua"))
HEADINGS = ["KEYS", "ARGV", "CODES", "REPLY", "COST", "WHY"]
ROOMS = {
    "stock": (stock_codes, STOCK_VERBS),
    "line": (line_codes, (*JOINING_VERBS, *DRAW_VERBS, *PACING_VERBS, *ADMISSION_VERBS)),
    "payments": (payment_codes, PAYMENT_VERBS),
}


def codes_in_header(source: str) -> list[str]:
    block = re.search(r"^-- CODES(.*?)^-- REPLY", source, re.MULTILINE | re.DOTALL)
    assert block is not None
    return re.findall(r"[A-Z_]{3,}", block.group(1))


def enum_of(path: Path) -> type[enum.IntEnum]:
    module = ROOMS[path.parent.name][0]
    found = getattr(module, f"{path.stem.capitalize()}Code")
    assert issubclass(found, enum.IntEnum)
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_one_file_for_each_verb_of_its_wrapper(room: str) -> None:
    assert sorted(ROOMS[room][1]) == sorted(path.stem for path in FILES if path.parent.name == room)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_header_has_every_heading_in_order(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("#!lua")
    assert lines[1].startswith(f"-- {path.stem}: ")
    assert [word for line in lines if (word := line.removeprefix("-- ").split(" ")[0]) in HEADINGS] == HEADINGS


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_codes_of_header_script_and_enum_are_the_same_in_the_same_order(path: Path) -> None:
    source = path.read_text()
    members = [(member.name, member.value) for member in enum_of(path)]
    assert codes_in_header(source) == [name for name, _ in members]
    for line in re.findall(r"^local ([A-Z_, ]+) = ([\d, ]+)$", source, re.MULTILINE):
        names, values = (part.split(", ") for part in line)
        for name, value in zip(names, values, strict=True):
            assert (name, int(value)) in members


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_script_builds_no_key_name(path: Path) -> None:
    body = path.read_text()
    for call in re.findall(r"redis\.call\('([A-Z]+)', ([^,)]+)", body):
        command, first = call
        assert command in ("INFO", "UNLINK") or first.startswith("KEYS["), call


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_script_reads_the_epoch_before_anything_else(path: Path) -> None:
    first_call = re.search(r"redis\.call\(.*", path.read_text().split("-- WHY", 1)[1])
    assert first_call is not None
    # Those read TIME first; a lease belongs to no sale.
    assert "'epoch'" in first_call.group(0) or path.stem in ("observe", "due", "lease")
