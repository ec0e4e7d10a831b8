"""The section [bills]: whether and when WeChat's bills are compared with the ledger, and where reports go."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from engine.config.kinds import lower


def _clock(text: str) -> str:
    try:
        if len(text) != 5:
            raise ValueError
        time.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a time of day in China, written like 10:00") from None
    return text


class Bills(BaseModel):
    """The daily reconciliation. `floodgate reconcile` works without it, too."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    enabled: bool = True
    # Reports stay here; bills only while they are read, because they name buyers.
    directory: Path = Path("bills")
    # WeChat makes the bills of a day from 09:00 of the next, and asks to fetch them after 10:00.
    after_time: Annotated[str, AfterValidator(_clock)] = "10:00"
    # What the announced SHA1 is of. WeChat's documents say the plain file; nobody outside has seen it tested.
    hash_over: Annotated[Literal["plain", "gzip", "either"], BeforeValidator(lower)] = "either"
    # Whether the fund-flow bill is compared with the trade bill.
    fund_flow: bool = True
    # Whether money that WeChat has and we do not know is asked about and settled by the daily job.
    repair: bool = True

    @property
    def after(self) -> time:
        return time.fromisoformat(self.after_time)
