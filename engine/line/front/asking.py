"""What a body of POST .../places may say: a lane, a presale code, a place that was given before. Pure."""

from dataclasses import dataclass

from engine.catalog.bounds import CODE_CHARACTERS_MAX
from engine.web.http import strict_json
from engine.web.problems import Code

EMPTY = (b"", b"{}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the buyer said, each part if anything."""

    lane_id: str | None = None
    code: str | None = None
    place: str | None = None


NOTHING = Asked()


def read_asked(raw: bytes) -> Asked | Code:
    """The body, or what is wrong with it. null is the same as nothing; fields that nobody knows are left alone."""
    if raw in EMPTY:
        return NOTHING
    try:
        body = strict_json(raw)
    except ValueError:
        return Code.BODY_INVALID
    if not isinstance(body, dict):
        return Code.BODY_INVALID
    if not isinstance(body.get("place"), str | None):
        return Code.PLACE_INVALID
    if not isinstance(body.get("lane"), str | None):
        return Code.UNKNOWN_LANE
    if not isinstance(body.get("code"), str | None) or len(body.get("code") or "") > CODE_CHARACTERS_MAX:
        return Code.CODE_INVALID
    return Asked(lane_id=body.get("lane"), code=body.get("code"), place=body.get("place"))
