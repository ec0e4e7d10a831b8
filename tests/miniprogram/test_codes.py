"""Codes and links: made once where WeChat makes them, made again where it did not."""

from __future__ import annotations

import pytest

from engine.miniprogram.client import MiniProgramApi
from engine.miniprogram.codes import Link, SaleCodes, scene_of
from engine.miniprogram.errcodes import Refusal, Refused
from tests.miniprogram.conftest import Reply, Script
from tests.miniprogram.shop import Shop

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
CODE = "/wxa/getwxacodeunlimit"
LINK = "/wxa/generate_urllink"


@pytest.fixture
def codes(shop: Shop, api: MiniProgramApi) -> SaleCodes:
    return SaleCodes(shop.pool, api, page="pages/sale/sale", link_days=30, now_ms=lambda: 1_900_000_000_000)


@pytest.mark.parametrize(("sale_id", "scene"), [("spring", "spring"), ("x" * 32, "x" * 32), ("x" * 33, None)])
def test_a_sale_is_its_own_scene_as_far_as_wechat_takes_it(sale_id: str, scene: str | None) -> None:
    assert scene_of(sale_id) == scene


async def test_an_image_is_asked_for_once(codes: SaleCodes, script: Script) -> None:
    script.always(CODE, Reply(body=PNG))
    assert [await codes.image("spring", "spring") for _ in range(3)] == [PNG] * 3
    assert len(script.asked(CODE)) == 1


@pytest.mark.parametrize(
    ("errcode", "refusal"), [(41030, Refusal.PAGE_INVALID), (45009, Refusal.TOO_OFTEN)], ids=["page", "quota"]
)
async def test_a_refused_image_is_not_kept(codes: SaleCodes, script: Script, errcode: int, refusal: Refusal) -> None:
    script.always(CODE, Reply(json={"errcode": errcode, "errmsg": "no"}), Reply(body=PNG))
    assert await codes.image("spring", "spring") == Refused(refusal, errcode)
    assert await codes.image("spring", "spring") == PNG


async def test_another_page_is_another_code(codes: SaleCodes, shop: Shop, api: MiniProgramApi, script: Script) -> None:
    script.always(CODE, Reply(body=PNG))
    other = SaleCodes(shop.pool, api, page="pages/other", link_days=30, now_ms=lambda: 1_900_000_000_000)
    await codes.image("spring", "spring")
    await other.image("spring", "spring")
    assert [request.json["page"] for request in script.asked(CODE)] == ["pages/sale/sale", "pages/other"]


async def test_a_link_is_kept_with_its_end(codes: SaleCodes, script: Script) -> None:
    script.always(LINK, Reply(json={"errcode": 0, "url_link": "https://wxaurl.cn/a"}))
    assert await codes.link("spring") == Link("https://wxaurl.cn/a", 1_902_592_000_000)
    assert await codes.link("spring") == Link("https://wxaurl.cn/a", 1_902_592_000_000)
    assert [request.json["query"] for request in script.asked(LINK)] == ["sale=spring"]
