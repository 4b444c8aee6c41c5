"""The list of galleries: what each holds, and how far those have come that are made from another one."""

from datetime import UTC

import sqlalchemy as sa

from db import following
from db.records import Summary, Threshold
from db.schema import galleries, gallery_names, persons, reembeddings, templates


def summaries(connection: sa.Connection) -> list[Summary]:
    """One :class:`db.records.Summary` per gallery, ordered by name."""
    names = dict(connection.execute(sa.select(gallery_names.c.gallery_id, gallery_names.c.name)).all())
    counted = (
        sa.select(persons.c.gallery_id, sa.func.count(), sa.func.sum(templates.c.count))
        .join_from(persons, templates)
        .group_by(persons.c.gallery_id)
    )
    counts = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(counted)}
    progress = {row.gallery_id: row for row in connection.execute(sa.select(reembeddings))}
    found = []
    for row in connection.execute(sa.select(galleries).where(galleries.c.id.in_(names))):
        threshold = (row.threshold, row.threshold_far, row.threshold_low, row.threshold_high)
        made = progress.get(row.id)
        people, photos = counts.get(row.id, (0, 0))
        found.append(
            Summary(
                names[row.id], row.model_name, row.model_digest, row.dimension, people, photos, row.revision,
                None if row.threshold is None else Threshold(*threshold), row.created.replace(tzinfo=UTC),
                names.get(made.source_id) if made else None, _pending(connection, made) if made else 0,
            )  # fmt: skip
        )
    return sorted(found, key=lambda summary: summary.name)



def _pending(connection: sa.Connection, made: sa.Row) -> int:
    return following.behind(connection, made.source_id, following.Cursor(made.revision, made.person_id))
