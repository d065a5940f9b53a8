"""The recommended settings as YAML, ready to paste into `params.yaml`."""

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

SECTIONS = ("model", "train")


def as_yaml(settings: dict[str, dict[str, Any]], baseline: dict[str, dict[str, Any]]) -> str:
    """The sections model and train, whole, so that nothing stays that stood there before.

    A setting that is not the baseline's has that as a comment.
    """
    yaml, text = YAML(), StringIO()
    yaml.representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    content = {name: _commented(settings[name], baseline.get(name, {})) for name in SECTIONS if name in settings}
    yaml.dump(content, text)
    return text.getvalue()


def _commented(section: dict[str, Any], baseline: dict[str, Any]) -> CommentedMap:
    result = CommentedMap()
    for name, value in section.items():
        result[name] = _plain(value)
        if name in baseline and baseline[name] != value and not isinstance(value, dict):
            result.yaml_add_eol_comment(f"baseline: {_told(baseline[name])}", name)
    return result


def _plain(value: Any) -> Any:
    if not isinstance(value, dict | list):
        return value
    in_a_row = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
    in_a_row.fa.set_flow_style()
    return in_a_row


def _told(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
