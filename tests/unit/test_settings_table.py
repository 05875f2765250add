"""The documentation of the settings is the code's."""

from shared.settings_table import TABLE, render


def test_the_table_of_settings_is_current() -> None:
    """``docs/settings.md`` is what ``python -m shared.settings_table`` writes now."""
    assert TABLE.read_text(encoding="utf-8") == render(), "run: python -m shared.settings_table"
