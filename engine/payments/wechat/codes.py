"""What the payment scripts answer. The values are those of the Lua files, in the order in which they are checked."""

import enum


class LeaseCode(enum.IntEnum):
    EMPTY = 0
    LEASED = 1
