"""Accounting of KV memory for backends that own their cache."""
