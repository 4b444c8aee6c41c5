"""Every route of people, galleries and jobs stands in the page, with the role that it asks for."""

import re
from pathlib import Path

import pytest

from recognizer.service.routers import galleries, jobs, people, photos, undo

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "people-and-jobs.md").read_text(encoding="utf-8")
ROUTES = [
    (sorted(route.methods)[0], route)
    for router in (people, photos, undo, galleries, jobs)
    for route in router.router.routes
]


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=lambda each: getattr(each, "path", each))
def test_every_route_stands_in_the_page_with_its_role(method, route):
    path = re.sub(r"{(photo|job_id)}", "{id}", route.path).lstrip("/")
    row = re.search(rf"^\| .*`{method} {re.escape(path)}`.* \| (\w+) \| .+ \|$", PAGE, re.MULTILINE)
    assert row, f"docs/people-and-jobs.md has no row for {method} {path}"
    roles = [
        cell.cell_contents
        for each in route.dependencies
        for cell in each.dependency.__closure__ or ()
        if isinstance(cell.cell_contents, int)
    ]
    assert ["read", "enrol", "admin"][max(roles)] == row[1]


def test_every_parameter_of_a_query_stands_in_the_page():
    names = {parameter.name for _, route in ROUTES for parameter in route.dependant.query_params}
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in PAGE and f"`{name}=" not in PAGE] == []
