"""Who may do what: a seal is good for one buyer, one purpose, one sale and a time, and nobody learns of others."""

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from engine.app import seal_keys
from engine.infra.seals import Purpose, SealKeys
from engine.line.place import Cohort, Pass, Place, seal_pass, seal_place
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import Engine, OnSale

HOUR_S = 3600


@pytest.fixture(scope="package")
def keys(engine: Engine) -> SealKeys:
    """The keys of this engine, to make seals that it never gave."""
    return seal_keys(engine.config)


def digest_in(buyer: Buyer) -> bytes:
    """The buyer's digest, as their seal shows it."""
    return urlsafe_b64decode(buyer.seal + "=" * (-len(buyer.seal) % 4))[6:22]


def flipped(seal: str) -> str:
    """The same seal with one bit of its payload turned."""
    raw = bytearray(urlsafe_b64decode(seal + "=" * (-len(seal) % 4)))
    raw[8] ^= 1
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


NEVER_GIVEN = ["", "x", "A" * 511, "A" * 3000, "票" * 20, "AQ", "%00", "=", "a b", "....", "null"]


async def test_every_buyer_address_asks_for_a_login(crowd: Crowd, sale: OnSale) -> None:
    for method, path in [
        ("POST", f"/v1/sales/{sale.sale_id}/places"),
        ("GET", f"/v1/sales/{sale.sale_id}/places/me"),
        ("POST", f"/v1/sales/{sale.sale_id}/pass"),
        ("POST", f"/v1/sales/{sale.sale_id}/orders"),
        ("GET", "/v1/orders"),
        ("GET", "/v1/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("DELETE", "/v1/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("POST", "/v1/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA/payment"),
    ]:
        answer = await crowd.ask(method, path)
        assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED"), (method, path)


@pytest.mark.parametrize("shown", NEVER_GIVEN, ids=lambda shown: repr(shown[:12]))
async def test_seal_that_was_never_given_is_401(crowd: Crowd, shown: str) -> None:
    answer = await crowd.ask("GET", "/v1/orders", headers={"Authorization": f"Bearer {shown}"})
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")


@pytest.mark.parametrize("scheme", ["", "Basic ", "bearer", "Bearer", "Bearer  ", "Token "])
async def test_seal_under_another_scheme_is_401(crowd: Crowd, buyer: Buyer, scheme: str) -> None:
    answer = await crowd.ask("GET", "/v1/orders", headers={"Authorization": f"{scheme}{buyer.seal}"})
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")


async def test_forged_seal_is_401(crowd: Crowd, buyer: Buyer) -> None:
    answer = await crowd.ask("GET", "/v1/orders", headers={"Authorization": f"Bearer {flipped(buyer.seal)}"})
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")


async def test_expired_seal_is_401(crowd: Crowd, buyer: Buyer, keys: SealKeys) -> None:
    expired = keys.seal(Purpose.BUYER, digest_in(buyer), expires_s=int(time.time()) - 1)
    answer = await crowd.ask("GET", "/v1/orders", headers={"Authorization": f"Bearer {expired}"})
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")


async def test_seal_of_an_unknown_key_is_401(crowd: Crowd, buyer: Buyer) -> None:
    foreign = SealKeys({7: b"f" * 32}, 7).seal(Purpose.BUYER, digest_in(buyer), expires_s=int(time.time()) + HOUR_S)
    answer = await crowd.ask("GET", "/v1/orders", headers={"Authorization": f"Bearer {foreign}"})
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")


async def test_place_and_pass_are_no_login(crowd: Crowd, buyer: Buyer, sale: OnSale) -> None:
    for seal in (buyer.places[sale.sale_id], buyer.passes[sale.sale_id]):
        answer = await crowd.ask("GET", "/v1/orders", headers={"Authorization": f"Bearer {seal}"})
        assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")


async def order_with_pass(buyer: Buyer, sale: OnSale, shown: str) -> tuple[int, str]:
    buyer.passes[sale.sale_id] = shown
    answer = await buyer.order(sale.sale_id, {sale.skus[0]: 1})
    return answer.status, answer.code


@pytest.mark.parametrize("shown", NEVER_GIVEN, ids=lambda shown: repr(shown[:12]))
async def test_pass_that_was_never_given_is_403(buyer: Buyer, sale: OnSale, shown: str) -> None:
    assert await order_with_pass(buyer, sale, shown) == (403, "PASS_INVALID")


async def test_another_buyers_pass_is_403(crowd: Crowd, buyer: Buyer, sale: OnSale) -> None:
    other = await crowd.ready_buyer(sale.sale_id)
    assert await order_with_pass(buyer, sale, other.passes[sale.sale_id]) == (403, "PASS_INVALID")


async def test_pass_of_another_sale_is_403(buyer: Buyer, sale: OnSale, keys: SealKeys) -> None:
    other = seal_pass(keys, Pass(digest_in(buyer), "another-sale", 0, 1, bytes(8)), expires_s=int(time.time()) + HOUR_S)
    assert await order_with_pass(buyer, sale, other) == (403, "PASS_INVALID")


async def test_expired_pass_is_403(buyer: Buyer, sale: OnSale, keys: SealKeys) -> None:
    expired = seal_pass(keys, Pass(digest_in(buyer), sale.sale_id, 0, 1, bytes(8)), expires_s=int(time.time()) - 1)
    assert await order_with_pass(buyer, sale, expired) == (403, "PASS_INVALID")


async def test_forged_pass_is_403(buyer: Buyer, sale: OnSale) -> None:
    assert await order_with_pass(buyer, sale, flipped(buyer.passes[sale.sale_id])) == (403, "PASS_INVALID")


async def test_place_is_no_pass(buyer: Buyer, sale: OnSale) -> None:
    assert await order_with_pass(buyer, sale, buyer.places[sale.sale_id]) == (403, "PASS_INVALID")


@pytest.mark.parametrize(("method", "name"), [("GET", "places/me"), ("POST", "pass")])
class TestPlaces:
    async def told(self, buyer: Buyer, sale: OnSale, method: str, name: str, place: str) -> tuple[int, str]:
        answer = await buyer.ask(method, f"/v1/sales/{sale.sale_id}/{name}", headers={"Floodgate-Place": place})
        return answer.status, answer.code

    async def test_another_buyers_place_is_403(
        self, crowd: Crowd, buyer: Buyer, sale: OnSale, method: str, name: str
    ) -> None:
        other = await crowd.ready_buyer(sale.sale_id)
        told = await self.told(buyer, sale, method, name, other.places[sale.sale_id])
        assert told == (403, "PLACE_INVALID")

    async def test_place_in_another_sale_is_403(
        self, buyer: Buyer, sale: OnSale, keys: SealKeys, method: str, name: str
    ) -> None:
        place = Place(digest_in(buyer), "another-sale", 0, Cohort.LIVE, 1, 0)
        other = seal_place(keys, place, expires_s=int(time.time()) + HOUR_S)
        assert await self.told(buyer, sale, method, name, other) == (403, "PLACE_INVALID")

    async def test_expired_place_is_403(
        self, buyer: Buyer, sale: OnSale, keys: SealKeys, method: str, name: str
    ) -> None:
        place = Place(digest_in(buyer), sale.sale_id, 0, Cohort.LIVE, 1, 0)
        expired = seal_place(keys, place, expires_s=int(time.time()) - 1)
        assert await self.told(buyer, sale, method, name, expired) == (403, "PLACE_INVALID")

    async def test_place_that_was_never_given_is_403(self, buyer: Buyer, sale: OnSale, method: str, name: str) -> None:
        for shown in NEVER_GIVEN:
            assert await self.told(buyer, sale, method, name, shown) == (403, "PLACE_INVALID"), shown

    async def test_place_of_a_genuine_seal_with_an_unreadable_sale_is_403(
        self, buyer: Buyer, sale: OnSale, keys: SealKeys, method: str, name: str
    ) -> None:
        payload = digest_in(buyer) + bytes(8) + sale.sale_id.encode() + "票".encode()
        odd = keys.seal(Purpose.PLACE, payload, expires_s=int(time.time()) + HOUR_S)
        assert await self.told(buyer, sale, method, name, odd) == (403, "PLACE_INVALID")


async def test_joining_again_gives_the_same_position(buyer: Buyer, sale: OnSale) -> None:
    path = f"/v1/sales/{sale.sale_id}/places"
    first, second = await buyer.ask("POST", path), await buyer.ask("POST", path)
    assert first.json["position"] == second.json["position"]


async def test_joining_with_another_buyers_place_is_403(crowd: Crowd, buyer: Buyer, sale: OnSale) -> None:
    other = await crowd.ready_buyer(sale.sale_id)
    answer = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/places", body={"place": other.places[sale.sale_id]})
    assert (answer.status, answer.code) == (403, "PLACE_INVALID")


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/payment")])
async def test_another_buyers_order_is_as_unknown_as_none(
    crowd: Crowd, buyer: Buyer, sale: OnSale, method: str, rest: str
) -> None:
    owner = await crowd.ready_buyer(sale.sale_id)
    order_no = (await owner.order(sale.sale_id, {sale.skus[0]: 1})).json["order_no"]
    theirs = await buyer.ask(method, f"/v1/orders/{order_no}{rest}")
    nobodys = await buyer.ask(method, f"/v1/orders/{order_no[::-1]}{rest}")
    misspelt = await buyer.ask(method, f"/v1/orders/not-an-order{rest}")
    assert (theirs.status, theirs.code) == (404, "UNKNOWN_ORDER")
    assert theirs.raw == nobodys.raw == misspelt.raw
    assert await owner.order_state(order_no) == "held"


@pytest.mark.parametrize("shown", ["%00", "%0d%0a", "%E7%A5%A8", "..", "%ff%fe", "%2e%2e%2f", "'--", "A" * 2000, "%"])
async def test_odd_order_number_or_sale_id_is_404(buyer: Buyer, shown: str) -> None:
    for method, path in [
        ("GET", f"/v1/orders/{shown}"),
        ("DELETE", f"/v1/orders/{shown}"),
        ("POST", f"/v1/orders/{shown}/payment"),
        ("GET", f"/v1/sales/{shown}"),
        ("GET", f"/v1/sales/{shown}/line"),
        ("POST", f"/v1/sales/{shown}/places"),
        ("POST", f"/v1/sales/{shown}/orders"),
    ]:
        answer = await buyer.ask(method, path)
        assert answer.status == 404, (method, path)
        assert answer.code in ("UNKNOWN_ORDER", "UNKNOWN_SALE", "UNKNOWN_ROUTE"), (method, path)


async def test_one_buyer_sees_only_own_orders(crowd: Crowd, buyer: Buyer, sale: OnSale) -> None:
    other = await crowd.ready_buyer(sale.sale_id)
    placed = await buyer.order(sale.sale_id, {sale.skus[0]: 1})
    assert placed.status == 201
    assert (await other.ask("GET", "/v1/orders")).json == {"orders": []}
    assert (await buyer.ask("GET", "/v1/orders")).json == {"orders": [placed.json]}


@pytest.mark.parametrize("shown", ["", "Bearer ", "Bearer wrong", "Bearer \u7968", "KEY", "Basic KEY", "bearer KEY"])
async def test_admin_addresses_ask_for_the_admin_key(engine: Engine, crowd: Crowd, sale: OnSale, shown: str) -> None:
    headers = {"Authorization": shown.replace("KEY", engine.admin_key)} if shown else {}
    answer = await crowd.ask("GET", f"{engine.admin_url}/admin/v1/sales/{sale.sale_id}", headers=headers)
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")
