"""The tables of the manual, made from the code, so that they cannot say anything else than the code does."""

from collections.abc import Iterator

import orjson

from engine.simulator.luck.faults import Faults
from engine.simulator.luck.knobs import KNOBS

# The first knob of each group, in the order of the knobs.
_GROUPS = {
    "seed": "Luck",
    "callback_delay_ms": "Callbacks: right ones at odd moments",
    "callback_signtest": "Callbacks: wrong ones, each followed by the right one on the schedule of retries",
    "refund_delay_ms": "Refunds",
    "answer_routes": "Answers",
    "answers_signed_by": "Keys and signatures",
    "buyer_delay_ms": "Buyers",
    "bill_today": "Bills",
    "fapiao_opened": "Electronic invoices",
    "weixin_busy": "The mini program",
    "business_refusals_signed": "Where public sources disagree",
}
_HEAD = "| knob | default | takes | what it does |"


def knob_tables() -> str:
    """Every knob with its default, what it takes and what it does, as Markdown."""
    return "\n".join(_lines()).strip() + "\n"


def _lines() -> Iterator[str]:
    document = Faults().document()
    for name, knob in KNOBS.items():
        if name in _GROUPS:
            yield from (
                "",
                f"### {_GROUPS[name]}",
                "",
                "| knob | default | takes | what it does |",
                "|---|---|---|---|",
            )
        # A check says what it takes by refusing what nothing takes.
        takes = (knob.check(None) or "").removeprefix("must be ").removeprefix("a ").replace("|", "\\|")
        yield f"| `{name}` | `{orjson.dumps(document[name]).decode()}` | {takes} | {knob.text} |"
