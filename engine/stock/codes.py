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
    PASS_SPENT = 6
    UNKNOWN_SKU = 7
    BUYER_LIMIT = 8
    LANE_QUOTA = 9
    SOLD_OUT = 10
    HELD_BY_OTHERS = 11
    TOO_FEW_LEFT = 12
    HELD = 13


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
    LANE_QUOTA = 4
    TOO_FEW_LEFT = 5
    TAKEN = 6


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
