"""Where bills come from, as the rooms see it. `engine.payments.wechat.bills` is the one there is.

A bill that is not there is a value, an outage raises: a day without a bill must never look like a day without money.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class BillType(StrEnum):
    TRADE = "trade"
    FUND_FLOW = "fund-flow"


class Absence(StrEnum):
    NOT_READY = "NOT_READY"  # come back later
    NO_ROWS = "NO_ROWS"  # nothing happened that day


@dataclass(frozen=True, slots=True)
class BillRefused:
    """WeChat will not give this bill, however often it is asked; `code` is its own word."""

    code: str
    detail: str


class BillSource(Protocol):
    async def fetch(self, mchid: str, bill: BillType, day: date) -> Path | Absence | BillRefused:
        """The whole bill in a file of its own, compressed or not, its hash checked; whoever asked deletes it.

        Raises ProviderAway, and BillUnreadable for a file that is not what its hash promises.
        """
