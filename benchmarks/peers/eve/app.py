"""Eve with one resource. What differs from its defaults says why: for parity, or to its advantage."""

import os

from eve import Eve

SCHEMA = {
    "name": {"type": "string", "required": True},
    "sku": {"type": "string", "required": True},
    "category": {"type": "string", "required": True},
    "price": {"type": "float", "required": True},
    "stock": {"type": "integer", "required": True},
    "rating": {"type": "float", "required": True},
    "active": {"type": "boolean", "required": True},
    "tags": {"type": "list", "schema": {"type": "string"}, "required": True},
    "dimensions": {
        "type": "dict",
        "schema": {name: {"type": "integer", "required": True} for name in ("width", "height", "depth")},
        "required": True,
    },
    "description": {"type": "string", "required": True},
}

app = Eve(
    settings={
        "MONGO_URI": os.environ["BENCH_MONGODB_URI"].replace("/?", f"/{os.environ['BENCH_DATABASE']}?"),
        "MONGO_WRITE_CONCERN": {"w": "majority"},  # its default, w: 1, can lose what it acknowledged
        "RESOURCE_METHODS": ["GET", "POST"],
        "ITEM_METHODS": ["GET", "PATCH"],
        "PAGINATION_LIMIT": 100,  # its default refuses pages of 100
        "OPTIMIZE_PAGINATION_FOR_SPEED": True,  # its default counts the collection for each page
        "ENFORCE_IF_MATCH": False,  # ETags stay, but a PATCH need not send one
        "DOMAIN": {"items": {"schema": SCHEMA}},
    }
)
