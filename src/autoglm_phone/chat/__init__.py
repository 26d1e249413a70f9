"""The use case: a conversation in, a stream of deltas out. No HTTP, no tensors."""
