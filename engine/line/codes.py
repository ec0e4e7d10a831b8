"""What the line scripts answer. The values are those of the Lua files."""

import enum


class JoinCode(enum.IntEnum):
    FENCED = 0
    JOINED = 1


class TickCode(enum.IntEnum):
    FENCED = 0
    TICKED = 1


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
