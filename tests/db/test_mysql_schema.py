import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from db import schema


@pytest.fixture(scope="module")
def statements():
    """CREATE TABLE of every table, as MySQL gets it."""
    return {
        name: str(CreateTable(table).compile(dialect=mysql.dialect()))
        for name, table in schema.tables.tables.items()
    }


def test_mysql_tables_are_transactional_and_tell_case_and_accents_apart(statements):
    assert len(statements) == 6
    for statement in statements.values():
        assert "ENGINE=InnoDB" in statement
        assert "CHARSET=utf8mb4" in statement and "COLLATE utf8mb4_bin" in statement


def test_mysql_columns_hold_what_sqlite_holds(statements):
    assert "embedding LONGBLOB NOT NULL" in statements["faces"] and "crop LONGBLOB" in statements["faces"]
    assert "mean LONGBLOB NOT NULL" in statements["templates"]
    assert "id BIGINT NOT NULL AUTO_INCREMENT" in statements["persons"]
    assert "name VARCHAR(255) NOT NULL" in statements["persons"]
    assert "created DATETIME(6) NOT NULL" in statements["persons"]
    assert "threshold DOUBLE" in statements["galleries"]


def test_mysql_unique_names_fit_into_an_index():
    for table in (schema.galleries, schema.persons):
        assert table.c.name.type.length * 4 + 8 <= 3072  # bytes of utf8mb4 and the id; InnoDB's limit


def test_creating_a_gallery_locks_a_row_on_mysql():
    locking = sa.select(schema.schema_version).with_for_update()
    assert str(locking.compile(dialect=mysql.dialect())).endswith("FOR UPDATE")
