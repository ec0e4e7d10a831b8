"""Which endpoint a request is for, told from what is sent."""

from __future__ import annotations

import pytest

from engine.payments.wechat.endpoints import Endpoint, endpoint_of


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("POST", "/v3/pay/transactions/jsapi", Endpoint.ORDER),
        ("GET", "/v3/pay/transactions/out-trade-no/FG1?mchid=1900000777", Endpoint.QUERY),
        ("GET", "/v3/pay/transactions/id/4200?mchid=1900000777", Endpoint.QUERY),
        ("POST", "/v3/pay/transactions/out-trade-no/FG1/close", Endpoint.CLOSE),
        ("POST", "/v3/refund/domestic/refunds", Endpoint.REFUND),
        ("GET", "/v3/refund/domestic/refunds/R1", Endpoint.QUERY_REFUND),
        ("POST", "/v3/refund/domestic/refunds/50/apply-abnormal-refund", Endpoint.REDIRECT_REFUND),
        ("GET", "/v3/bill/tradebill?bill_date=2026-01-01&bill_type=ALL", Endpoint.BILL),
        ("GET", "/v3/billdownload/file?token=x", Endpoint.BILL),
        ("GET", "/v3/certificates", Endpoint.CERTIFICATES),
        ("POST", "/v3/security/echo", Endpoint.ECHO),
        ("PATCH", "/v3/new-tax-control-fapiao/merchant/development-config", Endpoint.FAPIAO),
        ("POST", "/v3/something/of/tomorrow", Endpoint.OTHER),
        ("DELETE", "/v3/pay/transactions/jsapi", Endpoint.OTHER),
    ],
)
def test_the_endpoint_of(method: str, path: str, endpoint: Endpoint) -> None:
    assert endpoint_of(method, path) is endpoint
