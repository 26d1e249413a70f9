"""The wire: what clients send and what they get. Pydantic, and nothing of the engine."""
