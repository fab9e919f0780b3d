"""The published description: complete, true, and the page made from it current."""

from __future__ import annotations

from pathlib import Path

from serve_apps.api.app import describe_app
from serve_apps.api.openapi import openapi_document
from serve_apps.api.problems import PROBLEMS
from serve_apps.api.reference import DEFAULT_PATH, reference

ROOT = Path(__file__).parents[3]


def test_every_operation_documents_what_the_gate_adds() -> None:
    document = openapi_document(describe_app())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            statuses = operation["responses"].keys()
            assert operation["description"], where
            assert all(
                "X-Request-ID" in answer["headers"] for answer in operation["responses"].values()
            ), where
            if path.startswith("/v1/") and path != "/v1/openapi.json":
                assert {"422", "429", "503"} <= statuses, where
                assert "Retry-After" in operation["responses"]["429"]["headers"], where
            if operation.get("security"):
                assert {"401", "403"} <= statuses, where
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("Idempotency-Key" in names) == ("400" in statuses), where


def test_keys_are_required_where_the_contract_says() -> None:
    document = openapi_document(describe_app())
    required = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key" and parameter["required"]
    }
    assert required == {
        "/v1/checkout",
        "/v1/leads/{lead_id}/buy",
        "/v1/admin/wallets/{user_id}/grants",
    }


def test_every_reference_resolves() -> None:
    document = openapi_document(describe_app())
    components = document["components"]

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                _, kind, name = node["$ref"].removeprefix("#").split("/")[1:]
                assert name in components[kind], node
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(document["paths"])
    walk(components)
    assert set(components["schemas"]["Problem"]["properties"]["type"]["enum"]) == set(PROBLEMS)


def test_the_reference_page_is_current() -> None:
    page = (ROOT / DEFAULT_PATH).read_text()
    assert page == reference(), "run `python -m serve_apps.api.reference`"
