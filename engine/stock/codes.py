"""What the stock scripts answer. The values are those of the Lua files, in the order in which they are checked."""

import enum


class ReserveCode(enum.IntEnum):
    """The decision about one order, in order of precedence."""

    FENCED = 0
    KEY_REUSED = 1
    REPEATED = 2
    PAUSED = 3
    NOT_OPEN = 4
    ENDED = 5
    UNKNOWN_SKU = 6
    BUYER_LIMIT = 7
    SOLD_OUT = 8
    HELD_BY_OTHERS = 9
    TOO_FEW_LEFT = 10
    HELD = 11


class ReleaseCode(enum.IntEnum):
    FENCED = 0
    MISSING = 1
    WRONG_STATE = 2
    RELEASED = 3


class ConfirmCode(enum.IntEnum):
    FENCED = 0
    MISSING = 1
    REPEATED = 2
    CONFIRMED = 3


class RetakeCode(enum.IntEnum):
    FENCED = 0
    REPEATED = 1
    UNKNOWN_SKU = 2
    BUYER_LIMIT = 3
    TOO_FEW_LEFT = 4
    TAKEN = 5


class ShrinkCode(enum.IntEnum):
    FENCED = 0
    MISSING = 1
    WRONG_STATE = 2
    REPEATED = 3
    SHRUNK = 4


class AmendCode(enum.IntEnum):
    FENCED = 0
    AMENDED = 1


class ClearCode(enum.IntEnum):
    STALE_EPOCH = 0
    CLEARED = 1


class LoadCode(enum.IntEnum):
    STALE_EPOCH = 0
    LOADED = 1


class OpenCode(enum.IntEnum):
    STALE_EPOCH = 0
    OPENED = 1


class ObserveCode(enum.IntEnum):
    FENCED = 0
    OBSERVED = 1


class DueCode(enum.IntEnum):
    FENCED = 0
    DUE = 1
