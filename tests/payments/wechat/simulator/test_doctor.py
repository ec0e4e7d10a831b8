"""The doctor's question to WeChat Pay, answered by the simulator."""

from __future__ import annotations

import aiohttp
import pytest

from engine.cli.doctor_wechat import check_wechat
from engine.cli.findings import Finding, Verdict
from engine.config import Merchant, Wechat
from tests.payments.wechat.simulator.conftest import CERTIFIED, Simulator, set_faults


@pytest.fixture(autouse=True)
async def prompt(session: aiohttp.ClientSession, simulator: Simulator) -> None:
    await set_faults(session, simulator)


async def only(config: Wechat) -> Finding:
    (finding,) = await check_wechat(config)
    return finding


def merchant(simulator: Simulator, index: int) -> Merchant:
    names = simulator.merchants[index]
    return Merchant(**{name: value for name, value in names.items() if name in Merchant.model_fields})


async def test_right_keys_are_believed_both_ways(config: Wechat) -> None:
    finding = await only(config)
    assert (finding.verdict, finding.subject) == (Verdict.OK, f"wechat {config.mchid}")
    assert "both ways" in finding.text


async def test_each_merchant_has_its_own_finding(config: Wechat, simulator: Simulator) -> None:
    wrong = merchant(simulator, 2).model_copy(update={"certificate_serial": "A" * 40})
    found = await check_wechat(config.model_copy(update={"merchants": (merchant(simulator, 1), wrong)}))
    assert [finding.verdict for finding in found] == [Verdict.OK, Verdict.OK, Verdict.FAIL]
    assert "certificate_serial" in found[2].text


async def test_the_public_key_of_another_merchant_fails(config: Wechat, simulator: Simulator) -> None:
    other = merchant(simulator, 1).public_key_file
    finding = await only(config.model_copy(update={"public_key_file": other}))
    assert finding.verdict is Verdict.FAIL
    assert "public_key_file" in finding.text


async def test_certificates_are_downloaded_and_believed(
    config: Wechat, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    await set_faults(session, simulator, **CERTIFIED)
    finding = await only(config.model_copy(update={"public_key_id": None, "public_key_file": None}))
    assert finding.verdict is Verdict.OK


async def test_a_merchant_without_certificates_is_told_to_set_its_public_key(
    config: Wechat, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    await set_faults(session, simulator, certificates_listed="none")
    finding = await only(config.model_copy(update={"public_key_id": None, "public_key_file": None}))
    assert finding.verdict is Verdict.FAIL
    assert "public_key_id" in finding.text
