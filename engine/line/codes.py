"""What the line scripts answer. The values are those of the Lua files."""

import enum


class JoinCode(enum.IntEnum):
    FENCED = 0
    JOINED = 1


class TickCode(enum.IntEnum):
    FENCED = 0
    OVERTAKEN = 1
    IDLE = 2
    TICKED = 3


class ExtendCode(enum.IntEnum):
    FENCED = 0
    EXTENDED = 1


class LookCode(enum.IntEnum):
    FENCED = 0
    SEEN = 1


class RestoreCode(enum.IntEnum):
    STALE_EPOCH = 0
    RESTORED = 1


class DrawCode(enum.IntEnum):
    FENCED = 0
    CONFLICT = 1
    DRAWN = 2


class FindCode(enum.IntEnum):
    FENCED = 0
    FOUND = 1


class EnrollCode(enum.IntEnum):
    FENCED = 0
    ENROLLED = 1


class ForgetCode(enum.IntEnum):
    STALE_EPOCH = 0
    FORGOTTEN = 1


class ClaimCode(enum.IntEnum):
    """The decision about one claim, in order of precedence."""

    FENCED = 0
    PAUSED = 1
    NOT_OPEN = 2
    ENDED = 3
    SOLD_OUT = 4
    REPEATED = 5
    PLACE_VOID = 6
    NOT_YOUR_TURN = 7
    NO_ROOM = 8
    ADMITTED = 9
