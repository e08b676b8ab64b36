"""The declared collections, one module each. To declare another, add a file here; `product.py` is the one to copy."""
