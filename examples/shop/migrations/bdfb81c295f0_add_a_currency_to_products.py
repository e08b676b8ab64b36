"""Add a currency to products."""

from documents.migrations.operations import AddField

revision = "bdfb81c295f0"
after = ()

expand = ()
backfill = (AddField("products", "attributes.currency", "EUR"),)
contract = ()
