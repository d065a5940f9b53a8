"""Labels of the target that differ in case or blanks alone, taken for one class."""

import pandas as pd

from pipeline.data.messages import Messages
from pipeline.data.notation import is_text
from pipeline.serving import folded


def one_spelling(tables: dict[str, pd.DataFrame], target: str, messages: Messages) -> dict[str, pd.DataFrame]:
    """Return the tables with each label in the spelling that is most frequent in the first, with a note for each table.

    Labels that are declared categorical, in the file or by `data.kinds`, stay as they are.
    """
    labels = next(iter(tables.values()))[target]
    if not is_text(labels):
        return tables
    frequent: dict[str, str] = {}
    for label in labels.value_counts().index:
        frequent.setdefault(folded(label), label)
    for setting, table in tables.items():
        spelt = table[target].map(
            {label: frequent.get(folded(label), label) for label in table[target].dropna().unique()}
        )
        if different := sorted(set(table[target][spelt != table[target]].dropna())):
            pairs = ", ".join(f"{label!r} as {frequent[folded(label)]!r}" for label in different)
            messages.notes.append(
                f"{setting}: labels of the target that differ in case or blanks alone are one class, {pairs}; "
                f"data.kinds: {{{target}: category}} keeps them apart"
            )
        tables = tables | {setting: table.assign(**{target: spelt})}
    return tables
