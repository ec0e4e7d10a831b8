"""Whether the receipt of a payment offers a fapiao is said when the payment is ordered."""

from datetime import UTC, datetime

import orjson
import pytest

from engine.payments.port import PrepayRequest
from engine.payments.wechat.requests import prepay_body

ORDER = PrepayRequest(
    order_no="FG20260101000001",
    mchid="1900000777",
    description="Concert tickets",
    total_fen=68_000,
    openid="oTestBuyer-000000000000000001",
    expires_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def body(**options: bool) -> dict[str, object]:
    found = orjson.loads(prepay_body(ORDER, appid="wx1", notify_url="https://shop.example.com/n", **options))
    assert isinstance(found, dict)
    return found


def test_switched_on_the_receipt_offers_it() -> None:
    assert body(offers_fapiao=True)["support_fapiao"] is True


@pytest.mark.parametrize("options", [{}, {"offers_fapiao": False}])
def test_switched_off_the_order_says_nothing_of_it(options: dict[str, bool]) -> None:
    assert "support_fapiao" not in body(**options)
