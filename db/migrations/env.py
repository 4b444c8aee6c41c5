"""What Alembic runs: the revisions between what a database has and what it is to have, on a given connection."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    transactional_ddl=connection.dialect.name == "sqlite",
    version_table=context.config.attributes["table"],
)
context.run_migrations()
