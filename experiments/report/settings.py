"""The recommended settings as YAML, ready to paste into `params.yaml`."""

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from experiments.report.language import _

SECTIONS = ("model", "train")


def as_yaml(settings: dict[str, dict[str, Any]], baseline: dict[str, dict[str, Any]]) -> str:
    """Return the whole sections model and train, so that pasting them replaces every earlier setting.

    A setting that differs from the baseline's has the baseline's value as a comment.
    """
    yaml, text = YAML(), StringIO()
    yaml.representer.add_representer(type(None), lambda r, value: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    content = {name: _commented(settings[name], baseline.get(name, {})) for name in SECTIONS if name in settings}
    yaml.dump(content, text)
    return text.getvalue()


def _commented(section: dict[str, Any], baseline: dict[str, Any]) -> CommentedMap:
    result = CommentedMap()
    for name, value in section.items():
        result[name] = _plain(value)
        if name in baseline and baseline[name] != value and not isinstance(value, dict):
            result.yaml_add_eol_comment(_("baseline: {value}").format(value=_as_text(baseline[name])), name)
    return result


def _plain(value: Any) -> Any:
    if not isinstance(value, dict | list):
        return value
    one_line = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
    one_line.fa.set_flow_style()
    return one_line


def _as_text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
