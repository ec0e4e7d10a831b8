"""What RSA costs the simulator: every signature is counted, in whatever thread it is made."""

import os
import threading

from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.keys import credentials, crypto
from engine.simulator.keys.costs import Costs, Share, Spent, document
from engine.simulator.keys.credentials import Credentials
from tests.simulator.conftest import Caller, Receiver

counts = st.integers(min_value=0, max_value=10**9)
spents = st.builds(Spent, signed=counts, verified=counts)


def test_signatures_of_many_threads_are_all_counted(names: Credentials) -> None:
    costs, key = Costs(), credentials.private_key(names.private_key_file)
    threads = [
        threading.Thread(target=lambda: [costs.sign(key, b"message") for _ in range(20)], daemon=True) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert costs.spent().signed == 80


def test_a_counted_signature_is_a_right_one(names: Credentials) -> None:
    key = credentials.private_key(names.private_key_file)
    assert crypto.verify(key.public_key(), b"message", Costs().sign(key, b"message"))


def test_wrong_signatures_are_refused_and_counted_too(names: Credentials) -> None:
    costs, key = Costs(), credentials.private_key(names.private_key_file)
    right = crypto.sign(key, b"message")
    judged = [costs.verify(key.public_key(), message, right) for message in (b"message", b"another")]
    assert (judged, costs.spent().verified) == ([True, False], 2)


def test_the_whole_is_never_less_than_its_parts(names: Credentials) -> None:
    costs, key = Costs(), credentials.private_key(names.private_key_file)
    costs.verify(key.public_key(), b"message", costs.sign(key, b"message"))
    spent = costs.spent()
    assert 0 < spent.sign_cpu_s + spent.verify_cpu_s <= spent.cpu_s


@given(st.lists(spents, max_size=5))
def test_the_total_is_the_sum_of_those_that_told(told: list[Spent]) -> None:
    shares = [Share(pid, "front", spent) for pid, spent in enumerate(told)]
    total = document([*shares, Share(99, "caller", None)])["total"]
    assert (
        total
        == Spent(signed=sum(each.signed for each in told), verified=sum(each.verified for each in told)).document()
    )


async def test_a_simulator_in_one_process_tells_one_share(caller: Caller, receiver: Receiver) -> None:
    await caller.order_and_pay()
    await receiver.wait(1)
    (process,) = (await caller.house("GET", "/_admin/costs")).json["processes"]
    assert (process["pid"], process["role"]) == (os.getpid(), "alone")
    assert (process["signed"], process["verified"]) == (2, 2)


async def test_a_request_that_is_refused_before_its_signature_is_looked_at_costs_none(caller: Caller) -> None:
    await caller.send("POST", "/v3/pay/transactions/jsapi", caller.terms(), Authorization="nonsense")
    total = (await caller.house("GET", "/_admin/costs")).json["total"]
    assert (total["signed"], total["verified"]) == (0, 0)
