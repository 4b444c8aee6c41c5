"""A database as version 0.1.0 made it (its schema version 1), with people in it."""

import json

import numpy as np
import sqlalchemy as sa
from gallery_process import DIGEST, embedding

TABLES = """
CREATE TABLE schema_version (version INTEGER NOT NULL{counted_only})
CREATE TABLE galleries ({id}, name VARCHAR(255) NOT NULL, model_name VARCHAR(255) NOT NULL,
    model_digest VARCHAR(255) NOT NULL, dimension INTEGER NOT NULL, revision BIGINT NOT NULL, threshold DOUBLE,
    threshold_far DOUBLE, created {moment} NOT NULL{primary}, UNIQUE (name))
CREATE TABLE deletions (gallery_id {key} NOT NULL, person_id {key} NOT NULL, revision BIGINT NOT NULL,
    PRIMARY KEY (gallery_id, person_id), FOREIGN KEY(gallery_id) REFERENCES galleries (id))
CREATE INDEX deletions_revision ON deletions (gallery_id, revision)
CREATE TABLE persons ({id}, gallery_id {key} NOT NULL, name VARCHAR(255) NOT NULL, metadata JSON,
    revision BIGINT NOT NULL, created {moment} NOT NULL{primary},
    CONSTRAINT persons_name UNIQUE (gallery_id, name), FOREIGN KEY(gallery_id) REFERENCES galleries (id))
CREATE INDEX persons_revision ON persons (gallery_id, revision)
CREATE TABLE faces ({id}, person_id {key} NOT NULL, embedding {blob} NOT NULL, crop {blob}, source TEXT,
    score DOUBLE, created {moment} NOT NULL{primary}, FOREIGN KEY(person_id) REFERENCES persons (id))
CREATE INDEX ix_faces_person_id ON faces (person_id)
CREATE TABLE templates (person_id {key} NOT NULL, mean {blob} NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (person_id), FOREIGN KEY(person_id) REFERENCES persons (id))
"""
SQLITE = {
    "counted_only": " PRIMARY KEY AUTOINCREMENT",
    "id": "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "primary": "",
    "key": "INTEGER",
    "blob": "BLOB",
    "moment": "DATETIME",
}
MYSQL = {
    "counted_only": ", PRIMARY KEY (version)",
    "id": "id BIGINT NOT NULL AUTO_INCREMENT",
    "primary": ", PRIMARY KEY (id)",
    "key": "BIGINT",
    "blob": "LONGBLOB",
    "moment": "DATETIME(6)",
}
MYSQL_OPTIONS = " ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin"

NAMES = ["Ann", "ann", "Änn", "'; DROP TABLE persons; --", "😀" * 255, "Bob"]
GALLERIES = {1: ("default", 17, 0.25, 1e-4), 2: ("Zweite 😀", 3, None, None)}  # name, revision, threshold, its FAR
DELETED = [(1, 1, 4), (1, 90_000, 16), (2, 2, 2)]  # gallery, person, revision


def people(more: int = 0) -> dict[int, list[dict]]:
    """The persons of each gallery, with the values of all columns and a list of faces."""
    found, person_id, face_id = {}, 10, 100
    for gallery_id in GALLERIES:
        found[gallery_id] = []
        for position, name in enumerate(NAMES[: 8 - 3 * gallery_id] + [f"p{i}" for i in range(more)]):
            person_id += 1
            faces = []
            for k in range(1 + position % 3):
                face_id += 1
                crop, score = (b"\xff\xd8" + bytes([k]) * 100, 0.5 + k / 8) if k else (None, None)
                source, created = f"{name[:9]}/{k}.jpg" if k else None, f"2024-02-0{k + 1} 03:04:05.000006"
                faces.append({"id": face_id, "crop": crop, "source": source, "score": score, "created": created})
            metadata = {"team": "é😀", "n": [1, None, 2.5]} if position == 0 else None
            found[gallery_id].append({"id": person_id, "name": name, "metadata": metadata, "revision": position % 4 + 1,
                                      "created": "2023-12-31 23:59:59.999999", "faces": faces})  # fmt: skip
    return found


def mean(faces: list[dict]) -> np.ndarray:
    """The template of a person of these faces."""
    return np.mean([embedding(face["id"]) for face in faces], axis=0, dtype=np.float64).astype(np.float32)


def make(url: str, more: int = 0) -> None:
    """Create the tables in an empty database and put the people in, ``more`` than those of NAMES."""
    on_sqlite = url.startswith("sqlite")
    engine = sa.create_engine(
        url.replace("mysql://", "mysql+mysqlconnector://"),
        connect_args={} if on_sqlite else {"charset": "utf8mb4", "collation": "utf8mb4_bin"},
    )
    with engine.begin() as connection:
        for statement in TABLES.strip().replace("\n    ", " ").splitlines():
            is_table = statement.startswith("CREATE TABLE") and not on_sqlite
            connection.exec_driver_sql(
                statement.format(**(SQLITE if on_sqlite else MYSQL)) + (MYSQL_OPTIONS if is_table else "")
            )

        def insert(table: str, rows: list[dict]) -> None:
            columns = ", ".join(rows[0])
            values = ", ".join(f":{column}" for column in rows[0])
            connection.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), rows)

        insert("schema_version", [{"version": 1}])
        for gallery_id, (name, revision, threshold, far) in GALLERIES.items():
            insert("galleries", [{"id": gallery_id, "name": name, "model_name": "tiny", "model_digest": DIGEST,
                                  "dimension": 64, "revision": revision, "threshold": threshold, "threshold_far": far,
                                  "created": "2023-01-02 03:04:05.000000"}])  # fmt: skip
        for gallery_id, some in people(more).items():
            insert("persons", [
                {key: person[key] for key in ("id", "name", "revision", "created")}
                | {"gallery_id": gallery_id, "metadata": person["metadata"] and json.dumps(person["metadata"])}
                for person in some
            ])  # fmt: skip
            insert("faces", [
                face | {"person_id": person["id"], "embedding": embedding(face["id"]).tobytes()}
                for person in some for face in person["faces"]
            ])  # fmt: skip
            insert("templates", [
                {"person_id": person["id"], "mean": mean(person["faces"]).tobytes(), "count": len(person["faces"])}
                for person in some
            ])  # fmt: skip
        insert("deletions", [{"gallery_id": a, "person_id": b, "revision": c} for a, b, c in DELETED])
    engine.dispose()
