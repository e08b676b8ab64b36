"""Parameters by where they stand in a request."""

from api.openapi.schemas import Schema


def in_query(name: str, description: str, schema: Schema, **more: object) -> Schema:
    """Return a parameter of the URL."""
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def in_header(name: str, description: str, schema: Schema, **more: object) -> Schema:
    """Return a header."""
    return {"name": name, "in": "header", "description": description, "schema": schema, **more}


def in_path(name: str, description: str, schema: Schema) -> Schema:
    """Return a part of the path."""
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}
