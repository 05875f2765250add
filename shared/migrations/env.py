"""Alembic's entry: run by ``spotmill migrate``, which passes a connection."""

from alembic import context

from shared.models import Base


def include(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Leave alone what the models do not describe: functions and policies are no tables."""
    return not (kind == "table" and name == "alembic_version")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=include,
    compare_type=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
