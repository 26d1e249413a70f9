"""WS /v1/realtime: OpenAI's realtime events for a conversation that is spoken, written, or both."""
