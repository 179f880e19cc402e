"""Directives of the reference: the keys of a group, the keys of a command, and a command's help."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Iterable
from typing import Any, get_type_hints

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from brainage import __main__
from brainage.config.commands import COMMAND_SCHEMAS
from brainage.config.schema import Config
from docs.sphinx_ext.docstrings import described
from docs.sphinx_ext.groups import sections_of
from docs.sphinx_ext.keys import Key, as_yaml, key_of, keys_of
from docs.sphinx_ext.values import choices, composed, default_choice, default_text

# Groups without keys of their own: their choices set those of other groups.
COMBINING = ("sweep", "experiment")


class _Markdown(SphinxDirective):
    """A directive whose argument becomes Markdown."""

    required_arguments = 1
    final_argument_whitespace = True

    def markdown(self, argument: str) -> str:
        """Return what takes the directive's place."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown."""
        self.env.note_reread()  # the schemas may have changed, whether or not the page has
        self.known = {name for kind, name in self.env.domains.standard_domain.objects if kind == "confval"}
        return self.parse_text_to_nodes(self.markdown(self.arguments[0]))

    def entry(self, key: Key, default: str) -> str:
        """Return one key; the first of a name is the one that searches and links lead to."""
        of = f"{key.kind}{', ' if key.kind and key.rule else ''}{key.rule}"
        lines = [f":::{{confval}} {key.name}", *([":no-index:"] if key.name in self.known else [])]
        lines += [f":type: {of}"] if of else []
        self.known.add(key.name)
        return "\n".join([*lines, f":default: {default}", "", key.text, ":::", ""])


class GroupDirective(_Markdown):
    """The choices of a group, and its keys."""

    def markdown(self, argument: str) -> str:
        """Return a table of choices, and an entry a key."""
        default, parts = default_choice(argument), []
        if listed := choices(argument):
            rows = [f"| `{name}`{' (default)' if name == default else ''} | {text} |" for name, text in listed.items()]
            parts = [f"| `{argument}=` | |", "|---|---|", *rows, ""]
        if argument in COMBINING:
            return "\n".join(parts)
        sections = sections_of(argument)
        for section in sections:
            if len(sections) > 1:
                of = ", ".join(f"`{name}`" for name in listed if name in section.choices)
                of = "" if section.choices == set(listed) or section.title.startswith("`") else f"{of}: "
                parts.append(f":::{{rubric}} {of}{section.title}\n:::\n")
            parts += [self.entry(key, default_text(section.values[name])) for name, key in section.keys.items()]
        return "\n".join(parts)


class CommandDirective(_Markdown):
    """The keys of a command; its groups are elsewhere."""

    def markdown(self, argument: str) -> str:
        """Return an entry a key."""
        return "\n".join(self.entry(key, default_text({"": value})) for key, value in command_keys(argument))


def command_keys(command: str) -> Iterable[tuple[Key, Any]]:
    """Return the keys of a command with their defaults; groups with choices are one key each."""
    schema = COMMAND_SCHEMAS.get(command, Config)
    values = composed(command)
    hints = get_type_hints(schema, include_extras=True)
    for field in dataclasses.fields(schema):
        if choices(field.name):
            default = default_choice(field.name) if command == "train" else values.get(field.name)
            text = (
                f"{as_yaml(described(schema, field.name)[1])} Choices and keys: [{field.name}](groups.md#{field.name})."
            )
            yield Key(field.name, "group", "", text), default
        elif dataclasses.is_dataclass(hints[field.name]):
            inner = keys_of(hints[field.name], f"{field.name}.")
            yield from ((key, values[field.name][key.name.partition(".")[2]]) for key in inner)
        else:
            yield key_of(schema, field.name, hints[field.name], field.name), values.get(field.name)


class HelpDirective(_Markdown):
    """What ``brainage COMMAND --help`` prints."""

    def markdown(self, argument: str) -> str:
        """Return a block of text."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            __main__.main([*argument.split(), "--help"])
        return f"```{{code-block}} text\n:class: help\n\n{printed.getvalue()}```"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("group-keys", GroupDirective)
    app.add_directive("command-keys", CommandDirective)
    app.add_directive("command-help", HelpDirective)
    return {"parallel_read_safe": True}
