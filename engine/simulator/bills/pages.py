"""What a drill may do to bills: put a mismatch in, see them all, take them back."""

from engine.simulator.office.office import Office
from engine.simulator.office.pages import Door, parsed_object, plain
from engine.simulator.processes.calls import Page, Visit


def _mislead(office: Office, visit: Visit) -> Page:
    document = parsed_object(visit)
    mchid = document.get("mchid", next(iter(office.merchants)))
    if mchid not in office.merchants:
        return plain({"problems": ["mchid: no such merchant"]}, status=400)
    problem = office.billing.mislead(document, office.merchants[mchid])
    if problem is not None:
        return plain({"problems": [problem]}, status=400)
    return _show(office, visit)


def _show(office: Office, _visit: Visit) -> Page:
    return plain({"mismatches": office.billing.mismatches()})


def _take_back(office: Office, visit: Visit) -> Page:
    office.billing.tell_the_truth()
    return _show(office, visit)


DOORS = (
    Door("GET", "/_admin/bills/mismatches", _show),
    Door("POST", "/_admin/bills/mismatches", _mislead),
    Door("DELETE", "/_admin/bills/mismatches", _take_back),
)
