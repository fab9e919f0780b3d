"""`docs/API_Reference.md`, made from the OpenAPI document: `python -m serve_apps.api.reference`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from serve_apps.api.app import describe_app
from serve_apps.api.openapi import openapi_document

DEFAULT_PATH = Path("docs/API_Reference.md")
_HEAD = """# API reference

Made from the OpenAPI document by `python -m serve_apps.api.reference`; do not edit.
The document itself is served at `/v1/openapi.json`, browsable at `/docs`.

{description}
"""


def reference() -> str:
    """The page, in Markdown."""
    document = openapi_document(describe_app())
    parts = [_HEAD.format(description=document["info"]["description"])]
    tag = None
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                parts.append(f"## {tag.capitalize()}\n")
            parts.append(_operation(method.upper(), path, operation))
    parts.append("## Schemas\n")
    parts += [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"### `{method} {path}`\n", _prose(operation.get("description", "")), ""]
    if "security" not in operation:
        lines.insert(1, "*No sign-in.*\n")
    parameters = operation.get("parameters", [])
    if parameters:
        lines += ["| parameter | in | type | |", "|---|---|---|---|"]
        lines += [_parameter(parameter) for parameter in parameters]
        lines.append("")
    body = operation.get("requestBody")
    if body is not None:
        optional = "" if body["required"] else " (may be left out)"
        lines.append(f"Body{optional}: {_body(body['content'])}\n")
    lines += ["| status | answer |", "|---|---|"]
    lines += [
        f"| {status} | {_answer(answer)} |" for status, answer in operation["responses"].items()
    ]
    lines.append("")
    return "\n".join(lines)


def _body(content: dict[str, Any]) -> str:
    """The schema of a JSON body; a file's media types."""
    kinds = [kind for kind, each in content.items() if each["schema"].get("format") == "binary"]
    if kinds:
        return f"a file: {', '.join(f'`{kind}`' for kind in kinds)}"
    return _type(content["application/json"]["schema"])


def _parameter(parameter: dict[str, Any]) -> str:
    must = "required" if parameter.get("required") else ""
    words = _cell(parameter.get("description", ""))
    note = "; ".join(part for part in (must, words) if part)
    return f"| `{parameter['name']}` | {parameter['in']} | {_type(parameter['schema'])} | {note} |"


def _answer(answer: dict[str, Any]) -> str:
    for kind, content in answer.get("content", {}).items():
        if kind == "application/problem+json":
            return _cell(answer["description"])
        return _type(content["schema"]) if kind == "application/json" else f"`{kind}`"
    return "no body"


def _schema(name: str, schema: dict[str, Any]) -> str:
    lines = [f"### {name}\n", _prose(schema.get("description", "")), ""]
    required = set(schema.get("required", []))
    lines += ["| member | type | |", "|---|---|---|"]
    for member, kind in schema.get("properties", {}).items():
        note = "" if member in required else "may be left out"
        words = "; ".join(part for part in (note, _cell(kind.get("description", ""))) if part)
        lines.append(f"| `{member}` | {_type(kind)} | {words} |")
    lines.append("")
    return "\n".join(lines)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    kind = str(schema.get("format") or schema.get("type", "any"))
    return kind + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    if low is None and high is None:
        return ""
    what = " characters" if "maxLength" in schema or "minLength" in schema else ""
    if high is None:
        return f", from {low}{what}"
    return f", {low if low is not None else ''}…{high}{what}"


def _prose(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PATH
    path.write_text(reference())


if __name__ == "__main__":
    main()
