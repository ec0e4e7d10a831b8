"""The only place that wires: settings become stores, rooms, routes and jobs. Everything else receives.

Four processes are built here from the same parts: a web worker, the jobs, a single audit, a single reconciliation.
"""

from datetime import date

import uvloop

from engine.app import audit, bills, jobs, worker
from engine.app.house import seal_keys
from engine.app.process import settle_in, write_logs
from engine.config import Config
from engine.orders.auditor import AuditReport
from engine.payments.bills.outcome import Outcome

__all__ = ["run_audit", "run_jobs", "run_reconcile", "run_worker", "seal_keys"]


def run_worker(config: Config, *, index: int) -> None:
    """One web worker, until SIGTERM or SIGINT."""
    write_logs(config)
    settle_in()
    uvloop.run(worker.work(config, index))


def run_jobs(config: Config) -> None:
    """The jobs, until SIGTERM or SIGINT."""
    write_logs(config)
    settle_in()
    uvloop.run(jobs.work(config))


def run_audit(config: Config) -> AuditReport:
    """One whole audit. Raises Outage when a store does not answer."""
    write_logs(config)
    return uvloop.run(audit.audit(config))


def run_reconcile(config: Config, day: date, *, repair: bool, strays: bool) -> list[Outcome]:
    """WeChat's bills of a day against the ledger. Raises Outage when a store does not answer, and OSError."""
    write_logs(config)
    return uvloop.run(bills.reconcile(config, day, repair=repair, strays=strays))
