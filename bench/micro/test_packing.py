"""Packing a full batch for the reserve script, as a worker does it: from claims to the arguments of the command."""

from bench.micro.beside import Beside
from bench.micro.claims import fresh_claims
from bench.micro.sending import CatchingStore, command_of
from bench.micro.yardsticks import python_steps
from engine.infra.keys import SaleKeys
from engine.stock.stock import Stock

BATCH = 250


def test_a_batch_of_250_claims_is_packed(beside: Beside) -> None:
    stock, keys, claims = Stock(CatchingStore()), SaleKeys.of("micro"), fresh_claims(BATCH)
    beside(lambda: command_of(stock.reserve(keys, 1, claims)), python_steps)
