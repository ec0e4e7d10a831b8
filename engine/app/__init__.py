"""The only place that wires: settings become stores, rooms, routes and jobs. Everything else receives.

Three processes are built here from the same parts: a web worker, the jobs, and a single audit.
"""

import uvloop

from engine.app import audit, jobs, worker
from engine.app.house import seal_keys
from engine.app.process import settle_in, write_logs
from engine.config import Config
from engine.orders.auditor import AuditReport

__all__ = ["run_audit", "run_jobs", "run_worker", "seal_keys"]


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
