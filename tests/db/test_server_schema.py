"""The tables as a real server has made them."""

import pytest
from gallery_process import check_exact, faces, gallery_of

import db
from common.errors import DatabaseError
from db import schema


@pytest.fixture
def columns(database_server, server_database, server_url):
    """(type, nullable, collation) by (table, column), as the server tells them."""
    db.open(server_url).close()
    found = database_server.ask(
        "SELECT table_name, column_name, column_type, is_nullable, collation_name FROM information_schema.columns "
        f"WHERE table_schema = '{server_database}'"
    )
    text = lambda value: value.decode() if isinstance(value, bytes) else value  # noqa: E731
    return {(row[0], row[1]): tuple(map(text, row[2:])) for row in found}


def test_tables_are_transactional_and_names_tell_case_and_accents_apart(database_server, server_database, columns):
    engines = database_server.ask(
        f"SELECT table_name, engine FROM information_schema.tables WHERE table_schema = '{server_database}'"
    )
    assert {table for table, _ in engines} == {*schema.tables.tables, "alembic_version"}
    assert {engine for _, engine in engines} == {"InnoDB"}
    for name in ("persons", "gallery_names"):
        assert columns[name, "name"] == ("varchar(255)", "NO", "utf8mb4_bin")
    for (table, _), (_, _, collation) in columns.items():
        assert table == "alembic_version" or collation in (None, "utf8mb4_bin")


def test_columns_hold_what_sqlite_holds(columns):
    plain = {key: (kind.replace("(20)", ""), nullable) for key, (kind, nullable, _) in columns.items()}
    assert plain["faces", "embedding"] == plain["templates", "mean"] == ("longblob", "NO")
    assert plain["faces", "crop"] == ("longblob", "YES")
    assert plain["persons", "id"] == plain["faces", "digest"] == plain["galleries", "revision"] == ("bigint", "NO")
    assert plain["persons", "created"] == ("datetime(6)", "NO")
    assert plain["galleries", "threshold"] == ("double", "YES")


def test_every_reference_is_enforced(database_server, server_database, columns):
    found = database_server.ask(
        "SELECT table_name, column_name, referenced_table_name FROM information_schema.key_column_usage "
        f"WHERE table_schema = '{server_database}' AND referenced_table_name IS NOT NULL"
    )
    expected = {
        (table.name, key.parent.name, key.column.table.name)
        for table in schema.tables.tables.values()
        for key in table.foreign_keys
    }
    assert set(found) == expected and len(expected) >= 7


def test_ids_of_the_deleted_are_not_given_out_again_after_a_restart(private_server, server_url):
    with db.open(server_url) as database:
        gallery = gallery_of(database)
        first = gallery.add("Ann", faces(1)).id
        gallery.delete("Ann")
        private_server.stop()
        private_server.start()
        assert gallery.add("Bob", faces(1)).id > first


def test_a_user_who_may_only_read_and_write_rows_can_use_a_database_that_is_set_up(private_server, server_database):
    private_server.ask(
        "CREATE USER writer@'%' IDENTIFIED BY 'secret'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {server_database}.* TO writer@'%'",
    )
    try:
        url = private_server.url(server_database, username="writer", password="secret")
        with pytest.raises(DatabaseError, match="lacks a right"):
            db.open(url)
        db.open(private_server.url(server_database)).close()
        with db.open(url) as database:
            gallery = gallery_of(database)
            gallery.add("Ann", faces(1))
            gallery.replace({"Ann": faces(2)})
            check_exact(gallery)
            assert gallery.delete("Ann") == ["Ann"]
    finally:
        private_server.ask("DROP USER writer@'%'")
